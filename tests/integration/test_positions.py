"""The store keeps its own position in the topics, in the transaction of its rows."""

from contextlib import closing

import pytest
import sqlalchemy as sa

from models.candidate import Candidate, Profile
from models.store import Delete, Move, Partition, PositionConflict, Store
from tests.integration.test_store import CANDIDATE, PROFILE, sql

P0: Partition = (Profile, 0)
P1: Partition = (Profile, 1)
C0: Partition = (Candidate, 0)


def test_an_empty_store_is_read_from_the_beginning(store: Store) -> None:
    """Every partition of a store without rows starts at 0."""
    assert store.resume([P0, P1, C0]) == {P0: 0, P1: 0, C0: 0}


def test_rows_and_positions_are_written_together(store: Store) -> None:
    """A batch moves the position of its partition, and the store goes on from there."""
    store.resume([P0, P1])
    store.apply([PROFILE], {P0: Move(0, 7)})
    assert store.positions() == {P0: 7, P1: 0}
    assert store.resume([P0, P1]) == {P0: 7, P1: 0}


def test_a_batch_that_begins_elsewhere_changes_nothing(store: Store) -> None:
    """A writer whose partition was moved by another is refused, and nothing of its batch is written."""
    store.resume([P0, C0])
    store.apply([], {P0: Move(0, 7)})
    for expected in (Move(0, 9), Move(8, 9), Move(None, 9)):
        with pytest.raises(PositionConflict):
            store.apply([PROFILE], {C0: Move(0, 1), P0: expected})
    assert (store.positions(), store.profile(PROFILE.key)) == ({P0: 7, C0: 0}, None)


def test_a_batch_may_be_repeated(store: Store) -> None:
    """A batch whose commit had an unknown outcome is repeated, with the first position or without any."""
    for before in (None, 7):
        for _ in range(2):
            store.apply([PROFILE], {P0: Move(before, (before or 0) + 7)})
    assert store.positions() == {P0: 14}


def test_an_emptied_table_starts_again(store: Store, url: str) -> None:
    """After profiles were deleted from the store, any worker reads every partition of profiles from 0."""
    store.resume([P0, P1, C0])
    assert CANDIDATE is not None
    store.apply([PROFILE, CANDIDATE], {P0: Move(0, 7), P1: Move(0, 8), C0: Move(0, 9)})
    with sql(url) as connection:
        connection.execute(sa.text("DELETE FROM profiles"))
    assert store.resume([P0]) == {P0: 0}
    with pytest.raises(PositionConflict):  # a worker that ran meanwhile
        store.apply([PROFILE], {P1: Move(8, 9)})
    store.apply([PROFILE], {P0: Move(0, 1)})
    assert store.resume([P1, C0]) == {P1: 0, C0: 9}


def test_a_restored_store_refuses_a_running_worker(store: Store) -> None:
    """A worker that ran while an older copy of the store was restored has to read its position again."""
    store.resume([P0])
    store.apply([PROFILE], {P0: Move(0, 7)})
    store.rebuild([[PROFILE]], {P0: 3})  # as a restore of a copy would
    with pytest.raises(PositionConflict, match="reads again from the position"):
        store.apply([], {P0: Move(7, 9)})
    assert store.resume([P0]) == {P0: 3}


def test_a_store_filled_before_positions_were_kept_goes_on_from_the_commits(store: Store) -> None:
    """Rows without any position are those of an older version: the commits of the group hold."""
    store.apply([PROFILE])
    assert store.resume([P0, P1, C0]) == {C0: 0}
    store.apply([PROFILE], {P0: Move(None, 7)})
    assert store.resume([P0, P1]) == {P0: 7, P1: 0}


def test_two_workers_may_start_at_once(store: Store, url: str) -> None:
    """Workers that share the partitions of a new store do not disturb each other."""
    with closing(Store(url)) as other:
        assert store.resume([P0]) == {P0: 0}
        assert other.resume([P1]) == {P1: 0}
        store.apply([PROFILE], {P0: Move(0, 1)})
        other.apply([PROFILE], {P1: Move(0, 1)})


def test_a_rebuilt_store_has_the_rows_given_and_no_others(store: Store) -> None:
    """A rebuild replaces rows and positions; what it could not finish changes nothing."""
    stale = "Old/x:gone"
    store.apply([Delete(Profile, stale), PROFILE])

    def broken() -> list[Profile]:
        raise RuntimeError("the broker went away")

    with pytest.raises(RuntimeError):
        store.rebuild((batch() for batch in (lambda: [], broken)), {P0: 1})
    assert list(store.profiles()) == [PROFILE]
    assert CANDIDATE is not None
    done = store.rebuild([[CANDIDATE, PROFILE], [Delete(Profile, PROFILE.key)]], {P0: 5, C0: 1})
    assert (done.written, done.deleted, store.size(Profile), store.size(Candidate)) == (2, 1, 0, 1)
    assert store.positions() == {P0: 5, C0: 1}
