"""Every number of an explanation, computed again from the profile alone.

Formulas are those of the scoring model, written once more; nothing of `models.scoring` is used.
"""

import itertools
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.brand import Brand
from models.candidate import Candidate, Profile
from models.customer import Customer
from models.events import Bio, CountedPost, Event, Tick
from models.facts import CustomerLink, FeedbackGiven
from models.fold import Fold
from models.record import encode
from models.rules import Rules
from models.times import DAY_MS
from tests.authors import DAY_0, fold, opinion, outputs, post
from tests.property.test_fold import _facts, _posts

RULES = Rules(brands=(Brand(name="Acme", niche=("travel",)), Brand(name="Bolt")))
WEIGHTS = {
    "enthusiasm": 0.34,
    "volume": 0.16,
    "customer": 0.16,
    "reach": 0.14,
    "engagement": 0.1,
    "niche": 0.1,
}


@st.composite
def _lives(draw: st.DrawFn) -> list[Event]:
    """Draw an author who mostly praises, posts with reactions, and days without posts."""
    followers = draw(st.sampled_from([20_000, 12_345, 59_000, 90_000]))
    last = draw(st.integers(10, 89))
    bio = draw(st.sampled_from([None, Bio(1, (), False), Bio(0b110, (), True)]))
    posts: list[Event] = []
    for number in range(draw(st.integers(3, 20))):
        said = opinion(
            label=draw(st.sampled_from(["positive", "positive", "positive", "positive", "negative"])),
            intensity=draw(st.integers(0, 255)),
            evidence=draw(st.sampled_from([(), ("my new",)])),
        )
        one = post(number, draw(st.integers(0, last)), said, followers=followers)
        posts.append(
            one._replace(
                reactions=draw(st.sampled_from([None, 5, 400])),
                comments=draw(st.sampled_from([0, 0, 7])),
                answers=draw(st.booleans()),
                bio=bio,
            )
        )
    orders = draw(st.sampled_from([None, 0, 1, 3]))
    customer = CustomerLink(
        customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=orders)
    )
    inactive = draw(st.integers(0, 89))
    return [*posts, customer, Tick(DAY_0 // DAY_MS + inactive)]


@st.composite
def _mixed(draw: st.DrawFn) -> list[Event]:
    """Anybody, with facts of any kind."""
    return [*draw(_posts()), *draw(_facts)]


def read(record: Profile | Candidate) -> dict[str, Any]:
    """Return a record as another program reads it."""
    read: dict[str, Any] = json.loads(encode(record))
    return read


def enthusiasm(counts: dict[str, Any]) -> float:
    """Wilson's lower bound at z = 1.28, times (0.7 + 0.3 mean intensity)."""
    n = counts["positive"] + counts["negative"]
    if not n:
        return 0.0
    return wilson(counts["positive"], n) * (0.7 + 0.3 * float(counts["intensity"]))


def wilson(some: float, n: float) -> float:
    """Return the lower bound of the share of some in n at z = 1.28."""
    p, z = some / n, 1.28
    root = math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max((p + z**2 / (2 * n) - z * root) / (1 + z**2 / n), 0.0)


def score(components: dict[str, float | None], a: float) -> float:
    """Return the weighted geometric mean of the known components, times authenticity."""
    known = {name: x for name, x in components.items() if x is not None and name in WEIGHTS}
    total = sum(WEIGHTS[name] for name in known)
    return (
        100
        * a
        * math.prod((max(x, 0.02) ** float(WEIGHTS[name] / total) for name, x in known.items()), start=1.0)
    )


@settings(deadline=None, max_examples=150)
@given(_posts(), _facts)
def test_every_number_of_a_profile_follows_from_its_days_and_counts(
    posts: list[CountedPost], facts: list[Event]
) -> None:
    """Windows from days; enthusiasm, volume and score from counts and components."""
    for published, _ in outputs([*posts, *facts], RULES):
        profile = read(published)
        newest = profile["as_of"]
        for name, window in profile["windows"].items():
            inside = [d for day, d in profile["days"].items() if _days_between(day, newest) < int(name[:-1])]
            sums = {label: sum(d[label] for d in inside) for label in ("positive", "neutral", "negative")}
            assert window == {"posts": sum(sums.values()), **sums}
        counts, components = profile["counts"], profile["components"]
        assert math.isclose(components["enthusiasm"], enthusiasm(counts), abs_tol=6e-5)
        assert math.isclose(
            components["volume"], 1 - math.exp(-counts["decayed_positive"] / 2.5), abs_tol=6e-5
        )
        severities = profile["authenticity"]["severities"]
        assert math.isclose(
            profile["authenticity"]["value"], math.prod(1 - s for s in severities.values()), abs_tol=6e-5
        )
        a = math.prod(1 - s for s in severities.values())
        assert math.isclose(profile["score"], score(components, a), abs_tol=0.0500001)


@settings(deadline=None, max_examples=150)
@given(st.one_of(_lives(), _mixed()))
def test_every_number_of_a_candidate_follows_from_the_profile(events: list[Event]) -> None:
    """Every number of a candidate, inside sentences too, follows from the profile. A number that this test
    cannot compute fails it."""
    for profile, candidate in _records(events):
        _check_components(profile)
        if candidate is not None:
            _check_candidate(candidate, profile)


def test_the_day_on_which_a_lukewarm_candidate_leaves_follows_from_the_profile() -> None:
    """Praise with more and more complaints, then a gap: while the score is high enough, and after it fell."""
    link = CustomerLink(customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=2))
    seen: Counter[str] = Counter()
    for complaints, gap in itertools.product(range(1, 9), range(0, 60, 2)):
        posts = [post(n, 3 * n) for n in range(5)]
        posts += [post(10 + n, 15 + n, opinion(label="negative")) for n in range(complaints)]
        tick = Tick(DAY_0 // DAY_MS + 15 + complaints + gap)
        for profile, candidate in _records([link, *posts, tick]):
            if candidate is not None:
                _check_candidate(candidate, profile)
            if profile["state"] == "candidate":
                seen["low" if profile["low_since"] else "high"] += 1
    assert min(seen["low"], seen["high"]) >= 5, seen


def test_the_numbers_in_what_speaks_against_an_accepted_author_are_those_of_the_rules() -> None:
    """A flood, followers won overnight, and mass following: each says from which number on it fires."""
    posts = [post(n, ms=n * 60_000, followers=10_001) for n in range(73)]
    posts.append(post(99, 1, followers=13_501)._replace(following=1_501))
    accepted = FeedbackGiven(brand="Acme", ms=DAY_0, decision="accepted")
    ((profile, candidate),) = _records([*posts, accepted])
    assert candidate is not None
    _check_candidate(candidate, profile)
    fired = {"flood", "follower_jump", "mass_following"}
    assert fired <= {watch_out["code"] for watch_out in candidate["watch_outs"]}


def _records(events: list[Event]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    for profile, candidate in Fold(RULES).current("x:fan", fold(events, RULES)):
        yield read(profile), None if candidate is None else read(candidate)


def _check_candidate(candidate: dict[str, Any], profile: dict[str, Any]) -> None:
    for same in ("key", "brand", "score", "state", "components", "authenticity", "model_version"):
        assert profile[same] == candidate[same]
    assert candidate["confidence"] == confidence(profile)
    assert candidate["lost_points"] == lost_points(profile)
    assert candidate["cost_band"] == cost_band(profile["followers"])
    assert candidate["customer"]["evidence"][: len(known_of(profile))] == known_of(profile)
    assert {w["code"] for w in candidate["watch_outs"]} >= set(profile["authenticity"]["severities"])
    assert len(candidate["unknown"]) == sum(x is None for x in profile["components"].values())
    for quote in (quote for reason in candidate["why"] for quote in reason["quotes"]):
        assert quote["at"][:10] in profile["days"]
    assert (candidate["expires_at"] or "")[:10] in {
        expires_on(profile, error) for error in (-ROUNDED, ROUNDED)
    }
    expected = sentences(profile)
    for place, value in leaves({name: x for name, x in candidate.items() if name not in CHECKED}):
        if found_numbers := numbers(str(value)):
            assert place in expected, f"nobody has told how to compute {place}: {value}"
            assert found_numbers == pytest.approx(expected[place], abs=0.00501), place


ROUNDED = 5e-7
"""by how much a profile's decayed sum may have been rounded"""
CHECKED = {
    *("key", "author_id", "handle", "model_version", "revision"),
    *("score", "components", "authenticity", "lost_points", "cost_band", "expires_at"),
}
"""fields that are checked before the sentences, or hold no number of an explanation"""


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files("models") / f"tables/{name}.toml").read_text())


def cost_band(followers: int | None) -> dict[str, Any] | None:
    """Return the row of the cost table for this number of followers."""
    rows = [
        {"low": row["low"], "high": row.get("high"), "currency": row["currency"],
         "source": f"{row['source']}, {row['year']}"}
        for row in _table("costs")["bands"]
        if followers is not None and row["from"] <= followers < row.get("below", math.inf)
    ]  # fmt: skip
    assert len(rows) < 2
    return rows[0] if rows else None


USUAL = next(row for row in _table("benchmarks")["rates"] if row["platform"] == "x")
TRAVEL = next(row for row in _table("niches")["niches"] if row["name"] == "travel")


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value inside a record with its path, which names coded items by code. Leave out quotes."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name != "quotes":
                yield from leaves(inside, f"{place}.{name}".strip("."))
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            code = inside.get("code", number) if isinstance(inside, dict) else number
            yield from leaves(inside, f"{place}.{code}")
    else:
        yield place, value


def sentences(profile: dict[str, Any]) -> dict[str, list[float]]:
    """Return path in a candidate -> the numbers at that path."""
    counts, components = profile["counts"], profile["components"]
    praises, complaints, followers = counts["praises"], counts["complaints"], profile["followers"]
    some_complaints = [complaints] if complaints else []
    expected = {
        "headline": headline_numbers(profile),
        "tier.followers": [followers],
        "why.enthusiasm.value": [components["enthusiasm"]],
        "why.enthusiasm.text": [praises, *some_complaints],
        "why.volume.value": [praises],
        "why.volume.text": [praises, profile["positive_days"]],
        "why.reach.value": [followers],
        "why.reach.text": [followers],
        "why.customer.text": [counts["orders"]],
        "customer.evidence.0": [counts["orders"]],
        "customer.evidence.1": [counts["orders"]],
        "watch_outs.criticism.text": [complaints],
        "watch_outs.flood.text": [72],
        "watch_outs.follower_jump.text": [3000, 10],
        "watch_outs.promoted.text": [25],
        "watch_outs.mass_following.text": [1500],
        "notice.due_at": date_and_midnight(
            day(profile["entered_on"] or profile["as_of"]) + timedelta(days=30)
        ),
    }
    for name in ("engagement", "niche", "closeness"):
        expected[f"why.{name}.value"] = [components[name]]
    if profile["entered_on"]:
        expected["entered_at"] = date_and_midnight(day(profile["entered_on"]))
    if components["engagement"] is not None:
        rate = 100 * counts["reactions"] / counts["reacted"] / followers
        said = [rate, 100 * USUAL["rate"], *numbers(USUAL["source"]), USUAL["year"]]
        expected["why.engagement.text"] = expected["watch_outs.engagement.text"] = said
        since = day(profile["evaluated_on"])
        if 12 * (since.year - USUAL["year"] - 1) + since.month - 1 > 18:
            expected["watch_outs.old_benchmark.text"] = [USUAL["year"]]
    if components["closeness"] is not None:
        answered = min(counts["answers"], counts["comments"])
        expected["why.closeness.text"] = [answered, counts["comments"]]
    if counts["last_praise"]:
        quiet = (day(profile["evaluated_on"]) - day(counts["last_praise"])).days
        if quiet > 45:
            expected["watch_outs.silent.text"] = [quiet]
    if profile["decided_on"]:
        for decision in ("accepted", "declined", "contacted"):
            expected[f"watch_outs.{decision}.text"] = numbers(profile["decided_on"])
    return expected


def _check_components(profile: dict[str, Any]) -> None:
    """Compute the other components and the rules from the counts of a profile."""
    counts, components, followers = profile["counts"], profile["components"], profile["followers"]
    customer = 1 - 0.05 ** counts["in_file"] * 0.1 ** (counts["orders"] > 0) * 0.5 ** min(counts["owning"], 3)
    assert components["customer"] == pytest.approx(customer, abs=6e-5)
    assert profile["customer"] == (
        "confirmed" if customer >= 0.9 else "likely" if customer >= 0.5 else "unknown"
    )
    reach = None if followers is None else min(1, (followers + 1) / 10_001, 60_000 / (followers + 1))
    assert components["reach"] == (None if reach is None else pytest.approx(reach, abs=6e-5))
    engagement = None
    if followers and counts["reacted"]:
        usual = USUAL["rate"]
        rate = (counts["reactions"] / followers + 5 * usual) / (counts["reacted"] + 5)
        engagement = pytest.approx(rate / (rate + usual), abs=6e-5)
    assert components["engagement"] == engagement
    themes = {
        name: counts["themes"].get(name, 0) + 3 * (name in counts["bio_themes"])
        for name in {*counts["themes"], *counts["bio_themes"]}
    }
    fit = {**dict.fromkeys(TRAVEL["related"], 0.5), "travel": 1.0}
    niche = None
    if themes and profile["brand"] == "Acme":
        met = math.hypot(*(n * fit.get(name, 0) for name, n in themes.items()))
        niche = pytest.approx(met / math.hypot(*themes.values()), abs=6e-5)
    assert components["niche"] == niche
    closeness, got = None, counts["comments"]
    if got and counts["answers"]:
        closeness = pytest.approx(wilson(min(counts["answers"], got), got), abs=6e-5)
    assert components["closeness"] == closeness
    fired, posts = profile["authenticity"]["severities"], counts["posts"]
    copies, promoted = counts["copies"] / posts, counts["promoted"] / posts
    assert fired.get("copies", 0) == (
        pytest.approx(min(0.4, copies), abs=6e-5) if counts["copies"] >= 2 and copies >= 0.25 else 0
    )
    assert fired.get("promoted", 0) == (
        pytest.approx(min(0.8, promoted), abs=6e-5) if promoted >= 0.25 else 0
    )
    for name in ("selling", "staff"):
        severity = 0.6 if counts[name] >= 2 else 0.3
        assert fired.get(name, 0) == (severity if counts[name] / posts >= 0.2 else 0)


def confidence(profile: dict[str, Any]) -> str:
    """Return the confidence, by the share of known weights and the number of clear opinions."""
    known = round(sum(w for name, w in WEIGHTS.items() if profile["components"][name] is not None), 5)
    clear = round(profile["counts"]["positive"] + profile["counts"]["negative"], 5)
    if known >= 0.75 and clear >= 8:
        return "high"
    return "medium" if known >= 0.6 and clear >= 4 else "low"


def known_of(profile: dict[str, Any]) -> list[str]:
    """Return the evidence of a customer without quotations."""
    counts = profile["counts"]
    found = ["in the customer file"] if counts["in_file"] else []
    orders = f"{counts['orders']} order{'s' * (counts['orders'] != 1)} on file"
    return [*found, orders] if counts["orders"] else found


def expires_on(profile: dict[str, Any], error: float) -> str:
    """Return the day on which a candidate who posts no more is demoted; "" for others.

    That is after 7 days with a low score, or 90 days without a post. `error` is added to the decayed sum.
    """
    if profile["state"] != "candidate":
        return ""
    counts, now = profile["counts"], day(profile["evaluated_on"])
    end = day(profile["as_of"]) + timedelta(days=90)
    a = math.prod(1 - s for s in profile["authenticity"]["severities"].values())
    low = now + timedelta(days=1)
    while low < end:
        praise = (counts["decayed_positive"] + error) * 2 ** (-(low - now).days / 30)
        volume = round(1 - math.exp(-praise / 2.5), 4)
        if round(score(profile["components"] | {"volume": volume}, a), 1) < 45:
            break
        low += timedelta(days=1)
    if profile["low_since"]:
        low = day(profile["low_since"])
    return min(low + timedelta(days=7), end).isoformat()


def lost_points(profile: dict[str, Any]) -> dict[str, float]:
    """S (x^-w - 1) of each known component, and S (1/A - 1)."""
    known = {n: x for n, x in profile["components"].items() if x is not None and n in WEIGHTS}
    total = sum(WEIGHTS[name] for name in known)
    points = {n: profile["score"] * (max(x, 0.02) ** (-WEIGHTS[n] / total) - 1) for n, x in known.items()}
    a = math.prod(1 - s for s in profile["authenticity"]["severities"].values())
    if a < 1:
        points["authenticity"] = profile["score"] / a - profile["score"]
    return {name: round(lost, 1) for name, lost in points.items()}


def headline_numbers(profile: dict[str, Any]) -> list[float]:
    """Followers where known, praise, days of praise, complaints where there are any, the last day."""
    counts = profile["counts"]
    found = [] if profile["followers"] is None else [profile["followers"]]
    if not counts["praises"]:
        return found
    found += [counts["praises"], profile["positive_days"]]
    found += [counts["complaints"]] if counts["complaints"] else []
    return [*found, *numbers(counts["last_praise"])]


def day(text: str) -> date:
    """Return a day as records write it."""
    return date.fromisoformat(text)


def date_and_midnight(at: date) -> list[float]:
    """Return the numbers of the instant at which a day begins."""
    return numbers(f"{at.isoformat()}T00:00:00Z")


def numbers(text: str) -> list[float]:
    """Return the numbers in a sentence, in order."""
    return [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


def _days_between(a: str, b: str) -> int:
    return (date.fromisoformat(b) - date.fromisoformat(a)).days


def test_the_sentences_do_hold_numbers() -> None:
    """The numbers found in a sentence are those written in it."""
    assert numbers("20,000 followers praised it in 5 posts, 0.12 %, on 2015-02-24.") == [
        20_000, 5, 0.12, 2015, 2, 24,
    ]  # fmt: skip
