"""The errors of a store, sorted into transient and permanent ones."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError, TimeoutError

from models.errors import SuperfanError, Unavailable


class StoreError(SuperfanError):
    """A permanent error of the store: trying again will not help."""


class StoreUnavailable(StoreError, Unavailable):
    """A transient error, as of a store that is away, full or busy: the same call may succeed later."""


class PositionConflict(StoreUnavailable):
    """A position in the store is not the expected one; it must be read again before the next write."""


_TRANSIENT_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
    }
)
_TRANSIENT_POSTGRES = ("08", "25006", "25P03", "40", "53", "55", "57", "58")
"""SQLSTATE classes of transient errors: connection, read-only standby, idle transaction, serialization and
deadlock, resources, locks, operator intervention (shutting down, starting up), system."""
_REFUSALS = (
    "authentication",
    "does not exist",
    "not permitted to log in",
    "permission denied for database",
    "no pg_hba.conf entry",
    "does not support ssl",
    "no password supplied",
)
"""Messages of permanently refused connections, which have no SQLSTATE in libpq. In a language other than
English such an error counts as transient: the caller waits, and its log shows the message."""
_SCHEMA_MISSING = ("no such table", "no such column", "has no column named")


def address(text: str) -> URL:
    """Return the parsed address; raises `StoreError`, which quotes nothing of it: it may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _bad_address("it is not a URL of the form DIALECT://USER:PASSWORD@HOST:PORT/DATABASE") from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise _bad_address(f"there is no {url.drivername!r} here, only SQLite and PostgreSQL")
    if "@" in (url.host or ""):
        raise _bad_address("it holds two @; one inside a password is written %40")
    return url


def shown(url: URL) -> str:
    """Return an address for people: without passwords, also in its options."""
    secret = [name for name in url.query if "password" in name.lower()]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


@contextmanager
def named(url: URL, verb: str) -> Iterator[None]:
    """Raise `StoreError` or `StoreUnavailable` for errors of the database inside the block."""
    try:
        yield
    except (SQLAlchemyError, msgspec.ValidationError, OverflowError) as error:
        what, why = f"The store {shown(url)} could not {verb}", _reason(error)
        if _transient(error):
            fix = "check that the database runs and has room"
            raise StoreUnavailable(what, why, fix) from error
        if _schema_missing(error):
            raise StoreError(what, why, "start a worker: it brings the schema up to date") from error
        if isinstance(error, msgspec.ValidationError):
            fix = "another version of Superfan wrote it: run `superfan store rebuild`"
            raise StoreError(what, f"a record in it cannot be read, {why}", fix) from error
        fix = "check the address, the permissions and the schema with `superfan doctor`"
        raise StoreError(what, why, fix) from error


def _transient(error: Exception) -> bool:
    """True if trying again may help."""
    if isinstance(error, TimeoutError):  # all connections of the pool are in use
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _TRANSIENT_SQLITE
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_POSTGRES)
    said = str(error.orig).lower()
    return "Operational" in type(error.orig).__name__ and not any(words in said for words in _REFUSALS)


def _schema_missing(error: Exception) -> bool:
    original = error.orig if isinstance(error, DBAPIError) else None
    if getattr(original, "sqlstate", None) in {"42P01", "42703"}:
        return True
    return isinstance(original, sqlite3.Error) and any(words in str(original) for words in _SCHEMA_MISSING)


def _reason(error: Exception) -> str:
    """Return the first line of the database's message; never the statement, whose values are personal."""
    original = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    lines = str(original).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(original).__name__


def _bad_address(why: str) -> StoreError:
    return StoreError(
        "The store's address cannot be used",
        why,
        "set SUPERFAN_STORE_URL to sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE",
    )
