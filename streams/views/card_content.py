"""The content of a candidate's card, computed once for the terminal and the report."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple, get_args

from models import scoring
from models.brand import Brand
from models.candidate import Candidate, CustomerLabel, DayCounts, Profile, State
from models.rules import Component, Rules

STATES: tuple[State, ...] = ("candidate", "accepted", "watch", "cooled", "declined")
"""in the order of the report"""
SHOWN_DAYS = 90
MEANING: Mapping[str, str] = {
    "enthusiasm": "how positive the opinions are, and how certain that is",
    "volume": "number of positive posts; recent posts count more",
    "customer": "how certain it is that the author is a customer",
    "reach": "how well the number of followers fits the wanted size",
    "engagement": "reactions to the posts, compared with accounts of this size",
    "niche": "how well the author's topics fit the brand",
    "closeness": "how often the author answers comments",
    "authenticity": "share of the score that is left after signs against a real fan",
}
_NO_POSTS = DayCounts(positive=0, neutral=0, negative=0)
_SURE: tuple[CustomerLabel, ...] = get_args(CustomerLabel)
"""the most certain first"""


class Part(NamedTuple):
    """One factor of a score. `value` (0..1) is null when it is not known.

    `share` (0..1) is the component's weight divided by the weights of all known components. It is null for
    a component that does not count, and when the score was made by other settings. `lost` is the number of
    points that a value of 1 would add.
    """

    name: str
    value: float | None
    share: float | None
    lost: float | None

    @property
    def meaning(self) -> str:
        """The quantity that the factor measures."""
        return MEANING.get(self.name, "")


def parts(candidate: Candidate, rules: Rules) -> list[Part]:
    """Return the components of a score in their usual order, then authenticity if a rule fired."""
    names: tuple[Component, ...] = get_args(Component)
    shares: dict[Component, float] = {}
    if candidate.model_version == rules.model_version:
        shares = scoring.shares({name: candidate.components.get(name) for name in names}, rules.weights)
    found = [
        Part(name, candidate.components.get(name), shares.get(name) or None, candidate.lost_points.get(name))
        for name in names
    ]
    if candidate.authenticity.severities:
        lost = candidate.lost_points.get("authenticity")
        found.append(Part("authenticity", candidate.authenticity.value, None, lost))
    return found


def last_days(days: Mapping[str, DayCounts], last: str, n: int = SHOWN_DAYS) -> list[tuple[str, DayCounts]]:
    """Return the `n` days up to and including `last` (`YYYY-MM-DD`), oldest first, days without posts too."""
    end = date.fromisoformat(last)
    names = ((end - timedelta(days=back)).isoformat() for back in reversed(range(n)))
    return [(name, days.get(name, _NO_POSTS)) for name in names]


def summed(days: Iterable[tuple[str, DayCounts]]) -> DayCounts:
    """Return the sum of several days' posts."""
    counts = [count for _, count in days]
    return DayCounts(
        positive=sum(count.positive for count in counts),
        neutral=sum(count.neutral for count in counts),
        negative=sum(count.negative for count in counts),
    )


def missing(candidate: Candidate, profile: Profile | None, rules: Rules) -> list[str]:
    """Return the conditions that a watched author does not meet, besides the watch-outs.

    The list is empty for other states, and when the score was made by other settings.
    """
    if candidate.state != "watch" or candidate.model_version != rules.model_version:
        return []
    limits, require = rules.thresholds, rules.customers.require
    found = []
    if candidate.tier.followers is None:
        found.append("The number of followers is not known")
    label = candidate.customer.label
    if label != "unknown" and _SURE.index(label) > _SURE.index(require):
        found.append(f"A {label} customer; a {require} customer is required")
    if candidate.score < limits.enter_score:
        found.append(f"A score of {candidate.score}; {limits.enter_score:g} is required")
    if profile is not None:
        praises = profile.counts.praises
        if praises < limits.positive_posts:
            found.append(f"{praises} clearly positive posts; {limits.positive_posts} are required")
        if profile.positive_days < limits.positive_days:
            found.append(f"Praise on {profile.positive_days} days; {limits.positive_days} are required")
    if not (found or candidate.watch_outs):
        found.append(
            f"A score of at least {limits.enter_score:g} on fewer than {limits.enter_days} of the last "
            f"{limits.enter_of_last} days with posts"
        )
    return found


def surfaces(rules: Rules, brand: str, platform: str) -> re.Pattern[str]:
    """Return a pattern of the brand's names, aliases, products, hashtags, and handles on the platform.

    For a brand that is not in the settings the pattern matches nothing.
    """
    patterns = [
        pattern for known in rules.brands if known.name == brand for pattern in _names(known, platform)
    ]
    longest_first = sorted(patterns, key=lambda pattern: (-len(pattern), pattern))
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first) or '(?!)'})(?!\w)", re.IGNORECASE)


def _names(brand: Brand, platform: str) -> list[str]:
    names = {brand.name, *brand.aliases, *brand.products}
    tags = {"".join(name.split()) for name in names} | set(brand.hashtags)
    found = [r"\s+".join(map(re.escape, name.split())) for name in names]
    found += [f"#{re.escape(tag)}" for tag in tags]
    found += [f"@{re.escape(handle)}" for handle in brand.handles.get(platform, ())]
    return found
