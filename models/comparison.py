"""How two judgements of one author differ, and what made the difference. Pure.

`before` is the judgement by the rules in force, `after` that by other rules. Exchanging the two
exchanges "enters" and "leaves" and turns the sign of every number.

Which setting made a difference is not guessed but tried: each setting that differs is switched alone,
forth in the rules in force and back in the other ones, and the author is judged again. How many points
each component gave or took is exact: the score is a product, its logarithm a sum, and the logarithmic
mean of both scores turns shares of that sum into points (B. W. Ang's LMDI, 2004).
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
"""What becomes of an author under the other rules: comes on the board, goes, has another score or state."""
BoardChange = Literal["agree", "enters", "leaves"]
ON_BOARD = frozenset({"candidate", "accepted"})
SECTIONS = ("weights", "tiers", "customers", "thresholds")
"""of the rules: what judges"""
LEAST_POINTS = 0.05
"""what is less is 0 with one decimal"""

Judge = Callable[[Rules], Verdict | None]
"""Judges one author by any rules; null where nothing is counted."""


class Side(Record, frozen=True):
    """One of the two judgements; both null where there is no profile."""

    state: State | Literal["none"] | None
    score: float | None


class Cause(Record, frozen=True):
    """A setting, or a component of the score, and its part in the difference."""

    code: str
    text: str


class Difference(Record, frozen=True):
    """One author about one brand, judged differently.

    `points` is the change of the score, `by` splits it by component (one decimal; what is less than
    0.05 is left out). Both are empty where one side has no profile.
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
    said: str
    """the setting, and both its values"""
    forth: Rules
    """the rules in force with the other value"""
    back: Rules
    """the other rules with the value in force"""


def board_change(before: State | None, after: State | None) -> BoardChange:
    """Whether the author comes on the board of candidates or goes."""
    was, is_ = before in ON_BOARD, after in ON_BOARD
    if was == is_:
        return "agree"
    return "enters" if is_ else "leaves"


class Comparison:
    """Two sets of rules, and what differs between them.

    `apart` names what lets the two count different posts (brands, sources, window): that cannot be
    switched in a judgement, but only by judging the other side's counters.
    """

    def __init__(self, before: Rules, after: Rules, apart: Sequence[str] = ()) -> None:
        self.before = before
        self.after = after
        self.switches = switches(before, after)
        self._apart = tuple(apart)

    def contrast(self, key: str, judge_before: Judge, judge_after: Judge) -> Difference | None:
        """The difference of the two judgements of an author about a brand, or null if they agree.

        The judges differ where the two sides have counted different posts.
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
        """The settings that move the state when they are switched alone, from either side."""
        tried = [
            (s.code, s.said, _moved(one, judge_before(s.forth)), _moved(other, judge_after(s.back)))
            for s in self.switches
        ]
        if self._apart:
            # The other side's counters under the rules in force, and the other way round.
            tried.append(
                (
                    "counted",
                    f"other posts are counted ({', '.join(self._apart)})",
                    _moved(one, judge_after(_judging_as(self.after, self.before))),
                    _moved(other, judge_before(_judging_as(self.before, self.after))),
                )
            )
        causes = [
            Cause(code=code, text=f"{said}: {_PART[enough, needed]}")
            for code, said, enough, needed in tried
            if enough or needed
        ]
        if not causes:
            causes = [Cause(code=code, text=f"{said}: one of several") for code, said, _, _ in tried]
        return causes


_PART = {
    (True, True): "makes the difference",
    (True, False): "would be enough, but is not alone",
    (False, True): "is needed, and not enough",
}


def switches(before: Rules, after: Rules) -> tuple[Switch, ...]:
    """Every setting that judges and differs; weights together, since only their ratios matter."""
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
            said = ", ".join(f"{name} {_shown(was)} → {_shown(is_)}" for name, was, is_ in changed)
            forth = before.model_copy(update={section: other})
            back = after.model_copy(update={section: one})
            found.append(Switch(section, f"{section} {said}", forth, back))
    return tuple(found)


def _judging_as(rules: Rules, as_: Rules) -> Rules:
    """Rules about the same brands that judge as others do."""
    return rules.model_copy(update={section: getattr(as_, section) for section in SECTIONS})


def _points(one: Verdict, before: Rules, other: Verdict, after: Rules) -> dict[str, float]:
    """The change of the score, split by component; nothing for what gave or took less than 0.05."""
    was, is_ = _log_parts(one, before), _log_parts(other, after)
    logs = sum(was.values()), sum(is_.values())
    scores = 100 * math.exp(logs[0]), 100 * math.exp(logs[1])
    mean = scores[0] if logs[0] == logs[1] else (scores[1] - scores[0]) / (logs[1] - logs[0])
    split = {name: mean * (is_.get(name, 0.0) - was.get(name, 0.0)) for name in was | is_}
    return {name: points for name, points in sorted(split.items()) if abs(points) >= LEAST_POINTS}


def _log_parts(verdict: Verdict, rules: Rules) -> dict[str, float]:
    """The terms of ln(score / 100)."""
    parts: dict[str, float] = {
        name: share * math.log(max(verdict.components[name] or 0.0, scoring.FLOOR))
        for name, share in scoring.shares(verdict.components, rules.weights).items()
    }
    return parts | {"authenticity": math.log(max(verdict.a, scoring.FLOOR))}


def _components(
    by: dict[str, float], one: Verdict, before: Rules, other: Verdict, after: Rules
) -> Sequence[Cause]:
    """What each component gave or took, in words, the most first."""
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
        said = [
            f"{what}{_shown(was)} → {_shown(is_)}" for what, was, is_ in moved if _shown(was) != _shown(is_)
        ]
        text = f"{name} {', '.join(said)}".rstrip()
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
