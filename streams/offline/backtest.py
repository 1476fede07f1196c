"""The same core without a broker: files in, profiles and candidates out.

What the stream's agents do across topics happens here in one loop, with the same functions of
`models` and `nlp`. Memory grows with authors and customers, not with posts. Other rules may judge the
same records beside those in force: each post is then read once, and once more only where the other
settings find other brands in it or may read other sources.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from models.author import AuthorState
from models.batches import batched
from models.candidate import Candidate, Profile
from models.codec import Codec
from models.comparison import Comparison, Difference, Judge
from models.counted_post import counted_post
from models.customer import decode_customer
from models.dead_letter import DeadLetter, dead_letter
from models.events import Event, Position, Tick
from models.facts import HandleFact
from models.fold import Fold
from models.links import (
    Addressed,
    CustomerState,
    HandleState,
    claim_facts,
    erasure_fact,
    feedback_fact,
    update_customer,
    update_handle,
)
from models.post import candidate_key
from models.record import encode
from models.rejection import Dropped, DropReason, Reason, Rejected
from models.times import day_from_iso
from nlp.enrichment import Enricher
from nlp.records import Raw, Result
from streams import clock, topics
from streams.settings import Settings
from streams.sources import lines
from streams.sources.lines import FileError, Files

BATCH = 256
_DROPPED = {DropReason.NO_BRAND: "about no brand", DropReason.OPTED_OUT: "by who opted out"}
_codec = Codec(AuthorState)
Advance = Callable[[int, int], object]
"""Called with the number of posts done since the last call, and the bytes read of all their files."""


@dataclass(slots=True)
class RecordCounts:
    """Counts of the records that a backtest read."""

    posts: int = 0
    counted: int = 0
    duplicates: int = 0
    late: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)
    rejected: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    """by topic of the record and reason"""
    customers: int = 0
    feedback: int = 0
    erasures: int = 0

    @property
    def dead_letters(self) -> int:
        """Records that could not be used, of all files."""
        return self.rejected.total()

    def __str__(self) -> str:
        """Return a sentence that counts the records, with reasons for those that do not count."""
        dropped = {_DROPPED[reason]: count for reason, count in self.dropped.items()}
        rejected = {f"{reason} in {topic}": count for (topic, reason), count in self.rejected.most_common()}
        return (
            f"{self.posts:,} posts: {self.duplicates:,} seen before, {self.late:,} late, "
            f"{self.dropped.total():,} dropped{_listed(dropped)}, "
            f"{self.dead_letters:,} dead letters{_listed(rejected)}"
        )


def _listed(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{count:,} {what}' for what, count in counts.items())})" if counts else ""


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
    counts: RecordCounts = field(default_factory=RecordCounts)
    _today: int = 0
    _authors: dict[str, bytes] = field(default_factory=dict)
    _customers: dict[str, CustomerState] = field(default_factory=lambda: defaultdict(CustomerState))
    _handles: dict[str, HandleState] = field(default_factory=lambda: defaultdict(HandleState))

    def posts(self, values: Iterable[bytes]) -> None:
        """Read posts and count them, see `count`."""
        numbered = enumerate(values, self.counts.posts)
        for batch in batched(numbered, BATCH):
            self.count(batch, self.enricher.enrich([Raw(value, self.received_ms) for _, value in batch]))

    def count(self, batch: Sequence[tuple[int, bytes]], results: Sequence[Result]) -> None:
        """Count posts, each given with its number; what cannot be used becomes a dead letter."""
        for (number, value), result in zip(batch, results, strict=True):
            self.counts.posts += 1
            if isinstance(result, Rejected):
                self._reject(lines.route(value).topic, number, value, result)
            elif isinstance(result, Dropped):
                self.counts.dropped[result.reason] += 1
            else:
                *_, post = counted_post(result.value)
                self.apply(result.author, post)

    def customers(self, values: Iterable[bytes]) -> None:
        """Read customer records."""
        self.counts.customers += self._take(topics.CUSTOMERS, values, self._customer)

    def feedback(self, values: Iterable[bytes], brands: Collection[str]) -> None:
        """Read decisions of marketers."""
        self.counts.feedback += self._take(
            topics.FEEDBACK, values, lambda value: (feedback_fact(value, brands),)
        )

    def erasures(self, values: Iterable[bytes]) -> None:
        """Erase authors."""
        self.counts.erasures += self._take(topics.ERASURES, values, lambda value: (erasure_fact(value),))

    def tick(self, day: int) -> None:
        """Start a day for every author, including authors who appear later."""
        for author in list(self._authors):
            self.apply(author, Tick(day))
            if self.fold.spent(_codec.unpack(self._authors[author])):
                del self._authors[author]
        self._today = max(self._today, day)

    def profiles(self) -> Iterator[tuple[Profile, Candidate | None]]:
        """Yield each profile with its candidate or None, ordered by author, then brand."""
        for author in sorted(self._authors):
            yield from self.fold.current(author, _codec.unpack(self._authors[author]))

    def keys(self) -> Iterator[tuple[str, str]]:
        """Yield (author, brand) of everything that is counted."""
        for author, packed in self._authors.items():
            for brand in _codec.unpack(packed).rings:
                yield author, brand

    def judge(self, author: str, brand: str) -> Judge:
        """Return a function that judges an author by any rules about these brands."""
        state = _codec.unpack(self._authors.get(author))
        return partial(self.fold.verdict, author, brand, state)

    def _take(self, topic: str, values: Iterable[bytes], read: Callable[[bytes], Iterable[Addressed]]) -> int:
        """Apply the facts in records; return the number of usable records."""
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
        self.counts.late += outcome.late
        self.counts.duplicates += outcome.duplicate
        if not outcome.dirty:
            return
        self.counts.counted += 1
        self._authors[author] = _codec.pack(state)
        self._send(claim_facts(author, outcome.handle_claims))

    def _send(self, facts: Iterable[Addressed]) -> None:
        for key, fact in facts:
            if isinstance(fact, HandleFact):
                state = self._handles[key]
                self._send(update_handle(state, key, fact, state.version))
            else:
                self.apply(key, fact)

    def _reject(self, topic: str, number: int, value: bytes, rejection: Rejected) -> None:
        self.counts.rejected[topic, rejection.reason] += 1
        letter = dead_letter(
            rejection, value, topic=topic, partition=0, offset=number, at_ms=self.received_ms
        )
        self.on_dead_letter(letter)


def read_posts(tests: Sequence[Backtest], files: Files, advance: Advance = lambda *_: None) -> None:
    """Count the posts in each of these backtests; backtests that share an enricher annotate them once."""
    for batch in batched(enumerate(files), BATCH):
        read: dict[int, list[Result]] = {}
        for test in tests:
            reader = id(test.enricher)
            if reader not in read:
                read[reader] = test.enricher.enrich([Raw(value, test.received_ms) for _, value in batch])
            test.count(batch, read[reader])
        advance(len(batch), files.position)


def run(
    settings: Settings,
    *,
    posts: Sequence[Path],
    out: Path,
    customers: Path | None = None,
    feedback: Path | None = None,
    erasures: Path | None = None,
    tick: str | None = None,
    other: Settings | None = None,
    advance: Advance = lambda *_: None,
) -> RecordCounts:
    """Read the files, write `profiles.jsonl`, `candidates.jsonl`, `dead-letters.jsonl` into `out`.

    Records are ordered by author, then brand. The same files and settings give the same bytes, except for
    the time of the run in dead letters.

    Args:
        tick: the day (`YYYY-MM-DD`) as of which authors are judged.
        other: settings to compare with. `comparison.jsonl` then holds a `Difference` for each author and
            brand that they judge differently. All other files are those of `settings`.

    Raises:
        FileError: if a file cannot be read or written.
    """
    day = _day(tick)
    _make_folder(out)
    now = clock.now_ms()
    with (out / "dead-letters.jsonl").open("wb") as rejected:
        test = Backtest(
            fold=Fold(settings.rules),
            enricher=Enricher(settings.brands, settings.lawful),
            received_ms=now,
            on_dead_letter=lambda letter: rejected.write(encode(letter) + b"\n"),
        )
        tests = [test]
        apart = () if other is None else settings.counting_differences(other)
        if other is not None and apart:
            shared = settings.reads_like(other)
            enricher = test.enricher if shared else Enricher(other.brands, other.lawful)
            tests.append(Backtest(Fold(other.rules), enricher, now, on_dead_letter=lambda _: None))
        for each in tests:
            if customers is not None:
                each.customers(lines.read(customers))
            if feedback is not None:
                each.feedback(lines.read(feedback), each.fold.brands)
        read_posts(tests, Files(posts), advance)
        for each in tests:
            if erasures is not None:
                each.erasures(lines.read(erasures))
            if day is not None:
                each.tick(day)
    _write_results(test, out)
    if other is not None:
        with (out / "comparison.jsonl").open("wb") as compared:
            for difference in differences(test, tests[-1], Comparison(settings.rules, other.rules, apart)):
                compared.write(encode(difference) + b"\n")
    return test.counts


def _day(tick: str | None) -> int | None:
    if tick is None:
        return None
    try:
        return day_from_iso(tick)
    except ValueError:
        raise FileError(
            f"--tick {tick} is not a day", "it cannot be read", "write it as YYYY-MM-DD"
        ) from None


def _write_results(test: Backtest, out: Path) -> None:
    with (out / "profiles.jsonl").open("wb") as kept, (out / "candidates.jsonl").open("wb") as wanted:
        for profile, candidate in test.profiles():
            kept.write(encode(profile) + b"\n")
            if candidate is not None:
                wanted.write(encode(candidate) + b"\n")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "dead-letters.jsonl").touch()
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{out} cannot be written to", why, "name a folder for the results") from None


def differences(one: Backtest, other: Backtest, rules: Comparison) -> Iterator[Difference]:
    """Yield the differences of two backtests of the same records, or of two rules on one backtest."""
    for author, brand in sorted({*one.keys(), *other.keys()}):
        key = candidate_key(brand, author)
        difference = rules.contrast(key, one.judge(author, brand), other.judge(author, brand))
        if difference is not None:
            yield difference
