"""Cues: phrases that tell the author's relation to a brand. Registered as `superfan_cues`.

The table is `assets/cues.toml`; its head says how a phrase is written.
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, get_args

from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc
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
    """The phrases that `a|b c` stands for."""
    return map(" ".join, product(*(word.split("|") for word in phrase.split())))


@Language.factory("superfan_cues", assigns=["doc._.cues", "doc._.evidence", "doc.spans"])
def create_cues(nlp: Language, name: str) -> "Cues":
    """For `config.cfg`."""
    return Cues(nlp)


class Cues:
    """Sets `doc._.cues` (sorted, distinct), `doc._.evidence` and `doc.spans["complaints"]`."""

    def __init__(self, nlp: Language) -> None:
        # Plain phrases cost next to nothing in a PhraseMatcher; only those with gaps need the slower one.
        self._plain = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._gapped = Matcher(nlp.vocab)
        for cue, found in phrases().items():
            for phrase in found:
                words = phrase.split()
                if {"*", "0"} & set(words):
                    self._gapped.add(cue, [[_token(word) for word in words]])
                else:
                    self._plain.add(cue, [nlp.make_doc(plain) for plain in spelled_out(phrase)])

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        lower = [word.lower() for word in words_of(doc)]
        found = [*self._plain(doc, as_spans=True), *self._gapped(doc, as_spans=True)]
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


_CUES: frozenset[str] = frozenset(get_args(Cue))


def _token(word: str) -> dict[str, Any]:
    if word == "*":
        return {"IS_SPACE": False, "OP": "?"}
    if word == "0":
        return {"LIKE_NUM": True}
    return {"LOWER": {"IN": word.split("|")} if "|" in word else word}


def _taken_back(lower: list[str], start: int) -> bool:
    return not _NEGATIONS.isdisjoint(lower[max(0, start - _REACH) : start])
