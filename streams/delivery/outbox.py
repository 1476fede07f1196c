"""The outbox of an application: what is begun, what is on its way, and what may be committed."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, cast

from faust.types import TP

from streams.delivery.errors import DeliveryError
from streams.delivery.work import ARRIVED, Record, Work
from streams.ops import meters


class Application(Protocol):
    """The part of `ReliableApp` that its outbox needs."""

    role: str
    producer: Any
    consumer_generation_id: int

    def fail(self, error: BaseException) -> None:
        """Stop with this error."""


class Delivery:
    """The outbox, the queues of begun work and the committable offsets of one application.

    At most `window` records are begun and not yet delivered.
    """

    def __init__(self, app: Application, window: int) -> None:
        self._app = app
        self.role = app.role
        self.pace = meters.Pace(app.role)
        self._window = window
        self._begun: dict[TP, deque[Work]] = defaultdict(deque)
        self._in_flight = 0
        self._positions: dict[TP, int] = {}
        self._outbox: deque[Record] = deque()
        self._held: dict[int, deque[Record]] = defaultdict(deque)
        """partition -> states on their way, and everything that was sent after them"""
        self._queued = asyncio.Event()
        self._settled = asyncio.Event()
        self._confirmed = asyncio.Event()
        self._paused = True
        self._sender: asyncio.Task[None] | None = None
        self.assignment = 0
        """number of assignments that have ended"""
        self.epochs: Mapping[TP, int] = {}
        """times that the log of a partition was replaced and accepted; none: never"""

    # --- for agents

    async def begin(self, event: Any) -> Work | None:
        """Begin the work on an event; wait while the window is full.

        Return None when the event belongs to an assignment that has ended. The owner of its
        partition reads it again; it must not be touched here. Between the return and the caller's
        next await the assignment cannot change.
        """
        while self._in_flight >= self._window:
            self._settled.clear()
            await self._settled.wait()
        message = event.message
        if self._paused or message.generation_id != self._app.consumer_generation_id:
            return None
        work = Work(self, message)
        self._begun[work.tp].append(work)
        self._in_flight += 1
        return work

    @property
    def in_flight(self) -> int:
        """Records begun and not yet delivered."""
        return self._in_flight

    # --- for Work

    def queue(self, record: Record) -> None:
        """Put a record in line, unless its assignment has ended."""
        if record.work.assignment != self.assignment:
            return
        held = self._held[record.work.partition]
        if record.state or held:
            held.append(record)
        if record.state or not held:
            self._outbox.append(record)
            self._queued.set()

    def _release(self, partition: int) -> None:
        """Send what was held behind states that are confirmed by now."""
        held = self._held[partition]
        while held and (held[0].confirmed or not held[0].state):
            record = held.popleft()
            if not record.state:
                self._outbox.append(record)
                self._queued.set()

    def settle(self, work: Work) -> None:
        """Move the committable offset of a partition over the completed work at the head of its queue."""
        if work.assignment != self.assignment:
            return
        begun = self._begun.get(work.tp)
        now = time.time() if begun and begun[0].complete else 0.0
        while begun and begun[0].complete:
            done = begun.popleft()
            self.pace.done(done.tp.topic, done.arrived_ms, now)
            self._in_flight -= 1
            self._settled.set()
            # A seek may deliver records twice: an offset never goes back within an assignment.
            self._positions[done.tp] = max(self._positions.get(done.tp, 0), done.offset + 1)

    def wants(self, work: Work) -> bool:
        """Return False when the partition of the work is being taken away."""
        return not self._paused and work.assignment == self.assignment

    def leave(self, work: Work) -> None:
        """Stop waiting for this work; the committable offset of its partition stays before it."""
        if work.assignment == self.assignment:
            self._in_flight -= 1
            self._settled.set()

    async def next_confirmation(self) -> None:
        """Wait until a record was confirmed, or the assignment is about to end."""
        self._confirmed.clear()
        await self._confirmed.wait()

    # --- for the consumer

    def positions(self) -> Mapping[TP, int]:
        """Return the offsets that may be committed: one past the last record done, per partition."""
        return self._positions

    # --- sending

    def start(self) -> None:
        """Begin to send. Needs a running loop and the application's producer."""
        self._sender = asyncio.ensure_future(self._send())

    async def stop(self) -> None:
        """End sending. What is still queued was never confirmed and is processed again."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    @property
    def ended(self) -> bool:
        """True when nothing is sent any more."""
        return self._sender is not None and self._sender.done()

    async def _send(self) -> None:
        producer = self._app.producer
        topic = ""
        try:
            while True:
                while not self._outbox:
                    self._queued.clear()
                    await self._queued.wait()
                record = self._outbox.popleft()
                topic = record.topic
                work = record.work
                partition = work.partition if record.state else None
                headers = None if record.state else [(ARRIVED, b"%d" % work.arrived_ms)]
                future = cast(
                    "asyncio.Future[Any]",
                    await producer.send(record.topic, record.key, record.value, partition, None, headers),
                )
                future.add_done_callback(partial(self._confirm, record))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._app.fail(DeliveryError(topic, error))

    def _confirm(self, record: Record, future: "asyncio.Future[Any]") -> None:
        if future.cancelled():
            return  # the producer was closed: the next worker processes this record again
        error = future.exception()
        if error is not None:
            self._app.fail(DeliveryError(record.topic, error))
            return
        record.confirmed = True
        if record.state and record.work.assignment == self.assignment:
            self._release(record.work.partition)
        record.work.confirm()
        self._confirmed.set()

    # --- rebalances and shutdown

    async def drain(self, timeout: float) -> bool:
        """Begin nothing more and wait until all begun work is delivered; return False when time ran out."""
        self._paused = True
        self._confirmed.set()
        try:
            async with asyncio.timeout(timeout):
                while self._in_flight:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            return False
        return True

    def forget(self) -> None:
        """End the assignment: nothing more is sent for it, and no committable offset moves."""
        self.assignment += 1
        self._outbox.clear()
        self._held.clear()
        self._begun.clear()
        self._positions.clear()
        self._in_flight = 0
        self._settled.set()

    def resume(self) -> None:
        """Begin records of the new assignment, whose states are here."""
        self.pace.assigned()
        self._paused = False

    @property
    def flowing(self) -> bool:
        """True while records are begun: an assignment is in force, and it is not being drained."""
        return not self._paused
