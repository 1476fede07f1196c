"""Weights learned from feedback: a penalised logistic regression in the terms of the score.

The score is a weighted geometric mean, so its logarithm is a weighted mean of the logarithms of the
components. The probability of "accepted" is modelled as

    P(accepted) = 1 / (1 + exp(-(b + s * (ln A + sum of w_k ln x_k - c))))

with s > 0 and c the mean of the present log score. The weights w_k are scaled to the known components of
each author, exactly as in `models.scoring`. Fitted are b, ln s, and d_k = ln(w_k / present w_k) for each
component, by least

    log-loss + penalty/2 * sum of d_k^2 + (ln s - ln s_0)^2 / 2

with s_0 = 1 / (standard deviation of the log score).

The ridge is on log-weights, since a weight matters by its ratio to the others. So halving and doubling
cost the same, new weights cannot be negative, and without evidence they stay. A weight of 0, which
somebody chose, stays 0. The prior on s keeps the fit finite if the decisions can be separated perfectly.
Solved by Fisher scoring (Gauss-Newton steps, halved until the loss falls).

The penalty is chosen by cross-validation. The reported measures are cross-validated around that choice:
within each fold the penalty is chosen again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.scoring import FLOOR

PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""penalties to try, the strongest first; 1/sqrt(penalty) is the expected change of a log-weight"""
FOLDS = 5
LEAST_DECISIONS = 20
LEAST_OF_EACH = FOLDS
"""so that each fold has one of each kind"""
MOST_LOOKED_AT = 20
DECIMALS = 4
_STEPS = 200

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class TooLittleFeedback(ValueError):
    """There is too little to learn from; the message says how much there is, and what is needed."""


class Decision(NamedTuple):
    """A decision about an author, and the components of the score at that time."""

    key: str
    components: Mapping[str, float | None]
    """0..1, null when not known"""
    authenticity: float
    """0..1: A of the score"""
    accepted: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """Decisions as arrays, a row each; columns are the components that have a weight."""

    logs: Floats
    """ln of the components, as low as the score lets them be; 0 where not known"""
    known: Flags
    log_a: Floats
    accepted: Flags
    groups: npt.NDArray[np.int64]
    """the fold of each row"""

    def rows(self, chosen: Flags) -> "Sample":
        """Return the chosen rows."""
        return Sample(
            self.logs[chosen], self.known[chosen], self.log_a[chosen], self.accepted[chosen],
            self.groups[chosen],
        )  # fmt: skip


class Fit(NamedTuple):
    """The result of a regression; `weights` sum to 1."""

    weights: Floats
    intercept: float
    slope: float
    centre: float
    loss: float
    """the penalised loss at the optimum"""

    def log_losses(self, sample: Sample) -> Floats:
        """Return -ln of the probability of the actual decision, for each row."""
        lean = self.intercept + self.slope * (log_scores(sample, self.weights) - self.centre)
        return np.logaddexp(0.0, np.where(sample.accepted, -lean, lean))


class Measures(NamedTuple):
    """The agreement of a ranking with decisions. `precision` is the share of accepted among the first k."""

    auc: float
    precision: float
    k: int


class FoldResult(NamedTuple):
    """One fold, ranked by weights that were fitted without it."""

    present: Measures
    fitted: Measures


@dataclass(frozen=True, slots=True)
class Tuned:
    """New weights, and their measures on decisions that they were not fitted to."""

    weights: dict[str, float]
    """sum to 1, four decimals; of every component"""
    penalty: float
    folds: tuple[FoldResult, ...]
    decisions: int
    accepted: int

    @property
    def gain(self) -> tuple[float, float]:
        """The mean change in AUC over the folds, and its standard error."""
        changes = np.array([fold.fitted.auc - fold.present.auc for fold in self.folds])
        return float(changes.mean()), float(changes.std(ddof=1) / np.sqrt(len(changes)))


def tune(decisions: Sequence[Decision], present: Mapping[str, float]) -> Tuned:
    """Fit new weights to decisions, one for each author, in any order.

    `present` has the weight of each component, one of them above 0. Raises `TooLittleFeedback`.
    """
    accepted = sum(decision.accepted for decision in decisions)
    declined = len(decisions) - accepted
    if len(decisions) < LEAST_DECISIONS or min(accepted, declined) < LEAST_OF_EACH:
        raise TooLittleFeedback(
            f"{len(decisions)} usable decisions, {accepted} accepted and {declined} declined; "
            f"{LEAST_DECISIONS} are needed, and {LEAST_OF_EACH} of each kind"
        )
    names = [name for name, weight in present.items() if weight > 0]
    start = np.array([present[name] for name in names])
    sample = sample_of(decisions, names)
    folds = []
    for group in range(FOLDS):
        held_out = sample.rows(sample.groups == group)
        # Numbered anew, so that the choice of the penalty has folds of its own.
        rest = _regrouped(sample.rows(sample.groups != group))
        fitted = fit(rest, start, best_penalty(rest, start)).weights
        folds.append(FoldResult(measures(held_out, start), measures(held_out, fitted)))
    penalty = best_penalty(sample, start)
    weights = dict.fromkeys(present, 0.0) | _rounded(names, fit(sample, start, penalty).weights)
    return Tuned(weights, penalty, tuple(folds), len(decisions), accepted)


def sample_of(decisions: Sequence[Decision], names: Sequence[str]) -> Sample:
    """Build the arrays of these components. A hash of the key orders the rows and assigns the folds."""
    ordered = sorted(decisions, key=lambda decision: blake2b(decision.key.encode()).digest())
    raw = [[decision.components.get(name) for name in names] for decision in ordered]
    known = np.array([[x is not None for x in row] for row in raw], dtype=np.bool_)
    logs = np.array([[0.0 if x is None else float(np.log(max(x, FLOOR))) for x in row] for row in raw])
    sample = Sample(
        logs=logs,
        known=known,
        log_a=np.log([max(decision.authenticity, FLOOR) for decision in ordered]),
        accepted=np.array([decision.accepted for decision in ordered], dtype=np.bool_),
        groups=np.zeros(len(ordered), dtype=np.int64),
    )
    return _regrouped(sample)


def log_scores(sample: Sample, weights: Floats) -> Floats:
    """Return ln(score / 100) of each row, with the weights scaled to the known components."""
    return np.asarray(sample.log_a + (_shares(sample, weights) * sample.logs).sum(axis=1))


def fit(sample: Sample, present: Floats, penalty: float) -> Fit:
    """Find the weights with the least penalised loss; `present` are all above 0."""
    scores = log_scores(sample, present)
    centre = float(scores.mean())
    usual = -float(np.log(max(scores.std(), 0.01)))
    found = np.concatenate([[_logit(sample.accepted.mean())], [usual], np.zeros(len(present))])
    prior = np.concatenate([[0.0, 1.0], np.full(len(present), penalty)])
    expected = np.concatenate([[0.0, usual], np.zeros(len(present))])
    yes = sample.accepted.astype(np.float64)

    def lean(at: Floats) -> Floats:
        weights = present * np.exp(at[2:])
        return np.asarray(at[0] + np.exp(at[1]) * (log_scores(sample, weights) - centre))

    def loss(at: Floats) -> float:
        leans = lean(at)
        losses = np.logaddexp(0.0, leans) - yes * leans
        return float(losses.sum() + (prior * (at - expected) ** 2).sum() / 2)

    least = loss(found)
    for _ in range(_STEPS):
        leans = lean(found)
        chance = 1 / (1 + np.exp(-leans))
        slopes = _slopes(sample, present, found, leans)
        gradient = slopes.T @ (chance - yes) + prior * (found - expected)
        if np.abs(gradient).max() < 1e-7:
            break
        curvature = (slopes.T * (chance * (1 - chance))) @ slopes + np.diag(prior + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while (new := loss(found - size * step)) > least - 1e-4 * size * float(gradient @ step):
            size /= 2
            if size < 1e-8:
                break
        if size < 1e-8:
            break  # the loss differs by less than a float can show
        found, least = found - size * step, new
    weights = present * np.exp(found[2:])
    return Fit(weights / weights.sum(), float(found[0]), float(np.exp(found[1])), centre, least)


def best_penalty(sample: Sample, present: Floats) -> float:
    """Return the penalty with the least loss on held-out folds; of equal ones the strongest."""
    losses = {}
    for penalty in PENALTIES:
        total = 0.0
        for group in range(FOLDS):
            out = sample.groups == group
            total += fit(sample.rows(~out), present, penalty).log_losses(sample.rows(out)).sum()
        losses[penalty] = total
    return min(PENALTIES, key=lambda penalty: losses[penalty])


def measures(sample: Sample, weights: Floats) -> Measures:
    """Measure the ranking by these weights on a sample with decisions of both kinds.

    k is the number of accepted, at most 20: a perfect ranking has precision 1. Ties count as the mean over
    their orders.
    """
    scores = np.round(log_scores(sample, weights), 9)
    yes, no = scores[sample.accepted], scores[~sample.accepted]
    above = (yes[:, None] > no).mean()
    level = (yes[:, None] == no).mean()
    k = min(MOST_LOOKED_AT, len(yes))
    last = np.sort(scores)[::-1][k - 1]
    sure, tied = scores > last, scores == last
    hits = sample.accepted[sure].sum() + (k - sure.sum()) * sample.accepted[tied].mean()
    return Measures(auc=float(above + level / 2), precision=float(hits / k), k=k)


def _shares(sample: Sample, weights: Floats) -> Floats:
    held = sample.known * weights
    total = held.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(held, total, out=np.zeros_like(held), where=total > 0))


def _slopes(sample: Sample, present: Floats, at: Floats, leans: Floats) -> Floats:
    """Return the derivatives of the lean by b, ln s and each d_k, a column each.

    The derivative of a weighted mean by d_k is share * (x_k - mean).
    """
    shares = _shares(sample, present * np.exp(at[2:]))
    means = (shares * sample.logs).sum(axis=1, keepdims=True)
    by_weight: Floats = np.exp(at[1]) * shares * (sample.logs - means)
    return np.column_stack([np.ones(len(leans)), leans - at[0], by_weight])


def _regrouped(sample: Sample) -> Sample:
    """Assign the rows to folds again, those of each kind in turn."""
    groups = np.zeros(len(sample.accepted), dtype=np.int64)
    for kind in (sample.accepted, ~sample.accepted):
        groups[kind] = np.arange(kind.sum()) % FOLDS
    return Sample(sample.logs, sample.known, sample.log_a, sample.accepted, groups)


def _logit(share: Any) -> float:
    return float(np.log(share / (1 - share)))


def _rounded(names: Sequence[str], weights: Floats) -> dict[str, float]:
    """Round weights to four decimals with the sum 1: the largest one takes the remainder."""
    units = np.round(weights * 10**DECIMALS).astype(int)
    units[weights.argmax()] += 10**DECIMALS - units.sum()
    return {name: int(unit) / 10**DECIMALS for name, unit in zip(names, units, strict=True)}
