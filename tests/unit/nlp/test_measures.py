"""The measures, compared with values computed by hand."""

import pytest

from nlp.training import measures

WANTED = ["positive", "positive", "positive", "negative", "negative", "neutral"]
PREDICTED = ["positive", "positive", "negative", "negative", "neutral", "positive"]


def test_labels() -> None:
    """Recall, precision and F1 of each label, and their unweighted means, are right."""
    assert measures.accuracy(WANTED, PREDICTED) == pytest.approx(3 / 6)
    shares = pytest.approx({"negative": 1 / 2, "neutral": 0, "positive": 2 / 3})
    assert measures.recalls(WANTED, PREDICTED) == shares
    assert measures.precisions(WANTED, PREDICTED) == shares
    assert measures.macro_recall(WANTED, PREDICTED) == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    assert measures.macro_f1(WANTED, PREDICTED) == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    # "a" is predicted three times and occurs once: precision 1/3, recall 1.
    assert measures.f1s(["a", "b", "b"], ["a", "a", "a"]) == pytest.approx({"a": 1 / 2, "b": 0})
    assert measures.macro_recall(["a", "b", "b"], ["a", "a", "a"]) == pytest.approx(1 / 2)


def test_a_label_without_posts_is_no_class() -> None:
    """A label that occurs only in predictions is an error, but no class of the mean."""
    assert measures.macro_recall(["a", "b"], ["a", "c"]) == pytest.approx(1 / 2)
    assert measures.macro_f1(["a", "b"], ["a", "c"]) == pytest.approx(1 / 2)


def test_spans() -> None:
    """A span is right if offsets and label are right. F1 is computed over all texts together."""
    wanted = [[(0, 5, "ORG"), (9, 12, "PERSON")], [(0, 3, "ORG")], []]
    predicted = [[(0, 5, "ORG"), (9, 12, "ORG")], [(0, 4, "ORG")], [(1, 2, "WORK")]]
    # One of three wanted and four predicted spans is right.
    assert measures.span_f1(wanted, predicted) == pytest.approx(2 * 1 / (3 + 4))


def test_spans_of_words_become_spans_of_characters() -> None:
    """Converted spans cover the same words of the joined text."""
    words = ["@", "Ann", "flies", "Air", "Canada"]
    found = measures.in_characters(words, [(1, 2, "PERSON"), (3, 5, "ORG")])
    assert {(" ".join(words)[start:end], label) for start, end, label in found} == {
        ("Ann", "PERSON"),
        ("Air Canada", "ORG"),
    }


def test_calibration() -> None:
    """The error is the gap of mean confidence and accuracy in each bin, weighted by the bin's share."""
    wanted = ["a", "b", "a", "b"]
    predicted = [{"a": 0.9, "b": 0.1}, {"a": 0.9, "b": 0.1}, {"a": 0.6, "b": 0.4}, {"a": 0.4, "b": 0.6}]
    # Predictions at .9 are right half the time, those at .6 always.
    assert measures.calibration_error(wanted, predicted) == pytest.approx(
        (2 * abs(0.9 - 0.5) + 2 * (1 - 0.6)) / 4
    )
    # One bin: the mean confidence .75 is the accuracy.
    assert measures.calibration_error(wanted, predicted, bins=1) == pytest.approx(0.0)
    assert measures.calibration_error(["a"], [{"a": 1.0, "b": 0.0}]) == 0.0


def test_nothing() -> None:
    """Without texts every measure is 0."""
    assert measures.macro_f1([], []) == measures.span_f1([], []) == measures.calibration_error([], []) == 0
