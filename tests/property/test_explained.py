"""Every number of an explanation, computed again from the profile alone.

Formulas are those of the scoring model, written once more; nothing of `models.scoring` is used.
"""

import json
import math
import re
from datetime import date
from typing import Any

from hypothesis import given, settings

from models.author import CountedPost, Event, Fold
from models.brands import Brand
from models.candidates import Candidate, Profile
from models.records import encode
from models.rules import Rules
from models.tables import NICHES
from tests.authors import fold, outputs
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


def read(record: Profile | Candidate) -> dict[str, Any]:
    """A record as a program elsewhere reads it."""
    return json.loads(encode(record))


def enthusiasm(counts: dict[str, Any]) -> float:
    """Wilson's lower bound at z = 1.28, times (0.7 + 0.3 mean intensity)."""
    n, z = counts["positive"] + counts["negative"], 1.28
    if not n:
        return 0.0
    p = counts["positive"] / n
    root = math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    bound = (p + z**2 / (2 * n) - z * root) / (1 + z**2 / n)
    return max(bound, 0.0) * (0.7 + 0.3 * counts["intensity"])


def score(components: dict[str, float | None], a: float) -> float:
    """The weighted geometric mean over what is known, times authenticity."""
    known = {name: x for name, x in components.items() if x is not None and name in WEIGHTS}
    total = sum(WEIGHTS[name] for name in known)
    return 100 * a * math.prod(max(x, 0.02) ** (WEIGHTS[name] / total) for name, x in known.items())


@settings(deadline=None, max_examples=150)
@given(_posts(), _facts)
def test_every_number_of_a_profile_follows_from_its_days_and_counts(
    posts: list[CountedPost], facts: list[Event]
) -> None:
    """Windows from days; enthusiasm, volume and score from counts and components."""
    for told, _ in outputs([*posts, *facts], RULES):
        profile = read(told)
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
@given(_posts(), _facts)
def test_every_number_of_a_candidate_follows_from_the_profile(
    posts: list[CountedPost], facts: list[Event]
) -> None:
    """Points lost, headline, reasons and watch-outs say what the profile's numbers say."""
    for told, found in Fold(RULES).current("x:fan", fold([*posts, *facts], RULES)):
        if found is None:
            continue
        profile, candidate = read(told), read(found)
        for shared in ("key", "brand", "score", "state", "components", "authenticity", "model_version"):
            assert profile[shared] == candidate[shared]
        assert candidate["tier"]["followers"] == profile["followers"]
        assert candidate["lost_points"] == lost_points(profile)
        assert numbers(candidate["headline"]) == headline_numbers(profile)
        for reason in candidate["why"]:
            _check_reason(reason, profile)
        for watch_out in candidate["watch_outs"]:
            if watch_out["code"] == "criticism":
                assert numbers(watch_out["text"]) == [profile["counts"]["complaints"]]
        fired = {w["code"] for w in candidate["watch_outs"]} & set(profile["authenticity"]["severities"])
        assert fired == set(profile["authenticity"]["severities"])
        unknown = [name for name, x in profile["components"].items() if x is None]
        assert len(candidate["unknown"]) == len(unknown)


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
    return [*found, *map(int, counts["last_praise"].split("-"))]


def _check_reason(reason: dict[str, Any], profile: dict[str, Any]) -> None:
    counts, said = profile["counts"], numbers(reason["text"])
    if reason["code"] == "enthusiasm":
        assert reason["value"] == profile["components"]["enthusiasm"]
        assert said == [counts["praises"], *([counts["complaints"]] if counts["complaints"] else [])]
        assert all(quote["at"][:10] in profile["days"] for quote in reason["quotes"])
    elif reason["code"] == "volume":
        assert said == [counts["praises"], profile["positive_days"]]
    elif reason["code"] == "reach":
        assert (reason["value"], said) == (profile["followers"], [profile["followers"]])
    elif reason["code"] == "customer":
        assert reason["value"] == profile["customer"]
    elif reason["code"] == "engagement":
        rate = 100 * counts["reactions"] / counts["reacted"] / profile["followers"]
        assert math.isclose(said[0], rate, abs_tol=0.00501)
    elif reason["code"] == "niche":
        assert set(counts["themes"]) <= {name for name in NICHES if name in reason["text"]}
    elif reason["code"] == "closeness":
        assert said == [min(counts["answers"], counts["comments"]), counts["comments"]]
    else:
        raise AssertionError(f"nobody has told how to compute {reason}")


def numbers(text: str) -> list[float]:
    """The numbers in a sentence, in order."""
    return [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


def _days_between(a: str, b: str) -> int:
    return (date.fromisoformat(b) - date.fromisoformat(a)).days


def test_the_sentences_do_hold_numbers() -> None:
    """What is found in a sentence is what stands there."""
    assert numbers("20,000 followers praised it in 5 posts, 0.12 %, on 2015-02-24.") == [
        20_000, 5, 0.12, 2015, 2, 24,
    ]  # fmt: skip
