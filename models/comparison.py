"""Differences between two judgements of one author, and the settings that caused them.

`before` is the judgement by the current rules, `after` that by other rules. Swapping the two swaps
"enters" and "leaves" and flips the sign of every number.

Causes are found by trying: each setting that differs is switched alone, in the current rules and back in
the other rules, and the author is judged again. The points of each component are exact: the score is a
product, so its logarithm is a sum. The logarithmic mean of both scores turns shares of that sum into
points (LMDI, B. W. Ang 2004).
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from models import scoring
from models.candidate import State
from models.decision import Verdict
from models.record import Record
from models.rules import Rules

Change = Literal["agree", "enters", "leaves", "moves"]
"""An author under the other rules: promoted to the board, demoted from it, or with another score or state."""
BoardChange = Literal["agree", "enters", "leaves"]
ON_BOARD = frozenset({"candidate", "accepted"})
SECTIONS = ("weights", "tiers", "customers", "thresholds")
"""sections of the rules that judge"""
LEAST_POINTS = 0.05
"""smaller differences are left out: with one decimal they are 0"""

Judge = Callable[[Rules], Verdict | None]
"""Judges one author by the given rules; returns None if nothing is counted."""


class Side(Record, frozen=True):
    """One of the two judgements; both fields are null if there is no profile."""

    state: State | Literal["none"] | None
    score: float | None


class Cause(Record, frozen=True):
    """A setting or a component of the score, and its part in the difference."""

    code: str
    text: str


class Difference(Record, frozen=True):
    """One author about one brand, judged differently.

    `points` is the change of the score; `by` splits it by component (one decimal; less than 0.05 is left
    out). If one side has no profile, `points` is null and `by` is empty.
    """

    key: str
    change: Change
    before: Side
    after: Side
    points: float | None
    by: dict[str, float]
    because: tuple[Cause, ...]


class Switch(NamedTuple):
    """One setting that differs."""

    code: str
    text: str
    """the setting and both values"""
    forth: Rules
    """the current rules with the other value"""
    back: Rules
    """the other rules with the current value"""


def board_change(before: State | None, after: State | None) -> BoardChange:
    """Return the change on the board of candidates between two states."""
    was, is_ = before in ON_BOARD, after in ON_BOARD
    if was == is_:
        return "agree"
    return "enters" if is_ else "leaves"


class Comparison:
    """Two sets of rules and their differences.

    `apart` names the settings by which the two sides count different posts (brands, sources, window). These
    cannot be switched alone; they are tried by judging the other side's counters.
    """

    def __init__(self, before: Rules, after: Rules, apart: Sequence[str] = ()) -> None:
        self.before = before
        self.after = after
        self.switches = switches(before, after)
        self._apart = tuple(apart)

    def contrast(self, key: str, judge_before: Judge, judge_after: Judge) -> Difference | None:
        """Return the difference of the two judgements of an author about a brand; None if they agree.

        The two judges differ only if the two sides have counted different posts.
        """
        one, other = judge_before(self.before), judge_after(self.after)
        change: Change = board_change(_state(one), _state(other))
        if change == "agree":
            if _side(one) == _side(other):
                return None
            change = "moves"
        by = _points(one, self.before, other, self.after) if one and other else {}
        causes = [*self._settings(one, other, judge_before, judge_after)] if _moved(one, other) else []
        if one and other:
            causes += _components(by, one, self.before, other, self.after)
        return Difference(
            key=key,
            change=change,
            before=_side(one),
            after=_side(other),
            points=round(other.score - one.score, 1) if one and other else None,
            by={name: round(points, 1) for name, points in by.items()},
            because=tuple(causes),
        )

    def _settings(
        self, one: Verdict | None, other: Verdict | None, judge_before: Judge, judge_after: Judge
    ) -> Sequence[Cause]:
        """Return the settings that change the state when they are switched alone, from either side."""
        tried = [
            (s.code, s.text, _moved(one, judge_before(s.forth)), _moved(other, judge_after(s.back)))
            for s in self.switches
        ]
        if self._apart:
            # Judge the other side's counters by the current rules, and the other way round.
            tried.append(
                (
                    "counted",
                    f"different posts are counted ({', '.join(self._apart)})",
                    _moved(one, judge_after(_judging_as(self.after, self.before))),
                    _moved(other, judge_before(_judging_as(self.before, self.after))),
                )
            )
        causes = [
            Cause(code=code, text=f"{text}: {_PART[enough, needed]}")
            for code, text, enough, needed in tried
            if enough or needed
        ]
        if not causes:
            causes = [
                Cause(code=code, text=f"{text}: one of several that act together")
                for code, text, _, _ in tried
            ]
        return causes


_PART = {
    (True, True): "makes the difference",
    (True, False): "would be enough on its own, and so would another",
    (False, True): "is needed, but not enough on its own",
}


def switches(before: Rules, after: Rules) -> tuple[Switch, ...]:
    """Return every setting that judges and differs. Weights count as one: only their ratios matter."""
    found = []
    for section in SECTIONS:
        one, other = getattr(before, section), getattr(after, section)
        changed = [
            (name, getattr(one, name), getattr(other, name))
            for name in type(one).model_fields
            if getattr(one, name) != getattr(other, name)
        ]
        if section == "thresholds":
            found += [
                Switch(
                    f"{section}.{name}",
                    f"{section}.{name} {_shown(was)} → {_shown(is_)}",
                    before.model_copy(update={section: one.model_copy(update={name: is_})}),
                    after.model_copy(update={section: other.model_copy(update={name: was})}),
                )
                for name, was, is_ in changed
            ]
        elif changed:
            text = ", ".join(f"{name} {_shown(was)} → {_shown(is_)}" for name, was, is_ in changed)
            forth = before.model_copy(update={section: other})
            back = after.model_copy(update={section: one})
            found.append(Switch(section, f"{section} {text}", forth, back))
    return tuple(found)


def _judging_as(rules: Rules, as_: Rules) -> Rules:
    """Return `rules` with the sections that judge taken from `as_`."""
    return rules.model_copy(update={section: getattr(as_, section) for section in SECTIONS})


def _points(one: Verdict, before: Rules, other: Verdict, after: Rules) -> dict[str, float]:
    """Split the change of the score by component; leave out less than 0.05 points."""
    was, is_ = _log_parts(one, before), _log_parts(other, after)
    logs = sum(was.values()), sum(is_.values())
    scores = 100 * math.exp(logs[0]), 100 * math.exp(logs[1])
    mean = scores[0] if logs[0] == logs[1] else (scores[1] - scores[0]) / (logs[1] - logs[0])
    split = {name: mean * (is_.get(name, 0.0) - was.get(name, 0.0)) for name in was | is_}
    return {name: points for name, points in sorted(split.items()) if abs(points) >= LEAST_POINTS}


def _log_parts(verdict: Verdict, rules: Rules) -> dict[str, float]:
    """Return the terms of ln(score / 100)."""
    parts: dict[str, float] = {
        name: share * math.log(max(verdict.components[name] or 0.0, scoring.FLOOR))
        for name, share in scoring.shares(verdict.components, rules.weights).items()
    }
    return parts | {"authenticity": math.log(max(verdict.a, scoring.FLOOR))}


def _components(
    by: dict[str, float], one: Verdict, before: Rules, other: Verdict, after: Rules
) -> Sequence[Cause]:
    """Put the points of each component into words, the most points first."""
    shares = scoring.shares(one.components, before.weights), scoring.shares(other.components, after.weights)
    causes = []
    for name, points in sorted(by.items(), key=lambda item: (-abs(item[1]), item[0])):
        moved: list[tuple[str, float | None, float | None]]
        if name == "authenticity":
            moved = [("", one.a, other.a)]
        else:
            component = next(known for known in one.components if known == name)
            moved = [
                ("", one.components[component], other.components[component]),
                ("share of the weights ", shares[0].get(component, 0.0), shares[1].get(component, 0.0)),
            ]
        values = [
            f"{label}{_shown(was)} → {_shown(is_)}" for label, was, is_ in moved if _shown(was) != _shown(is_)
        ]
        text = f"{name} {', '.join(values)}".rstrip()
        causes.append(Cause(code=name, text=f"{text}: {points:+.1f} points"))
    return causes


def _moved(one: Verdict | None, other: Verdict | None) -> bool:
    return _side(one).state != _side(other).state


def _state(verdict: Verdict | None) -> State | None:
    return verdict.state if verdict else None


def _side(verdict: Verdict | None) -> Side:
    if verdict is None:
        return Side(state=None, score=None)
    return Side(state=verdict.state or "none", score=verdict.score)


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
