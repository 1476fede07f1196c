"""Write changes and read candidates. Every write is safe to repeat."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, Self, TypeVar
from urllib.parse import quote

import alembic.command
import alembic.config
import msgspec
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from models.candidate import Candidate, Profile
from models.store.failures import PositionConflict, StoreError, address, named, shown
from models.store.tables import POSITIONS, CandidateRow, ProfileRow, name_of, table_of, to_json
from models.store.writing import Applied, Change, Kind, Move, Partition, execute, move, resume, steps_of

_MIGRATION_LOCK = 0x5F3F_0A11
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""
_alembic_is_global = Lock()  # XXX alembic keeps the running migration in module variables
_BUSY_MS = 15_000
_IDLE_MS = 15_000
"""Time-out of an idle transaction. A paused or disconnected process would keep its row locks for ever."""
_LOCK_MS = 20_000
"""Lock time-out. Failing is better than leaving a blocked session behind on the server."""
_TIMEOUTS = sa.text(
    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true), "
    "set_config('lock_timeout', :lock, true)"
)
_POSTGRES = {
    "application_name": "superfan",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Connection options that notice a vanished server within seconds; options in the address win."""


R = TypeVar("R", Profile, Candidate)


class Store:
    """One database. Connections are made when needed, so it survives a restart of the database.

    With `create` false a missing SQLite file is a `StoreError`; an existing one keeps its journal mode.

    Methods raise `StoreUnavailable` for transient errors and `StoreError` for permanent ones; neither shows a
    password or a row's values. May be used from several threads.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({shown(self._url)!r})"

    # --- schema

    def migrate(self) -> None:
        """Bring the schema up to date, if it is not. Several processes may call this at once."""
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
        """Return the revision of the database's schema, None if it is empty."""
        with self._connection("read the schema's revision") as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def require_schema(self) -> None:
        """Raise `StoreError` unless the schema is the one this code works with."""
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
        """Return the revision that this code works with."""
        return _revisions()[0]

    # --- writing

    def apply(self, changes: Sequence[Change], moves: Mapping[Partition, Move] | None = None) -> Applied:
        """Apply changes in their order and move positions, all in one transaction; safe to repeat.

        A record replaces one of the same key only if its revision is larger. After an error of the commit
        itself the batch may have been written; repeated, it then counts as stale. Raises `PositionConflict`,
        and changes nothing, if a position in the store is neither the expected nor the new one.
        """
        # Rows are made before the transaction, so that no other writer waits for it.
        steps = steps_of(changes, postgres=self._postgres)
        if not steps and not moves:
            return Applied(0, 0, 0)
        with self._transaction("write") as connection:
            conflict = move(connection, moves or {}, postgres=self._postgres)
            if conflict is not None:
                raise self._conflict(conflict)
            return execute(connection, steps, changes)

    def resume(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the offset from which each partition must be read to complete the store.

        It is 0 if the table of the kind is empty. A partition is left out if an older version, which kept no
        positions, filled the store: the commits of the group hold then.
        """
        with self._transaction("give its positions") as connection:
            return resume(connection, partitions, postgres=self._postgres)

    def rebuild(self, batches: Iterable[Sequence[Change]], positions: Mapping[Partition, int]) -> Applied:
        """Replace all rows by those of `batches` and all positions by these, in one transaction.

        Readers see the old rows until it ends; other writers wait or fail, and nothing changes if it fails.
        """
        done = Applied(0, 0, 0)
        with self._transaction("be rebuilt") as connection:
            if self._postgres:
                connection.execute(sa.text("LOCK TABLE positions IN EXCLUSIVE MODE"))
            for emptied in (POSITIONS, table_of(Profile), table_of(Candidate)):
                connection.execute(sa.delete(emptied))
            for changes in batches:
                done += execute(connection, steps_of(changes, postgres=self._postgres), changes)
            rows = [
                {"topic": name_of(kind), "partition": number, "next_offset": offset}
                for (kind, number), offset in positions.items()
            ]
            if rows:
                connection.execute(sa.insert(POSITIONS).returning(POSITIONS.c.topic), rows).all()
        return done

    def _conflict(self, partition: Partition) -> PositionConflict:
        kind, number = partition
        return PositionConflict(
            f"The store {shown(self._url)} has another position in {name_of(kind)}, partition {number}",
            "it was rebuilt or restored, or another worker writes to it",
            "no action is needed: the sink reads again from the position of the store",
        )

    # --- reading

    def positions(self) -> dict[Partition, int]:
        """Return the stored position of each partition."""
        kinds = {name_of(kind): kind for kind in (Profile, Candidate)}
        with self._connection("be read") as connection:
            rows = connection.execute(sa.select(POSITIONS)).all()
        return {(kinds[row.topic], row.partition): row.next_offset for row in rows if row.topic in kinds}

    def size(self, kind: Kind) -> int:
        """Return the number of records of a kind."""
        with self._connection("be read") as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(table_of(kind))) or 0

    def clock(self) -> float | None:
        """Return the database's own time in epoch seconds; None for SQLite, which has no clock of its own."""
        if not self._postgres:
            return None
        with self._connection("answer") as connection:
            return float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")))

    def candidate(self, key: str) -> Candidate | None:
        """Return one candidate, or None."""
        return self._one(sa.select(CandidateRow.record).where(CandidateRow.key == key), Candidate)

    def profile(self, key: str) -> Profile | None:
        """Return one profile, or None."""
        return self._one(sa.select(ProfileRow.record).where(ProfileRow.key == key), Profile)

    def profiles(self) -> Iterator[Profile]:
        """Yield all profiles by key."""
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
        """Yield candidates, the best first; equal scores by key."""
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
        """Return the keys of all candidates, in order."""
        with self._connection("be read") as connection:
            return list(connection.scalars(sa.select(CandidateRow.key).order_by(CandidateRow.key)))

    def profile_keys(self) -> list[str]:
        """Return the keys of all profiles, in order."""
        with self._connection("be read") as connection:
            return list(connection.scalars(sa.select(ProfileRow.key).order_by(ProfileRow.key)))

    def counts(self) -> dict[str, int]:
        """Return the number of candidates in each state; states without any are left out."""
        query = sa.select(CandidateRow.state, sa.func.count()).group_by(CandidateRow.state)
        with self._connection("be read") as connection:
            return {state: count for state, count in connection.execute(query)}  # noqa: C416 -- no tuples

    def census(self) -> dict[tuple[str, str, str | None], int]:
        """Return the number of candidates of each (brand, state, tier); those without any are left out."""
        group = (CandidateRow.brand, CandidateRow.state, CandidateRow.tier)
        with self._connection("be read") as connection:
            rows = connection.execute(sa.select(*group, sa.func.count()).group_by(*group))
            return {(brand, state, tier): count for brand, state, tier, count in rows}

    def notices_overdue(self, now: str) -> dict[str, int]:
        """Count by brand the candidates without contact or decision whose notice was due before `now`.

        `now` is RFC 3339.
        """
        said = sa.cast(CandidateRow.record["watch_outs"], sa.Text)
        query = sa.select(CandidateRow.brand, sa.func.count()).where(
            CandidateRow.notice_due_at < now,
            CandidateRow.state.not_in(("accepted", "declined")),
            said.not_like('%"contacted"%'),
        )
        with self._connection("be read") as connection:
            return {brand: count for brand, count in connection.execute(query.group_by(CandidateRow.brand))}  # noqa: C416 -- no tuples

    def brands(self) -> list[str]:
        """Return the brands that have a profile."""
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
        """Commit at the end of the block; undo all of it if the block raises."""
        with named(self._url, verb), self._engine.begin() as connection:
            if self._postgres:
                connection.execute(_TIMEOUTS, {"idle": str(_IDLE_MS), "lock": str(_LOCK_MS)})
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # a later lock could not be waited for
            yield connection


def _only_what_is_there(_: Any, __: Any, args: list[Any], options: dict[str, Any]) -> None:
    """Have SQLite open only existing files, unless the address has options of its own."""
    if options.get("uri"):
        return
    (file,) = args
    if not Path(file).exists():
        raise StoreError(
            f"There is no store at {file}",
            "no worker has written it yet",
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
    """Return all revisions that this code knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions())
