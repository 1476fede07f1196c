"""The embedded broker: it is Apache Kafka, starts in seconds, and fails with a clear error."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from streams.broker import admin
from streams.broker.download import BrokerError
from streams.broker.embedded import Broker, embedded_broker
from tests.commands import in_namespace
from tests.running import settings_for
from tests.waiting import STUCK, stretched, until

BROKER = [sys.executable, "-m", "streams", "broker", "--port", "0"]


def test_it_takes_a_record_and_gives_it_back(broker: Broker) -> None:
    """A record that was sent is read again, on loopback."""
    _round_trip(broker, "round-trip", b"hello")
    assert broker.url.startswith("kafka://127.0.0.1:")


def test_its_data_survives_a_restart_on_the_same_port(tmp_path: Path) -> None:
    """Stop, start again: the records are there, and so is the port, whatever the folder is called."""
    folder = tmp_path / "josé, a b\\c"
    with embedded_broker(folder) as first:
        _send(first, "kept", b"still here")
        port = first.port
        assert (folder / "kafka" / "kept-0").is_dir()
    with embedded_broker(folder, port=port) as second:
        assert second.port == port
        assert _read(second, "kept") == b"still here"


def test_a_broker_that_goes_away_in_the_middle_of_a_talk_is_unavailable(tmp_path: Path) -> None:
    """A worker that is just starting waits for it, as it waits for one that does not answer at all."""

    def talk() -> None:
        with admin.admin_client(settings) as client:
            assert admin.apply(client, settings)
            running.stop()
            admin.apply(client, settings)

    with embedded_broker(tmp_path / "broker") as running:
        settings = settings_for(running, f"sqlite:///{tmp_path}/store.db")
        with pytest.raises(admin.BrokerUnavailable, match="superfan broker"):
            talk()


def test_it_listens_on_loopback_only(broker: Broker) -> None:
    """Every socket the broker listens on is bound to 127.0.0.1."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    inodes = {
        fd.readlink().name for fd in Path(f"/proc/{broker.process.pid}/fd").iterdir() if fd.is_symlink()
    }
    rows = [line.split() for line in [*tables[0], *tables[1]]]
    listening = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
    assert listening
    assert all(
        address.startswith(("0100007F:", "0000000000000000FFFF00000100007F:")) for address in listening
    )


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    """The error names the port and how to take another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"Port {port} .*--port"), embedded_broker(tmp_path, port=port):
            pass


def test_a_port_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    """A number that no port has is an error like any other."""
    with pytest.raises(BrokerError, match="Port 70000 "), embedded_broker(tmp_path, port=70_000):
        pass


def test_a_folder_in_use_is_a_clear_error_and_left_alone(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second broker touches nothing of the first: neither its settings, nor its log, nor its data."""
    monkeypatch.setattr("streams.broker.embedded.LOCK_SECONDS", 0.2)
    before = _files(broker.data_dir)
    with pytest.raises(BrokerError, match="in use"), embedded_broker(broker.data_dir):
        pass
    after = _files(broker.data_dir)
    assert all(after[name].startswith(content) for name, content in before.items())  # its log may have grown
    _round_trip(broker, "beside-another", b"hello")


def test_a_folder_of_another_version_is_a_clear_error(tmp_path: Path) -> None:
    """The error says so, in Kafka's words too, and what to do."""
    with embedded_broker(tmp_path / "data"):
        pass
    written = tmp_path / "data" / "kafka" / "meta.properties"
    written.write_text(written.read_text().replace("version=1", "version=2"))
    with (
        pytest.raises(
            BrokerError, match=r"another version of Kafka: .*Unknown meta.properties version.*KAFKA_HOME"
        ),
        embedded_broker(tmp_path / "data"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is named in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match="cannot be written"), embedded_broker(tmp_path / "file" / "data"):
        pass


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less room than Kafka needs the broker does not even try."""
    monkeypatch.setattr("streams.broker.embedded.MIN_FREE_BYTES", 1 << 62)
    with pytest.raises(BrokerError, match="full"), embedded_broker(tmp_path / "data"):
        pass


def test_a_small_disk_is_a_clear_error(tmp_path: Path) -> None:
    """On a real file system of 40 MB `superfan broker` ends with code 1 and says that it is full."""
    command = in_namespace(
        "--mount", "sh", "-c", 'mount -t tmpfs -o size=40m none "$0" && exec "$@" --data-dir "$0"'
    )
    done = subprocess.run(
        [*command, str(tmp_path), *BROKER], capture_output=True, text=True, timeout=STUCK, check=False
    )
    assert done.returncode == 1
    assert f"The disk of {tmp_path} is full" in done.stderr


def test_it_starts_as_the_first_process_of_a_container(tmp_path: Path) -> None:
    """`superfan broker` runs where it is process 1."""
    command = [
        *in_namespace("--pid", "--fork", "--mount-proc"),
        *BROKER,
        "--data-dir",
        str(tmp_path / "data"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    inner = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    if inner:
        os.kill(int(inner[0]), signal.SIGTERM)
    code = process.wait(STUCK)
    _close(process)
    assert "kafka://127.0.0.1" in said
    assert code == 0


def test_sigterm_stops_it_cleanly(tmp_path: Path) -> None:
    """`superfan broker` ends with code 0 on SIGTERM, and its broker with it."""
    process, pid = _foreground(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(STUCK) == 0
    _close(process)
    until(lambda: _gone(pid), "the end of Java")


def test_sigterm_breaks_off_a_fetch(tmp_path: Path) -> None:
    """Nobody has to wait for a download they no longer want, and the cache holds no half of it."""
    slow = tmp_path / "mvn"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\nexec sleep 60\n")
    slow.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    outside = {name: value for name, value in os.environ.items() if name != "KAFKA_HOME"}
    process = subprocess.Popen(
        [*BROKER, "--data-dir", str(tmp_path / "data")],
        env=outside | {"PATH": path, "SUPERFAN_CACHE": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        text=True,
    )
    until((tmp_path / "begun").exists, "the fetch")
    process.send_signal(signal.SIGTERM)
    assert process.wait(stretched(10)) == 0
    _close(process)
    assert not [entry.name for entry in (tmp_path / "cache").iterdir() if entry.is_dir()]


def test_a_killed_parent_takes_the_broker_along(tmp_path: Path) -> None:
    """After kill -9 of `superfan broker` no Java is left behind, and its folder can be used at once."""
    process, pid = _foreground(tmp_path)
    process.kill()
    process.wait()
    _close(process)
    with embedded_broker(tmp_path / "data"):
        until(lambda: _gone(pid), "the end of Java")


def _files(folder: Path) -> dict[str, bytes]:
    """Return the files that a start would rewrite, with their content."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _foreground(folder: Path) -> tuple["subprocess.Popen[str]", int]:
    """`superfan broker` and the pid of its Java."""
    command = [*BROKER, "--data-dir", str(folder / "data")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "kafka://127.0.0.1" in said, said + process.stderr.read()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, int(children[-1])


def _close(process: "subprocess.Popen[str]") -> None:
    if process.stderr is not None:
        process.stderr.close()


def _gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


def _round_trip(broker: Broker, topic: str, value: bytes) -> None:
    _send(broker, topic, value)
    assert _read(broker, topic) == value


def _send(broker: Broker, topic: str, value: bytes) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)], wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    producer.send(topic, value).get(timeout=STUCK)
    producer.close()


def _read(broker: Broker, topic: str) -> bytes:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=round(1000 * STUCK),
    )
    try:
        return bytes(next(consumer).value)
    finally:
        consumer.close()
