"""The same core without a broker: files in, profiles and candidates out.

What the stream's agents do across topics happens here in one loop, with the same functions of
`models` and `nlp`. Memory grows with authors and customers, not with posts.
"""

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.author import AuthorState, Event, Fold, Position, Tick
from models.candidates import Candidate, Profile
from models.codec import Codec
from models.counting import counted_post
from models.customers import decode_customer
from models.dead_letters import DeadLetter, dead_letter
from models.facts import HandleClaimed, HandleFact
from models.joining import (
    Addressed,
    CustomerState,
    HandleState,
    erasure_fact,
    feedback_fact,
    handle_key,
    update_customer,
    update_handle,
)
from models.outcomes import Dropped, Rejected
from models.records import encode
from models.times import day_from_iso
from nlp.enrichment import Enricher, Raw
from streams import lines, topics
from streams.lines import FileError
from streams.settings import Settings

BATCH = 256
_codec = Codec(AuthorState)
Advance = Callable[[int], object]
"""Called with the number of records done since the last call."""


@dataclass(slots=True)
class Tally:
    """What a backtest counted."""

    posts: int = 0
    counted: int = 0
    duplicates: int = 0
    late: int = 0
    dropped: int = 0
    dead_letters: int = 0
    customers: int = 0
    feedback: int = 0
    erasures: int = 0


@dataclass(slots=True)
class Backtest:
    """One run. Feed it with `posts`, `customers`, `feedback` and `erasures` in any order, then read it.

    `received_ms` is the time at which all records are taken to arrive: only the check for posts
    from the future depends on it.
    """

    fold: Fold
    enricher: Enricher
    received_ms: int
    on_dead_letter: Callable[[DeadLetter], object]
    tally: Tally = field(default_factory=Tally)
    _today: int = 0
    _authors: dict[str, bytes] = field(default_factory=dict)
    _customers: dict[str, CustomerState] = field(default_factory=lambda: defaultdict(CustomerState))
    _handles: dict[str, HandleState] = field(default_factory=lambda: defaultdict(HandleState))

    def posts(self, values: Iterable[bytes], advance: Advance = lambda _: None) -> None:
        """Count posts; what cannot be used becomes a dead letter."""
        numbered = enumerate(values)
        while batch := list(itertools.islice(numbered, BATCH)):
            results = self.enricher.enrich([Raw(value, self.received_ms) for _, value in batch])
            for (number, value), result in zip(batch, results, strict=True):
                self.tally.posts += 1
                if isinstance(result, Rejected):
                    self._reject(lines.route(value).topic, number, value, result)
                elif isinstance(result, Dropped):
                    self.tally.dropped += 1
                else:
                    *_, post = counted_post(result.value)
                    self.apply(result.author, post)
            advance(len(batch))

    def customers(self, values: Iterable[bytes]) -> None:
        """Take note of customer records."""
        self.tally.customers += self._take(topics.CUSTOMERS, values, self._customer)

    def feedback(self, values: Iterable[bytes], brands: Collection[str]) -> None:
        """Take note of what marketers decided."""
        self.tally.feedback += self._take(
            topics.FEEDBACK, values, lambda value: (feedback_fact(value, brands),)
        )

    def erasures(self, values: Iterable[bytes]) -> None:
        """Forget authors."""
        self.tally.erasures += self._take(topics.ERASURES, values, lambda value: (erasure_fact(value),))

    def tick(self, day: int) -> None:
        """A day has begun: for every author, those who are not seen yet included."""
        for author in list(self._authors):
            self.apply(author, Tick(day))
            if self.fold.spent(_codec.unpack(self._authors[author])):
                del self._authors[author]
        self._today = max(self._today, day)

    def profiles(self) -> Iterator[tuple[Profile, Candidate | None]]:
        """Each profile, with its candidate if there is one, ordered by author, then brand."""
        for author in sorted(self._authors):
            yield from self.fold.current(author, _codec.unpack(self._authors[author]))

    def _take(self, topic: str, values: Iterable[bytes], read: Callable[[bytes], Iterable[Addressed]]) -> int:
        """Send the facts behind records on; returns how many were usable."""
        usable = 0
        for number, value in enumerate(values):
            try:
                self._send(read(value))
            except Rejected as rejection:
                self._reject(topic, number, value, rejection)
            else:
                usable += 1
        return usable

    def _customer(self, value: bytes) -> Iterable[Addressed]:
        customer = decode_customer(value)
        state = self._customers[customer.customer_id]
        return update_customer(state, customer.customer_id, customer, state.version)

    def apply(self, author: str, event: Event) -> None:
        """Fold one event into the state of an author key."""
        state = _codec.unpack(self._authors.get(author))
        position = Position("backtest", state.version)
        outcome = self.fold.apply(author, state, event, position, today=self._today)
        self.tally.late += outcome.late
        self.tally.duplicates += outcome.duplicate
        if not outcome.dirty:
            return
        self.tally.counted += 1
        self._authors[author] = _codec.pack(state)
        platform, _, author_id = author.partition(":")
        for handle in outcome.handle_claims:
            self._send((Addressed(handle_key(platform, handle), HandleClaimed(author_id=author_id)),))

    def _send(self, facts: Iterable[Addressed]) -> None:
        for key, fact in facts:
            if isinstance(fact, HandleFact):
                state = self._handles[key]
                self._send(update_handle(state, key, fact, state.version))
            else:
                self.apply(key, fact)

    def _reject(self, topic: str, number: int, value: bytes, rejection: Rejected) -> None:
        self.tally.dead_letters += 1
        letter = dead_letter(
            rejection, value, topic=topic, partition=0, offset=number, at_ms=self.received_ms
        )
        self.on_dead_letter(letter)


def run(
    settings: Settings,
    *,
    posts: Sequence[Path],
    out: Path,
    customers: Path | None = None,
    feedback: Path | None = None,
    erasures: Path | None = None,
    tick: str | None = None,
    advance: Advance = lambda _: None,
) -> Tally:
    """Read the files, write `profiles.jsonl`, `candidates.jsonl`, `dead-letters.jsonl` into `out`.

    `tick` judges as of that day (`YYYY-MM-DD`). Records are ordered by author, then brand; the
    same files and settings give the same bytes. Raises `FileError`.
    """
    brands = [brand.name for brand in settings.brands]
    try:
        day = None if tick is None else day_from_iso(tick)
    except ValueError:
        raise FileError(f"--tick {tick} is no day", "it cannot be read", "write it as YYYY-MM-DD") from None
    out.mkdir(parents=True, exist_ok=True)
    with (out / "dead-letters.jsonl").open("wb") as rejected:
        test = Backtest(
            fold=Fold(settings.rules),
            enricher=Enricher(settings.brands, settings.lawful),
            received_ms=time.time_ns() // 1_000_000,
            on_dead_letter=lambda letter: rejected.write(encode(letter) + b"\n"),
        )
        if customers is not None:
            test.customers(lines.read(customers))
        if feedback is not None:
            test.feedback(lines.read(feedback), brands)
        test.posts(itertools.chain.from_iterable(map(lines.read, posts)), advance)
        if erasures is not None:
            test.erasures(lines.read(erasures))
        if day is not None:
            test.tick(day)
    with (out / "profiles.jsonl").open("wb") as kept, (out / "candidates.jsonl").open("wb") as wanted:
        for profile, candidate in test.profiles():
            kept.write(encode(profile) + b"\n")
            if candidate is not None:
                wanted.write(encode(candidate) + b"\n")
    return test.tally
