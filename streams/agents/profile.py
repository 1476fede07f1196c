"""enriched, facts about authors and ticks -> profiles, candidates. Stateful, keyed by author."""

import asyncio
from collections.abc import Iterator, Sequence

from models.author import AuthorState
from models.codec import Codec
from models.counted_post import counted_post
from models.events import CountedPost, Event, Position, Tick
from models.facts import HandleClaimed, decode_author_fact
from models.fold import Fold
from models.links import handle_key
from models.outcome import Outcome
from models.post import author_key
from models.record import encode
from models.rejection import Reason, Rejected
from models.tick import Clock, decode_tick
from streams import topics
from streams.agents.dead_letters import DeadLetters
from streams.agents.shadow import Shadow
from streams.delivery import LongStep, Step, Work
from streams.delivery.state import KeyedState
from streams.ops import meters

SLICE = 100
"""authors that a tick ages at once: other records wait some ten milliseconds"""
UNCONFIRMED = 2000
"""records of a tick that may be on their way"""
CLOCK_KEY = b"day"

_codec = Codec(AuthorState)
_clock = Codec(Clock)


class Authors:
    """What is kept of authors: applies events and sends what comes of them."""

    def __init__(
        self, states: KeyedState, clock: KeyedState, fold: Fold, shadow: Shadow | None = None
    ) -> None:
        self.states = states
        self.fold = fold
        self._clock = clock
        self._shadow = shadow

    def today(self, partition: int) -> Clock:
        """The day that has begun for a partition."""
        return _clock.unpack(self._clock.read(partition, CLOCK_KEY))

    def begin_day(self, work: Work, clock: Clock) -> None:
        """Let a day begin for the partition of the work."""
        self._clock.write(work, CLOCK_KEY, _clock.pack(clock))

    def apply(self, work: Work, key: bytes, event: Event) -> AuthorState:
        """Fold an event into an author's state, store it and publish; returns the state."""
        state = _codec.unpack(self.states.read(work.partition, key))
        author = key.decode()
        position = Position(work.tp.topic, work.offset)
        outcome = self.fold.apply(author, state, event, position, today=self.today(work.partition).day)
        meters.folded(event, outcome)
        if self._shadow is not None:
            self._shadow.judge(self.fold, author, state, outcome)
        if outcome.late:
            work.send(topics.LATE, key, work.value)
        if outcome.dirty:
            self.states.write(work, key, _codec.pack(state))
            _publish(work, author, outcome)
        return state

    def forget_if_spent(self, work: Work, key: bytes) -> None:
        """Delete a state of which nothing is left that could matter."""
        held = self.states.read(work.partition, key)
        if held is not None and self.fold.spent(_codec.unpack(held)):
            self.states.write(work, key, None)


def enriched_step(authors: Authors, dead_letters: DeadLetters) -> Step:
    """Counts a post."""

    def step(work: Work) -> None:
        try:
            post = _read(work)
        except Rejected as rejection:
            dead_letters.reject(work, rejection)
            return
        dead_letters.accept()
        authors.apply(work, work.key or b"", post)

    return step


def fact_step(authors: Authors) -> Step:
    """Takes note of a customer, of feedback, of an erasure. Facts are our own records: none is bad."""

    def step(work: Work) -> None:
        authors.apply(work, work.key or b"", decode_author_fact(work.value or b""))

    return step


def tick_step(authors: Authors, dead_letters: DeadLetters) -> LongStep:
    """Lets a day begin for every author of the partition, in slices between other records.

    Silent authors decay; of those who have nothing left, tombstones are published, and when these
    are delivered, their states are deleted.
    """

    async def step(work: Work) -> bool:
        try:
            day = decode_tick(work.value, received_ms=work.timestamp_ms)
        except Rejected as rejection:
            dead_letters.reject(work, rejection)
            return True
        dead_letters.accept()
        clock = authors.today(work.partition)
        if work.offset >= clock.version:
            if day <= clock.day:
                return True  # this day has begun long ago
            authors.begin_day(work, Clock(work.offset + 1, day))
        spent = []
        for slice_ in batched(authors.states.keys(work.partition), SLICE):
            for key in slice_:
                if authors.fold.spent(authors.apply(work, key, Tick(day))):
                    spent.append(key)
            await asyncio.sleep(0)  # other records have their turn
            if not await work.delivered_but(UNCONFIRMED):
                return False
        if not await work.delivered_but(0):
            return False
        for key in spent:
            authors.forget_if_spent(work, key)
        return True

    return step


def _read(work: Work) -> CountedPost:
    if work.value is None:
        raise Rejected(Reason.EMPTY, "the record has no value")
    platform, author_id, post = counted_post(work.value)
    if work.key != author_key(platform, author_id).encode():
        raise Rejected(Reason.BAD_ID, "the record's key is not its author key")
    return post


def _publish(work: Work, author: str, outcome: Outcome) -> None:
    for profile in outcome.profiles:
        work.send(topics.PROFILES, profile.key.encode(), encode(profile))
    for candidate in outcome.candidates:
        work.send(topics.CANDIDATES, candidate.key.encode(), encode(candidate))
    for gone in outcome.profile_tombstones:
        work.send(topics.PROFILES, gone.encode(), None)
    for gone in outcome.candidate_tombstones:
        work.send(topics.CANDIDATES, gone.encode(), None)
    platform, _, author_id = author.partition(":")
    for handle in outcome.handle_claims:
        claim = HandleClaimed(author_id=author_id)
        work.send(topics.HANDLE_FACTS, handle_key(platform, handle).encode(), encode(claim))


def batched(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Slices of at most `size`, in order."""
    return (keys[at : at + size] for at in range(0, len(keys), size))
