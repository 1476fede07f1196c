"""`superfan tune`: learn weights from feedback and profiles, and write them to a new settings file.

Nothing that runs is changed. `models.learning` does the learning, from authors with a decision only: the
weights rank authors like them, and promise nothing for others. The profiles should be those of the time
of the decisions; `superfan backtest --tick DAY` writes them.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import msgspec
import tomlkit
from tomlkit.items import Table

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


class TuneError(SuperfanError):
    """Weights cannot be learned from these files, or cannot be written."""


class _Judged(Record, frozen=True):
    """The part of a profile that is read."""

    key: str
    components: dict[str, float | None]
    authenticity: Authenticity


class Verdicts(NamedTuple):
    """The newest decision by candidate key, and the number of unusable lines."""

    decided: dict[str, bool]
    unusable: int


_decoder = msgspec.json.Decoder(_Judged)


def read_feedback(file: Path) -> Verdicts:
    """Return the decisions of a file of feedback. Raises `FileError`."""
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
            decision = (at, DECIDED[feedback.decision])
            newest[feedback.key] = max(newest.get(feedback.key, decision), decision)
    return Verdicts({key: accepted for key, (_, accepted) in newest.items()}, unusable)


def from_file(file: Path, decided: Mapping[str, bool]) -> Iterator[Decision]:
    """Join decisions with a file of profiles. Raises `FileError` and `TuneError`."""
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
    """Join decisions with the profiles of the store. Raises `StoreError`."""
    for key, accepted in decided.items():
        profile = store.profile(key)
        if profile is not None:
            yield _decision(profile, accepted)


def once(decisions: Iterable[Decision]) -> list[Decision]:
    """Return the last decision of each author."""
    return list({decision.key: decision for decision in decisions}.values())


def rows(tuned: Tuned, present: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """Yield old and new weights as shares, then old and new cross-validated measures with deviations."""
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
    """Return a sentence that recommends the new weights or the present ones."""
    gain, error = tuned.gain
    if gain <= 2 * error:
        return (
            f"The new weights do not rank clearly better (AUC {gain:+.3f}, standard error {error:.3f}): "
            "stay with the present ones, or decide on more candidates first."
        )
    return f"The new weights rank better in cross-validation: AUC {gain:+.3f}, standard error {error:.3f}."


def write_settings(target: Path, source: Path, tuned: Tuned, present: Mapping[str, float]) -> None:
    """Write the settings of `source` with the new weights to `target`. Raises `TuneError`."""
    if target.exists() and target.samefile(source):
        raise TuneError(
            f"{target} is the current settings file",
            "tuning never changes the current settings",
            "write to another file, and compare the two with `superfan backtest --compare`",
        )
    text = with_weights(source.read_text(encoding="utf-8"), tuned, present)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TuneError(
            f"{target} cannot be written",
            error.strerror or str(error),
            "name a file in a folder that exists and is writable",
        ) from None


def with_weights(text: str, tuned: Tuned, present: Mapping[str, float]) -> str:
    """Return settings with [weights] replaced, or added at the end; everything else keeps its form.

    A comment in the table says how the weights were learned.
    """
    settings = tomlkit.parse(text)
    weights = tomlkit.table()
    for line in _comment(tuned, present):
        weights.add(tomlkit.comment(line))
    for name, weight in tuned.weights.items():
        weights.add(name, tomlkit.float_(f"{weight:.4f}"))
    if (old := settings.get("weights")) is None:
        settings.add(tomlkit.nl())
    elif isinstance(old, Table):
        old.trivia.indent = old.trivia.comment_ws = old.trivia.comment = ""  # else the new head has them
        # Comments after the last key may be about the next table.
        for item in reversed([*takewhile(lambda item: item[0] is None, reversed(old.value.body))]):
            weights.append(*item)
    settings["weights"] = weights
    return tomlkit.dumps(settings)


def _comment(tuned: Tuned, present: Mapping[str, float]) -> tuple[str, ...]:
    measures = ", ".join(
        f"{row['name']} {row['present']} -> {row['new']} (deviation {row['new_spread']})"
        for row in rows(tuned, present)
        if row["kind"] != "weight"
    )
    before = ", ".join(f"{name} {weight:g}" for name, weight in present.items())
    return (
        f"Learned by `superfan tune` from {tuned.decisions} decisions, {tuned.accepted} of them accepted.",
        f"Cross-validated over {len(tuned.folds)} folds: {measures}.",
        f"Penalty {tuned.penalty:g}, chosen by cross-validation. The weights before: {before}.",
    )


def _decision(profile: _Judged | Profile, accepted: bool) -> Decision:
    return Decision(profile.key, profile.components, profile.authenticity.value, accepted)


def _row(kind: str, name: str, present: float, new: float) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "present": present, "new": new,
        "present_spread": None, "new_spread": None,
    }  # fmt: skip
