"""The whole bundled stream through a real Kafka, against a backtest of the same file."""

import random
import time
from collections import Counter
from pathlib import Path

from models.store import Store
from streams.broker import admin
from streams.broker.embedded import Broker
from streams.broker.reading import read_dead_letters
from tests.malformed import malformed
from tests.running import compacted, differences, feed, settings_for, wait_until_done, worker, written


def assert_same(settings, yardstick: Path) -> None:
    """Profiles and candidates on the topics and in the store are the backtest's, record for record."""
    profiles, candidates = written(yardstick, "profiles"), written(yardstick, "candidates")
    assert differences(compacted(settings, "profiles"), profiles) == []
    assert differences(compacted(settings, "candidates"), candidates) == []
    store = Store(settings.store_url.get_secret_value())
    try:
        assert {p.key for p in store.profiles()} == set(profiles)
        assert {c.key: c.score for c in store.candidates()} == {k: c["score"] for k, c in candidates.items()}
    finally:
        store.close()


def test_the_backtest_finds_a_plausible_stream(yardstick: Path) -> None:
    """The yardstick itself is no empty page: most authors have a profile, few are candidates."""
    profiles, candidates = written(yardstick, "profiles"), written(yardstick, "candidates")
    assert len(profiles) > 7500
    assert sum(p["windows"]["90d"]["posts"] for p in profiles.values()) > 14_000
    assert 0 < len(candidates) < 200


def test_malformed_records_are_dead_letters_and_the_good_ones_untouched(
    own_broker: Broker, tmp_path: Path, posts: list[bytes], customers: list[bytes], yardstick: Path
) -> None:
    """1,000 malformed records of 26 kinds are dead letters with the right reasons; the rest is as without."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    bad = malformed(1000)
    mixed = [*posts, *(value for value, _ in bad)]
    random.Random(1).shuffle(mixed)
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    with worker(settings, tmp_path / "worker.log") as running:
        feed(settings, customers)
        feed(settings, mixed, topic="mentions")
        wait_until_done(settings, running)
        assert running.terminate() == 0, running.said()
        assert "Traceback" not in running.said()
    found = list(read_dead_letters(settings))
    assert Counter(letter["reason"] for letter in found) == Counter(reason for _, reason in bad)
    assert {letter["topic"] for letter in found} == {"mentions"}
    assert_same(settings, yardstick)


def test_a_worker_killed_in_the_middle_leaves_the_same_result(
    own_broker: Broker, tmp_path: Path, posts: list[bytes], customers: list[bytes], yardstick: Path
) -> None:
    """Kill -9 half way, start again: profiles, candidates and store are as without the crash."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    # The group waits for the dead member as long as its session lasts.
    short = {"SUPERFAN_WORKER__SESSION_TIMEOUT": "6", "SUPERFAN_WORKER__DELIVERY_TIMEOUT": "4"}
    with worker(settings, tmp_path / "first.log", **short) as first:
        feed(settings, customers)
        feed(settings, posts)
        half_way(settings)
        first.kill()
    with worker(settings, tmp_path / "second.log", **short) as second:
        wait_until_done(settings, second)
        assert second.terminate() == 0, second.said()
    assert_same(settings, yardstick)


def test_two_workers_share_the_partitions_and_give_the_same_result(
    own_broker: Broker, tmp_path: Path, posts: list[bytes], customers: list[bytes], yardstick: Path
) -> None:
    """A second worker that joins in the middle takes partitions over, and nothing changes in the result."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    with worker(settings, tmp_path / "first.log") as first:
        feed(settings, customers)
        feed(settings, posts[: len(posts) // 2])
        half_way(settings, share=0.2)
        with worker(settings, tmp_path / "second.log") as second:
            feed(settings, posts[len(posts) // 2 :])
            shares = members(settings)
            wait_until_done(settings, first, second)
            assert second.terminate() == 0, second.said()
        assert first.terminate() == 0, first.said()
    assert shares == {"superfan-enrich": 2, "superfan-profile": 2, "superfan-sink": 2}
    assert_same(settings, yardstick)


def half_way(settings, share: float = 0.4) -> None:
    """Returns when this share of the posts is enriched and some profiles are out."""
    from streams.broker.lag import lag
    from streams.roles import Role

    deadline = time.monotonic() + 120
    with admin.admin_client(settings) as client:
        while time.monotonic() < deadline:
            now = lag(client, settings.topics.partitions)
            enrich = now[Role.ENRICH]
            if enrich.total and enrich.behind < (1 - share) * enrich.total and now[Role.SINK].total > 100:
                assert enrich.behind, "the stream was faster than the test"
                return
            time.sleep(0.05)
    raise AssertionError("the worker did not get half way")


def members(settings) -> dict[str, int]:
    """How many members of each group hold partitions; waits until each has two."""
    from streams.roles import ROLES

    groups = [spec.group for spec in ROLES.values()]
    deadline = time.monotonic() + 90
    counts: dict[str, int] = {}
    with admin.admin_client(settings) as client:
        while time.monotonic() < deadline:
            found = client.describe_groups(groups)
            counts = {group: len(found[group]["members"]) for group in groups}
            if all(found[g]["group_state"] == "Stable" for g in groups) and min(counts.values()) > 1:
                return counts
            time.sleep(0.3)
    return counts
