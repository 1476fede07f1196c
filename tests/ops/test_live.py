"""Metrics, dashboards and probes of a stack under load, and during failures."""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests import waiting
from tests.malformed import kinds
from tests.ops.programs import run
from tests.ops.stack import Stack, stack
from tests.ops.test_rules import BOARDS, RULES, queries
from tests.running import worker

ENDPOINTS = ("enrich", "profile", "sink", "exporter")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One constantly fed stack for all tests of this file; each test leaves it intact."""
    with stack(tmp_path_factory.mktemp("live"), burst=4700, rate=30) as running:
        yield running


def until(wrong: Callable[[], object]) -> None:
    """Wait until `wrong` returns nothing; fail with what it returned last."""
    found: object = None

    def right() -> bool:
        nonlocal found
        found = wrong()
        return not found

    waiting.until(right, lambda: found, every=0.3)


def test_every_query_of_every_dashboard_returns_data(live: Stack) -> None:
    """No panel is empty: each PromQL expression returns a sample that is a number."""

    left = queries()
    assert len(left) > 60

    def empty() -> dict[str, str]:
        for where, expr in list(left.items()):
            if not all(map(math.isnan, live.prometheus.values(expr))):
                del left[where]
        return left

    until(empty)


def test_the_list_of_candidates_has_the_best_first(live: Stack) -> None:
    """The SQL of Listening runs on the real database, with the brands that Grafana offers."""
    (sql,) = (
        target["rawSql"]
        for panel in BOARDS["superfan-listening"]["panels"]
        for target in panel.get("targets", ())
        if "rawSql" in target
    )
    brands = live.prometheus.api("label/brand/values", **{"match[]": "superfan_opinions_total"})
    query = sql.replace("${brand:sqlstring}", ",".join(f"'{brand}'" for brand in brands))
    address = live.settings.store_url.get_secret_value().replace("+psycopg", "")

    def asked() -> list[dict[str, Any]]:
        with psycopg.connect(address, row_factory=dict_row) as connection:
            return [row for row in connection.execute(query) if row["state"] == "candidate"]

    until(lambda: {row["brand"] for row in asked()} ^ set(brands))
    found = asked()
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    assert all(row["who"] and row["headline"] for row in found)


def test_every_rule_is_loaded_and_evaluated(live: Stack) -> None:
    """Prometheus loads every rule of the files, and none fails on real series."""

    def unwell() -> object:
        groups = live.prometheus.api("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["name"] for rule in rules} == {rule.get("alert") or rule["record"] for rule in RULES}
        return [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"]

    until(unwell)


@pytest.mark.parametrize("who", ENDPOINTS)
def test_metrics_are_clean(live: Stack, who: str) -> None:
    """`promtool check metrics` finds nothing in the metrics of each endpoint."""
    until(lambda: live.ask(who, "/metrics")[0] != 200)
    status, text = live.ask(who, "/metrics")
    assert (status, "superfan_build_info" in text) == (200, True)
    assert run("promtool", "check", "metrics", stdin=text) == ""


def test_outcomes_are_counted_by_reason(live: Stack) -> None:
    """Metrics count dead letters by reason, late, duplicate and dropped posts, and what posts lead to."""
    reasons = {reason for _, reason in kinds(time.time())}
    wanted = {
        *(f'superfan_outcomes_total{{role="enrich", outcome="dead_letter", reason="{r}"}}' for r in reasons),
        'superfan_outcomes_total{role="enrich", outcome="dropped", reason="no_brand"}',
        'superfan_outcomes_total{role="profile", outcome="late"}',
        'superfan_outcomes_total{role="profile", outcome="duplicate"}',
        'superfan_transitions_total{after="candidate"}',
        'superfan_shadow_judgements_total{verdict="enters"}',
        "superfan_cued_opinions_total",
        'superfan_store_rows_total{change="written"}',
    }
    until(lambda: [one for one in wanted if not live.prometheus.values(f"sum({one}) > 0")])


def test_a_text_process_that_dies_is_counted(live: Stack) -> None:
    """The enrich role continues with a new text process and counts the restart."""
    pid = live.processes["enrich"].process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (text,) = (c for c in map(int, children) if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes())
    os.kill(text, signal.SIGKILL)
    until(lambda: not live.prometheus.values("increase(superfan_nlp_pool_restarts_total[5m]) > 0"))


def test_a_worker_that_joins_is_a_rebalance(live: Stack, tmp_path: Path) -> None:
    """The first worker gets fewer partitions when a second joins, and all of them when it leaves."""
    mine = f'superfan_assigned_partitions{{role="profile", instance="{live.at["profile"]}"}}'
    all_of_them = live.settings.topics.partitions
    until(lambda: live.prometheus.values(mine) != [all_of_them])
    (before,) = live.prometheus.values('superfan_rebalances_total{role="profile"}')
    with worker(live.settings, tmp_path / "second.log", "profile") as second:
        until(lambda: live.prometheus.values(mine) != [all_of_them / 2])
        assert second.terminate() == 0, second.said()
    until(lambda: live.prometheus.values(mine) != [all_of_them])
    until(lambda: live.prometheus.values('superfan_rebalances_total{role="profile"}') < [before + 2])


@pytest.mark.parametrize(("role", "how"), [("profile", "stopped"), ("enrich", "hung")])
def test_lag_rises_without_a_worker_and_falls_when_it_returns(live: Stack, role: str, how: str) -> None:
    """Lag in seconds shows a worker that was stopped and one that hangs."""
    lag = f'superfan:lag_seconds:max{{role="{role}"}}'
    up = f'up{{instance="{live.at[role]}"}}'
    until(lambda: live.prometheus.values(up) != [1])
    (usual,) = live.prometheus.values(f"max_over_time({lag}[15s])")
    process = live.processes[role].process
    if how == "stopped":
        live.stop(role)
    else:
        process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: live.prometheus.values(lag) < [usual + 8] or live.prometheus.values(up) != [0])
    finally:
        if how == "stopped":
            live.start(role)
        else:
            process.send_signal(signal.SIGCONT)
    until(lambda: live.prometheus.values(lag) > [usual + 4] or live.prometheus.values(up) != [1])


def test_a_worker_that_waits_is_live_but_not_ready(live: Stack) -> None:
    """All processes are live and ready; without the database the sink is not ready and names the reason."""
    until(lambda: [who for who in ENDPOINTS if live.ask(who, "/ready") != (200, "yes\n")])
    assert [live.ask(who, "/live") for who in ENDPOINTS] == [(200, "yes\n")] * 4
    assert live.ask("sink", "/")[0] == 404
    live.database.stop()
    try:
        until(lambda: live.ask("sink", "/ready")[0] != 503)
        assert "sink: The store" in live.ask("sink", "/ready")[1]
        assert live.ask("sink", "/live") == (200, "yes\n")
        assert live.ask("profile", "/ready") == (200, "yes\n")
        until(lambda: live.prometheus.values('superfan_dependency_up{dependency="store"}') != [0])
        until(lambda: not live.prometheus.values("increase(superfan_store_write_errors_total[5m]) > 0"))
        assert live.prometheus.values('superfan_dependency_up{dependency="broker"}') == [1]
    finally:
        live.database.start()
    until(lambda: live.ask("sink", "/ready") != (200, "yes\n"))
    until(lambda: live.prometheus.values('superfan_dependency_up{dependency="store"}') != [1])
