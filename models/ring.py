"""The posts of one author about one brand, for the days that are kept.

A ring holds one mark for each post, grouped by UTC day. No counter is stored: counters are computed
from the marks. So a post is counted once or not at all, however often it is delivered.

Adding marks is commutative, associative and idempotent. The same posts give the same ring in any
order and any number of times, unless a post arrives later than the ring keeps.
"""

import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import msgspec

from models.candidate import State
from models.events import CountedPost
from models.opinion import Opinion
from models.times import DAY_MS

Days = dict[int, bytes]
"""day -> packed marks, sorted by post hash; a day without marks has no entry"""

WALKED_WINDOWS = 2
"""Windows of posts that are kept: the decision judges each day of the last window by the window before it."""
MAX_PER_DAY = 512
"""Marks kept of one day: those with the smallest post hashes, so the order of arrival does not matter."""
MAX_QUOTES = 8
MAX_EVIDENCE = 8
MAX_URL = 2_000
"""characters; a longer link is not kept"""
MAX_REACTIONS = 4_000_000_000
MAX_COMMENTS = 65_535

_MARK = struct.Struct("<QIHBIHQI")
_FLAGS = 12
"""offset of the low byte of the flags in a packed mark"""

POSITIVE, NEUTRAL, NEGATIVE = 0, 1, 2
AMBIGUOUS, SPONSORED, GIVEAWAY, OWNS, SELLS, STAFF, REPLY = 4, 8, 16, 32, 64, 128, 256
_LABEL = 3
_BUSINESS = SPONSORED | GIVEAWAY | SELLS | STAFF
CODES = {"positive": POSITIVE, "neutral": NEUTRAL, "negative": NEGATIVE}


class Mark(NamedTuple):
    """The counted part of one post, packed in 33 bytes."""

    post: int
    """64-bit hash of the post id"""
    ms: int
    """milliseconds since the start of the day"""
    flags: int
    """the label (two bits) and flags such as `SPONSORED`"""
    intensity: int
    """0..255, see `models.opinion.Opinion`"""
    reactions: int = 0
    """1 + likes, comments and shares; 0 when unknown"""
    comments: int = 0
    """comments received; 65,535 also stands for more"""
    fingerprint: int = 0
    """SimHash of the text; 0 for none"""
    themes: int = 0
    """niche bits of the hashtags"""

    @property
    def label(self) -> int:
        """`POSITIVE`, `NEUTRAL` or `NEGATIVE`."""
        return self.flags & _LABEL

    @property
    def weight(self) -> float:
        """The quality of the post: 0 for business (sponsored, contest, repost, sale, staff), 0.3 if
        ambiguous, else 1."""
        if self.flags & _BUSINESS:
            return 0.0
        return 0.3 if self.flags & AMBIGUOUS else 1.0


class QuoteSlot(NamedTuple):
    """A quotable post. The text is empty after the quote was withdrawn; the slot remains."""

    ms: int
    post_id: str
    text: str
    intensity: int = 0
    url: str = ""


class EvidenceSlot(NamedTuple):
    """Words of ownership or purchase in one post. The text is empty after they were withdrawn."""

    ms: int
    post_id: str
    text: str


class Published(NamedTuple):
    """Digests of the records that readers have: `NOTHING`, `TOMBSTONE`, or `models.judging.digest`."""

    profile: int = 0
    candidate: int = 0


NOTHING, TOMBSTONE = 0, 1
"""`Published` holds `NOTHING` before the first record, and `TOMBSTONE` after a deletion."""

Slot = TypeVar("Slot", QuoteSlot, EvidenceSlot)


class Ring(msgspec.Struct, array_like=True):
    """The state of one author about one brand."""

    days: Days = {}
    """Marks of two windows. Counters read the last one; the decision and words of ownership read both."""
    quotes: tuple[QuoteSlot, ...] = ()
    """the newest quotable posts of one window"""
    evidence: tuple[EvidenceSlot, ...] = ()
    """the newest posts with words of ownership, of two windows"""
    published: Published = Published()
    newest: int = 0
    """Day of the newest post ever counted, even if it was deleted since. The window ends on this day."""
    state: State | None = None
    """state of the candidate that readers have; null for none"""

    def count(
        self, mark: Mark, post: CountedPost, opinion: Opinion, *, keep_days: int, superseded: bool
    ) -> bool:
        """Add a post and move the window forward; return false if the post was counted before.

        If the post is there with another time or label, the later and larger mark stays. This rule needs
        no memory, so redelivery and order change nothing. `superseded` says that a newer version of the
        post is known: then only its slots are kept, without text.
        """
        day = post.ms // DAY_MS
        found = find(self.days, mark.post)
        added = not superseded and (found is None or (day, mark) > found) and self.put(day, mark, found)
        current = added or (not superseded and found == (day, mark))
        quotes, evidence = self.quotes, self.evidence
        if opinion.quotable:
            url = post.url if post.url is not None and len(post.url) <= MAX_URL else ""
            quote = QuoteSlot(post.ms, post.post_id, post.text, opinion.intensity, url)
            quotes = _with_slot(quotes, quote, MAX_QUOTES, added=added, current=current)
        elif added and quotes:
            quotes = _without_text(quotes, post.post_id)
        if opinion.evidence:
            words = EvidenceSlot(post.ms, post.post_id, "; ".join(opinion.evidence))
            evidence = _with_slot(evidence, words, MAX_EVIDENCE, added=added, current=current)
        elif added and evidence:
            evidence = _without_text(evidence, post.post_id)
        changed = added or quotes != self.quotes or evidence != self.evidence

        self.newest = max(self.newest, day)
        first, first_walked = self.newest - keep_days + 1, self.newest - WALKED_WINDOWS * keep_days + 1
        for old in [old for old in self.days if old < first_walked]:
            del self.days[old]
        self.quotes = tuple(slot for slot in quotes if slot.ms >= first * DAY_MS)
        self.evidence = tuple(slot for slot in evidence if slot.ms >= first_walked * DAY_MS)
        return changed

    def put(self, day: int, mark: Mark, found: tuple[int, Mark] | None) -> bool:
        """Store a mark instead of the one that was found; return false if the day is full."""
        if found is not None:
            self._store(found[0], [m for m in marks(self.days[found[0]]) if m.post != mark.post])
        packed = self.days.get(day, b"")
        kept = sorted([*_MARK.iter_unpack(packed), mark])[:MAX_PER_DAY]
        self.days[day] = b"".join(_MARK.pack(*m) for m in kept)
        return self.days[day] != packed

    def withdraw(self, post_id: str, hashed: int) -> bool:
        """Remove a post and its texts; return true if it was counted. Its slots remain."""
        self.quotes = _without_text(self.quotes, post_id)
        self.evidence = _without_text(self.evidence, post_id)
        found = find(self.days, hashed)
        if found is not None:
            self._store(found[0], [m for m in marks(self.days[found[0]]) if m.post != hashed])
        return found is not None

    def erase(self, until_ms: int) -> None:
        """Remove every post up to and including the instant `until_ms`."""
        for day in [day for day in self.days if day * DAY_MS <= until_ms]:
            self._store(day, [m for m in marks(self.days[day]) if day * DAY_MS + m.ms > until_ms])
        self._drop_slots(until_ms + 1)

    def expire(self, first_day: int) -> None:
        """Remove every post, and the slots of the days before `first_day`."""
        self.days = {}
        self._drop_slots(first_day * DAY_MS)

    def window(self, keep_days: int) -> Days:
        """Return the days of the last window: those that are counted."""
        first = self.newest - keep_days + 1
        return {day: packed for day, packed in self.days.items() if day >= first}

    def _store(self, day: int, kept: list[Mark]) -> None:
        if kept:
            self.days[day] = b"".join(_MARK.pack(*m) for m in kept)
        else:
            del self.days[day]

    def _drop_slots(self, first_ms: int) -> None:
        self.quotes = tuple(slot for slot in self.quotes if slot.ms >= first_ms)
        self.evidence = tuple(slot for slot in self.evidence if slot.ms >= first_ms)


def post_hash(post_id: str) -> int:
    """Return 64 bits of BLAKE2b. Two ids of one author collide once in 10^13 rings of 1,000 posts."""
    return int.from_bytes(blake2b(post_id.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def mark_of(post: CountedPost, opinion: Opinion, hashed: int) -> Mark:
    """Build the mark of a post about one brand; `hashed` is the post's `post_hash`."""
    flags = (
        CODES[opinion.sentiment.label]
        | (AMBIGUOUS if opinion.ambiguous else 0)
        | (SPONSORED if opinion.sponsored else 0)
        | (GIVEAWAY if opinion.giveaway else 0)
        | (OWNS if opinion.evidence else 0)
        | (SELLS if "selling" in post.trade else 0)
        | (STAFF if "staff" in post.trade else 0)
        | (REPLY if post.answers else 0)
    )
    return Mark(
        hashed,
        post.ms % DAY_MS,
        flags,
        opinion.intensity,
        reactions=0 if post.reactions is None else min(post.reactions, MAX_REACTIONS) + 1,
        comments=min(post.comments, MAX_COMMENTS),
        fingerprint=post.fingerprint,
        themes=post.themes,
    )


def marks(packed: bytes) -> Iterator[Mark]:
    """Return the marks of a day, ordered by post hash."""
    return map(Mark._make, _MARK.iter_unpack(packed))


def find(days: Days, hashed: int) -> tuple[int, Mark] | None:
    """Return the day and the mark of the post with this hash; None if it is not there."""
    needle = hashed.to_bytes(8, "little")
    for day, packed in days.items():
        at = packed.find(needle)
        while at >= 0:
            if at % _MARK.size == 0:  # else the bytes belong to other fields
                return day, Mark(*_MARK.unpack_from(packed, at))
            at = packed.find(needle, at + 1)
    return None


def shown(slots: tuple[Slot, ...], days: Days) -> tuple[Slot, ...]:
    """Return the slots that have a text and whose post is in `days`."""
    return tuple(slot for slot in slots if slot.text and find(days, post_hash(slot.post_id)) is not None)


def count_flag(days: Days, flag: int) -> int:
    """Return the number of posts with a flag. Only flags below 256 can be counted."""
    return sum(1 for packed in days.values() for flags in packed[_FLAGS :: _MARK.size] if flags & flag)


def unbroken(days: Days, inactivity_gap: int) -> Days:
    """Return only the days after the last gap of at least `inactivity_gap` days.

    For example, with a gap of 90 the days 1, 95 and 100 give 95 and 100.
    """
    kept: Days = {}
    for day in sorted(days, reverse=True):
        if kept and next(reversed(kept)) - day >= inactivity_gap:
            break
        kept[day] = days[day]
    return kept


def _with_slot(
    slots: tuple[Slot, ...], new: Slot, most: int, *, added: bool, current: bool
) -> tuple[Slot, ...]:
    """Return the `most` newest slots, with the one of this version of a post.

    A post keeps its slot when its text is withdrawn, at the latest instant of a version that had a text.
    So the posts that have slots depend only on what was written, never on the order in which posts, edits
    and deletions arrive. A post that lost its slot to newer ones never has to come back.

    Args:
        added: true if this version has just replaced another one.
        current: true if this version is the one that counts. Two versions with equal marks (only a link
            or a word differs) are both current: the larger text stays, whichever came first.
    """
    shown = new if current else _blank(new)
    old = next((slot for slot in slots if slot.post_id == new.post_id), None)
    if old is not None:
        if not added:
            shown = max(shown, old, key=lambda slot: slot[2:]) if current else old
        ms = max(old.ms, new.ms)
        shown = shown if shown.ms == ms else _blank(shown._replace(ms=ms))
    kept: list[Slot] = [slot for slot in slots if slot.post_id != new.post_id]
    kept.append(shown)
    return tuple(sorted(kept, reverse=True)[:most])


def _without_text(slots: tuple[Slot, ...], post_id: str) -> tuple[Slot, ...]:
    return tuple(_blank(slot) if slot.post_id == post_id else slot for slot in slots)


def _blank(slot: Slot) -> Slot:
    return type(slot)(slot.ms, slot.post_id, "")
