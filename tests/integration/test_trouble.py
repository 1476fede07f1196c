"""What a worker does when the world around it fails."""

import time
from collections.abc import Callable
from pathlib import Path

from streams import admin, backtesting
from streams.broker import Broker, embedded_broker
from streams.settings import DEMO_CONFIG, load
from tests.databases import postgresql
from tests.malformed import malformed
from tests.running import compacted, differences, feed, settings_for, wait_until_done, worker, written


def until(condition: Callable[[], bool], limit: float = 90) -> None:
    """Returns when something has come about."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


QUICK = {"SUPERFAN_WORKER__SESSION_TIMEOUT": "6", "SUPERFAN_WORKER__DELIVERY_TIMEOUT": "3"}


def test_a_topic_full_of_bad_records_stops_the_worker_with_a_clear_error(
    own_broker: Broker, tmp_path: Path
) -> None:
    """A bad deploy must not turn a topic into dead letters: exit 1, the most common reason, what to do."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed(settings, [value for value, _ in malformed(3000)], topic="mentions")
    with worker(settings, tmp_path / "worker.log") as running:
        assert running.process.wait(90) == 1, running.said()
        said = " ".join(running.said().split())
    assert "of the last 1000 records were rejected" in said
    assert "superfan dead-letters list" in said


def test_a_broker_and_a_database_that_go_away_and_come_back_change_nothing(
    tmp_path: Path, posts: list[bytes]
) -> None:
    """The same worker process waits for both and ends with the backtest's result."""
    few = posts[:4000]
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    backtesting.run(load(DEMO_CONFIG), posts=[tmp_path / "posts.jsonl"], out=tmp_path / "backtest")
    with postgresql() as database, embedded_broker(tmp_path / "broker") as first:
        settings = settings_for(first, database.new_database())
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        with worker(settings, tmp_path / "worker.log", **QUICK) as running:
            feed(settings, few[:2000])
            until(lambda: "Worker started" in running.log.read_text())
            database.stop()
            until(lambda: "The store is away" in running.log.read_text())
            feed(settings, few[2000:])
            first.stop()
            time.sleep(5)  # longer than a delivery may take: what was in flight has failed
            database.start()
            with embedded_broker(tmp_path / "broker", port=first.port):
                wait_until_done(settings, running)
                assert running.terminate() == 0, running.said()
                for topic in ("profiles", "candidates"):
                    expected = written(tmp_path / "backtest", topic)
                    assert differences(compacted(settings, topic), expected) == []
