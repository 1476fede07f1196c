"""The embedded broker: Apache Kafka itself, one KRaft node, bound to loopback.

For the demo, for tests, and for trying things out. Its data stays in a folder of its own and
survives a restart on the same port. It listens on 127.0.0.1 only and has no authentication.
"""

import base64
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from rich.console import Console

from streams.kafka_files import BrokerError, find_java, find_kafka

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
MIN_FREE_BYTES = 256 * 2**20
_JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_PR_SET_PDEATHSIG = 1

_LOG4J = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}} %p %c{{1}} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


@dataclass(slots=True)
class Broker:
    """A running broker. `started_in` is in seconds, from nothing to the first answered request."""

    port: int
    data_dir: Path
    process: "subprocess.Popen[bytes]"
    started_in: float

    @property
    def url(self) -> str:
        """Its address as the settings want it."""
        return f"kafka://{HOST}:{self.port}"

    @property
    def bootstrap(self) -> str:
        """Its address as Kafka clients want it."""
        return f"{HOST}:{self.port}"

    def stop(self, within: float = STOP_SECONDS) -> None:
        """End it cleanly; what does not end within so many seconds is killed."""
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
    data_dir: Path, *, port: int = 0, console: Console | None = None, cache: Path | None = None
) -> Iterator[Broker]:
    """A broker for the length of a `with` block; port 0 takes a free one. Raises `BrokerError`."""
    broker = start(data_dir, port=port, console=console, cache=cache)
    try:
        yield broker
    finally:
        broker.stop()


def start(
    data_dir: Path, *, port: int = 0, console: Console | None = None, cache: Path | None = None
) -> Broker:
    """Start a broker and return when it answers. It ends with this process, even if that is killed.

    Raises `BrokerError` when the port is taken, the disk is full, Java or Kafka cannot be had, or
    the broker does not come up within a minute.
    """
    console = console or Console(stderr=True, quiet=True)
    java = find_java()
    libs = find_kafka(console, cache=cache)
    port = port or _free_port()
    _check_port(port)
    data_dir = data_dir.resolve()
    config, log = _prepare(data_dir, port)
    began = time.monotonic()
    base = [
        str(java),
        *_JVM,
        "-cp",
        f"{libs}/*",
        f"-Dlog4j2.configurationFile={data_dir / 'log4j2.properties'}",
    ]
    try:
        if not (data_dir / "kafka" / "meta.properties").exists():
            _format(base, config)
        out = (data_dir / "output.log").open("wb")
        with out:
            process = subprocess.Popen(
                [*base, "kafka.Kafka", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop the broker in order
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 -- one prctl call
            )
    except OSError as error:
        raise _no_room(data_dir, error) from None
    try:
        _wait_until_ready(process, port, log)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Broker(port, data_dir, process, time.monotonic() - began)


def run_foreground(*, data_dir: Path, port: int, console: Console) -> None:
    """Run a broker until SIGTERM or SIGINT; raises `BrokerError`, also when it ends by itself."""
    stop = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, on_signal)
    with embedded_broker(data_dir, port=port, console=console) as broker:
        console.print(
            f"Apache Kafka answers at [bold]{broker.url}[/] after {broker.started_in:.1f} s; "
            f"data in {broker.data_dir}. Ctrl-C stops it."
        )
        while not stop.wait(0.2):
            if broker.process.poll() is not None:
                raise _ended(broker.process, broker.data_dir / "server.log")
        console.print("Stopping …")
    console.print("Stopped.")


def _prepare(data_dir: Path, port: int) -> tuple[Path, Path]:
    """Write the broker's settings; returns their file and the log's."""
    log = data_dir / "server.log"
    config = data_dir / "server.properties"
    controller = _free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data_dir / "kafka"),
        # Topics come from the one table, never from a misspelt name.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # One worker should not wait for others that will not come.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
    }
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(data_dir).free < MIN_FREE_BYTES:
            raise _no_room(data_dir, None)
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        (data_dir / "log4j2.properties").write_text(_LOG4J.format(log=log))
        log.write_bytes(b"")
    except OSError as error:
        raise _no_room(data_dir, error) from None
    return config, log


def _format(base: list[str], config: Path) -> None:
    # A leading dash would be read as an option.
    cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    command = [*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise BrokerError(
            "Kafka could not prepare its data folder",
            said[-1][:300],
            "look at the folder's permissions and room, or name another with --data-dir",
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
        f"look at {log}, and at how busy the machine is",
    )


def _ended(process: "subprocess.Popen[bytes]", log: Path) -> BrokerError:
    said = _tail(log, log.with_name("output.log"))
    if "No space left on device" in said:
        return _no_room(log.parent, None)
    if "lock" in said.lower() and "another process" in said.lower():
        return BrokerError(
            f"The data folder {log.parent} is in use",
            "another broker runs on it",
            "stop that one, or name another with --data-dir",
        )
    if "Address already in use" in said:
        return BrokerError("Kafka could not listen", said, "name another port with --port")
    return BrokerError(
        f"Kafka ended by itself with code {process.returncode}",
        said or "it left no word",
        f"look at {log}; a folder of another version of Kafka must be removed, or another named",
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


def _no_room(data_dir: Path, error: OSError | None) -> BrokerError:
    if error is not None and error.errno != 28:
        return BrokerError(
            f"The folder {data_dir} cannot be written",
            error.strerror or str(error),
            "name a folder of yours with --data-dir",
        )
    return BrokerError(
        f"The disk of {data_dir} is full",
        f"Kafka needs {MIN_FREE_BYTES // 2**20} MiB to start with",
        "make room, or name a folder on another disk with --data-dir",
    )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BrokerError(
                f"Port {port} on {HOST} cannot be used",
                error.strerror or str(error),
                "stop what listens there, or name another port with --port (0 takes a free one)",
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    # The kernel ends the child when its parent dies, however it dies (Linux only).
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(1)
