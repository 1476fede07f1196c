"""`superfan doctor` with real faults: each one is found and has a fix."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from models.store import Store, repository
from streams import topics
from streams.broker import admin
from streams.broker.embedded import Broker, embedded_broker
from streams.ops.health import Finding, diagnose
from streams.roles import Role
from streams.settings import DEMO_CONFIG, Settings, load
from tests.databases import PostgreSQL, postgresql
from tests.running import environment, settings_for, wait_until_done, worker
from tests.waiting import until

ROOT = Path(__file__).parents[2]
WITHOUT_A_BROKER = "kafka://127.0.0.1:9"


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    """A PostgreSQL for this module."""
    with postgresql() as running:
        yield running


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory, database: PostgreSQL) -> Iterator[Settings]:
    """Return settings of a broker and a store without faults."""
    with embedded_broker(tmp_path_factory.mktemp("broker")) as running:
        yield well(running, database)


@pytest.fixture
def settings(own_broker: Broker, database: PostgreSQL) -> Settings:
    """Return settings of a broker and a store for faults."""
    return well(own_broker, database)


def well(broker: Broker, database: PostgreSQL) -> Settings:
    """Create all topics and the current schema, so that no check fails."""
    made = settings_for(broker, database.new_database(), topics={"partitions": 2})
    with admin.admin_client(made) as client:
        admin.apply(client, made)
    store = Store(made.store_url.get_secret_value())
    store.migrate()
    store.close()
    assert wrong(diagnose(made)) == []
    return made


def wrong(findings: Sequence[Finding]) -> list[Finding]:
    """Return the failed checks; each must have a fix."""
    found = [finding for finding in findings if not finding.ok]
    assert all(finding.fix for finding in found)
    return found


def only(findings: Sequence[Finding]) -> Finding:
    """Return the only failed check."""
    (found,) = wrong(findings)
    return found


def altered(client: KafkaAdminClient, topic: str, **values: str) -> None:
    """Change settings of a topic on the broker; names with `_` for `.`."""
    configs = {name.replace("_", "."): value for name, value in values.items()}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])


def test_everything_that_a_topic_can_differ_in_is_named_with_its_fix(settings: Settings) -> None:
    """A wrong cleanup policy, retention, compaction lag, number of partitions, a missing topic: each one."""
    with admin.admin_client(settings) as client:
        altered(client, topics.CANDIDATES, cleanup_policy="delete", min_compaction_lag_ms="1000")
        altered(client, topics.changelog("authors"), cleanup_policy="compact", retention_ms="3600000")
        client.delete_topics([topics.LATE, topics.TICKS])
        time.sleep(1)
        client.create_topics(
            [NewTopic(topics.TICKS, 3, 1, topic_configs=topics.BY_NAME[topics.TICKS].config())]
        )
    found = {finding.found: finding for finding in wrong(diagnose(settings))}
    assert {finding.check for finding in found.values()} == {"topics"}
    missing = found.pop("missing: late")
    assert "superfan topics apply" in missing.fix
    partitions = found.pop("ticks has 3 partitions, not 2")
    assert "topics.partitions" in partitions.fix
    reported = sorted(finding.found for finding in found.values())
    assert reported == [
        "candidates: cleanup.policy is delete, should be compact, min.compaction.lag.ms is 1000, "
        "should be 604800000",
        "superfan-profile-authors-changelog: cleanup.policy is compact, should be compact,delete, "
        "retention.ms is 3600000, should be 34560000000",
    ]
    fix = next(finding.fix for finding in found.values() if "changelog" in finding.fix)
    assert "--add-config 'cleanup.policy=[compact,delete],retention.ms=34560000000'" in fix


def test_the_fix_of_a_topic_solves_the_problem(settings: Settings) -> None:
    """After the suggested change, the check passes."""
    name = topics.changelog("authors")
    with admin.admin_client(settings) as client:
        altered(client, name, cleanup_policy="compact", retention_ms="1000")
        reported = re.fullmatch(
            r"kafka-configs.sh --bootstrap-server (\S+) --alter --topic (\S+) --add-config '(.+)'",
            only(diagnose(settings)).fix,
        )
        assert reported is not None
        assert reported.groups()[:2] == (settings.bootstrap[0], name)
        values = dict(re.findall(r"([\w.]+)=\[?([^\]=]+)\]?(?:,|$)", reported[3]))
        altered(client, name, **values)
    assert wrong(diagnose(settings)) == []


def test_a_role_that_nobody_works_on_shows_by_what_waits(settings: Settings, tmp_path: Path) -> None:
    """A missing worker is reported with the age of waiting records, a running one with its partitions."""
    client = KafkaProducer(bootstrap_servers=settings.bootstrap)
    client.send(topics.MENTIONS, b"{}", timestamp_ms=round(time.time() * 1000) - 7_200_000)
    client.close()
    found = only(diagnose(settings))
    assert (found.check, found.found) == (Role.ENRICH, "no worker; 1 wait, the oldest for 2 h")
    assert "superfan worker --role enrich" in found.fix
    with worker(settings, tmp_path / "worker.log") as running:
        wait_until_done(settings, running)
        findings = diagnose(settings)
        assert wrong(findings) == []
        reported = {finding.check: finding.found for finding in findings}
        assert reported["enrich"] == "1 worker, 6 of 6 partitions; nothing waits"
        assert running.terminate() == 0, running.said()


def test_a_role_that_is_far_behind_is_found_though_it_has_a_worker(
    settings: Settings, tmp_path: Path
) -> None:
    """A stuck worker keeps its partitions: only the age of waiting records shows it."""
    long = {"SUPERFAN_WORKER__SESSION_TIMEOUT": "300"}
    with worker(settings, tmp_path / "worker.log", "sink", **long) as running:
        reported = "1 worker, 4 of 4 partitions; nothing waits"
        until(lambda: reported in {finding.found for finding in diagnose(settings)}, running.said)
        running.process.send_signal(signal.SIGSTOP)
        client = KafkaProducer(bootstrap_servers=settings.bootstrap)
        client.send(topics.PROFILES, b"{}", key=b"k", timestamp_ms=round(time.time() * 1000) - 660_000)
        client.close()
        found = only(diagnose(settings))
    assert (found.check, found.found) == (
        "sink",
        "1 worker, 4 of 4 partitions; 1 wait, the oldest for 11 min",
    )
    assert "superfan lag" in found.fix


@pytest.mark.parametrize(("shift", "which"), [(-180.0, "ahead of"), (180.0, "behind")])
def test_clocks_that_disagree_are_found(healthy: Settings, shift: float, which: str) -> None:
    """A clock three minutes off is reported against the broker's and the database's."""
    found = wrong(diagnose(healthy, now=lambda: time.time() + shift))
    assert [(finding.check, finding.found) for finding in found] == [
        ("clock", f"the {whose}'s is 3 min {which} this machine's") for whose in ("broker", "store")
    ]


def test_the_migration_state_of_the_store_is_reported(healthy: Settings, database: PostgreSQL) -> None:
    """A database that is empty, of an older release, of a newer one: each has its own finding and fix."""
    url = database.new_database()
    other = healthy.model_copy(update={"store_url": type(healthy.store_url)(url)})
    empty = only(diagnose(other))
    assert empty.check == "store"
    assert empty.found.endswith(f"has schema empty: it should be {Store.expected_revision()}")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = repository._alembic()
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0001")
    old = only(diagnose(other))
    assert old.found.endswith(f"has schema 0001: it should be {Store.expected_revision()}")
    assert "start a worker with the sink role" in old.fix
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    new = only(diagnose(other))
    assert "9999: it is of another version" in new.found
    assert "newer" in new.fix


def test_what_is_away_is_said_to_be_away(healthy: Settings, tmp_path: Path) -> None:
    """No broker and a database that is stopped: both are reported with a fix; the rest is checked."""
    with postgresql() as stopped:
        url = stopped.new_database()
        stopped.stop()
        lost = healthy.model_copy(
            update={"store_url": type(healthy.store_url)(url), "broker_url": WITHOUT_A_BROKER}
        )
        findings = diagnose(lost)
    assert [finding.check for finding in wrong(findings)] == ["broker", "store"]
    assert {"settings", "pipeline", "disk", "java"} <= {finding.check for finding in findings if finding.ok}


def test_settings_that_cannot_be_meant_are_found(healthy: Settings, tmp_path: Path) -> None:
    """A blank lawful basis, a handle of two brands, an unknown niche and an unusable shadow are reported."""
    file = tmp_path / "superfan.toml"
    (tmp_path / "other.toml").write_bytes(DEMO_CONFIG.read_bytes())
    file.write_text(
        '[[brands]]\nname = "A"\nhandles = { x = ["acme"] }\nniche = ["cycling"]\n'
        '[[brands]]\nname = "B"\nhandles = { x = ["Acme"] }\nniche = ["food"]\n'
        '[sources.x]\nlawful_basis = "TODO ask legal"\n[shadow]\nconfig = "other.toml"\n'
    )
    meant = load(file, broker_url=healthy.broker_url, store_url=healthy.store_url, topics={"partitions": 2})
    found = [finding.found for finding in wrong(diagnose(meant))]
    assert [text[:25] for text in found] == [
        "the lawful basis of x is ",
        "A is about cycling, which",
        "@acme on x is a handle of",
        f"{tmp_path}/other.toml can"[:25],
    ]


def test_a_text_pipeline_that_is_not_complete_is_found(healthy: Settings, tmp_path: Path) -> None:
    """An installation without the network: the command says so in each format, and exits 3."""
    for package in ("streams", "models", "nlp"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "nlp/assets/network.npz").unlink()

    def doctor(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "streams", "doctor", *arguments],
            cwd=tmp_path, env=environment(healthy), capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = doctor("-o", "json")
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    (row,) = (row for row in rows if not row["ok"])
    assert done.returncode == 3
    assert row["check"] == "pipeline"
    assert "network.npz" in row["found"]
    table = doctor()
    assert table.returncode == 3
    assert "✗  pipeline" in table.stdout
    assert f"→ {row['fix']}" in table.stdout
    assert "1 of " in table.stderr
