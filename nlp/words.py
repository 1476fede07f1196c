"""Features of one word, independent of its context: normal form, hashed pieces, marks.

The network caches what it computes from them, so they are computed once per word.
"""

import re
from typing import NamedTuple
from zlib import crc32

from nlp.lexicon import negations, valence_of
from nlp.tokenizer import EMOJI

LINK, HANDLE = "<url>", "<user>"
"""normal forms of all links and of all handles"""
PREFIXES, SUFFIXES, SHAPES, GRAMS = 4096, 4096, 1024, 16384
"""rows of the tables that prefixes, suffixes, shapes and n-grams are hashed into"""
MAX_PARTS, MAX_GRAMS = 4, 16
MARKS = 13
"""length of `Word.marks`"""

_EMOJI = re.compile(EMOJI)
_ELONGATED = re.compile(r"(\w)\1{2,}")
_STYLE = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")
_DIGIT = re.compile(r"\d")
_LOWER, _UPPER, _RUN = re.compile("[a-z]"), re.compile("[A-Z]"), re.compile(r"(.)\1{3,}")
_WORD_OF_HASHTAG = re.compile(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])|[A-Z]")


class Word(NamedTuple):
    """The features of a word: rows of hash tables, and numbers."""

    parts: tuple[str, ...]
    """normal forms; several for a hashtag of several words"""
    prefix: int
    suffix: int
    shape: int
    grams: tuple[int, ...]
    """n-grams of three and four characters, for words outside the vocabulary"""
    hash: int
    """hash of the first normal form, for pairs of words"""
    marks: tuple[float, ...]
    """hashtag, handle, link, title case, capitals, digits, punctuation, emoji, elongated, valence
    up and down, negation, exclamation or question"""


def word(text: str) -> Word:
    """Return the features of a token. `text` must not be empty."""
    parts = _parts(text)
    is_tag = text[0] == "#" and len(text) > 1
    stem = _normal(text[1:]) if is_tag else parts[0]
    lower = text.lower()
    valence = valence_of(text)
    named = parts[0] in {LINK, HANDLE}
    return Word(
        parts=parts,
        prefix=_row("p" + stem[:3], PREFIXES),
        suffix=_row("s" + stem[-3:], SUFFIXES),
        shape=_row(parts[0] if named else _shape(text), SHAPES),
        grams=_grams(stem),
        hash=crc32(("b" + parts[0]).encode(errors="replace")) % (1 << 30),
        marks=(
            is_tag,
            parts[0] == HANDLE,
            parts[0] == LINK,
            text.istitle(),
            text.isupper() and len(text) > 1,
            any(map(str.isdigit, text)),
            not text[0].isalnum() and text[0] not in "#@",
            _EMOJI.fullmatch(text) is not None,
            _ELONGATED.search(text) is not None,
            max(valence, 0.0) / 3,
            max(-valence, 0.0) / 3,
            lower.replace("’", "'") in negations(),
            text[0] in "!?",
        ),
    )


def _parts(text: str) -> tuple[str, ...]:
    if text.startswith(("http", "www.")):
        return (LINK,)
    if text[0] == "@" and len(text) > 1:
        return (HANDLE,)
    if text[0] == "#" and len(text) > 1:
        words = _WORD_OF_HASHTAG.findall(text)
        return tuple(map(_normal, words[:MAX_PARTS])) or (_normal(text),)
    return (_normal(text),)


def _normal(text: str) -> str:
    """Return the text in lower case, with `looove` as `loove`, digits as 0, and emoji without skin tone."""
    text = _STYLE.sub("", text) or text
    text = _ELONGATED.sub(r"\1\1", text.lower().replace("’", "'"))
    return _DIGIT.sub("0", text)


def _shape(text: str) -> str:
    shape = _LOWER.sub("x", _UPPER.sub("X", _DIGIT.sub("d", text[:40])))
    return _RUN.sub(r"\1\1\1", shape)[:10]


def _grams(stem: str) -> tuple[int, ...]:
    framed = f"<{stem[:30]}>"
    grams = [framed[i : i + n] for n in (3, 4) for i in range(len(framed) - n + 1)]
    return tuple(_row("g" + gram, GRAMS) for gram in grams[:MAX_GRAMS]) or (0,)


def _row(piece: str, rows: int) -> int:
    return crc32(piece.encode(errors="replace")) % rows
