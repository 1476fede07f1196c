"""From a ring to a score, day by day: pure functions of the profile and the rules.

Formulas are those of the project's scoring model: a weighted geometric mean of components in
0..1, so that nothing buys off a weak one and the points lost to each can be named exactly.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from models.ring import GIVEAWAY, NEGATIVE, POSITIVE, SPONSORED, Days, marks
from models.rules import Component, Tiers, Weights

HALF_LIFE_DAYS = 30
WILSON_Z = 1.28
VOLUME_SCALE = 2.5
WEIGHTED_POSTS_A_DAY = 2.0
FLOOR = 0.02
FLOOD_A_DAY = 72
MIN_GAPS = 12
LAST_GAPS = 32
STEADY_VARIATION = 0.2


@dataclass(slots=True)
class Tally:
    """Everything counted from the start of a ring up to and including `day`."""

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
    praise_days: int = 0
    last_praise: int | None = None
    promoted: int = 0
    """sponsored or contest posts and reposts"""
    busiest_day: int = 0
    times: list[int] = field(default_factory=list)
    """seconds of the posts, ascending"""


def tallies(days: Days) -> Iterator[Tally]:
    """One tally for each event day of the ring, oldest first.

    The same object is yielded again and again, brought forward: copy what must be kept.
    """
    tally = Tally()
    for day in sorted(days):
        bring_forward(tally, day)
        positive = negative = lean = 0.0
        praises = count = 0
        seconds = []
        for mark in marks(days[day]):
            count += 1
            weight = mark.weight
            seconds.append(day * 86_400 + mark.ms // 1000)
            if mark.flags & (SPONSORED | GIVEAWAY):
                tally.promoted += 1
            if mark.label == POSITIVE:
                positive += weight
                praises += weight == 1.0
            elif mark.label == NEGATIVE:
                negative += weight
            else:
                continue
            lean += weight * mark.intensity / 255
        scale = min(1.0, WEIGHTED_POSTS_A_DAY / (positive + negative)) if positive + negative else 1.0
        tally.posts += count
        tally.busiest_day = max(tally.busiest_day, count)
        tally.clear_positive += positive * scale
        tally.clear_negative += negative * scale
        tally.intensity += lean * scale
        tally.decayed_positive += positive * scale
        tally.praises += praises
        if praises:
            tally.praise_days += 1
            tally.last_praise = day
        tally.times.extend(sorted(seconds))
        yield tally


def bring_forward(tally: Tally, day: int) -> None:
    """Let the days up to `day` pass without posts: only the decayed sum changes."""
    tally.decayed_positive *= 2 ** (-(day - tally.day) / HALF_LIFE_DAYS)
    tally.day = day


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


def authenticity(tally: Tally) -> dict[str, float]:
    """Severity of each statistical rule that fired, by code; A is the product of (1 - severity)."""
    fired = {}
    if tally.busiest_day > FLOOD_A_DAY:
        fired["flood"] = 0.7
    if tally.posts and (share := tally.promoted / tally.posts) >= 0.25:
        fired["promoted"] = round(min(0.8, share), 4)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tally.times[-LAST_GAPS - 1 :])]
    if len(gaps) >= MIN_GAPS and (mean := sum(gaps) / len(gaps)) > 0:
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        if deviation / mean < STEADY_VARIATION:
            fired["clockwork"] = 0.5
    return fired


def product(severities: Mapping[str, float]) -> float:
    """A: 1 when nothing fired."""
    return math.prod(1 - severity for severity in severities.values())


def score(components: Mapping[Component, float | None], weights: Weights, a: float) -> float:
    """100 * A * exp(sum of w * ln(max(x, .02))), w renormalised over the known components."""
    known = _shares(components, weights)
    log_sum = sum(w * math.log(max(components[name] or 0.0, FLOOR)) for name, w in known.items())
    return 100 * a * math.exp(log_sum) if known else 0.0


def lost_points(
    components: Mapping[Component, float | None], weights: Weights, total: float
) -> dict[str, float]:
    """Points each component cost, S * (x^-w - 1), rounded to one decimal: what S would gain were it 1."""
    return {
        name: round(total * (max(components[name] or 0.0, FLOOR) ** -w - 1), 1)
        for name, w in _shares(components, weights).items()
    }


def coverage(components: Mapping[Component, float | None], weights: Weights) -> float:
    """The share of the weights whose component is known."""
    everything = sum(getattr(weights, name) for name in components)
    known = sum(getattr(weights, name) for name, x in components.items() if x is not None)
    return known / everything if everything else 0.0


def _shares(components: Mapping[Component, float | None], weights: Weights) -> dict[Component, float]:
    known: dict[Component, float] = {
        name: getattr(weights, name) for name, x in components.items() if x is not None
    }
    total = sum(known.values())
    return {name: w / total for name, w in known.items()} if total else {}
