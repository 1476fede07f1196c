"""The measures, against values worked out by hand."""

import pytest

from nlp.training import measures

WANTED = ["positive", "positive", "positive", "negative", "negative", "neutral"]
SAID = ["positive", "positive", "negative", "negative", "neutral", "positive"]


def test_labels() -> None:
    """Recall, precision and F1 of each label, and their means, each label counting the same."""
    assert measures.accuracy(WANTED, SAID) == pytest.approx(3 / 6)
    shares = pytest.approx({"negative": 1 / 2, "neutral": 0, "positive": 2 / 3})
    assert measures.recalls(WANTED, SAID) == shares
    assert measures.precisions(WANTED, SAID) == shares
    assert measures.macro_recall(WANTED, SAID) == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    assert measures.macro_f1(WANTED, SAID) == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    # Said twice too often: precision 1/3, recall 1.
    assert measures.f1s(["a", "b", "b"], ["a", "a", "a"]) == pytest.approx({"a": 1 / 2, "b": 0})
    assert measures.macro_recall(["a", "b", "b"], ["a", "a", "a"]) == pytest.approx(1 / 2)


def test_a_label_nobody_wanted_is_no_class_of_its_own() -> None:
    """What is said and never wanted costs the others, and is not averaged in."""
    assert measures.macro_recall(["a", "b"], ["a", "c"]) == pytest.approx(1 / 2)
    assert measures.macro_f1(["a", "b"], ["a", "c"]) == pytest.approx(1 / 2)


def test_spans() -> None:
    """A span counts when its place and its label are right, over all texts together."""
    wanted = [[(0, 5, "ORG"), (9, 12, "PERSON")], [(0, 3, "ORG")], []]
    said = [[(0, 5, "ORG"), (9, 12, "ORG")], [(0, 4, "ORG")], [(1, 2, "WORK")]]
    # One right of three wanted and four said.
    assert measures.span_f1(wanted, said) == pytest.approx(2 * 1 / (3 + 4))


def test_spans_of_words_become_spans_of_characters() -> None:
    """They cut out of the joined text what they cut out of the words."""
    words = ["@", "Ann", "flies", "Air", "Canada"]
    found = measures.in_characters(words, [(1, 2, "PERSON"), (3, 5, "ORG")])
    assert {(" ".join(words)[start:end], label) for start, end, label in found} == {
        ("Ann", "PERSON"),
        ("Air Canada", "ORG"),
    }


def test_calibration() -> None:
    """In each bin the distance of mean confidence and accuracy, weighed by the bin's share."""
    wanted = ["a", "b", "a", "b"]
    said = [{"a": 0.9, "b": 0.1}, {"a": 0.9, "b": 0.1}, {"a": 0.6, "b": 0.4}, {"a": 0.4, "b": 0.6}]
    # What is said with .9 is right half the time, with .6 always.
    assert measures.calibration_error(wanted, said) == pytest.approx((2 * abs(0.9 - 0.5) + 2 * (1 - 0.6)) / 4)
    # One bin: the mean confidence .75 is the accuracy.
    assert measures.calibration_error(wanted, said, bins=1) == pytest.approx(0.0)
    assert measures.calibration_error(["a"], [{"a": 1.0, "b": 0.0}]) == 0.0


def test_nothing() -> None:
    """Of no texts every measure is 0."""
    assert measures.macro_f1([], []) == measures.span_f1([], []) == measures.calibration_error([], []) == 0
