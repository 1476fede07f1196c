"""Writes the dashboards and the table of questions: `python deploy/grafana/build.py` (`make dashboards`).

A row of a dashboard is a question; a panel answers a part of it and says in its description what to do.
The JSON beside this file is made here and never edited by hand; a test compares the two.
"""

import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    GraphGradientMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

HERE = Path(__file__).parent
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${postgres}")
WIDTH = 24


@dataclass(frozen=True)
class Panel:
    """`ask`: legend -> PromQL, or one SQL query. `do` says what is seen, and what to do about it."""

    title: str
    do: str
    unit: str
    ask: Mapping[str, str] | str
    kind: str = "graph"
    bad: Sequence[float] = ()
    """from where on it is yellow and red"""
    stacked: bool = False
    width: int = 8


@dataclass(frozen=True)
class Dashboard:
    """Rows are questions with the panels that answer them."""

    uid: str
    title: str
    purpose: str
    since: str
    rows: Mapping[str, Sequence[Panel]]
    by_brand: bool = False


def quantile(share: float, metric: str, selector: str = "", by: str = "") -> str:
    """The quantile of a histogram over the rate interval."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"


def rate(metric: str, by: str = "", selector: str = "") -> str:
    """Per second, summed."""
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{selector}}}[$__rate_interval]))"


BRAND = 'brand=~"$brand"'
OUT = 'role="profile", topic="enriched"'

CANDIDATES_SQL = """
select score, state, brand, coalesce(handle, author_id) as who, record->>'profile_url' as profile_url, tier,
  followers, customer, confidence, headline, entered_at::timestamptz, expires_at::timestamptz,
  notice_due_at::timestamptz
from candidates
where brand in (${brand:sqlstring}) and state in ('candidate', 'watch')
order by state, score desc, key
limit 200
"""

OVERVIEW = Dashboard(
    "superfan-overview", "Superfan: Overview", "Is it fresh, is it right, what came out", "now-6h",
    {
        "Is it fresh?": [
            Panel(
                "Late posts, last hour",
                "Share of posts that were not out as profiles within 60 s of their arrival, or of the time in which "
                "something waited for longer. Over 1 % eats the budget; red pages: see SuperfanFreshnessBurnsFast.",
                "percentunit", {"late": "superfan:freshness_errors:ratio1h"}, "stat", (0.01, 0.144), width=4,
            ),
            Panel(
                "Oldest record that waits",
                "By role, asked from the broker: a worker that is stuck shows. Rising: look at Pipeline for the role "
                "that stands first in the way.",
                "s", {"{{role}}": "superfan:lag_seconds:max"}, "stat", (60, 300),
            ),
            Panel(
                "From arrival to published",
                "Until all that a post leads to is confirmed. The 95th percentile over 60 s: find the role in "
                "Pipeline, Where does the time go.",
                "s",
                {f"{share:.0%}": quantile(share, "superfan_pipeline_latency_seconds", OUT)
                 for share in (0.5, 0.95, 0.99)},
                width=12,
            ),
        ],
        "Is it right?": [
            Panel(
                "Dead letters, last hour",
                "Share of posts that could not be used. Over 1 %: `superfan dead-letters list` says which and why.",
                "percentunit", {"dead letters": "superfan:quality_errors:ratio1h"}, "stat", (0.01, 0.144), width=4,
            ),
            Panel(
                "Answers when asked",
                "Broker and store, as the exporter finds them. 0: `superfan doctor`; nothing is lost meanwhile.",
                "short", {"{{dependency}}": "min by (dependency) (superfan_dependency_up)"}, "stat", width=4,
            ),
            Panel(
                "What runs",
                "Processes by version and by version of the rules. Two of either for longer than a deployment takes: "
                "some workers judge by other rules; bring them to one.",
                "short", {"{{version}}, rules {{model_version}}":
                          "count by (version, model_version) (superfan_build_info)"}, "stat", width=4,
            ),
            Panel(
                "Budgets: how fast they burn",
                "1 uses up a month's budget of errors (1 %) in a month. Over 14.4 on both windows pages, over 3 for a "
                "day is a ticket.",
                "suffix:x",
                {f"{slo}, {w}": f"superfan:{slo}_errors:ratio{w} / 0.01"
                 for slo in ("freshness", "quality", "delivery") for w in ("5m", "1h")},
                width=12,
            ),
        ],
        "What came out?": [
            Panel(
                "Posts in",
                "Posts read per second. Zero with a lag: enrich is not there. Zero without one: upstream is silent.",
                "cps", {"posts": "superfan:posts:rate5m"}, "stat", width=4,
            ),
            Panel(
                "Candidates",
                "In the store, by state. None for days: compare thresholds with the scores on Listening.",
                "short", {"{{state}}": "sum by (state) (superfan_candidates)"}, "stat",
            ),
            Panel(
                "New candidates per hour",
                "Changes to the state candidate. Five times the usual: see SuperfanCandidateRateHigh before asking any.",
                "short",
                {"{{brand}}": 'sum by (brand) (increase(superfan_transitions_total{after="candidate"}[1h]))'},
                width=6,
            ),
            Panel(
                "Notices overdue",
                "People who were to be told that their posts are read, and were not. Over 0: tell them, or take them "
                "off; Listening lists them by date.",
                "short", {"overdue": "sum(superfan_notices_overdue)"}, "stat", (1, 1), width=3,
            ),
            Panel(
                "Age of the figures",
                "Time since what a post costs was read, and since the posts of the usual engagement. Over half a year, "
                "or red: read them anew (`models/tables`).",
                "s", {"{{benchmark}}": "time() - superfan_benchmark_timestamp_seconds"}, "stat", (15552000, 31104000),
                width=3,
            ),
        ],
    },
)  # fmt: skip

PIPELINE = Dashboard(
    "superfan-pipeline", "Superfan: Pipeline", "Rate, errors by reason, duration per stage", "now-3h",
    {
        "How much goes through?": [
            Panel(
                "Posts in, by topic",
                "Read by enrich. A topic that falls to zero alone: ask who feeds it.",
                "cps", {"{{topic}}": rate("superfan_posts_total", "topic")}, stacked=True,
            ),
            Panel(
                "Posts in, by platform",
                "`unknown` could not be read that far. A platform that goes silent: look at its source.",
                "cps", {"{{platform}}": rate("superfan_posts_total", "platform")}, stacked=True,
            ),
            Panel(
                "Done, by role",
                "Records with everything they led to confirmed. The role whose line is lowest for long is the "
                "bottleneck: scale it.",
                "cps", {"{{role}}": rate("superfan_pipeline_latency_seconds_count", "role")},
            ),
            Panel(
                "What became of posts",
                "kept, late, duplicate and replayed in profile; replayed after restarts only. Many duplicates: "
                "upstream sends twice, which is harmless.",
                "cps", {"{{role}} {{outcome}}": rate("superfan_outcomes_total", "role, outcome")},
            ),
            Panel(
                "Begun and not confirmed",
                "At most `worker.in_flight`. At the limit for long: the broker is slow (look at its disks), or the "
                "role is at its limit.",
                "short", {"{{role}}": "sum by (role) (superfan_pending_records)"},
            ),
            Panel(
                "CPU",
                "Cores used by each process, without the text processes of enrich. Near 1: the loop is full; scale out.",
                "short",
                {"{{instance}} cores": 'rate(process_cpu_seconds_total{job="superfan"}[$__rate_interval])'},
            ),
        ],
        "What goes wrong?": [
            Panel(
                "Dead letters by reason",
                "Reasons are those of `superfan dead-letters list`. `poison`: keep the record as a test; others: tell "
                "the sender.",
                "cps",
                {"{{role}}": rate("superfan_outcomes_total", "role", 'outcome="dead_letter"'),
                 "{{role}} {{reason}}":
                 rate("superfan_outcomes_total", "role, reason", 'outcome="dead_letter"') + " > 0"},
            ),
            Panel(
                "Dead letters against the limit",
                "Of the last records. A worker stops at its limit: mend what sends them before, see "
                "SuperfanDeadLetterLimitNear.",
                "percentunit",
                {"{{role}}": "max by (role) (superfan_dead_letter_share_ratio)",
                 "limit of {{role}}": "min by (role) (superfan_dead_letter_limit_ratio)"},
            ),
            Panel(
                "Dropped by reason",
                "Well-formed and not wanted. `no_brand` rising: a new product or handle that `[[brands]]` does not name?",
                "cps", {"{{reason}}": rate("superfan_outcomes_total", "reason", 'outcome="dropped"')},
            ),
            Panel(
                "Text processes replaced",
                "Each time a record killed one. It is in dead-letters as `poison`. Without one: out of memory.",
                "short", {"last hour": "sum(increase(superfan_nlp_pool_restarts_total[1h]))"}, "stat", (1, 5),
            ),
        ],
        "Where does the time go?": [
            Panel(
                "Since arrival, 95 %, by role",
                "How old records are when a role is done with them. The first role that is high is the cause; the "
                "others inherit it.",
                "s", {"{{role}} {{topic}}": quantile(0.95, "superfan_pipeline_latency_seconds", by="role, topic")},
            ),
            Panel(
                "Text: seconds for a batch",
                "Work of a text process. Grows with long posts; twice as much after a deployment: roll it back.",
                "s", {f"{share:.0%}": quantile(share, "superfan_nlp_batch_seconds") for share in (0.5, 0.95)},
            ),
            Panel(
                "Text: posts in a batch",
                "Full batches (`worker.batch`) mean enrich is at its limit: more processes or replicas.",
                "short",
                {"mean": "sum(rate(superfan_nlp_batch_posts_sum[$__rate_interval])) / "
                         "sum(rate(superfan_nlp_batch_posts_count[$__rate_interval]))"},
            ),
            Panel(
                "Mean seconds of a step",
                "One record in profile, one batch in enrich and sink. profile over 1 ms: authors with very many posts.",
                "s",
                {"{{role}}": "sum by (role) (rate(superfan_step_seconds_sum[$__rate_interval])) / "
                             "sum by (role) (rate(superfan_step_seconds_count[$__rate_interval]))"},
            ),
            Panel(
                "Share of time in steps",
                "Of each role over all its workers. profile near 1 a worker: its loop is full; add one.",
                "percentunit", {"{{role}}": rate("superfan_step_seconds_sum", "role")},
            ),
            Panel(
                "Age of posts when counted",
                "From when a post was written. Rising while latency is low: the source delivers late. Replays of "
                "history show as old.",
                "s", {"median": quantile(0.5, "superfan_event_latency_seconds")},
            ),
        ],
    },
)  # fmt: skip

KAFKA = Dashboard(
    "superfan-kafka", "Superfan: Kafka and tables", "Who is behind, what is remembered, does the store keep up",
    "now-3h",
    {
        "Who is behind?": [
            Panel(
                "Records that wait",
                "By role, asked from the broker. Rising for half an hour is a ticket: SuperfanLagKeepsRising.",
                "short", {"{{role}}": "superfan:lag_records:sum"},
            ),
            Panel(
                "Age of the oldest that waits",
                "By role and topic. `erasures` over an hour breaks a promise to a person: SuperfanErasureBacklog.",
                "s", {"{{role}} {{topic}}": "max by (role, topic) (superfan_consumer_lag_seconds)"},
            ),
            Panel(
                "The ten partitions farthest behind",
                "One alone: a hot author or a stuck record; its owner's log names it. All alike: too few workers.",
                "short", {"{{role}} {{topic}} {{partition}}": "topk(10, superfan_consumer_lag_records)"},
            ),
            Panel(
                "Written and consumed",
                "Records per second, by topic. Written without consumed: nobody reads, SuperfanNothingConsumed.",
                "cps",
                {"{{topic}} written": rate("superfan_topic_records_total", "topic"),
                 "{{topic}} consumed": rate("superfan_consumed_records_total", "topic")},
                width=12,
            ),
            Panel(
                "Erasures under way",
                "Age of the oldest record on the way of an erasure, up to the store. Over an hour: a ticket.",
                "s", {"oldest": "superfan:erasure_backlog_seconds:max"}, "stat", (600, 3600), width=4,
            ),
            Panel(
                "Last record done",
                "How long ago what a role was last done with had arrived; from inside the workers. Far above the age "
                "of the oldest that waits: nothing comes in.",
                "s", {"{{role}}": "time() - (max by (role) (superfan_processed_timestamp_seconds) > 0)"},
            ),
        ],
        "Do workers keep their partitions?": [
            Panel(
                "Partitions worked on",
                "Summed over workers; should be the number of partitions. Less: a rebalance or a recovery, or nobody.",
                "short", {"{{role}}": "sum by (role) (superfan_assigned_partitions)"},
            ),
            Panel(
                "Assignments, 15 minutes",
                "Each stops a role for a moment. Over five: SuperfanRebalanceStorm.",
                "short", {"{{role}}": "max by (role) (increase(superfan_rebalances_total[15m]))"},
            ),
            Panel(
                "Changelog records to be read",
                "While above 0 a worker's partitions wait. Not falling: SuperfanRecoveryStuck.",
                "short", {"{{instance}}": "superfan_recovery_remaining_records"},
            ),
            Panel(
                "Recoveries: mean seconds",
                "Since the workers started. Long: fewer authors a worker (more replicas), or a shorter window.",
                "s", {"mean": "sum(superfan_recovery_seconds_sum) / sum(superfan_recovery_seconds_count)"}, "stat",
            ),
        ],
        "What is remembered?": [
            Panel(
                "Keys",
                "Authors, customers and handles in memory. Authors grow until the window's end, then stay.",
                "short", {"{{state}}": "sum by (state) (superfan_state_keys)"},
            ),
            Panel(
                "Bytes",
                "Packed; a worker needs about three times that. Plan memory by it.",
                "bytes", {"{{state}}": "sum by (state) (superfan_state_bytes)"},
            ),
            Panel(
                "Memory of the processes",
                "Resident. Rising while the states do not: a leak; restart, and tell the developers.",
                "bytes", {"{{instance}}": 'process_resident_memory_bytes{job="superfan"}'},
            ),
            Panel(
                "Older states refused",
                "A worker that had lost a partition wrote to it all the same; recovery refused it. Over 0: look for "
                "pauses beyond the session in the logs.",
                "short", {"since the start": "sum(superfan_stale_states_refused_total)"}, "stat", (1, 10),
            ),
            Panel(
                "Newest post counted",
                "How long ago it was written. Hours, while posts come in: a source sends history.",
                "s", {"ago": "time() - (max(superfan_watermark_timestamp_seconds) > 0)"}, "stat",
            ),
        ],
        "Does the store keep up?": [
            Panel(
                "Rows",
                "Stale ones are older than what is there: normal after restarts and when batches hold many of a key.",
                "cps", {"{{change}}": rate("superfan_store_rows_total", "change")}, stacked=True,
            ),
            Panel(
                "Seconds of a write",
                "One transaction. Rising: locks, disks, other users of the database.",
                "s", {f"{share:.0%}": quantile(share, "superfan_store_write_seconds") for share in (0.5, 0.95)},
            ),
            Panel(
                "Failed writes, 15 minutes",
                "They are tried again. Over 0 for long: SuperfanStoreErrors.",
                "short", {"failed": "sum(increase(superfan_store_write_errors_total[15m]))"}, "stat", (1, 10),
            ),
        ],
    },
)  # fmt: skip

LISTENING = Dashboard(
    "superfan-listening", "Superfan: Listening", "Mentions, sentiment, share of voice, candidates", "now-24h",
    {
        "What is said?": [
            Panel(
                "Opinions per hour",
                "Distinct posts with an opinion of the brand. A peak: look at sentiment and cues before celebrating.",
                "short", {"{{brand}}": f"sum by (brand) (increase(superfan_opinions_total{{{BRAND}}}[1h]))"},
            ),
            Panel(
                "Share of voice",
                "Of all opinions in the range shown, by brand. Compare with competitors you listen to under the same "
                "conditions only.",
                "percentunit",
                {"{{brand}}": f"sum by (brand) (increase(superfan_opinions_total{{{BRAND}}}[$__range])) / on () "
                              f"group_left () sum(increase(superfan_opinions_total{{{BRAND}}}[$__range]))"},
                "bars",
            ),
            Panel(
                "Sentiment",
                "Positive, neutral and negative opinions of the brands chosen. All negative at once: SuperfanSentimentDrop.",
                "cps", {"{{sentiment}}": rate("superfan_opinions_total", "sentiment", BRAND)}, stacked=True,
            ),
            Panel(
                "Positive minus negative",
                "Share of three hours against that of a week, -1 to 1. Far below its week: ask what happened.",
                "percentunit",
                {"{{brand}}, 3 h": f"superfan:sentiment_net:ratio3h{{{BRAND}}}",
                 "{{brand}}, 7 d": f"superfan:sentiment_net:ratio7d{{{BRAND}}}"},
            ),
            Panel(
                "Drift of the mix",
                "Population stability index of a day against a week. Over 0.25: the world, or our text pipeline, has "
                "changed; annotate some posts by hand.",
                "short", {"{{brand}}": f"superfan:sentiment_drift:psi{{{BRAND}}}"}, "bars", (0.1, 0.25),
            ),
            Panel(
                "Opinions that count less",
                "Giveaways, sponsored posts and reposts, irony. Over a third: SuperfanGiveawayStorm; ask marketing.",
                "cps", {"{{cue}}": rate("superfan_cued_opinions_total", "cue", BRAND)},
            ),
        ],
        "Who loves it?": [
            Panel(
                "Candidates by brand and tier",
                "In the store, candidates and those to watch. A wanted tier without any: is `tiers.wanted` right?",
                "short",
                {"{{brand}} {{tier}} {{state}}": "sum by (brand, tier, state) (superfan_candidates"
                                                 f'{{{BRAND}, state=~"candidate|watch"}})'},
                "bars", width=12,
            ),
            Panel(
                "Changes of state, by reason",
                "Over the range shown. Many `low_score`: the campaign is over; `inauthentic`: look at them.",
                "short",
                {"{{before}} to {{after}}, {{reason}}":
                 f"sum by (before, after, reason) (increase(superfan_transitions_total{{{BRAND}}}[$__range])) > 0"},
                "bars", width=12,
            ),
            Panel(
                "Scores",
                "Share of published profiles up to each score, in the range shown. All low: thresholds too high for "
                "the brand, or few customers known.",
                "percentunit",
                {"up to {{le}}": f"sum by (le) (increase(superfan_score_points_bucket{{{BRAND}}}[$__range])) / on () "
                                 f"group_left () sum(increase(superfan_score_points_count{{{BRAND}}}[$__range]))"},
                "bars", width=12,
            ),
            Panel(
                "Rules of authenticity that fired",
                "Published profiles held back by flood, promoted or clockwork. A peak: somebody floods the brand.",
                "cps", {"{{rule}}": rate("superfan_authenticity_rules_fired_total", "rule")}, width=12,
            ),
        ],
        "What would other rules say?": [
            Panel(
                "Who would enter, who would leave",
                "Judgements by the rules of `[shadow] config` that put an author on the board, or take one off. Much of "
                "either: `superfan backtest --compare` says who and why.",
                "cps",
                {"{{verdict}}": rate("superfan_shadow_judgements_total", "verdict", f'{BRAND}, verdict!="agree"')},
                width=12,
            ),
            Panel(
                "Points more, or less",
                "Share of judgements in which the shadow's score less the published one is up to so much. All on one "
                "side: move the thresholds together with the weights.",
                "percentunit",
                {"up to {{le}}": f"sum by (le) (increase(superfan_shadow_difference_points_bucket{{{BRAND}}}[$__range])) "
                                 "/ on () group_left () "
                                 f"sum(increase(superfan_shadow_difference_points_count{{{BRAND}}}[$__range]))"},
                "bars", width=12,
            ),
        ],
        "Whom do we ask?": [
            Panel(
                "Candidates, the best first",
                "From the store. Read the watch-outs (`superfan candidates show`) before asking; then send feedback, "
                "so that nobody is asked twice.",
                "none", CANDIDATES_SQL.strip(), "table", width=20,
            ),
            Panel(
                "Notices overdue, by brand",
                "People to be told that their posts are read. Sort the list by notice_due_at, tell them, send "
                "`contacted` as feedback.",
                "short", {"{{brand}}": f"superfan_notices_overdue{{{BRAND}}}"}, "stat", (1, 1), width=4,
            ),
        ],
    },
    by_brand=True,
)  # fmt: skip

DASHBOARDS = (OVERVIEW, PIPELINE, KAFKA, LISTENING)


class Sql(Dataquery):
    """A query of PostgreSQL; the SDK has no type of its own for it."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> "Sql":
        """The query itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return {
            "refId": "A",
            "datasource": POSTGRES,
            "format": "table",
            "rawQuery": True,
            "editorMode": "code",
            "rawSql": self._sql,
        }


def rendered(board: Dashboard) -> str:
    """The dashboard as Grafana's JSON."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.purpose)
        .tags(["superfan"])
        .readonly()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(board.since, "now")
        .refresh("30s")
        .link(
            dashboard.DashboardLink("Superfan")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["superfan"])
            .keep_time(True)
            .as_dropdown(True)
        )
        .with_variable(dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus"))
    )
    if any(isinstance(panel.ask, str) for panels in board.rows.values() for panel in panels):
        made.with_variable(
            dashboard.DatasourceVariable("postgres").label("PostgreSQL").type("grafana-postgresql-datasource")
        )
    if board.by_brand:
        made.with_variable(
            dashboard.QueryVariable("brand")
            .label("Brand")
            .datasource(PROMETHEUS)
            .query("label_values(superfan_opinions_total, brand)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
        )
    number = itertools.count(1)
    for question, panels in board.rows.items():
        made.with_row(dashboard.Row(question).id(next(number)))
        for panel in panels:
            made.with_panel(_panel(panel).id(next(number)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(panel: Panel) -> Any:
    kinds = {"graph": timeseries.Panel, "stat": stat.Panel, "table": table.Panel, "bars": bargauge.Panel}
    made: Any = kinds[panel.kind]()
    made.title(panel.title).description(panel.do).unit(panel.unit).span(panel.width)
    made.height(10 if panel.kind == "table" else 7)
    if panel.bad:
        steps = [Threshold(value=None, color="green")]
        steps += [Threshold(value=v, color=c) for v, c in zip(panel.bad, ("orange", "red"), strict=True)]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if isinstance(panel.ask, str):
        made.datasource(POSTGRES).with_target(Sql(panel.ask)).show_header(True)
        link = {"title": "Open the profile", "url": "${__data.fields.profile_url}", "targetBlank": True}
        made.override_by_name("who", [DynamicConfigValue(id_val="links", value=[link])])
        made.override_by_name("profile_url", [DynamicConfigValue(id_val="custom.hidden", value=True)])
        return made
    made.datasource(PROMETHEUS)
    for letter, (legend, expr) in zip("ABCDEFGH", panel.ask.items(), strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter).datasource(PROMETHEUS)
        made.with_target(query.range() if panel.kind == "graph" else query.instant())
    if panel.kind == "graph":
        made.fill_opacity(25 if panel.stacked else 8).gradient_mode(GraphGradientMode.NONE)
        made.legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        if panel.stacked:
            made.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if panel.kind == "bars":
        made.orientation(VizOrientation.HORIZONTAL)
    if panel.kind == "stat":
        made.color_mode(BigValueColorMode.VALUE if panel.bad else BigValueColorMode.NONE)
    return made


def questions() -> str:
    """The table of the README: each row of each dashboard, and what answers it."""
    lines = ["| dashboard | question | answered by |", "|---|---|---|"]
    for board in DASHBOARDS:
        for question, panels in board.rows.items():
            titles = "; ".join(panel.title for panel in panels)
            lines.append(f"| {board.title.removeprefix('Superfan: ')} | {question} | {titles} |")
    return "\n".join(lines) + "\n"


def files() -> Iterator[tuple[Path, str]]:
    """Everything that is generated: path and content."""
    for board in DASHBOARDS:
        yield HERE / "dashboards" / f"{board.uid}.json", rendered(board)
    readme = HERE / "README.md"
    head, _, rest = readme.read_text().partition("<!-- questions -->\n")
    tail = rest.partition("<!-- end -->\n")[2]
    yield readme, f"{head}<!-- questions -->\n{questions()}<!-- end -->\n{tail}"


def main() -> None:
    """Write what differs, and say so; with `--check` only say, and fail when anything does."""
    check = "--check" in sys.argv
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        sys.stderr.write(
            f"{path.relative_to(HERE)} {'is not as build.py makes it' if check else 'written'}\n"
        )
        if not check:
            path.write_text(text)
    sys.exit(bool(check and stale))


if __name__ == "__main__":
    main()
