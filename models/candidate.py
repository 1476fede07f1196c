"""The results about an author: the profile (counters) and the candidate (an author to ask, and the reasons).

Shapes are those of the topics `profiles` and `candidates`. Both are pure functions of the records
seen, but for `revision`: it grows with every change of the author's state, so that a reader can
keep the newest of two copies.
"""

from typing import Literal

import msgspec

from models.record import Record

CustomerLabel = Literal["confirmed", "likely", "unknown"]
State = Literal["candidate", "watch", "accepted", "declined", "cooled"]


class Window(Record, frozen=True):
    """Accepted, distinct posts about the brand in the last n UTC days up to and including `as_of`."""

    posts: int
    positive: int
    neutral: int
    negative: int


class DayCounts(Record, frozen=True):
    """Accepted, distinct posts about the brand on one UTC day."""

    positive: int
    neutral: int
    negative: int


class Authenticity(Record, frozen=True):
    """`value` (0..1) is the product of 1 - severity over the rules that fired; it multiplies the score."""

    value: float = 1.0
    severities: dict[str, float] = msgspec.field(default_factory=dict)


class Counts(Record, frozen=True):
    """The counts that the components are computed from, over one window; `owning` over two.

    `positive` and `negative` are weighted clear opinions, at most two a day. `intensity` is their mean
    (0..1). In `decayed_positive` a post that is a days old counts 2^(-a/30).
    `praises` and `complaints` are positive and negative posts of full quality. `promoted` are sponsored
    posts, contests and reposts, `copies` near-duplicates. `reactions` are those of the `reacted` posts.
    `in_file` (the
    customer file), `orders` and `bio_themes` are known of the author at any time, not of these days.
    """

    posts: int = 0
    positive: float = 0.0
    negative: float = 0.0
    intensity: float = 0.0
    decayed_positive: float = 0.0
    praises: int = 0
    complaints: int = 0
    last_praise: str | None = None
    owning: int = 0
    promoted: int = 0
    copies: int = 0
    selling: int = 0
    staff: int = 0
    reacted: int = 0
    reactions: int = 0
    comments: int = 0
    answers: int = 0
    themes: dict[str, int] = msgspec.field(default_factory=dict)
    in_file: bool = False
    orders: int = 0
    bio_themes: tuple[str, ...] = ()


class Profile(Record, frozen=True):
    """Rolling counters of one author about one brand; days are `YYYY-MM-DD`, UTC.

    `score` is 0..100 with one decimal; `followers` and `tier` are null when unknown; `state` is
    "none" for an author who is not even watched. `days` are those with posts in the window. A component
    (0..1, four decimals) is null when unknown. `entered_on` is the day on which the author became a
    candidate. `low_since` is the first day of the current run of days with too low a score. `decided_on` is
    the day of the newest feedback.
    """

    key: str
    brand: str
    platform: str
    author_id: str
    as_of: str
    windows: dict[str, Window]
    positive_days: int
    followers: int | None
    tier: str | None
    customer: CustomerLabel
    score: float
    state: State | Literal["none"]
    evaluated_on: str
    model_version: str
    revision: int
    # Added in format 2: older records are read as if nothing had been counted.
    days: dict[str, DayCounts] = msgspec.field(default_factory=dict)
    components: dict[str, float | None] = msgspec.field(default_factory=dict)
    authenticity: Authenticity = Authenticity()
    counts: Counts = Counts()
    entered_on: str | None = None
    low_since: str | None = None
    decided_on: str | None = None


class Tier(Record, frozen=True):
    """The size class of an author under a named preset; `name` is null when followers are unknown."""

    name: str | None
    preset: str
    followers: int | None


class CustomerStanding(Record, frozen=True):
    """The certainty that the author is a customer, and the evidence for it."""

    label: CustomerLabel
    evidence: tuple[str, ...]


class Quote(Record, frozen=True):
    """A public post in the author's own words, at most 200 characters."""

    text: str
    url: str | None
    at: str


class Reason(Record, frozen=True):
    """One clause of the explanation: a stable code, the number behind it, and a sentence."""

    code: str
    value: float | int | str | None
    text: str
    quotes: tuple[Quote, ...] = ()


class WatchOut(Record, frozen=True):
    """A point against the author, or one that a person must check first."""

    code: str
    text: str


class CostBand(Record, frozen=True):
    """The usual price of a post by an author with so many followers. It never enters the score."""

    low: int
    high: int | None
    """null: no upper end"""
    currency: str
    source: str


class Notice(Record, frozen=True):
    """The duty to inform the person that their posts were profiled; `due_at` is RFC 3339."""

    required: bool
    due_at: str | None


class Candidate(Record, frozen=True):
    """An author worth asking or watching, with reasons for a marketer."""

    key: str
    brand: str
    platform: str
    author_id: str
    handle: str | None
    profile_url: str | None
    state: State
    score: float
    confidence: Literal["low", "medium", "high"]
    tier: Tier
    customer: CustomerStanding
    headline: str
    why: tuple[Reason, ...]
    watch_outs: tuple[WatchOut, ...]
    lost_points: dict[str, float]
    unknown: tuple[str, ...]
    cost_band: CostBand | None
    notice: Notice
    model_version: str
    revision: int
    entered_at: str | None
    expires_at: str | None
    components: dict[str, float | None] = msgspec.field(default_factory=dict)
    authenticity: Authenticity = Authenticity()
