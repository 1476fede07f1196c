"""The store on SQLite and on a real PostgreSQL: both behave alike."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.candidates import Candidate, Profile
from models.store import Change, Delete, Store, StoreError, StoreUnavailable
from models.store.tables import Base
from tests.authors import outputs
from tests.databases import PostgreSQL, postgresql
from tests.unit.test_decision import FAN

PROFILE, CANDIDATE = outputs(list(FAN))[0]
assert CANDIDATE is not None


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """A real PostgreSQL."""
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    running: PostgreSQL = request.getfixturevalue("server")
    return running.new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store with its schema."""
    opened = Store(url)
    opened.migrate()
    yield opened
    opened.close()


def profile(revision: int, key: str = PROFILE.key, score: float = 50.0) -> Profile:
    """A profile of a revision."""
    return msgspec.structs.replace(PROFILE, key=key, revision=revision, score=score)


def candidate(**changes: object) -> Candidate:
    """A candidate with changes."""
    return msgspec.structs.replace(CANDIDATE, **changes)


def test_records_come_back_as_they_were_written(store: Store) -> None:
    """A profile and a candidate survive the database unchanged."""
    assert CANDIDATE is not None
    store.apply([PROFILE, CANDIDATE])
    assert store.profile(PROFILE.key) == PROFILE
    assert store.candidate(CANDIDATE.key) == CANDIDATE


def test_only_a_newer_revision_replaces_a_record(store: Store) -> None:
    """Equal and older revisions are refused and counted."""
    assert store.apply([profile(5)]).written == 1
    assert store.apply([profile(5, score=1.0)]).stale == 1
    assert store.apply([profile(4, score=1.0)]).stale == 1
    assert store.apply([profile(6, score=2.0)]).written == 1
    found = store.profile(PROFILE.key)
    assert found is not None
    assert (found.revision, found.score) == (6, 2.0)


def test_a_deletion_takes_the_row_away_and_order_in_a_batch_counts(store: Store) -> None:
    """Put then delete leaves nothing; delete then put leaves the record."""
    gone = Delete(Profile, PROFILE.key)
    store.apply([profile(1), gone])
    assert store.profile(PROFILE.key) is None
    store.apply([profile(9), gone, profile(2)])
    assert store.profile(PROFILE.key) == profile(2)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), min_size=1, max_size=30),
    st.integers(1, 7),
)
def test_any_order_and_repetition_ends_with_the_newest(
    store: Store, revisions: list[tuple[str, int]], size: int
) -> None:
    """However records come, in whatever batches, the largest revision of each key stays."""
    store.apply([Delete(Profile, key) for key in "abc"])
    changes: list[Change] = [profile(revision, key) for key, revision in revisions]
    for start in range(0, len(changes), size):
        store.apply(changes[start : start + size])
        store.apply(changes[start : start + size])
    newest = {key: max(r for k, r in revisions if k == key) for key, _ in revisions}
    assert {p.key: p.revision for p in store.profiles()} == newest


def test_the_board_is_ranked_and_filtered(store: Store) -> None:
    """Candidates come by score, then key, and only those that are asked for."""
    store.apply(
        [
            candidate(key="A/x:1", brand="A", score=60.0),
            candidate(key="A/x:2", brand="A", score=80.0, state="watch"),
            candidate(key="B/x:1", brand="B", score=60.0),
        ]
    )
    assert [c.key for c in store.candidates()] == ["A/x:2", "A/x:1", "B/x:1"]
    assert [c.key for c in store.candidates(brand="A", states=["candidate"])] == ["A/x:1"]
    assert [c.key for c in store.candidates(min_score=70.0)] == ["A/x:2"]
    assert [c.key for c in store.candidates(limit=1)] == ["A/x:2"]
    assert list(store.candidates(tiers=["mega"])) == []


def test_odd_texts_are_stored(store: Store) -> None:
    """NUL characters, emoji and right-to-left text do not break a write."""
    store.apply([candidate(headline="a\x00b 😍 \u202e", handle="\x00")])
    assert CANDIDATE is not None
    found = store.candidate(CANDIDATE.key)
    assert found is not None
    assert found.headline == "a\ufffdb 😍 \u202e"


def test_migrations_and_tables_agree(store: Store, url: str) -> None:
    """The migrations make exactly the tables that the code describes."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
    assert store.schema_revision() == store.expected_revision()


def test_two_processes_may_migrate_at_once(url: str) -> None:
    """Several workers that start together all end with the schema."""
    stores = [Store(url) for _ in range(4)]
    failures: list[BaseException] = []

    def migrate(one: Store) -> None:
        try:
            one.migrate()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert stores[0].schema_revision() == stores[0].expected_revision()
    for one in stores:
        one.close()


def test_a_schema_from_the_future_is_refused(store: Store, url: str) -> None:
    """A database that a newer version wrote is left alone, with a clear error."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="9999"):
        store.migrate()


def test_a_stopped_database_is_a_passing_trouble(server: PostgreSQL) -> None:
    """While PostgreSQL is away a write says so; when it is back the same store works."""
    store = Store(server.new_database())
    store.migrate()
    store.apply([profile(1)])
    server.stop()
    try:
        with pytest.raises(StoreUnavailable):
            store.apply([profile(2)])
    finally:
        server.start()
    assert store.apply([profile(2)]).written == 1
    store.close()


def test_a_full_disk_is_a_passing_trouble_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A batch that does not fit is not written in part."""
    store = Store(f"sqlite:///{tmp_path}/full.db")
    store.migrate()

    def limit(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
        connection.cursor().execute("PRAGMA max_page_count=30")

    sa.event.listen(store._engine, "connect", limit)
    store.close()
    with pytest.raises(StoreUnavailable, match="full"):
        store.apply([profile(1, key=f"A/x:{n}") for n in range(2000)])
    assert list(store.profiles()) == []
    store.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:hunter2@h/d", "postgresql+nodriver://u:hunter2@h/d"])
def test_a_wrong_address_is_a_clear_error_without_the_password(url: str) -> None:
    """An address that cannot be used says so, and never shows its password."""
    with pytest.raises(StoreError) as error:
        Store(url).ping()
    assert "hunter2" not in str(error.value)


def test_a_wrong_password_or_database_is_no_passing_trouble(server: PostgreSQL) -> None:
    """What waiting cannot mend is not called passing."""
    store = Store(server.url("no_such_database"))
    with pytest.raises(StoreError) as error:
        store.ping()
    assert not isinstance(error.value, StoreUnavailable)
    assert "secret" not in str(error.value)
    store.close()
