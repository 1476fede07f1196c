"""The one table of metrics: names, kinds, units, labels, who exposes them, what they mean.

Collectors are made from it, `make generate` writes it into `deploy/prometheus/README.md`, and rules and
dashboards are tested against it. Units are base units; labels have
few values, known beforehand: never an author, a text or a hashtag. What is counted where is told by
`streams.ops.meters`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.ops.counters import Counter, Histogram

PREFIX = "superfan_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LATENCIES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 6 * 3600, 86400)
AGES = (1, 10, 60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400, 90 * 86400)
BATCHES = (1, 4, 16, 64, 256, 1024)
SCORES = tuple(range(10, 101, 10))
POINTS = (-20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20)

By = Literal["enrich", "profile", "sink", "exporter"]
"""Who exposes a metric: a role of a worker, or `superfan exporter`."""
WORKER: Final[tuple[By, ...]] = ("enrich", "profile", "sink")


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table. `collector` is null for what the exporter measures as a whole (`Measured`)."""

    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    by: tuple[By, ...]
    meaning: str
    collector: Collector | None = None


TABLE: list[Metric] = []
C = TypeVar("C", Counter, Gauge, Histogram)


def _row(collector: C, unit: str, labels: Sequence[str], by: Sequence[By]) -> C:
    (described,) = collector.describe()
    kind, name, meaning = described.type, described.name, described.documentation
    total = "_total" if kind == "counter" else ""  # prometheus-client keeps it apart
    TABLE.append(Metric(name + total, kind, unit, tuple(labels), tuple(by), meaning, collector))
    return collector


def _counter(name: str, unit: str, labels: Sequence[str], by: Sequence[By], meaning: str) -> Counter:
    return _row(Counter(PREFIX + name, meaning, labels), unit, labels, by)


def _gauge(name: str, unit: str, labels: Sequence[str], by: Sequence[By], meaning: str) -> Gauge:
    return _row(Gauge(PREFIX + name, meaning, labels, registry=None), unit, labels, by)


def _histogram(  # noqa: PLR0917 -- the columns of a table
    name: str, unit: str, labels: Sequence[str], by: Sequence[By], buckets: Sequence[float], meaning: str
) -> Histogram:
    return _row(Histogram(PREFIX + name, meaning, labels, buckets), unit, labels, by)


def _measured(kind: str, name: str, unit: str, labels: Sequence[str], meaning: str) -> Metric:
    TABLE.append(Metric(PREFIX + name, kind, unit, tuple(labels), ("exporter",), meaning))
    return TABLE[-1]


# --- the stream

BUILD = _gauge("build_info", "1", ("version", "model_version"), (*WORKER, "exporter"), "what runs; always 1")
POSTS = _counter(
    "posts_total", "posts", ("topic", "platform"), ("enrich",), "posts read, by where they came from"
)
OUTCOMES = _counter(
    "outcomes_total", "records", ("role", "outcome", "reason"), WORKER,
    "what became of posts (sink: rows): kept, dropped, late, duplicate, replayed, ignored; all: dead_letter",
)  # fmt: skip
PIPELINE_LATENCY = _histogram(
    "pipeline_latency_seconds", "seconds", ("role", "topic"), WORKER, LATENCIES,
    "from the arrival of a record in Superfan until all that a role made of it was confirmed",
)  # fmt: skip
EVENT_LATENCY = _histogram(
    "event_latency_seconds", "seconds", (), ("profile",), AGES,
    "from when a post was written until it was counted; a replay of history shows as old",
)  # fmt: skip
WATERMARK = _gauge(
    "watermark_timestamp_seconds", "seconds", (), ("profile",), "when the newest counted post was written"
)
PROCESSED = _gauge(
    "processed_timestamp_seconds", "seconds", ("role",), WORKER,
    "when the newest record that a role is done with had arrived in Superfan",
)  # fmt: skip
STEP_SECONDS = _histogram(
    "step_seconds", "seconds", ("role",), ("profile", "sink"), SECONDS,
    "work on one record (profile) or one batch (sink), waiting for the store included",
)  # fmt: skip
PENDING = _gauge("pending_records", "records", ("role",), WORKER, "records begun and not yet confirmed")
PARTITIONS = _gauge(
    "assigned_partitions", "partitions", ("role",), WORKER, "partitions a worker works on now"
)
REBALANCES = _counter(
    "rebalances_total", "rebalances", ("role",), WORKER, "assignments of partitions that came"
)
DEAD_LETTER_SHARE = _gauge(
    "dead_letter_share_ratio", "ratio", ("role",), WORKER, "share of dead letters among the last records"
)
DEAD_LETTER_LIMIT = _gauge(
    "dead_letter_limit_ratio", "ratio", ("role",), WORKER, "the share of dead letters at which a worker stops"
)

# --- text

NLP_SECONDS = _histogram(
    "nlp_batch_seconds", "seconds", (), ("enrich",), SECONDS, "work of a text process on one batch"
)
NLP_POSTS = _histogram("nlp_batch_posts", "posts", (), ("enrich",), BATCHES, "posts of one batch")
NLP_RESTARTS = _counter(
    "nlp_pool_restarts_total", "restarts", (), ("enrich",), "times the text processes had to be replaced"
)

# --- states

STATE_KEYS = _gauge("state_keys", "keys", ("state",), ("profile",), "keys held in memory")
STATE_BYTES = _gauge(
    "state_bytes", "bytes", ("state",), ("profile",), "packed keys and values held in memory"
)
STALE_STATES = _counter(
    "stale_states_refused_total", "records", ("state",), ("profile",), "older states that recovery refused"
)
RECOVERY_REMAINING = _gauge(
    "recovery_remaining_records", "records", (), ("profile",), "changelog records still to be read"
)
RECOVERY_SECONDS = _histogram(
    "recovery_seconds", "seconds", (), ("profile",), LATENCIES, "time a recovery of states took"
)

# --- what came out

OPINIONS = _counter(
    "opinions_total", "opinions", ("brand", "sentiment"), ("profile",), "opinions of brands, each post once"
)
CUES = _counter(
    "cued_opinions_total", "opinions", ("brand", "cue"), ("profile",),
    "opinions that count less: giveaway, sponsored, ambiguous",
)  # fmt: skip
SCORE = _histogram(
    "score_points", "points", ("brand",), ("profile",), SCORES, "scores 0..100 of published profiles"
)
TRANSITIONS = _counter(
    "transitions_total", "candidates", ("brand", "before", "after", "reason"), ("profile",),
    "candidates that changed their state; none: no candidate",
)  # fmt: skip
RULES = _counter(
    "authenticity_rules_fired_total", "profiles", ("rule",), ("profile",),
    "published profiles against which a rule of authenticity speaks",
)  # fmt: skip
SHADOW = _counter(
    "shadow_judgements_total", "judgements", ("brand", "verdict"), ("profile",),
    "published judgements as the shadow's rules see the board: agree, enters, leaves",
)  # fmt: skip
SHADOW_POINTS = _histogram(
    "shadow_difference_points", "points", ("brand",), ("profile",), POINTS,
    "the shadow's score less the published one",
)  # fmt: skip
STORE_ROWS = _counter(
    "store_rows_total", "rows", ("change",), ("sink",), "what the store did: written, stale, deleted"
)
STORE_SECONDS = _histogram(
    "store_write_seconds", "seconds", (), ("sink",), SECONDS, "one transaction that was committed"
)
STORE_ERRORS = _counter(
    "store_write_errors_total", "errors", (), ("sink",), "writes that failed, and are tried again"
)

# --- measured from outside, by asking the broker and the store: what is stuck shows, too

MEASURED = _measured(
    "gauge", "measured_timestamp_seconds", "seconds", ("dependency",), "when broker and store were last asked"
)
UP = _measured(
    "gauge", "dependency_up", "1", ("dependency",), "whether broker and store answered when asked: 1 or 0"
)
LAG_RECORDS = _measured(
    "gauge", "consumer_lag_records", "records", ("role", "topic", "partition"),
    "records behind the committed offset",
)  # fmt: skip
LAG_SECONDS = _measured(
    "gauge", "consumer_lag_seconds", "seconds", ("role", "topic", "partition"),
    "age of the record at the committed offset; 0 when there is none",
)  # fmt: skip
TOPIC_RECORDS = _measured(
    "counter", "topic_records_total", "records", ("topic",), "offsets given out by the broker"
)
CONSUMED = _measured(
    "counter",
    "consumed_records_total",
    "records",
    ("role", "topic"),
    "offsets committed, over all partitions",
)
CANDIDATES = _measured(
    "gauge",
    "candidates",
    "candidates",
    ("brand", "state", "tier"),
    "candidates in the store; tier unknown: no followers",
)
NOTICES_OVERDUE = _measured(
    "gauge", "notices_overdue", "candidates", ("brand",),
    "candidates whose notice was due and who were neither contacted nor decided about",
)  # fmt: skip
BENCHMARK = _measured(
    "gauge",
    "benchmark_timestamp_seconds",
    "seconds",
    ("benchmark",),
    "of when the figures are that we show (costs) and compare with (engagement)",
)

BY_NAME = {metric.name: metric for metric in TABLE}

Rows = Mapping[tuple[str, ...], float]
"""Label values -> value."""


class Measured(Collector):
    """What the exporter found: replaced as a whole, so that nothing old is ever shown beside the new."""

    def __init__(self) -> None:
        self._found: Mapping[str, Rows] = {}

    def publish(self, found: Mapping[str, Rows]) -> None:
        """Show these values, and nothing else; keys are names of the table."""
        self._found = found

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """The families as prometheus-client wants them."""
        found = self._found
        for name, rows in found.items():
            metric = BY_NAME[name]
            family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(
                name, metric.meaning, labels=metric.labels
            )
            for labels, value in rows.items():
                family.add_metric(labels, value)
            yield family


def registry(by: Iterable[str], *others: Collector) -> CollectorRegistry:
    """What a process exposes that is each of `by`, and what it uses of the machine."""
    wanted = set(by)
    made = CollectorRegistry()
    for metric in TABLE:
        if metric.collector is not None and wanted & set(metric.by):
            made.register(metric.collector)
    for collector in others:
        made.register(collector)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made


def role_of(group: str) -> str:
    """The label of a consumer group."""
    return group.removeprefix("superfan-")


def document() -> str:
    """The table as Markdown."""
    lines = ["| metric | kind | unit | labels | exposed by | meaning |", "|---|---|---|---|---|---|"]
    for m in TABLE:
        labels = ", ".join(f"`{label}`" for label in m.labels)
        by = "worker" if m.by == WORKER else ", ".join(m.by).replace(", ".join(WORKER), "worker")
        lines.append(f"| `{m.name}` | {m.kind} | {m.unit} | {labels} | {by} | {m.meaning} |")
    return "\n".join(lines) + "\n"
