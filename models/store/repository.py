"""Writes changes and reads candidates. Every write is safe to repeat."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

import alembic.command
import alembic.config
import msgspec
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from models.candidates import Candidate, Profile
from models.errors import SuperfanError
from models.store.tables import CandidateRow, ProfileRow

_MIGRATION_LOCK = 0x5F3F_0A11
"""Key of the PostgreSQL advisory lock that lets one process migrate at a time."""
_BUSY_MS = 15_000


class StoreError(SuperfanError):
    """The store cannot do this, and trying again will not help."""


class StoreUnavailable(StoreError):
    """The store is away, full or busy: the same call may go through later."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the copy of a record away."""

    kind: type[Profile] | type[Candidate]
    key: str


Change = Profile | Candidate | Delete
R = TypeVar("R", Profile, Candidate)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: rows written, refused as not newer, and deleted."""

    written: int
    stale: int
    deleted: int


class Store:
    """One database. Connections are made when needed, so a restart of the database is survived.

    Methods raise `StoreUnavailable` for what passes and `StoreError` for what does not. May be
    used from several threads.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url: URL = make_url(url)
            self._engine = sa.create_engine(
                self._url, pool_pre_ping=True, json_serializer=_to_json, json_deserializer=msgspec.json.decode
            )
        except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
            raise StoreError(
                "The store's address cannot be used",
                str(error),
                "set SUPERFAN_STORE_URL to sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE",
            ) from None
        self._postgres = self._url.get_backend_name() == "postgresql"
        if not self._postgres:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)

    def close(self) -> None:
        """Close all connections; the store may be used again."""
        self._engine.dispose()

    def __repr__(self) -> str:
        return f"Store({self._url.render_as_string(hide_password=True)!r})"

    # --- schema

    def migrate(self) -> None:
        """Bring the schema up to date; does nothing when it is. Several processes may do this at once."""
        with self._errors("bring the schema up to date"), self._engine.connect() as connection:
            if self._postgres:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            found = MigrationContext.configure(connection).get_current_revision()
            if found is not None and found not in _revisions():
                raise StoreError(
                    f"The store {self!r} has schema {found}",
                    "this version of Superfan does not know it",
                    "use the version that wrote it, or a newer one",
                )
            if found != self.expected_revision():
                config = _alembic()
                config.attributes["connection"] = connection
                alembic.command.upgrade(config, "head")
            connection.commit()

    def schema_revision(self) -> str | None:
        """The revision of the database's schema, None when it is empty."""
        with self._errors("read the schema's revision"), self._engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    @staticmethod
    def expected_revision() -> str:
        """The revision this code works with."""
        return ScriptDirectory.from_config(_alembic()).get_current_head() or ""

    # --- writing

    def apply(self, changes: Sequence[Change]) -> Applied:
        """Apply changes in one transaction, in their order; all or nothing.

        A record replaces one of the same key only when its revision is larger.
        """
        written = stale = deleted = 0
        with self._errors("write"), self._engine.begin() as connection:
            for kind in (Profile, Candidate):
                puts, deletes = _settled([c for c in changes if _kind(c) is kind])
                table = _table(kind)
                if deletes:
                    keys = sorted(deletes)
                    deleted += connection.execute(sa.delete(table).where(table.c.key.in_(keys))).rowcount
                if puts:
                    count = self._upsert(connection, table, [_row(record) for record in puts])
                    written += count
                    stale += len(puts) - count
        return Applied(written, stale + _superseded(changes), deleted)

    def _upsert(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
        insert = (postgresql.insert if self._postgres else sqlite.insert)(table)
        update = insert.on_conflict_do_update(
            index_elements=["key"],
            set_={c.name: insert.excluded[c.name] for c in table.columns if c.name != "key"},
            where=insert.excluded.revision > table.c.revision,
        )
        before = self._revisions_of(connection, table, [row["key"] for row in rows])
        newer = [row for row in rows if row["revision"] > before.get(row["key"], -1)]
        if newer:
            connection.execute(update, newer)
        return len(newer)

    def _revisions_of(self, connection: sa.Connection, table: sa.Table, keys: list[str]) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(keys), 500):
            chosen = table.c.key.in_(keys[start : start + 500])
            rows = connection.execute(sa.select(table.c.key, table.c.revision).where(chosen))
            found.update({key: revision for key, revision in rows})  # noqa: C416 -- rows are no tuples to dict()
        return found

    # --- reading

    def ping(self) -> None:
        """Returns when the database answers."""
        with self._errors("answer"), self._engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

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

    def brands(self) -> list[str]:
        """Brands that have a profile."""
        with self._errors("be read"), self._engine.connect() as connection:
            return list(connection.scalars(sa.select(ProfileRow.brand).distinct().order_by(ProfileRow.brand)))

    def _one(self, query: sa.Select[tuple[dict[str, Any]]], kind: type[R]) -> R | None:
        with self._errors("be read"), self._engine.connect() as connection:
            record = connection.scalar(query)
        return None if record is None else msgspec.convert(record, kind)

    def _read(self, query: sa.Select[tuple[dict[str, Any]]], kind: type[R]) -> Iterator[R]:
        with (
            self._errors("be read"),
            self._engine.connect() as connection,
            connection.execution_options(yield_per=500).execute(query) as rows,
        ):
            for (record,) in rows:
                yield msgspec.convert(record, kind)

    # --- errors

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            why = (
                str(error.orig or error).strip().splitlines()[0]
                if str(error.orig or error).strip()
                else "no reason given"
            )
            if _passes(error):
                raise StoreUnavailable(
                    f"The store {self!r} could not {verb}",
                    why,
                    "check that the database runs and has room; this is tried again",
                ) from error
            raise StoreError(
                f"The store {self!r} could not {verb}",
                why,
                "check the address, the permissions and the schema (`superfan doctor`)",
            ) from error
        except SQLAlchemyError as error:
            raise StoreError(
                f"The store {self!r} could not {verb}", str(error), "check SUPERFAN_STORE_URL"
            ) from error


_PASSING_SQLITE = ("locked", "busy", "full", "disk i/o error")
_LASTING_POSTGRES = ("28", "3D", "42", "22", "23")
"""SQLSTATE classes that do not pass: authorization, no such database, access rule, data, integrity."""


def _passes(error: DBAPIError) -> bool:
    """Whether trying again may help."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return not state.startswith(_LASTING_POSTGRES)
    said = str(error.orig).lower()
    if "password authentication" in said or "does not exist" in said:
        return False
    if error.orig is not None and type(error.orig).__module__.startswith("psycopg"):
        return isinstance(error, sa.exc.OperationalError)
    return any(word in said for word in _PASSING_SQLITE)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _alembic() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option(
        "script_location", str(files("models.store").joinpath("migrations")).replace("%", "%%")
    )
    return config


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def _kind(change: Change) -> type[Profile] | type[Candidate]:
    return change.kind if isinstance(change, Delete) else type(change)


def _settled(changes: Sequence[Change]) -> tuple[list[Any], set[str]]:
    """What is left to do per key: the newest record after its last deletion, and which to delete first."""
    puts: dict[str, Any] = {}
    deletes: set[str] = set()
    for change in changes:
        if isinstance(change, Delete):
            deletes.add(change.key)
            puts.pop(change.key, None)
        elif change.key not in puts or change.revision > puts[change.key].revision:
            puts[change.key] = change
    return list(puts.values()), deletes


def _superseded(changes: Sequence[Change]) -> int:
    """Records of a batch that another record of the same batch replaced."""
    records = [change for change in changes if not isinstance(change, Delete)]
    return len(records) - len({(type(record), record.key) for record in records})


def _table(kind: type[Profile] | type[Candidate]) -> sa.Table:
    row = ProfileRow if kind is Profile else CandidateRow
    table = row.__table__
    if not isinstance(table, sa.Table):
        raise TypeError(f"{row.__name__} is no table")
    return table


def _row(record: Profile | Candidate) -> dict[str, Any]:
    common = {
        "key": record.key,
        "brand": record.brand,
        "platform": record.platform,
        "author_id": record.author_id,
        "state": record.state,
        "score": record.score,
        "model_version": record.model_version,
        "revision": record.revision,
        "record": _storable(msgspec.to_builtins(record)),
    }
    if isinstance(record, Profile):
        window = record.windows["90d"]
        return common | {
            "tier": record.tier,
            "followers": record.followers,
            "customer": record.customer,
            "as_of": record.as_of,
            "evaluated_on": record.evaluated_on,
            "posts_90d": window.posts,
            "positive_90d": window.positive,
            "negative_90d": window.negative,
        }
    return common | {
        "tier": record.tier.name,
        "followers": record.tier.followers,
        "customer": record.customer.label,
        "handle": _storable(record.handle),
        "headline": _storable(record.headline),
        "confidence": record.confidence,
        "entered_at": record.entered_at,
        "expires_at": record.expires_at,
        "notice_due_at": record.notice.due_at,
    }


def _storable(value: Any) -> Any:
    """The value with NUL characters replaced: PostgreSQL can hold them neither in text nor in JSON."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    if isinstance(value, dict):
        return {name: _storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
