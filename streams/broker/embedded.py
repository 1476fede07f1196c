"""The embedded broker: Apache Kafka itself, one KRaft node, bound to loopback.

It serves the demo, tests and experiments. Its data stays in a folder of its own and survives a restart on
the same port. It listens on 127.0.0.1 only and has no authentication.
"""

import base64
import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from rich.console import Console

from streams.broker.download import BrokerError, find_java, find_kafka
from streams.shutdown import Stop

HOST = "127.0.0.1"
START_SECONDS = 60.0
LOCK_SECONDS = 5.0  # a broker whose parent was just killed needs a moment to end
STOP_SECONDS = 30.0
MIN_FREE_BYTES = 256 * 2**20
_JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
# Becomes the JVM under the same pid. Before that it asks the kernel to end it together with the thread that
# started it. Linux only: elsewhere the JVM outlives a killed parent.
_GUARD = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
if os.getppid() != int(sys.argv[1]):
    sys.exit("its parent has ended already")
os.environ["LC_ALL"] = "C.UTF-8"  # else Java cannot name a folder that is not ASCII
os.execv(sys.argv[2], sys.argv[2:])
"""

_LOG4J = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = server.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


@dataclass(slots=True)
class Broker:
    """A running broker. `started_in` is the time in seconds from the start to the first answer."""

    port: int
    data_dir: Path
    process: "subprocess.Popen[bytes]"
    started_in: float

    @property
    def url(self) -> str:
        """Its address in the form of the settings."""
        return f"kafka://{HOST}:{self.port}"

    @property
    def bootstrap(self) -> str:
        """Its address in the form of Kafka clients."""
        return f"{HOST}:{self.port}"

    def stop(self, within: float = STOP_SECONDS) -> None:
        """End it cleanly; kill it after `within` seconds."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def embedded_broker(
    data_dir: Path,
    *,
    port: int = 0,
    console: Console | None = None,
    cache: Path | None = None,
    properties: Mapping[str, str] | None = None,
) -> Iterator[Broker]:
    """Run a broker for the length of a `with` block; port 0 takes a free port. Raises `BrokerError`."""
    broker = start(data_dir, port=port, console=console, cache=cache, properties=properties)
    try:
        yield broker
    finally:
        broker.stop()


def start(
    data_dir: Path,
    *,
    port: int = 0,
    console: Console | None = None,
    cache: Path | None = None,
    properties: Mapping[str, str] | None = None,
) -> Broker:
    """Start a broker and return when it answers.

    On Linux the broker ends with the calling thread, even if that is killed. Call this from a thread that
    lives long enough, such as the main one.

    Raises `BrokerError` when the port or the folder is in use, or the folder belongs to another version of
    Kafka. The same error means a full disk, a missing Java or Kafka, or no answer within a minute.
    """
    console = console or Console(stderr=True, quiet=True)
    java = find_java().absolute()
    libs = find_kafka(console, cache=cache).absolute()
    port = port or _free_port()
    _check_port(port)
    data_dir = data_dir.resolve()
    with _only_one(data_dir) as lock:
        _prepare(data_dir, port, properties or {})
        began = time.monotonic()
        # The folder is the working directory: no path that could need quoting gets into Kafka's settings.
        options: dict[str, Any] = {
            "cwd": data_dir,
            "stdin": subprocess.DEVNULL,
            "stderr": subprocess.STDOUT,
            "start_new_session": True,  # Ctrl-C is for us: we stop the broker in order
            "pass_fds": [lock],  # held for as long as the JVM lives, with or without us
        }
        command = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), str(java), *_JVM]
        command += ["-cp", f"{libs}/*", "-Dlog4j2.configurationFile=log4j2.properties"]
        try:
            if not (data_dir / "kafka" / "meta.properties").exists():
                _format(command, options, data_dir)
            with (data_dir / "output.log").open("wb") as out:
                process = subprocess.Popen(
                    [*command, "kafka.Kafka", "server.properties"], stdout=out, **options
                )
        except OSError as error:
            raise _no_room(data_dir, error) from None
    try:
        _wait_until_ready(process, port, data_dir / "server.log")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Broker(port, data_dir, process, time.monotonic() - began)


def run_foreground(*, data_dir: Path, port: int, console: Console) -> None:
    """Run a broker until SIGTERM or SIGINT, which also interrupt download and start.

    Call it from the main thread. Raises `BrokerError`, also when the broker ends by itself.
    """
    stop = Stop()
    try:
        with embedded_broker(data_dir, port=port, console=console) as broker:
            console.print(
                f"Apache Kafka answers at [bold]{broker.url}[/] after {broker.started_in:.1f} s; "
                f"data in {broker.data_dir}. Ctrl-C stops it."
            )
            while not stop.wait(0.2):
                if broker.process.poll() is not None:
                    raise _ended(broker.process, broker.data_dir / "server.log")
    finally:
        if stop.asked:
            console.print("Stopped.")


@contextmanager
def _only_one(data_dir: Path) -> Iterator[int]:
    """Lock the folder against other embedded brokers; yields the descriptor that holds the lock.

    XXX Kafka's own lock comes too late. Before it, a second broker opens the metadata log of the first and
    may truncate it, which crashes the first.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("w")
    except OSError as error:
        raise _no_room(data_dir, error) from None
    with lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _in_use(data_dir) from None
                time.sleep(0.1)
        yield lock.fileno()


def _prepare(data_dir: Path, port: int, properties: Mapping[str, str]) -> None:
    """Write the broker's settings and empty its log."""
    controller = _free_port(other_than=port)
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": "kafka",
        # Topics come from the table in `streams.topics`, never from a misspelt name.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A single worker need not wait for others.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        **properties,
    }
    try:
        if shutil.disk_usage(data_dir).free < MIN_FREE_BYTES:
            raise _no_room(data_dir, None)
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (data_dir / "server.properties").write_text(text)
        (data_dir / "log4j2.properties").write_text(_LOG4J)
        (data_dir / "server.log").write_bytes(b"")
    except OSError as error:
        raise _no_room(data_dir, error) from None


def _format(java: list[str], options: dict[str, Any], data_dir: Path) -> None:
    # A leading dash would be read as an option.
    cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    command = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", "server.properties"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, errors="replace", check=False, **options
    )
    if done.returncode:
        if "No space left on device" in done.stdout:
            raise _no_room(data_dir, None)
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()] or ["no output"]
        said = next((line for line in lines if "Exception" in line), lines[-1])
        raise BrokerError(
            "Kafka could not prepare its data folder",
            said[:300],
            "check the folder's permissions and free space, or use another one with --data-dir",
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _ended(process, log)
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 0.2):
            try:
                client = KafkaAdminClient(bootstrap_servers=f"{HOST}:{port}", bootstrap_timeout_ms=5000)
            except (KafkaError, OSError):
                continue
            client.close()
            return
        time.sleep(0.05)
    raise BrokerError(
        f"Kafka did not answer within {START_SECONDS:.0f} s",
        _tail(log),
        f"read {log}, and check the load of the machine",
    )


def _ended(process: "subprocess.Popen[bytes]", log: Path) -> BrokerError:
    said = _tail(log, log.with_name("output.log"))
    if "No space left on device" in said:
        return _no_room(log.parent, None)
    if "lock" in said.lower() and "another process" in said.lower():
        return _in_use(log.parent)
    if re.search(r"UnsupportedVersion|metadata[. ]version|meta\.properties version", said):
        return BrokerError(
            f"The data folder {log.parent} belongs to another version of Kafka",
            said,
            "run that version (KAFKA_HOME), use another folder with --data-dir, or remove this one",
        )
    if "Address already in use" in said:
        return BrokerError("Kafka could not listen on its port", said, "use another port with --port")
    return BrokerError(
        f"Kafka ended by itself with code {process.returncode}",
        said,
        f"read {log}, or use another folder with --data-dir",
    )


def _tail(*logs: Path) -> str:
    lines: list[str] = []
    for log in logs:
        with contextlib.suppress(OSError):
            lines += [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-40:]
    telling = [
        line
        for line in lines
        if "Exception" in line or "ERROR" in line or "FATAL" in line or "No space" in line
    ]
    return " | ".join((telling or lines)[:4])[:600] or "its log is empty"


def _in_use(data_dir: Path) -> BrokerError:
    return BrokerError(
        f"The data folder {data_dir} is in use",
        "another broker is running on it",
        "stop that one, or use another folder with --data-dir",
    )


def _no_room(data_dir: Path, error: OSError | None) -> BrokerError:
    if error is not None and error.errno != 28:
        return BrokerError(
            f"The folder {data_dir} cannot be written",
            error.strerror or str(error),
            "use a folder of yours with --data-dir",
        )
    return BrokerError(
        f"The disk of {data_dir} is full",
        f"Kafka needs {MIN_FREE_BYTES // 2**20} MiB to start",
        "free some space, or use a folder on another disk with --data-dir",
    )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise BrokerError(
                f"Port {port} on {HOST} cannot be used",
                getattr(error, "strerror", None) or str(error),
                "stop the process that listens there, or use another port with --port (0 takes a free one)",
            ) from None


def _free_port(other_than: int = 0) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port != other_than:
            return port
