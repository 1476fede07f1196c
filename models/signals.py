"""What the text pipeline says of a post besides its annotation, and of what its author says of themselves.

No words of the bio are kept: only what they show.
"""

from typing import Literal

from models.record import Record

Trade = Literal["selling", "staff"]
"""A post that sells, or that speaks for the company: nobody's praise as a customer."""


class BioSignals(Record, frozen=True):
    """What a bio shows. `employers` are those brands of the catalogue, and those competitors of theirs, that
    it names as where the author works."""

    themes: tuple[str, ...] = ()
    employers: tuple[str, ...] = ()
    sells: bool = False


class Signals(Record, frozen=True):
    """Of one post. `fingerprint` is a SimHash of 16 hexadecimal digits, empty for a few words only.

    `themes` are niches its hashtags name; `bio` is null when the author's bio is not known.
    """

    fingerprint: str = ""
    themes: tuple[str, ...] = ()
    trade: tuple[Trade, ...] = ()
    bio: BioSignals | None = None
