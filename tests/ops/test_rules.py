"""Rules, alerts, runbooks and dashboards are consistent with each other and with the table of metrics."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.grafana import build
from streams.ops import metrics
from tests.ops.programs import DEPLOY, ROOT, run

PROMETHEUS = DEPLOY / "prometheus"
RULES = [
    rule
    for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
BOARDS = {path.stem: json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards").glob("*.json")}
PANELS = [panel for board in BOARDS.values() for panel in board["panels"] if panel["type"] != "row"]
MACROS = {"$__rate_interval": "15s", "$__range": "5m", "$__interval": "15s", "$brand": ".*"}
UNITS = {"s", "short", "percentunit", "bytes", "none", "suffix:x", "suffix:/s"}
SECTIONS = ("## Meaning", "## Impact", "## Check", "## Fix")
"""the sections of every runbook"""
OTHERS = {
    "process_cpu_seconds_total": {"job", "instance"},
    "process_resident_memory_bytes": {"job", "instance"},
    "process_start_time_seconds": {"job", "instance"},
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate"},
}
"""series of Prometheus and its client, which are not in the table"""


def plain(expr: str) -> str:
    """Return an expression with Grafana's variables filled in."""
    for macro, value in MACROS.items():
        expr = expr.replace(macro, value)
    assert "$" not in expr, f"a variable unknown to Grafana: {expr}"
    return expr


def queries() -> dict[str, str]:
    """Return the PromQL expressions of all panels, by dashboard, panel and query."""
    return {
        f"{board['title']} / {panel['title']} / {target['refId']}": plain(target["expr"])
        for board in BOARDS.values()
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if "expr" in target
    }


def selectors(node: Any) -> Iterator[Any]:
    """Yield the vector selectors of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("vector_selector", "expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str | float | int):
            yield from selectors(child)
    for child in getattr(node, "args", ()) or ():
        yield from selectors(child)


def used(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the metrics that an expression reads, each with the labels it matches on."""
    for selector in selectors(promql_parser.parse(expr)):
        histogram = metrics.BY_NAME.get(re.sub("_(bucket|count|sum)$", "", selector.name))
        name = histogram.name if histogram and histogram.kind == "histogram" else selector.name
        yield name, {matcher.name for matcher in selector.matchers.matchers} - {"le"}


EXPRESSIONS = {rule.get("alert") or rule["record"]: rule["expr"] for rule in RULES} | queries()


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_an_expression_reads_only_known_series_and_labels(where: str) -> None:
    """It parses, and the table or a recording rule has every series and label it names."""
    found = list(used(EXPRESSIONS[where]))
    assert found, "an expression without a series"
    for name, labels in found:
        assert name in metrics.BY_NAME or name in RECORDED or name in OTHERS, name
        if name in metrics.BY_NAME:
            assert labels <= {*metrics.BY_NAME[name].labels, "job", "instance"}, (name, labels)
        assert name not in OTHERS or labels <= OTHERS[name]


def test_the_check_of_expressions_can_fail() -> None:
    """An unknown series and an unknown label are found."""
    assert dict(used('rate(superfan_post_total{author="x"}[5m])')) == {"superfan_post_total": {"author"}}


def test_every_metric_is_used() -> None:
    """A dashboard, a rule or an alert reads every metric of the table."""
    read = {name for expr in EXPRESSIONS.values() for name, _ in used(expr)}
    assert set(metrics.BY_NAME) - read == set()


def test_objectives_have_one_value_each() -> None:
    """Rules, alerts, dashboards, and the texts of all of them give the same seconds and the same budget."""
    rules = {rule.get("alert") or rule["record"]: rule for rule in RULES}
    for objective, seconds, waits in (
        ("freshness", build.FRESH, "superfan:posts_wait:bool"),
        ("delivery", build.STORED, "superfan:candidates_wait:bool"),
    ):
        assert seconds in metrics.LATENCIES
        assert rules[waits]["expr"].endswith(f" > bool {seconds}")
        ratios = [name for name in rules if name.startswith(f"superfan:{objective}_errors:")]
        assert len(ratios) == 6
        assert all(f'le="{seconds:.1f}"' in rules[name]["expr"] for name in ratios)
        text = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
        for pace in ("Fast", "Slowly"):
            alert = rules[f"Superfan{objective.title()}Burns{pace}"]
            assert f"within {text}." in alert["annotations"]["description"]
        assert f"within {text} " in (PROMETHEUS / "README.md").read_text()
    for name, rule in rules.items():
        bounds = re.findall(r"> ([\d.]+) \* ([\d.]+)", rule["expr"]) if "Burns" in name else []
        assert {float(budget) for _, budget in bounds} <= {build.BUDGET}
        assert {float(rate) for rate, _ in bounds} <= {build.SLOW_BURN, 6, build.FAST_BURN}


def test_prometheus_and_alertmanager_accept_the_files() -> None:
    """`promtool check config` and `amtool check-config` find nothing."""
    assert "SUCCESS" in run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert "SUCCESS" in run("amtool", "check-config", str(DEPLOY / "alertmanager/alertmanager.yml"))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_only_then(alert: str) -> None:
    """Its promtool tests pass; at least one expects it to fire, and one expects it not to."""
    path = PROMETHEUS / "tests" / f"{alert}.yml"
    tests = yaml.safe_load(path.read_text())["tests"]
    expected = [[bool(t["exp_samples"]) for t in test["promql_expr_test"]] for test in tests]
    assert {fires for each in expected for fires in each} == {True, False}
    assert all(alert in t["expr"] for test in tests for t in test["promql_expr_test"])
    run("promtool", "test", "rules", str(path))


def test_every_test_file_has_an_alert() -> None:
    """No test file is left of a removed alert."""
    assert {path.stem for path in (PROMETHEUS / "tests").glob("*.yml")} == set(ALERTS)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """The annotation names the file, and the file has the sections of every runbook."""
    assert {path.stem for path in (DEPLOY / "runbooks").glob("*.md")} == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"deploy/runbooks/{name}.md"
        text = (ROOT / rule["annotations"]["runbook"]).read_text()
        assert re.findall(r"^#+ .*$", text, re.MULTILINE) == [f"# {name}", *SECTIONS]


def test_texts_name_only_existing_alerts_and_metrics() -> None:
    """Every alert and metric named in documents, dashboards and annotations exists."""
    texts = [path.read_text() for path in DEPLOY.rglob("*.md")] + [panel["description"] for panel in PANELS]
    texts += [text for rule in ALERTS.values() for text in rule["annotations"].values()]
    for text in texts:
        assert set(re.findall(r"\bSuperfan[A-Z]\w+", text)) <= set(ALERTS)
        assert set(re.findall(r"\bsuperfan_[a-z_]+\b", text)) <= set(metrics.BY_NAME)


def test_links_between_documents_work() -> None:
    """Every relative link in the documents about operations points to a file."""
    for path in [
        *DEPLOY.glob("runbooks/*.md"),
        *DEPLOY.glob("grafana/*.md"),
        *DEPLOY.glob("prometheus/*.md"),
    ]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), (path, target)


def test_every_panel_is_described() -> None:
    """Every panel has a unique title, a description, a known unit and a variable data source."""
    for board in BOARDS.values():
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(titles)) == len(titles)
        known = {f"${{{variable['name']}}}" for variable in board["templating"]["list"]}
        for panel in board["panels"]:
            if panel["type"] == "row":
                assert panel["title"].endswith("?")
                continue
            assert len(panel["description"]) > 40, panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
            for target in [panel, *panel["targets"]]:
                assert target["datasource"]["uid"] in known, panel["title"]


def test_metrics_follow_the_conventions() -> None:
    """Names have the prefix and the base unit, `_total` marks counters, and no label identifies a person."""
    for metric in metrics.TABLE:
        assert metric.name.startswith("superfan_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        if metric.unit in {"seconds", "bytes", "ratio"}:
            assert metric.name.removesuffix("_total").endswith(f"_{metric.unit}")
        assert not {"author", "author_id", "handle", "text", "hashtag", "key", "offset"} & set(metric.labels)
        assert metric.by
        assert metric.meaning


def test_grafana_finds_the_dashboards_and_data_sources() -> None:
    """Grafana reads the folder of the mounted dashboards, and has a data source of every type they use."""
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/superfan.yml").read_text())
    assert provider["providers"][0]["options"]["path"] == "/var/lib/grafana/dashboards"
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/superfan.yml").read_text())
    types = {source["type"] for source in sources["datasources"]}
    wanted = {
        v["query"]
        for board in BOARDS.values()
        for v in board["templating"]["list"]
        if v["type"] == "datasource"
    }
    assert wanted <= types
