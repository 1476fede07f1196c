"""The oracle: profiles and decisions, recomputed from scratch for every day, slowly and plainly.

It repeats the numbers of the scoring model and of the default settings. It imports nothing of the project,
so that a mistake there cannot repeat itself here.
"""

import hashlib
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

DAY_MS = 24 * 60 * 60 * 1000
LABELS = ("positive", "neutral", "negative")
TIERS = (("nano", 10_000), ("micro", 60_000), ("mid", 200_000), ("macro", 1_000_000), ("mega", math.inf))


class Said(NamedTuple):
    """One delivery of what a post says about one brand."""

    post_id: str
    author: str
    brand: str
    ms: int
    label: str
    intensity: int = 200
    """0..255"""
    ambiguous: bool = False
    sponsored: bool = False
    giveaway: bool = False
    evidence: bool = False
    followers: int | None = None
    reactions: int | None = None
    fingerprint: int = 0
    """64 bits; 0 for none"""
    themes: tuple[str, ...] = ()
    """niches that hashtags name"""
    sells: bool = False
    staff: bool = False

    @property
    def day(self) -> int:
        """The UTC day, counted from 1970-01-01."""
        return self.ms // DAY_MS

    @property
    def quality(self) -> float:
        """0 when it is somebody's business, .3 when ambiguous, else 1."""
        business = self.sponsored or self.giveaway or self.sells or self.staff
        return 0.0 if business else 0.3 if self.ambiguous else 1.0


@dataclass(frozen=True)
class Known:
    """Facts about an author besides posts. `ticked` is the newest tick's day, 0 for none."""

    customers: tuple[tuple[int, bool, bool], ...] = ()
    """(orders, employee, do not contact) of each record that names the author"""
    feedback: tuple[tuple[str, int, str], ...] = ()
    """(brand, instant, decision)"""
    employee_of: frozenset[str] = frozenset()
    bot: bool = False
    ticked: int = 0
    fits: Mapping[str, float] | None = None
    """niche -> 1 for one of the brand's, .5 for one related to these; none for a brand without niches"""
    usual: float | None = None
    """reactions to a post, as a share of the followers"""
    praise_days: int = 3
    """days with praise that a candidate must have"""
    high_days: int = 2
    """days of the last three on which the score must be high"""


@dataclass(frozen=True)
class Judged:
    """The expected profile; days are numbers, a window is (posts, positive, neutral, negative)."""

    windows: dict[str, tuple[int, int, int, int]]
    as_of: int
    evaluated_on: int
    positive_days: int
    followers: int | None
    tier: str | None
    customer: str
    score: float
    state: str
    entered: int | None
    on_edge: bool
    """a score of some day is so near the middle of two tenths that the order of a sum may decide"""


class Weighed(NamedTuple):
    """A post and what it counts: a near-copy of one of the 16 before it a quarter at most."""

    said: Said
    copy: bool
    weight: float


class Account(NamedTuple):
    """Facts about an author that are the same on every day."""

    followers: int | None
    certainty: float
    """certainty that the author is a customer"""
    bought: float
    """authenticity after the signs of bought followers"""
    facts: Known


class Day(NamedTuple):
    """One evaluated day."""

    day: int
    raw: float
    a: float
    praise: list[Said]
    """positive posts of full quality so far"""

    @property
    def score(self) -> float:
        """With one decimal, as all thresholds read it."""
        return round(self.raw, 1)


def judge(deliveries: Iterable[Said], known: dict[str, Known]) -> dict[tuple[str, str], Judged]:
    """Return the profile of each (brand, author), from any number of deliveries in any order."""
    said = list(deliveries)
    found = {}
    for brand, author in {(s.brand, s.author) for s in said}:
        facts = known.get(author, Known())
        versions: dict[str, Said] = {}
        for s in said:
            if (s.brand, s.author) == (brand, author):
                versions[s.post_id] = max(s, versions.get(s.post_id, s), key=_rank)
        newest = max(s.day for s in versions.values())
        posts = sorted((s for s in versions.values() if s.day > newest - 180), key=lambda s: s.ms)
        begins = [b.day for a, b in itertools.pairwise(posts) if b.day - a.day >= 90]
        posts = [s for s in posts if s.day >= max(begins, default=0)]
        if newest > facts.ticked - 90:
            known_since = (facts.ticked - 179) * DAY_MS
            sizes = [
                (s.ms, s.post_id, s.followers)
                for s in said
                if s.author == author and s.followers is not None and s.ms >= known_since
            ]
            found[brand, author] = _judge(
                brand, posts, [n for *_, n in _by_day(sizes)], _bought(sizes), facts
            )
    return found


def _rank(s: Said) -> tuple[object, ...]:
    """Return a sort key of versions of a post: the later one wins, then the one that says more."""
    return (s.ms, s.evidence, s.giveaway, s.sponsored, s.ambiguous, LABELS.index(s.label), s.intensity)


def _by_day(sizes: list[tuple[int, str, int]]) -> list[tuple[int, int]]:
    """Return the last follower count of each day that has one, over the last 180 days."""
    last = {ms // DAY_MS: n for ms, _, n in sorted(sizes)}
    return sorted((day, n) for day, n in last.items() if day > max(last) - 180)


def _bought(sizes: list[tuple[int, str, int]]) -> float:
    """Return the authenticity that is left when followers grow as bought ones do."""
    days = _by_day(sizes)
    gains = [(b[0] - a[0], b[1] - a[1], a[1]) for a, b in itertools.pairwise(days)]
    overnight = False
    for n, (gap, gain, had) in enumerate(gains):
        others = gains[:n] + gains[n + 1 :]
        elsewhere = sum(g for g, _, _ in others)
        pace = max(1, sum(won for _, won, _ in others)) / elsewhere if elsewhere else math.inf
        sudden = gap == 1 or (elsewhere >= gap and gain / gap >= 20 * pace)
        overnight |= sudden and gain >= 3_000 and gain >= had * 0.1
    odd = [gain for _, gain, had in gains if had % 100 != 0 and gain >= 500]
    nearly = len([gain for gain in odd if gain % 500 < 16])
    round_steps = any(gain % 1_000 == 0 for gain in odd) or (nearly > 2 and nearly >= len(odd) / 2)
    return (0.65 if overnight else 1.0) * (0.65 if round_steps else 1.0)


def _judge(brand: str, posts: list[Said], sizes: list[int], bought: float, facts: Known) -> Judged:
    followers = sizes[-1] if sizes else None
    as_of = posts[-1].day
    evaluated_on = max(as_of, facts.ticked)
    certainty = 1 - math.prod(
        [0.05 for _ in facts.customers[:1]]
        + [0.1 for _ in [c for c in facts.customers if c[0] > 0][:1]]
        + [0.5 for _ in [s for s in posts if s.evidence][:3]]
    )
    label = "confirmed" if certainty >= 0.9 else "likely" if certainty >= 0.5 else "unknown"
    excluded = facts.bot or brand in facts.employee_of or any(c[1] or c[2] for c in facts.customers)
    wanted = followers is not None and 9_500 <= followers < 63_000
    evaluated = range(posts[0].day, evaluated_on + 1)
    weighed = _weigh(posts)
    account = Account(followers, certainty, bought, facts)
    days = [_evaluate(day, weighed, account) for day in evaluated]
    eligible = wanted and label != "unknown" and not excluded
    state, entered = _walk(days, facts, eligible=eligible)
    last = days[-1]
    praised_on = {s.day for s in last.praise}
    watched = last.score >= 45 and last.a >= 0.6 and len(last.praise) >= 2 and len(praised_on) >= 2
    if state == "none" and watched and not excluded:
        state = "watch"
    opinions = sorted((ms, decision) for about, ms, decision in facts.feedback if about == brand)
    if opinions and not excluded:
        at, decision = opinions[-1]
        if decision == "accepted" or (decision == "declined" and evaluated_on - at // DAY_MS < 180):
            state = decision
    windows = {}
    for length in (7, 30, 90):
        inside = [s.label for s in posts if as_of - s.day < length]
        positive, neutral, negative = map(inside.count, LABELS)
        windows[f"{length}d"] = (len(inside), positive, neutral, negative)
    return Judged(
        windows=windows,
        as_of=as_of,
        evaluated_on=evaluated_on,
        positive_days=len(praised_on),
        followers=followers,
        tier=None if followers is None else next(name for name, below in TIERS if followers < below),
        customer=label,
        score=last.score,
        state=state,
        entered=entered,
        on_edge=any(abs(d.raw * 10 % 1 - 0.5) < 1e-7 for d in days),
    )


def _weigh(posts: list[Said]) -> list[Weighed]:
    """Return posts in order of time, and of the hash of their id within one instant."""

    def order(s: Said) -> tuple[int, int]:
        return s.ms, int.from_bytes(hashlib.blake2b(s.post_id.encode(), digest_size=8).digest(), "little")

    found: list[Weighed] = []
    prints: list[int] = []
    for s in sorted(posts, key=order):
        copy = s.fingerprint != 0 and any(bin(s.fingerprint ^ p).count("1") <= 8 for p in prints[-16:])
        found.append(Weighed(s, copy, min(s.quality, 0.25) if copy else s.quality))
        prints += [s.fingerprint] if s.fingerprint else []
    return found


def _evaluate(day: int, weighed: list[Weighed], account: Account) -> Day:
    """Return the score of one day, from the posts of the 90 days up to the last day with posts."""
    followers, certainty, bought, facts = account
    weighed = [w for w in weighed if w.said.day <= day]
    seconds = sorted(w.said.ms // 1000 for w in weighed)[-33:]
    weighed = [w for w in weighed if w.said.day > weighed[-1].said.day - 90]
    posts = [w.said for w in weighed]
    positive = negative = lean = decayed = 0.0
    busiest = 0
    for today in sorted({s.day for s in posts}):
        of_day = [w for w in weighed if w.said.day == today]
        busiest = max(busiest, len(of_day))
        clear = [w for w in of_day if w.said.label != "neutral"]
        weight = sum(w.weight for w in clear)
        share = min(1.0, 2 / weight) if weight else 0.0  # at most two weighted posts a day
        up = share * sum(w.weight for w in clear if w.said.label == "positive")
        positive += up
        negative += share * sum(w.weight for w in clear if w.said.label == "negative")
        lean += share * sum(w.weight * w.said.intensity / 255 for w in clear)
        decayed += up * 2 ** (-(day - today) / 30)
    weighted = [(0.34, _enthusiasm(positive, positive + negative, lean))]
    weighted.append((0.16, 1 - math.exp(-decayed / 2.5)))
    weighted.append((0.16, certainty))
    if followers is not None:
        weighted.append((0.14, _reach(followers)))
    reacted = [s.reactions for s in posts if s.reactions is not None]
    if followers and reacted and facts.usual:
        rate = (sum(reacted) / followers + 5 * facts.usual) / (len(reacted) + 5)
        weighted.append((0.1, rate / (rate + facts.usual)))
    themes = Counter(theme for s in posts for theme in s.themes)
    if themes and facts.fits is not None:
        met = math.sqrt(sum((n * facts.fits.get(theme, 0)) ** 2 for theme, n in themes.items()))
        weighted.append((0.1, met / math.sqrt(sum(n * n for n in themes.values()))))
    a = _authenticity(weighed, busiest, seconds) * bought
    total = sum(w for w, _ in weighted)
    raw = 100 * a * math.prod(max(round(x, 4), 0.02) ** (w / total) for w, x in weighted)
    return Day(day, raw, a, [w.said for w in weighed if w.said.label == "positive" and w.weight == 1])


def _enthusiasm(positive: float, n: float, lean: float) -> float:
    if n == 0:
        return 0.0
    z, p = 1.28, positive / n
    lower = (p + z * z / (2 * n) - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    return max(0.0, lower) * (0.7 + 0.3 * lean / n)


def _reach(followers: int) -> float:
    if followers < 10_000:
        return (followers + 1) / 10_001
    return 1.0 if followers < 60_000 else 60_000 / (followers + 1)


def _authenticity(weighed: list[Weighed], busiest: int, seconds: list[int]) -> float:
    a = 1.0
    posts = [w.said for w in weighed]
    if busiest > 72:
        a *= 1 - 0.4
    promoted = len([s for s in posts if s.sponsored or s.giveaway]) / len(posts)
    if promoted >= 0.25:
        a *= 1 - round(min(0.8, promoted), 4)
    copies = len([w for w in weighed if w.copy])
    if copies >= 2 and copies / len(posts) >= 0.25:
        a *= 1 - round(min(0.4, copies / len(posts)), 4)
    for trading in (len([s for s in posts if s.sells]), len([s for s in posts if s.staff])):
        if trading / len(posts) >= 0.2:
            a *= 1 - (0.6 if trading >= 2 else 0.3)
    gaps = [after - before for before, after in itertools.pairwise(seconds)]
    if len(gaps) >= 12 and any(gaps) and statistics.pstdev(gaps) / statistics.mean(gaps) < 0.2:
        a *= 1 - 0.4
    return a


def _walk(days: list[Day], facts: Known, *, eligible: bool) -> tuple[str, int | None]:
    """Return the state after all evaluated days, and the day of the last promotion."""
    state, entered, low_since = "none", None, None
    for n, today in enumerate(days):
        last_praise = max((s.day for s in today.praise), default=0)
        gap = today.day - last_praise
        if state != "candidate":
            high = sum(d.score >= 55 for d in days[max(0, n - 2) : n + 1])
            enough = len(today.praise) >= 3 and len({s.day for s in today.praise}) >= facts.praise_days
            if (
                eligible
                and high >= facts.high_days
                and enough
                and gap <= 45
                and today.a >= 0.6
                and today.score >= 45
            ):
                state, entered, low_since = "candidate", today.day, None
            continue
        low_since = None if today.score >= 45 else today.day if low_since is None else low_since
        low = low_since is not None and today.day - low_since >= 7
        if low or today.a < 0.4:
            state = "cooled"
    return state, entered
