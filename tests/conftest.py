"""Fixtures of all tests, and the switch that lets a skipped test fail."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from streams.broker.embedded import Broker, embedded_broker
from tests.bundled import customers, posts, third, yardstick, yardstick_of_third

__all__ = ["customers", "posts", "third", "yardstick", "yardstick_of_third"]

NO_SKIP = "TEST_NO_SKIP"
SLOWEST_FIRST = ("ops/test_live", "contract", "chaos", "integration", "judge", "ops", "property", "unit")
"""order of the folders where processes share the tests, so that no long test starts last"""
INDEPENDENT = {"test_facts.py", "test_stream.py", "test_trouble.py"}
"""files whose tests may run in different processes; those of any other file share fixtures"""


class _FileScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process of pytest-xdist whole files, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if Path(file).name in INDEPENDENT else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Return the scheduler that `pytest -n` uses."""
    config.option.loadscopereorder = False
    return _FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest tests where processes share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    name = str(item.path.relative_to(Path(__file__).parent))
    return next(n for n, start in enumerate((*SLOWEST_FIRST, "")) if name.startswith(start))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail where everything is installed: there it hides a gap."""
    report = yield
    if report.skipped and os.environ.get(NO_SKIP):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and {NO_SKIP} allows none: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Apache Kafka on a free port, shared by all tests of a process that can share one."""
    with embedded_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A real, empty Apache Kafka for one test."""
    with embedded_broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("SUPERFAN_") and name not in {NO_SKIP, "SUPERFAN_CACHE"}:
            monkeypatch.delenv(name)
