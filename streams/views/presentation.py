"""What people are shown of a record, worked out once: the board, the card and the report say the same.

Posts are hostile text: whatever comes out of one goes through `plain` before a person sees it.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple, get_args
from urllib.parse import urlsplit

from models import scoring
from models.brand import Brand
from models.candidate import Candidate, CustomerLabel, DayCounts, Profile, State
from models.rules import Component, Rules

STATES: tuple[State, ...] = ("candidate", "accepted", "watch", "cooled", "declined")
"""in the order in which a person cares"""
SHOWN_DAYS = 90
MEANING: Mapping[str, str] = {
    "enthusiasm": "how surely and how strongly the opinions are positive",
    "volume": "how many positive posts, recent ones more",
    "customer": "how sure it is that this is a customer",
    "reach": "how well the followers fit the wanted size",
    "engagement": "how much the audience reacts, beside what is usual",
    "niche": "how well the themes fit the brand's",
    "closeness": "how often comments are answered",
    "authenticity": "what the signs against a real fan leave of the score",
}
_NO_POSTS = DayCounts(positive=0, neutral=0, negative=0)
_SPACE = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
_MOST_MARKS = 4
"""combining marks on one letter: no script needs more, and a tower of them covers its neighbours"""
_SURE: tuple[CustomerLabel, ...] = get_args(CustomerLabel)
"""the surest first"""


class Part(NamedTuple):
    """One factor of a score. `value` (0..1) is null when it is not known.

    `share` is the component's part of the weights of all known ones (0..1); null when it does not count,
    or when the settings in force are not those that judged. `lost` are the points its being below 1 costs.
    """

    name: str
    value: float | None
    share: float | None
    lost: float | None

    @property
    def meaning(self) -> str:
        """What the factor measures."""
        return MEANING.get(self.name, "")


def parts(candidate: Candidate, rules: Rules) -> list[Part]:
    """The components of a score in their usual order, then authenticity if a rule fired."""
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
    """Each of the `n` days up to and including `last` (`YYYY-MM-DD`), oldest first, also without posts."""
    end = date.fromisoformat(last)
    names = ((end - timedelta(days=back)).isoformat() for back in reversed(range(n)))
    return [(name, days.get(name, _NO_POSTS)) for name in names]


def summed(days: Iterable[tuple[str, DayCounts]]) -> DayCounts:
    """The posts of several days together."""
    counts = [count for _, count in days]
    return DayCounts(
        positive=sum(count.positive for count in counts),
        neutral=sum(count.neutral for count in counts),
        negative=sum(count.negative for count in counts),
    )


def missing(candidate: Candidate, profile: Profile | None, rules: Rules) -> list[str]:
    """What keeps a watched author from being a candidate and is not among the watch-outs.

    Nothing for other states, and nothing when the settings in force are not those that judged.
    """
    if candidate.state != "watch" or candidate.model_version != rules.model_version:
        return []
    limits, require = rules.thresholds, rules.customers.require
    found = []
    if candidate.tier.followers is None:
        found.append("Followers are not known, so nobody can tell whether the size is wanted")
    label = candidate.customer.label
    if label != "unknown" and _SURE.index(label) > _SURE.index(require):
        found.append(f"Is a {label} customer; {require} is needed")
    if candidate.score < limits.enter_score:
        found.append(f"The score of {candidate.score} is below the {limits.enter_score:g} that is needed")
    if profile is not None:
        praises = profile.counts.praises
        if praises < limits.positive_posts:
            found.append(f"Only {praises} clearly positive posts; {limits.positive_posts} are needed")
        if profile.positive_days < limits.positive_days:
            found.append(f"Praise on only {profile.positive_days} days; {limits.positive_days} are needed")
    if not (found or candidate.watch_outs):
        found.append(
            f"The score has not yet been {limits.enter_score:g} or more on {limits.enter_days} of the last "
            f"{limits.enter_of_last} days with posts"
        )
    return found


def surfaces(rules: Rules, brand: str, platform: str) -> re.Pattern[str]:
    """Finds where a text names the brand: its name, aliases, products, hashtags, and handles of the platform.

    Nothing is found of a brand that is not in the settings.
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


def plain(text: str) -> str:
    """The text on one line, without what steers a terminal or the direction of the text around it.

    Controls and invisible characters go (not the joiners that scripts and emoji need), and so do combining
    marks piled up beyond four.
    """
    kept: list[str] = []
    marks = 0
    for character in _SPACE.sub(" ", text):
        marks = marks + 1 if unicodedata.combining(character) else 0
        kind = unicodedata.category(character)
        if marks > _MOST_MARKS or kind == "Cc" or (kind == "Cf" and character not in _JOINERS):
            continue
        kept.append("\ufffd" if kind == "Cs" else character)
    return "".join(kept)


def web_link(url: str | None) -> str | None:
    """The address if it is one of the web, else null: an address from a post may be a script."""
    try:
        parted = urlsplit(url or "")
    except ValueError:
        return None
    return url if parted.scheme in {"http", "https"} and parted.netloc else None
