"""Cues: phrases that tell the author's relation to a brand. The table is `assets/cues.toml`."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import get_args

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from models.annotations import Cue

_EVIDENCE = frozenset({"ownership", "purchase", "recommendation"})
_BESIDE_COMPLAINT = "irony_beside_complaint"
MAX_EVIDENCE = 3


@cache
def phrases() -> dict[str, tuple[str, ...]]:
    """Cue -> phrases, from the table."""
    table = tomllib.loads(files("nlp").joinpath("assets/cues.toml").read_text(encoding="utf-8"))
    return {cue: tuple(found) for cue, found in table.items()}


@Language.factory("superfan_cues")
def create_cues(nlp: Language, name: str) -> "Cues":
    """For `nlp.add_pipe`."""
    return Cues(nlp)


class Cues:
    """Sets `doc._.cues` (sorted, distinct) and `doc._.evidence` (the words behind some of them)."""

    def __init__(self, nlp: Language) -> None:
        self._matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        for cue, found in phrases().items():
            self._matcher.add(cue, [nlp.make_doc(phrase) for phrase in found])

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        strings = doc.vocab.strings
        found = [(strings[cue], start, end) for cue, start, end in self._matcher(doc)]
        cues = {cue for cue, *_ in found}
        if _BESIDE_COMPLAINT in cues:
            cues.discard(_BESIDE_COMPLAINT)
            if "complaint" in cues:
                cues.add("irony")
        if any(token.text[0] == "?" for token in doc):
            cues.add("question")
        evidence = dict.fromkeys(doc[start:end].text for cue, start, end in found if cue in _EVIDENCE)
        doc._.cues = tuple(sorted(cues & set(get_args(Cue))))
        doc._.evidence = tuple(sorted(evidence))[:MAX_EVIDENCE]
        return doc
