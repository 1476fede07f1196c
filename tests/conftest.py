"""Fixtures of all tests, and the switch that lets a skipped test fail."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from streams.broker.embedded import Broker, embedded_broker
from tests.bundled import customers, posts, yardstick

__all__ = ["customers", "posts", "yardstick"]

NO_SKIP = "TEST_NO_SKIP"


SLOWEST_FIRST = ("ops/test_live", "contract", "chaos", "integration", "judge", "ops", "property", "unit")
"""order of the folders where several processes share the tests: no long one begins when others are done"""
APART = ("test_facts", "test_stream", "test_trouble")
"""files whose tests start a broker each, and may run in any process; those of other files share fixtures"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group and order the tests for pytest-xdist."""
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        return
    root = Path(__file__).parent
    for item in items:
        if item.path.stem not in APART:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(root))))

    def turn(item: pytest.Item) -> int:
        name = str(item.path.relative_to(root))
        return next(n for n, folder in enumerate((*SLOWEST_FIRST, "")) if name.startswith(folder))

    items.sort(key=turn)


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
