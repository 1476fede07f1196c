"""Weights learned from decisions: the optimiser, what it must never do, and what its report says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import learning
from models.learning import Decision, Sample, TooLittleFeedback, fit, log_scores, measures, sample_of, tune
from models.rules import Weights
from models.scoring import shares, total

PRESENT = Weights().model_dump()
NAMES = [name for name, weight in PRESENT.items() if weight > 0]
TASTE = dict(zip(NAMES, (0.05, 0.05, 0.4, 0.1, 0.3, 0.1), strict=True))
"""true weights of the decisions in these tests, far from the present ones"""


def decisions(n: int, *, number: int = 1, taste: dict[str, float] = TASTE) -> list[Decision]:
    """Decisions that follow `taste`, loosely; some components are not known."""
    rng = np.random.default_rng(number)
    made = []
    for row in range(n):
        components: dict[str, float | None] = dict.fromkeys(PRESENT)
        for name in NAMES:
            if name == "enthusiasm" or rng.random() < 0.8:
                components[name] = float(rng.uniform(0.05, 1))
        a = float(rng.choice([1.0, 0.5]))
        points = score(components, Weights(**dict.fromkeys(PRESENT, 0.0) | taste), a)
        accepted = rng.random() < 1 / (1 + np.exp(-8 * np.log(points / 40)))
        made.append(Decision(f"Acme/x:{row}", components, a, bool(accepted)))
    return made


def score(components: dict[str, float | None], weights: Weights, a: float) -> float:
    """Return the score that the decision computes."""
    return total(components, shares(components, weights), a)  # type: ignore[arg-type]


def two_columns(n: int, number: int) -> Sample:
    """Build a sample of two components."""
    return sample_of(decisions(n, number=number), ["enthusiasm", "customer"])


def penalised_loss(sample: Sample, present: np.ndarray, penalty: float, at: np.ndarray) -> np.ndarray:
    """Compute the documented loss for rows of (b, ln s, d_1, d_2), with no shared code."""
    losses = np.zeros(len(at))
    held = sample.known * present
    z0 = sample.log_a + (held * sample.logs).sum(1) / held.sum(1)
    usual = np.log(1 / z0.std())
    for row in range(len(sample.accepted)):
        w = sample.known[row] * present * np.exp(at[:, 2:])
        z = sample.log_a[row] + (w * sample.logs[row]).sum(1) / w.sum(1)
        lean = at[:, 0] + np.exp(at[:, 1]) * (z - z0.mean())
        losses += np.logaddexp(0, -lean if sample.accepted[row] else lean)
    return losses + penalty / 2 * (at[:, 2:] ** 2).sum(1) + (at[:, 1] - usual) ** 2 / 2


@pytest.mark.parametrize("penalty", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_fit_is_the_optimum_that_brute_force_finds(penalty: float, number: int) -> None:
    """Ever narrower random search over all four numbers finds no lower loss, and the same weights."""
    sample, present = two_columns(60, number), np.array([0.34, 0.16])
    found = fit(sample, present, penalty)
    rng = np.random.default_rng(number)
    best, width = np.zeros(4), 2.0
    while width > 1e-4:
        tried = best + width * rng.standard_normal((2000, 4))
        losses = penalised_loss(sample, present, penalty, np.vstack([best, tried]))
        best = np.vstack([best, tried])[losses.argmin()]
        width *= 0.75
    lowest = penalised_loss(sample, present, penalty, best[None])[0]
    assert found.loss == pytest.approx(lowest, abs=1e-4)
    weights = present * np.exp(best[2:])
    assert found.weights == pytest.approx(weights / weights.sum(), abs=5e-3)


def test_the_learned_score_is_the_score() -> None:
    """Rows are ranked by exactly the score that the decision computes with the same weights."""
    made = decisions(50)
    weights = Weights(**PRESENT | {"niche": 0.3})
    sample = sample_of(made, NAMES)
    found = log_scores(sample, np.array([getattr(weights, name) for name in NAMES]))
    expected = [score(d.components, weights, d.authenticity) for d in made]
    assert sorted(100 * np.exp(found)) == pytest.approx(sorted(expected))


@settings(deadline=None, max_examples=25)
@given(
    number=st.integers(0, 10_000),
    n=st.integers(20, 60),
    present=st.lists(st.sampled_from([0.0, 0.01, 0.1, 0.5, 3.0]), min_size=7, max_size=7),
)
def test_weights_are_shares_and_what_was_switched_off_stays_off(
    number: int, n: int, present: list[float]
) -> None:
    """New weights are not negative, sum to one, and are 0 where the present ones are."""
    weights = dict(zip(PRESENT, present, strict=True)) | {"enthusiasm": 0.3}
    try:
        found = tune(decisions(n, number=number), weights)
    except TooLittleFeedback:
        return
    assert sum(found.weights.values()) == pytest.approx(1, abs=1e-9)
    assert all(weight >= 0 for weight in found.weights.values())
    assert all(found.weights[name] == 0 for name, weight in weights.items() if weight == 0)
    assert all(0 <= fold.fitted.auc <= 1 and 0 <= fold.fitted.precision <= 1 for fold in found.folds)


def test_the_order_of_the_decisions_is_of_no_matter() -> None:
    """The same decisions in another order give the same weights and the same report."""
    made = decisions(80)
    assert tune(made, PRESENT) == tune(made[::-1], PRESENT)


def test_weights_follow_what_people_go_by() -> None:
    """From enough decisions that follow other weights, these are found, and rank better."""
    found = tune(decisions(1500), PRESENT)
    assert found.weights == pytest.approx(TASTE | {"closeness": 0.0}, abs=0.06)
    change, error = found.gain
    assert change > 2 * error > 0


def test_decisions_that_follow_nothing_move_little() -> None:
    """Decisions drawn by lot leave the weights nearly where they are."""
    rng = np.random.default_rng(5)
    drawn = [d._replace(accepted=bool(rng.random() < 0.5)) for d in decisions(300)]
    found = tune(drawn, PRESENT)
    assert found.penalty == max(learning.PENALTIES)
    assert found.weights == pytest.approx(PRESENT, abs=0.05)


def test_perfectly_separable_decisions_still_have_an_answer() -> None:
    """Where one component decides alone, the weights stay finite and that one gains."""
    made = [d for d in decisions(200) if d.components["customer"] is not None]
    cut = [d._replace(accepted=(d.components["customer"] or 0) > 0.5) for d in made]
    found = tune(cut, PRESENT)
    assert found.weights["customer"] > 2 * PRESENT["customer"]


def test_what_nobody_knows_keeps_its_share() -> None:
    """A component that is known of no author is neither learned nor lost."""
    blind = [d._replace(components={**d.components, "niche": None}) for d in decisions(300)]
    found = tune(blind, PRESENT)
    assert 0.05 < found.weights["niche"] < 0.2


@pytest.mark.parametrize(("accepted", "declined"), [(10, 9), (30, 0), (0, 30), (30, 4)])
def test_too_little_feedback_is_refused(accepted: int, declined: int) -> None:
    """Fewer than 20 decisions, or hardly any of one kind, teach nothing: the message says how many."""
    made = [d._replace(accepted=n < accepted) for n, d in enumerate(decisions(accepted + declined))]
    with pytest.raises(TooLittleFeedback, match=f"{accepted} accepted and {declined} declined"):
        tune(made, PRESENT)


def test_measures_are_those_of_the_definition() -> None:
    """AUC is the share of pairs in the right order, a tie a half; precision looks at the first k."""
    made = [
        Decision(f"k{n}", {"enthusiasm": x}, 1.0, accepted)
        for n, (x, accepted) in enumerate(
            [(0.9, True), (0.8, False), (0.5, True), (0.5, False), (0.1, False)]
        )
    ]
    found = measures(sample_of(made, ["enthusiasm"]), np.array([1.0]))
    assert found.auc == pytest.approx((3 + 1 + 0.5) / 6)
    assert (found.k, found.precision) == (2, pytest.approx(0.5))
