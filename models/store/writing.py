"""Statements that write records, deletions and positions.

All writers take rows in one order: positions, then profiles, then candidates, each by key. Two writers that
share rows wait for each other and never deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from models.batches import batched
from models.candidate import Candidate, Profile
from models.store.tables import POSITIONS, name_of, row_of, storable, table_of

_MAX_KEYS = 1_000
"""Keys that one statement deletes: databases limit the number of parameters."""
Kind = type[Profile] | type[Candidate]
Partition = tuple[Kind, int]
"""A partition of the topic that holds records of this kind."""


@dataclass(frozen=True, slots=True)
class Delete:
    """The deletion of a record from the store."""

    kind: Kind
    key: str


Change = Profile | Candidate | Delete


@dataclass(frozen=True, slots=True)
class Applied:
    """Counts of a batch: `written` and `stale` add up to its records, `deleted` counts rows that existed.

    A record that a later change of its own batch replaces is stale.
    """

    written: int
    stale: int
    deleted: int

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(self.written + other.written, self.stale + other.stale, self.deleted + other.deleted)


@dataclass(frozen=True, slots=True)
class Move:
    """A step of a partition's position; `before` is None where the store had none."""

    before: int | None
    after: int


Step = tuple[sa.UpdateBase, list[dict[str, Any]]]
"""A statement with the rows that it is executed for."""


def steps_of(changes: Sequence[Change], *, postgres: bool) -> list[Step]:
    """Return the statements that apply changes, in the order in which they must be executed."""
    steps: list[Step] = []
    for kind in (Profile, Candidate):
        table = table_of(kind)
        puts, deletes = _settled([change for change in changes if _kind(change) is kind])
        delete, upsert = _delete(table), _upsert(table, postgres)
        for key in sorted(puts.keys() | deletes):
            if key in deletes:
                _add(steps, delete, {"gone": key})
            if key in puts:
                _add(steps, upsert, row_of(puts[key]))
    return steps


def execute(connection: sa.Connection, steps: Iterable[Step], changes: Sequence[Change]) -> Applied:
    """Execute the steps of these changes and count what they did."""
    written = deleted = 0
    for statement, rows in steps:
        count = _execute(connection, statement, rows)
        if isinstance(statement, sa.Delete):
            deleted += count
        else:
            written += count
    records = sum(not isinstance(change, Delete) for change in changes)
    return Applied(written, records - written, deleted)


def move(connection: sa.Connection, moves: Mapping[Partition, Move], *, postgres: bool) -> Partition | None:
    """Move positions; return the first whose position is not the expected one, None when all moved.

    A position that is already moved is accepted: the commit of an earlier attempt may have succeeded.
    """
    for (kind, number), step in sorted(moves.items(), key=lambda item: (name_of(item[0][0]), item[0][1])):
        values = {"topic": name_of(kind), "partition": number, "next_offset": step.after}
        if step.before is None:
            insert = (postgresql.insert if postgres else sqlite.insert)(POSITIONS).values(values)
            statement: sa.UpdateBase = insert.on_conflict_do_update(
                index_elements=["topic", "partition"],
                set_={"next_offset": insert.excluded.next_offset},
                where=POSITIONS.c.next_offset == step.after,
            ).returning(POSITIONS.c.topic)
        else:
            row = (POSITIONS.c.topic == values["topic"]) & (POSITIONS.c.partition == number)
            expected = POSITIONS.c.next_offset.in_((step.before, step.after))
            update = sa.update(POSITIONS).where(row & expected).values(next_offset=step.after)
            statement = update.returning(POSITIONS.c.topic)
        if connection.execute(statement).first() is None:
            return kind, number
    return None


def resume(
    connection: sa.Connection, partitions: Iterable[Partition], *, postgres: bool
) -> dict[Partition, int]:
    """Return the position of each partition; one is left out if the store was filled before it kept any.

    The positions of a kind whose table is empty begin anew at 0.
    """
    wanted = list(partitions)
    found: dict[Partition, int] = {}
    for kind in {kind for kind, _ in wanted}:
        mine = POSITIONS.c.topic == name_of(kind)
        empty = connection.execute(sa.select(table_of(kind).c.key).limit(1)).first() is None
        if empty:
            connection.execute(sa.delete(POSITIONS).where(mine & (POSITIONS.c.next_offset > 0)))
        known = connection.execute(sa.select(POSITIONS).where(mine))
        stored = {row.partition: row.next_offset for row in known}
        if not empty and not stored:
            continue
        fresh = [number for other, number in wanted if other is kind and number not in stored]
        begin = [{"topic": name_of(kind), "partition": number, "next_offset": 0} for number in sorted(fresh)]
        if begin:
            insert = (postgresql.insert if postgres else sqlite.insert)(POSITIONS)
            connection.execute(insert.on_conflict_do_nothing().returning(POSITIONS.c.topic), begin).all()
        found |= {(kind, number): stored.get(number, 0) for other, number in wanted if other is kind}
    return found


def _delete(table: sa.Table) -> sa.UpdateBase:
    # PostgreSQL deletes in the order of its plan, so the rows are locked first, in the order of all writers.
    named = table.c.key.in_(sa.bindparam("gone", expanding=True))
    locked = sa.select(table.c.key).where(named).order_by(table.c.key).with_for_update()
    return sa.delete(table).where(table.c.key.in_(locked)).returning(table.c.key)


def _upsert(table: sa.Table, postgres: bool) -> sa.UpdateBase:
    insert = (postgresql.insert if postgres else sqlite.insert)(table)
    return insert.on_conflict_do_update(
        index_elements=["key"],
        set_={column.name: insert.excluded[column.name] for column in table.columns},
        where=insert.excluded.revision > table.c.revision,
    ).returning(table.c.key)


def _kind(change: Change) -> Kind:
    return change.kind if isinstance(change, Delete) else type(change)


def _settled(changes: Sequence[Change]) -> tuple[dict[str, Any], set[str]]:
    """Return the newest record of each key after its last deletion, and the keys to delete first."""
    puts: dict[str, Any] = {}
    deletes: set[str] = set()
    for change in changes:
        key = storable(change.key)  # two keys that are equal in the database are one key here
        if isinstance(change, Delete):
            deletes.add(key)
            puts.pop(key, None)
        elif key not in puts or change.revision > puts[key].revision:
            puts[key] = change
    return puts, deletes


def _add(steps: list[Step], statement: sa.UpdateBase, row: dict[str, Any]) -> None:
    """Add a row; consecutive rows of the same statement form one step."""
    if not steps or steps[-1][0] is not statement:
        steps.append((statement, []))
    steps[-1][1].append(row)


def _execute(connection: sa.Connection, statement: sa.UpdateBase, rows: list[dict[str, Any]]) -> int:
    """Return the number of rows that the statement changed for `rows`.

    RETURNING makes many rows one statement with one answer. Without it the driver sends one statement a row
    and waits for none. A process that is paused in between is not idle to PostgreSQL, and would keep its
    locks.
    """
    if not isinstance(statement, sa.Delete):
        return len(connection.execute(statement, rows).all())
    keys = [row["gone"] for row in rows]
    parts = batched(keys, _MAX_KEYS)
    return sum(len(connection.execute(statement, {"gone": part}).all()) for part in parts)
