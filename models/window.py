"""Statistics of a moving window over a ring, one for each day with posts.

They are brought forward by adding the new day and subtracting the days that left. This is 5 to 15 times
cheaper than counting each window anew, and gives exactly the same numbers: see `GRID`.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from models.ring import GIVEAWAY, NEGATIVE, POSITIVE, REPLY, SELLS, SPONSORED, STAFF, Days, Mark, marks
from models.tables import niche_bits

HALF_LIFE_DAYS = 30
WEIGHTED_POSTS_A_DAY = 2.0
"""the most that all clear opinions of one day may weigh together"""
GRID = 2**32
"""Sums of a day are multiples of 1/GRID, so that adding and subtracting days is exact in floats."""
NEAR = 8
"""Bits in which the SimHash of a text and of its copy with a word changed may differ. Two posts that people
wrote independently differ in at least 11 bits (300,000 pairs of airline posts)."""
COMPARED = 16
"""number of earlier posts that a post is compared with"""
COPY_WEIGHT = 0.25
"""the most that a copy may weigh"""


@dataclass(slots=True)
class WindowStats:
    """Counts and sums over the window that ends with the last day with posts up to `day`."""

    day: int = 0
    posts: int = 0
    clear_positive: float = 0.0
    """weight of the positive posts, at most two weighted posts a day"""
    clear_negative: float = 0.0
    intensity: float = 0.0
    """sum of weight times intensity (0..1) over positive and negative posts"""
    decayed_positive: float = 0.0
    """weight of the positive posts; a post that is a days old counts 2^(-a/30)"""
    praises: int = 0
    """positive posts of full weight"""
    complaints: int = 0
    """negative posts of full weight"""
    praise_days: int = 0
    last_praise: int | None = None
    promoted: int = 0
    """sponsored posts, contests and reposts"""
    copies: int = 0
    """posts that nearly repeat one of the 16 posts before them"""
    selling: int = 0
    staff: int = 0
    """posts that speak for the company"""
    reacted: int = 0
    """posts whose reactions are known"""
    reactions: int = 0
    """sum over those posts"""
    comments: int = 0
    """comments received, as far as known"""
    answers: int = 0
    """replies to somebody else's posts"""
    themes: Counter[int] = field(default_factory=Counter)
    """niche bit -> number of posts whose hashtags name the niche"""
    busiest_day: int = 0
    """most posts on one day"""
    times: list[int] = field(default_factory=list)
    """instants of the posts in epoch seconds, ascending; posts before the window included"""

    def bring_forward(self, day: int) -> None:
        """Let the days up to `day` pass without posts: only the decayed sum changes."""
        self.decayed_positive *= decay(day - self.day)
        self.day = day


class _DayStats(NamedTuple):
    """The posts of one day, and their opinions weighted to at most two posts."""

    day: int
    marks: list[Mark]
    positive: float
    negative: float
    intensity: float
    praises: int
    complaints: int
    copies: int


def window_stats(days: Days, window: int, newest: int = 0) -> Iterator[WindowStats]:
    """Yield the statistics of the `window` days up to each day with posts, oldest first.

    The last window ends with `newest` if that is later. The same object is yielded again and again: copy
    what must be kept.
    """
    stats = WindowStats()
    inside: deque[_DayStats] = deque()
    before: deque[int] = deque(maxlen=COMPARED)
    for day in (event_days := sorted(days)):
        stats.bring_forward(day)
        oldest = (day if day < event_days[-1] else max(day, newest)) - window + 1
        today = _day_stats(day, sorted(marks(days[day]), key=_by_time), before)
        inside.append(today)
        _add(stats, today, 1)
        if inside[0].day < oldest:
            busiest = 0
            while inside[0].day < oldest:
                busiest = max(busiest, len(inside[0].marks))
                _add(stats, inside.popleft(), -1)
            if busiest == stats.busiest_day:
                stats.busiest_day = max(len(one.marks) for one in inside)
            if stats.last_praise is not None and stats.last_praise < inside[0].day:
                stats.last_praise = None
        yield stats


def decay(days: int) -> float:
    """Return the part of a positive post that still counts after so many days: 2^(-days/30)."""
    return float(2 ** (-days / HALF_LIFE_DAYS))


def _day_stats(day: int, today: list[Mark], before: deque[int]) -> _DayStats:
    """Weigh the posts of a day. `before` holds the last fingerprints; those of today are added."""
    positive = negative = lean = 0.0
    praises = complaints = copies = 0
    for mark in today:
        weight = mark.weight
        if mark.fingerprint:
            if any((mark.fingerprint ^ other).bit_count() <= NEAR for other in before):
                copies += 1
                weight = min(weight, COPY_WEIGHT)
            before.append(mark.fingerprint)
        if mark.label == POSITIVE:
            positive += weight
            praises += weight == 1.0
        elif mark.label == NEGATIVE:
            negative += weight
            complaints += weight == 1.0
        else:
            continue
        lean += weight * mark.intensity / 255
    clear = positive + negative
    scale = min(1.0, WEIGHTED_POSTS_A_DAY / clear) if clear else 1.0
    positive, negative, lean = (round(x * scale * GRID) / GRID for x in (positive, negative, lean))
    return _DayStats(day, today, positive, negative, lean, praises, complaints, copies)


def _add(stats: WindowStats, one: _DayStats, by: Literal[1, -1]) -> None:
    """Add a day to the statistics (1), or subtract one that was added before (-1)."""
    stats.posts += by * len(one.marks)
    stats.clear_positive += by * one.positive
    stats.clear_negative += by * one.negative
    stats.intensity += by * one.intensity
    decayed = stats.decayed_positive + by * one.positive * decay(stats.day - one.day)
    stats.decayed_positive = max(0.0, decayed)
    stats.praises += by * one.praises
    stats.complaints += by * one.complaints
    stats.copies += by * one.copies
    stats.praise_days += by * bool(one.praises)
    if by > 0:
        stats.times += [one.day * 86_400 + mark.ms // 1000 for mark in one.marks]
        stats.busiest_day = max(stats.busiest_day, len(one.marks))
        if one.praises:
            stats.last_praise = one.day
    for mark in one.marks:
        flags = mark.flags
        if flags & (SPONSORED | GIVEAWAY | SELLS | STAFF | REPLY):
            stats.promoted += by * bool(flags & (SPONSORED | GIVEAWAY))
            stats.selling += by * bool(flags & SELLS)
            stats.staff += by * bool(flags & STAFF)
            stats.answers += by * bool(flags & REPLY)
        stats.comments += by * mark.comments
        if mark.reactions:
            stats.reacted += by
            stats.reactions += by * (mark.reactions - 1)
        for bit in niche_bits(mark.themes):
            stats.themes[bit] += by
            if not stats.themes[bit]:
                del stats.themes[bit]


def _by_time(mark: Mark) -> tuple[int, int]:
    return mark.ms, mark.post
