"""Measures of what a model says against what people said. All are shares, 0 to 1; of nothing they are 0."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

Label = TypeVar("Label", bound=str)
Span = tuple[int, int, str]
"""Start, end, label."""


def accuracy(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Share of labels that are right."""
    return _share(sum(w == s for w, s in zip(wanted, said, strict=True)), len(wanted))


def recalls(wanted: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """Label -> share of those wanted that were said."""
    right, counts = _right(wanted, said), Counter(wanted)
    return {label: _share(right[label], counts[label]) for label in sorted(counts)}


def precisions(wanted: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """Label that was wanted -> share of those said that were right."""
    right, counts = _right(wanted, said), Counter(said)
    return {label: _share(right[label], counts[label]) for label in sorted(set(wanted))}


def f1s(wanted: Sequence[str], said: Sequence[str]) -> dict[str, float]:
    """Label that was wanted -> harmonic mean of precision and recall."""
    right, both = _right(wanted, said), Counter(wanted) + Counter(said)
    return {label: _share(2 * right[label], both[label]) for label in sorted(set(wanted))}


def macro_recall(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Mean recall of the wanted labels, each label counting the same; SemEval's measure."""
    return _mean(recalls(wanted, said))


def macro_f1(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Mean F1 of the wanted labels, each label counting the same."""
    return _mean(f1s(wanted, said))


def span_f1(wanted: Sequence[Collection[Span]], said: Sequence[Collection[Span]]) -> float:
    """F1 of spans over all texts; a span is right when start, end and label are."""
    pairs = [(set(w), set(s)) for w, s in zip(wanted, said, strict=True)]
    return _share(2 * sum(len(w & s) for w, s in pairs), sum(len(w) + len(s) for w, s in pairs))


def calibration_error(wanted: Sequence[str], said: Sequence[Mapping[Label, float]], bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, over bins of equal width.

    `said` are probabilities by label; the likeliest label counts as the answer, its probability as
    the confidence.
    """
    surplus = [0.0] * bins
    for label, probabilities in zip(wanted, said, strict=True):
        answer = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[answer]
        surplus[min(int(confidence * bins), bins - 1)] += confidence - (answer == label)
    return _share(sum(map(abs, surplus)), len(wanted))


def in_characters(words: Sequence[str], spans: Iterable[Span]) -> set[Span]:
    """Spans of words as spans of the text that the words make, one space between two."""
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    return {(starts[start], starts[end] - 1, label) for start, end, label in spans}


def _right(wanted: Sequence[str], said: Sequence[str]) -> Counter[str]:
    return Counter(w for w, s in zip(wanted, said, strict=True) if w == s)


def _mean(by_label: Mapping[str, float]) -> float:
    return _share(sum(by_label.values()), len(by_label))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
