"""Two judgements of one author: what is said of their difference is true, in both directions."""

import math
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.candidate import State
from models.comparison import ON_BOARD, Comparison, Difference, board_change
from models.customer import Customer
from models.events import CountedPost, Event
from models.facts import CustomerLink
from models.fold import Fold
from models.rules import Component, Customers, Rules, Thresholds, Tiers, Weights
from tests.authors import AUTHOR, RULES, fold, opinion, post

CRM = CustomerLink(customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=3))
KEY = f"Acme/{AUTHOR}"

_weights = st.builds(
    Weights,
    enthusiasm=st.sampled_from([0.34, 0.1, 0.9]),
    customer=st.sampled_from([0.16, 0.0, 0.5]),
    reach=st.sampled_from([0.14, 0.4]),
)
_thresholds = st.builds(
    Thresholds,
    enter_score=st.sampled_from([55.0, 40.0, 70.0]),
    positive_days=st.sampled_from([3, 1, 5]),
    authenticity=st.sampled_from([0.6, 0.3]),
    last_positive_within=st.sampled_from([45, 5]),
)
_rules = st.builds(
    Rules,
    brands=st.just(RULES.brands),
    weights=_weights,
    thresholds=_thresholds,
    tiers=st.builds(Tiers, wanted=st.sampled_from([("micro",), ("nano", "micro"), ("mid",)])),
    customers=st.builds(Customers, require=st.sampled_from(["likely", "confirmed", "unknown"])),
)


@st.composite
def _lives(draw: st.DrawFn) -> list[Event]:
    """Draw some weeks of an author's posts."""
    followers = draw(st.sampled_from([None, 800, 20_000, 90_000]))
    posts: list[CountedPost] = []
    for number in range(draw(st.integers(1, 12))):
        said = opinion(
            label=draw(st.sampled_from(["positive", "positive", "positive", "negative"])),
            sponsored=draw(st.sampled_from([False, False, False, True])),
        )
        posts.append(post(number, draw(st.integers(0, 60)), said, followers=followers))
    return [*posts, CRM] if draw(st.booleans()) else [*posts]


def contrast(life: list[Event], before: Rules, after: Rules) -> Difference | None:
    """Return the difference of two rules on one life."""
    judge = partial(Fold(before).verdict, AUTHOR, "Acme", fold(life))
    return Comparison(before, after).contrast(KEY, judge, judge)


@settings(deadline=None)
@given(life=_lives(), before=_rules, after=_rules)
def test_exchanging_the_rules_turns_everything_round(life: list[Event], before: Rules, after: Rules) -> None:
    """Swapping the two rules swaps promotions and demotions, with the same settings and opposite points."""
    there, back = contrast(life, before, after), contrast(life, after, before)
    if there is None or back is None:
        assert there is back is None
        return
    opposite = {"enters": "leaves", "leaves": "enters", "moves": "moves"}
    assert back.change == opposite[there.change]
    assert (back.before, back.after) == (there.after, there.before)
    assert back.points == -(there.points or 0.0)
    assert back.by == {name: -points for name, points in there.by.items()}
    assert {cause.code for cause in back.because} == {cause.code for cause in there.because}


@settings(deadline=None)
@given(life=_lives(), before=_rules, after=_rules)
def test_what_is_said_of_a_difference_is_true(life: list[Event], before: Rules, after: Rules) -> None:
    """Points add up to the change of the score; a setting "makes the difference" if it alone turns it."""
    state = fold(life)
    judge = partial(Fold(before).verdict, AUTHOR, "Acme", state)
    found = Comparison(before, after).contrast(KEY, judge, judge)
    was, is_ = judge(before), judge(after)
    assert was is not None
    assert is_ is not None
    if found is None:
        assert (was.state, was.score) == (is_.state, is_.score)
        return
    assert found.because, "every difference has a cause"
    assert found.points == pytest.approx(is_.score - was.score)
    # One decimal each, and what is less than 0.05 is left out.
    assert math.isclose(sum(found.by.values()), found.points or 0.0, abs_tol=0.05 * 8 + 0.1)
    assert (found.change == "enters") == (is_.state in ON_BOARD and was.state not in ON_BOARD)
    said = {cause.code: cause.text for cause in found.because}
    for switch in Comparison(before, after).switches:
        forth, back = judge(switch.forth), judge(switch.back)
        assert forth is not None
        assert back is not None
        turned, undone = forth.state != was.state, back.state != is_.state
        makes = was.state != is_.state and turned and undone
        assert said.get(switch.code, "").endswith("makes the difference") == makes


@given(life=_lives(), rules=_rules)
def test_the_same_rules_never_differ(life: list[Event], rules: Rules) -> None:
    """Nobody enters, leaves or moves under the rules in force."""
    assert contrast(life, rules, rules) is None


FAN: list[Event] = [CRM, *(post(n, n) for n in range(5))]


def other(**sections: object) -> Rules:
    """Return the rules of the tests with other sections."""
    return RULES.model_copy(update=sections)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (other(thresholds=Thresholds(positive_days=9)), "thresholds.positive_days"),
        (other(tiers=Tiers(wanted=("mega",))), "tiers"),
        (other(thresholds=Thresholds(enter_score=99.5)), "thresholds.enter_score"),
    ],
)
def test_the_setting_that_takes_a_candidate_away_is_named(rules: Rules, code: str) -> None:
    """One setting differs, and it is the one that is named."""
    found = contrast(FAN, RULES, rules)
    assert found is not None
    assert found.change == "leaves"
    assert found.because[0].code == code
    assert found.because[0].text.endswith("makes the difference")


def test_of_two_settings_that_both_stand_in_the_way_each_is_needed() -> None:
    """If each of two settings alone keeps an author off the board, both must change and both are named."""
    strict = other(thresholds=Thresholds(positive_days=9, positive_posts=9))
    found = contrast(FAN, strict, RULES)
    assert found is not None
    assert found.change == "enters"
    assert {c.code for c in found.because if c.text.endswith("is needed, but not enough on its own")} == {
        "thresholds.positive_days",
        "thresholds.positive_posts",
    }


def test_what_is_counted_differently_is_named() -> None:
    """Where the two sides have counted other posts under the same rules, that is the cause."""
    one, fewer = fold(FAN), fold(FAN[:2])
    folding = Fold(RULES)
    found = Comparison(RULES, RULES, ("window",)).contrast(
        KEY, partial(folding.verdict, AUTHOR, "Acme", one), partial(folding.verdict, AUTHOR, "Acme", fewer)
    )
    assert found is not None
    assert found.change == "leaves"
    assert found.because[0].text == "different posts are counted (window): makes the difference"


def test_a_brand_that_only_one_side_knows_has_a_judgement_on_that_side_only() -> None:
    """An author about a brand that the other settings do not have leaves, without points."""
    folding = Fold(RULES)
    judge = partial(folding.verdict, AUTHOR, "Acme", fold(FAN))
    found = Comparison(RULES, RULES, ("brands",)).contrast(KEY, judge, lambda _: None)
    assert found is not None
    assert (found.change, found.points, found.by) == ("leaves", None, {})
    assert (found.after.state, found.after.score) == (None, None)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (None, "candidate", "enters"),
        ("watch", "accepted", "enters"),
        ("candidate", "cooled", "leaves"),
        ("candidate", "accepted", "agree"),
        ("watch", None, "agree"),
    ],
)
def test_the_board_has_candidates_and_those_who_were_accepted(
    before: State | None, after: State | None, change: str
) -> None:
    """Watched, cooled and declined authors are not on the board."""
    assert board_change(before, after) == change


def test_the_split_by_component_is_the_textbook_one() -> None:
    """One component changes its weight: shares of ln(score) times the logarithmic mean of the scores."""
    heavy = other(weights=Weights(customer=0.5))
    state = fold(FAN)
    judge = partial(Fold(RULES).verdict, AUTHOR, "Acme", state)
    found, verdict = contrast(FAN, RULES, heavy), judge(RULES)
    assert found is not None
    assert verdict is not None
    known: dict[Component, float] = {name: x for name, x in verdict.components.items() if x is not None}

    def share(weights: Weights, name: str) -> float:
        return float(getattr(weights, name) / sum(getattr(weights, n) for n in known))

    raw = [
        100 * math.prod(x ** share(rules.weights, name) for name, x in known.items())
        for rules in (RULES, heavy)
    ]
    mean = (raw[1] - raw[0]) / math.log(raw[1] / raw[0])
    for name, x in known.items():
        points = mean * math.log(x) * (share(heavy.weights, name) - share(RULES.weights, name))
        assert found.by.get(name, 0.0) == pytest.approx(points, abs=0.051)
