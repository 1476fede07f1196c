"""Cues: phrases that tell the author's relation to a brand. Registered as `superfan_cues`.

The table is `assets/cues.toml`; its head says how a phrase is written.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from typing import get_args

from spacy.lang.en.lex_attrs import like_num
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from models.annotations import Cue
from nlp.tokenizer import words_of

MAX_EVIDENCE = 3
_EVIDENCE = frozenset({"ownership", "purchase", "recommendation"})
_BESIDE_COMPLAINT = "irony_beside_complaint"
_NEGATIONS = frozenset(
    {"n't", "not", "never", "no", "dont", "wont", "cant", "didnt", "cannot", "stop", "nor"}
)
_REACH = 3
"""tokens before a phrase in which a negation takes it back ("would not recommend")"""


@cache
def phrases() -> dict[str, tuple[str, ...]]:
    """Cue -> phrases, from the table."""
    table = tomllib.loads(files("nlp").joinpath("assets/cues.toml").read_text(encoding="utf-8"))
    return {cue: tuple(found) for cue, found in table.items()}


def spelled_out(phrase: str) -> Iterator[str]:
    """The phrases that `a|b * c` stands for: each choice, with a word in the gap (`*`) and without."""
    choices = (["", "*"] if word == "*" else word.split("|") for word in phrase.split())
    return (" ".join(filter(None, chosen)) for chosen in product(*choices))


@Language.factory("superfan_cues", assigns=["doc._.cues", "doc._.evidence", "doc.spans"])
def create_cues(nlp: Language, name: str) -> "Cues":
    """For `config.cfg`."""
    return Cues(nlp)


class Cues:
    """Sets `doc._.cues` (sorted, distinct), `doc._.evidence` and `doc.spans["complaints"]`."""

    def __init__(self, nlp: Language) -> None:
        # A PhraseMatcher takes no longer for many phrases than for one, but knows no gaps and no numbers.
        self._plain = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._gapped: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for cue, found in phrases().items():
            for phrase in (plain for written in found for plain in spelled_out(written)):
                words = phrase.split()
                if {"*", "0"} & set(words):
                    self._gapped[words[0]].append((cue, words))
                else:
                    self._plain.add(cue, [nlp.make_doc(phrase)])

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        lower = [word.lower() for word in words_of(doc)]
        found = [*self._plain(doc, as_spans=True), *self._with_gaps(doc, lower)]
        spans = [s for s in found if s.label_ not in _EVIDENCE or not _taken_back(lower, s.start)]
        cues = {span.label_ for span in spans}
        if _BESIDE_COMPLAINT in cues and "complaint" in cues:
            cues.add("irony")
        if any(word[0] == "?" for word in lower):
            cues.add("question")
        telling = filter_spans([span for span in spans if span.label_ in _EVIDENCE])
        doc._.cues = tuple(sorted(cues & _CUES))
        doc._.evidence = tuple(dict.fromkeys(span.text for span in telling))[:MAX_EVIDENCE]
        doc.spans["complaints"] = filter_spans([span for span in spans if span.label_ == "complaint"])
        return doc

    def _with_gaps(self, doc: Doc, lower: Sequence[str]) -> Iterator[Span]:
        words = ["0" if _is_number(word) else word for word in lower]
        for start, word in enumerate(words):
            for cue, phrase in self._gapped.get(word, ()):
                here = words[start : start + len(phrase)]
                if len(here) == len(phrase) and all(map(_fits, phrase, here)):
                    yield Span(doc, start, start + len(phrase), label=cue)


_CUES: frozenset[str] = frozenset(get_args(Cue))


@lru_cache(maxsize=50_000)
def _is_number(word: str) -> bool:
    return bool(like_num(word))


def _fits(asked: str, word: str) -> bool:
    return asked in {"*", word}


def _taken_back(lower: list[str], start: int) -> bool:
    return not _NEGATIONS.isdisjoint(lower[max(0, start - _REACH) : start])
