"""Databases that the tests of the store share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.store import Store
from tests.databases import PostgreSQL, postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """A real PostgreSQL."""
    with postgresql() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    running: PostgreSQL = request.getfixturevalue("server")
    return running.new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store with its schema."""
    opened = Store(url)
    opened.migrate()
    yield opened
    opened.close()
