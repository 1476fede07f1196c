"""Delivery before acknowledgement, in order: the small layer that makes Faust safe to count with.

What it promises, for an application built by `ReliableApp`:

* An input offset is committed only after every record that its processing sent (changelog,
  outputs, dead letters) was confirmed by the broker, and so were those of all offsets before it
  in its partition. So: at-least-once, whatever dies and whenever.
* Records are sent in the order in which processing queued them, across all agents of the
  application. So: the changelog of a key ends in its newest state.
* A delivery that fails stops the application with that error; nothing is skipped.
* At most `window` records are begun and not yet delivered: the rest waits in Kafka.
* Nothing is begun for a partition that was taken away, and keyed state of such a partition is
  forgotten. Recovery never replaces a state by an older one.

What it does not promise: that a record is processed once (folds must be idempotent), nor that a
paused worker whose partitions have moved on writes nothing any more (Kafka cannot fence it at
this level: it may append a state that is older than the newest; recovery refuses such a state as
long as compaction has kept the newer one).

The traps of faust-streaming 0.15.3 that are closed here, so that no other module needs to know
them (the numbers are referred to below):

1. `ProducerBuffer` gives up flushing after 0.1 s and lets the commit go ahead -> records are sent
   through the producer itself, and a position moves only when their futures are done.
2. A failed delivery is only logged -> the callback here stops the application.
3. Offsets acked out of order commit over unfinished ones -> positions come from a queue per
   partition whose head must be done.
4. An exception or a cancel acks the event, and so does Faust's own skipping of records of an old
   generation, even under `noack()` -> Faust's acks mean nothing here: `Consumer` commits
   positions of this module only.
5. A rebalance replays uncommitted events -> in-flight work is drained and committed first, and
   what is replayed all the same is recognised by the fold.
6. A table write outside the current event raises -> keyed state names its partition itself.
7. Records of an old generation still arrive after a rebalance -> `begin` refuses them.
8. When recovery ends, stream partitions are fetched again before flow control is resumed, and
   resuming empties the buffers, though their records will not come again -> `SteadyFlow`.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import faust
from aiokafka.errors import InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.queues import FlowControlEvent

from models.codec import version_of

log = logging.getLogger(__name__)

_SERVICES = logging.getLogger("faust.superfan")
"""Where Faust logs that our subclasses of its services start and stop: as quiet as its own."""

_REFUSALS = (InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError)
"""Answers of the broker that would be the same the next time."""


class DeliveryError(Exception):
    """A record could not be delivered; the worker must stop and start again from its commits.

    `passing` says whether that may help: the broker was away, and did not refuse the record.
    """

    def __init__(self, topic: str, error: BaseException) -> None:
        super().__init__(f"a record for {topic} could not be delivered: {error!r}")
        self.passing = not isinstance(error.__cause__ or error, _REFUSALS)


class Work:
    """One input record being processed: open until `finish`, complete when all it sent is delivered."""

    __slots__ = (
        "_delivery",
        "_finished",
        "_pending",
        "generation",
        "key",
        "offset",
        "timestamp_ms",
        "tp",
        "value",
    )

    def __init__(self, delivery: "Delivery", message: Any) -> None:
        self._delivery = delivery
        self._pending = 0
        self._finished = False
        self.generation: int = message.generation_id
        self.tp: TP = message.tp
        self.offset: int = message.offset
        self.key: bytes | None = message.key
        self.value: bytes | None = message.value
        self.timestamp_ms = round((message.timestamp or 0) * 1000)

    @property
    def complete(self) -> bool:
        """Finished, and everything sent was confirmed."""
        return self._finished and not self._pending

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None
    ) -> None:
        """Queue a record for delivery. Never waits, keeps the order of calls."""
        self._pending += 1
        self._delivery.queue(self, topic, key, value, partition)

    def finish(self) -> None:
        """Say that nothing more will be sent for this record."""
        self._finished = True
        self._delivery.settle(self)

    def delivered(self) -> None:
        """One of the records sent was confirmed."""
        self._pending -= 1
        self._delivery.settle(self)


class Delivery:
    """The outbox, the queues of begun work and the positions that may be committed, of one application."""

    def __init__(self, app: "ReliableApp", window: int) -> None:
        self._app = app
        self._window = window
        self._begun: dict[TP, deque[Work]] = defaultdict(deque)
        self._in_flight = 0
        self._positions: dict[TP, int] = {}
        self._outbox: deque[tuple[Work, str, bytes | None, bytes | None, int | None]] = deque()
        self._queued = asyncio.Event()
        self._settled = asyncio.Event()
        self._paused = True
        self._sender: asyncio.Task[None] | None = None

    # --- for agents

    async def begin(self, event: Any) -> Work | None:
        """Begin the work on an event; waits while the window is full.

        None when the event belongs to an assignment that has passed: it will come again, to
        whoever owns its partition now, and must not be touched. Between the return and the
        caller's next await the assignment cannot change.
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

    def queue(
        self, work: Work, topic: str, key: bytes | None, value: bytes | None, partition: int | None
    ) -> None:
        """Put a record at the end of the outbox."""
        self._outbox.append((work, topic, key, value, partition))
        self._queued.set()

    def settle(self, work: Work) -> None:
        """Move the position of a partition over the completed work at the head of its queue."""
        begun = self._begun.get(work.tp)
        while begun and begun[0].complete:
            done = begun.popleft()
            self._in_flight -= 1
            self._settled.set()
            if done.generation == self._app.consumer_generation_id:
                # A seek may deliver records twice: a position never goes back within an assignment.
                self._positions[done.tp] = max(self._positions.get(done.tp, 0), done.offset + 1)

    # --- for the consumer

    def positions(self) -> Mapping[TP, int]:
        """Offsets that may be committed: one past the last record done, per partition."""
        return self._positions

    # --- the outbox

    def start(self) -> None:
        """Begin to send. Needs a running loop and the application's producer."""
        self._sender = asyncio.ensure_future(self._send())

    async def stop(self) -> None:
        """End sending; what is still queued was never confirmed and will be processed again."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    async def _send(self) -> None:
        producer = self._app.producer
        try:
            while True:
                while not self._outbox:
                    self._queued.clear()
                    await self._queued.wait()
                work, topic, key, value, partition = self._outbox.popleft()
                future = cast(
                    "asyncio.Future[Any]", await producer.send(topic, key, value, partition, None, None)
                )
                future.add_done_callback(partial(self._confirm, work, topic))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._fail(error, "?")

    def _confirm(self, work: Work, topic: str, future: "asyncio.Future[Any]") -> None:
        if future.cancelled():
            return  # the producer was closed: this record is processed again by whoever comes next
        error = future.exception()
        if error is None:
            work.delivered()
        else:
            asyncio.ensure_future(self._fail(error, topic))  # noqa: RUF006 -- the application holds on to its end

    async def _fail(self, error: BaseException, topic: str) -> None:
        await self._app.fail(DeliveryError(topic, error))

    # --- rebalances and shutdown

    async def drain(self, timeout: float) -> bool:
        """Begin nothing more and wait until all begun work is delivered; False when time ran out."""
        self._paused = True
        try:
            async with asyncio.timeout(timeout):
                while self._in_flight:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            return False
        return True

    def forget(self) -> None:
        """The assignment is gone: what was begun in it no longer moves a position."""
        self._begun.clear()
        self._positions.clear()
        self._in_flight = 0
        self._settled.set()

    def resume(self) -> None:
        """A new assignment is in force."""
        self._paused = False


class Consumer(driver.Consumer):
    """Faust's consumer, committing the positions of `Delivery` instead of its own acks (3, 4)."""

    logger = _SERVICES

    @property
    def _delivery(self) -> Delivery:
        return cast(ReliableApp, self.app).delivery

    def ack(self, message: Any) -> bool:
        """An ack of Faust's streams; it moves nothing."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            tp
            for tp in list(self._delivery.positions())
            if topics is None or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self._delivery.positions().get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps between offsets (compaction) need no book-keeping: positions are of records seen."""


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = Consumer


class SteadyFlow(FlowControlEvent):
    """Flow control that keeps what is buffered when the flow is resumed while it runs (8)."""

    def resume(self) -> None:
        """Let records flow; buffers are emptied only when the flow was suspended before."""
        if not self.is_active():
            super().resume()


class ReliableApp(faust.App):
    """A Faust application whose commits follow deliveries. See the module's contract."""

    logger = _SERVICES

    def __init__(self, name: str, *, window: int, drain_timeout: float, **options: Any) -> None:
        self.delivery = Delivery(self, window)
        self.failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._drain_timeout = drain_timeout
        super().__init__(name, **options)
        self.flow_control = SteadyFlow()
        # XXX connect() wants a positional-only signature that no method has; it is called by keyword.
        self.on_partitions_revoked.connect(cast(Any, self._leave_assignment))
        self.on_partitions_assigned.connect(cast(Any, self._enter_assignment))

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    async def fail(self, error: BaseException) -> None:
        """Stop with this error; the first one counts."""
        if self.failure is None:
            self.failure = error
        self._failed.set()

    async def failed(self) -> BaseException:
        """Waits until the application failed, and returns why."""
        await self._failed.wait()
        return self.failure or RuntimeError("failed without a reason")

    async def crash(self, reason: BaseException) -> None:
        """Faust's own way to fail ends in ours."""
        await self.fail(reason)
        await super().crash(reason)

    async def _leave_assignment(self, app: Any, revoked: Any, **_: Any) -> None:
        # Well within the session: the group waits for us. What is not drained is replayed.
        if await self.delivery.drain(min(self._drain_timeout, self.conf.broker_session_timeout / 3)):
            await self.consumer.commit()
        self.delivery.forget()

    async def _enter_assignment(self, app: Any, assigned: Any, **_: Any) -> None:
        self.delivery.forget()
        self.delivery.resume()

    async def drain_and_commit(self) -> bool:
        """For shutdown: finish what was begun, and commit it; False when time ran out."""
        drained = await self.delivery.drain(self._drain_timeout)
        await self.consumer.commit()
        return drained


class KeyedState(faust.Table[bytes, bytes]):
    """A changelog-backed map from bytes to packed states, per partition, in memory.

    Values carry their version in front (`models.codec`). `write` is synchronous: between a read
    and the write of the same key there is no await, so no other agent can come between.
    """

    logger = _SERVICES

    def __init__(self, app: ReliableApp, name: str, **options: Any) -> None:
        super().__init__(app, name=name, key_type=bytes, value_type=bytes, store="memory://", **options)
        self._states: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.stale_refused = 0
        """older states that recovery found behind newer ones: writes of a worker that was paused"""

    def read(self, partition: int, key: bytes) -> bytes | None:
        """The packed state of a key, or None."""
        return self._states[partition].get(key)

    def write(self, work: Work, key: bytes, value: bytes | None) -> None:
        """Replace (or, by None, delete) a state, and queue its changelog record.

        The key belongs to the partition of `work`: the topic of the event and the changelog have
        equal partition counts and equal keys.
        """
        self._put(work.tp.partition, key, value)
        work.send(self.changelog_topic_name, key, value, partition=work.tp.partition)

    def keys_of(self, partition: int) -> list[bytes]:
        """The keys held for a partition, as they are now."""
        return list(self._states[partition])

    def __len__(self) -> int:
        return sum(len(states) for states in self._states.values())

    def _put(self, partition: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._states[partition].pop(key, None)
        else:
            self._states[partition][key] = value

    # --- what Faust calls

    def apply_changelog_batch(self, batch: Any) -> None:
        """Recovery: take each record unless a newer state is there; an error stops the worker."""
        try:
            for event in batch:
                message = event.message
                if message.topic != self.changelog_topic_name:
                    continue  # XXX Recovery hands a partition it no longer knows to the table before
                held = self._states[message.partition].get(message.key)
                if (
                    held is not None
                    and message.value is not None
                    and version_of(message.value) < version_of(held)
                ):
                    self.stale_refused += 1
                    continue
                self._put(message.partition, message.key, message.value)
        except Exception as error:
            # Recovery would log this and go on without the record.
            asyncio.ensure_future(cast(ReliableApp, self.app).fail(error))  # noqa: RUF006
            raise

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget the partitions that were taken away: their states age from now on."""
        for tp in revoked:
            if tp.topic == self.changelog_topic_name:
                self._states.pop(tp.partition, None)


Step = Callable[[Work], None]
"""Processes one record without waiting; sends through the work."""

BatchStep = Callable[[list[Work]], Awaitable[None]]
"""Processes some records, in order; sends through each one's work. May wait, may run beside others."""


def agent(app: ReliableApp, topic: str, step: Step) -> None:
    """Register an agent that runs `step` for each record of a topic, in order.

    A step rejects bad records itself. An exception that escapes it is a flaw or damaged state:
    the worker stops, loudly.
    """

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is None:
                continue
            try:
                step(work)
            except Exception as error:
                log.exception("Processing %s[%d]@%d failed", work.tp.topic, work.tp.partition, work.offset)
                await app.fail(error)
                raise
            work.finish()

    _register(app, (topic,), run)


def batch_agent(
    app: ReliableApp,
    topics: Sequence[str],
    step: BatchStep,
    *,
    size: int,
    linger: float,
    side_by_side: int,
) -> None:
    """Register an agent that runs `step` for batches of at most `size` records.

    A batch waits at most `linger` seconds to fill, and `side_by_side` batches may run at once;
    positions move in order all the same.
    """
    waiting: asyncio.Queue[Work] = asyncio.Queue()
    free = asyncio.Semaphore(side_by_side)
    running: set[asyncio.Task[None]] = set()

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is not None:
                waiting.put_nowait(work)

    async def process(batch: list[Work]) -> None:
        try:
            await step(batch)
            for work in batch:
                work.finish()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("Processing a batch of %s failed", batch[0].tp.topic)
            await app.fail(error)
        finally:
            free.release()

    async def dispatch() -> None:
        while True:
            batch = [await waiting.get()]
            await free.acquire()
            if waiting.qsize() < size - 1:
                await asyncio.sleep(linger)
            while waiting.qsize() and len(batch) < size:
                batch.append(waiting.get_nowait())
            task = asyncio.ensure_future(process(batch))
            running.add(task)
            task.add_done_callback(running.discard)

    _register(app, topics, run)
    app.task(dispatch)


def _register(app: ReliableApp, topics: Sequence[str], run: Any) -> None:
    # Bytes in, bytes out: a decode error inside Faust would be acked and dropped.
    source = app.topic(*topics, key_type=bytes, value_type=bytes, allow_empty=True)
    app.agent(source, name=f"streams.{'+'.join(topics)}")(run)
