"""A stream that has processed some posts, for all tests of the contract."""

import json
from pathlib import Path

import pytest

from streams.broker.embedded import Broker
from streams.settings import Settings
from tests.commands import superfan
from tests.malformed import malformed
from tests.running import environment, feed, settings_for, wait_until_done, worker, written

MALFORMED = 30
"""records that are rejected: one of each kind"""


@pytest.fixture(scope="package")
def settings(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the session's broker, with a store of these tests."""
    return settings_for(
        broker, f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db", topics={"partitions": 4}
    )


@pytest.fixture(scope="package")
def fans(posts: list[bytes], yardstick: Path) -> list[bytes]:
    """The posts of everyone who is on the board: few, and enough for the same board."""
    authors = {row["author_id"] for row in written(yardstick, "candidates").values()}
    return [post for post in posts if json.loads(post)["author"]["id"] in authors]


@pytest.fixture(scope="package")
def env(
    settings: Settings, fans: list[bytes], customers: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An environment in which a worker has processed the fans' posts and some bad records."""
    env = environment(settings)
    assert superfan("health", env=env).returncode == 3, "no topics and no schema yet"
    listed = superfan("topics", "list", "-o", "json", env=env)
    assert {json.loads(line)["on_broker"] for line in listed.stdout.splitlines()} == {"missing"}
    applied = superfan("topics", "apply", env=env)
    assert applied.returncode == 0, applied.stderr
    folder = tmp_path_factory.mktemp("files")
    (folder / "posts.jsonl").write_bytes(b"\n".join(fans))
    (folder / "customers.jsonl").write_bytes(b"\n".join(customers))
    with worker(settings, folder / "worker.log") as running:
        for name in ("customers", "posts"):
            fed = superfan("feed", str(folder / f"{name}.jsonl"), env=env)
            assert fed.returncode == 0, fed.stderr
        feed(settings, [value for value, _ in malformed(MALFORMED)])
        wait_until_done(settings, running)
        assert running.terminate() == 0, running.said()
        levels = {json.loads(line)["level"] for line in running.log.read_text().splitlines()}
        assert levels == {"info"}, running.said()
    return env
