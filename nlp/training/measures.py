"""Measures of predictions against labels. All are shares from 0 to 1. Without data they are 0."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

Label = TypeVar("Label", bound=str)
Span = tuple[int, int, str]
"""start, end (excluded), label"""


def accuracy(wanted: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of correct labels."""
    return _share(sum(w == s for w, s in zip(wanted, predicted, strict=True)), len(wanted))


def recalls(wanted: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Return the recall of each label that occurs in `wanted`."""
    right, counts = _right(wanted, predicted), Counter(wanted)
    return {label: _share(right[label], counts[label]) for label in sorted(counts)}


def precisions(wanted: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Return the precision of each label that occurs in `wanted`."""
    right, counts = _right(wanted, predicted), Counter(predicted)
    return {label: _share(right[label], counts[label]) for label in sorted(set(wanted))}


def f1s(wanted: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Return the F1 of each label that occurs in `wanted`."""
    right, both = _right(wanted, predicted), Counter(wanted) + Counter(predicted)
    return {label: _share(2 * right[label], both[label]) for label in sorted(set(wanted))}


def macro_recall(wanted: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the unweighted mean of `recalls`, the measure of SemEval."""
    return _mean(recalls(wanted, predicted))


def macro_f1(wanted: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the unweighted mean of `f1s`."""
    return _mean(f1s(wanted, predicted))


def span_f1(wanted: Sequence[Collection[Span]], predicted: Sequence[Collection[Span]]) -> float:
    """Return the F1 of spans over all texts. Start, end and label of a correct span are equal."""
    pairs = [(set(w), set(s)) for w, s in zip(wanted, predicted, strict=True)]
    return _share(2 * sum(len(w & s) for w, s in pairs), sum(len(w) + len(s) for w, s in pairs))


def calibration_error(
    wanted: Sequence[str], predicted: Sequence[Mapping[Label, float]], bins: int = 15
) -> float:
    """Return the expected calibration error: the gap of confidence and accuracy, in bins of equal width.

    `predicted` are probabilities by label. The most likely label is the prediction, and its probability is
    the confidence.
    """
    surplus = [0.0] * bins
    for label, probabilities in zip(wanted, predicted, strict=True):
        answer = max(probabilities, key=probabilities.__getitem__)
        confidence = probabilities[answer]
        surplus[min(int(confidence * bins), bins - 1)] += confidence - (answer == label)
    return _share(sum(map(abs, surplus)), len(wanted))


def in_characters(words: Sequence[str], spans: Iterable[Span]) -> set[Span]:
    """Convert spans of words into spans of characters in the words joined by spaces."""
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    return {(starts[start], starts[end] - 1, label) for start, end, label in spans}


def _right(wanted: Sequence[str], predicted: Sequence[str]) -> Counter[str]:
    return Counter(w for w, s in zip(wanted, predicted, strict=True) if w == s)


def _mean(by_label: Mapping[str, float]) -> float:
    return _share(sum(by_label.values()), len(by_label))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
