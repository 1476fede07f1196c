"""Detection of texts about health, religion, politics or sexuality. Such texts are never quoted.

The words are data, in `tables/sensitive.toml`. They are found by spelling: allusions are missed, and some
harmless posts are not quoted.
"""

import re
import tomllib
from importlib.resources import files

_TOPICS = [
    topic
    for topic in tomllib.loads(files("models").joinpath("tables/sensitive.toml").read_text("utf-8")).values()
    if isinstance(topic, dict)
]
_SPELLINGS = [spelling + plural for t in _TOPICS for spelling in t["words"] for plural in ("", "s", "es")]
_WORDS = frozenset(spelling for spelling in _SPELLINGS if " " not in spelling)
_PHRASES = tuple(f" {spelling} " for spelling in _SPELLINGS if " " in spelling)
_STEMS = tuple(stem for topic in _TOPICS for stem in topic["stems"])
_LETTERS = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_sensitive(text: str) -> bool:
    """Return true if the text has a word of the table, also inside a hashtag like `#VoteForHope`."""
    wholes = _LETTERS.findall(text)
    apart = [part for whole in wholes for part in (_HUMP.split(whole) if _is_humped(whole) else (whole,))]
    words = {word.lower() for word in (*wholes, *apart)}
    line = f" {' '.join(apart).lower()} "
    return (
        not _WORDS.isdisjoint(words)
        or any(word.startswith(_STEMS) for word in words)
        or any(phrase in line for phrase in _PHRASES)
    )


def _is_humped(word: str) -> bool:
    return not (word.islower() or word[1:].islower() or word.isupper())
