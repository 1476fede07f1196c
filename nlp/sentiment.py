"""Sentiment by a lexicon: overall, and towards a place in the text. Registered as `superfan_sentiment`.

The interface that a trained model takes over: the component sets `doc._.sentiment`, and
`span._.sentiment` for every span of `doc.spans["brands"]` and `doc.spans["targets"]`; it reads the
document only. What is said of `doc.spans["rivals"]` is kept from the others.

The word valences are VADER's (Hutto and Gilbert 2014, MIT licence), read from its package, with the
words of `assets/lexicon.toml`; so are the rules and constants for negation, emphasis and contrast.
"""

import math
import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from models.annotations import Label, Sentiment
from nlp.tokenizer import words_of

STOPS = frozenset({".", "!", "?", ";", "…", "\n"})
"""first characters of tokens that end a clause, beside the contrasts of the lexicon"""
NEGATION_SCALE, BOOST, BOOST_DECAY, CAPS_BOOST, EXCLAMATION, NORMAL = -0.74, 0.293, 0.05, 0.733, 0.292, 15.0
BUT_SCALE = (0.5, 1.5)
"""of what stands before and after the last "but" """
REACH = 3
"""tokens before a word in which a negation or a booster bears on it"""
COMPLAINT = -1.4
"""valence of a complaint phrase of `assets/cues.toml` in which no word has one: that of a mildly bad word"""
IRONY_SCALE = -0.5
"""of positive words in a text with an irony cue"""

LOGISTIC: dict[Label, tuple[float, float, float]] = {
    "negative": (-1.53, 0.73, -0.16),
    "neutral": (0.11, -1.12, 0.52),
    "positive": (1.42, 0.39, -0.36),
}
"""Coefficients on (compound, |compound|, 1): a multinomial logistic, fitted with balanced classes on a
random 85 % of the SemEval-2017 task 4A training posts; on the other 15 % macro recall is .568 and the
expected calibration error .045."""

UNREAD = Sentiment(label="neutral", probabilities={"positive": 0.2, "neutral": 0.6, "negative": 0.2})
"""Of a text in another language without an emoji: leans nowhere, and is not sure of it."""

_ELONGATED = re.compile(r"(.)\1{2,}")
_EMOJI_STYLE = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")
_HASHTAG_WORD = re.compile(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])")


@Language.factory("superfan_sentiment", assigns=["doc._.sentiment", "span._.sentiment"])
def create_sentiment(nlp: Language, name: str) -> "LexiconSentiment":
    """For `config.cfg`."""
    return LexiconSentiment()


class LexiconSentiment:
    """See the module. Depends on nothing but the document; time grows with its length."""

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        words = words_of(doc)
        valences = _valences(doc, words)
        totals = _Totals(words, valences)
        # Of another language the emoji are understood, and nothing else.
        read = doc._.lang in {None, "en"} or any(valences)
        overall = sentiment_of(totals.between(0, len(words))) if read else UNREAD
        doc._.sentiment = overall
        brands, rivals = [*doc.spans.get("brands", ())], [*doc.spans.get("rivals", ())]
        targets = [*doc.spans.get("targets", ())]
        for asked, subjects in ((brands, brands + rivals), (targets, targets or [])):
            shares = totals.shares(subjects) if asked and read else {}
            for span in asked:
                share = shares.get(_subject(span))
                span._.sentiment = overall if share is None else sentiment_of(share)
        return doc


def _subject(span: Span) -> str:
    return span.label_ or span.text.casefold()


class _Totals:
    """Sums of valences over parts of a text."""

    def __init__(self, words: Sequence[str], valences: Sequence[float]) -> None:
        lower = [word.lower() for word in words]
        but = len(lower) - 1 - lower[::-1].index("but") if "but" in lower else None
        scaled = [v if but is None else v * BUT_SCALE[i > but] for i, v in enumerate(valences)]
        self._lower = lower
        self._sums = [0.0, *accumulate(scaled)]
        self._marks = [0, *accumulate(word[0] == "!" and len(word) for word in lower)]
        contrasts = _words("contrasts")
        self._thans = [i for i, word in enumerate(lower) if word == "than"]
        self._ends = [i for i, w in enumerate(lower) if w[0] in STOPS or w in contrasts or w == ","]

    def between(self, start: int, end: int) -> float:
        """The sum over tokens `start` up to `end`, exclamation marks heeded."""
        # Differences of running sums: rounded, so that what lies outside leaves no trace in the last bit.
        total = round(self._sums[end] - self._sums[start], 6)
        marks = min(self._marks[end] - self._marks[start], 4) * EXCLAMATION
        return total + math.copysign(marks, total) if total else 0.0

    def shares(self, spans: Iterable[Span]) -> dict[str, float]:
        """What is said of each subject, when there are several; nothing when there is one.

        A clause belongs to the subjects named in it; one that names none to those of the clause
        before, or of the first that names any. A clause of names alone goes on into the next one.
        """
        spans = sorted(spans, key=lambda span: span.start)
        if len({_subject(span) for span in spans}) < 2:
            return {}
        named: dict[int, dict[str, int]] = {}
        for span in spans:
            named.setdefault(bisect_right(self._ends, span.start), {})[_subject(span)] = span.start
        shares: dict[str, float] = {}
        owners: dict[str, int] = next(iter(named.values()))
        alone = False
        bounds = [0, *(end + 1 for end in self._ends), len(self._lower)]
        for clause, (start, end) in enumerate(pairwise(bounds)):
            here = named.get(clause)
            if here:
                owners = {**owners, **here} if alone else here
            alone = here is not None and end - start <= 1 + len(here)
            total = self.between(start, end)
            for subject, at in owners.items():
                # "better than X" praises the other one.
                than = bisect_left(self._thans, start)
                behind_than = here and than < len(self._thans) and self._thans[than] < at
                shares[subject] = shares.get(subject, 0.0) + (-total if behind_than else total)
        return shares


def sentiment_of(total: float) -> Sentiment:
    """The sentiment of a sum of valences: monotone in it."""
    compound = total / math.sqrt(total * total + NORMAL)
    weights = {label: math.exp(a * compound + b * abs(compound) + c) for label, (a, b, c) in LOGISTIC.items()}
    whole = sum(weights.values())
    positive, negative = round(weights["positive"] / whole, 4), round(weights["negative"] / whole, 4)
    probabilities: dict[Label, float] = {
        "positive": positive,
        "neutral": round(1 - positive - negative, 4),
        "negative": negative,
    }
    return Sentiment(label=max(probabilities, key=probabilities.__getitem__), probabilities=probabilities)


def _valences(doc: Doc, words: Sequence[str]) -> list[float]:
    """The valence of each token where it stands."""
    plain = [valence_of(word) for word in words]
    if doc._.lang not in {None, "en"}:
        return [0.0 if word[-1].isalnum() else valence for word, valence in zip(words, plain, strict=True)]
    for span in doc.spans.get("complaints", ()):
        if not any(plain[span.start : span.end]):
            plain[span.start] = COMPLAINT
    for span in (*doc.spans.get("brands", ()), *doc.spans.get("rivals", ())):
        # A name praises nobody, though "united" is a good word; what a hashtag says beside it counts.
        if words[span.start][0] == "#":
            plain[span.start] -= plain[span.start] and sum(valence_of(word) for word in span.label_.split())
        else:
            plain[span.start : span.end] = [0.0] * len(span)
    if not any(plain):
        return plain
    mixed_case = any(w.isalpha() and not w.isupper() for w in words)
    placed = [v and _in_place(i, words, plain, mixed_case) for i, v in enumerate(plain)]
    return [v * IRONY_SCALE if v > 0 else v for v in placed] if "irony" in (doc._.cues or ()) else placed


def _in_place(at: int, words: Sequence[str], plain: Sequence[float], mixed_case: bool) -> float:
    """The valence of a word under the capitals in it and the negations and boosters before it."""
    negations = _words("negations")
    word, valence = words[at], plain[at]
    # "no" is a verdict of its own only when it does not turn the word behind it.
    if word.lower() in negations and any(plain[at + 1 : at + 1 + REACH]):
        return 0.0
    if mixed_case and len(word) > 1 and word.isupper():
        valence += math.copysign(CAPS_BOOST, valence)
    for distance, before in enumerate(reversed(words[max(0, at - REACH) : at])):
        before = before.lower()  # noqa: PLW2901 -- the same word
        if before[0] in STOPS or before in _words("contrasts"):
            break
        if before in _words("boosters"):
            valence += math.copysign(BOOST * (1 - BOOST_DECAY * distance), valence)
        elif before in _words("dampeners"):
            valence -= math.copysign(BOOST * (1 - BOOST_DECAY * distance), valence)
        elif before in negations and word[-1].isalpha():  # "not happy :(" is sad twice
            valence *= NEGATION_SCALE
    return valence


@lru_cache(maxsize=50_000)
def valence_of(word: str) -> float:
    """The valence of a word, emoji, emoticon or hashtag by itself; 0 when it has none."""
    words = lexicon()
    low = word.lower()
    if low[0] == "@" or low.startswith("http"):
        return 0.0
    if low[0] == "#" and len(low) > 1:
        parts = [low[1:]] if low[1:] in words else [w.lower() for w in _HASHTAG_WORD.findall(word)]
        turned = not _words("negations").isdisjoint(parts)
        total = sum(words.get(part, 0.0) for part in parts if part not in _words("negations") or not turned)
        return max(-3.0, min(3.0, total * NEGATION_SCALE if turned else total))
    if low in words:
        return words[low]
    if len(low) <= 3 or not word[0].isalpha():
        bare = _EMOJI_STYLE.sub("", word)
        return words.get(bare, 0.0) if bare != word else _of_repeated(low)
    return _of_repeated(low)


def _of_repeated(word: str) -> float:
    """Valence of `loooove` and `:))))`."""
    for kept in (r"\1", r"\1\1"):
        short = _ELONGATED.sub(kept, word)
        if short != word and short in lexicon():
            return lexicon()[short] * 1.2
    return 0.0


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("nlp").joinpath("assets/lexicon.toml").read_text(encoding="utf-8"))


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(_table()[kind])


@cache
def lexicon() -> dict[str, float]:
    """Word, emoticon or emoji -> valence, about -4..4."""
    words: dict[str, float] = {}
    package = files("vaderSentiment")
    for line in package.joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, valence, *_ = line.split("\t")
        words[word.lower()] = float(valence)
    for line in package.joinpath("emoji_utf8_lexicon.txt").read_text(encoding="utf-8").splitlines():
        emoji, described = line.split("\t")[:2]
        total = sum(words.get(word, 0.0) for word in re.findall(r"\w+", described.lower()))
        if total:
            words.setdefault(_EMOJI_STYLE.sub("", emoji), max(-3.0, min(3.0, total)))
    words.update(_table()["valences"])
    return words
