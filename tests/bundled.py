"""The bundled stream and its backtest: the yardstick of the integration tests."""

import fcntl
import os
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
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each process has a folder of its own in there
    out, done = shared / "yardstick", shared / "yardstick-done"
    with (shared / "yardstick-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            backtest.run(
                load(DEMO_CONFIG),
                posts=[data("posts.jsonl.gz")],
                customers=data("customers.jsonl.gz"),
                out=out,
            )
            done.touch()
    return out
