"""The store on SQLite and on a real PostgreSQL: both behave alike."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from random import Random

import alembic.command
import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.candidate import Candidate, Profile, Window
from models.store import Applied, Change, Delete, Store, StoreError, StoreUnavailable, repository
from models.store.tables import Base
from tests.authors import outputs
from tests.unit.models.test_decision import FAN
from tests.waiting import STUCK

PROFILE, CANDIDATE = outputs(list(FAN))[0]
assert CANDIDATE is not None


@contextmanager
def sql(url: str) -> Iterator[sa.Connection]:
    """Open a connection beside the store; commit at the end."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def profile(revision: int, key: str = PROFILE.key, score: float = 50.0) -> Profile:
    """Return a profile with a revision."""
    return msgspec.structs.replace(PROFILE, key=key, revision=revision, score=score)


def candidate(**changes: object) -> Candidate:
    """Return a candidate with changes."""
    assert isinstance(CANDIDATE, Candidate)
    return msgspec.structs.replace(CANDIDATE, **changes)


def a_candidate(revision: int, key: str) -> Candidate:
    """Return a candidate with a revision."""
    return candidate(revision=revision, key=key)


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


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([Profile, Candidate]), st.sampled_from("abc"), st.none() | st.integers(1, 9)
        ),
        max_size=30,
    ),
    st.integers(1, 8),
)
def test_batches_are_no_different_from_one_change_after_the_other(
    store: Store, drawn: list[tuple[type[Profile] | type[Candidate], str, int | None]], size: int
) -> None:
    """Puts and deletions of both kinds, cut into batches, end as when they are applied one by one."""
    store.apply([Delete(kind, key) for kind in (Profile, Candidate) for key in "abc"])
    expected: dict[tuple[type, str], int] = {}
    changes: list[Change] = []
    for kind, key, revision in drawn:
        if revision is None:
            expected.pop((kind, key), None)
            changes.append(Delete(kind, key))
        else:
            expected[kind, key] = max(revision, expected.get((kind, key), 0))
            changes.append((profile if kind is Profile else a_candidate)(revision, key))
    for start in range(0, len(changes), size):
        batch = changes[start : start + size]
        applied = store.apply(batch)
        assert applied.written + applied.stale == sum(not isinstance(change, Delete) for change in batch)
    stored: list[Profile | Candidate] = [*store.profiles(), *store.candidates()]
    found = {(type(record), record.key): record.revision for record in stored}
    assert found == expected


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(), st.floats(0, 100), st.none() | st.integers(0, 2**70))
@example("\\u0000", "\\\x00", 0.1, 2**63)  # the letters of an escape are no escape
def test_any_text_and_number_comes_back(
    store: Store, headline: str, handle: str, score: float, followers: int | None
) -> None:
    """Any JSON value comes back unchanged, except that NUL becomes the replacement character."""
    assert CANDIDATE is not None
    tier = msgspec.structs.replace(CANDIDATE.tier, followers=followers)

    def said(headline: str, handle: str) -> Candidate:
        return candidate(
            headline=headline, handle=handle, score=score, lost_points={handle: score}, tier=tier
        )

    written = said(headline, handle)
    store.apply([Delete(Candidate, written.key), written])
    expected = said(headline.replace("\x00", "\ufffd"), handle.replace("\x00", "\ufffd"))
    assert store.candidate(written.key) == expected


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


def test_keys_have_the_same_order_everywhere(store: Store, url: str) -> None:
    """Keys come in the order of their characters' numbers, whatever language the database speaks."""
    keys = ["a", "B", "_", "-a", "Z", "é", "日", "😍"]
    store.apply([profile(1, key) for key in keys] + [a_candidate(1, key) for key in keys])
    assert [p.key for p in store.profiles()] == sorted(keys)
    assert [c.key for c in store.candidates()] == sorted(keys)
    if url.startswith("postgresql"):
        with sql(url) as connection:
            collation = sa.text(
                "SELECT collation_name FROM information_schema.columns WHERE column_name = 'key'"
            )
            assert set(connection.scalars(collation)) == {"C"}


def test_candidates_are_counted_by_state(store: Store) -> None:
    """Health sees how many candidates are in each state."""
    assert store.counts() == {}
    store.apply([candidate(key=f"A/x:{n}", state="watch" if n % 3 else "candidate") for n in range(9)])
    assert store.counts() == {"candidate": 3, "watch": 6}


def test_odd_texts_are_stored(store: Store) -> None:
    """NUL characters, emoji and right-to-left text do not break a write."""
    store.apply([candidate(headline="a\x00b 😍 \u202e", handle="\x00")])
    assert CANDIDATE is not None
    found = store.candidate(CANDIDATE.key)
    assert found is not None
    assert found.headline == "a\ufffdb 😍 \u202e"


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"])
def test_a_key_that_no_database_can_hold_is_one_key_all_the_same(store: Store, odd: str) -> None:
    """NUL or a lone surrogate in a key: it can be written, found, replaced and deleted."""
    record = msgspec.structs.replace(profile(1, odd), author_id=odd, brand=odd, tier=odd)
    assert store.apply([record, profile(2, odd), profile(1, "a\ufffdb")]) == Applied(1, 2, 0)
    found = store.profile(odd)
    assert found is not None
    assert (found.key, found.revision) == ("a\ufffdb", 2)
    assert list(store.candidates(brand=odd, tiers=[odd], states=[odd])) == []
    assert store.apply([Delete(Profile, odd)]).deleted == 1
    assert store.profile(odd) is None
    store.apply([profile(3, odd), Delete(Profile, "a\ufffdb")])
    assert store.profile(odd) is None


def test_numbers_beyond_a_column_do_not_stop_the_stream(store: Store) -> None:
    """Absurd counts and a missing window are kept in the record; the column has the largest it can."""
    absurd = Window(posts=2**40, positive=2**40, neutral=0, negative=2**40)
    below = Window(posts=-(2**40), positive=0, neutral=0, negative=-(2**40))
    records = [
        msgspec.structs.replace(profile(1, "a"), followers=10**30, windows={"90d": absurd}),
        msgspec.structs.replace(profile(1, "aa"), followers=-(10**30), windows={"90d": below}),
        msgspec.structs.replace(profile(2**80, "ab")),
        msgspec.structs.replace(profile(1, "b"), windows={}),
    ]
    assert store.apply(records).written == 4
    assert list(store.profiles()) == records


def test_a_record_that_cannot_be_written_takes_the_whole_batch_back(store: Store) -> None:
    """All or nothing: one impossible record, and no other of its batch is there; its values are not shown."""
    secret = candidate(key="A/x:9", headline="a private headline")
    with pytest.raises(StoreError) as error:
        store.apply([profile(1), secret, candidate(score=10**400, headline="a private headline")])
    assert not isinstance(error.value, StoreUnavailable)
    assert "private" not in f"{error.value} {error.value.__cause__}"
    assert list(store.profiles()) + list(store.candidates()) == []


def test_a_batch_may_be_long_or_empty(store: Store) -> None:
    """No limit of a database on the size of a statement is a limit of a batch."""
    assert store.apply([]) == Applied(0, 0, 0)
    changes: list[Change] = [Delete(Profile, f"A/x:{n}") for n in range(70_000)]
    assert store.apply([profile(1, "A/x:5"), *changes]) == Applied(0, 1, 0)


def test_racing_writers_leave_the_newest_and_count_each_change_once(store: Store, url: str) -> None:
    """Writers of the same keys, in any order: the newest of each stays, and no write is claimed twice."""
    keys, revisions = [f"A/x:{n}" for n in range(20)], range(1, 31)

    def write(seed: int) -> int:
        random, written = Random(seed), 0
        with closing(Store(url)) as mine:
            for revision in revisions:
                batch = [record(revision, key) for key in keys for record in (profile, a_candidate)]
                random.shuffle(batch)
                written += mine.apply(batch).written
        return written

    with ThreadPoolExecutor(4) as pool:
        written = sum(pool.map(write, range(4)))
    assert {p.revision for p in store.profiles()} == {c.revision for c in store.candidates()} == {30}
    assert 2 * len(keys) <= written <= 2 * len(keys) * len(revisions)


def test_writers_that_delete_and_write_the_same_keys_never_deadlock(store: Store, url: str) -> None:
    """Batches that share keys in any mixture take turns; none is thrown out to be tried again."""

    def write(seed: int) -> None:
        random = Random(seed)
        with closing(Store(url)) as mine:
            for _ in range(25):
                keys = random.choices([f"A/x:{n}" for n in range(20)], k=30)
                mine.apply(
                    [
                        Delete(Profile, k) if random.random() < 0.3 else profile(random.randrange(99), k)
                        for k in keys
                    ]
                )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))


def test_migrations_and_tables_agree(store: Store, url: str) -> None:
    """The migrations make exactly the tables that the code describes."""
    with sql(url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert store.schema_revision() == store.expected_revision()


def test_an_older_schema_is_brought_forward_with_its_rows(url: str) -> None:
    """A database that the first version made keeps its records, and can be taken back and forward again."""
    config = repository._alembic()
    with closing(Store(url)) as store:
        for steer, revision in (("upgrade", "0001"), ("downgrade", "0001")):
            with sql(url) as connection:
                config.attributes["connection"] = connection
                getattr(alembic.command, steer)(config, revision)
            assert store.schema_revision() == "0001"
            store.apply([PROFILE])
            store.migrate()
            assert store.schema_revision() == store.expected_revision()
            assert list(store.profiles()) == [PROFILE]


def test_processes_may_migrate_at_once(url: str) -> None:
    """Several workers that start together all end with the schema."""
    code = "import sys; from models.store import Store; s = Store(sys.argv[1]); s.migrate(); s.close()"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(4)
    ]
    said = [process.communicate(timeout=STUCK)[1].decode() for process in processes]
    assert [(process.returncode, text) for process, text in zip(processes, said, strict=True)] == [
        (0, "")
    ] * 4
    with closing(Store(url)) as store:
        assert store.schema_revision() == store.expected_revision()
        assert store.apply([PROFILE]).written == 1


def test_a_migration_that_breaks_off_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies while migrating leaves the schema as it was; the next one brings it forward."""
    whole = alembic.command.upgrade

    def broken(*arguments: object) -> None:
        whole(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with closing(Store(url)) as store:
        monkeypatch.setattr(alembic.command, "upgrade", broken)
        with pytest.raises(KeyboardInterrupt):
            store.migrate()
        assert store.schema_revision() is None
        monkeypatch.undo()
        store.migrate()
        assert store.schema_revision() == store.expected_revision()


def test_a_schema_from_the_future_is_refused(store: Store, url: str) -> None:
    """A database that a newer version wrote is left alone, with a clear error."""
    with sql(url) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999"):
        store.migrate()


def test_a_store_without_its_schema_says_how_to_get_it(url: str) -> None:
    """Reading or writing before the first migration is a clear, lasting error."""
    with closing(Store(url)) as store:
        for attempt in (lambda: store.apply([PROFILE]), lambda: list(store.candidates()), store.counts):
            with pytest.raises(StoreError, match="schema") as error:
                attempt()
            assert not isinstance(error.value, StoreUnavailable)


def test_a_record_of_another_shape_is_a_clear_error(store: Store, url: str) -> None:
    """A stored record that this version cannot read says so, without a traceback."""
    store.apply([PROFILE])
    with sql(url) as connection:
        connection.execute(sa.text("UPDATE profiles SET record = '{}'"))
    with pytest.raises(StoreError, match="cannot be read"):
        store.profile(PROFILE.key)
    with pytest.raises(StoreError, match="cannot be read"):
        list(store.profiles())
