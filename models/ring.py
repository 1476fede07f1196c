"""The rolling daily ring: which posts about a brand an author wrote in the days that are kept.

A ring is a set of marks, one per post id, bucketed by UTC event day. Counters are never stored:
they are counted from the marks, so that a post can be in a ring once or not at all, whatever its
deliveries were. Adding marks is commutative, associative and idempotent (a join of sets): the
same posts give the same ring in any order and any number of times, as long as none comes later
than the ring keeps.
"""

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from models.times import DAY_MS

Days = dict[int, bytes]
"""day -> its marks, packed and sorted; a day without marks has no entry"""

MAX_PER_DAY = 512
"""Marks a day keeps: those with the smallest post hashes, so that the order of arrival cannot
matter. Nobody writes that much; a flood is bounded in memory and still counted as a flood."""

_MARK = struct.Struct("<QIHBIHQI")
_FLAGS = 12
"""where the low byte of the flags stands in a packed mark"""

POSITIVE, NEUTRAL, NEGATIVE = 0, 1, 2
AMBIGUOUS, SPONSORED, GIVEAWAY, OWNS, SELLS, STAFF, REPLY = 4, 8, 16, 32, 64, 128, 256
_LABEL = 3
_BUSINESS = SPONSORED | GIVEAWAY | SELLS | STAFF
CODES = {"positive": POSITIVE, "neutral": NEUTRAL, "negative": NEGATIVE}


class Mark(NamedTuple):
    """What is kept of one post: 33 bytes."""

    post: int
    """64-bit hash of the post id"""
    ms: int
    """milliseconds since the day began"""
    flags: int
    intensity: int
    reactions: int = 0
    """1 + likes, comments and shares; 0 where they are not known"""
    comments: int = 0
    """those it got; 65,535 for more"""
    fingerprint: int = 0
    """SimHash of the text; 0 for none"""
    themes: int = 0
    """a bit for each niche its hashtags name"""

    @property
    def label(self) -> int:
        """`POSITIVE`, `NEUTRAL` or `NEGATIVE`."""
        return self.flags & _LABEL

    @property
    def weight(self) -> float:
        """A post's quality by itself: 0 if it is somebody's business (sponsored, contest, repost, selling,
        speaking for the company), .3 if ambiguous, else 1."""
        if self.flags & _BUSINESS:
            return 0.0
        return 0.3 if self.flags & AMBIGUOUS else 1.0


def post_hash(post_id: str) -> int:
    """64 bits of BLAKE2b: two ids of one author collide once in 10^13 rings of 1,000 posts."""
    return int.from_bytes(blake2b(post_id.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def marks(packed: bytes) -> Iterator[Mark]:
    """The marks of a day, ordered by hash."""
    return map(Mark._make, _MARK.iter_unpack(packed))


def add(days: Days, at: int, mark: Mark) -> bool:
    """Put a post's mark at its instant's day; returns whether the ring changed.

    When the post is there already with another time or label, the later and larger mark stays:
    a rule without memory, so that redelivery and order change nothing.
    """
    day = at // DAY_MS
    before = _find(days, mark.post)
    if before is not None:
        if (day, mark) <= before:
            return False
        _remove(days, before[0], mark.post)
    today = [*marks(days.get(day, b"")), mark]
    today.sort()
    packed = b"".join(_MARK.pack(*m) for m in today[:MAX_PER_DAY])
    if packed == days.get(day):
        return False
    days[day] = packed
    return True


def remove(days: Days, post: int) -> bool:
    """Take the post with this hash out; returns whether it was there."""
    found = _find(days, post)
    if found is not None:
        _remove(days, found[0], post)
    return found is not None


def holds(days: Days, post_id: str) -> bool:
    """Whether a post is in the ring."""
    return _find(days, post_hash(post_id)) is not None


def holds_mark(days: Days, at: int, mark: Mark) -> bool:
    """Whether exactly this mark stands at its instant's day."""
    return _find(days, mark.post) == (at // DAY_MS, mark)


def count(days: Days, flag: int) -> int:
    """How many posts carry a flag, one of those below 256."""
    return sum(1 for packed in days.values() for flags in packed[_FLAGS :: _MARK.size] if flags & flag)


def unbroken(days: Days, silence: int) -> Days:
    """The days behind the last `silence` days or more without any: whoever is silent so long begins anew."""
    kept: Days = {}
    for day in sorted(days, reverse=True):
        if kept and next(reversed(kept)) - day >= silence:
            break
        kept[day] = days[day]
    return kept


def since(days: Days, oldest: int) -> Days:
    """The days from `oldest` on."""
    return {day: packed for day, packed in days.items() if day >= oldest}


def evict(days: Days, oldest: int) -> None:
    """Forget the days before `oldest`."""
    for day in [day for day in days if day < oldest]:
        del days[day]


def erase(days: Days, until: int) -> None:
    """Forget every post up to and including the instant `until`."""
    for day in [day for day in days if day * DAY_MS <= until]:
        kept = [m for m in marks(days[day]) if day * DAY_MS + m.ms > until]
        if kept:
            days[day] = b"".join(_MARK.pack(*m) for m in kept)
        else:
            del days[day]


def _find(days: Days, post: int) -> tuple[int, Mark] | None:
    needle = post.to_bytes(8, "little")
    for day, packed in days.items():
        at = packed.find(needle)
        while at >= 0:
            if at % _MARK.size == 0:
                return day, Mark(*_MARK.unpack_from(packed, at))
            at = packed.find(needle, at + 1)
    return None


def _remove(days: Days, day: int, post: int) -> None:
    kept = [m for m in marks(days[day]) if m.post != post]
    if kept:
        days[day] = b"".join(_MARK.pack(*m) for m in kept)
    else:
        del days[day]
