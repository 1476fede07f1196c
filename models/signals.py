"""Signals that the text pipeline finds in a post and in its author's bio. The text of the bio is not kept."""

from typing import Literal

from models.record import Record

Trade = Literal["selling", "staff"]
"""A post that sells, or that speaks for the company. It is not praise by a customer."""


class BioSignals(Record, frozen=True):
    """Signals of a bio. `employers` are brands of the catalogue, or their competitors, named as employers."""

    themes: tuple[str, ...] = ()
    employers: tuple[str, ...] = ()
    sells: bool = False


class Signals(Record, frozen=True):
    """Signals of one post.

    `fingerprint` is a SimHash of 16 hexadecimal digits, empty for a very short text. `themes` are the niches
    that hashtags name. `bio` is null when the author's bio is unknown.
    """

    fingerprint: str = ""
    themes: tuple[str, ...] = ()
    trade: tuple[Trade, ...] = ()
    bio: BioSignals | None = None
