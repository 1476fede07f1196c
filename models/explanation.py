"""The records made of a verdict: the profile with its numbers, and the candidate with its sentences.

The sentences are for a marketer. Each has a stable code, and each number in it can be computed again from
the profile, or is the constant that the decision uses. Ties are broken by post id, never by arrival.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from models import authenticity, scoring
from models.candidate import (
    Authenticity,
    Candidate,
    Counts,
    CustomerStanding,
    DayCounts,
    Notice,
    Profile,
    Quote,
    Reason,
    Tier,
    WatchOut,
    Window,
)
from models.decision import Standing, Verdict
from models.post import parse_author_key, parse_candidate_key
from models.ring import NEGATIVE, POSITIVE, Days, QuoteSlot, marks
from models.rules import Rules
from models.tables import NICHES, cost_band, names_of
from models.times import DAY_MS, iso_day, rfc3339

WINDOWS = (7, 30, 90)
MAX_SHOWN_QUOTES = 3
NOTICE_DAYS = 30

USUAL = 0.5
"""engagement at the benchmark: below it, reactions are a watch-out"""
FITS = 0.5
"""niche fit below which the niche is a watch-out"""
BENCHMARK_MONTHS = 18
"""months after the end of its year from which a benchmark is called old"""

_EXCLUDED = {
    "employee": "Works for the brand",
    "do_not_contact": "Must not be contacted, according to the customer file",
    "bot": "Is an account that is marked as a bot",
    "own_account": "Is one of the brand's own accounts",
    "competitor": "Speaks for a competitor: uses its name, or works there",
}
_UNKNOWN = {
    "engagement": "how much the audience reacts: reactions, followers or a benchmark are missing",
    "niche": "what interests the author: no theme in bio or hashtags, or no niche in the brand's settings",
    "reach": "how many followers the author has",
    "closeness": "how often the author answers comments: no comments and answers were seen",
}


def summarise(
    key: str, days: Days, verdict: Verdict, standing: Standing, *, model_version: str, revision: int
) -> Profile:
    """Build the profile record. `days` are those of the window, at least one."""
    brand, author = parse_candidate_key(key)
    platform, author_id = parse_author_key(author)
    stats = verdict.stats
    counted = {day: _day_counts(days[day]) for day in sorted(days)}
    return Profile(
        key=key,
        brand=brand,
        platform=platform,
        author_id=author_id,
        as_of=iso_day(verdict.as_of),
        windows={f"{n}d": _window(counted, verdict.as_of - n) for n in WINDOWS},
        positive_days=stats.praise_days,
        followers=standing.followers,
        tier=verdict.tier,
        customer=verdict.customer_label,
        score=verdict.score,
        state=verdict.state or "none",
        evaluated_on=iso_day(verdict.evaluated_on),
        days={iso_day(day): count for day, count in counted.items()},
        components=_components(verdict),
        authenticity=_authenticity(verdict),
        counts=Counts(
            posts=stats.posts,
            positive=round(stats.clear_positive, 6),
            negative=round(stats.clear_negative, 6),
            intensity=round(stats.intensity / max(stats.clear_positive + stats.clear_negative, 1e-9), 6),
            decayed_positive=round(stats.decayed_positive, 6),
            praises=stats.praises,
            complaints=stats.complaints,
            last_praise=None if stats.last_praise is None else iso_day(stats.last_praise),
            owning=standing.owning,
            promoted=stats.promoted,
            copies=stats.copies,
            selling=stats.selling,
            staff=stats.staff,
            reacted=stats.reacted,
            reactions=stats.reactions,
            comments=stats.comments,
            answers=stats.answers,
            themes=_counted_themes(stats.themes),
            in_file=standing.in_crm,
            orders=standing.orders,
            bio_themes=names_of(standing.bio_themes),
        ),
        entered_on=None if verdict.entered is None else iso_day(verdict.entered),
        low_since=None if verdict.low_since is None else iso_day(verdict.low_since),
        decided_on=None if standing.feedback is None else rfc3339(standing.feedback[0])[:10],
        model_version=model_version,
        revision=revision,
    )


def explain(
    key: str,
    verdict: Verdict,
    standing: Standing,
    rules: Rules,
    *,
    quotes: Sequence[QuoteSlot],
    handle: str | None,
    model_version: str,
    revision: int,
) -> Candidate:
    """Build the candidate record of a verdict with a state; raise `ValueError` for one without."""
    if verdict.state is None:
        raise ValueError("a verdict without a state makes no candidate")
    brand, author = parse_candidate_key(key)
    platform, author_id = parse_author_key(author)
    entered_at = None if verdict.entered is None else rfc3339(verdict.entered * DAY_MS)
    expires_at = None
    if verdict.state == "candidate" and verdict.leaves is not None:
        expires_at = rfc3339(verdict.leaves * DAY_MS)
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
        why=_why(brand, verdict, standing, rules, shown),
        watch_outs=_watch_outs(brand, verdict, standing, rules),
        components=_components(verdict),
        authenticity=_authenticity(verdict),
        lost_points=scoring.lost_points(verdict.components, rules.weights, verdict.score)
        | ({"authenticity": round(verdict.score / verdict.a - verdict.score, 1)} if verdict.a < 1 else {}),
        unknown=tuple(_UNKNOWN[name] for name, x in verdict.components.items() if x is None),
        cost_band=cost_band(standing.followers),
        notice=Notice(required=True, due_at=rfc3339((due + NOTICE_DAYS) * DAY_MS)),
        model_version=model_version,
        revision=revision,
        entered_at=entered_at,
        expires_at=expires_at,
    )


def _components(verdict: Verdict) -> dict[str, float | None]:
    return {str(name): x for name, x in verdict.components.items()}


def _authenticity(verdict: Verdict) -> Authenticity:
    return Authenticity(value=round(verdict.a, 4), severities=dict(sorted(verdict.severities.items())))


def _day_counts(packed: bytes) -> DayCounts:
    labels = [mark.label for mark in marks(packed)]
    positive, negative = labels.count(POSITIVE), labels.count(NEGATIVE)
    return DayCounts(positive=positive, neutral=len(labels) - positive - negative, negative=negative)


def _counted_themes(themes: Mapping[int, int]) -> dict[str, int]:
    if not themes:
        return {}
    return {name: n for name, niche in sorted(NICHES.items()) if (n := themes.get(niche.bit))}


def _window(counted: Mapping[int, DayCounts], after: int) -> Window:
    inside = [count for day, count in counted.items() if day > after]
    positive = sum(count.positive for count in inside)
    neutral = sum(count.neutral for count in inside)
    negative = sum(count.negative for count in inside)
    return Window(posts=positive + neutral + negative, positive=positive, neutral=neutral, negative=negative)


def _confidence(verdict: Verdict, rules: Rules) -> Literal["low", "medium", "high"]:
    # Rounded as the profile shows them: six posts that count as two are two, whatever the last bit says.
    known = round(scoring.coverage(verdict.components, rules.weights), 5)
    clear = round(verdict.stats.clear_positive + verdict.stats.clear_negative, 5)
    if known >= 0.75 and clear >= 8:
        return "high"
    return "medium" if known >= 0.6 and clear >= 4 else "low"


def _evidence(standing: Standing) -> tuple[str, ...]:
    found = ["in the customer file"] if standing.in_crm else []
    if standing.orders:
        found.append(f"{_many(standing.orders, 'order')} on file")
    return (*found, *(f'wrote "{words}"' for words in sorted(standing.evidence)))


def _headline(brand: str, verdict: Verdict, standing: Standing) -> str:
    stats = verdict.stats
    who = {
        "confirmed": f"A confirmed {brand} customer",
        "likely": f"A likely {brand} customer",
        "unknown": "An author",
    }[verdict.customer_label]
    size = "" if standing.followers is None else f" with {standing.followers:,} followers"
    if stats.last_praise is None:
        return f"{who}{size} has not clearly praised {brand} recently."
    praised = f"{brand} " if verdict.customer_label == "unknown" else "it "
    complained = (
        f"complained in {_many(stats.complaints, 'post')}" if stats.complaints else "did not complain"
    )
    return (
        f"{who}{size} praised {praised}in {_many(stats.praises, 'post')} on "
        f"{_many(stats.praise_days, 'day')} and {complained}; last praise on "
        f"{iso_day(stats.last_praise)}."
    )


def _why(
    brand: str, verdict: Verdict, standing: Standing, rules: Rules, shown: Sequence[QuoteSlot]
) -> tuple[Reason, ...]:
    stats, known = verdict.stats, verdict.components
    reasons = [
        Reason(
            code="enthusiasm",
            value=known["enthusiasm"],
            text=f"{_many(stats.praises, 'clearly positive post')} about {brand}, "
            + (_many(stats.complaints, "negative post") if stats.complaints else "no negative ones"),
            quotes=tuple(Quote(text=_as_read(q.text), url=q.url or None, at=rfc3339(q.ms)) for q in shown),
        ),
        Reason(
            code="volume",
            value=stats.praises,
            text=f"{_many(stats.praises, 'positive post')} on {_many(stats.praise_days, 'day')}",
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
                text=f"{standing.followers:,} followers (tier {verdict.tier})",
            )
        )
    if (known["engagement"] or 0.0) >= USUAL:
        reasons.append(
            Reason(code="engagement", value=known["engagement"], text=_reactions(verdict, standing))
        )
    if (known["niche"] or 0.0) >= FITS:
        reasons.append(
            Reason(code="niche", value=known["niche"], text=_themes(brand, verdict, standing, rules))
        )
    if known["closeness"] is not None:
        text = f"Answered {min(stats.answers, stats.comments):,} of {_many(stats.comments, 'comment')}"
        reasons.append(Reason(code="closeness", value=known["closeness"], text=text))
    return tuple(reasons)


def _as_read(text: str) -> str:
    """Undo the escaping of the three characters that some platforms escape."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _reactions(verdict: Verdict, standing: Standing) -> str:
    stats, usual = verdict.stats, verdict.usual
    if usual is None or not standing.followers or not stats.reacted:
        raise ValueError("engagement is known only where all of this is")
    rate = stats.reactions / stats.reacted / standing.followers
    return (
        f"An average post gets reactions from {100 * rate:.2f} % of followers; "
        f"{100 * usual.rate:.2f} % is usual on {standing.platform} ({usual.source}, {usual.year})"
    )


def _themes(brand: str, verdict: Verdict, standing: Standing, rules: Rules) -> str:
    posted = sum(1 << bit for bit in verdict.stats.themes)
    about = ", ".join(names_of(posted | standing.bio_themes))
    return f"Interested in {about}; {brand} is about {', '.join(rules.niche_of(brand))}"


def _watch_outs(brand: str, verdict: Verdict, standing: Standing, rules: Rules) -> tuple[WatchOut, ...]:
    stats, known = verdict.stats, verdict.components
    found = [WatchOut(code=code, text=_EXCLUDED[code]) for code in standing.exclusions]
    found += [WatchOut(code=code, text=authenticity.TEXTS[code]) for code in sorted(verdict.severities)]
    if stats.complaints:
        text = f"Also complained, in {_many(stats.complaints, 'post')}"
        found.append(WatchOut(code="criticism", text=text))
    quiet = verdict.evaluated_on - (stats.last_praise or verdict.evaluated_on)
    if quiet > rules.thresholds.last_positive_within:
        found.append(WatchOut(code="silent", text=f"Has not praised {brand} for {quiet:,} days"))
    if verdict.tier is not None and verdict.tier not in rules.tiers.wanted:
        text = f"Tier {verdict.tier} is not a wanted tier ({', '.join(rules.tiers.wanted)})"
        found.append(WatchOut(code="tier", text=text))
    if verdict.customer_label == "unknown":
        found.append(WatchOut(code="customer", text="No evidence that the author is a customer"))
    if known["engagement"] is not None and known["engagement"] < USUAL:
        found.append(WatchOut(code="engagement", text=_reactions(verdict, standing)))
    if known["niche"] is not None and known["niche"] < FITS:
        found.append(WatchOut(code="niche", text=_themes(brand, verdict, standing, rules)))
    if verdict.usual is not None and known["engagement"] is not None:
        months = 12 * (int(iso_day(verdict.evaluated_on)[:4]) - verdict.usual.year - 1)
        months += int(iso_day(verdict.evaluated_on)[5:7]) - 1
        if months > BENCHMARK_MONTHS:
            text = f"Reactions are compared with figures from {verdict.usual.year}, which may be out of date"
            found.append(WatchOut(code="old_benchmark", text=text))
    if standing.feedback is not None:
        at, decision = standing.feedback
        found.append(WatchOut(code=decision, text=f"Was {decision} on {rfc3339(at)[:10]}"))
    return tuple(found)


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
