"""The score's formulas against the figures that the model was published with."""

import math

import pytest

from models import scoring
from models.rules import Tiers, Weights


@pytest.mark.parametrize(("opinions", "bound"), [(1, 0.38), (3, 0.65), (7, 0.81)])
def test_enthusiasm_of_unbroken_praise_is_the_published_wilson_bound(opinions: int, bound: float) -> None:
    """One rave never flags: the bound of 1, 3 and 7 positive opinions is .38, .65 and .81."""
    assert scoring.wilson_lower_bound(opinions, opinions) == pytest.approx(bound, abs=0.005)


def test_nothing_known_gives_no_score() -> None:
    """Without a known component there is no score, rather than a perfect one."""
    assert scoring.score({"enthusiasm": None}, Weights(), 1.0) == 0.0


def test_perfect_components_give_a_hundred() -> None:
    """All components at 1 score 100, whichever are known."""
    assert scoring.score({"enthusiasm": 1.0, "reach": 1.0, "niche": None}, Weights(), 1.0) == pytest.approx(
        100
    )


def test_points_lost_are_what_a_perfect_component_would_give_back() -> None:
    """Setting a component to 1 raises the score by exactly the points it was said to cost."""
    components = {"enthusiasm": 0.7, "volume": 0.4, "customer": 0.95, "reach": None}
    total = scoring.score(components, Weights(), 1.0)
    lost = scoring.lost_points(components, Weights(), total)
    for name, points in lost.items():
        mended = scoring.score({**components, name: 1.0}, Weights(), 1.0)
        assert mended - total == pytest.approx(points, abs=0.051)


def test_no_component_buys_off_a_weak_one() -> None:
    """A component at nothing keeps the score far below the mean of the others."""
    strong = {"enthusiasm": 1.0, "volume": 1.0, "customer": 1.0, "reach": 1.0}
    assert scoring.score({**strong, "enthusiasm": 0.0}, Weights(), 1.0) < 30


@pytest.mark.parametrize(
    ("followers", "expected"),
    [(None, None), (10_000, 1.0), (59_999, 1.0), (5_000, 0.5), (120_000, 0.5), (0, 0.0)],
)
def test_reach_is_one_inside_the_tier_and_halves_with_each_doubling_outside(
    followers: int | None, expected: float | None
) -> None:
    """Reach falls on a log scale outside the wanted tier and is unknown without followers."""
    found = scoring.reach(followers, Tiers())
    assert found == (expected if expected is None else pytest.approx(expected, abs=1e-3))


def test_customer_evidence_adds_up_as_noisy_or() -> None:
    """The customer file weighs .95, an order .9, ownership words .5 each up to three."""
    assert scoring.customer(in_crm=True, orders=False, owned_words=0) == pytest.approx(0.95)
    assert scoring.customer(in_crm=False, orders=False, owned_words=1) == pytest.approx(0.5)
    assert scoring.customer(in_crm=False, orders=False, owned_words=9) == pytest.approx(1 - 0.125)
    assert scoring.customer(in_crm=True, orders=True, owned_words=0) == pytest.approx(0.995)


def test_volume_follows_its_formula() -> None:
    """Volume is 1 - e^(-P/2.5) of the decayed positives."""
    assert scoring.volume(scoring.Tally(decayed_positive=2.5)) == pytest.approx(1 - math.exp(-1))


@pytest.mark.parametrize(
    ("posts", "jitter", "fired"),
    [(12, 0, False), (13, 0, True), (13, 400, False), (32, 0, True), (50, 0, True)],
)
def test_even_intervals_are_noticed_from_the_twelfth_gap_on(posts: int, jitter: int, fired: bool) -> None:
    """Posts at even intervals fire `clockwork` once there are twelve gaps; uneven ones do not."""
    times = [n * 600 + (jitter if n % 2 else 0) for n in range(posts)]
    assert ("clockwork" in scoring.authenticity(scoring.Tally(posts=posts, times=times))) is fired
