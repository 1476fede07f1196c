"""The embedded broker: Apache Kafka itself, ready in seconds, clear when it cannot be."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from streams.broker import Broker, embedded_broker
from streams.kafka_files import BrokerError


def test_it_takes_a_record_and_gives_it_back(broker: Broker) -> None:
    """A record that was sent is read again, on loopback."""
    _round_trip(broker, "round-trip", b"hello")
    assert broker.url.startswith("kafka://127.0.0.1:")


def test_its_data_survives_a_restart_on_the_same_port(tmp_path: Path) -> None:
    """Stop, start again in the same folder: the records are there, and so is the port."""
    with embedded_broker(tmp_path / "data") as first:
        _send(first, "kept", b"still here")
        port = first.port
    with embedded_broker(tmp_path / "data", port=port) as second:
        assert second.port == port
        assert _read(second, "kept") == b"still here"


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


def test_a_folder_in_use_is_a_clear_error(broker: Broker) -> None:
    """Two brokers cannot share a folder, and the second one says so."""
    with pytest.raises(BrokerError, match="in use"), embedded_broker(broker.data_dir):
        pass


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is named in the error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match="cannot be written"), embedded_broker(tmp_path / "file" / "data"):
        pass


def test_a_full_disk_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less room than Kafka needs the broker does not even try."""
    monkeypatch.setattr("streams.broker.MIN_FREE_BYTES", 1 << 62)
    with pytest.raises(BrokerError, match="full"), embedded_broker(tmp_path / "data"):
        pass


def test_sigterm_stops_it_cleanly(tmp_path: Path) -> None:
    """`superfan broker` ends with code 0 on SIGTERM, and its broker with it."""
    process, pid = _foreground(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    _close(process)
    assert _gone(pid)


def test_a_killed_parent_takes_the_broker_along(tmp_path: Path) -> None:
    """After kill -9 of `superfan broker` no Java is left behind."""
    process, pid = _foreground(tmp_path)
    process.kill()
    process.wait()
    _close(process)
    assert _gone(pid)


def _foreground(folder: Path) -> tuple["subprocess.Popen[str]", int]:
    """`superfan broker` and the pid of its Java."""
    command = [sys.executable, "-m", "streams", "broker", "--port", "0", "--data-dir", str(folder / "data")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "kafka://127.0.0.1" in said, said + process.stderr.read()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, int(children[-1])


def _close(process: "subprocess.Popen[str]") -> None:
    if process.stderr is not None:
        process.stderr.close()


def _gone(pid: int, within: float = 30) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def _round_trip(broker: Broker, topic: str, value: bytes) -> None:
    _send(broker, topic, value)
    assert _read(broker, topic) == value


def _send(broker: Broker, topic: str, value: bytes) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1)], wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    producer.send(topic, value).get(timeout=30)
    producer.close()


def _read(broker: Broker, topic: str) -> bytes:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    try:
        return bytes(next(consumer).value)
    finally:
        consumer.close()
