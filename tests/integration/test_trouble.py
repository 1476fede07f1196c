"""Workers when the broker, the database or the disk fails, or when they are stopped or paused."""

import asyncio
import shutil
import signal
import time
from pathlib import Path

import msgspec
import pytest

from models.codec import version_of
from models.store import Store
from streams import delivery
from streams.broker import admin
from streams.broker.embedded import Broker, embedded_broker
from streams.broker.lag import lag
from streams.broker.reading import records
from streams.offline import backtest
from streams.roles import Role
from streams.settings import DEMO_CONFIG, Settings, load
from streams.topics import PROFILE_APP, changelog
from streams.worker import BrokerLost, run
from tests.authors import enriched
from tests.commands import in_namespace
from tests.databases import postgresql
from tests.malformed import malformed
from tests.running import (
    compacted,
    differences,
    feed,
    feed_keyed,
    settings_for,
    short_session,
    wait_until_done,
    worker,
    written,
)
from tests.waiting import STUCK, stretched, until


def test_a_topic_full_of_bad_records_stops_the_worker_with_a_clear_error(
    own_broker: Broker, tmp_path: Path
) -> None:
    """A worker that rejects nearly all records exits with 1 and logs the most common reason and a fix."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed(settings, [value for value, _ in malformed(3000)], topic="mentions")
    with worker(settings, tmp_path / "worker.log") as running:
        assert running.process.wait(STUCK) == 1, running.said()
        said = " ".join(running.said().split())
    assert "of the last 1000 records were rejected" in said
    assert "superfan dead-letters list" in said


def test_a_state_that_cannot_be_read_is_named_with_what_to_do(own_broker: Broker, tmp_path: Path) -> None:
    """A damaged changelog record stops the worker, which logs its position and a fix that loses no state."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 1})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed_keyed(settings, changelog("authors"), [(b"x:1", b"\x01" * 20), (b"x:2", b"no state at all")])
    with worker(settings, tmp_path / "worker.log", "profile") as running:
        assert running.process.wait(STUCK) == 1, running.said()
        said = " ".join(running.said().split())
    assert "superfan-profile-authors-changelog, partition 0, offset 1: the state has format" in said
    assert "do not delete the changelog" in said
    assert "start the worker again" not in said


def test_a_broker_and_a_database_that_go_away_and_come_back_change_nothing(
    tmp_path: Path, posts: list[bytes]
) -> None:
    """A worker waits for both and ends with the result of the backtest."""
    few = posts[:4000]
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    backtest.run(load(DEMO_CONFIG), posts=[tmp_path / "posts.jsonl"], out=tmp_path / "backtest")
    with postgresql() as database, embedded_broker(tmp_path / "broker") as first:
        settings = settings_for(first, database.new_database())
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        with worker(settings, tmp_path / "worker.log", **short_session()) as running:
            feed(settings, few[:2000])
            until(lambda: "Worker started" in running.log.read_text())
            database.stop()
            until(lambda: "The store is away" in running.log.read_text())
            feed(settings, few[2000:])
            first.stop()
            # What is in flight has failed when the worker has noticed.
            until(lambda: "starting again" in running.log.read_text())
            database.start()
            with embedded_broker(tmp_path / "broker", port=first.port):
                wait_until_done(settings, running)
                assert running.terminate() == 0, running.said()
                for topic in ("profiles", "candidates"):
                    expected = written(tmp_path / "backtest", topic)
                    assert differences(compacted(settings, topic), expected) == []


def test_a_store_whose_disk_is_full_waits_until_there_is_room(
    own_broker: Broker, tmp_path: Path, posts: list[bytes]
) -> None:
    """Nothing is lost, the other roles go on, and the sink goes on when there is room."""
    few = posts[:3000]
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    backtest.run(load(DEMO_CONFIG), posts=[tmp_path / "posts.jsonl"], out=tmp_path / "backtest")
    expected = written(tmp_path / "backtest", "profiles")
    small = tmp_path / "small"
    small.mkdir()
    settings = settings_for(own_broker, f"sqlite:///{small}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    fill = 'mount -t tmpfs -o size=16m none "$0" && head -c 15700000 /dev/zero > "$0/filler" && exec "$@"'
    disk = in_namespace("--mount", "sh", "-c", fill, str(small))
    with worker(settings, tmp_path / "worker.log", within=disk) as running:
        feed(settings, few)
        until(lambda: "is full" in running.log.read_text())
        wait_until_done(settings, running, roles={Role.ENRICH, Role.PROFILE})
        assert differences(compacted(settings, "profiles"), expected) == []
        inside = Path(f"/proc/{running.process.pid}/root{small}")
        (inside / "filler").unlink()
        wait_until_done(settings, running)
        shutil.copytree(inside, tmp_path / "copy")
        assert running.terminate() == 0, running.said()
    store = Store(f"sqlite:///{tmp_path}/copy/store.db")
    try:
        assert {profile.key for profile in store.profiles()} == set(expected)
    finally:
        store.close()


def test_a_worker_that_gets_sigterm_twice_stops_once_and_in_order(
    own_broker: Broker, tmp_path: Path, posts: list[bytes]
) -> None:
    """After two SIGTERMs in the middle of the stream a worker exits with 0 within its drain time.

    Everything it began is committed: the next worker replays nothing.
    """
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    with worker(settings, tmp_path / "first.log") as first:
        feed(settings, posts[:3000])
        wait_until_published(settings, 300)
        first.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(settings.worker.drain_timeout + stretched(10)) == 0, first.said()
    with worker(settings, tmp_path / "second.log") as second:
        wait_until_done(settings, second)
        assert second.terminate() == 0, second.said()
    ids = [msgspec.json.decode(record.value)["post"]["id"] for record in records(settings, "enriched")]
    assert len(ids) == len(set(ids)), "a post was enriched again"


def test_a_worker_stops_in_time_though_its_broker_is_away(tmp_path: Path) -> None:
    """After SIGTERM without a broker a worker exits with 0 soon after its drain time."""
    with embedded_broker(tmp_path / "broker") as running:
        settings = settings_for(running, f"sqlite:///{tmp_path}/store.db")
        with worker(settings, tmp_path / "worker.log", **short_session()) as process:
            until(lambda: "Worker started" in process.log.read_text())
            running.stop()
            time.sleep(2)
            process.process.send_signal(signal.SIGTERM)
            assert process.process.wait(settings.worker.drain_timeout + stretched(15)) == 0, process.said()


def test_a_worker_ends_though_its_broker_dies_in_the_moment_of_stopping(
    tmp_path: Path, posts: list[bytes]
) -> None:
    """A worker with records in flight ends within its drain time and ten seconds when its broker dies.

    The next worker continues from the confirmed records, and nothing is missing or counted twice.
    """
    few = posts[:1500]
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    backtest.run(load(DEMO_CONFIG), posts=[tmp_path / "posts.jsonl"], out=tmp_path / "backtest")
    with embedded_broker(tmp_path / "broker") as first:
        settings = settings_for(first, f"sqlite:///{tmp_path}/store.db")
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        drain = stretched(4)
        with worker(
            settings, tmp_path / "first.log", SUPERFAN_WORKER__DRAIN_TIMEOUT=str(drain), **short_session()
        ) as stopping:
            feed(settings, few)
            wait_until_published(settings, 100)
            first.process.kill()
            stopping.process.send_signal(signal.SIGTERM)
            assert stopping.process.wait(drain + stretched(10 + 5)) in {0, 1}, stopping.said()
    with (
        embedded_broker(tmp_path / "broker", port=first.port),
        worker(settings, tmp_path / "next.log", **short_session()) as after,
    ):
        wait_until_done(settings, after)
        assert after.terminate() == 0, after.said()
        for topic in ("profiles", "candidates"):
            expected = written(tmp_path / "backtest", topic)
            assert differences(compacted(settings, topic), expected) == []


def test_a_worker_that_the_group_gave_up_writes_nothing_more(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its lease a worker sends nothing and stops with an error on which it is started again."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed_keyed(settings, "enriched", [enriched(n, n % 50) for n in range(100)])
    monkeypatch.setattr(delivery.Lease, "holds", lambda _: False)
    with pytest.raises(BrokerLost, match="away for longer than its session"):
        asyncio.run(run(settings, [Role.PROFILE], stop=asyncio.Event()))
    assert list(records(settings, changelog("authors"))) == []
    assert list(records(settings, "profiles")) == []


def test_a_paused_worker_comes_back_and_changes_nothing(
    own_broker: Broker, tmp_path: Path, posts: list[bytes]
) -> None:
    """A worker paused beyond its session, while another takes over, changes nothing when it goes on."""
    few = posts[:3000]
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    backtest.run(load(DEMO_CONFIG), posts=[tmp_path / "posts.jsonl"], out=tmp_path / "backtest")
    with postgresql() as database:
        # Not SQLite: a paused process may hold the lock of its file, and nobody but itself can end that.
        settings = settings_for(own_broker, database.new_database())
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        with worker(settings, tmp_path / "paused.log", **short_session()) as paused:
            feed(settings, few)
            wait_until_published(settings, 200)
            paused.process.send_signal(signal.SIGSTOP)
            with worker(settings, tmp_path / "other.log", **short_session()) as other:
                wait_until_done(settings, other)
                paused.process.send_signal(signal.SIGCONT)
                until(lambda: "starting again" in paused.log.read_text() or idle(settings, members=2))
                feed(settings, few)  # everything once more, now that both are there
                wait_until_done(settings, other, paused)
                assert other.terminate() == 0, other.said()
                assert paused.terminate() == 0, paused.said()
    for topic in ("profiles", "candidates"):
        expected = written(tmp_path / "backtest", topic)
        assert differences(compacted(settings, topic), expected) == []
    newest: dict[bytes, int] = {}
    for record in records(settings, changelog("authors")):
        assert version_of(record.value) >= newest.get(record.key, 0), "an older state behind a newer one"
        newest[record.key] = version_of(record.value)


def wait_until_published(settings: Settings, count: int) -> None:
    """Return when so many profiles and candidates are out."""
    with admin.admin_client(settings) as client:
        until(lambda: lag(client, settings.topics.partitions)[Role.SINK].total > count, every=0.05)


def idle(settings: Settings, *, members: int) -> bool:
    """Return whether the profile group is complete and stable."""
    with admin.admin_client(settings) as client:
        group = client.describe_groups([PROFILE_APP])[PROFILE_APP]
    return group["group_state"] == "Stable" and len(group["members"]) == members
