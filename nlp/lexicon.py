"""Valences of single words, which the network gets as features.

They are those of VADER (Hutto and Gilbert 2014, MIT licence), read from its package, and those of
`assets/lexicon.toml`.
"""

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

NEGATED = -0.74
"""factor of a hashtag's valence when it contains a negation (VADER's constant)"""
REPEATED = 1.2
"""factor of an elongated word: `loooove` is stronger than `love`"""

_ELONGATED = re.compile(r"(.)\1{2,}")
_EMOJI_STYLE = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")
_HASHTAG_WORD = re.compile(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])")


@lru_cache(maxsize=50_000)
def valence_of(word: str) -> float:
    """Return the valence of a word, emoji, emoticon or hashtag, from about -4 to 4. Unknown ones have 0."""
    words = lexicon()
    low = word.lower()
    if low[0] == "@" or low.startswith("http"):
        return 0.0
    if low[0] == "#" and len(low) > 1:
        parts = [low[1:]] if low[1:] in words else [w.lower() for w in _HASHTAG_WORD.findall(word)]
        negated = not negations().isdisjoint(parts)
        total = sum(words.get(part, 0.0) for part in parts if part not in negations() or not negated)
        return max(-3.0, min(3.0, total * NEGATED if negated else total))
    if low in words:
        return words[low]
    if len(low) <= 3 or not word[0].isalpha():
        bare = _EMOJI_STYLE.sub("", word)
        return words.get(bare, 0.0) if bare != word else _of_repeated(low)
    return _of_repeated(low)


@cache
def lexicon() -> dict[str, float]:
    """Return the valence of each word, emoticon and emoji, from about -4 to 4."""
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


@cache
def negations() -> frozenset[str]:
    """Return words that reverse the sentiment of another word."""
    return frozenset(_table()["negations"])


def _of_repeated(word: str) -> float:
    """Return the valence of an elongated form such as `loooove` or `:))))`, else 0."""
    for kept in (r"\1", r"\1\1"):
        short = _ELONGATED.sub(kept, word)
        if short != word and short in lexicon():
            return lexicon()[short] * REPEATED
    return 0.0


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("nlp").joinpath("assets/lexicon.toml").read_text(encoding="utf-8"))
