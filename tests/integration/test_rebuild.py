"""A store that was emptied, restored or moved fills again from the topics, by itself or by command."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.candidate import Candidate, Profile
from models.record import encode
from models.store import Store
from streams import topics
from streams.broker import admin
from streams.broker.clients import group_less_consumer
from streams.broker.embedded import Broker, embedded_broker
from streams.broker.rebuild import Rebuild
from streams.ops.health import Finding, diagnose
from streams.ops.store_copy import REBUILD, RESTART
from streams.roles import Role
from streams.settings import Settings
from tests.commands import superfan
from tests.databases import PostgreSQL
from tests.integration.test_store import candidate, profile, sql
from tests.running import environment, feed_keyed, settings_for, wait_until_done, worker

KEYS = [f"United/x:{number}" for number in range(60)]
GONE = "United/x:gone"


@pytest.fixture(scope="module")
def settings(server: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Profiles and candidates on a broker, some of them replaced or deleted, and an empty store."""
    with embedded_broker(tmp_path_factory.mktemp("broker")) as broker:
        made = settings_for(broker, server.new_database())
        with admin.admin_client(made) as client:
            admin.apply(client, made)
        feed_profiles(made, 1, [*KEYS, GONE])
        feed_profiles(made, 2, KEYS[::2])
        for topic in (topics.PROFILES, topics.CANDIDATES):
            feed_keyed(made, topic, [(GONE.encode(), None)])
        yield made


def feed_profiles(settings: Settings, revision: int, keys: list[str]) -> None:
    """Publish a profile and a candidate of each key."""
    feed_keyed(settings, topics.PROFILES, [(key.encode(), encode(profile(revision, key))) for key in keys])
    feed_keyed(
        settings,
        topics.CANDIDATES,
        [(key.encode(), encode(candidate(revision=revision, key=key))) for key in keys],
    )


def store_url(settings: Settings) -> str:
    """Return the address of the store."""
    return settings.store_url.get_secret_value()


def held(settings: Settings) -> dict[str, int]:
    """Return the revision of each profile in the store; check that candidates have the same."""
    with Store(store_url(settings), create=False) as store:
        found = {each.key: each.revision for each in store.profiles()}
        assert found == {each.key: each.revision for each in store.candidates()}
        return found


def expected() -> dict[str, int]:
    """Return the last revisions on the topics."""
    return {key: 2 - number % 2 for number, key in enumerate(KEYS)}


def run_sink(settings: Settings, log: Path) -> None:
    """Run the sink until its group has committed everything and its store is at the ends."""
    with worker(settings, log, "sink") as running:
        wait_until_done(settings, running, roles=[Role.SINK])
        deadline = time.monotonic() + 120
        while finding(settings).fix and time.monotonic() < deadline:
            time.sleep(0.3)
        assert running.terminate() == 0, running.said()


def finding(settings: Settings) -> Finding:
    """Return the finding of the doctor about the copy."""
    return next(each for each in diagnose(settings) if each.check == "store")


def drop(settings: Settings) -> None:
    """Lose the whole database."""
    with sql(store_url(settings)) as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))


def empty(settings: Settings) -> None:
    """Lose the rows, and keep the positions."""
    with sql(store_url(settings)) as connection:
        connection.execute(sa.text("TRUNCATE profiles, candidates"))


def restore(settings: Settings) -> None:
    """Go back to a copy from when only some rows were there."""
    with sql(store_url(settings)) as connection:
        connection.execute(sa.text("DELETE FROM profiles WHERE key < 'United/x:3'"))
        connection.execute(sa.text("DELETE FROM candidates WHERE key < 'United/x:3'"))
        connection.execute(sa.text("UPDATE positions SET next_offset = 0"))


@pytest.mark.parametrize("lose", [drop, empty, restore])
def test_a_store_that_lost_rows_fills_again_when_the_sink_starts(
    settings: Settings, tmp_path: Path, lose: Callable[[Settings], None]
) -> None:
    """A dropped, emptied or restored store is complete again after a start of the sink."""
    run_sink(settings, tmp_path / "before")
    assert held(settings) == expected()
    lose(settings)
    if lose is not drop:
        assert finding(settings).fix in {REBUILD, RESTART}
    run_sink(settings, tmp_path / "after")
    assert held(settings) == expected()
    assert (finding(settings).ok, finding(settings).fix) == (True, "")


def test_the_store_is_rebuilt_while_the_sink_runs(settings: Settings, tmp_path: Path) -> None:
    """`superfan store rebuild` removes foreign rows and adds missing ones; the sink goes on."""
    with worker(settings, tmp_path / "log", "sink") as running:
        wait_until_done(settings, running, roles=[Role.SINK])
        with sql(store_url(settings)) as connection:
            connection.execute(sa.text("DELETE FROM profiles WHERE key < 'United/x:3'"))
        with Store(store_url(settings)) as store:
            store.apply([profile(9, "Other/x:1"), profile(9, KEYS[0])])
        assert finding(settings).fix == REBUILD
        done = superfan("store", "rebuild", env=environment(settings))
        assert done.returncode == 0, done.stderr
        assert b"60 profiles and 60 candidates" in done.stderr
        assert held(settings) == expected()
        feed_profiles(settings, 3, KEYS[:1])
        wait_until_done(settings, running, roles=[Role.SINK])
        assert held(settings) == expected() | {KEYS[0]: 3}
        assert running.terminate() == 0, running.said()
    feed_profiles(settings, 2, KEYS[:1])


def test_a_rebuild_shows_its_progress_and_counts_what_it_leaves_out(
    own_broker: Broker, tmp_path: Path
) -> None:
    """The advances add up to the total, and a record that is no profile is counted."""
    made = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(made) as client:
        admin.apply(client, made)
    feed_profiles(made, 1, KEYS)
    feed_keyed(made, topics.PROFILES, [(b"x", b"no profile")])
    with group_less_consumer(made) as consumer, Store(store_url(made)) as store:
        rebuild = Rebuild(consumer)
        steps: list[int] = []
        done = rebuild.run(store, steps.append)
        assert (sum(steps), rebuild.total) == (121, 121)
        assert str(done) == (
            "60 profiles and 60 candidates from 121 records; 1 could not be read and were left out"
        )
        assert (store.size(Profile), store.size(Candidate)) == (60, 60)
