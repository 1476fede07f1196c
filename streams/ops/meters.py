"""Functions that count: each is called at one point of the stream and turns results into metrics.

The metrics are in `streams.ops.metrics`. Most functions are on the hot path, called by the worker's loop:
together they may take a few microseconds a record.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import version
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from prometheus_client import Gauge

from models import authenticity
from models.annotation import Label
from models.comparison import BoardChange
from models.events import CountedPost, Event
from models.opinion import Opinion
from models.outcome import Judgement, Outcome
from models.post import parse_author_key
from models.rejection import Dropped, DropReason, Reason, Rejected
from nlp.records import Result
from streams import topics
from streams.ops import metrics
from streams.ops.counters import HistogramSeries
from streams.settings import Settings

if TYPE_CHECKING:  # types only: a role that counts must not load spaCy or SQLAlchemy
    from models.store import Applied
    from streams.delivery.state import KeyedState

CUES = ("giveaway", "sponsored", "ambiguous")
CHANGES = ("written", "stale", "deleted")
OUTCOMES: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "enrich": (("kept", ""), *(("dropped", reason) for reason in DropReason)),
    "profile": tuple((became, "") for became in ("kept", "late", "duplicate", "replayed", "ignored")),
    "sink": (("kept", ""),),
}
"""Outcomes and their reasons by role, without dead letters, which every role has."""
ENDS: Final[Mapping[str, Sequence[str]]] = {
    "candidate": ("entered",),
    "watch": ("watched",),
    "accepted": ("feedback",),
    "declined": ("feedback",),
    "cooled": ("low_score", "inauthentic"),
    "none": ("insufficient", "excluded", "erased", "expired"),
}
"""The states of an author for a brand, with the reasons for a change to each."""

# To look up a labelled series costs as much as to count: the series of every record are cached.
_event_latency = metrics.EVENT_LATENCY.labels()
_outcome = cache(metrics.OUTCOMES.labels)
_opinion = cache(metrics.OPINIONS.labels)
_cue = cache(metrics.CUES.labels)
_transition = cache(metrics.TRANSITIONS.labels)
_score = cache(metrics.SCORE.labels)
_rule = cache(metrics.RULES.labels)
_shadow = cache(metrics.SHADOW.labels)
_shadow_points = cache(metrics.SHADOW_POINTS.labels)


def enriched(topics: Iterable[str], results: Sequence[Result]) -> None:
    """Count an enriched batch; `topics` are the input topics of its records, in order."""
    posts: Counter[tuple[str, str]] = Counter()
    outcomes: Counter[tuple[str, str]] = Counter()
    for topic, result in zip(topics, results, strict=True):
        if isinstance(result, Rejected):  # its reason is counted by `rejected`
            posts[topic, "unknown"] += 1
        elif isinstance(result, Dropped):
            posts[topic, result.platform] += 1
            outcomes["dropped", result.reason] += 1
        else:
            posts[topic, parse_author_key(result.author)[0]] += 1
            outcomes["kept", ""] += 1
    for labels, count in posts.items():
        metrics.POSTS.labels(*labels).inc(count)
    for (outcome, reason), count in outcomes.items():
        _outcome("enrich", outcome, reason).inc(count)


def annotated(posts: int, seconds: float) -> None:
    """Count a batch that a text process has finished."""
    metrics.NLP_SECONDS.observe(seconds)
    metrics.NLP_POSTS.observe(posts)


def rejected(role: str, rejection: Rejected) -> None:
    """Count a dead letter."""
    _outcome(role, "dead_letter", rejection.reason).inc()


def folded(event: Event, outcome: Outcome) -> None:
    """Count an event that was folded into an author's state, with its outcome."""
    if isinstance(event, CountedPost):
        _outcome("profile", _became(outcome), "").inc()
        if outcome.counted:
            age = time.time() - event.ms / 1000
            _event_latency.observe(age if age > 0 else 0.0)
            newest.seen(event.ms)
            for opinion in outcome.counted:
                _said(opinion)
    for judged in outcome.judgements:
        _judged(judged)


def shadowed(brand: str, change: BoardChange, points: float) -> None:
    """Count a judgement by the shadow rules; `points` is their score minus the published one."""
    _shadow(brand, change).inc()
    _shadow_points(brand).observe(points)


def stored(applied: "Applied", records: int, seconds: float) -> None:
    """Count a committed batch of `records` usable records."""
    metrics.STORE_SECONDS.observe(seconds)
    for change in CHANGES:
        metrics.STORE_ROWS.labels(change).inc(getattr(applied, change))
    _outcome("sink", "kept", "").inc(records)


class Newest:
    """A gauge of the newest time seen."""

    def __init__(self, gauge: Gauge) -> None:
        self._ms = 0
        gauge.set_function(lambda: self._ms / 1000)

    def seen(self, ms: int) -> None:
        """Move the gauge to this time unless it is older."""
        self._ms = ms if ms > self._ms else self._ms  # max() would take three times as long


newest = Newest(metrics.WATERMARK)


class Pace:
    """The speed of one role."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._latencies: dict[str, HistogramSeries] = {}
        self._newest = Newest(metrics.PROCESSED.labels(role))
        self._rebalances = metrics.REBALANCES.labels(role)
        self._steps = metrics.STEP_SECONDS.labels(role)

    def done(self, topic: str, arrived_ms: int, now: float) -> None:
        """Count a record whose results were all confirmed; `now` in epoch seconds."""
        latency = self._latencies.get(topic)
        if latency is None:
            latency = self._latencies[topic] = metrics.PIPELINE_LATENCY.labels(self._role, topic)
        age = now - arrived_ms / 1000
        latency.observe(age if age > 0 else 0.0)
        self._newest.seen(arrived_ms)

    def step(self, seconds: float) -> None:
        """Count a step of an agent."""
        self._steps.observe(seconds)

    def assigned(self) -> None:
        """Count an assignment of partitions."""
        self._rebalances.inc()


class Running(Protocol):
    """The part of an application that the thread serving metrics reads."""

    role: str
    delivery: Any

    @property
    def states(self) -> "Sequence[KeyedState]":
        """Its keyed states."""

    @property
    def owned(self) -> Collection[int]:
        """The partitions assigned to it."""


def watch(app: Running) -> None:
    """Point the gauges of its role at this application."""
    metrics.PENDING.labels(app.role).set_function(lambda: app.delivery.in_flight)
    metrics.PARTITIONS.labels(app.role).set_function(lambda: len(app.owned))
    for state in app.states:
        metrics.STATE_KEYS.labels(state.name).set_function(state.__len__)
        metrics.STATE_BYTES.labels(state.name).set_function(partial(getattr, state, "size"))
        metrics.STALE_STATES.labels(state.name)


def exposed(settings: Settings, by: Collection[str]) -> None:
    """Set the build info, and initialise to 0 every series that these roles may count.

    `rate()` cannot see the first increment of a new series.
    """
    metrics.BUILD.labels(version("superfan"), settings.rules.model_version).set(1)
    for role in OUTCOMES.keys() & by:
        for outcome, reason in (*OUTCOMES[role], *(("dead_letter", reason) for reason in Reason)):
            _outcome(role, outcome, reason)
    if "enrich" in by:
        for topic, platform in product(topics.POSTS, (*settings.lawful, "unknown")):
            metrics.POSTS.labels(topic, platform)
    if "profile" in by:
        for brand in (brand.name for brand in settings.brands):
            _exposed(brand, shadow=settings.shadow.config is not None)
        for rule in authenticity.TEXTS:
            _rule(rule)
    if "sink" in by:
        for change in CHANGES:
            metrics.STORE_ROWS.labels(change)


def _exposed(brand: str, *, shadow: bool) -> None:
    _score(brand)
    for label in get_args(Label):
        _opinion(brand, label)
    for cue in CUES:
        _cue(brand, cue)
    for before, after in product(ENDS, ENDS):
        for reason in ENDS[after] if before != after else ():
            _transition(brand, before, after, reason)
    if shadow:
        _shadow_points(brand)
        for verdict in get_args(BoardChange):
            _shadow(brand, verdict)


def _became(outcome: Outcome) -> str:
    if outcome.replayed:
        return "replayed"
    if outcome.late:
        return "late"
    if outcome.duplicate:
        return "duplicate"
    return "kept" if outcome.changed else "ignored"


def _said(opinion: Opinion) -> None:
    _opinion(opinion.brand, opinion.sentiment.label).inc()
    if opinion.giveaway or opinion.sponsored or opinion.ambiguous:
        for cue in CUES:
            if getattr(opinion, cue):
                _cue(opinion.brand, cue).inc()


def _judged(judged: Judgement) -> None:
    if judged.score is not None:
        _score(judged.brand).observe(judged.score)
    if judged.before != judged.after:
        _transition(judged.brand, judged.before or "none", judged.after or "none", judged.because).inc()
    for rule in judged.fired:
        _rule(rule).inc()
