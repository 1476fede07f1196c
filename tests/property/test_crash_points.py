"""Every point at which a worker can die, one by one, on a simulated log.

A worker takes the records of a fixed stream. For each it appends to a changelog (its state) and to
an output log, in this order. When it dies, any beginning of either has been delivered, and any
number of records has been committed that are delivered in full. The next worker recovers the
newest state of the changelog, begins at the committed record and appends to the same output log.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from models.author import FOREVER_MS, AuthorState
from models.candidate import Candidate, Profile
from models.codec import Codec, version_of
from models.customer import Customer, CustomerHandle
from models.events import Event, Position, Tick
from models.facts import (
    AnyAuthorFact,
    AnyHandleFact,
    CustomerLink,
    ErasureAsked,
    FeedbackGiven,
    HandleClaimed,
    HandleFact,
    HandleNamed,
    decode_author_fact,
    decode_handle_fact,
)
from models.fold import Fold
from models.links import Addressed, CustomerState, HandleState, handle_key, update_customer, update_handle
from models.record import encode
from models.ring import TOMBSTONE, Published
from models.times import DAY_MS
from tests.authors import AUTHOR, DAY_0, RULES, opinion, post

# --- workers, logs and crashes


class Sent(NamedTuple):
    """A record of the output log; no value is a tombstone."""

    key: str
    value: bytes | None
    revision: int = 0


class Done(NamedTuple):
    """The result of processing one record."""

    stored: bytes | None
    """its changelog record, if there is one"""
    sent: tuple[Sent, ...]


Step = Callable[[bytes | None, int], Done]
"""(the packed state, number of the record in the stream) -> what is to be delivered"""


class Crash(NamedTuple):
    """The log and offsets that one worker left to the next."""

    stored: bytes | None
    committed: int
    log: tuple[Sent, ...]
    ahead: bool = False
    """outputs of a record were delivered and its changelog record was not"""


START = Crash(stored=None, committed=0, log=())


class Worker:
    """Remembers what it did for a state and a record: the runs after most crashes are alike."""

    def __init__(self, step: Step) -> None:
        self._step = cache(step)

    def run(self, begin: Crash, order: Sequence[int]) -> tuple[list[Done], bytes | None]:
        """Take the records of `order`; returns what each gave, and the last state."""
        stored, done = begin.stored, []
        for number in order:
            done.append(self._step(stored, number))
            stored = done[-1].stored or stored
        return done, stored


def crashes(worker: Worker, begin: Crash, length: int) -> Iterator[Crash]:
    """Yield every way in which a worker that began so can die, each once."""
    done, _ = worker.run(begin, range(begin.committed, length))
    sent = [(one, n) for n, result in enumerate(done) for one in result.sent]
    states = [begin.stored]
    for result in done:
        states.append(result.stored or states[-1])
    for delivered in range(len(sent) + 1):
        # The first record of the stream of which an output is missing; all before it are complete.
        complete = sent[delivered][1] if delivered < len(sent) else len(done)
        log = (*begin.log, *(one for one, _ in sent[:delivered]))
        for kept, state in enumerate(states):
            ahead = delivered > 0 and kept <= sent[delivered - 1][1]
            for committed in range(min(kept, complete) + 1):
                yield Crash(state, begin.committed + committed, log, ahead or begin.ahead)


def finish(worker: Worker, crash: Crash, order: Sequence[int]) -> tuple[tuple[Sent, ...], bytes | None]:
    """Return the output log and the state after the next worker has processed the rest."""
    done, stored = worker.run(crash, order)
    return (*crash.log, *(one for result in done for one in result.sent)), stored


def last(log: Iterable[Sent]) -> dict[str, bytes]:
    """Return the last record of each key, as compaction leaves it; a tombstone is as good as no record."""
    newest = {one.key: one.value for one in log}
    return {key: value for key, value in newest.items() if value is not None}


def greatest(log: Iterable[Sent]) -> dict[str, bytes]:
    """Return the records of a reader that replaces a record by one of a greater revision only."""
    held: dict[str, tuple[int, bytes]] = {}
    for one in log:
        if one.value is None:
            held.pop(one.key, None)
        elif one.key not in held or one.revision > held[one.key][0]:
            held[one.key] = (one.revision, one.value)
    return {key: value for key, (_, value) in held.items()}


# --- an author

_authors = Codec(AuthorState)


def _customer(number: int, orders: int = 2, *, employee: bool = False) -> Customer:
    return Customer(customer_id=f"c{number}", orders=orders, employee=employee)


def _link(number: int, customer: Customer | None, handle: str | None = None) -> CustomerLink:
    return CustomerLink(customer_id=f"c{number}", by_handle=handle, customer=customer)


_OWNED = opinion(evidence=("my new Acme",))
_SECOND = post(2, 1, opinion("Bolt"), handle="Fan", followers=19_000)
STREAM: tuple[Event, ...] = (
    post(1, 0),
    _SECOND,
    _link(1, _customer(1), "fan"),
    post(3, 2, _OWNED, opinion("Bolt")),
    _SECOND,
    post(4, 3, handle="second"),
    FeedbackGiven(brand="Acme", ms=DAY_0 + DAY_MS, decision="declined"),
    _link(2, _customer(2, employee=True)),
    post(3, 4, _OWNED),
    _link(2, None),
    FeedbackGiven(brand="Acme", ms=DAY_0 + 2 * DAY_MS, decision="contacted"),
    post(5, 5, opinion("Bolt"), opinion("Acme", "negative"), followers=61_000),
    _link(1, _customer(1, orders=5), "fan"),
    post(1, 0),
    Tick(DAY_0 // DAY_MS + 30),
    ErasureAsked(ms=DAY_0 + 2 * DAY_MS, forever=False),
    post(6, 31),
)
SHORT: tuple[Event, ...] = (
    post(1, 0),
    _link(1, _customer(1)),
    post(2, 1, opinion("Acme"), opinion("Bolt")),
    post(3, 2),
    _link(2, _customer(2, employee=True)),
    _link(2, None),
    post(2, 1, opinion("Acme"), opinion("Bolt")),
    ErasureAsked(ms=DAY_0, forever=False),
    _link(1, _customer(1, orders=9)),
)
RULED_OUT: tuple[Event, ...] = (
    post(1, 0),
    _link(1, _customer(1)),
    post(2, 1),
    post(3, 2),
    post(4, 3),
    _link(2, _customer(2, employee=True)),
)
GONE: tuple[Event, ...] = (
    post(1, 0),
    _link(1, _customer(1)),
    post(2, 1),
    post(3, 2),
    ErasureAsked(ms=DAY_0 + 2 * DAY_MS, forever=False),
    post(2, 1),
    post(4, 3, opinion("Bolt")),
    ErasureAsked(ms=0, forever=True),
)


ERASED: tuple[Event, ...] = (
    post(1, 0),
    post(2, 1),
    ErasureAsked(ms=DAY_0 + 9 * DAY_MS, forever=False),
)
STREAMS = {"long": STREAM, "short": SHORT, "ruled out": RULED_OUT, "erased": ERASED, "gone": GONE}


def _topic(event: Event) -> str:
    if isinstance(event, Tick):
        return "ticks"
    return "author-facts" if isinstance(event, AnyAuthorFact) else "enriched"


def _author_worker(stream: Sequence[Event]) -> Worker:
    """Build the profile role as its agent works: read the state, fold, store it, publish."""
    topics = [_topic(event) for event in stream]
    positions = [Position(topic, topics[:n].count(topic)) for n, topic in enumerate(topics)]
    folding = Fold(RULES)

    def step(stored: bytes | None, number: int) -> Done:
        state = _authors.unpack(stored)
        outcome = folding.apply(AUTHOR, state, stream[number], positions[number])
        if not outcome.dirty:
            return Done(None, ())
        sent = [_record("profiles", one) for one in outcome.profiles]
        sent += [_record("candidates", one) for one in outcome.candidates]
        sent += [Sent(f"profiles/{key}", None) for key in outcome.profile_tombstones]
        sent += [Sent(f"candidates/{key}", None) for key in outcome.candidate_tombstones]
        sent += [Sent(f"claims/{handle}", b"") for handle in outcome.handle_claims]
        return Done(_authors.pack(state), tuple(sent))

    return Worker(step)


def _record(topic: str, record: Profile | Candidate) -> Sent:
    value = encode(msgspec.structs.replace(record, revision=0))
    return Sent(f"{topic}/{record.key}", value, record.revision)


def _counted(stored: bytes | None) -> AuthorState:
    """Return a state without what may differ: positions, and tombstones of records never published."""
    state = _authors.unpack(stored)
    state.positions = {}
    state.rings = {b: ring for b, ring in state.rings.items() if ring.days or max(ring.published) > TOMBSTONE}
    for ring in state.rings.values():
        ring.published = Published(*(max(TOMBSTONE, one) for one in ring.published))
    return state


class _Truth:
    """A run in which nobody died."""

    def __init__(self, stream: Sequence[Event]) -> None:
        self.worker, self.length = _author_worker(stream), len(stream)
        self.log, self.stored = finish(self.worker, START, range(self.length))
        self._state = _counted(self.stored)
        self._last, self._greatest = self._records(last(self.log)), self._records(greatest(self.log))
        self._agrees = cache(lambda stored: _counted(stored) == self._state)

    def holds(self, crash: Crash, order: Sequence[int] | None = None) -> bool:
        """Return True when the worker after the crash ends where this run did."""
        rest = range(crash.committed, self.length) if order is None else order
        log, stored = finish(self.worker, crash, rest)
        kept = last(log)
        return (
            stored is not None
            and version_of(stored) >= max((one.revision for one in log), default=0)
            and self._agrees(stored)
            and self._records(kept) == self._last
            and self._records(greatest(log)) == self._greatest
            and all(f"claims/{handle}" in kept for handle in self._state.handles)
        )

    @staticmethod
    def _records(held: dict[str, bytes]) -> dict[str, bytes]:
        """Profiles and candidates. The claim of a handle that was erased since need not come again."""
        return {key: value for key, value in held.items() if not key.startswith("claims/")}


def test_the_stream_has_all_that_is_sent() -> None:
    """The streams bring records of both kinds, their tombstones, and records after tombstones."""
    log = _Truth(STREAM).log
    states = [json.loads(one.value)["state"] for one in log if one.value and one.key == "profiles/Acme/x:fan"]
    assert {"none", "watch", "candidate", "declined"} <= set(states)
    acme = [one.value is None for one in log if one.key == "candidates/Acme/x:fan"]
    assert True in acme[: acme.index(False, acme.index(True))]
    assert Sent("profiles/Acme/x:fan", None) in _Truth(GONE).log
    assert _authors.unpack(_Truth(GONE).stored).erased_ms == FOREVER_MS


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_crash_at_every_point_ends_like_no_crash(stream: Sequence[Event]) -> None:
    """State, last records and the records of the greatest revision are those of a straight run."""
    truth = _Truth(stream)
    points = list(crashes(truth.worker, START, truth.length))
    assert len(points) > 10 * len(stream)
    assert [crash for crash in points if not truth.holds(crash)] == []


def _lost_by_reading_first(topic: str, stream: Sequence[Event], *, ahead: bool) -> list[Crash]:
    """Crashes after which it matters that all that is left of one topic is read before the others."""
    truth, lost = _Truth(stream), []
    for crash in crashes(truth.worker, START, truth.length):
        rest = sorted(range(crash.committed, truth.length), key=lambda n: (_topic(stream[n]) != topic, n))
        if crash.ahead == ahead and not truth.holds(crash, rest):
            lost.append(crash)
    return lost


@pytest.mark.parametrize("topic", ["author-facts", "enriched"])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_after_a_crash_topics_may_come_in_another_order(stream: Sequence[Event], topic: str) -> None:
    """The next worker may read one topic before the others, if no output was ahead of its state."""
    assert _lost_by_reading_first(topic, stream, ahead=False) == []


@pytest.mark.parametrize("name", ["ruled out", "erased"])
def test_why_outputs_wait_for_their_state(name: str) -> None:
    """Were an output delivered before its state, it could stay for ever: `streams.delivery` holds it back."""
    assert _lost_by_reading_first("author-facts", STREAMS[name], ahead=True) != []


@pytest.mark.parametrize("stream", [SHORT, GONE], ids=["short", "gone"])
def test_every_pair_of_crashes_ends_like_no_crash(stream: Sequence[Event]) -> None:
    """A worker dies at any point, and the next one again at any point of its own run."""
    truth = _Truth(stream)
    pairs = 0
    for first in crashes(truth.worker, START, truth.length):
        for second in crashes(truth.worker, first, truth.length):
            pairs += 1
            assert truth.holds(second), (first, second)
    assert pairs > 10_000


# --- customers and handles

_BY_ID = CustomerHandle(platform="x", author_id="u1")
_BY_HANDLE = CustomerHandle(platform="x", handle="@Fan")
_OTHER = CustomerHandle(platform="x", handle="other")
FILE: tuple[Customer | None, ...] = (
    Customer(customer_id="c1", handles=(_BY_ID,), orders=1),
    Customer(customer_id="c1", handles=(_BY_ID, _BY_HANDLE), orders=2),
    Customer(customer_id="c1", handles=(_OTHER,), orders=2),
    None,
    Customer(customer_id="c1", handles=(_BY_HANDLE,), orders=3),
    Customer(customer_id="c1", handles=(_BY_HANDLE,), orders=3),
    Customer(customer_id="c1", handles=(_OTHER, _BY_HANDLE), orders=4),
)
_FAN = handle_key("x", "@Fan")
CLAIMS: tuple[AnyHandleFact, ...] = (
    HandleNamed(customer_id="c1", customer=_customer(1)),
    HandleClaimed(author_id="u1"),
    HandleNamed(customer_id="c2", customer=_customer(2)),
    HandleClaimed(author_id="u2"),
    HandleNamed(customer_id="c1", customer=_customer(1, orders=7)),
    HandleClaimed(author_id="u1"),
    HandleNamed(customer_id="c2", customer=None),
    HandleNamed(customer_id="c1", customer=_customer(1, orders=7)),
)


def _facts(facts: Iterable[Addressed]) -> tuple[Sent, ...]:
    """Facts as records; the key names all that a later fact replaces."""
    return tuple(Sent(f"{key} {getattr(fact, 'customer_id', '')}", encode(fact)) for key, fact in facts)


def _customer_worker() -> Worker:
    codec = Codec(CustomerState)

    def step(stored: bytes | None, number: int) -> Done:
        state = codec.unpack(stored)
        facts = update_customer(state, "c1", FILE[number], number)
        return Done(codec.pack(state), _facts(facts))

    return Worker(step)


def _handle_worker() -> Worker:
    codec = Codec(HandleState)

    def step(stored: bytes | None, number: int) -> Done:
        state = codec.unpack(stored)
        facts = update_handle(state, _FAN, CLAIMS[number], number)
        return Done(codec.pack(state), _facts(facts))

    return Worker(step)


@pytest.mark.parametrize(
    ("worker", "length"),
    [(_customer_worker(), len(FILE)), (_handle_worker(), len(CLAIMS))],
    ids=["update_customer", "update_handle"],
)
def test_a_crash_of_a_join_leaves_the_same_links(worker: Worker, length: int) -> None:
    """At any point, and at any point again: the state and the last fact under each key stay the same."""
    log, stored = finish(worker, START, range(length))
    for first in crashes(worker, START, length):
        ended, state = finish(worker, first, range(first.committed, length))
        assert (last(ended), state) == (last(log), stored), first
    for first in crashes(worker, START, 4):
        for second in crashes(worker, first, 4):
            ended, state = finish(worker, second, range(second.committed, length))
            assert (last(ended), state) == (last(log), stored), (first, second)


def _links(log: Iterable[Sent]) -> dict[str, dict[str, object]]:
    """Return the final links of each author after all facts of the log, handles included."""
    handles: dict[str, HandleState] = {}
    authors: dict[str, AuthorState] = {}
    folding = Fold(RULES)

    def deliver(key: str, fact: AnyAuthorFact | AnyHandleFact) -> None:
        if isinstance(fact, HandleFact):
            state = handles.setdefault(key, HandleState())
            for onward in update_handle(state, key, fact, state.version):
                deliver(*onward)
        else:
            author = authors.setdefault(key, AuthorState())
            folding.apply(key, author, fact, Position("author-facts", author.version))

    deliver(_FAN, HandleClaimed(author_id="u1"))
    for number, one in enumerate(log):
        key = one.key.split()[0]
        decode = decode_handle_fact if ":@" in key else decode_author_fact
        deliver(key, decode(one.value or b""))
        if number == 1:
            deliver(handle_key("x", "other"), HandleClaimed(author_id="u2"))
    return {key: dict(state.customers) for key, state in authors.items()}


def test_a_crash_of_the_customer_join_leaves_authors_with_the_same_customers() -> None:
    """Through handles to the authors' states: whatever was sent twice, the same customers are known."""
    worker = _customer_worker()
    log, _ = finish(worker, START, range(len(FILE)))
    straight = _links(log)
    assert {key: len(customers) for key, customers in straight.items()} == {"x:u1": 1, "x:u2": 1}
    for crash in crashes(worker, START, len(FILE)):
        ended, _ = finish(worker, crash, range(crash.committed, len(FILE)))
        assert _links(ended) == straight, crash
