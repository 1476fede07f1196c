"""Bundled posts through a real Kafka, against a backtest of the same posts.

A third of the authors is enough here: `make demo` and the tests of the commands process all of them.
"""

import random
from collections import Counter
from pathlib import Path

from models.store import Store
from streams.broker import admin
from streams.broker.embedded import Broker
from streams.broker.lag import lag
from streams.broker.reading import read_dead_letters
from streams.roles import ROLES, Role
from streams.settings import Settings
from tests.malformed import malformed
from tests.running import (
    compacted,
    differences,
    feed,
    settings_for,
    short_session,
    wait_until_done,
    worker,
    written,
)
from tests.waiting import until


def assert_same(settings: Settings, yardstick: Path) -> None:
    """Assert that profiles and candidates, on the topics and in the store, equal those of the backtest."""
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
    """The backtest of all posts has a profile for most authors and few candidates."""
    profiles, candidates = written(yardstick, "profiles"), written(yardstick, "candidates")
    assert len(profiles) > 7500
    assert sum(p["windows"]["90d"]["posts"] for p in profiles.values()) > 14_000
    assert 0 < len(candidates) < 200


def test_a_third_of_the_authors_has_candidates(third: list[bytes], yardstick_of_third: Path) -> None:
    """The shorter yardstick has a third of the posts, and candidates to compare."""
    assert 4_000 < len(third) < 6_000
    assert len(written(yardstick_of_third, "candidates")) >= 5


def test_malformed_records_are_dead_letters_and_the_good_ones_untouched(
    own_broker: Broker, tmp_path: Path, third: list[bytes], customers: list[bytes], yardstick_of_third: Path
) -> None:
    """1,000 malformed records of 26 kinds become dead letters with their reasons. The rest is unchanged."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    bad = malformed(1000)
    mixed = [*third, *(value for value, _ in bad)]
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
    assert_same(settings, yardstick_of_third)


def test_a_worker_killed_in_the_middle_leaves_the_same_result(
    own_broker: Broker, tmp_path: Path, third: list[bytes], customers: list[bytes], yardstick_of_third: Path
) -> None:
    """After a kill -9 in the middle and a new start, the result is as without a crash."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    short = short_session()  # the group waits for the dead member as long as its session lasts
    with worker(settings, tmp_path / "first.log", **short) as first:
        feed(settings, customers)
        half = len(third) // 2
        feed(settings, third[:half])
        wait_until_enriched(settings, half // 2)
        feed(settings, third[half:])
        first.kill()
        with admin.admin_client(settings) as client:
            assert lag(client, settings.topics.partitions)[Role.ENRICH].behind, "it was not in the middle"
    with worker(settings, tmp_path / "second.log", **short) as second:
        wait_until_done(settings, second)
        assert second.terminate() == 0, second.said()
    assert_same(settings, yardstick_of_third)


def test_two_workers_share_the_partitions_and_give_the_same_result(
    own_broker: Broker, tmp_path: Path, third: list[bytes], customers: list[bytes], yardstick_of_third: Path
) -> None:
    """A second worker that joins in the middle takes over partitions, and the result stays the same."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    with worker(settings, tmp_path / "first.log") as first:
        feed(settings, customers)
        feed(settings, third[: len(third) // 2])
        wait_until_enriched(settings, len(third) // 10)
        with worker(settings, tmp_path / "second.log") as second:
            feed(settings, third[len(third) // 2 :])
            wait_for_members(settings, 2)
            wait_until_done(settings, first, second)
            assert second.terminate() == 0, second.said()
        assert first.terminate() == 0, first.said()
    assert_same(settings, yardstick_of_third)


def wait_until_enriched(settings: Settings, count: int) -> None:
    """Return when so many posts are enriched and the first profiles are out."""
    with admin.admin_client(settings) as client:

        def reached() -> bool:
            now = lag(client, settings.topics.partitions)
            return now[Role.ENRICH].total - now[Role.ENRICH].behind >= count and now[Role.SINK].total > 100

        until(reached, f"{count} posts enriched", every=0.05)


def wait_for_members(settings: Settings, count: int) -> None:
    """Return when every group is stable and has so many members."""
    groups = [spec.group for spec in ROLES.values()]
    with admin.admin_client(settings) as client:

        def complete() -> bool:
            found = client.describe_groups(groups)
            return all(
                found[group]["group_state"] == "Stable" and len(found[group]["members"]) == count
                for group in groups
            )

        until(complete, f"{count} members in each group")
