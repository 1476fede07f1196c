"""Text of posts and records, made safe to show: it may hold anything that a stranger wrote."""

import re
import unicodedata
from urllib.parse import urlsplit

_SPACE = re.compile(r"\s+")
_JOINERS = "\u200c\u200d"
_MOST_MARKS = 4
"""combining marks on one letter: no script needs more, and a tower of them covers its neighbours"""


def printable(text: str) -> str:
    """Return a text on one line, with a visible dot for every character that would control the terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "·" for c in text)


def plain(text: str) -> str:
    """Return a text on one line, without characters that control a terminal or the direction of text.

    Invisible characters are removed, except the joiners that scripts and emoji need. So are combining marks
    that are piled up.
    """
    kept: list[str] = []
    marks = 0
    for character in _SPACE.sub(" ", text):
        marks = marks + 1 if unicodedata.combining(character) else 0
        kind = unicodedata.category(character)
        if marks > _MOST_MARKS or kind == "Cc" or (kind == "Cf" and character not in _JOINERS):
            continue
        kept.append("\ufffd" if kind == "Cs" else character)
    return "".join(kept)


def web_link(url: str | None) -> str | None:
    """Return the address if it is a web address, else null: an address from a post may be a script."""
    try:
        parted = urlsplit(url or "")
    except ValueError:
        return None
    return url if parted.scheme in {"http", "https"} and parted.netloc else None
