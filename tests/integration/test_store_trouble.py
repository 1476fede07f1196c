"""The store in trouble: databases that stop, fill up, lock, or refuse; wrong files and addresses."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from models.candidate import Profile
from models.store import Applied, Delete, Store, StoreError, StoreUnavailable, repository
from models.store.failures import named
from tests.databases import PostgreSQL, postgresql
from tests.integration.test_store import PROFILE, profile, sql
from tests.waiting import STUCK, stretched, until


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
    server.stop()
    server.start()
    assert store.apply([profile(3)]).written == 1  # nobody used it meanwhile, nobody need notice
    store.close()


def test_a_paused_writer_blocks_nobody(server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer paused before its commit loses its transaction, and its successor does not wait."""
    monkeypatch.setattr(repository, "_IDLE_MS", round(stretched(500)))
    url = server.new_database()
    wrote, goes_on = threading.Event(), threading.Event()

    def pause(_: sa.Connection) -> None:
        if threading.get_ident() == paused:
            wrote.set()
            assert goes_on.wait(STUCK)

    with closing(Store(url)) as idle, closing(Store(url)) as other, ThreadPoolExecutor(1) as thread:
        idle.migrate()
        paused = thread.submit(threading.get_ident).result()
        sa.event.listen(sa.Engine, "commit", pause)
        lost = thread.submit(idle.apply, [profile(1)])
        try:
            assert wrote.wait(STUCK)
            assert other.apply([profile(2)]) == Applied(1, 0, 0)
        finally:
            goes_on.set()
            trouble = lost.exception()
            sa.event.remove(sa.Engine, "commit", pause)
        assert isinstance(trouble, StoreUnavailable)
        assert idle.apply([profile(1)]) == Applied(0, 1, 0)
        assert other.profile(PROFILE.key) == profile(2)


def test_every_statement_of_a_batch_waits_for_its_answer(store: Store) -> None:
    """Rows that the driver sends one by one leave PostgreSQL waiting in a way that it does not end."""
    batch = [profile(1, f"Brand/x:{n}") for n in range(300)]
    gone = [Delete(Profile, f"Brand/x:{n}") for n in range(100, 200)]
    many: list[bool] = []

    def note(_: sa.Connection, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        many.append(isinstance(parameters, list))  # parameters of a statement for each row

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert store.apply(batch).written == 300
        assert store.apply([*gone, profile(2, "Brand/x:0")]) == Applied(1, 0, 100)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert many
    assert not any(many)


def test_a_writer_waits_for_another_only_so_long(server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its lock timeout the error is transient, and no blocked session stays behind."""
    monkeypatch.setattr(repository, "_LOCK_MS", 300)
    url = server.new_database()
    with closing(Store(url)) as store:
        store.migrate()
        store.apply([profile(1)])
        with sql(url) as other:
            other.exec_driver_sql("UPDATE profiles SET score = 1")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                store.apply([profile(2)])
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert other.exec_driver_sql(waiting).scalar() == 0
        assert store.apply([profile(2)]) == Applied(1, 0, 0)


class Said(psycopg.OperationalError):
    """An error of PostgreSQL with a given code."""

    def __init__(self, code: str | None) -> None:
        super().__init__(f"said {code}")
        self.sqlstate = code


@pytest.mark.parametrize(
    ("original", "passes"),
    [
        (psycopg.OperationalError("connection failed: FATAL:  the database system is starting up"), True),
        (psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already"), True),
        (psycopg.OperationalError("failed to resolve host 'db': Name or service not known"), True),
        (psycopg.OperationalError("connection failed: FATAL:  password authentication failed"), False),
        (psycopg.OperationalError("connection failed: FATAL:  no pg_hba.conf entry for host"), False),
        (
            psycopg.OperationalError("connection failed: server does not support SSL, but it was required"),
            False,
        ),
        (psycopg.OperationalError("connection failed: fe_sendauth: no password supplied"), False),
        (psycopg.InterfaceError("a mistake in the use of the driver"), False),
        *(
            (Said(code), True)
            for code in ("08006", "25006", "25P03", "40P01", "53100", "53300", "55P03", "57P03", "58030")
        ),
        *(
            (Said(code), False)
            for code in ("22003", "23502", "28000", "3D000", "42501", "42P01", "54000", "XX001")
        ),
    ],
    ids=str,
)
def test_errors_are_sorted_into_transient_and_permanent(original: psycopg.Error, passes: bool) -> None:
    """Only transient errors are retried; a permanent one would be retried for ever."""
    with pytest.raises(StoreError) as error, named(make_url("postgresql+psycopg://h/d"), "write"):
        raise sa.exc.DBAPIError("INSERT", {}, original)
    assert isinstance(error.value, StoreUnavailable) is passes


def test_a_lost_connection_and_a_busy_pool_are_transient() -> None:
    """A connection that broke in use, whatever the driver calls it, and a pool with none left."""
    lost = sa.exc.DBAPIError(
        "INSERT", {}, psycopg.InterfaceError("the connection is closed"), connection_invalidated=True
    )
    for trouble in (lost, sa.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached")):
        with pytest.raises(StoreUnavailable), named(make_url("postgresql+psycopg://h/d"), "write"):
            raise trouble


def test_restarts_in_the_middle_of_writes_lose_nothing(server: PostgreSQL) -> None:
    """A writer that repeats a batch while the database goes and comes ends with every record."""
    passed: list[StoreUnavailable] = []
    written: list[Profile] = []
    enough = threading.Event()

    def write(store: Store) -> None:
        while not enough.is_set():
            batch = [profile(1, f"A/x:{len(written) + n}") for n in range(200)]
            try:
                store.apply(batch)
            except StoreUnavailable as error:
                passed.append(error)
                time.sleep(0.02)
            else:
                written.extend(batch)

    def wait_for_more(of: list[Any]) -> None:
        before = len(of)

        def grown() -> bool:
            assert not writing.done(), writing.exception()
            return len(of) > before

        until(grown, every=0.01)

    with closing(Store(server.new_database())) as store, ThreadPoolExecutor(1) as pool:
        store.migrate()
        writing = pool.submit(write, store)
        try:
            for _ in range(3):
                wait_for_more(written)
                server.stop()
                try:
                    wait_for_more(passed)
                finally:
                    server.start()
            wait_for_more(written)
        finally:
            enough.set()
        writing.result(STUCK)
        assert {p.key for p in store.profiles()} == {p.key for p in written}


def test_a_full_disk_is_a_transient_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A batch that does not fit is not written in part, and fits once there is room."""
    store = Store(f"sqlite:///{tmp_path}/full.db")
    store.migrate()
    store.apply([profile(1, key="A/x:first")])
    room = [40]

    def limit(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count={room[0]}")

    sa.event.listen(store._engine, "connect", limit)
    store.close()
    batch = [profile(1, key=f"A/x:{n}") for n in range(2000)]
    with pytest.raises(StoreUnavailable, match="full"):
        store.apply([Delete(Profile, "A/x:first"), *batch])
    assert [p.key for p in store.profiles()] == ["A/x:first"]
    room[0] = 1_000_000
    store.close()
    assert store.apply(batch) == Applied(2000, 0, 0)
    store.close()


def test_a_locked_file_is_a_passing_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for long a write says so; reading, and looking at the schema, go on."""
    monkeypatch.setattr(repository, "_BUSY_MS", 50)
    url = f"sqlite:///{tmp_path}/locked.db"
    with closing(Store(url)) as store:
        store.migrate()
        store.apply([PROFILE])
        with sql(url) as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.apply([profile(9**9)])
            assert store.profile(PROFILE.key) == PROFILE
            store.migrate()
        assert store.apply([profile(9**9)]).written == 1


def test_a_read_only_file_is_a_permanent_error(tmp_path: Path) -> None:
    """Reading a read-only file works; writing to it is a permanent error."""
    file = tmp_path / "read.db"
    with closing(Store(f"sqlite:///{file}")) as writable:
        writable.migrate()
        writable.apply([PROFILE])
    with closing(Store(f"sqlite:///file:{file}?mode=ro&uri=true")) as store:
        store.migrate()
        assert list(store.profiles()) == [PROFILE]
        with pytest.raises(StoreError, match="readonly") as error:
            store.apply([profile(9**9)])
        assert not isinstance(error.value, StoreUnavailable)


def test_a_store_that_is_only_to_be_read_is_not_made(tmp_path: Path) -> None:
    """Where no file is, that is said and none appears; one that is there is read, and stays in its mode."""
    file = tmp_path / "a b?c%20#.db"
    with closing(Store(f"sqlite:///{quote(str(file))}", create=False)) as store:
        with pytest.raises(StoreError, match="There is no store") as error:
            store.require_schema()
        assert not isinstance(error.value, StoreUnavailable)
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("CREATE TABLE mine (x)")
    before = file.read_bytes()
    with (
        closing(Store(f"sqlite:///{quote(str(file))}", create=False)) as store,
        pytest.raises(StoreError, match="schema empty"),
    ):
        store.require_schema()
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (before, [file])
    with closing(Store(f"sqlite:///{quote(str(file))}")) as made:
        made.migrate()
        made.apply([PROFILE])
    with closing(Store(f"sqlite:///{quote(str(file))}", create=False)) as store:
        store.require_schema()
        assert list(store.profiles()) == [PROFILE]


@pytest.mark.parametrize("file", ["/no/such/folder/a.db", "/etc/passwd"])
def test_a_file_that_is_no_database_is_a_lasting_trouble(file: str) -> None:
    """A folder that is not there, a file that is something else: a clear error, at once."""
    with closing(Store(f"sqlite:///file:{file}?mode=ro&uri=true")) as store:
        with pytest.raises(StoreError) as error:
            store.schema_revision()
        assert not isinstance(error.value, StoreUnavailable)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://u:hunter2@h/d",
        "postgresql+nodriver://u:hunter2@h/d",
        "postgresql+psycopg//u:hunter2@h/d",
        "postgresql+psycopg://u:p@ss:hunter2@h/d",
        "postgresql+psycopg://u:p@hunter2@h/d",
        "postgresql+psycopg://u:hunter2@127.0.0.1:1/d",
        "postgresql+psycopg://127.0.0.1:1/d?user=u&password=hunter2&sslpassword=hunter2",
    ],
)
def test_a_wrong_address_is_a_clear_error_without_the_password(url: str) -> None:
    """An address that cannot be used says so, and never shows its password."""

    def use() -> None:
        with closing(Store(url)) as store:
            assert "hunter2" not in repr(store)
            store.schema_revision()

    with pytest.raises(StoreError) as error:
        use()
    assert "hunter2" not in f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize("user", ["nologin", "stranger", "nobody_knows", "reader"])
def test_a_user_without_permission_is_a_permanent_error(server: PostgreSQL, user: str) -> None:
    """Missing permission is a permanent error; a user who may read can read."""
    url = server.new_database()
    database = url.rpartition("/")[2]
    with closing(Store(url)) as store:
        store.migrate()
    with sql(url) as connection:
        for statement in (
            f"CREATE ROLE nologin_{database} NOLOGIN",
            f"CREATE ROLE stranger_{database} LOGIN",
            f"CREATE ROLE reader_{database} LOGIN",
            f"REVOKE CONNECT ON DATABASE {database} FROM public",
            f"GRANT CONNECT ON DATABASE {database} TO reader_{database}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_{database}",
        ):
            connection.execute(sa.text(statement))
    with closing(Store(url.replace("superfan:", f"{user}_{database}:"))) as store:
        if user == "reader":
            store.migrate()
            assert list(store.profiles()) == []
        with pytest.raises(StoreError) as error:
            store.apply([PROFILE])
        assert not isinstance(error.value, StoreUnavailable)
        assert "secret" not in str(error.value)


def test_an_unknown_database_is_no_passing_trouble(server: PostgreSQL) -> None:
    """A database that nobody made is an error at once."""
    with closing(Store(server.url("no_such_database"))) as store:
        with pytest.raises(StoreError, match="does not exist") as error:
            store.schema_revision()
        assert not isinstance(error.value, StoreUnavailable)


def test_the_server_of_the_wheel_does_as_well() -> None:
    """Where no PostgreSQL is installed, the tests run on the one that a PyPI wheel carries."""
    with postgresql(of_wheel=True) as carried, closing(Store(carried.new_database())) as store:
        store.migrate()
        assert store.apply([PROFILE]).written == 1
        assert list(store.profiles()) == [PROFILE]
