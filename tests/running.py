"""Run the product as its users do: processes, topics, stores."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from models.candidate import Candidate, Profile
from models.record import encode
from streams.broker import admin, feeding
from streams.broker.embedded import Broker
from streams.broker.lag import lag
from streams.broker.reading import records
from streams.roles import Role
from streams.settings import DEMO_CONFIG, Settings, WorkerSettings, load
from streams.topics import MAX_RECORD_BYTES
from tests.waiting import STUCK, slowdown, until_done

TIME_LIMITS = ("session_timeout", "delivery_timeout", "drain_timeout")
"""settings of a worker that a busy machine may exceed"""


def settings_for(broker: Broker, store: str, **flags: Any) -> Settings:
    """Return the demo's settings on a broker of the test, with time limits for a machine this busy."""
    slow = slowdown()
    limits = {name: slow * WorkerSettings.model_fields[name].default for name in TIME_LIMITS}
    flags["worker"] = limits | flags.get("worker", {})
    return load(DEMO_CONFIG, broker_url=broker.url, store_url=store, **flags)


def short_session() -> dict[str, str]:
    """Return an environment in which a group soon gives up a worker that died or was paused."""
    slow = slowdown()
    return {
        "SUPERFAN_WORKER__SESSION_TIMEOUT": str(6 * slow),
        "SUPERFAN_WORKER__DELIVERY_TIMEOUT": str(3 * slow),
    }


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a process that works with these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPERFAN_")}
    return kept | {
        "SUPERFAN_CONFIG": str(DEMO_CONFIG),
        "SUPERFAN_BROKER_URL": settings.broker_url,
        "SUPERFAN_STORE_URL": settings.store_url.get_secret_value(),
        "SUPERFAN_TOPICS__PARTITIONS": str(settings.topics.partitions),
    }


def _time_limits(settings: Settings) -> dict[str, str]:
    return {f"SUPERFAN_WORKER__{name.upper()}": str(getattr(settings.worker, name)) for name in TIME_LIMITS}


class SuperfanProcess:
    """A command of `superfan` that runs until it is stopped, in a process of its own."""

    def __init__(
        self, settings: Settings, log: Path, *command: str, within: Sequence[str] = (), **extra: str
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "streams", *command],
                env=environment(settings) | _time_limits(settings) | extra,
                stderr=out,
                stdout=out,
            )

    def kill(self) -> None:
        """End it as a crash would: without a chance to clean up."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End it as an orchestrator does. Return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STUCK)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not stop; it said: {self.said()}") from None

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


class WorkerProcess(SuperfanProcess):
    """`superfan worker` in a process of its own."""

    def __init__(
        self, settings: Settings, log: Path, role: str = "all", *, within: Sequence[str] = (), **extra: str
    ) -> None:
        super().__init__(settings, log, "worker", "--role", role, within=within, **extra)


@contextmanager
def worker(
    settings: Settings, log: Path, role: str = "all", *, within: Sequence[str] = (), **extra: str
) -> Iterator[WorkerProcess]:
    """Run a worker for the length of a `with` block; `within` is a command that becomes it."""
    started = WorkerProcess(settings, log, role, within=within, **extra)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.kill()


def feed(settings: Settings, values: list[bytes], topic: str | None = None) -> None:
    """Send records and wait until the broker has them."""
    client: KafkaProducer = feeding.producer(settings)
    try:
        feeding.send(client, values, topic=topic)
    finally:
        client.close()


def feed_with_headers(
    settings: Settings, topic: str, records: Sequence[tuple[bytes, list[tuple[str, bytes | None]]]]
) -> None:
    """Send values with headers and wait until the broker has them."""

    async def send() -> None:
        # XXX kafka-python refuses a header without a value, which other clients send.
        async with AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap, max_request_size=MAX_RECORD_BYTES
        ) as client:
            for value, headers in records:
                await client.send_and_wait(topic, value, headers=headers)

    asyncio.run(send())


def feed_keyed(settings: Settings, topic: str, pairs: list[tuple[bytes, bytes | None]]) -> None:
    """Send records under the given keys and wait until the broker has them."""
    client: KafkaProducer = feeding.producer(settings)
    try:
        for key, value in pairs:
            client.send(topic, key=key, value=value)
        client.flush()
    finally:
        client.close()


def wait_until_done(
    settings: Settings, *workers: WorkerProcess, roles: Collection[Role] = tuple(Role)
) -> None:
    """Return when every one of the roles has committed all records, seen twice in a row.

    Fails when a worker ends, or when nothing has moved for `STUCK` seconds.
    """
    with admin.admin_client(settings) as client:

        def left() -> tuple[object, bool]:
            for started in workers:
                assert started.process.poll() is None, f"a worker ended: {started.said()}"
            now = lag(client, settings.topics.partitions)
            return now, not any(now[role].behind for role in roles)

        until_done(left, lambda: workers[0].said() if workers else "")


def compacted(settings: Settings, topic: str) -> dict[str, dict[str, Any]]:
    """Return the newest record of each key of a compacted topic, revisions left out."""
    decoder: msgspec.json.Decoder[Profile | Candidate]
    decoder = msgspec.json.Decoder(Profile if topic == "profiles" else Candidate)
    found: dict[str, Profile | Candidate] = {}
    for record in records(settings, topic):
        key = record.key.decode()
        if record.value is None:
            found.pop(key, None)
        else:
            # Through the type: a record that the contract's shape does not fit would fail here.
            found[key] = decoder.decode(record.value)
    return {key: without_revision(json.loads(encode(record))) for key, record in found.items()}


def written(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the records of a backtest's file by key, revisions left out."""
    rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return {row["key"]: without_revision(row) for row in rows}


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Describe the differences between two sets of records; empty when there are none."""
    said = [f"missing: {key}" for key in sorted(expected.keys() - found.keys())]
    said += [f"too much: {key}" for key in sorted(found.keys() - expected.keys())]
    for key in sorted(found.keys() & expected.keys()):
        for name, value in expected[key].items():
            if found[key].get(name) != value:
                said.append(f"{key}: {name} is {found[key].get(name)!r}, should be {value!r}")
    return said


def without_revision(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without the only field that may differ between two ways to the same result."""
    return {name: value for name, value in record.items() if name != "revision"}
