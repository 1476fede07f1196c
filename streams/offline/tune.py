"""`superfan tune`: feedback and profiles in, a settings file with other weights out. Switches nothing.

How weights are learned is in `models.learning`. Learned is only from authors whom somebody was shown:
the new weights say how to rank the likes of these, not whom nobody has seen. Profiles should stand as
they did when people decided (`superfan backtest --tick DAY` makes such).
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import msgspec

from models.candidate import Authenticity, Profile
from models.customer import decode_feedback
from models.errors import SuperfanError
from models.learning import Decision, Tuned
from models.record import Record
from models.rejection import Rejected, decode_json
from models.store import Store
from models.times import instant
from streams.sources import lines

DECIDED = {"accepted": True, "declined": False}
_TABLE = re.compile(
    r"""
    ^[ \t]*\[weights\][^\n]*\n?                 # the head of the table, and up to the last of its keys
    (?: (?:[ \t]*(?:\#[^\n]*)?\n)* [ \t]*\w+[ \t]*=[^\n]*\n? )*
    """,
    re.MULTILINE | re.VERBOSE,
)


class TuneError(SuperfanError):
    """Weights cannot be learned from this, or not be written."""


class _Judged(Record, frozen=True):
    """What is read of a profile."""

    key: str
    components: dict[str, float | None]
    authenticity: Authenticity


class Verdicts(NamedTuple):
    """What people decided, by candidate key: the newest yes or no of each; and lines of no use."""

    decided: dict[str, bool]
    unusable: int


_decoder = msgspec.json.Decoder(_Judged)


def read_feedback(file: Path) -> Verdicts:
    """The decisions of a file of feedback; raises `FileError`."""
    newest: dict[str, tuple[int, bool]] = {}
    unusable = 0
    for line in lines.read(file):
        try:
            feedback = decode_feedback(line)
            at = instant(feedback.at)
        except Rejected:
            unusable += 1
            continue
        if feedback.decision in DECIDED:
            told = (at, DECIDED[feedback.decision])
            newest[feedback.key] = max(newest.get(feedback.key, told), told)
    return Verdicts({key: accepted for key, (_, accepted) in newest.items()}, unusable)


def from_file(file: Path, decided: Mapping[str, bool]) -> Iterator[Decision]:
    """Decisions with what a file of profiles knows of the authors; raises `FileError` and `TuneError`."""
    for number, line in enumerate(lines.read(file), 1):
        try:
            profile = decode_json(_decoder, line)
        except Rejected as rejection:
            raise TuneError(
                f"Line {number} of {file} is not a profile",
                rejection.detail,
                "name the profiles.jsonl that `superfan backtest` of this version wrote",
            ) from None
        if profile.key in decided:
            yield _decision(profile, decided[profile.key])


def from_store(store: Store, decided: Mapping[str, bool]) -> Iterator[Decision]:
    """Decisions with what the store knows of the authors; raises `StoreError`."""
    for key, accepted in decided.items():
        profile = store.profile(key)
        if profile is not None:
            yield _decision(profile, accepted)


def once(decisions: Iterable[Decision]) -> list[Decision]:
    """The last one of each author."""
    return list({decision.key: decision for decision in decisions}.values())


def rows(tuned: Tuned, present: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Old and new weights as shares, then old and new cross-validated measures with their spread."""
    total = sum(present.values())
    for name, weight in tuned.weights.items():
        yield _row("weight", name, round(present[name] / total, 4), weight)
    measures = {
        "auc": [(fold.present.auc, fold.fitted.auc) for fold in tuned.folds],
        f"precision@{max(fold.present.k for fold in tuned.folds)}": [
            (fold.present.precision, fold.fitted.precision) for fold in tuned.folds
        ],
    }
    for name, pairs in measures.items():
        old, new = zip(*pairs, strict=True)
        yield _row("cross-validated", name, round(fmean(old), 3), round(fmean(new), 3)) | {
            "present_spread": round(stdev(old), 3),
            "new_spread": round(stdev(new), 3),
        }


def advice(tuned: Tuned) -> str:
    """Whether the new weights deserve trust, in a sentence."""
    gain, error = tuned.gain
    if gain <= 2 * error:
        return (
            f"The new weights do not rank clearly better (AUC {gain:+.3f}, standard error {error:.3f}): "
            "stay with the present ones, or decide about more candidates first."
        )
    return f"The new weights rank better in cross-validation: AUC {gain:+.3f}, standard error {error:.3f}."


def write_settings(target: Path, source: Path, tuned: Tuned, present: Mapping[str, float]) -> None:
    """The settings file `source` with these weights, and where they come from. Raises `TuneError`."""
    if target.exists() and target.samefile(source):
        raise TuneError(
            f"{target} is the settings file in force",
            "tuning switches nothing by itself",
            "write to another file, and compare the two with `superfan backtest --compare`",
        )
    text = source.read_text(encoding="utf-8")
    made = with_weights(text, _table(tuned, present))
    expected = tomllib.loads(text) | {"weights": tuned.weights}
    try:
        kept = tomllib.loads(made) == expected
    except tomllib.TOMLDecodeError:
        kept = False
    if not kept:
        raise TuneError(
            f"The weights in {source} cannot be replaced",
            "they are not written as a [weights] table of their own",
            "write them so: [weights] on a line, below it one weight a line",
        )
    try:
        target.write_text(made, encoding="utf-8")
    except OSError as error:
        raise TuneError(
            f"{target} cannot be written",
            error.strerror or str(error),
            "name a file in a folder that exists and may be written to",
        ) from None


def with_weights(text: str, table: str) -> str:
    """A settings file whose [weights] are this table; it stands where they stood, else at the end."""
    if _TABLE.search(text) is None:
        return f"{text.rstrip()}\n\n{table}"
    return _TABLE.sub(lambda _: table, text, count=1)


def _table(tuned: Tuned, present: Mapping[str, float]) -> str:
    measures = {row["name"]: row for row in rows(tuned, present) if row["kind"] != "weight"}
    told = "; ".join(
        f"{name} {row['present']} -> {row['new']} (spread {row['new_spread']})"
        for name, row in measures.items()
    )
    before = ", ".join(f"{name} {weight:g}" for name, weight in present.items())
    said = [
        f"Learned by `superfan tune` from {tuned.decisions} decisions, {tuned.accepted} of them accepted.",
        f"Cross-validated over {len(tuned.folds)} folds: {told}.",
        f"Penalty {tuned.penalty:g}, chosen by cross-validation. The weights before: {before}.",
    ]
    lines_ = ["[weights]", *(f"# {line}" for line in said)]
    lines_ += [f"{name} = {weight:.4f}" for name, weight in tuned.weights.items()]
    return "\n".join(lines_) + "\n"


def _decision(profile: _Judged | Profile, accepted: bool) -> Decision:
    return Decision(profile.key, profile.components, profile.authenticity.value, accepted)


def _row(kind: str, name: str, present: float, new: float) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "present": present, "new": new,
        "present_spread": None, "new_spread": None,
    }  # fmt: skip
