"""Which language a text is in, when that can be told."""

import re
from functools import cache
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

MIN_LETTERS = 20
SURE = 0.95
_NOISE = re.compile(r"[@#]\w+|https?://\S+|[^\w\s'’]|\d+")


@cache
def _identifier() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str | None:
    """ISO 639-1 code, or None for a text too short or too unclear to tell.

    Handles, hashtags, links and emoji say nothing and are left out. Only the first 1,000
    characters are read.
    """
    plain = _NOISE.sub(" ", text[:1000])
    if sum(map(str.isalpha, plain)) < MIN_LETTERS:
        return None
    code, probability = _identifier().classify(plain)
    return str(code) if probability >= SURE else None
