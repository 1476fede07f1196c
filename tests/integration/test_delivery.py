"""The layer over Faust on a real Kafka: what Faust alone would lose or double."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from streams import delivery, worker
from streams.broker import admin
from streams.broker.embedded import Broker
from streams.broker.reading import records
from streams.roles import Role
from streams.settings import Settings
from tests.authors import enriched
from tests.running import feed_keyed, settings_for, wait_until_done
from tests.waiting import stretched, until_async


def counted(settings: Settings) -> int:
    """Posts in all profiles as a reader of the topic sees them."""
    newest: dict[bytes, Any] = {}
    for record in records(settings, "profiles"):
        newest[record.key] = json.loads(record.value)
    return sum(profile["windows"]["90d"]["posts"] for profile in newest.values())


async def run_until_done(settings: Settings) -> None:
    """Run the profile role in this process until nothing is left to do."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(worker.run(settings, [Role.PROFILE], stop=stop))
    waiting = asyncio.ensure_future(asyncio.to_thread(wait_until_profiled, settings))
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running
    await waiting


def wait_until_profiled(settings: Settings) -> None:
    """Return when the profile role has committed all there is."""
    wait_until_done(settings, roles={Role.PROFILE})


def test_records_fetched_while_recovery_ends_are_counted(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that are buffered when Faust resumes its flow after recovery are not lost."""
    # Few in flight, so that fetched records have to wait in the buffers.
    settings = settings_for(
        own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2}, worker={"in_flight": 3}
    )
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed_keyed(settings, "enriched", [enriched(n, n % 50) for n in range(500)])
    asyncio.run(run_until_done(settings))
    assert counted(settings) == 500
    feed_keyed(settings, "enriched", [enriched(n, n % 50) for n in range(500, 1000)])

    seek = delivery.Consumer.perform_seek

    async def slow_seek(self: delivery.Consumer) -> None:
        """Leave the fetcher time to fetch before the flow is resumed."""
        await seek(self)
        await asyncio.sleep(1.5)

    monkeypatch.setattr(delivery.Consumer, "perform_seek", slow_seek)
    asyncio.run(run_until_done(settings))
    assert counted(settings) == 1000


def test_what_was_never_committed_is_read_again_after_a_rebalance(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records in work at the group's first rebalance are begun again by their new owner."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    begun: list[tuple[int, int]] = []
    stuck = True

    def step(work: delivery.Work) -> None:
        begun.append((work.partition, work.offset))
        if stuck:
            work._pending += 1  # as if something sent for it were never confirmed

    async def no_time(self: delivery.Delivery, _: float) -> bool:
        self._paused = True
        return False

    monkeypatch.setattr(delivery.Delivery, "drain", no_time)

    async def rebalance() -> None:
        nonlocal stuck
        first = await start(settings, step, tmp_path)
        feed_keyed(settings, "late", [(b"%d" % n, b"v") for n in range(20)])
        await until_async(lambda: len(begun) == 20)
        stuck = False
        second = await start(settings, step, tmp_path)
        await until_async(lambda: len(set(begun[20:])) == 20)
        for app in (second, first):
            await app.delivery.stop()
            await app.stop()

    asyncio.run(rebalance())
    assert set(begun[20:]) == set(begun[:20])


def give_up(_: delivery.Work, error: Exception) -> None:
    """Fail the test: no record of these tests may fail."""
    raise error


async def start(settings: Settings, step: delivery.Step, folder: Path) -> delivery.ReliableApp:
    """Start an application that runs a step for each record of `late`."""
    app = delivery.ReliableApp(
        "rebalancing",
        window=100,
        drain_timeout=1.0,
        session=stretched(6.0),
        broker_request_timeout=2 * stretched(6.0) + 60,
        bootstrap=settings.bootstrap,
        broker=settings.broker_url,
        canonical_url=f"http://worker-{uuid.uuid4().hex}",
        datadir=folder / "faust",
        web_enabled=False,
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.topics.partitions,
        stream_wait_empty=False,
        broker_heartbeat_interval=0.2,
        consumer_auto_offset_reset="earliest",
    )
    delivery.agent(app, "late", step, give_up)
    app.finalize()
    app.in_worker = True
    await app.start()
    app.delivery.start()
    return app
