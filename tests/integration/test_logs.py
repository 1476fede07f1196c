"""Logs of a real worker that reads hostile records."""

import hmac
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from streams import topics
from streams.broker import admin
from streams.broker.embedded import Broker
from streams.broker.reading import records
from streams.roles import Role
from streams.settings import DEMO_CONFIG, load
from tests.malformed import GOOD
from tests.ops.programs import free_port, get
from tests.running import (
    SuperfanProcess,
    WorkerProcess,
    feed,
    feed_keyed,
    settings_for,
    wait_until_done,
    worker,
)
from tests.waiting import STUCK, until

MARK = "zq7private"
HOSTILE = f'{MARK} \n{{"level": "error"}}\r\x1b[31m\u2028\u202e@{MARK} <script> %s {{0}} \\'
HASH_KEY = "a key of the test"


def post(n: int, **changes: Any) -> bytes:
    """Return a post with the mark in every field that a person can choose."""
    author = {
        "id": f"{MARK}{n}",
        "handle": f"{MARK}{n}",
        "name": HOSTILE,
        "bio": HOSTILE,
        "followers": 20_000,
    }
    text = f"@united thank you, I love it. {HOSTILE}"
    return json.dumps({**GOOD, "id": f"x:{MARK}{n}", "text": text, "author": author, **changes}).encode()


def bad() -> list[bytes]:
    """Records that cannot be used, each for another reason, and each with the mark in it."""
    return [
        b'{"not json ' + HOSTILE.encode(),
        json.dumps([HOSTILE]).encode(),
        post(1, kind=HOSTILE),
        post(2, platform=HOSTILE),
        post(3, created_at=HOSTILE),
        post(4, id=HOSTILE + "9" * 300),
        post(5, author={"id": f"\x00{MARK}"}),
        post(6, text={MARK: 1}),
    ]


def lines(running: WorkerProcess) -> list[dict[str, Any]]:
    """Return all log lines of a worker; each must be an object."""
    return [json.loads(line) for line in running.log.read_bytes().splitlines()]


def test_logs_hold_positions_and_hashed_authors_and_no_text(own_broker: Broker, tmp_path: Path) -> None:
    """Each line is one JSON object with the position of its record. None has a text, handle, id or key.

    The worker sees hostile posts, rejected records, a killed text process, a step that fails and a state
    that cannot be read.
    """
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    options = {
        "SUPERFAN_LOG_LEVEL": "debug",
        "SUPERFAN_LOG_SECRET": HASH_KEY,
        "SUPERFAN_WORKER__PROCESSES": "1",
    }
    key = f"x:{MARK}0".encode()
    with worker(settings, tmp_path / "worker.log", **options) as running:
        for name in (topics.MENTIONS, topics.CUSTOMERS, topics.FEEDBACK, topics.ERASURES):
            feed_keyed(settings, name, [(key, value) for value in bad()])
        feed_keyed(settings, topics.ENRICHED, [(key, HOSTILE.encode())])
        feed_keyed(settings, topics.PROFILES, [(b"United/" + key, HOSTILE.encode())])
        feed(settings, [post(n) for n in range(100)])
        wait_until_done(settings, running)
        kill_text_process(running)
        feed(settings, [post(n) for n in range(100, 200)])
        wait_until_done(settings, running)
        feed_keyed(settings, topics.AUTHOR_FACTS, [(key, json.dumps({"kind": HOSTILE}).encode())])
        wait_until_done(settings, running)
        assert running.terminate() == 0
    feed_keyed(settings, topics.changelog("authors"), [(key, HOSTILE.encode())])
    with worker(settings, tmp_path / "stopped.log", **options) as stopped:
        assert stopped.process.wait(STUCK) == 1

    met = [record.value for record in records(settings, topics.DEAD_LETTERS)]
    assert len(met) >= 4 * len(bad()) + 2
    assert all(MARK.encode() in value for value in met), "what was sent was not what the worker met"
    said = [*lines(running), *lines(stopped)]
    assert MARK.encode() not in running.log.read_bytes() + stopped.log.read_bytes()
    assert all({"time", "level", "logger", "message", "role"} <= line.keys() for line in said)
    assert {line["role"] for line in said} == {"all", *Role}

    hashed = hmac.new(HASH_KEY.encode(), key, "sha256").hexdigest()[:16]
    rejected = [line for line in said if line["message"] == "Sent to dead letters"]
    assert {line["role"] for line in rejected} == set(Role)
    assert all({"topic", "partition", "offset", "reason", "count"} <= line.keys() for line in rejected)
    assert {line["author"] for line in rejected if line["topic"] in {"enriched", "profiles"}} == {hashed}
    assert any("text pipeline died" in line["message"] for line in said)
    (failed,) = (line for line in said if line["message"].startswith("A record could not be processed: "))
    assert (failed["role"], failed["topic"], failed["offset"]) == ("profile", topics.AUTHOR_FACTS, 0)
    assert (failed["level"], failed["author"]) == ("error", hashed)
    assert "ValidationError in streams.agents.profile" in failed["message"]
    assert said[-1]["level"] == "error"
    assert "fix" in said[-1]


@pytest.mark.parametrize(("level", "said"), [("error", False), ("debug", True)])
def test_nothing_below_the_level_is_logged(level: str, said: bool, tmp_path: Path) -> None:
    """The exporter's address is logged at level `debug` and not at level `error`."""
    port = str(free_port())
    settings = load(
        DEMO_CONFIG, broker_url=f"kafka://127.0.0.1:{free_port()}", store_url=f"sqlite:///{tmp_path}/store.db"
    )
    exporter = SuperfanProcess(
        settings, tmp_path / "log", "exporter", "--port", port, SUPERFAN_LOG_LEVEL=level
    )
    try:
        until(lambda: get(f"http://127.0.0.1:{port}/live")[0], exporter.said)
    finally:
        ended = exporter.terminate()
    assert ended == 0
    assert (f":{port}/metrics" in exporter.said()) == said


def kill_text_process(running: WorkerProcess) -> None:
    """Kill the worker's text process, as the system does when memory is short."""
    pid = running.process.pid
    spawned = [
        child
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    for child in spawned:
        os.kill(child, signal.SIGKILL)
    assert spawned
    time.sleep(0.2)
