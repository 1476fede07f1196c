"""Five simpler rankings of the same authors, from the same annotations, as baselines."""

import math
from collections.abc import Callable, Mapping, Sequence

from models.opinion import EnrichedPost, Opinion
from models.times import instant
from tests.judge.world import Truth

Z = 1.28
"""quantile of the normal distribution for `_wilson`: a one-sided bound at 90 %"""
Ranking = Callable[[Sequence[EnrichedPost], str, Truth], float]


def rankings(posts: Mapping[str, Sequence[EnrichedPost]], truth: Mapping[str, Truth]) -> dict[str, list[str]]:
    """Return the candidate keys in the wanted tier by ranking, best first.

    `posts` are those of the last 90 days, by candidate key.
    """
    in_tier = [key for key in posts if truth[key].in_tier]
    found = {}
    for name, value in _RANKINGS.items():
        values = {key: value(posts[key], key.partition("/")[0], truth[key]) for key in in_tier}
        found[name] = sorted(in_tier, key=lambda key: (-values[key], key))
    return found


def instant_of(post: EnrichedPost) -> int:
    """Return the time of a post in epoch milliseconds."""
    return instant(post.post.created_at)


def _opinions(posts: Sequence[EnrichedPost], brand: str) -> list[Opinion]:
    return [opinion for post in posts for opinion in post.brands if opinion.brand == brand]


def _positive(posts: Sequence[EnrichedPost], brand: str) -> int:
    return sum(opinion.sentiment.label == "positive" for opinion in _opinions(posts, brand))


def _mention_count(posts: Sequence[EnrichedPost], brand: str, truth: Truth) -> float:
    return len(posts)


def _mean_sentiment(posts: Sequence[EnrichedPost], brand: str, truth: Truth) -> float:
    sides = [o.sentiment.probabilities for o in _opinions(posts, brand)]
    return sum(side["positive"] - side["negative"] for side in sides) / len(sides)


def _positive_by_reach(posts: Sequence[EnrichedPost], brand: str, truth: Truth) -> float:
    return _positive(posts, brand) * (truth.followers or 0)


def _wilson(posts: Sequence[EnrichedPost], brand: str, truth: Truth) -> float:
    """Return the lower bound of the positive share among clear opinions (Wilson 1927)."""
    labels = [opinion.sentiment.label for opinion in _opinions(posts, brand)]
    n = len(labels) - labels.count("neutral")
    if not n:
        return 0.0
    share = labels.count("positive") / n
    centre = share + Z**2 / (2 * n)
    margin = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return (centre - margin) / (1 + Z**2 / n)


def _weighted_sum(posts: Sequence[EnrichedPost], brand: str, truth: Truth) -> float:
    """Return a weighted sum of features from 0 to 1, as in a spreadsheet."""
    opinions = _opinions(posts, brand)
    likes = [post.post.metrics.likes or 0 for post in posts if post.post.metrics is not None]
    rate = sum(likes) / len(likes) / (truth.followers or 1) if likes else 0.0
    words = any(opinion.evidence for opinion in opinions)
    return (
        0.35 * _positive(posts, brand) / len(opinions)
        + 0.2 * min(1.0, _positive(posts, brand) / 10)
        + 0.15 * (1.0 if truth.customer_in_file else 0.5 if words else 0.0)
        + 0.15 * math.log10(max(1, truth.followers or 1)) / 6
        + 0.15 * min(1.0, rate / 0.03)
    )


_RANKINGS: Mapping[str, Ranking] = {
    "mention count": _mention_count,
    "mean sentiment": _mean_sentiment,
    "positive posts x reach": _positive_by_reach,
    "Wilson bound alone": _wilson,
    "additive weighted sum": _weighted_sum,
}
