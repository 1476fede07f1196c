"""Sentiment by a lexicon: overall, and towards a place in the text.

One registered component behind a small interface, so that a trained model can take its place:
whatever is registered under `superfan_sentiment` sets `doc._.opinion_at`, a function from token
positions to a `Sentiment`.

The word valences are VADER's (Hutto and Gilbert 2014, MIT licence), read from its package, with
the words of `assets/lexicon.toml`; so are the constants for negation, emphasis
and contrast. The map from the sum of valences to probabilities is a multinomial logistic one,
fitted with balanced classes on 85 % of the SemEval-2017 task 4A training posts; on the rest its
macro recall is 0.569.
"""

import math
import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from models.annotations import Sentiment

OpinionAt = Callable[[Sequence[tuple[int, int]]], Sentiment]
"""The opinion towards spans of tokens `(start, end)`; no spans ask for the whole text's."""

BREAKS = frozenset({".", "!", "?", ";", "...", "…", "\n"})
"""tokens at which a clause ends"""
NEGATION_SCALE, BOOST, CAPS_BOOST, NORMAL = -0.74, 0.293, 0.733, 15.0
REACH = 3
"""tokens before a word in which a negation or a booster bears on it"""

# Coefficients on (compound, |compound|, 1) for (negative, neutral, positive).
LOGISTIC = {
    "negative": (-1.54, 0.77, -0.17),
    "neutral": (0.11, -1.12, 0.51),
    "positive": (1.43, 0.35, -0.34),
}
_ELONGATED = re.compile(r"(.)\1{2,}")
_BUT_SCALE = (0.5, 1.5)


@Language.factory("superfan_sentiment")
def create_sentiment(nlp: Language, name: str) -> "LexiconSentiment":
    """For `nlp.add_pipe`."""
    return LexiconSentiment()


class LexiconSentiment:
    """Sets `doc._.opinion_at`. Depends on nothing but the document's tokens."""

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        doc._.opinion_at = _Opinions(doc)
        return doc


class _Opinions:
    """Valences of a document, and the opinion on parts of it."""

    def __init__(self, doc: Doc) -> None:
        self._lower = [token.lower_ for token in doc]
        self._valences = _valences(doc, self._lower)

    def __call__(self, spans: Sequence[tuple[int, int]]) -> Sentiment:
        places = [self._clause(start) for start, _ in spans] or [(0, len(self._lower))]
        totals = [self._total(start, end) for start, end in places]
        # A clause that says nothing borrows the opinion of the whole text.
        if not any(totals):
            totals = [self._total(0, len(self._lower))]
        return sentiment_of(sum(totals) / len(totals))

    def _clause(self, at: int) -> tuple[int, int]:
        ends = [i for i, word in enumerate(self._lower) if word in BREAKS or word in _words("contrasts")]
        start = max((i + 1 for i in ends if i < at), default=0)
        return start, min((i for i in ends if i > at), default=len(self._lower))

    def _total(self, start: int, end: int) -> float:
        turn = next((i for i in range(start, end) if self._lower[i] == "but"), None)
        total = 0.0
        for i in range(start, end):
            valence = self._valences[i]
            if valence and turn is not None:
                valence *= _BUT_SCALE[i > turn]
            total += valence
        marks = min(sum(self._lower[i].startswith("!") for i in range(start, end)), 4) * 0.292
        return total + math.copysign(marks, total) if total else 0.0


def sentiment_of(total: float) -> Sentiment:
    """The sentiment of a sum of valences: monotone, and neutral at zero."""
    compound = total / math.sqrt(total * total + NORMAL)
    logits = {label: a * compound + b * abs(compound) + c for label, (a, b, c) in LOGISTIC.items()}
    most = max(logits.values())
    weights = {label: math.exp(logit - most) for label, logit in logits.items()}
    whole = sum(weights.values())
    positive, negative = round(weights["positive"] / whole, 4), round(weights["negative"] / whole, 4)
    probabilities = {"positive": positive, "neutral": round(1 - positive - negative, 4), "negative": negative}
    label = max(("neutral", "negative", "positive"), key=lambda name: probabilities[name])
    return Sentiment(label=label, probabilities=probabilities)  # type: ignore[arg-type]


NEUTRAL = Sentiment(label="neutral", probabilities={"positive": 0.0, "neutral": 1.0, "negative": 0.0})
"""Of a text that was not read: another language."""


def _valences(doc: Doc, lower: list[str]) -> list[float]:
    words = lexicon()
    negations, boosters, dampeners = _words("negations"), _words("boosters"), _words("dampeners")
    contrasts = _words("contrasts")
    capitals = [token.is_upper for token in doc]
    shouting = 0 < sum(capitals) < sum(token.is_alpha for token in doc)
    valences = []
    for i, word in enumerate(lower):
        valence = words.get(word.lstrip("#"), 0.0)
        if not valence and len(word) > 3 and (short := _ELONGATED.sub(r"\1", word)) != word:
            valence = words.get(short) or words.get(_ELONGATED.sub(r"\1\1", word), 0.0)
            valence *= 1.2
        if valence:
            if shouting and capitals[i] and len(word) > 1:
                valence += math.copysign(CAPS_BOOST, valence)
            for back in range(1, REACH + 1):
                if i < back:
                    break
                before = lower[i - back]
                if before in BREAKS or before in contrasts:
                    break
                if before in boosters:
                    valence += math.copysign(BOOST * (1 - 0.05 * (back - 1)), valence)
                elif before in dampeners:
                    valence -= math.copysign(BOOST, valence)
                elif before in negations:
                    valence *= NEGATION_SCALE
        valences.append(valence)
    return valences


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("nlp").joinpath("assets/lexicon.toml").read_text(encoding="utf-8"))


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(_table()[kind])


@cache
def lexicon() -> dict[str, float]:
    """Word or emoji -> valence, about -4..4."""
    words: dict[str, float] = {}
    package = files("vaderSentiment")
    for line in package.joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, valence, *_ = line.split("\t")
        words[word.lower()] = float(valence)
    for line in package.joinpath("emoji_utf8_lexicon.txt").read_text(encoding="utf-8").splitlines():
        emoji, described = line.split("\t")[:2]
        total = sum(words.get(word, 0.0) for word in re.findall(r"\w+", described.lower()))
        if total:
            words[emoji] = max(-3.0, min(3.0, total))
    words.update(_table()["valences"])
    return words
