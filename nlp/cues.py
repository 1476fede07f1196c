"""Cues: phrases that show the author's relation to a brand. Registered as `superfan_cues`.

The phrases are in `assets/cues.toml`. The comment at its top explains their syntax.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain, product
from typing import NamedTuple, get_args

from spacy.lang.en.lex_attrs import like_num
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from models.annotation import Cue
from models.signals import Trade
from nlp.tokenizer import words_of

MAX_EVIDENCE = 3
"""most phrases in `doc._.evidence`"""
_EVIDENCE = frozenset({"ownership", "purchase", "recommendation"})
_NOTHING = "nothing"
_BESIDE_COMPLAINT = "irony_beside_complaint"
_NEGATIONS = frozenset(
    {"n't", "not", "never", "no", "dont", "wont", "cant", "didnt", "cannot", "stop", "nor"}
)
_ANY: frozenset[str] = frozenset()
_REACH = {"complaint": 2} | dict.fromkeys(_EVIDENCE, 3)
"""tokens before a phrase in which a negation cancels it: "would not recommend", "was not delayed" """


@cache
def phrases() -> dict[str, tuple[str, ...]]:
    """Return the phrases of each cue, as written in the table."""
    table = tomllib.loads(files("nlp").joinpath("assets/cues.toml").read_text(encoding="utf-8"))
    return {cue: tuple(found) for cue, found in table.items()}


def spelled_out(phrase: str) -> Iterator[str]:
    """Yield all phrases that match `a|b * c`: each choice, with and without a word in the gap (`*`)."""
    choices = (["", "*"] if word == "*" else _choices(word) for word in phrase.split())
    return (" ".join(filter(None, chosen)) for chosen in product(*choices))


def _choices(word: str) -> list[str]:
    return word.split("|") if word != "|" else [word]


class _Gapped(NamedTuple):
    """A phrase with `*` or `0` in it, or one that must begin a sentence. An empty set matches any word."""

    cue: str
    words: tuple[frozenset[str], ...]
    begins: bool


@Language.factory("superfan_cues", assigns=["doc._.cues", "doc._.evidence", "doc._.trade"])
def create_cues(nlp: Language, name: str) -> "Cues":
    """Create the component, for `config.cfg`."""
    return Cues(nlp)


class Cues:
    """Sets `doc._.cues` and `doc._.trade` (sorted, distinct), and `doc._.evidence` (phrases, in order)."""

    def __init__(self, nlp: Language) -> None:
        # A PhraseMatcher is as fast for many phrases as for one, but supports neither gaps nor numbers.
        self._plain = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._gapped: dict[str, list[_Gapped]] = defaultdict(list)
        self._endings: list[tuple[str, str]] = []
        for cue, found in phrases().items():
            for phrase in found:
                if phrase.startswith("#*"):
                    self._endings.append((phrase.removeprefix("#*"), cue))
                elif {"*", "0", "^"} & set(phrase.replace("|", " ").split()):
                    self._add_gapped(cue, phrase)
                else:
                    plain = [Doc(nlp.vocab, words=words.split()) for words in spelled_out(phrase)]
                    self._plain.add(cue, plain)

    def _add_gapped(self, cue: str, phrase: str) -> None:
        begins = phrase.startswith("^ ")
        words = [
            [(), (_ANY,)] if word == "*" else [(frozenset(_choices(word)),)]
            for word in phrase.removeprefix("^ ").split()
        ]
        for filled in product(*words):
            gapped = _Gapped(cue, tuple(chain.from_iterable(filled)), begins)
            for first in gapped.words[0]:
                self._gapped[first].append(gapped)

    def __call__(self, doc: Doc) -> Doc:
        """Find the cues of one document."""
        lower = [word.lower() for word in words_of(doc)]
        found = [*self._plain(doc, as_spans=True), *self._with_gaps(doc, lower), *self._tagged(doc, lower)]
        spans = _valid(found, lower)
        cues = {span.label_ for span in spans}
        if _BESIDE_COMPLAINT in cues and "complaint" in cues:
            cues.add("irony")
        if any(word[0] == "?" for word in lower):
            cues.add("question")
        doc._.trade = tuple(sorted(trade for trade in _TRADES if _shows_trade(trade, spans)))
        evidence = filter_spans([span for span in spans if span.label_ in _EVIDENCE])
        doc._.cues = tuple(sorted(cues & _CUES))
        doc._.evidence = tuple(dict.fromkeys(span.text for span in evidence))[:MAX_EVIDENCE]
        return doc

    def _with_gaps(self, doc: Doc, lower: Sequence[str]) -> Iterator[Span]:
        words = ["0" if _is_number(word) else word for word in lower]
        for start, word in enumerate(words):
            for cue, phrase, begins in self._gapped.get(word, ()):
                end = start + len(phrase)
                fits = end <= len(words) and all(map(_fits, phrase, words[start:end]))
                if fits and (not begins or _begins(words, start)):
                    yield Span(doc, start, end, label=cue)

    def _tagged(self, doc: Doc, lower: Sequence[str]) -> Iterator[Span]:
        for at, word in enumerate(lower):
            if word[0] == "#":
                for ending, cue in self._endings:
                    if word.endswith(ending):
                        yield Span(doc, at, at + 1, label=cue)


_CUES: frozenset[str] = frozenset(get_args(Cue))
_TRADES: frozenset[Trade] = frozenset(get_args(Trade))


def _shows_trade(trade: Trade, spans: Sequence[Span]) -> bool:
    """Return True for one phrase of `trade`, or for two different ones of `trade_beside`."""
    weaker = filter_spans([span for span in spans if span.label_ == f"{trade}_beside"])
    beside = {span.text.lower() for span in weaker}
    return len(beside) >= 2 or any(span.label_ == trade for span in spans)


@lru_cache(maxsize=50_000)
def _is_number(word: str) -> bool:
    return bool(like_num(word))  # type: ignore[no-untyped-call]


def _fits(choices: frozenset[str], word: str) -> bool:
    return not choices or word in choices


def _begins(words: Sequence[str], start: int) -> bool:
    before = words[start - 1] if start else "@"
    return before[0] in "@#" or not before[-1].isalnum()


def _valid(spans: Sequence[Span], lower: Sequence[str]) -> list[Span]:
    """Return the phrases that no negation cancels and that overlap no phrase of the list `nothing`."""
    nothing = {i for span in spans if span.label_ == _NOTHING for i in range(span.start, span.end)}
    return [
        span
        for span in spans
        if nothing.isdisjoint(range(span.start, span.end))
        and _NEGATIONS.isdisjoint(lower[max(0, span.start - _REACH.get(span.label_, 0)) : span.start])
    ]
