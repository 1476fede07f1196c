"""Run the monitoring programs that the tests need, from the system's packages."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.waiting import STUCK, until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}


def program(name: str) -> str:
    """Return the path of a program; skip the test, naming the package, if it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian has it in the package {PACKAGES[name]}")
    return found


def run(name: str, *arguments: str, stdin: str = "") -> str:
    """Run a program and return its output; fail on a non-zero exit code."""
    done = subprocess.run(
        [program(name), *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> tuple[int, str]:
    """Return the status and the text of a response; the status is 0 without a response."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextmanager
def serving(name: str, log: Path, *arguments: str) -> Iterator[int]:
    """Run a program of the Prometheus family; yield its loopback port once it is ready.

    Fails with its log if it exits early or never becomes ready.
    """
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program(name), *arguments, f"--web.listen-address=127.0.0.1:{port}"], stdout=out, stderr=out
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            return get(f"http://127.0.0.1:{port}/-/ready")[0] == 200

        until(ready, log.read_text)
        yield port
    finally:
        process.terminate()
        process.wait(STUCK)


class Prometheus:
    """A server with the rules of `deploy/` that scrapes every two seconds."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def api(self, path: str, **query: str) -> Any:
        """Return the data of a response of its HTTP API."""
        status, text = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(text or "{}")
        assert answer.get("status") == "success", (status, path, query, text)
        return answer["data"]

    def values(self, expr: str) -> list[float]:
        """Return the values of an instant query."""
        return [float(sample["value"][1]) for sample in self.api("query", query=expr)["result"]]


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """Run a server that scrapes the targets and evaluates all rules every second."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    for path in (DEPLOY / "prometheus/rules").glob("*.yml"):
        groups = yaml.safe_load(path.read_text())
        for group in groups["groups"]:
            group.pop("interval", None)
        (rules / path.name).write_text(yaml.safe_dump(groups))
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "1s"}
    del config["alerting"]
    (job,) = config["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": targets}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    arguments = f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"
    with serving("prometheus", folder / "log", *arguments) as port:
        yield Prometheus(port)
