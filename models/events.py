"""Everything that can happen to an author: a post is counted, a fact arrives, a day begins.

Facts (customer records, feedback, erasures) are records of their own; see `models.facts`.
"""

from typing import NamedTuple

from models.facts import AnyAuthorFact
from models.opinion import Opinion
from models.signals import Trade

DELETED = 1 << 62
"""`edited_ms` of a deleted post: later than any edit, so a deletion is final"""


class Bio(NamedTuple):
    """Signals found in an author's bio. Its text is not kept."""

    themes: int = 0
    """niche bits, see `models.tables.mask`"""
    employers: tuple[str, ...] = ()
    """brands that the bio names as an employer"""
    sells: bool = False


class CountedPost(NamedTuple):
    """The part of an enriched post that is counted."""

    post_id: str
    ms: int
    """instant of publication, epoch milliseconds"""
    text: str
    url: str | None
    handle: str | None
    followers: int | None
    bot: bool | None
    opinions: tuple[Opinion, ...]
    """one opinion for each brand"""
    edited_ms: int = 0
    """instant of the last edit; 0 for the first version, `DELETED` for a deletion"""
    following: int | None = None
    """number of accounts that the author follows"""
    reactions: int | None = None
    """likes, comments and shares together; null when unknown"""
    comments: int = 0
    answers: bool = False
    """true for a reply to somebody else's post"""
    fingerprint: int = 0
    """SimHash of the text; 0 when the text is too short for one"""
    themes: int = 0
    """niche bits of the hashtags"""
    trade: tuple[Trade, ...] = ()
    bio: Bio | None = None


class Tick(NamedTuple):
    """The start of a day: inactive authors decay and expire."""

    day: int


Event = CountedPost | AnyAuthorFact | Tick


class Position(NamedTuple):
    """The topic and offset of an event. All events of an author come from one partition of each topic."""

    topic: str
    offset: int
