"""A verdict in words: the profile's numbers, and the reasons a marketer would send on.

Every number here can be recomputed from the profile; every clause has a code. Ties break by
post id, never by arrival.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from models import scoring
from models.candidates import (
    Candidate,
    CustomerStanding,
    Notice,
    Profile,
    Quote,
    Reason,
    Tier,
    WatchOut,
    Window,
)
from models.decision import Standing, Verdict
from models.ring import NEGATIVE, POSITIVE, Days, marks
from models.rules import COST_BANDS, Rules
from models.times import DAY_MS, iso_day, rfc3339

WINDOWS = (7, 30, 90)
MAX_SHOWN_QUOTES = 3
NOTICE_DAYS = 30

_EXCLUDED_BY_RULE = {
    "flood": "More than 72 posts about the brand on one day",
    "promoted": "A large share of the posts is sponsored, a contest or a repost",
    "clockwork": "Posts come at nearly even intervals, as a program's do",
}
_UNKNOWN = {
    "engagement": "how much the audience reacts: the source gives no reactions per follower",
    "niche": "whether the author's other themes fit the brand",
    "reach": "how many followers the author has",
}


class QuoteMark(NamedTuple):
    """A post that may be quoted, or could have been once: without text it is only a place."""

    ms: int
    post_id: str
    text: str
    intensity: int = 0
    url: str = ""


def summarise(
    key: str, days: Days, verdict: Verdict, *, followers: int | None, model_version: str, revision: int
) -> Profile:
    """The profile record of a ring that is not empty."""
    brand, _, author = key.partition("/")
    platform, _, author_id = author.partition(":")
    return Profile(
        key=key,
        brand=brand,
        platform=platform,
        author_id=author_id,
        as_of=iso_day(verdict.as_of),
        windows={f"{n}d": _window(days, verdict.as_of - n) for n in WINDOWS},
        positive_days=verdict.tally.praise_days,
        followers=followers,
        tier=verdict.tier,
        customer=verdict.customer_label,
        score=verdict.score,
        state=verdict.state or "none",
        evaluated_on=iso_day(verdict.evaluated_on),
        model_version=model_version,
        revision=revision,
    )


def explain(
    key: str,
    verdict: Verdict,
    standing: Standing,
    rules: Rules,
    *,
    quotes: Sequence[QuoteMark],
    handle: str | None,
    model_version: str,
    revision: int,
) -> Candidate:
    """The candidate record of a verdict that has a state; raises `ValueError` for one without."""
    if verdict.state is None:
        raise ValueError("a verdict without a state makes no candidate")
    brand, _, author = key.partition("/")
    platform, _, author_id = author.partition(":")
    entered_at = None if verdict.entered is None else rfc3339(verdict.entered * DAY_MS)
    last_praise = verdict.tally.last_praise
    expires = None
    if verdict.state == "candidate" and last_praise is not None:
        expires = rfc3339((last_praise + rules.thresholds.last_positive_within) * DAY_MS)
    due = verdict.entered if verdict.entered is not None else verdict.as_of
    template = rules.profile_urls.get(platform)
    shown = sorted(quotes, key=lambda q: (-q.intensity, -q.ms, q.post_id))[:MAX_SHOWN_QUOTES]
    return Candidate(
        key=key,
        brand=brand,
        platform=platform,
        author_id=author_id,
        handle=handle,
        profile_url=template.format(handle=handle) if template and handle else None,
        state=verdict.state,
        score=verdict.score,
        confidence=_confidence(verdict, rules),
        tier=Tier(name=verdict.tier, preset=rules.tiers.preset, followers=standing.followers),
        customer=CustomerStanding(label=verdict.customer_label, evidence=_evidence(standing)),
        headline=_headline(brand, verdict, standing),
        why=_why(brand, verdict, standing, shown),
        watch_outs=_watch_outs(verdict, standing, rules),
        lost_points={
            str(name): points
            for name, points in scoring.lost_points(verdict.components, rules.weights, verdict.score).items()
        },
        unknown=tuple(_UNKNOWN[name] for name, x in verdict.components.items() if x is None),
        cost_band=COST_BANDS.get(verdict.tier or ""),
        notice=Notice(required=True, due_at=rfc3339((due + NOTICE_DAYS) * DAY_MS)),
        model_version=model_version,
        revision=revision,
        entered_at=entered_at,
        expires_at=expires,
    )


def _window(days: Days, after: int) -> Window:
    counts = [0, 0, 0]
    for day, packed in days.items():
        if day > after:
            for mark in marks(packed):
                counts[mark.label] += 1
    return Window(
        posts=sum(counts),
        positive=counts[POSITIVE],
        neutral=sum(counts) - counts[POSITIVE] - counts[NEGATIVE],
        negative=counts[NEGATIVE],
    )


def _confidence(verdict: Verdict, rules: Rules) -> Literal["low", "medium", "high"]:
    known = scoring.coverage(verdict.components, rules.weights)
    clear = verdict.tally.clear_positive + verdict.tally.clear_negative
    if known >= 0.75 and clear >= 8:
        return "high"
    return "medium" if known >= 0.6 and clear >= 4 else "low"


def _evidence(standing: Standing) -> tuple[str, ...]:
    found = [f"says: {words}" for words in standing.evidence]
    if standing.in_crm:
        found.append("in the customer file")
    if standing.orders:
        found.append(f"{_many(standing.orders, 'order')} on file")
    return tuple(sorted(found))


def _headline(brand: str, verdict: Verdict, standing: Standing) -> str:
    tally = verdict.tally
    who = {
        "confirmed": f"A confirmed {brand} customer",
        "likely": f"A likely {brand} customer",
        "unknown": "An author",
    }[verdict.customer_label]
    size = f" with {standing.followers:,} followers" if standing.followers is not None else ""
    praised = f"{brand} " if verdict.customer_label == "unknown" else "it "
    return (
        f"{who}{size} praised {praised}in {_many(tally.praises, 'post')} "
        f"on {_many(tally.praise_days, 'day')}, most lately on {iso_day(tally.last_praise or tally.day)}."
    )


def _why(brand: str, verdict: Verdict, standing: Standing, shown: Sequence[QuoteMark]) -> tuple[Reason, ...]:
    tally, known = verdict.tally, verdict.components
    reasons = [
        Reason(
            code="enthusiasm",
            value=round(known["enthusiasm"] or 0.0, 3),
            text=f"{_number(tally.clear_positive)} clearly positive opinions of {brand} "
            f"against {_number(tally.clear_negative)} negative ones",
            quotes=tuple(Quote(text=q.text, url=q.url or None, at=rfc3339(q.ms)) for q in shown),
        ),
        Reason(
            code="volume",
            value=tally.praises,
            text=f"{_many(tally.praises, 'positive post')} on {_many(tally.praise_days, 'day')}",
        ),
    ]
    if verdict.customer_label != "unknown":
        reasons.append(
            Reason(
                code="customer",
                value=verdict.customer_label,
                text=f"{verdict.customer_label.capitalize()} customer: {', '.join(_evidence(standing))}",
            )
        )
    if standing.followers is not None:
        reasons.append(
            Reason(
                code="reach",
                value=standing.followers,
                text=f"{standing.followers:,} followers: tier {verdict.tier}",
            )
        )
    return tuple(reasons)


def _watch_outs(verdict: Verdict, standing: Standing, rules: Rules) -> tuple[WatchOut, ...]:
    found = [WatchOut(code=code, text=_EXCLUDED_BY_RULE[code]) for code in sorted(verdict.severities)]
    tally = verdict.tally
    if tally.clear_negative:
        found.append(
            WatchOut(
                code="criticism", text=f"Has also complained ({_number(tally.clear_negative)} weighted posts)"
            )
        )
    if verdict.tier is not None and verdict.tier not in rules.tiers.wanted:
        found.append(
            WatchOut(
                code="tier",
                text=f"Tier {verdict.tier} is not among the wanted ({', '.join(rules.tiers.wanted)})",
            )
        )
    if verdict.customer_label == "unknown":
        found.append(WatchOut(code="customer", text="Nothing shows that the author is a customer"))
    found.extend(
        WatchOut(code=code, text=f"Ruled out: {code.replace('_', ' ')}") for code in standing.exclusions
    )
    if standing.feedback is not None:
        at, decision = standing.feedback
        found.append(WatchOut(code=decision, text=f"Was {decision} on {rfc3339(at)[:10]}"))
    return tuple(found)


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _number(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
