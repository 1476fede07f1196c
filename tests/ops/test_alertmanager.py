"""Alert routing and inhibition, tested on a real Alertmanager with the committed configuration."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ops.programs import DEPLOY, get, run, serving
from tests.waiting import until

CONFIG = DEPLOY / "alertmanager/alertmanager.yml"
ALERTS: dict[str, dict[str, str]] = {
    rule["alert"]: {"alertname": rule["alert"], **rule["labels"]}
    for path in sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_routed_by_its_severity(alert: str) -> None:
    """A page goes to the pager and a ticket to the tickets, by the labels of the rule."""
    labels = [f"{name}={value}" for name, value in ALERTS[alert].items()]
    said = run("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels)
    receivers = {"page": "pager", "ticket": "tickets"}
    assert said.splitlines()[0] == receivers[ALERTS[alert]["severity"]]


class Alertmanager:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def send(self, *alerts: dict[str, str]) -> None:
        """Send alerts by their labels, as Prometheus does."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 -- loopback

    def groups(self) -> list[Any]:
        """Return the groups of alerts; each group is one notification."""
        status, text = get(f"{self.url}/api/v2/alerts/groups")
        assert status == 200, text
        return list(json.loads(text))


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """An Alertmanager with the committed configuration, whose receivers are unreachable."""
    arguments = f"--config.file={CONFIG}", f"--storage.path={tmp_path}/data", "--cluster.listen-address="
    with serving("prometheus-alertmanager", tmp_path / "log", *arguments) as port:
        yield Alertmanager(port)


def test_a_page_inhibits_only_the_ticket_of_its_objective(alertmanager: Alertmanager) -> None:
    """A page inhibits the ticket about the same objective and nothing else.

    Workers that are down share one notification. Causes have one per role and one per brand.
    """
    alertmanager.send(
        ALERTS["SuperfanFreshnessBurnsFast"],
        ALERTS["SuperfanFreshnessBurnsSlowly"],
        ALERTS["SuperfanQualityBurnsSlowly"],
        *(ALERTS["SuperfanWorkerDown"] | {"instance": f"enrich-{n}"} for n in range(8)),
        *(ALERTS["SuperfanLagKeepsRising"] | {"role": role} for role in ("enrich", "profile")),
        *(ALERTS["SuperfanSentimentDrop"] | {"brand": brand} for brand in ("A", "B")),
    )
    until(
        lambda: any(alert["status"]["inhibitedBy"] for g in alertmanager.groups() for alert in g["alerts"]),
        alertmanager.groups,
    )
    groups = alertmanager.groups()
    held = {
        alert["labels"]["alertname"]
        for group in groups
        for alert in group["alerts"]
        if alert["status"]["inhibitedBy"]
    }
    assert held == {"SuperfanFreshnessBurnsSlowly"}
    notified = sorted(
        (group["receiver"]["name"], group["labels"]["alertname"], len(group["alerts"])) for group in groups
    )
    assert notified == [
        ("pager", "SuperfanFreshnessBurnsFast", 1),
        ("tickets", "SuperfanFreshnessBurnsSlowly", 1),
        ("tickets", "SuperfanLagKeepsRising", 1),
        ("tickets", "SuperfanLagKeepsRising", 1),
        ("tickets", "SuperfanQualityBurnsSlowly", 1),
        ("tickets", "SuperfanSentimentDrop", 1),
        ("tickets", "SuperfanSentimentDrop", 1),
        ("tickets", "SuperfanWorkerDown", 8),
    ]
