"""A worker whose judgements are made again in the shadow, on a real Kafka."""

import re
import time
import urllib.request
from pathlib import Path

from streams.broker import admin
from streams.broker.embedded import Broker
from streams.demo import data
from streams.offline import backtest
from streams.settings import DEMO_CONFIG
from tests.bundled import looser
from tests.commands import superfan
from tests.ops.programs import free_port
from tests.running import (
    compacted,
    differences,
    environment,
    feed,
    settings_for,
    wait_until_done,
    worker,
    written,
)

SERIES = re.compile(
    r'^superfan_shadow_judgements_total\{brand="([^"]+)",verdict="(\w+)"\} (\S+)$', re.MULTILINE
)


def test_the_shadow_is_counted_and_changes_nothing_that_is_published(
    own_broker: Broker, tmp_path: Path, posts: list[bytes], customers: list[bytes]
) -> None:
    """Other rules beside them leave profiles and candidates as they are; metrics show how many differ."""
    few = posts[:3000]
    other = tmp_path / "looser.toml"
    other.write_text(looser())
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(few))
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    backtest.run(
        settings,
        posts=[tmp_path / "posts.jsonl"],
        customers=data("customers.jsonl.gz"),
        out=tmp_path / "yardstick",
    )
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    port = free_port()
    extra = {"SUPERFAN_SHADOW__CONFIG": str(other), "SUPERFAN_METRICS__PORT": str(port)}
    with worker(settings, tmp_path / "worker.log", **extra) as running:
        feed(settings, customers)
        feed(settings, few)
        wait_until_done(settings, running)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            series = SERIES.findall(answer.read().decode())
        assert running.terminate() == 0, running.said()
    for topic in ("profiles", "candidates"):
        assert differences(compacted(settings, topic), written(tmp_path / "yardstick", topic)) == []
    verdicts = {verdict for _, verdict, count in series if float(count)}
    assert verdicts == {"agree", "enters"}, "looser rules only add"
    assert sum(float(n) for *_, n in series) >= len(written(tmp_path / "yardstick", "profiles"))


def test_a_shadow_that_would_count_other_posts_stops_the_worker_before_it_starts(
    tmp_path: Path, broker: Broker
) -> None:
    """Other brands cannot be judged from the same counters: exit 2 and what to do, before any broker."""
    other = tmp_path / "other.toml"
    other.write_text(DEMO_CONFIG.read_text() + '[[brands]]\nname = "Acme"\n')
    settings = settings_for(broker, f"sqlite:///{tmp_path}/store.db")
    env = environment(settings) | {
        "SUPERFAN_SHADOW__CONFIG": str(other),
        "SUPERFAN_BROKER_URL": "kafka://127.0.0.1:9",
    }
    began = time.monotonic()
    done = superfan("worker", "--role", "profile", env=env)
    assert (done.returncode, time.monotonic() - began < 30) == (2, True)
    assert b"brands" in done.stderr
    assert b"backtest --compare" in done.stderr.replace(b"\n", b" ")
    assert b"Traceback" not in done.stderr
