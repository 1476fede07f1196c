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
    """A panel. `ask` maps legends to PromQL, or is one SQL query. `do` explains it and advises on action."""

    title: str
    do: str
    unit: str
    ask: Mapping[str, str] | str
    kind: str = "graph"
    bad: Sequence[float] = ()
    """values from which it is orange and red"""
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict)
    """words to show instead of a number, each with a colour"""
    colors: Mapping[str, str] = field(default_factory=dict)
    """colours by legend, where a colour has a meaning"""
    stacked: bool = False
    width: int = 8
    height: int = 7


@dataclass(frozen=True)
class Dashboard:
    """A dashboard. `rows` maps each question to the panels that answer it."""

    uid: str
    title: str
    purpose: str
    since: str
    rows: Mapping[str, Sequence[Panel]]
    by_brand: bool = False


def quantile(share: float, metric: str, selector: str = "", by: str = "") -> str:
    """Return the PromQL of a histogram's quantile over the rate interval."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))"


def shares(metric: str, selector: str, parts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return PromQL by legend: the share of a histogram between two bounds, over the time range.

    An empty lower bound means no lower bound.
    """

    def under(bound: str) -> str:
        return f'sum(increase({metric}_bucket{{{selector}, le="{bound}"}}[$__range]))'

    return {
        legend: f"({under(high)}{f' - {under(low)}' if low else ''}) / {under('+Inf')}"
        for legend, (low, high) in parts.items()
    }


def rate(metric: str, by: str = "", selector: str = "") -> str:
    """Return the PromQL of a summed rate per second."""
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{selector}}}[$__rate_interval]))"


FRESH, STORED = 60, 300
"""objectives in seconds: from arrival to the published profile, and to the candidate in the store"""
BUDGET, SLOW_BURN, FAST_BURN = 0.01, 3, 14.4
"""share of errors that an objective allows, and the burn rates that open a ticket and that page"""
BURNS = (BUDGET, round(FAST_BURN * BUDGET, 3))
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
"""column widths in pixels; the headline explains the candidate and must not be cut"""

OVERVIEW = Dashboard(
    "superfan-overview", "Superfan: Overview", "Is Superfan up to date, correct and running, and what did it find?", "now-6h",
    {
        "Is it up to date?": [
            Panel(
                "Late posts, last hour",
                f"Share of posts whose profile was not published within {FRESH} s of arrival, or of time with a "
                f"post waiting longer. Above {BUDGET:.0%} it uses up the error budget; red: see "
                "SuperfanFreshnessBurnsFast.",
                "percentunit", {"late": "superfan:freshness_errors:ratio1h"}, "stat", BURNS, width=4,
            ),
            Panel(
                "Oldest waiting record",
                "Age by role, measured at the broker, so a stuck worker shows. If it rises, open Pipeline and start "
                "with the first role that is late.",
                "s", {"{{role}}": "superfan:lag_seconds:max"}, "stat", (FRESH, STORED),
            ),
            Panel(
                "Time from arrival to profile",
                f"Until everything that a post leads to is confirmed. If the 95th percentile exceeds {FRESH} s, "
                "find the slow role under Pipeline, Where does the time go?",
                "s",
                {f"{share:.0%}": quantile(share, "superfan_pipeline_latency_seconds", OUT)
                 for share in (0.5, 0.95, 0.99)},
                bad=(FRESH, STORED), width=12,
            ),
        ],
        "Is it correct?": [
            Panel(
                "Dead letters, last hour",
                f"Share of posts that could not be processed. Above {BUDGET:.0%}: run `superfan dead-letters list` "
                "to see the records and reasons.",
                "percentunit", {"dead letters": "superfan:quality_errors:ratio1h"}, "stat", BURNS, width=4,
            ),
            Panel(
                "Firing alerts",
                "Each has a runbook in deploy/runbooks. Handle pages before tickets, and causes before their "
                "effects.",
                "short",
                {"{{alertname}}": 'count by (alertname) (ALERTS{alertname=~"Superfan.*", alertstate="firing"}) '
                                  'or on () label_replace(vector(0), "alertname", "firing", "", "")'},
                "stat", (1, 1), {0: ("none", "green")},
            ),
            Panel(
                "Error budget burn rate",
                f"At 1, the monthly error budget of {BUDGET:.0%} lasts exactly a month. Above {FAST_BURN} in both "
                f"windows pages; above {SLOW_BURN} for a day opens a ticket.",
                "suffix:x",
                {f"{slo}, {w}": f"superfan:{slo}_errors:ratio{w} / {BUDGET}"
                 for slo in ("freshness", "quality", "delivery") for w in ("5m", "1h")},
                bad=(SLOW_BURN, FAST_BURN), width=12,
            ),
        ],
        "Is it running?": [
            Panel(
                "Posts read",
                "Posts per second over the last five minutes. Zero with lag: enrich is not running. Zero without "
                "lag: the sources send nothing.",
                "suffix:/s", {"posts": "superfan:posts:rate5m or vector(0)"}, "trend", width=6,
            ),
            Panel(
                "Processes down",
                "Workers and exporters that Prometheus cannot scrape. Above 0: check that the process runs, then "
                "its log. Lag and candidates are measured without the workers.",
                "short", {"down": 'count(up{job="superfan"} == 0) or on () vector(0)'}, "stat", (1, 1),
                {0: ("none", "green")}, width=4,
            ),
            Panel(
                "Dependencies up",
                "Broker and store, as the exporter sees them. If one is down, run `superfan doctor`. Nothing is "
                "lost meanwhile.",
                "short", {"{{dependency}}": "min by (dependency) (superfan_dependency_up)"}, "stat", words=UP, width=6,
            ),
            Panel(
                "Running versions",
                "Processes by release and by version of the rules. Two versions are normal during a deployment "
                "only: afterwards, some workers judge by other rules. Bring them to one.",
                "short", {"{{version}}, rules {{model_version}}":
                          "count by (version, model_version) (superfan_build_info)"}, "stat",
            ),
        ],
        "What did it find?": [
            Panel(
                "Candidates",
                "Candidates in the store, by state. None for days: compare the thresholds with the scores on "
                "Listening.",
                "short", {"{{state}}": "sum by (state) (superfan_candidates)"}, "stat",
            ),
            Panel(
                "New candidates per hour",
                "Promotions to the state `candidate`. A sudden rise: see SuperfanCandidateRateHigh before "
                "contacting anyone.",
                "short",
                {"{{brand}}": 'sum by (brand) (increase(superfan_transitions_total{after="candidate"}[1h]))'},
            ),
            Panel(
                "Overdue notices",
                "Candidates who have not been informed in time that their posts are read. Inform or remove them; "
                "Listening lists them by date.",
                "short", {"overdue": "sum(superfan_notices_overdue)"}, "stat", (1, 1), {0: ("none", "green")}, width=4,
            ),
            Panel(
                "Age of benchmark data",
                "Time since the benchmarks for post costs and engagement were collected. Orange or red: update the "
                "files in `models/tables`.",
                "s", {"{{benchmark}}": "time() - superfan_benchmark_timestamp_seconds"}, "stat", (15552000, 31104000),
                width=4,
            ),
        ],
    },
)  # fmt: skip

PIPELINE = Dashboard(
    "superfan-pipeline", "Superfan: Pipeline", "Throughput, errors by reason, and duration per stage", "now-3h",
    {
        "How much is processed?": [
            Panel(
                "Posts read, by topic",
                "Posts that enrich reads. If one topic drops to zero, ask the owner of its source.",
                "suffix:/s", {"{{topic}}": rate("superfan_posts_total", "topic")}, stacked=True,
            ),
            Panel(
                "Posts read, by platform",
                "`unknown` means that the platform could not be read from the record. If one platform drops to "
                "zero, check its source.",
                "suffix:/s", {"{{platform}}": rate("superfan_posts_total", "platform")}, stacked=True,
            ),
            Panel(
                "Records completed, by role",
                "Records with all their results confirmed. The role that stays lowest is the bottleneck: scale it.",
                "suffix:/s", {"{{role}}": rate("superfan_pipeline_latency_seconds_count", "role")},
            ),
            Panel(
                "Outcomes of posts",
                "Posts in the profile role. `replayed` appears after restarts only. Many duplicates mean that a "
                "source sends posts twice, which is harmless.",
                "suffix:/s", {"{{outcome}}": rate("superfan_outcomes_total", "outcome", 'role="profile"')},
            ),
            Panel(
                "Records in flight",
                "Records started but not confirmed, at most `worker.in_flight`. At the limit for long: the broker "
                "is slow (check its disks) or the role needs more replicas.",
                "short", {"{{role}}": "sum by (role) (superfan_pending_records)"},
            ),
            Panel(
                "CPU",
                "Cores used by each process, without the text processes of enrich. Near 1: its event loop is "
                "saturated; add replicas.",
                "short",
                {"{{instance}} cores": 'rate(process_cpu_seconds_total{job="superfan"}[$__rate_interval])'},
            ),
        ],
        "What goes wrong?": [
            Panel(
                "Dead letters by reason",
                "Run `superfan dead-letters list` for the records. `internal` and `poison`: report the record as a "
                "bug. Other reasons: tell the sender.",
                "suffix:/s",
                {"all of {{role}}": rate("superfan_outcomes_total", "role", 'outcome="dead_letter"'),
                 "{{reason}}": rate("superfan_outcomes_total", "reason", 'outcome="dead_letter"') + " > 0"},
            ),
            Panel(
                "Dead letter share and limit",
                "Share among the last records. A worker stops at its limit, so fix the cause first: see "
                "SuperfanDeadLetterLimitNear.",
                "percentunit",
                {"{{role}}": "max by (role) (superfan_dead_letter_share_ratio)",
                 "limit of {{role}}": "min by (role) (superfan_dead_letter_limit_ratio)"},
                width=6,
            ),
            Panel(
                "Dropped by reason",
                "Valid records that are not needed. If `no_brand` rises, check for a new product or handle that is "
                "missing from `[[brands]]`.",
                "suffix:/s", {"{{reason}}": rate("superfan_outcomes_total", "reason", 'outcome="dropped"')},
                width=6,
            ),
            Panel(
                "Text process restarts",
                "Text processes replaced after a record killed one. Such a record is in dead-letters as `poison`; "
                "without one, the process ran out of memory.",
                "short", {"last hour": "sum(increase(superfan_nlp_pool_restarts_total[1h]))"}, "stat", (1, 5),
                width=4,
            ),
        ],
        "Where does the time go?": [
            Panel(
                "Age when completed, 95th percentile",
                "Time from a record's arrival until a role has completed it. The first role with a high value is "
                "the cause; later roles inherit it.",
                "s", {"{{role}} {{topic}}": quantile(0.95, "superfan_pipeline_latency_seconds", by="role, topic")},
            ),
            Panel(
                "Text: seconds per batch",
                "Time a text process spends on one batch. It grows with longer posts. If it doubles after a "
                "deployment, roll back.",
                "s", {f"{share:.0%}": quantile(share, "superfan_nlp_batch_seconds") for share in (0.5, 0.95)},
            ),
            Panel(
                "Text: posts per batch",
                "Full batches (`worker.batch`) mean that enrich is saturated: add text processes or replicas.",
                "short",
                {"mean": "sum(rate(superfan_nlp_batch_posts_sum[$__rate_interval])) / "
                         "sum(rate(superfan_nlp_batch_posts_count[$__rate_interval]))"},
            ),
            Panel(
                "Mean step duration",
                "One step is one record in profile and one batch in enrich and sink. Above 1 ms in profile: authors "
                "with very many posts.",
                "s",
                {"{{role}}": "sum by (role) (rate(superfan_step_seconds_sum[$__rate_interval])) / "
                             "sum by (role) (rate(superfan_step_seconds_count[$__rate_interval]))"},
            ),
            Panel(
                "Share of time in steps",
                "Sum over all workers of a role. If profile is near 1 per worker, its event loop is saturated: add "
                "a worker.",
                "percentunit", {"{{role}}": rate("superfan_step_seconds_sum", "role")},
            ),
            Panel(
                "Age of posts when counted",
                "Time from the writing of a post until it is counted. Rising at low latency: the source delivers "
                "late. Replayed history counts as old.",
                "s", {"median": quantile(0.5, "superfan_event_latency_seconds")},
            ),
        ],
    },
)  # fmt: skip

KAFKA = Dashboard(
    "superfan-kafka", "Superfan: Kafka and tables", "Lag, partitions, memory and the store", "now-3h",
    {
        "Which role is behind?": [
            Panel(
                "Consumer lag",
                "Waiting records by role, measured at the broker. Rising for half an hour opens a ticket: "
                "SuperfanLagKeepsRising.",
                "short", {"{{role}}": "superfan:lag_records:sum"},
            ),
            Panel(
                "Age of the oldest waiting record",
                "By role and topic. For `erasures`, see SuperfanErasureBacklog: a delay breaks a promise to a "
                "person.",
                "s", {"{{role}} {{topic}}": "max by (role, topic) (superfan_consumer_lag_seconds)"},
            ),
            Panel(
                "The ten partitions with most lag",
                "One partition alone: a very active author or a stuck record; check the log of its worker. All "
                "alike: too few workers.",
                "short", {"{{role}} {{topic}} {{partition}}": "sort_desc(topk(10, superfan_consumer_lag_records))"},
                "bars",
            ),
            Panel(
                "Written and consumed",
                "Records per second, by topic. Written but not consumed: no worker reads the topic, see "
                "SuperfanNothingConsumed.",
                "suffix:/s",
                {"{{topic}} written": rate("superfan_topic_records_total", "topic"),
                 "{{topic}} consumed": rate("superfan_consumed_records_total", "topic")},
                width=12,
            ),
            Panel(
                "Erasures in progress",
                "Age of the oldest waiting record on the path of an erasure, including the store. Red opens a "
                "ticket: SuperfanErasureBacklog.",
                "s", {"oldest": "superfan:erasure_backlog_seconds:max"}, "stat", (600, 3600), width=4,
            ),
            Panel(
                "Last completed record",
                "Time since the arrival of the newest record that a role completed. Far above the age of the oldest "
                "waiting record: nothing arrives.",
                "s", {"{{role}}": "time() - (max by (role) (superfan_processed_timestamp_seconds) > 0)"},
            ),
        ],
        "Do workers keep their partitions?": [
            Panel(
                "Assigned partitions",
                "Sum over all workers. It should equal the number of partitions. Fewer: a rebalance, a recovery, or "
                "no worker.",
                "short", {"{{role}}": "sum by (role) (superfan_assigned_partitions)"}, width=6,
            ),
            Panel(
                "Partition assignments, 15 minutes",
                "Each one stops a role for a moment. Many: see SuperfanRebalanceStorm.",
                "short", {"{{role}}": "max by (role) (increase(superfan_rebalances_total[15m]))"}, width=6,
            ),
            Panel(
                "Recovery: records left",
                "While it is above 0, the worker's partitions wait. If it does not fall, see SuperfanRecoveryStuck.",
                "short", {"{{instance}}": "superfan_recovery_remaining_records"}, width=6,
            ),
            Panel(
                "Recovery: mean duration",
                "Since the workers started. If it is long, reduce the authors per worker (more replicas) or shorten "
                "the window.",
                "s", {"mean": "sum(superfan_recovery_seconds_sum) / sum(superfan_recovery_seconds_count)"}, "stat",
                width=6,
            ),
        ],
        "What is held in memory?": [
            Panel(
                "Keys in memory",
                "Authors, customers and handles. The number of authors grows until the first window has passed, "
                "then levels off.",
                "short", {"{{state}}": "sum by (state) (superfan_state_keys)"}, width=5,
            ),
            Panel(
                "Bytes in memory",
                "Packed size of the states. Plan for about three times as much memory per worker.",
                "bytes", {"{{state}}": "sum by (state) (superfan_state_bytes)"}, width=5,
            ),
            Panel(
                "Memory of the processes",
                "Resident memory. If it rises while the states do not, it is a leak: restart the worker and report "
                "a bug.",
                "bytes", {"{{instance}}": 'process_resident_memory_bytes{job="superfan"}'}, width=6,
            ),
            Panel(
                "Outdated states",
                "Recovery refused states written by a worker that had lost the partition. Above 0: check the logs "
                "for pauses longer than the session timeout.",
                "short", {"since the start": "sum(superfan_stale_states_refused_total)"}, "stat", (1, 10),
                width=4,
            ),
            Panel(
                "Newest counted post",
                "Time since it was written. Hours, while posts arrive: a source sends history.",
                "s", {"ago": "time() - (max(superfan_watermark_timestamp_seconds) > 0)"}, "stat",
                width=4,
            ),
        ],
        "Does the store keep up?": [
            Panel(
                "Rows",
                "Rows by what the store did. Stale rows are older than those in the store: normal after restarts "
                "and with many records of one key in a batch.",
                "suffix:/s", {"{{change}}": rate("superfan_store_rows_total", "change")}, stacked=True,
            ),
            Panel(
                "Write duration",
                "Duration of one transaction. If it rises, check locks, disks and other users of the database.",
                "s", {f"{share:.0%}": quantile(share, "superfan_store_write_seconds") for share in (0.5, 0.95)},
            ),
            Panel(
                "Failed writes, 15 minutes",
                "The sink retries them. If it stays above 0, see SuperfanStoreErrors.",
                "short", {"failed": "sum(increase(superfan_store_write_errors_total[15m]))"}, "stat", (1, 10),
            ),
        ],
    },
)  # fmt: skip

LISTENING = Dashboard(
    "superfan-listening", "Superfan: Listening", "Mentions, sentiment, share of voice and candidates", "now-24h",
    {
        "What do people say?": [
            Panel(
                "Opinions per hour",
                "Distinct posts with an opinion about the brand. Before celebrating a peak, check sentiment and "
                "cues.",
                "short", {"{{brand}}": f"sum by (brand) (increase(superfan_opinions_total{{{BRAND}}}[1h]))"},
            ),
            Panel(
                "Share of voice",
                "Each brand's share of all opinions in the time range. Compare only brands that are monitored in "
                "the same way.",
                "percentunit",
                {"{{brand}}": f"sort_desc(sum by (brand) (increase(superfan_opinions_total{{{BRAND}}}[$__range])) / "
                              f"on () group_left () sum(increase(superfan_opinions_total{{{BRAND}}}[$__range])))"},
                "bars",
            ),
            Panel(
                "Sentiment",
                "Positive, neutral and negative opinions about the selected brands. A sudden drop: see "
                "SuperfanSentimentDrop.",
                "suffix:/s", {"{{sentiment}}": rate("superfan_opinions_total", "sentiment", BRAND)}, stacked=True,
                colors={"positive": POSITIVE, "neutral": NEUTRAL, "negative": NEGATIVE},
            ),
            Panel(
                "Positive minus negative",
                "Positive minus negative share, from -1 to 1: three hours against a week. Far below the week: find "
                "out what happened.",
                "percentunit",
                {"{{brand}}, 3 h": f"superfan:sentiment_net:ratio3h{{{BRAND}}}",
                 "{{brand}}, 7 d": f"superfan:sentiment_net:ratio7d{{{BRAND}}}"},
                width=12,
            ),
            Panel(
                "Sentiment drift",
                "Population stability index of one day's sentiment mix against a week. Red: the conversation or the "
                "text pipeline has changed; annotate some posts by hand.",
                "short", {"{{brand}}": f"sort_desc(round(superfan:sentiment_drift:psi{{{BRAND}}}, 0.001))"}, "bars",
                (0.1, 0.25), width=6,
            ),
            Panel(
                "Opinions with reduced weight",
                "Giveaways, sponsored posts, reposts and irony. Many giveaways: see SuperfanGiveawayStorm and ask "
                "marketing.",
                "suffix:/s", {"{{cue}}": rate("superfan_cued_opinions_total", "cue", BRAND)}, width=6,
            ),
        ],
        "Who are the fans?": [
            Panel(
                "Candidates by brand and tier",
                "Candidates and watched authors in the store. If a wanted tier is empty, check `tiers.wanted`.",
                "short",
                {"{{brand}} {{tier}} {{state}}": "sort_desc(sum by (brand, tier, state) (superfan_candidates"
                                                 f'{{{BRAND}, state=~"candidate|watch"}}))'},
                "bars", width=12, height=9,
            ),
            Panel(
                "State changes, by reason",
                "Over the time range. Many `low_score`: the campaign has ended. `inauthentic`: review these "
                "authors.",
                "short",
                {"{{before}} to {{after}}, {{reason}}":
                 "sort_desc(round(sum by (before, after, reason) "
                 f"(increase(superfan_transitions_total{{{BRAND}}}[$__range]))) > 0)"},
                "bars", width=12, height=9,
            ),
            Panel(
                "Scores",
                "Shares of published profiles in the time range. All low: the thresholds are too high for the "
                "brand, or few customers are known.",
                "percentunit",
                shares("superfan_score_points", BRAND,
                       {"under 20": ("", "20.0"), "20 to 40": ("20.0", "40.0"), "40 to 60": ("40.0", "60.0"),
                        "60 to 80": ("60.0", "80.0"), "over 80": ("80.0", "+Inf")}),
                "bars", width=12,
            ),
            Panel(
                "Authenticity rules that fired",
                "Published profiles by rule. Each rule lowers authenticity; an author below "
                "`thresholds.authenticity` is held back. A peak: someone may be flooding the brand.",
                "suffix:/s", {"{{rule}}": rate("superfan_authenticity_rules_fired_total", "rule")}, width=12,
            ),
        ],
        "What would the shadow rules change?": [
            Panel(
                "Would be promoted or demoted",
                "Judgements that the rules of `[shadow] config` would change: `enters` promotes an author, `leaves` "
                "demotes one. For names and reasons run `superfan backtest --compare`.",
                "suffix:/s",
                {"{{verdict}}": rate("superfan_shadow_judgements_total", "verdict", f'{BRAND}, verdict!="agree"')},
                width=12,
            ),
            Panel(
                "Score difference",
                "Shadow score minus published score, as shares of judgements in the time range. If all differ in "
                "one direction, adjust the thresholds with the weights.",
                "percentunit",
                shares("superfan_shadow_difference_points", BRAND,
                       {"over 5 less": ("", "-5.0"), "1 to 5 less": ("-5.0", "-1.0"), "the same": ("-1.0", "1.0"),
                        "1 to 5 more": ("1.0", "5.0"), "over 5 more": ("5.0", "+Inf")}),
                "bars", width=12,
            ),
        ],
        "Who should be contacted?": [
            Panel(
                "Candidates, best first",
                "From the store. Read the watch-outs (`superfan candidates show`) before contacting anyone. Then "
                "send feedback, so that no one is asked twice.",
                "none", CANDIDATES_SQL.strip(), "table", width=20, height=10,
            ),
            Panel(
                "Overdue notices",
                "People who must still be informed that their posts are read. Sort the list by notice_due_at, inform "
                "them, then send `contacted` as feedback.",
                "short", {"{{brand}}": f"superfan_notices_overdue{{{BRAND}}}"}, "stat", (1, 1),
                {0: ("none", "green")}, width=4, height=10,
            ),
        ],
    },
    by_brand=True,
)  # fmt: skip

DASHBOARDS = (OVERVIEW, PIPELINE, KAFKA, LISTENING)


class Sql(Dataquery):
    """A PostgreSQL query, for which the SDK has no type."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> "Sql":
        """Return the query itself, as the SDK expects of a builder."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the query as Grafana stores it."""
        return {
            "refId": "A",
            "datasource": POSTGRES,
            "format": "table",
            "rawQuery": True,
            "editorMode": "code",
            "rawSql": self._sql,
        }


def rendered(board: Dashboard) -> str:
    """Return the dashboard as Grafana's JSON."""
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
        # The link needs its value. Grafana versions differ in how they hide a column.
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
    """Return the README's table of questions and the panels that answer them, as Markdown."""
    lines = ["| dashboard | question | panels |", "|---|---|---|"]
    for board in DASHBOARDS:
        for question, panels in board.rows.items():
            titles = "; ".join(panel.title for panel in panels)
            lines.append(f"| {board.title.removeprefix('Superfan: ')} | {question} | {titles} |")
    return "\n".join(lines) + "\n"


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and the content of every dashboard."""
    for board in DASHBOARDS:
        yield HERE / "dashboards" / f"{board.uid}.json", rendered(board)
