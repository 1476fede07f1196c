"""The oracle's judgement of a world, from the JSON that was fed and without code of the project."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from tests.oracle import DAY_MS, Judged, Known, Said, judge

EPOCH = date(1970, 1, 1)
AIRLINE = {"travel": 1.0, "aviation": 1.0, "photography": 0.5, "outdoors": 0.5, "food": 0.5, "tech": 0.5}
"""fit of each niche with a brand of travel and aviation"""
X_RATE = 0.0012
"""usual reactions to a post on X, as a share of the followers"""
PRAISE_DAYS, HIGH_DAYS = 2, 1
"""days with praise and days with a high score that the demo's settings require of a candidate"""


def expected(
    truth: Iterable[bytes], customers: Iterable[bytes], feedback: Iterable[bytes], tick: str
) -> dict[str, Judged]:
    """Return the judgement of each candidate key from all versions of all posts, in any order."""
    last: dict[str, dict[str, Any]] = {}
    handles: dict[str, str] = {}
    for value in truth:
        enriched = json.loads(value)
        post = enriched["post"]
        if post["author"].get("handle"):
            handles[post["author"]["handle"].lower()] = post["author"]["id"]
        if post["id"] not in last or _edition(enriched) >= _edition(last[post["id"]]):
            last[post["id"]] = enriched
    said: dict[str, list[Said]] = defaultdict(list)
    for enriched in last.values():
        if enriched["post"].get("op") != "delete":
            said[enriched["post"]["author"]["id"]] += _said(enriched)
    named: dict[str, list[tuple[int, bool, bool]]] = defaultdict(list)
    for value in customers:
        customer = json.loads(value)
        record = (
            customer.get("orders") or 0,
            bool(customer.get("employee")),
            bool(customer.get("do_not_contact")),
        )
        for account in customer["handles"]:
            author = account.get("author_id") or handles.get(
                (account.get("handle") or "").lstrip("@").lower()
            )
            if author is not None:
                named[author].append(record)
    decided: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    for value in feedback:
        decision = json.loads(value)
        brand, _, author = decision["key"].partition("/x:")
        decided[author].append((brand, _ms(decision["at"]), decision["decision"]))
    ticked = (date.fromisoformat(tick) - EPOCH).days
    found = {}
    for author, deliveries in said.items():
        known = Known(
            tuple(named[author]), tuple(decided[author]),
            ticked=ticked, fits=AIRLINE, usual=X_RATE, praise_days=PRAISE_DAYS, high_days=HIGH_DAYS,
        )  # fmt: skip
        for (brand, _), judged in judge(deliveries, {author: known}).items():
            found[f"{brand}/x:{author}"] = judged
    return found


def disagreements(
    profiles: dict[str, dict[str, Any]],
    candidates: dict[str, dict[str, Any]],
    judged: dict[str, Judged],
) -> list[str]:
    """Describe how profiles and candidates differ from the oracle's judgements."""
    said = [f"missing: {key}" for key in sorted(judged.keys() - profiles.keys())]
    said += [f"too much: {key}" for key in sorted(profiles.keys() - judged.keys())]
    for key in sorted(judged.keys() & profiles.keys()):
        wanted, profile, candidate = judged[key], profiles[key], candidates.get(key)
        if wanted.on_edge:
            continue  # the order of a sum decides the last tenth, and by it perhaps the state
        windows = {
            name: {"posts": w[0], "positive": w[1], "neutral": w[2], "negative": w[3]}
            for name, w in wanted.windows.items()
        }
        fields = {
            "windows": windows,
            "as_of": _day(wanted.as_of),
            "evaluated_on": _day(wanted.evaluated_on),
            "positive_days": wanted.positive_days,
            "followers": wanted.followers,
            "tier": wanted.tier,
            "customer": wanted.customer,
            "score": wanted.score,
            "state": wanted.state,
        }
        said += [
            f"{key}: {name} is {profile[name]!r}, should be {value!r}"
            for name, value in fields.items()
            if profile[name] != value
        ]
        if (candidate is not None) != (wanted.state != "none"):
            said.append(f"{key}: candidate is {candidate!r}, should be one of state {wanted.state}")
        elif candidate is not None and (candidate["state"], candidate["score"]) != (
            wanted.state,
            wanted.score,
        ):
            said.append(f"{key}: candidate says {candidate['state']} {candidate['score']}")
    return said


def _said(enriched: dict[str, Any]) -> list[Said]:
    post, signals = enriched["post"], enriched.get("signals", {})
    counts = post.get("metrics") or {}
    shown = post.get("reply_to") is None and not post["text"].startswith("@")  # to the followers
    reactions = sum(counts.get(name) or 0 for name in ("likes", "comments", "shares"))
    return [
        Said(
            post_id=post["id"],
            author=post["author"]["id"],
            brand=opinion["brand"],
            ms=_ms(post["created_at"]),
            label=opinion["sentiment"]["label"],
            intensity=opinion["intensity"],
            ambiguous=opinion.get("ambiguous", False),
            sponsored=opinion.get("sponsored", False),
            giveaway=opinion.get("giveaway", False),
            evidence=bool(opinion.get("evidence")),
            followers=post["author"].get("followers"),
            reactions=reactions if shown and counts.get("likes") is not None else None,
            fingerprint=int(signals.get("fingerprint") or "0", 16),
            themes=tuple(signals.get("themes", ())),
            sells="selling" in signals.get("trade", ()),
            staff="staff" in signals.get("trade", ()),
        )
        for opinion in enriched["brands"]
    ]


def _edition(enriched: dict[str, Any]) -> tuple[bool, int]:
    """Return a sort key for the versions of a post: a deletion is the last."""
    edited = enriched["post"].get("edited_at")
    return enriched["post"].get("op") == "delete", 0 if edited is None else _ms(edited)


def _ms(at: str | float) -> int:
    if not isinstance(at, str):
        return round(at * 1000)
    parsed = datetime.fromisoformat(at)
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")
