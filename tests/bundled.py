"""The bundled stream and its backtest: the yardstick of the integration tests."""

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.demo import data
from streams.offline import backtest
from streams.settings import DEMO_CONFIG, load
from streams.sources import lines


def demo_with(thresholds: str) -> str:
    """Return the settings of the demo with other thresholds."""
    before, header, _ = DEMO_CONFIG.read_text().partition("[thresholds]\n")
    assert header
    return f"{before}{header}{thresholds}\n"


def looser() -> str:
    """Return settings that make candidates of authors who are none by the demo's."""
    return demo_with(
        "enter_score = 20\nleave_score = 10\nenter_days = 1\npositive_posts = 1\npositive_days = 1"
    )


@pytest.fixture(scope="session")
def posts() -> list[bytes]:
    """All 14,485 bundled posts."""
    return list(lines.read(data("posts.jsonl.gz")))


@pytest.fixture(scope="session")
def customers() -> list[bytes]:
    """All 3,060 bundled customers."""
    return list(lines.read(data("customers.jsonl.gz")))


@pytest.fixture(scope="session")
def yardstick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a backtest of everything, run once for all processes of pytest-xdist."""
    with _once(tmp_path_factory, "yardstick") as (out, done):
        if not done:
            backtest.run(
                load(DEMO_CONFIG),
                posts=[data("posts.jsonl.gz")],
                customers=data("customers.jsonl.gz"),
                out=out,
            )
    return out


@pytest.fixture(scope="session")
def third(posts: list[bytes]) -> list[bytes]:
    """All posts of a third of the authors, half of the candidates among them."""
    return [post for post in posts if zlib.crc32(_author(post)) % 3 == 2]


@pytest.fixture(scope="session")
def yardstick_of_third(
    tmp_path_factory: pytest.TempPathFactory, third: list[bytes], customers: list[bytes]
) -> Path:
    """The folder of a backtest of `third`, run once for all processes of pytest-xdist."""
    with _once(tmp_path_factory, "yardstick-of-third") as (out, done):
        if not done:
            (out / "posts.jsonl").write_bytes(b"\n".join(third))
            backtest.run(
                load(DEMO_CONFIG),
                posts=[out / "posts.jsonl"],
                customers=data("customers.jsonl.gz"),
                out=out,
            )
    return out


def _author(post: bytes) -> bytes:
    return str(json.loads(post)["author"]["id"]).encode()


@contextmanager
def _once(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """Yield a folder that all processes share, and whether one of them has filled it; the others wait."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # the folders of the processes are in there
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(exist_ok=True)
        yield folder, done.exists()
        done.touch()
