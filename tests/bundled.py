"""The whole bundled stream, and what a backtest of it gives: the yardstick of the integration tests."""

from pathlib import Path

import pytest

from streams import backtesting, lines
from streams.demo import data
from streams.settings import DEMO_CONFIG, load


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
    """The folder of a backtest of everything."""
    out = tmp_path_factory.mktemp("yardstick")
    backtesting.run(
        load(DEMO_CONFIG),
        posts=[data("posts.jsonl.gz")],
        customers=data("customers.jsonl.gz"),
        out=out,
    )
    return out
