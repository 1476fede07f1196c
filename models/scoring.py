"""The components of the score and the score itself: pure functions of the window statistics and the rules.

The score is a weighted geometric mean of components in 0..1. So a strong component cannot make up for a
weak one, and the points that each component costs are exact.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from models.rules import Component, Tiers, Weights
from models.tables import NICHES, niche_bits
from models.window import WindowStats

WILSON_Z = 1.28
"""quantile of the normal distribution: the bound holds with 90 % certainty"""
VOLUME_SCALE = 2.5
FLOOR = 0.02
"""A component counts at least so much: its logarithm must be finite."""
PRIOR_POSTS = 5
"""posts at the benchmark that every engagement rate is averaged with"""
BIO_WEIGHT = 3
"""number of posts that a theme in the bio counts as"""
RELATED = 0.5
"""fit of a niche that is related to one of the brand's"""


def wilson_lower_bound(positive: float, total: float) -> float:
    """Return the lower end of Wilson's score interval of a share (E. B. Wilson, 1927); 0 if `total` is 0."""
    if total <= 0:
        return 0.0
    z2 = WILSON_Z**2
    share = positive / total
    centre = share + z2 / (2 * total)
    half_width = WILSON_Z * math.sqrt((share * (1 - share) + z2 / (4 * total)) / total)
    return max(0.0, (centre - half_width) / (1 + z2 / total))


def enthusiasm(stats: WindowStats) -> float:
    """Return the Wilson lower bound of the positive share, times (0.7 + 0.3 mean intensity)."""
    clear = stats.clear_positive + stats.clear_negative
    if clear <= 0:
        return 0.0
    return wilson_lower_bound(stats.clear_positive, clear) * (0.7 + 0.3 * stats.intensity / clear)


def volume(decayed_positive: float) -> float:
    """Return 1 - e^(-P/2.5), where P is the decayed positive count."""
    return 1 - math.exp(-decayed_positive / VOLUME_SCALE)


def customer(*, in_crm: bool, orders: bool, owned_words: int) -> float:
    """Return the noisy-OR of the evidence that an author is a customer.

    The customer file counts .95, an order .9, and up to three posts with words of ownership .5 each.
    """
    miss = (0.05 if in_crm else 1.0) * (0.1 if orders else 1.0) * 0.5 ** min(owned_words, 3)
    return 1 - miss


def reach(followers: int | None, tiers: Tiers) -> float | None:
    """Return 1 inside a wanted tier, and half as much at each doubling away from it; None if unknown."""
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


def engagement(stats: WindowStats, followers: int | None, usual: float | None) -> float | None:
    """Return r / (r + b): r is the rate of reactions per post and follower, b the benchmark.

    r is averaged with five posts at the benchmark, so that one lucky post says little. The result is 0.5 at
    the benchmark. It is None without followers, without a benchmark, and if no reactions are known.
    """
    if not (followers and stats.reacted and usual):
        return None
    rate = (stats.reactions / followers + PRIOR_POSTS * usual) / (stats.reacted + PRIOR_POSTS)
    return rate / (rate + usual)


class NicheFit(NamedTuple):
    """The niches of a brand, by niche bit."""

    fit: Mapping[int, float]
    """1 for the brand's niches, a half for related ones"""
    conflicting: frozenset[int]


@cache
def niche_fit(wanted: tuple[str, ...]) -> NicheFit | None:
    """Return the fit of every niche to these; None if none of them is in the table."""
    own = [NICHES[name] for name in wanted if name in NICHES]
    if not own:
        return None
    fit = {NICHES[name].bit: RELATED for n in own for name in n.related} | {n.bit: 1.0 for n in own}
    against = {NICHES[name].bit for n in own for name in n.conflicting} - fit.keys()
    return NicheFit(fit, frozenset(against))


def niche(themes: Mapping[int, int], bio: int, brand: NicheFit | None) -> float | None:
    """Return the fit of an author's themes to a brand's niches, times the share that conflicts with none.

    The fit is the cosine between the author's counts and their projection on the brand's niches; related
    niches count half. So an author of one of the brand's niches fits as well as an author of all.

    Args:
        themes: niche bit -> number of posts.
        bio: niche bits of the bio.
        brand: see `niche_fit`. The result is None without it, and if the author has no themes.
    """
    if brand is None or not (themes or bio):
        return None
    counts = dict(themes)
    for bit in niche_bits(bio):
        counts[bit] = counts.get(bit, 0) + BIO_WEIGHT
    met = math.hypot(*(count * brand.fit.get(bit, 0.0) for bit, count in counts.items()))
    against = sum(counts.get(bit, 0) for bit in brand.conflicting) / sum(counts.values())
    return met / math.hypot(*counts.values()) * (1 - against)


def closeness(stats: WindowStats) -> float | None:
    """Return the Wilson bound of the share of answered comments; None without comments or without answers."""
    if not (stats.comments and stats.answers):
        return None
    return wilson_lower_bound(min(stats.answers, stats.comments), stats.comments)


def total(components: Mapping[Component, float | None], shares: Mapping[Component, float], a: float) -> float:
    """Return the score, 100 * A * exp(sum of w * ln(max(x, .02))); 0 if no component is known.

    `shares` are the weights w of the known components, see `shares`.
    """
    log_sum = 0.0  # not by `sum`: it rounds in another way from Python 3.12 on
    for name, w in shares.items():
        log_sum += w * math.log(max(components[name] or 0.0, FLOOR))
    return 100 * a * math.exp(log_sum) if shares else 0.0


def lost_points(
    components: Mapping[Component, float | None], weights: Weights, total: float
) -> dict[str, float]:
    """Return the points that each component costs: S * (x^-w - 1), the gain of S if x were 1. One decimal."""
    return {
        name: round(total * (max(components[name] or 0.0, FLOOR) ** -w - 1), 1)
        for name, w in shares(components, weights).items()
        if w
    }


def coverage(components: Mapping[Component, float | None], weights: Weights) -> float:
    """Return the share of the weights whose component is known."""
    everything = sum(getattr(weights, name) for name in components)
    known = sum(getattr(weights, name) for name, x in components.items() if x is not None)
    return known / everything if everything else 0.0


def shares(components: Mapping[Component, float | None], weights: Weights) -> dict[Component, float]:
    """Return the weights of the known components, scaled to the sum 1."""
    known: dict[Component, float] = {
        name: getattr(weights, name) for name, x in components.items() if x is not None
    }
    total = sum(known.values())
    return {name: w / total for name, w in known.items()} if total else {}
