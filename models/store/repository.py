"""Writes changes and reads candidates. Every write is safe to repeat."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote

import alembic.command
import alembic.config
import msgspec
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite

from models.candidate import Candidate, Profile
from models.store.failures import StoreError, address, named, shown
from models.store.tables import CandidateRow, ProfileRow, row_of, storable, table_of, to_json

_MIGRATION_LOCK = 0x5F3F_0A11
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""
_alembic_is_global = Lock()  # XXX alembic keeps the running migration in module variables
_BUSY_MS = 15_000
_SILENT_MS = 15_000
"""How long a writer may be silent inside a transaction; PostgreSQL then ends it. A process that was paused
or cut off would keep its rows locked, and whoever took its work over would wait for them for ever."""
_LOCKED_MS = 20_000
"""How long a writer waits for another; then it is told, where it would leave a session that waits behind."""
_PATIENCE = sa.text(
    "SELECT set_config('idle_in_transaction_session_timeout', :silent, true), "
    "set_config('lock_timeout', :locked, true)"
)
_AT_ONCE = 1_000
"""Keys that a statement deletes: databases bound the number of parameters."""
_POSTGRES = {
    "application_name": "superfan",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that vanished without a word is noticed within seconds; the address may say otherwise."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the copy of a record away."""

    kind: type[Profile] | type[Candidate]
    key: str


Change = Profile | Candidate | Delete
R = TypeVar("R", Profile, Candidate)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: `written` and `stale` add up to its records, `deleted` counts rows that were there.

    A record that a later change of its own batch made pointless is stale.
    """

    written: int
    stale: int
    deleted: int


class Store:
    """One database. Connections are made when needed, so a restart of the database is survived.

    With `create` false an SQLite file that is not there is not made: it is a `StoreError`, and one that is
    there stays in the mode it is in.

    Methods raise `StoreUnavailable` for what passes and `StoreError` for what does not; neither
    shows a password or a row's values. May be used from several threads.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._url = address(url)
        self._postgres = self._url.get_backend_name() == "postgresql"
        defaults = {name: value for name, value in _POSTGRES.items() if name not in self._url.query}
        self._engine = sa.create_engine(
            self._url,
            connect_args=defaults if self._postgres else {},
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=to_json,
            json_deserializer=msgspec.json.decode,
        )
        if self._postgres:
            return
        sa.event.listen(self._engine, "connect", _prepare_sqlite)
        if create:
            sa.event.listen(self._engine, "connect", _write_ahead)
        else:
            sa.event.listen(self._engine, "do_connect", _only_what_is_there)

    def close(self) -> None:
        """Close all connections; the store may be used again."""
        self._engine.dispose()

    def __repr__(self) -> str:
        return f"Store({shown(self._url)!r})"

    # --- schema

    def migrate(self) -> None:
        """Bring the schema up to date; writes nothing when it is. Several processes may do this at once."""
        if self.schema_revision() == self.expected_revision():
            return
        with _alembic_is_global, self._transaction("bring the schema up to date") as connection:
            if self._postgres:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            found = MigrationContext.configure(connection).get_current_revision()
            self._refuse_unknown(found)
            if found != self.expected_revision():
                config = _alembic()
                config.attributes["connection"] = connection
                alembic.command.upgrade(config, "head")

    def schema_revision(self) -> str | None:
        """The revision of the database's schema, None when it is empty."""
        with self._connection("read the schema's revision") as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def require_schema(self) -> None:
        """Returns when the schema is the one this code works with; else raises `StoreError`."""
        found, expected = self.schema_revision(), self.expected_revision()
        self._refuse_unknown(found)
        if found != expected:
            raise StoreError(
                f"The store {shown(self._url)} has schema {found or 'empty'}",
                f"it should be {expected}",
                "start a worker with the sink role: it brings the schema up to date",
            )

    def _refuse_unknown(self, found: str | None) -> None:
        if found is not None and found not in _revisions():
            raise StoreError(
                f"The store {shown(self._url)} has schema {found}",
                f"it is of another version of Superfan: this one knows up to {self.expected_revision()}",
                "use the version that wrote it, or a newer one",
            )

    @staticmethod
    def expected_revision() -> str:
        """The revision this code works with."""
        return _revisions()[0]

    # --- writing

    def apply(self, changes: Sequence[Change]) -> Applied:
        """Apply changes in one transaction, in their order; all or nothing, and safe to repeat.

        A record replaces one of the same key only when its revision is larger. After an error that
        came with the commit itself the batch may be there; repeated, it then counts as stale.
        """
        # Rows are made before the transaction, so that no other writer waits for it; and every writer
        # takes keys in one order, deletions among them: two that share keys would deadlock otherwise.
        steps: list[tuple[sa.UpdateBase, list[dict[str, Any]]]] = []
        for table, kind in ((table_of(Profile), Profile), (table_of(Candidate), Candidate)):
            puts, deletes = _settled([change for change in changes if _kind(change) is kind])
            gone = table.c.key.in_(sa.bindparam("gone", expanding=True))
            delete, upsert = sa.delete(table).where(gone).returning(table.c.key), self._upsert(table)
            for key in sorted(puts.keys() | deletes):
                if key in deletes:
                    _add(steps, delete, {"gone": key})
                if key in puts:
                    _add(steps, upsert, row_of(puts[key]))
        written = deleted = 0
        if steps:
            with self._transaction("write") as connection:
                for statement, rows in steps:
                    count = _execute(connection, statement, rows)
                    if isinstance(statement, sa.Delete):
                        deleted += count
                    else:
                        written += count
        records = sum(not isinstance(change, Delete) for change in changes)
        return Applied(written, records - written, deleted)

    def _upsert(self, table: sa.Table) -> sa.UpdateBase:
        insert = (postgresql.insert if self._postgres else sqlite.insert)(table)
        return insert.on_conflict_do_update(
            index_elements=["key"],
            set_={column.name: insert.excluded[column.name] for column in table.columns},
            where=insert.excluded.revision > table.c.revision,
        ).returning(table.c.key)

    # --- reading

    def ping(self) -> None:
        """Returns when the database answers."""
        with self._connection("answer") as connection:
            connection.execute(sa.select(1))

    def clock(self) -> float | None:
        """The database's own time in epoch seconds; None where it has no clock but this machine's."""
        if not self._postgres:
            return None
        with self._connection("answer") as connection:
            return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")))

    def candidate(self, key: str) -> Candidate | None:
        """One candidate, or None."""
        return self._one(sa.select(CandidateRow.record).where(CandidateRow.key == key), Candidate)

    def profile(self, key: str) -> Profile | None:
        """One profile, or None."""
        return self._one(sa.select(ProfileRow.record).where(ProfileRow.key == key), Profile)

    def profiles(self) -> Iterator[Profile]:
        """All profiles by key."""
        yield from self._read(sa.select(ProfileRow.record).order_by(ProfileRow.key), Profile)

    def candidates(
        self,
        *,
        brand: str | None = None,
        states: Sequence[str] | None = None,
        tiers: Sequence[str] | None = None,
        min_score: float | None = None,
        limit: int | None = None,
    ) -> Iterator[Candidate]:
        """Candidates, the best first; equal scores by key."""
        query = sa.select(CandidateRow.record).order_by(CandidateRow.score.desc(), CandidateRow.key)
        if brand is not None:
            query = query.where(CandidateRow.brand == brand)
        if states is not None:
            query = query.where(CandidateRow.state.in_(states))
        if tiers is not None:
            query = query.where(CandidateRow.tier.in_(tiers))
        if min_score is not None:
            query = query.where(CandidateRow.score >= min_score)
        yield from self._read(query.limit(limit), Candidate)

    def candidate_keys(self) -> list[str]:
        """The keys of all candidates, in their order."""
        with self._connection("be read") as connection:
            return list(connection.scalars(sa.select(CandidateRow.key).order_by(CandidateRow.key)))

    def profile_keys(self) -> list[str]:
        """The keys of all profiles, in their order."""
        with self._connection("be read") as connection:
            return list(connection.scalars(sa.select(ProfileRow.key).order_by(ProfileRow.key)))

    def counts(self) -> dict[str, int]:
        """How many candidates there are in each state; a state without any is left out."""
        query = sa.select(CandidateRow.state, sa.func.count()).group_by(CandidateRow.state)
        with self._connection("be read") as connection:
            return {state: count for state, count in connection.execute(query)}  # noqa: C416 -- no tuples

    def census(self) -> dict[tuple[str, str, str | None], int]:
        """How many candidates there are of each (brand, state, tier); those without any are left out."""
        group = (CandidateRow.brand, CandidateRow.state, CandidateRow.tier)
        with self._connection("be read") as connection:
            rows = connection.execute(sa.select(*group, sa.func.count()).group_by(*group))
            return {(brand, state, tier): count for brand, state, tier, count in rows}

    def notices_overdue(self, now: str) -> dict[str, int]:
        """By brand: whose notice was due before `now` (RFC 3339), and nobody contacted or decided about."""
        said = sa.cast(CandidateRow.record["watch_outs"], sa.Text)
        query = sa.select(CandidateRow.brand, sa.func.count()).where(
            CandidateRow.notice_due_at < now,
            CandidateRow.state.not_in(("accepted", "declined")),
            said.not_like('%"contacted"%'),
        )
        with self._connection("be read") as connection:
            return {brand: count for brand, count in connection.execute(query.group_by(CandidateRow.brand))}  # noqa: C416 -- no tuples

    def brands(self) -> list[str]:
        """Brands that have a profile."""
        with self._connection("be read") as connection:
            return list(connection.scalars(sa.select(ProfileRow.brand).distinct().order_by(ProfileRow.brand)))

    def _one(self, query: sa.Select[tuple[Any]], kind: type[R]) -> R | None:
        with self._connection("be read") as connection:
            record = connection.scalar(query)
            return None if record is None else msgspec.convert(record, kind)

    def _read(self, query: sa.Select[tuple[Any]], kind: type[R]) -> Iterator[R]:
        with (
            self._connection("be read") as connection,
            connection.execution_options(yield_per=500).execute(query) as rows,
        ):
            for (record,) in rows:
                yield msgspec.convert(record, kind)

    # --- connections

    @contextmanager
    def _connection(self, verb: str) -> Iterator[sa.Connection]:
        with named(self._url, verb), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[sa.Connection]:
        """Commits at the end of the block; nothing of it stays when the block raises."""
        with named(self._url, verb), self._engine.begin() as connection:
            if self._postgres:
                connection.execute(_PATIENCE, {"silent": str(_SILENT_MS), "locked": str(_LOCKED_MS)})
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # a later lock could not be waited for
            yield connection


def _only_what_is_there(_: Any, __: Any, args: list[Any], options: dict[str, Any]) -> None:
    """Have SQLite open a file and never make one; an address with options of its own says itself how."""
    if options.get("uri"):
        return
    (file,) = args
    if not Path(file).exists():
        raise StoreError(
            f"There is no store at {file}",
            "nobody has written it yet",
            "start a worker with the sink role: it makes one; or set SUPERFAN_STORE_URL to where yours is",
        )
    args[:] = [f"file:{quote(file)}?mode=rw"]
    options["uri"] = True


def _write_ahead(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL").close()  # the file keeps it: readers wait for no writer


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA synchronous=FULL")  # the stream commits its offsets once this has committed
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _alembic() -> alembic.config.Config:
    config = alembic.config.Config()
    folder = str(files("models.store").joinpath("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


@cache
def _revisions() -> tuple[str, ...]:
    """All revisions this code knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions())


def _kind(change: Change) -> type[Profile] | type[Candidate]:
    return change.kind if isinstance(change, Delete) else type(change)


def _settled(changes: Sequence[Change]) -> tuple[dict[str, Any], set[str]]:
    """What is left to do per key: the newest record after its last deletion, and which to delete first."""
    puts: dict[str, Any] = {}
    deletes: set[str] = set()
    for change in changes:
        key = storable(change.key)  # two keys that are one in the database are one here
        if isinstance(change, Delete):
            deletes.add(key)
            puts.pop(key, None)
        elif key not in puts or change.revision > puts[key].revision:
            puts[key] = change
    return puts, deletes


def _add(
    steps: list[tuple[sa.UpdateBase, list[dict[str, Any]]]], statement: sa.UpdateBase, row: dict[str, Any]
) -> None:
    """One more step; the same statement over and over is one step with many rows."""
    if not steps or steps[-1][0] is not statement:
        steps.append((statement, []))
    steps[-1][1].append(row)


def _execute(connection: sa.Connection, statement: sa.UpdateBase, rows: list[dict[str, Any]]) -> int:
    """How many rows the statement changed for `rows`.

    It asks for the keys, so that many rows are one statement and one answer. Without, the driver sends a row
    after the other and waits for none: who is paused in the middle of that is not idle to PostgreSQL, and
    would keep its locks.
    """
    if not isinstance(statement, sa.Delete):
        return len(connection.execute(statement, rows).all())
    keys = [row["gone"] for row in rows]
    parts = [keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE)]
    return sum(len(connection.execute(statement, {"gone": part}).all()) for part in parts)
