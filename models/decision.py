"""The decision if an author is a candidate: a pure function of the ring, the facts and the rules.

`decide` takes four steps:

1. `measure` scores each day with posts, by the window that ends with it;
2. `walk` runs the state machine along all days, those without posts included;
3. `forecast_exit` computes the day on which a candidate who posts no more will leave;
4. `_conclude` adds what holds now: feedback, exclusions, the watch list.

The walk starts with the oldest day of the ring, so the result does not depend on the order of arrival. The
ring keeps two windows. So a candidate stays one when the praise that made them one has left the window.
What is known of the author *now* (followers, customer file, exclusions) is applied to every day.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from models import authenticity, scoring
from models.candidate import CustomerLabel, State
from models.ring import Days
from models.rules import Component, Rules, Thresholds
from models.tables import Rate, benchmark
from models.times import DAY_MS
from models.window import WindowStats, decay, window_stats

Because = Literal["entered", "watched", "feedback", "low_score", "inauthentic", "excluded", "insufficient"]
"""the reason for the state"""

_RANK: dict[CustomerLabel, int] = {"unknown": 0, "likely": 1, "confirmed": 2}


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything known of an author besides the ring, for one brand."""

    platform: str = ""
    followers: int | None = None
    growth: tuple[tuple[int, int], ...] = ()
    """(day, followers) of the days on which they were seen, ascending"""
    following: int | None = None
    bio_themes: int = 0
    """niche bits of the author's bio"""
    bio_sells: bool = False
    in_crm: bool = False
    orders: int = 0
    owning: int = 0
    """posts with words of ownership or purchase"""
    evidence: tuple[str, ...] = ()
    """those words, from the newest such posts"""
    exclusions: tuple[str, ...] = ()
    """codes that exclude the author: employee, do_not_contact, bot, own_account, competitor"""
    feedback: tuple[int, str] | None = None
    """(instant, decision) of the newest feedback"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on the last evaluated day, with everything that the explanation needs."""

    as_of: int
    """the last day with posts"""
    evaluated_on: int
    """the day of the judgement: `as_of`, or that of a later tick"""
    stats: WindowStats
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
    """day on which the author last became a candidate"""
    low_since: int | None
    """for a candidate: first day of the current run of days with a score below `leave_score`"""
    leaves: int | None
    """for a candidate: day on which they will leave if they post no more; see `forecast_exit`"""


class Measured(NamedTuple):
    """One day with posts. Until the next one only the volume changes, and with it the score."""

    day: int
    components: Mapping[Component, float | None]
    """four decimals"""
    severities: dict[str, float]
    a: float
    praises: int
    praise_days: int
    last_praise: int | None
    decayed_positive: float
    shares: Mapping[Component, float]
    """weights of the known components, scaled to the sum 1"""

    def components_on(self, day: int) -> dict[Component, float | None]:
        """Return the components on a day up to which the author posted no more."""
        decayed = self.decayed_positive * decay(day - self.day)
        return {**self.components, "volume": round(scoring.volume(decayed), 4)}

    def score_on(self, day: int) -> float:
        """Return the score on a day up to which the author posted no more: 0..100, one decimal."""
        return round(scoring.total(self.components_on(day), self.shares, self.a), 1)


class Progress(NamedTuple):
    """The position in the state machine: what the walk has come to."""

    state: State | None = None
    """candidate, cooled, or null"""
    because: Because = "insufficient"
    entered: int | None = None
    """day on which the author last became a candidate"""
    low_since: int | None = None
    """first day of the current run of days with a score below `leave_score`"""


def decide(
    days: Days, standing: Standing, brand: str, rules: Rules, *, ticked: int = 0, newest: int = 0
) -> Verdict:
    """Return the verdict on a ring that has at least one post.

    Args:
        ticked: day of the last tick, 0 for none.
        newest: day of the newest post if it was deleted since, else 0.
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
    evaluated_on = max(*days, ticked)
    measured, stats = measure(days, standing, certainty, brand, rules, newest=newest, all_days=eligible)
    stats.bring_forward(evaluated_on)
    progress = walk(measured, evaluated_on, rules.thresholds) if eligible else Progress()
    return _conclude(
        measured[-1],
        progress,
        standing,
        rules,
        stats=stats,
        evaluated_on=evaluated_on,
        label=label,
        leaves=forecast_exit(measured[-1], progress, evaluated_on, rules),
    )


def customer_label(certainty: float) -> CustomerLabel:
    """Return "confirmed" from .9, "likely" from .5, else "unknown"."""
    if certainty >= 0.9:
        return "confirmed"
    return "likely" if certainty >= 0.5 else "unknown"


def measure(
    days: Days,
    standing: Standing,
    certainty: float,
    brand: str,
    rules: Rules,
    *,
    newest: int,
    all_days: bool,
) -> tuple[list[Measured], WindowStats]:
    """Score each day with posts, and return the statistics of the last window.

    `certainty` is the customer component, see `scoring.customer`. Unless `all_days`, only the last day is
    scored.
    """
    usual = benchmark(standing.platform, rules.tiers.of(standing.followers))
    rate = usual.rate if usual else None
    fit = scoring.niche_fit(rules.niche_of(brand))
    reach = scoring.reach(standing.followers, rules.tiers)
    signs = authenticity.account_rules(standing.growth, standing.following, bio_sells=standing.bio_sells)
    last_day = max(days)
    measured = []
    for stats in window_stats(days, rules.window.keep_days, newest):
        if not all_days and stats.day < last_day:
            continue
        exact: dict[Component, float | None] = {
            "enthusiasm": scoring.enthusiasm(stats),
            "volume": scoring.volume(stats.decayed_positive),
            "customer": certainty,
            "reach": reach,
            "engagement": scoring.engagement(stats, standing.followers, rate),
            "niche": scoring.niche(stats.themes, standing.bio_themes, fit),
            "closeness": scoring.closeness(stats),
        }
        # Rounded before they are used, so that readers of a profile can compute the same score.
        components = {name: None if x is None else round(x, 4) for name, x in exact.items()}
        severities = authenticity.post_rules(stats) | signs
        measured.append(
            Measured(
                stats.day,
                components,
                severities,
                authenticity.product(severities),
                stats.praises,
                stats.praise_days,
                stats.last_praise,
                stats.decayed_positive,
                scoring.shares(components, rules.weights),
            )
        )
    return measured, stats


def walk(measured: Sequence[Measured], evaluated_on: int, limits: Thresholds) -> Progress:
    """Run the state machine along the days up to `evaluated_on`, for an author who may be a candidate."""
    progress = Progress()
    recent: deque[float] = deque(maxlen=limits.enter_of_last)
    until = [*(one.day - 1 for one in measured[1:]), evaluated_on]
    for one, last in zip(measured, until, strict=True):
        day = one.day
        while day <= last:
            recent.append(one.score_on(day))
            progress = _step(progress, one, day, recent, limits)
            day += 1
            # Without posts a score only falls. So an author who is not a candidate cannot become one after
            # `enter_of_last` such days. Skip to the days that the next day with posts looks back on.
            if progress.state != "candidate" and one.day + limits.enter_of_last < day:
                day = max(day, last - limits.enter_of_last + 1)
    return progress


def _step(
    progress: Progress, one: Measured, day: int, recent: Sequence[float], limits: Thresholds
) -> Progress:
    """Return the state after one more day; `recent` are the last scores, that of the day included."""
    points = recent[-1]
    if progress.state != "candidate":
        enters = (
            one.a >= limits.authenticity
            and sum(score >= limits.enter_score for score in recent) >= limits.enter_days
            and points >= limits.leave_score
            and one.praises >= limits.positive_posts
            and one.praise_days >= limits.positive_days
            and one.last_praise is not None
            and day - one.last_praise <= limits.last_positive_within
        )
        return Progress("candidate", "entered", day) if enters else progress
    if points >= limits.leave_score:
        low_since = None
    else:
        low_since = day if progress.low_since is None else progress.low_since
    if low_since is not None and day - low_since >= limits.leave_after:
        return Progress("cooled", "low_score", progress.entered)
    if one.a < limits.leave_authenticity:
        return Progress("cooled", "inauthentic", progress.entered)
    return progress if low_since == progress.low_since else progress._replace(low_since=low_since)


def forecast_exit(last: Measured, progress: Progress, evaluated_on: int, rules: Rules) -> int | None:
    """Return the day on which a candidate who posts no more will leave; None for others.

    They leave when the score was low for `leave_after` days, or when the window has passed. Posts that
    leave the window before that day may still change it.
    """
    if progress.state != "candidate":
        return None
    end = last.day + rules.window.keep_days
    low = progress.low_since
    if low is None:
        low = evaluated_on + 1
        low += bisect_left(
            range(low, end), True, key=lambda day: last.score_on(day) < rules.thresholds.leave_score
        )
    return min(low + rules.thresholds.leave_after, end)


def _conclude(
    last: Measured,
    progress: Progress,
    standing: Standing,
    rules: Rules,
    *,
    stats: WindowStats,
    evaluated_on: int,
    label: CustomerLabel,
    leaves: int | None,
) -> Verdict:
    """Combine the result of the walk with exclusions, the watch list and feedback."""
    limits = rules.thresholds
    points = last.score_on(evaluated_on)
    watched = (
        not standing.exclusions
        and points >= limits.leave_score
        and last.a >= limits.authenticity
        and last.praises >= limits.watch_posts
        and last.praise_days >= limits.watch_days
    )
    state, because = progress.state, progress.because
    if state is None:
        state = "watch" if watched else None
        because = "watched" if watched else "excluded" if standing.exclusions else "insufficient"
    if standing.feedback is not None and not standing.exclusions:
        at, decision = standing.feedback
        if decision == "accepted":
            state, because = "accepted", "feedback"
        elif decision == "declined" and evaluated_on < at // DAY_MS + limits.decline_days:
            state, because = "declined", "feedback"
    tier = rules.tiers.of(standing.followers)
    return Verdict(
        as_of=last.day,
        evaluated_on=evaluated_on,
        stats=stats,
        components=last.components_on(evaluated_on),
        severities=last.severities,
        a=last.a,
        score=points,
        customer_label=label,
        tier=tier,
        usual=benchmark(standing.platform, tier),
        state=state,
        because=because,
        entered=progress.entered,
        low_since=progress.low_since if progress.state == "candidate" else None,
        leaves=leaves,
    )


def _tier_wanted(followers: int | None, rules: Rules) -> bool:
    """Return true if the followers lie in a wanted tier, or outside it by less than `tier_band`."""
    if followers is None:
        return False
    band = rules.thresholds.tier_band
    return any(
        followers >= low * (1 - band) and (high is None or followers < high * (1 + band))
        for low, high in rules.tiers.wanted_bounds()
    )
