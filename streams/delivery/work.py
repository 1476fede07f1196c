"""The work on one input record, and the records sent for it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from faust.types import TP

from streams.ops import logs

__all__ = ["ARRIVED", "TP", "Work", "all_or_nothing"]

ARRIVED = "superfan-arrived-ms"
"""Header of all records that are sent, states excepted: epoch milliseconds at which the first record of
the chain arrived in Superfan. Each role measures by it how long the work took since then."""

EPOCH = 1 << 40
"""Distance between the positions of two logs of one topic: more records than any partition will hold."""


class Outbox(Protocol):
    """The part of `Delivery` that the work on a record needs."""

    role: str
    assignment: int
    epochs: Mapping[TP, int]

    def queue(self, record: "Record") -> None:
        """Put a record in line for delivery."""

    def settle(self, work: "Work") -> None:
        """Move the committable offset over completed work."""

    def leave(self, work: "Work") -> None:
        """Stop waiting for this work."""

    def wants(self, work: "Work") -> bool:
        """Return False when the partition is being taken away."""

    async def next_confirmation(self) -> None:
        """Wait until a record was confirmed."""


@dataclass(slots=True)
class Record:
    """A record on its way out. A `state` goes to the partition of the work; others go by their key."""

    work: "Work"
    topic: str
    key: bytes | None
    value: bytes | None
    state: bool = False
    confirmed: bool = False


class Work:
    """The work on one input record: open until `finish`, complete when all it sent is confirmed."""

    __slots__ = (
        "_finished",
        "_held",
        "_outbox",
        "_pending",
        "_undo",
        "arrived_ms",
        "assignment",
        "key",
        "offset",
        "position",
        "timestamp_ms",
        "tp",
        "value",
    )

    def __init__(self, outbox: Outbox, message: Any) -> None:
        self._outbox = outbox
        self._pending = 0
        self._finished = False
        self._held: list[Record] | None = None
        self._undo: list[Callable[[], None]] = []
        self.assignment = outbox.assignment
        self.tp: TP = message.tp
        self.offset: int = message.offset
        self.position: int = outbox.epochs.get(message.tp, 0) * EPOCH + message.offset
        """Grows from record to record, also over a topic that was made anew: states compare by it."""
        self.key: bytes | None = message.key
        self.value: bytes | None = message.value
        self.timestamp_ms = round((message.timestamp or 0) * 1000)
        self.arrived_ms = _arrived(message.headers, self.timestamp_ms)

    @property
    def partition(self) -> int:
        """The partition of the record."""
        return self.tp.partition

    @property
    def fields(self) -> dict[str, Any]:
        """The record's role and position, as log lines carry them."""
        return {"role": self._outbox.role, **logs.position(*self.tp, self.offset, self.key)}

    @property
    def complete(self) -> bool:
        """True when the work is finished and everything sent was confirmed."""
        return self._finished and not self._pending

    @property
    def wanted(self) -> bool:
        """False when the partition is being taken away: long work should stop."""
        return self._outbox.wants(self)

    async def wait_for_pending(self, at_most: int) -> bool:
        """Wait until at most so many of the records sent are unconfirmed; return `wanted`."""
        while self.wanted and self._pending > at_most:
            await self._outbox.next_confirmation()
        return self.wanted

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Queue a record for delivery: after the states that were stored before, in the order of calls."""
        self._queue(Record(self, topic, key, value))

    def store(self, topic: str, key: bytes, value: bytes | None, undo: Callable[[], None]) -> None:
        """Queue the record of a state, for the partition of this record.

        `undo` takes the change in memory back. It is called when the step fails (`all_or_nothing`).
        """
        if self._held is not None:
            self._undo.append(undo)
        self._queue(Record(self, topic, key, value, state=True))

    def finish(self) -> None:
        """Declare that nothing more will be sent for this record."""
        self._finished = True
        self._outbox.settle(self)

    def abandon(self) -> None:
        """Declare that the work will not be finished: the record is read again after the rebalance."""
        self._outbox.leave(self)

    def confirm(self) -> None:
        """Note that one of the records sent was confirmed."""
        self._pending -= 1
        self._outbox.settle(self)

    def _queue(self, record: Record) -> None:
        if self._held is not None:
            self._held.append(record)
            return
        self._pending += 1
        self._outbox.queue(record)

    def _hold(self) -> None:
        self._held, self._undo = [], []

    def _release(self) -> None:
        held, self._held, self._undo = self._held or [], None, []
        for record in held:
            self._queue(record)

    def _discard(self) -> None:
        undo, self._held, self._undo = self._undo, None, []
        for take_back in reversed(undo):
            take_back()


@contextmanager
def all_or_nothing(*works: Work) -> Iterator[None]:
    """Send what the block sends for these works when it ends; nothing when it raises.

    States that the block wrote are in memory at once, and taken back when it raises. Blocks do not
    nest. A block that writes states must not wait: others would read what may be taken back.
    """
    for work in works:
        work._hold()
    try:
        yield
    except BaseException:
        for work in reversed(works):
            work._discard()
        raise
    for work in works:
        work._release()


def _arrived(headers: Iterable[tuple[str, bytes | None]] | None, otherwise: int) -> int:
    """Return the time in the header; `otherwise` when there is none, or it is not a number."""
    for name, value in headers or ():
        if name == ARRIVED and value and value.isdigit() and len(value) < 16:
            return int(value)
    return otherwise
