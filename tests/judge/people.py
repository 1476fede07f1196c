"""The people of the simulated world, drawn from archetypes.

The numbers are guesses, made before any score was computed. None comes from the scorer.
"""

import bisect
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from models.brand import Brand
from tests.judge import phrases
from tests.judge.texts import OWN, Mood

Archetype = Literal[
    "fan", "one_hit", "complainer", "critic", "giveaway", "bot", "sponsored", "employee", "reseller",
    "ironic", "silent", "passer_by",
]  # fmt: skip

DAYS = 120
DAY_S = 86_400
MOODS: tuple[Mood, ...] = ("praise", "neutral", "gripe")
PLATFORMS: Mapping[str, float] = {"x": 0.5, "instagram": 0.25, "bluesky": 0.15, "reddit": 0.1}
HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 10, 9, 8, 8, 9, 11, 13, 14, 15, 13, 9, 5)
"""weight of each hour of the day for a post"""
BASE_RATE: Mapping[str, float] = {"x": 0.006, "instagram": 0.02, "bluesky": 0.015, "reddit": 0.01}
"""likes per follower of an author with 10,000 followers"""


class Trait(NamedTuple):
    """The distributions of an archetype."""

    many: int
    """authors in 1,000"""
    followers: tuple[float, float]
    """median and sigma of a log-normal distribution"""
    posts: tuple[float, float]
    """median and sigma of a log-normal distribution"""
    moods: tuple[float, float, float]
    """mean shares of praise, neutral posts and gripes among ordinary posts"""
    customers: float
    """share of customers"""
    special: float = 0.0
    """share of posts of the archetype's own kind"""
    steady: float = 12.0
    """concentration of the moods: higher for more similar people"""


TRAITS: Mapping[Archetype, Trait] = {
    "fan": Trait(190, (3_200, 1.8), (9, 0.7), (0.82, 0.12, 0.06), 1.0, steady=20),
    "one_hit": Trait(60, (900, 1.9), (2, 0.5), (0.95, 0.05, 0.0), 0.85),
    "complainer": Trait(95, (900, 1.9), (5, 0.7), (0.08, 0.17, 0.75), 0.9),
    "critic": Trait(30, (2_000, 1.9), (9, 0.8), (0.03, 0.27, 0.7), 0.05, special=0.15),
    "giveaway": Trait(50, (4_000, 1.2), (9, 0.6), (0.75, 0.2, 0.05), 0.15, special=0.65),
    "bot": Trait(35, (9_000, 1.0), (16, 0.5), (1.0, 0.0, 0.0), 0.0),
    "sponsored": Trait(40, (20_000, 1.0), (8, 0.5), (0.85, 0.15, 0.0), 0.2, special=0.85),
    "employee": Trait(35, (2_500, 1.6), (9, 0.7), (0.8, 0.2, 0.0), 0.4, special=0.5),
    "reseller": Trait(30, (5_000, 1.3), (9, 0.6), (0.75, 0.25, 0.0), 0.6, special=0.8),
    "ironic": Trait(45, (900, 1.9), (7, 0.7), (0.05, 0.25, 0.7), 0.8, special=0.6),
    "silent": Trait(85, (700, 1.7), (0.7, 0.6), (0.1, 0.9, 0.0), 1.0),
    "passer_by": Trait(310, (900, 1.9), (2.6, 1.0), (0.33, 0.42, 0.25), 0.35, steady=6),
}
MOST_PRAISE = 0.65
"""largest share of praise of a passer-by"""

EmployeeOf = Literal["list", "file", "bio", "words"]
SponsorMark = Literal["flag", "hashtag", "words"]


@dataclass(slots=True)
class Person:
    """One author, with all true facts."""

    archetype: Archetype
    brand: int
    """index of the brand that they post about"""
    platform: str
    id: str
    handle: str
    bio: str | None
    moods: tuple[float, float, float]
    followers: float
    """on the first day"""
    growth: float
    """daily growth, as a share of the followers"""
    jumps: tuple[tuple[int, int], ...]
    """(day, new followers) of each jump, by day"""
    shows_followers: bool
    following: int
    customer: bool
    phase: int
    """offset from UTC in hours"""
    active: tuple[int, int]
    """first and last day with posts"""
    posts: int
    rate: float
    """likes per follower"""
    shows_reactions: bool
    answers: float
    """share of comments that get an answer"""
    second_language: bool
    bot_flag: bool = False
    note: str = ""
    """difference from others of the archetype, for reports of errors"""
    templates: int = 0
    """number of texts that a bot varies; 0 for a new text each time"""
    period: int | None = None
    """seconds between the posts of a bot"""
    employed: EmployeeOf | None = None
    paid: SponsorMark | None = None
    used: set[str] = field(default_factory=set)
    """sentences used so far: only bots repeat themselves"""

    def followers_on(self, day: int) -> int:
        """Return the number of followers on a day."""
        came = sum(n for at, n in self.jumps[: bisect.bisect(self.jumps, (day, math.inf))])
        return round(self.followers * (1 + self.growth * day)) + came


def people(rng: random.Random, authors: int, brands: Sequence[Brand]) -> list[Person]:
    """Draw about this many authors, with archetypes by their shares."""
    drawn = []
    for archetype, trait in TRAITS.items():
        for number in range(max(4, round(trait.many * authors / 1_000))):
            drawn.append(_person(rng, archetype, trait, f"{archetype[:3]}{number}", brands))
    names = list(range(len(drawn)))
    rng.shuffle(names)  # an id must not reveal the archetype
    for person, name in zip(drawn, names, strict=True):
        person.id, person.handle = (
            f"{name + 100_000}",
            f"{rng.choice(_SYLLABLES)}{rng.choice(_SYLLABLES)}_{name}",
        )
    return drawn


_SYLLABLES = ("ka", "lou", "mir", "tom", "zed", "ann", "bea", "rio", "sol", "wim", "pat", "eve")


def _person(
    rng: random.Random, archetype: Archetype, trait: Trait, name: str, brands: Sequence[Brand]
) -> Person:
    index = rng.randrange(len(brands))
    brand = brands[index]
    platform = rng.choices(list(PLATFORMS), list(PLATFORMS.values()))[0]
    followers = rng.lognormvariate(math.log(trait.followers[0]), trait.followers[1])
    lives_in = 0.5 if archetype in {"fan", "employee", "sponsored"} else 0.2
    bio: str | None = rng.choice(phrases.BIOS)
    if rng.random() < lives_in:
        bio = rng.choice(phrases.NICHE_BIOS[rng.choice(brand.niche)])
    elif rng.random() < 0.25:
        bio = rng.choice(phrases.NICHE_BIOS[rng.choice(sorted(phrases.NICHE_BIOS))])
    first = rng.randrange(90) if rng.random() < 0.4 else 0
    last = rng.randrange(first + 20, DAYS) if rng.random() < 0.15 and first + 20 < DAYS else DAYS - 1
    person = Person(
        archetype=archetype,
        brand=index,
        platform=platform,
        id=name,
        handle=name,
        bio=None if rng.random() < 0.25 else bio,
        moods=_moods(rng, archetype, trait),
        followers=followers,
        growth=rng.expovariate(1 / 0.0008),
        jumps=_gone_viral(rng, followers),
        shows_followers=rng.random() < (0.1 if platform == "reddit" else 0.94),
        following=round(rng.lognormvariate(math.log(420), 0.9)),
        customer=rng.random() < trait.customers,
        phase=rng.choice((0, 0, 1, 1, -5, -6, -8, 9)),
        active=(first, last),
        posts=min(150, round(rng.lognormvariate(math.log(trait.posts[0]), trait.posts[1]))),
        rate=BASE_RATE[platform] * (max(50.0, followers) / 10_000) ** -0.2 * rng.lognormvariate(0, 0.5),
        shows_reactions=rng.random() < 0.8,
        answers=rng.betavariate(1.2, 1.2),
        second_language=rng.random() < 0.08,
    )
    if archetype not in {"silent", "passer_by"}:
        person.posts = max(1, person.posts)
    _make_special(rng, person, brand)
    return person


def _make_special(rng: random.Random, person: Person, brand: Brand) -> None:
    """Set the attributes that only some archetypes have."""
    followers = person.followers
    if person.archetype == "giveaway":
        person.following = round(rng.lognormvariate(math.log(2_200), 0.6))
    elif person.archetype == "bot":
        _make_bot(rng, person)
    elif person.archetype == "sponsored":
        person.paid = rng.choices(("flag", "hashtag", "words"), (0.35, 0.4, 0.25))[0]
        person.note = f"shown by {person.paid}"
    elif person.archetype == "employee":
        person.employed = rng.choices(("list", "file", "bio", "words"), (0.35, 0.15, 0.25, 0.25))[0]
        person.note = f"shown by {person.employed}"
        if person.employed == "bio":
            handle = brand.handles[person.platform][0] if person.platform in brand.handles else brand.name
            person.bio = rng.choice(phrases.STAFF_BIOS).format(brand.name, handle=handle)
    elif person.archetype == "reseller" and rng.random() < 0.6:
        person.bio = rng.choice(phrases.PITCH_BIOS)
    if person.archetype in {"giveaway", "sponsored"} and rng.random() < 0.2:
        person.jumps = _bought(rng)
        person.rate *= 0.1
    person.followers = followers


def _make_bot(rng: random.Random, person: Person) -> None:
    """Give a bot at least one sign: near copies, a fixed period, or bought followers."""
    while not (person.templates or person.period or person.jumps):
        person.templates = rng.randrange(2, 5) if rng.random() < 0.7 else 0
        person.period = round(rng.uniform(5, 40) * 3600) if rng.random() < 0.5 else None
        person.jumps = _bought(rng) if rng.random() < 0.6 else ()
    person.bot_flag = rng.random() < 0.15
    clock = f"a post every {person.period / 3600:.0f} h" if person.period else "no clock"
    person.note = f"{person.templates} templates, {clock}, {len(person.jumps)} jumps in followers"
    person.rate *= 0.03
    person.following = round(rng.lognormvariate(math.log(1_800), 0.9))
    person.second_language = False


def _bought(rng: random.Random) -> tuple[tuple[int, int], ...]:
    """Return jumps of thousands of followers, or repeated ones of the same round number."""
    if rng.random() < 0.5:
        days = sorted(rng.sample(range(5, DAYS - 10), rng.choice((1, 1, 2, 3))))
        return tuple((day, rng.randrange(3_100, 9_000)) for day in days)
    step, every = rng.choice((500, 1_000, 2_000)), rng.randrange(4, 12)
    return tuple((day, step) for day in range(rng.randrange(10), DAYS, every))


def _gone_viral(rng: random.Random, followers: float) -> tuple[tuple[int, int], ...]:
    """Return a jump in followers for a few in a hundred honest people."""
    if followers < 3_000 or rng.random() > 0.03:
        return ()
    return ((rng.randrange(DAYS), round(followers * rng.uniform(0.1, 0.5))),)


def _moods(rng: random.Random, archetype: Archetype, trait: Trait) -> tuple[float, float, float]:
    while True:
        drawn = [rng.gammavariate(share * trait.steady, 1) if share else 0.0 for share in trait.moods]
        praise, neutral, gripe = (x / sum(drawn) for x in drawn)
        if archetype != "passer_by" or praise <= MOST_PRAISE:
            return praise, neutral, gripe


MIXES: Mapping[str, Mapping[str, int]] = {
    "airline": {"airline": 1, OWN: 1},
    "goods": {"entity": 1, "sxsw": 1, OWN: 1},
    "tech": {"sxsw": 3, "entity": 1, OWN: 1},
    "games": {"entity": 1, OWN: 1},
}
"""by kind of brand: the corpora that suit it, with the weight of each sentence"""
