"""enriched, facts about authors and ticks -> profiles, candidates. Stateful, keyed by author."""

import asyncio

from models.author import AuthorState
from models.batches import batched
from models.codec import Codec
from models.counted_post import counted_post
from models.events import CountedPost, Event, Position, Tick
from models.facts import decode_author_fact
from models.fold import Fold
from models.links import claim_facts
from models.outcome import Outcome
from models.post import author_key
from models.record import encode
from models.rejection import Reason, Rejected
from models.tick import Clock, decode_tick
from streams import topics
from streams.agents.dead_letters import DeadLetters
from streams.agents.shadow import Shadow
from streams.delivery import STOPPING, LongStep, Step, Work, all_or_nothing
from streams.delivery.state import KeyedState
from streams.ops import meters

SLICE = 100
"""Authors that a tick ages at once: other records wait for some ten milliseconds."""
UNCONFIRMED = 2000
"""Records of a tick that may be on their way at once."""
CLOCK_KEY = b"day"

_codec = Codec(AuthorState)
_clock = Codec(Clock)


class Authors:
    """The states of authors: applies events to them and sends the outcomes."""

    def __init__(
        self, states: KeyedState, clock: KeyedState, fold: Fold, shadow: Shadow | None = None
    ) -> None:
        self.states = states
        self.fold = fold
        self._clock = clock
        self._shadow = shadow

    def today(self, partition: int) -> Clock:
        """Return the day that has begun for a partition."""
        return _clock.unpack(self._clock.read(partition, CLOCK_KEY))

    def begin_day(self, work: Work, clock: Clock) -> None:
        """Store the day that begins for the partition of the work."""
        self._clock.write(work, CLOCK_KEY, _clock.pack(clock))

    def apply(self, work: Work, key: bytes, event: Event) -> AuthorState:
        """Fold an event into an author's state, store it and publish; return the state."""
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
        """Delete a state in which nothing is left that could matter."""
        held = self.states.read(work.partition, key)
        if held is not None and self.fold.spent(_codec.unpack(held)):
            self.states.write(work, key, None)


def enriched_step(authors: Authors, dead_letters: DeadLetters) -> Step:
    """Return the step that counts a post."""

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
    """Return the step for customers, feedback and erasures by author: our own records."""

    def step(work: Work) -> None:
        authors.apply(work, work.key or b"", decode_author_fact(work.value or b""))

    return step


def tick_step(authors: Authors, dead_letters: DeadLetters) -> LongStep:
    """Return the step that starts a day for every author of the partition, in slices between other records.

    Inactive authors decay. When the tombstones of an author who has nothing left are delivered, the
    state is deleted. An author whose state cannot be aged is left as it is, and named by a dead letter
    of the tick.
    """

    def age(work: Work, key: bytes, tick: Tick) -> bool:
        """Age one author; return True when nothing is left of it."""
        try:
            with all_or_nothing(work):
                return authors.fold.spent(authors.apply(work, key, tick))
        except STOPPING:
            raise
        except Exception as error:
            dead_letters.give_up(work, error)
            return False

    async def step(work: Work) -> bool:
        try:
            day = decode_tick(work.value, received_ms=work.timestamp_ms)
        except Rejected as rejection:
            dead_letters.reject(work, rejection)
            return True
        dead_letters.accept()
        clock = authors.today(work.partition)
        if work.position >= clock.version:
            if day <= clock.day:
                return True  # this day has begun long ago
            authors.begin_day(work, Clock(work.position + 1, day))
        spent = []
        for slice_ in batched(authors.states.keys(work.partition), SLICE):
            for key in slice_:
                if age(work, key, Tick(day)):
                    spent.append(key)
            await asyncio.sleep(0)  # other records have their turn
            if not await work.wait_for_pending(UNCONFIRMED):
                return False
        if not await work.wait_for_pending(0):
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
    for key, claim in claim_facts(author, outcome.handle_claims):
        work.send(topics.HANDLE_FACTS, key.encode(), encode(claim))
