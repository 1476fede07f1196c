"""Is this author a candidate? A pure function of the ring, what is known of the author, and the rules.

The decision walks the days from the oldest in the ring to that of the newest post or tick, those
without posts too, and is thus the same whatever order the records came in; what a day of silence
made of an author, the next post does not undo. Each day with posts is judged by the window that ends
with it, and the ring reaches back for two: for so long, who entered stays so when that praise has
left the window. What is known of the author *now* (followers, customer file, exclusions) is applied
to every day.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from models import scoring
from models.candidate import CustomerLabel, State
from models.ring import Days
from models.rules import Component, Rules
from models.tables import Rate, benchmark
from models.times import DAY_MS

Because = Literal["entered", "watched", "feedback", "low_score", "inauthentic", "excluded", "insufficient"]
"""What made the state what it is."""

_RANK: dict[CustomerLabel, int] = {"unknown": 0, "likely": 1, "confirmed": 2}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an author besides the ring, for one brand."""

    platform: str = ""
    followers: int | None = None
    growth: tuple[tuple[int, int], ...] = ()
    """(day, followers) of the days on which they were seen, ascending"""
    following: int | None = None
    bio_themes: int = 0
    """a bit for each niche the author's bio names"""
    bio_sells: bool = False
    in_crm: bool = False
    orders: int = 0
    owning: int = 0
    """posts with words of ownership or purchase"""
    evidence: tuple[str, ...] = ()
    """those words, of the newest such posts"""
    exclusions: tuple[str, ...] = ()
    """codes of what rules the author out: employee, do_not_contact, bot, own_account"""
    feedback: tuple[int, str] | None = None
    """(instant, decision) of the newest feedback"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on the last evaluated day, with everything the explanation needs."""

    as_of: int
    evaluated_on: int
    tally: scoring.Tally
    components: dict[Component, float | None]
    """four decimals"""
    severities: dict[str, float]
    a: float
    score: float
    """0..100, one decimal"""
    customer_label: CustomerLabel
    tier: str | None
    usual: Rate | None
    """the engagement benchmark of the author's platform and tier"""
    state: State | None
    because: Because
    entered: int | None
    """the event day on which the author became a candidate"""
    low_since: int | None
    """of a candidate whose score is below the one that it leaves at: the first evaluated day of that"""
    leaves: int | None
    """the day on which a candidate of whom nothing more is heard will leave, as things stand: what the
    window lets go of before then may still change it"""


def customer_label(certainty: float) -> CustomerLabel:
    """Confirmed from .9, likely from .5, else unknown."""
    if certainty >= 0.9:
        return "confirmed"
    return "likely" if certainty >= 0.5 else "unknown"


def decide(
    days: Days, standing: Standing, brand: str, rules: Rules, *, ticked: int = 0, newest: int = 0
) -> Verdict:
    """The verdict on a ring that is not empty.

    `ticked` is the day of the last tick, `newest` that of the newest post if it is not in the ring any
    more, 0 for none.
    """
    certainty = scoring.customer(
        in_crm=standing.in_crm, orders=standing.orders > 0, owned_words=standing.owning
    )
    label = customer_label(certainty)
    eligible = (
        not standing.exclusions
        and _RANK[label] >= _RANK[rules.customers.require]
        and _tier_wanted(standing.followers, rules)
    )
    tier = rules.tiers.of(standing.followers)
    usual = benchmark(standing.platform, tier)
    rate = usual.rate if usual else None
    fit = scoring.niche_fit(rules.niche_of(brand))
    signs = scoring.account_signs(standing.growth, standing.following, bio_sells=standing.bio_sells)
    reach = scoring.reach(standing.followers, rules.tiers)
    limits = rules.thresholds
    walk = _Walk()
    event_days = sorted(days)
    evaluated_on = max(event_days[-1], ticked)
    for tally, silent_to in zip(
        scoring.tallies(days, rules.window.keep_days, newest),
        [*(day - 1 for day in event_days[1:]), evaluated_on],
        strict=True,
    ):
        if not eligible and tally.day < event_days[-1]:
            continue  # nobody walks
        measured: dict[Component, float | None] = {
            "enthusiasm": scoring.enthusiasm(tally),
            "volume": scoring.volume(tally),
            "customer": certainty,
            "reach": reach,
            "engagement": scoring.engagement(tally, standing.followers, rate),
            "niche": scoring.niche(tally.themes, standing.bio_themes, fit),
            "closeness": scoring.closeness(tally),
        }
        # Rounded before they are used, so that whoever reads them can count on from there.
        components = {name: None if x is None else round(x, 4) for name, x in measured.items()}
        severities = scoring.authenticity(tally) | signs
        a = scoring.product(severities)
        shares = scoring.shares(components, rules.weights)
        points = round(scoring.total(components, shares, a), 1)
        as_of, in_silence = tally.day, _silence(tally, components, shares, a)
        if eligible:
            walk.step(tally, points, a, rules)
            for day in walk.silent_days(as_of, silent_to, limits.enter_of_last):
                walk.step(tally, in_silence(day), a, rules)
            in_silence(as_of)
    if evaluated_on > as_of:
        points = in_silence(evaluated_on)
    low_since = leaves = None
    if walk.state == "candidate":
        low_since = walk.low_since
        end = as_of + rules.window.keep_days
        low = low_since
        if low is None:
            low = evaluated_on + 1
            low += bisect_left(range(low, end), True, key=lambda day: in_silence(day) < limits.leave_score)
            points = in_silence(evaluated_on)
        leaves = min(low + limits.leave_after, end)

    watched = (
        not standing.exclusions
        and points >= limits.leave_score
        and a >= limits.authenticity
        and tally.praises >= limits.watch_posts
        and tally.praise_days >= limits.watch_days
    )
    state: State | None = walk.state or ("watch" if watched else None)
    because = walk.because
    if walk.state is None:
        because = "watched" if watched else "excluded" if standing.exclusions else "insufficient"
    if standing.feedback is not None and not standing.exclusions:
        at, decision = standing.feedback
        if decision == "accepted":
            state, because = "accepted", "feedback"
        elif decision == "declined" and evaluated_on < at // DAY_MS + limits.decline_days:
            state, because = "declined", "feedback"
    return Verdict(
        as_of=as_of,
        evaluated_on=evaluated_on,
        tally=tally,
        components=components,
        severities=severities,
        a=a,
        score=points,
        customer_label=label,
        tier=tier,
        usual=usual,
        state=state,
        because=because,
        entered=walk.entered,
        low_since=low_since,
        leaves=leaves,
    )


def _silence(
    tally: scoring.Tally,
    components: dict[Component, float | None],
    shares: Mapping[Component, float],
    a: float,
) -> Callable[[int], float]:
    """Gives the score of a day on which nothing was heard since the tally's; tally and components go along.

    Without posts nothing changes but the volume, and with it the score.
    """
    since, fresh = tally.day, tally.decayed_positive

    def score_on(day: int) -> float:
        tally.day, tally.decayed_positive = day, fresh * scoring.decay(day - since)
        components["volume"] = round(scoring.volume(tally), 4)
        return round(scoring.total(components, shares, a), 1)

    return score_on


class _Walk:
    """The state machine of one author and brand along the evaluated days."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.because: Because = "insufficient"
        self.entered: int | None = None
        self._scores: list[float] = []
        self.low_since: int | None = None

    def silent_days(self, after: int, last: int, window: int) -> Iterator[int]:
        """The days without posts up to `last`; those on which nothing can happen are passed over.

        A score only falls in silence. Who has not entered when no day with posts is left among the last
        `window` ones, or has cooled, does not before the next post: only what it looks back upon matters.
        """
        day = after + 1
        while day <= last:
            if self.state != "candidate" and after + window < day <= last - window:
                day = last - window + 1
            yield day
            day += 1

    def step(self, tally: scoring.Tally, points: float, a: float, rules: Rules) -> None:
        """Go on to the day of the tally of an author whom nothing rules out."""
        limits = rules.thresholds
        self._scores.append(points)
        recent = self._scores[-limits.enter_of_last :]
        if self.state != "candidate":
            if (
                a >= limits.authenticity
                and sum(s >= limits.enter_score for s in recent) >= limits.enter_days
                and points >= limits.leave_score
                and tally.praises >= limits.positive_posts
                and tally.praise_days >= limits.positive_days
                and tally.last_praise is not None
                and tally.day - tally.last_praise <= limits.last_positive_within
            ):
                self.state, self.entered, self.low_since = "candidate", tally.day, None
                self.because = "entered"
            return
        if points >= limits.leave_score:
            self.low_since = None
        elif self.low_since is None:
            self.low_since = tally.day
        low_for = 0 if self.low_since is None else tally.day - self.low_since
        if low_for >= limits.leave_after:
            self.state, self.because = "cooled", "low_score"
        elif a < limits.leave_authenticity:
            self.state, self.because = "cooled", "inauthentic"


def _tier_wanted(followers: int | None, rules: Rules) -> bool:
    if followers is None:
        return False
    band = rules.thresholds.tier_band
    return any(
        followers >= low * (1 - band) and (high is None or followers < high * (1 + band))
        for low, high in rules.tiers.wanted_bounds()
    )
