"""The table of metrics: names, kinds, units, labels, exposing processes, descriptions.

Collectors are made from it, `make generate` writes it into `deploy/prometheus/README.md`, and rules and
dashboards are tested against it. Units are base units. Labels have few values, known in advance: never an
author, a text or a hashtag. `streams.ops.meters` does the counting.
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
"""The process that exposes a metric: a role of a worker, or `superfan exporter`."""
WORKER: Final[tuple[By, ...]] = ("enrich", "profile", "sink")


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table. `collector` is null for the exporter's own metrics, which `Measured` collects."""

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

BUILD = _gauge(
    "build_info",
    "1",
    ("version", "model_version"),
    (*WORKER, "exporter"),
    "version and rules that run; always 1",
)
POSTS = _counter(
    "posts_total", "posts", ("topic", "platform"), ("enrich",), "posts read, by topic and platform"
)
OUTCOMES = _counter(
    "outcomes_total", "records", ("role", "outcome", "reason"), WORKER,
    "records by outcome: kept, dropped, late, duplicate, replayed, ignored or dead_letter",
)  # fmt: skip
PIPELINE_LATENCY = _histogram(
    "pipeline_latency_seconds", "seconds", ("role", "topic"), WORKER, LATENCIES,
    "time from the arrival of a record in Superfan to the confirmed delivery of its results by a role",
)  # fmt: skip
EVENT_LATENCY = _histogram(
    "event_latency_seconds", "seconds", (), ("profile",), AGES,
    "age of a post when it is counted; high while history is replayed",
)  # fmt: skip
WATERMARK = _gauge(
    "watermark_timestamp_seconds", "seconds", (), ("profile",), "creation time of the newest counted post"
)
PROCESSED = _gauge(
    "processed_timestamp_seconds", "seconds", ("role",), WORKER,
    "arrival time in Superfan of the newest record that a role has finished",
)  # fmt: skip
STEP_SECONDS = _histogram(
    "step_seconds", "seconds", ("role",), ("profile", "sink"), SECONDS,
    "time to process one record (profile) or one batch (sink), including waits for the store",
)  # fmt: skip
PENDING = _gauge("pending_records", "records", ("role",), WORKER, "records in progress, not yet confirmed")
PARTITIONS = _gauge("assigned_partitions", "partitions", ("role",), WORKER, "partitions assigned to a worker")
REBALANCES = _counter("rebalances_total", "rebalances", ("role",), WORKER, "partition assignments received")
DEAD_LETTER_SHARE = _gauge(
    "dead_letter_share_ratio", "ratio", ("role",), WORKER, "share of dead letters among the latest records"
)
DEAD_LETTER_LIMIT = _gauge(
    "dead_letter_limit_ratio", "ratio", ("role",), WORKER, "share of dead letters at which a worker stops"
)

# --- text

NLP_SECONDS = _histogram(
    "nlp_batch_seconds", "seconds", (), ("enrich",), SECONDS, "time a text process takes for one batch"
)
NLP_POSTS = _histogram("nlp_batch_posts", "posts", (), ("enrich",), BATCHES, "posts per batch")
NLP_RESTARTS = _counter(
    "nlp_pool_restarts_total",
    "restarts",
    (),
    ("enrich",),
    "replacements of the pool of text processes after a crash",
)

# --- states

STATE_KEYS = _gauge("state_keys", "keys", ("state",), ("profile",), "keys held in memory")
STATE_BYTES = _gauge(
    "state_bytes", "bytes", ("state",), ("profile",), "size of the packed keys and values held in memory"
)
STALE_STATES = _counter(
    "stale_states_refused_total",
    "records",
    ("state",),
    ("profile",),
    "states older than the current one, refused during recovery",
)
RECOVERY_REMAINING = _gauge(
    "recovery_remaining_records", "records", (), ("profile",), "changelog records left to read in a recovery"
)
RECOVERY_SECONDS = _histogram(
    "recovery_seconds", "seconds", (), ("profile",), LATENCIES, "duration of a recovery of states"
)

# --- results

OPINIONS = _counter(
    "opinions_total",
    "opinions",
    ("brand", "sentiment"),
    ("profile",),
    "opinions about brands; each post counts once",
)
CUES = _counter(
    "cued_opinions_total", "opinions", ("brand", "cue"), ("profile",),
    "opinions with reduced weight: giveaway, sponsored, ambiguous",
)  # fmt: skip
SCORE = _histogram(
    "score_points", "points", ("brand",), ("profile",), SCORES, "scores of published profiles, 0 to 100"
)
TRANSITIONS = _counter(
    "transitions_total", "candidates", ("brand", "before", "after", "reason"), ("profile",),
    "state changes of candidates; `none` means not on the board",
)  # fmt: skip
RULES = _counter(
    "authenticity_rules_fired_total", "profiles", ("rule",), ("profile",),
    "published profiles that an authenticity rule lowers",
)  # fmt: skip
SHADOW = _counter(
    "shadow_judgements_total", "judgements", ("brand", "verdict"), ("profile",),
    "published judgements by the verdict of the shadow rules: agree, enters (promoted), leaves (demoted)",
)  # fmt: skip
SHADOW_POINTS = _histogram(
    "shadow_difference_points", "points", ("brand",), ("profile",), POINTS,
    "shadow score minus published score",
)  # fmt: skip
STORE_ROWS = _counter(
    "store_rows_total",
    "rows",
    ("change",),
    ("sink",),
    "rows by change: written, stale (a newer row was there), deleted",
)
STORE_SECONDS = _histogram(
    "store_write_seconds", "seconds", (), ("sink",), SECONDS, "duration of a committed transaction"
)
STORE_ERRORS = _counter(
    "store_write_errors_total", "errors", (), ("sink",), "failed writes, each of which is retried"
)

# --- measured from outside, by asking broker and store, so that stuck workers show as well

MEASURED = _measured(
    "gauge",
    "measured_timestamp_seconds",
    "seconds",
    ("dependency",),
    "time of the last answer of the broker or the store",
)
UP = _measured(
    "gauge", "dependency_up", "1", ("dependency",), "1 if the broker or the store answered, else 0"
)
LAG_RECORDS = _measured(
    "gauge", "consumer_lag_records", "records", ("role", "topic", "partition"),
    "records after the committed offset",
)  # fmt: skip
LAG_SECONDS = _measured(
    "gauge", "consumer_lag_seconds", "seconds", ("role", "topic", "partition"),
    "age of the record at the committed offset; 0 if caught up",
)  # fmt: skip
TOPIC_RECORDS = _measured(
    "counter", "topic_records_total", "records", ("topic",), "sum of the end offsets of all partitions"
)
CONSUMED = _measured(
    "counter",
    "consumed_records_total",
    "records",
    ("role", "topic"),
    "sum of the committed offsets of all partitions",
)
CANDIDATES = _measured(
    "gauge",
    "candidates",
    "candidates",
    ("brand", "state", "tier"),
    "candidates in the store; tier `unknown` means that the follower count is unknown",
)
NOTICES_OVERDUE = _measured(
    "gauge", "notices_overdue", "candidates", ("brand",),
    "candidates with an overdue notice who were neither contacted nor decided on",
)  # fmt: skip
BENCHMARK = _measured(
    "gauge",
    "benchmark_timestamp_seconds",
    "seconds",
    ("benchmark",),
    "end of the period that the benchmark figures cover: costs shown, engagement compared",
)

BY_NAME = {metric.name: metric for metric in TABLE}

Rows = Mapping[tuple[str, ...], float]
"""Label values -> value."""


class Measured(Collector):
    """The latest measurements of the exporter, replaced as a whole: old and new never mix."""

    def __init__(self) -> None:
        self._found: Mapping[str, Rows] = {}

    def publish(self, found: Mapping[str, Rows]) -> None:
        """Replace all values. `found` maps names of the table to rows."""
        self._found = found

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the values as families of prometheus-client."""
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
    """Return a registry of the metrics of `by`, of `others`, and of the process itself."""
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
    """Return the label of a consumer group."""
    return group.removeprefix("superfan-")


def document() -> str:
    """Return the table in Markdown."""
    lines = ["| metric | kind | unit | labels | exposed by | meaning |", "|---|---|---|---|---|---|"]
    for m in TABLE:
        labels = ", ".join(f"`{label}`" for label in m.labels)
        by = "worker" if m.by == WORKER else ", ".join(m.by).replace(", ".join(WORKER), "worker")
        lines.append(f"| `{m.name}` | {m.kind} | {m.unit} | {labels} | {by} | {m.meaning} |")
    return "\n".join(lines) + "\n"
