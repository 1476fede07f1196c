"""Build the dashboards and the table of their questions; `make generate` writes them.

Each row of a dashboard is a question. A panel answers part of it, and its description says how to act on it.
Edit this file and not the JSON beside it: a test compares the two.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphGradientMode,
    GraphTresholdsStyleMode,
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
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
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
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    """what stands there in place of a number, and its colour"""
    colors: Mapping[str, str] = field(default_factory=dict)
    """by legend, where a colour means something"""
    stacked: bool = False
    width: int = 8
    height: int = 7


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


def shares(metric: str, selector: str, parts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """What share of a histogram is between two of its bounds, over the range shown; "" is the beginning."""

    def under(bound: str) -> str:
        return f'sum(increase({metric}_bucket{{{selector}, le="{bound}"}}[$__range]))'

    return {
        legend: f"({under(high)}{f' - {under(low)}' if low else ''}) / {under('+Inf')}"
        for legend, (low, high) in parts.items()
    }


def rate(metric: str, by: str = "", selector: str = "") -> str:
    """Per second, summed."""
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{selector}}}[$__rate_interval]))"


BRAND = 'brand=~"$brand"'
POSITIVE, NEUTRAL, NEGATIVE = "green", "#8e8e8e", "red"
UP: Mapping[float, tuple[str, str]] = {0: ("no", "red"), 1: ("yes", "green")}
OUT = 'role="profile", topic="enriched"'

CANDIDATES_SQL = """
select score, coalesce(handle, author_id) as who, record->>'profile_url' as profile_url, brand, headline, state,
  tier, followers, customer, confidence, entered_at::timestamptz, expires_at::timestamptz,
  notice_due_at::timestamptz
from candidates
where brand in (${brand:sqlstring}) and state in ('candidate', 'watch')
order by state, score desc, key
limit 200
"""
COLUMNS = {"score": 70, "who": 160, "brand": 110, "headline": 620, "state": 90, "tier": 70, "followers": 90}
"""pixels; the headline says why, and must not be what is cut"""

OVERVIEW = Dashboard(
    "superfan-overview", "Superfan: Overview", "Is it fresh, right and alive, and what came out", "now-6h",
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
                bad=(60, 300), width=12,
            ),
        ],
        "Is it right?": [
            Panel(
                "Dead letters, last hour",
                "Share of posts that could not be used. Over 1 %: `superfan dead-letters list` says which and why.",
                "percentunit", {"dead letters": "superfan:quality_errors:ratio1h"}, "stat", (0.01, 0.144), width=4,
            ),
            Panel(
                "Alerts that fire",
                "By name; each has a runbook in deploy/runbooks. A page first, then tickets: causes go before what "
                "they cause.",
                "short",
                {"{{alertname}}": 'count by (alertname) (ALERTS{alertname=~"Superfan.*", alertstate="firing"}) '
                                  'or on () label_replace(vector(0), "alertname", "firing", "", "")'},
                "stat", (1, 1), {0: ("none", "green")},
            ),
            Panel(
                "Budgets: how fast they burn",
                "1 uses up a month's budget of errors (1 %) in a month. Over 14.4 on both windows pages, over 3 for a "
                "day is a ticket.",
                "suffix:x",
                {f"{slo}, {w}": f"superfan:{slo}_errors:ratio{w} / 0.01"
                 for slo in ("freshness", "quality", "delivery") for w in ("5m", "1h")},
                bad=(3, 14.4), width=12,
            ),
        ],
        "Is it alive?": [
            Panel(
                "Posts in",
                "Posts read per second, of the last five minutes. Zero with a lag: enrich is not there. Zero without "
                "one: upstream is silent.",
                "suffix:/s", {"posts": "superfan:posts:rate5m or vector(0)"}, "trend", width=6,
            ),
            Panel(
                "Silent processes",
                "Workers and exporters that Prometheus cannot ask. Over 0: is it started, does it log? Lag and "
                "candidates are known without the workers.",
                "short", {"silent": 'count(up{job="superfan"} == 0) or on () vector(0)'}, "stat", (1, 1),
                {0: ("none", "green")}, width=4,
            ),
            Panel(
                "Answers when asked",
                "Broker and store, as the exporter finds them. No: `superfan doctor`; nothing is lost meanwhile.",
                "short", {"{{dependency}}": "min by (dependency) (superfan_dependency_up)"}, "stat", words=UP, width=6,
            ),
            Panel(
                "What runs",
                "Processes by version and by version of the rules. Two of either for longer than a deployment takes: "
                "some workers judge by other rules; bring them to one.",
                "short", {"{{version}}, rules {{model_version}}":
                          "count by (version, model_version) (superfan_build_info)"}, "stat",
            ),
        ],
        "What came out?": [
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
            ),
            Panel(
                "Notices overdue",
                "People who were to be told that their posts are read, and were not. Over 0: tell them, or take them "
                "off; Listening lists them by date.",
                "short", {"overdue": "sum(superfan_notices_overdue)"}, "stat", (1, 1), {0: ("none", "green")}, width=4,
            ),
            Panel(
                "Age of the figures",
                "Time since what a post costs was read, and since the posts of the usual engagement. Over half a year, "
                "or red: read them anew (`models/tables`).",
                "s", {"{{benchmark}}": "time() - superfan_benchmark_timestamp_seconds"}, "stat", (15552000, 31104000),
                width=4,
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
                "suffix:/s", {"{{topic}}": rate("superfan_posts_total", "topic")}, stacked=True,
            ),
            Panel(
                "Posts in, by platform",
                "`unknown` could not be read that far. A platform that goes silent: look at its source.",
                "suffix:/s", {"{{platform}}": rate("superfan_posts_total", "platform")}, stacked=True,
            ),
            Panel(
                "Done, by role",
                "Records with everything they led to confirmed. The role whose line is lowest for long is the "
                "bottleneck: scale it.",
                "suffix:/s", {"{{role}}": rate("superfan_pipeline_latency_seconds_count", "role")},
            ),
            Panel(
                "What became of posts",
                "In profile; replayed after restarts only. Many duplicates: upstream sends twice, which is harmless.",
                "suffix:/s", {"{{outcome}}": rate("superfan_outcomes_total", "outcome", 'role="profile"')},
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
                "suffix:/s",
                {"all of {{role}}": rate("superfan_outcomes_total", "role", 'outcome="dead_letter"'),
                 "{{reason}}": rate("superfan_outcomes_total", "reason", 'outcome="dead_letter"') + " > 0"},
            ),
            Panel(
                "Dead letters against the limit",
                "Of the last records. A worker stops at its limit: mend what sends them before, see "
                "SuperfanDeadLetterLimitNear.",
                "percentunit",
                {"{{role}}": "max by (role) (superfan_dead_letter_share_ratio)",
                 "limit of {{role}}": "min by (role) (superfan_dead_letter_limit_ratio)"},
                width=6,
            ),
            Panel(
                "Dropped by reason",
                "Well-formed and not wanted. `no_brand` rising: a new product or handle that `[[brands]]` does not name?",
                "suffix:/s", {"{{reason}}": rate("superfan_outcomes_total", "reason", 'outcome="dropped"')},
                width=6,
            ),
            Panel(
                "Text restarts",
                "Text processes that were replaced, each time since a record killed one. It is in dead-letters as "
                "`poison`. Without one: out of memory.",
                "short", {"last hour": "sum(increase(superfan_nlp_pool_restarts_total[1h]))"}, "stat", (1, 5),
                width=4,
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
                "short", {"{{role}} {{topic}} {{partition}}": "sort_desc(topk(10, superfan_consumer_lag_records))"},
                "bars",
            ),
            Panel(
                "Written and consumed",
                "Records per second, by topic. Written without consumed: nobody reads, SuperfanNothingConsumed.",
                "suffix:/s",
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
                "short", {"{{role}}": "sum by (role) (superfan_assigned_partitions)"}, width=6,
            ),
            Panel(
                "Assignments, 15 minutes",
                "Each stops a role for a moment. Over five: SuperfanRebalanceStorm.",
                "short", {"{{role}}": "max by (role) (increase(superfan_rebalances_total[15m]))"}, width=6,
            ),
            Panel(
                "Changelog records to be read",
                "While above 0 a worker's partitions wait. Not falling: SuperfanRecoveryStuck.",
                "short", {"{{instance}}": "superfan_recovery_remaining_records"}, width=6,
            ),
            Panel(
                "Recoveries: mean seconds",
                "Since the workers started. Long: fewer authors a worker (more replicas), or a shorter window.",
                "s", {"mean": "sum(superfan_recovery_seconds_sum) / sum(superfan_recovery_seconds_count)"}, "stat",
                width=6,
            ),
        ],
        "What is remembered?": [
            Panel(
                "Keys",
                "Authors, customers and handles in memory. Authors grow until the window's end, then stay.",
                "short", {"{{state}}": "sum by (state) (superfan_state_keys)"}, width=5,
            ),
            Panel(
                "Bytes",
                "Packed; a worker needs about three times that. Plan memory by it.",
                "bytes", {"{{state}}": "sum by (state) (superfan_state_bytes)"}, width=5,
            ),
            Panel(
                "Memory of the processes",
                "Resident. Rising while the states do not: a leak; restart, and tell the developers.",
                "bytes", {"{{instance}}": 'process_resident_memory_bytes{job="superfan"}'}, width=6,
            ),
            Panel(
                "Older states refused",
                "A worker that had lost a partition wrote to it all the same; recovery refused it. Over 0: look for "
                "pauses beyond the session in the logs.",
                "short", {"since the start": "sum(superfan_stale_states_refused_total)"}, "stat", (1, 10),
                width=4,
            ),
            Panel(
                "Newest post counted",
                "How long ago it was written. Hours, while posts come in: a source sends history.",
                "s", {"ago": "time() - (max(superfan_watermark_timestamp_seconds) > 0)"}, "stat",
                width=4,
            ),
        ],
        "Does the store keep up?": [
            Panel(
                "Rows",
                "Stale ones are older than what is there: normal after restarts and when batches hold many of a key.",
                "suffix:/s", {"{{change}}": rate("superfan_store_rows_total", "change")}, stacked=True,
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
                {"{{brand}}": f"sort_desc(sum by (brand) (increase(superfan_opinions_total{{{BRAND}}}[$__range])) / "
                              f"on () group_left () sum(increase(superfan_opinions_total{{{BRAND}}}[$__range])))"},
                "bars",
            ),
            Panel(
                "Sentiment",
                "Positive, neutral and negative opinions of the brands chosen. All negative at once: SuperfanSentimentDrop.",
                "suffix:/s", {"{{sentiment}}": rate("superfan_opinions_total", "sentiment", BRAND)}, stacked=True,
                colors={"positive": POSITIVE, "neutral": NEUTRAL, "negative": NEGATIVE},
            ),
            Panel(
                "Positive minus negative",
                "Share of three hours against that of a week, -1 to 1. Far below its week: ask what happened.",
                "percentunit",
                {"{{brand}}, 3 h": f"superfan:sentiment_net:ratio3h{{{BRAND}}}",
                 "{{brand}}, 7 d": f"superfan:sentiment_net:ratio7d{{{BRAND}}}"},
                width=12,
            ),
            Panel(
                "Drift of the mix",
                "Population stability index of a day against a week. Over 0.25: the world, or our text pipeline, has "
                "changed; annotate some posts by hand.",
                "short", {"{{brand}}": f"sort_desc(round(superfan:sentiment_drift:psi{{{BRAND}}}, 0.001))"}, "bars",
                (0.1, 0.25), width=6,
            ),
            Panel(
                "Opinions that count less",
                "Giveaways, sponsored posts and reposts, irony. Over a third: SuperfanGiveawayStorm; ask marketing.",
                "suffix:/s", {"{{cue}}": rate("superfan_cued_opinions_total", "cue", BRAND)}, width=6,
            ),
        ],
        "Who loves it?": [
            Panel(
                "Candidates by brand and tier",
                "In the store, candidates and those to watch. A wanted tier without any: is `tiers.wanted` right?",
                "short",
                {"{{brand}} {{tier}} {{state}}": "sort_desc(sum by (brand, tier, state) (superfan_candidates"
                                                 f'{{{BRAND}, state=~"candidate|watch"}}))'},
                "bars", width=12, height=9,
            ),
            Panel(
                "Changes of state, by reason",
                "Over the range shown. Many `low_score`: the campaign is over; `inauthentic`: look at them.",
                "short",
                {"{{before}} to {{after}}, {{reason}}":
                 "sort_desc(round(sum by (before, after, reason) "
                 f"(increase(superfan_transitions_total{{{BRAND}}}[$__range]))) > 0)"},
                "bars", width=12, height=9,
            ),
            Panel(
                "Scores",
                "Shares of published profiles, in the range shown. All low: thresholds too high for the brand, or few "
                "customers known.",
                "percentunit",
                shares("superfan_score_points", BRAND,
                       {"under 20": ("", "20.0"), "20 to 40": ("20.0", "40.0"), "40 to 60": ("40.0", "60.0"),
                        "60 to 80": ("60.0", "80.0"), "over 80": ("80.0", "+Inf")}),
                "bars", width=12,
            ),
            Panel(
                "Rules of authenticity that fired",
                "Published profiles held back by flood, promoted or clockwork. A peak: somebody floods the brand.",
                "suffix:/s", {"{{rule}}": rate("superfan_authenticity_rules_fired_total", "rule")}, width=12,
            ),
        ],
        "What would other rules say?": [
            Panel(
                "Who would enter, who would leave",
                "Judgements by the rules of `[shadow] config` that put an author on the board, or take one off. Much of "
                "either: `superfan backtest --compare` says who and why.",
                "suffix:/s",
                {"{{verdict}}": rate("superfan_shadow_judgements_total", "verdict", f'{BRAND}, verdict!="agree"')},
                width=12,
            ),
            Panel(
                "Points more, or less",
                "The shadow's score beside the published one: shares of judgements, in the range shown. All on one "
                "side: move the thresholds together with the weights.",
                "percentunit",
                shares("superfan_shadow_difference_points", BRAND,
                       {"over 5 less": ("", "-5.0"), "1 to 5 less": ("-5.0", "-1.0"), "the same": ("-1.0", "1.0"),
                        "1 to 5 more": ("1.0", "5.0"), "over 5 more": ("5.0", "+Inf")}),
                "bars", width=12,
            ),
        ],
        "Whom do we ask?": [
            Panel(
                "Candidates, the best first",
                "From the store. Read the watch-outs (`superfan candidates show`) before asking; then send feedback, "
                "so that nobody is asked twice.",
                "none", CANDIDATES_SQL.strip(), "table", width=20, height=10,
            ),
            Panel(
                "Notices overdue",
                "People to be told that their posts are read. Sort the list by notice_due_at, tell them, send "
                "`contacted` as feedback.",
                "short", {"{{brand}}": f"superfan_notices_overdue{{{BRAND}}}"}, "stat", (1, 1),
                {0: ("none", "green")}, width=4, height=10,
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
    kinds: Mapping[str, Callable[[], Any]] = {
        "graph": timeseries.Panel,
        "stat": stat.Panel,
        "trend": stat.Panel,
        "bars": bargauge.Panel,
        "table": table.Panel,
    }
    made: Any = kinds[panel.kind]()
    made.title(panel.title).description(panel.do).unit(panel.unit).span(panel.width).height(panel.height)
    if panel.bad:
        steps = [Threshold(value=None, color="green")]
        steps += [Threshold(value=v, color=c) for v, c in zip(panel.bad, ("orange", "red"), strict=True)]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.words:
        words = {str(v): ValueMappingResult(text=text, color=c) for v, (text, c) in panel.words.items()}
        made.mappings([ValueMap(words)])
    for legend, color in panel.colors.items():
        made.override_by_name(legend, [_option("color", {"mode": "fixed", "fixedColor": color})])
    if isinstance(panel.ask, str):
        made.datasource(POSTGRES).with_target(Sql(panel.ask)).show_header(True)
        link = {"title": "Open the profile", "url": "${__data.fields.profile_url}", "targetBlank": True}
        made.override_by_name("who", [_option("links", [link])])
        # Its value is needed by the link; versions of Grafana differ in how a column is hidden.
        hidden = [_option("custom.hidden", True), _option("custom.hideFrom.viz", True)]
        made.override_by_name("profile_url", hidden)
        for column, width in COLUMNS.items():
            made.override_by_name(column, [_option("custom.width", width)])
        return made
    made.datasource(PROMETHEUS)
    for letter, (legend, expr) in zip("ABCDEFGH", panel.ask.items(), strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter).datasource(PROMETHEUS)
        made.with_target(query.range() if panel.kind in ("graph", "trend") else query.instant())
    if panel.kind == "graph":
        _graph(made, panel)
    if panel.kind == "bars":
        made.orientation(VizOrientation.HORIZONTAL).min(0)
        made.text(common.VizTextDisplayOptions().title_size(14).value_size(16))
        if panel.unit == "percentunit":
            made.max(1)
    if panel.kind in ("stat", "trend"):
        named = any("{{" in legend for legend in panel.ask)
        made.text_mode(BigValueTextMode.VALUE_AND_NAME if named else BigValueTextMode.VALUE)
        made.graph_mode(BigValueGraphMode.AREA if panel.kind == "trend" else BigValueGraphMode.NONE)
        coloured = panel.bad or panel.words or panel.kind == "trend"
        made.color_mode(BigValueColorMode.VALUE if coloured else BigValueColorMode.NONE)
    if panel.kind in ("bars", "trend") and not panel.bad:
        made.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("blue"))
    return made


def _graph(made: Any, panel: Panel) -> None:
    made.fill_opacity(25 if panel.stacked else 0).gradient_mode(GraphGradientMode.NONE).axis_soft_min(0)
    made.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.RIGHT if panel.width >= 12 else LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if panel.bad:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))


def _option(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)


def questions() -> str:
    """The table of the README: each row of each dashboard, and what answers it."""
    lines = ["| dashboard | question | answered by |", "|---|---|---|"]
    for board in DASHBOARDS:
        for question, panels in board.rows.items():
            titles = "; ".join(panel.title for panel in panels)
            lines.append(f"| {board.title.removeprefix('Superfan: ')} | {question} | {titles} |")
    return "\n".join(lines) + "\n"


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and the content of every dashboard."""
    for board in DASHBOARDS:
        yield HERE / "dashboards" / f"{board.uid}.json", rendered(board)
