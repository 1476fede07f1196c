"""The score's formulas against the figures that the model was published with."""

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files

import pytest

from models import authenticity, ring, scoring, tables
from models.rules import Component, Thresholds, Tiers, Weights
from models.window import WindowStats, window_stats


def score(components: Mapping[Component, float | None], weights: Weights, a: float) -> float:
    """Return the score of components that are 1, unknown, or in between."""
    return scoring.total(components, scoring.shares(components, weights), a)


@pytest.mark.parametrize(("opinions", "bound"), [(1, 0.38), (3, 0.65), (7, 0.81)])
def test_enthusiasm_of_unbroken_praise_is_the_published_wilson_bound(opinions: int, bound: float) -> None:
    """One rave never flags: the bound of 1, 3 and 7 positive opinions is .38, .65 and .81."""
    assert scoring.wilson_lower_bound(opinions, opinions) == pytest.approx(bound, abs=0.005)


def test_nothing_known_gives_no_score() -> None:
    """Without a known component there is no score, rather than a perfect one."""
    assert score({"enthusiasm": None}, Weights(), 1.0) == 0.0


def test_perfect_components_give_a_hundred() -> None:
    """All components at 1 score 100, whichever are known."""
    assert score({"enthusiasm": 1.0, "reach": 1.0, "niche": None}, Weights(), 1.0) == pytest.approx(100)


def test_points_lost_are_what_a_perfect_component_would_give_back() -> None:
    """Setting a component to 1 raises the score by exactly the points it was said to cost."""
    components = {"enthusiasm": 0.7, "volume": 0.4, "customer": 0.95, "reach": None}
    total = score(components, Weights(), 1.0)
    lost = scoring.lost_points(components, Weights(), total)
    for name, points in lost.items():
        improved = score({**components, name: 1.0}, Weights(), 1.0)
        assert improved - total == pytest.approx(points, abs=0.051)


def test_no_component_buys_off_a_weak_one() -> None:
    """A component at nothing keeps the score far below the mean of the others."""
    strong = {"enthusiasm": 1.0, "volume": 1.0, "customer": 1.0, "reach": 1.0}
    assert score({**strong, "enthusiasm": 0.0}, Weights(), 1.0) < 30


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
    assert scoring.volume(2.5) == pytest.approx(1 - math.exp(-1))


@pytest.mark.parametrize(
    ("posts", "jitter", "fired"),
    [(12, 0, False), (13, 0, True), (13, 400, False), (32, 0, True), (50, 0, True)],
)
def test_even_intervals_are_noticed_from_the_twelfth_gap_on(posts: int, jitter: int, fired: bool) -> None:
    """Posts at even intervals fire `clockwork` once there are twelve gaps; uneven ones do not."""
    times = [n * 600 + (jitter if n % 2 else 0) for n in range(posts)]
    assert ("clockwork" in authenticity.post_rules(WindowStats(posts=posts, times=times))) is fired


def _ring(*marks: ring.Mark) -> ring.Days:
    held = ring.Ring()
    for day, mark in enumerate(marks, start=16_000):
        held.put(day, mark, None)
    return held.days


def _last(days: ring.Days) -> WindowStats:
    *_, last = window_stats(days, 90)
    return last


def test_a_text_nearly_repeated_counts_a_quarter() -> None:
    """A post whose fingerprint differs from an earlier one in at most eight bits is a copy."""
    for bits, copies, positive in ((8, 1, 1.25), (9, 0, 2.0)):
        near = (1 << 60) ^ ((1 << bits) - 1)
        stats = _last(
            _ring(ring.Mark(1, 0, 0, 200, fingerprint=1 << 60), ring.Mark(2, 0, 0, 200, fingerprint=near))
        )
        assert (stats.copies, stats.clear_positive) == (copies, positive)


@pytest.mark.parametrize("flag", [ring.SPONSORED, ring.GIVEAWAY, ring.SELLS, ring.STAFF])
def test_what_is_business_is_no_praise(flag: int) -> None:
    """A sponsored post, a contest, a sale and words of the company weigh nothing."""
    stats = _last(_ring(ring.Mark(1, 0, ring.POSITIVE | flag, 255)))
    assert (stats.praises, stats.clear_positive, stats.posts) == (0, 0.0, 1)


def test_engagement_is_a_half_at_the_benchmark_and_needs_all_it_is_made_of() -> None:
    """As many reactions as usual give .5, many times more nearly 1; else it is unknown."""
    at = WindowStats(reacted=4, reactions=4 * 24)
    assert scoring.engagement(at, 20_000, 0.0012) == pytest.approx(0.5)
    assert scoring.engagement(WindowStats(reacted=40, reactions=40 * 480), 20_000, 0.0012) > 0.9  # type: ignore[operator]
    for unknown in (
        (at, None, 0.0012),
        (at, 0, 0.0012),
        (at, 20_000, None),
        (WindowStats(), 20_000, 0.0012),
    ):
        assert scoring.engagement(*unknown) is None


def test_few_posts_move_an_engagement_rate_less_than_many() -> None:
    """One post that went round the world says less than twenty such posts."""
    one, many = (
        scoring.engagement(WindowStats(reacted=n, reactions=n * 2_000), 20_000, 0.0012) for n in (1, 20)
    )
    assert 0.5 < one < many  # type: ignore[operator]


def test_niche_is_one_inside_half_beside_and_nothing_outside() -> None:
    """One of the brand's niches fits fully, a related one half; without themes the fit is unknown."""
    travel, photos, beauty = (tables.mask([name]) for name in ("travel", "photography", "beauty"))
    wanted = ("travel", "aviation")
    assert scoring.niche({}, travel, scoring.niche_fit(wanted)) == pytest.approx(1.0)
    assert scoring.niche({}, photos, scoring.niche_fit(wanted)) == pytest.approx(0.5)
    assert scoring.niche({}, beauty, scoring.niche_fit(wanted)) == 0.0
    assert scoring.niche({}, travel | beauty, scoring.niche_fit(wanted)) == pytest.approx(math.sqrt(0.5))
    assert scoring.niche({}, 0, scoring.niche_fit(wanted)) is None
    assert scoring.niche({}, travel, scoring.niche_fit(("no such niche",))) is None


def test_a_conflicting_niche_takes_its_share() -> None:
    """Themes that conflict with the brand lower the fit below their share."""
    parenting, gambling = (tables.NICHES[name].bit for name in ("parenting", "gambling"))
    fit = scoring.niche({parenting: 2, gambling: 2}, 0, scoring.niche_fit(("parenting",)))
    assert fit == pytest.approx(math.sqrt(0.5) * 0.5)


def test_closeness_needs_threads() -> None:
    """The bound of answered comments; unknown without comments or without answers."""
    assert scoring.closeness(WindowStats(comments=20, answers=20)) == pytest.approx(
        scoring.wilson_lower_bound(20, 20)
    )
    assert scoring.closeness(WindowStats(comments=20)) is None
    assert scoring.closeness(WindowStats(answers=3)) is None


@pytest.mark.parametrize(
    ("growth", "fired"),
    [
        (((1, 12_345), (2, 15_400)), {"follower_jump"}),
        (((1, 12_345), (2, 14_345)), {"follower_steps"}),
        (((1, 12_345), (2, 17_345)), {"follower_jump", "follower_steps"}),
        (((1, 12_345), (20, 16_020)), set()),
        (((1, 12_345), (9, 12_400), (13, 18_401), (30, 18_502)), {"follower_jump"}),
        (((1, 12_345), (9, 14_401), (13, 18_402), (30, 25_504)), set()),
        (((1, 412_345), (2, 416_000)), set()),
        (((1, 12_300), (9, 15_300)), set()),
        (((1, 15_345), (2, 12_345)), set()),
        (((1, 12_345), (9, 13_350), (13, 14_858), (30, 15_360)), {"follower_steps"}),
        (((1, 12_345), (9, 13_350), (13, 14_858), (30, 15_160)), set()),
    ],
)
def test_followers_that_were_bought_show(growth: tuple[tuple[int, int], ...], fired: set[str]) -> None:
    """A tenth and 3,000 more at once, or exactly thousands more; not steady growth, nor rounded counts."""
    assert set(authenticity.account_rules(growth, 300, bio_sells=False)) == fired


def test_who_follows_everybody_and_who_sells_is_noticed() -> None:
    """More than 1,500 followed, and a bio that sells, each have their rule."""
    assert set(authenticity.account_rules((), 1_501, bio_sells=True)) == {"mass_following", "reseller"}
    assert authenticity.account_rules((), 1_500, bio_sells=False) == {}


def test_no_single_statistical_rule_rules_out() -> None:
    """One of them alone, however strong, leaves an author the authenticity at which candidates enter;
    two do not."""
    limits = Thresholds()
    fired = authenticity.account_rules(((1, 12_345), (2, 15_345)), 2_000, bio_sells=False)
    fired |= authenticity.post_rules(
        WindowStats(posts=500, copies=500, busiest_day=500, times=[3_600 * n for n in range(500)])
    )
    assert set(fired) == set(authenticity.TEXTS) - {"promoted", "selling", "staff", "reseller"}
    assert all(
        authenticity.product({code: severity}) >= limits.authenticity for code, severity in fired.items()
    )
    assert authenticity.product({code: fired[code] for code in ("copies", "clockwork")}) < limits.authenticity


@pytest.mark.parametrize(
    ("followers", "low", "high"),
    [
        (None, None, None),
        (9_999, None, None),
        (10_000, 100, 500),
        (59_999, 100, 500),
        (120_000, None, None),
        (200_000, 5_000, 10_000),
        (1_000_000, 1_000_000, None),
    ],
)
def test_a_price_goes_by_followers(followers: int | None, low: int | None, high: int | None) -> None:
    """Whatever a preset calls such authors; where nobody says, there is none."""
    band = tables.cost_band(followers)
    assert (band and band.low, band and band.high) == (low, high)


def test_the_tables_name_their_sources_and_years() -> None:
    """Every tier, cost and benchmark names its source and year; each niche has a bit of its own."""
    folder = files("models").joinpath("tables")
    tiers, costs, benchmarks, niches = (
        tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
        for name in ("tiers", "costs", "benchmarks", "niches")
    )
    for row in [*tiers["presets"].values(), *costs["bands"], *benchmarks["rates"]]:
        assert row["source"]
        assert 2015 < row["year"] < 2100
    assert all(table["version"] >= 1 for table in (tiers, costs, benchmarks, niches))
    bits = [row["place"] for row in niches["niches"]]
    assert len(set(bits)) == len(bits)
    assert max(bits) < 32
    names = {row["name"] for row in niches["niches"]}
    assert all({*row["related"], *row.get("conflicting", ())} <= names for row in niches["niches"])
