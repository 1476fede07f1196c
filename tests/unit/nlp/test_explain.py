"""Explanations of a sentiment, on texts where the decisive words are obvious."""

import pytest

from nlp.explain import MOST_TOKENS, Explanation, Finding, explain
from nlp.pipeline import Annotator, TextIn


def _first(explanation: Explanation, of: str = "text") -> Finding:
    return next(finding for finding in explanation.findings if finding.of == of)


def _drops(finding: Finding) -> dict[str, float]:
    return {move.token.text: move.drop for move in finding.moves}


@pytest.mark.parametrize(
    ("text", "label", "word"),
    [
        ("I love this phone", "positive", "love"),
        ("This is the worst airline", "negative", "worst"),
        ("The crew was not happy today", "negative", "not"),
        ("See you at the gate 😍", "positive", "😍"),
    ],
)
def test_the_word_that_decides_comes_first(text: str, label: str, word: str, annotator: Annotator) -> None:
    """Removing the word that a reader would name lowers the probability most."""
    finding = _first(explain(annotator, TextIn(text)))
    assert finding.sentiment.label == label
    assert finding.moves[0].token.text == word
    assert finding.moves[0].drop > 0.05


def test_a_word_against_the_answer_has_a_negative_drop(annotator: Annotator) -> None:
    """Removing praise makes a complaint clearer."""
    finding = _first(explain(annotator, TextIn("Nice seats, horrible terrible awful service")))
    assert finding.sentiment.label == "negative"
    assert _drops(finding)["Nice"] < 0


def test_a_drop_is_the_change_without_the_word(annotator: Annotator) -> None:
    """Removing the word by hand gives the same change of probability."""
    whole, without = annotator.annotate([TextIn("I love this phone"), TextIn("I this phone")])
    label = whole.sentiment.label
    drop = whole.sentiment.probabilities[label] - without.sentiment.probabilities[label]
    finding = _first(explain(annotator, TextIn("I love this phone")))
    assert _drops(finding)["love"] == pytest.approx(drop, abs=1e-4)


def test_each_brand_has_its_own_words(annotator: Annotator) -> None:
    """Each brand has its own decisive words, and the tokens that name a brand are not removed."""
    text = TextIn("I love @JetBlue. @united is the worst airline", "x")
    findings = {finding.name: finding for finding in explain(annotator, text).findings}
    assert set(findings) == {"", "JetBlue", "United"}
    assert _drops(findings["JetBlue"])["love"] > 0.05
    assert _drops(findings["United"])["worst"] > 0.05
    assert "@united" not in _drops(findings["United"])


def test_targets_keep_their_offsets(annotator: Annotator) -> None:
    """A target stays the same words when a word before it is removed, even if it occurs twice."""
    text = TextIn("The food was great. The service was awful, the food cold", targets=("food", "service"))
    explanation = explain(annotator, text)
    found = [finding for finding in explanation.findings if finding.of == "target"]
    assert [finding.name for finding in found] == ["food", "food", "service"]
    assert [f.sentiment for f in found] == [t.sentiment for t in explanation.annotation.targets]
    assert _drops(found[2])["awful"] > 0.05
    assert "service" not in _drops(found[2])


@pytest.mark.parametrize(
    "text", ["", "   \n", "\x00\u202e", "ok", "a  b\tc", "don't", "😍" * 300, "\ud800 love"]
)
def test_any_text_is_explained(text: str, annotator: Annotator) -> None:
    """The offsets of tokens are right, and all characters but white space belong to a token."""
    explanation = explain(annotator, TextIn(text, targets=("o",)))
    assert [text[t.start : t.end] for t in explanation.tokens] == [t.text for t in explanation.tokens]
    assert "".join(t.text for t in explanation.tokens) == "".join(text.split())
    assert explanation.findings[0].sentiment == explanation.annotation.sentiment


def test_a_long_text_is_explained_from_its_beginning(annotator: Annotator) -> None:
    """At most `MOST_TOKENS` words are removed, so that time is linear in the text."""
    explanation = explain(annotator, TextIn("good " * 400 + "awful"))
    assert len(explanation.tokens) == 401
    ends = [move.token.end for move in _first(explanation).moves]
    assert all(end <= 5 * MOST_TOKENS for end in ends)
