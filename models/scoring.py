"""From a ring to a score, day by day: pure functions of the profile and the rules.

Formulas are those of the project's scoring model: a weighted geometric mean of components in
0..1, so that nothing buys off a weak one and the points lost to each can be named exactly.
"""

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

from models.ring import (
    GIVEAWAY,
    NEGATIVE,
    POSITIVE,
    REPLY,
    SELLS,
    SPONSORED,
    STAFF,
    Days,
    Mark,
    marks,
)
from models.rules import Component, Tiers, Weights
from models.tables import NICHES

HALF_LIFE_DAYS = 30
WILSON_Z = 1.28
VOLUME_SCALE = 2.5
WEIGHTED_POSTS_A_DAY = 2.0
GRID = 2**32
"""A day's sums are whole multiples of 1/GRID: floats of which those of any day can be taken away exactly."""
FLOOR = 0.02
ALONE = 0.4
"""What a rule of statistics takes at most: with one alone an author may still be a candidate (A of .6)."""
FLOOD_A_DAY = 72
MIN_GAPS = 12
LAST_GAPS = 32
STEADY_VARIATION = 0.2
NEAR = 8
"""Bits in which the fingerprints of a text and its copy with a word changed may differ. Those of two
posts that real people wrote differ in 11 at least (of 300,000 pairs of airline posts)."""
COMPARED = 16
"""posts before it that a post is compared with"""
COPY_WEIGHT = 0.25
PRIOR_POSTS = 5
"""posts at the benchmark that an engagement rate starts from"""
BIO_WEIGHT = 3
"""themes of a bio count as those of so many posts"""
RELATED = 0.5
MASS_FOLLOWING = 1_500
JUMP, JUMP_SHARE = 3_000, 0.1
"""followers won overnight, and as a share of those before, that nobody wins by talking"""
JUMP_PACE = 20
"""A jump between two posts some days apart: so many times the pace of all the other days."""
ROUND_STEP, STEP, ROUNDED = 1_000, 500, 100
"""Followers that grow by exactly thousands were bought, unless the source rounds its counts; also
those that grow three times by a multiple of 500 and the few (`BESIDE`) that come by themselves."""
BESIDE = 15


@dataclass(slots=True)
class Tally:
    """Everything counted in the window that ends with the last event day up to `day`."""

    day: int = 0
    posts: int = 0
    clear_positive: float = 0.0
    """weighted positive posts, at most two weighted posts a day"""
    clear_negative: float = 0.0
    intensity: float = 0.0
    """sum of weight times intensity over the clear opinions, intensity in 0..1"""
    decayed_positive: float = 0.0
    """weighted positives, a day of age a counting 2^(-a/30)"""
    praises: int = 0
    """positive posts of full quality"""
    complaints: int = 0
    """negative posts of full quality"""
    praise_days: int = 0
    last_praise: int | None = None
    promoted: int = 0
    """sponsored or contest posts and reposts"""
    copies: int = 0
    """posts that nearly repeat one of the 16 before them"""
    selling: int = 0
    staff: int = 0
    """posts that speak for the company"""
    reacted: int = 0
    """posts whose reactions are known"""
    reactions: int = 0
    """sum over those"""
    comments: int = 0
    """got by all posts, as far as known"""
    answers: int = 0
    """posts that answer somebody else's"""
    themes: Counter[int] = field(default_factory=Counter)
    """place of a niche -> posts whose hashtags name it"""
    busiest_day: int = 0
    times: list[int] = field(default_factory=list)
    """seconds of the posts, ascending, also of those before the window"""


class _Told(NamedTuple):
    """A day's posts, and the opinions in them as they count: at most two weighted posts."""

    day: int
    marks: list[Mark]
    positive: float
    negative: float
    intensity: float
    praises: int
    complaints: int
    copies: int


def tallies(days: Days, window: int, newest: int = 0) -> Iterator[Tally]:
    """One tally for each event day of the ring, oldest first, of the `window` days up to it.

    The last one is of those up to `newest`, if that is later. The same object is yielded again and again,
    brought forward: copy what must be kept.
    """
    tally = Tally()
    inside: deque[_Told] = deque()
    before: deque[int] = deque(maxlen=COMPARED)
    for day in (event_days := sorted(days)):
        bring_forward(tally, day)
        oldest = (day if day < event_days[-1] else max(day, newest)) - window + 1
        told = _told(day, sorted(marks(days[day]), key=_by_time), before)
        inside.append(told)
        _count(tally, told, 1)
        if inside[0].day < oldest:
            busiest = 0
            while inside[0].day < oldest:
                busiest = max(busiest, len(inside[0].marks))
                _count(tally, inside.popleft(), -1)
            if busiest == tally.busiest_day:
                tally.busiest_day = max(len(told.marks) for told in inside)
            if tally.last_praise is not None and tally.last_praise < inside[0].day:
                tally.last_praise = None
        yield tally


def _told(day: int, today: list[Mark], before: deque[int]) -> _Told:
    """`before` are fingerprints of the posts before; those of today are added."""
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
    return _Told(day, today, positive, negative, lean, praises, complaints, copies)


def _count(tally: Tally, told: _Told, by: Literal[1, -1]) -> None:
    """Put a day into the tally (1), or take one out that was in it (-1)."""
    tally.posts += by * len(told.marks)
    tally.clear_positive += by * told.positive
    tally.clear_negative += by * told.negative
    tally.intensity += by * told.intensity
    decayed = tally.decayed_positive + by * told.positive * decay(tally.day - told.day)
    tally.decayed_positive = max(0.0, decayed)
    tally.praises += by * told.praises
    tally.complaints += by * told.complaints
    tally.copies += by * told.copies
    tally.praise_days += by * bool(told.praises)
    if by > 0:
        tally.times += [told.day * 86_400 + mark.ms // 1000 for mark in told.marks]
        tally.busiest_day = max(tally.busiest_day, len(told.marks))
        if told.praises:
            tally.last_praise = told.day
    for mark in told.marks:
        flags = mark.flags
        if flags & (SPONSORED | GIVEAWAY | SELLS | STAFF | REPLY):
            tally.promoted += by * bool(flags & (SPONSORED | GIVEAWAY))
            tally.selling += by * bool(flags & SELLS)
            tally.staff += by * bool(flags & STAFF)
            tally.answers += by * bool(flags & REPLY)
        tally.comments += by * mark.comments
        if mark.reactions:
            tally.reacted += by
            tally.reactions += by * (mark.reactions - 1)
        for place in _places(mark.themes):
            tally.themes[place] += by
            if not tally.themes[place]:
                del tally.themes[place]


def _by_time(mark: Mark) -> tuple[int, int]:
    return mark.ms, mark.post


def _places(themes: int) -> Iterator[int]:
    return (place for place in range(themes.bit_length()) if themes >> place & 1)


def bring_forward(tally: Tally, day: int) -> None:
    """Let the days up to `day` pass without posts: only the decayed sum changes."""
    tally.decayed_positive *= decay(day - tally.day)
    tally.day = day


def decay(days: int) -> float:
    """What is left of a positive post after so many days."""
    return float(2 ** (-days / HALF_LIFE_DAYS))


def wilson_lower_bound(positive: float, total: float) -> float:
    """Lower end of Wilson's score interval of a share, z = 1.28 (E. B. Wilson, 1927); 0 of nothing is 0."""
    if total <= 0:
        return 0.0
    z2 = WILSON_Z**2
    share = positive / total
    centre = share + z2 / (2 * total)
    spread = WILSON_Z * math.sqrt((share * (1 - share) + z2 / (4 * total)) / total)
    return max(0.0, (centre - spread) / (1 + z2 / total))


def enthusiasm(tally: Tally) -> float:
    """Wilson lower bound of the positive share, times (0.7 + 0.3 mean intensity)."""
    clear = tally.clear_positive + tally.clear_negative
    if clear <= 0:
        return 0.0
    return wilson_lower_bound(tally.clear_positive, clear) * (0.7 + 0.3 * tally.intensity / clear)


def volume(tally: Tally) -> float:
    """1 - e^(-P/2.5), P the decayed positive count."""
    return 1 - math.exp(-tally.decayed_positive / VOLUME_SCALE)


def customer(*, in_crm: bool, orders: bool, owned_words: int) -> float:
    """Noisy-OR of the evidence: customer file .95, an order .9, ownership words .5 each up to 3."""
    miss = (0.05 if in_crm else 1.0) * (0.1 if orders else 1.0) * 0.5 ** min(owned_words, 3)
    return 1 - miss


def reach(followers: int | None, tiers: Tiers) -> float | None:
    """1 inside a wanted tier, falling by half for each doubling away from it; unknown is None."""
    if followers is None:
        return None
    best = 0.0
    for low, high in tiers.wanted_bounds():
        if followers < low:
            best = max(best, (followers + 1) / (low + 1))
        elif high is not None and followers >= high:
            best = max(best, high / (followers + 1))
        else:
            return 1.0
    return best


def engagement(tally: Tally, followers: int | None, usual: float | None) -> float | None:
    """r / (r + b): r reactions a post and follower, drawn to the benchmark b by five posts at it.

    .5 at the benchmark. None without followers, without posts whose reactions are known, without benchmark.
    """
    if not (followers and tally.reacted and usual):
        return None
    rate = (tally.reactions / followers + PRIOR_POSTS * usual) / (tally.reacted + PRIOR_POSTS)
    return rate / (rate + usual)


class NicheFit(NamedTuple):
    """What a brand is about, by place of a niche."""

    fit: Mapping[int, float]
    """1 for the brand's niches, a half for related ones"""
    conflicting: frozenset[int]


@cache
def niche_fit(wanted: tuple[str, ...]) -> NicheFit | None:
    """Of these niches; None when none of them is in the table."""
    own = [NICHES[name] for name in wanted if name in NICHES]
    if not own:
        return None
    fit = {NICHES[name].place: RELATED for n in own for name in n.related} | {n.place: 1.0 for n in own}
    against = {NICHES[name].place for n in own for name in n.conflicting} - fit.keys()
    return NicheFit(fit, frozenset(against))


def niche(themes: Mapping[int, int], bio: int, brand: NicheFit | None) -> float | None:
    """How far what an author is about lies in a brand's niches, times the share that conflicts with none.

    `themes` are counts by place of a niche, `bio` bits. The cosine between the author's counts and their
    projection on the brand's niches; a niche related to those counts half. So an author who lives for one
    of several niches fits as well as one who lives for all. None when either shows no theme.
    """
    if brand is None or not (themes or bio):
        return None
    counts = dict(themes)
    for place in _places(bio):
        counts[place] = counts.get(place, 0) + BIO_WEIGHT
    met = math.hypot(*(count * brand.fit.get(place, 0.0) for place, count in counts.items()))
    against = sum(counts.get(place, 0) for place in brand.conflicting) / sum(counts.values())
    return met / math.hypot(*counts.values()) * (1 - against)


def closeness(tally: Tally) -> float | None:
    """Wilson bound of the comments that were answered; None unless both comments and answers are seen."""
    if not (tally.comments and tally.answers):
        return None
    return wilson_lower_bound(min(tally.answers, tally.comments), tally.comments)


def authenticity(tally: Tally) -> dict[str, float]:
    """Severity of each rule about posts that fired, by code; A is the product of (1 - severity)."""
    fired = {}
    if tally.copies >= 2 and (share := tally.copies / tally.posts) >= 0.25:
        fired["copies"] = round(min(ALONE, share), 4)
    if tally.selling and tally.selling / tally.posts >= 0.2:
        fired["selling"] = 0.6 if tally.selling >= 2 else 0.3
    if tally.staff and tally.staff / tally.posts >= 0.2:
        fired["staff"] = 0.6 if tally.staff >= 2 else 0.3
    if tally.busiest_day > FLOOD_A_DAY:
        fired["flood"] = ALONE
    if tally.posts and (share := tally.promoted / tally.posts) >= 0.25:
        fired["promoted"] = round(min(0.8, share), 4)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tally.times[-LAST_GAPS - 1 :])]
    if len(gaps) >= MIN_GAPS and (mean := sum(gaps) / len(gaps)) > 0:
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        if deviation / mean < STEADY_VARIATION:
            fired["clockwork"] = ALONE
    return fired


def account_signs(
    growth: Sequence[tuple[int, int]], following: int | None, *, bio_sells: bool
) -> dict[str, float]:
    """Severity of each rule about the account that fired. `growth`: (day, followers), days ascending."""
    fired = {}
    gains = [
        (later - earlier, before, after - before)
        for (earlier, before), (later, after) in itertools.pairwise(growth)
    ]
    if _jumped(gains):
        fired["follower_jump"] = 0.35
    if _stepped([gain for _, before, gain in gains if before % ROUNDED]):
        fired["follower_steps"] = 0.35
    if following is not None and following > MASS_FOLLOWING:
        fired["mass_following"] = 0.15
    if bio_sells:
        fired["reseller"] = 0.5
    return fired


def _stepped(gains: Sequence[int]) -> bool:
    """Whether followers came by the thousand exactly, or again and again by about so many hundred."""
    steps = [gain for gain in gains if gain >= STEP]
    exact = any(gain % ROUND_STEP == 0 for gain in steps if gain >= ROUND_STEP)
    near = sum(gain % STEP <= BESIDE for gain in steps)
    return exact or (near >= 3 and 2 * near >= len(steps))


def _jumped(gains: Sequence[tuple[int, int, int]]) -> bool:
    """Whether one gain (days, followers before, gain) is a jump: overnight, or far from the usual pace."""
    days = sum(gap for gap, _, _ in gains)
    won = sum(gain for _, _, gain in gains)
    return any(
        gain >= max(JUMP, JUMP_SHARE * before)
        and (gap == 1 or (days >= 2 * gap and gain / gap >= JUMP_PACE * max(won - gain, 1) / (days - gap)))
        for gap, before, gain in gains
    )


def product(severities: Mapping[str, float]) -> float:
    """A: 1 when nothing fired."""
    return math.prod(1 - severity for severity in severities.values())


def score(components: Mapping[Component, float | None], weights: Weights, a: float) -> float:
    """100 * A * exp(sum of w * ln(max(x, .02))), w renormalised over the known components."""
    return total(components, shares(components, weights), a)


def total(components: Mapping[Component, float | None], shares: Mapping[Component, float], a: float) -> float:
    """The same with the shares of the known components at hand; 0 without any."""
    log_sum = 0.0  # not by `sum`: it rounds in another way from Python 3.12 on
    for name, w in shares.items():
        log_sum += w * math.log(max(components[name] or 0.0, FLOOR))
    return 100 * a * math.exp(log_sum) if shares else 0.0


def lost_points(
    components: Mapping[Component, float | None], weights: Weights, total: float
) -> dict[str, float]:
    """Points each component cost, S * (x^-w - 1), rounded to one decimal: what S would gain were it 1."""
    return {
        name: round(total * (max(components[name] or 0.0, FLOOR) ** -w - 1), 1)
        for name, w in shares(components, weights).items()
        if w
    }


def coverage(components: Mapping[Component, float | None], weights: Weights) -> float:
    """The share of the weights whose component is known."""
    everything = sum(getattr(weights, name) for name in components)
    known = sum(getattr(weights, name) for name, x in components.items() if x is not None)
    return known / everything if everything else 0.0


def shares(components: Mapping[Component, float | None], weights: Weights) -> dict[Component, float]:
    """The weights of the known components, summing to 1."""
    known: dict[Component, float] = {
        name: getattr(weights, name) for name, x in components.items() if x is not None
    }
    total = sum(known.values())
    return {name: w / total for name, w in known.items()} if total else {}
