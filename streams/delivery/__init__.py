"""Delivery before acknowledgement, in order: the small layer that makes Faust safe to count with.

What it promises, for an application built by `ReliableApp`:

* An input offset is committed only after every record that its processing sent (changelog,
  outputs, dead letters) was confirmed by the broker, and so were those of all offsets before it
  in its partition. So: at-least-once, whatever dies and whenever.
* States are sent in the order in which processing wrote them, across all agents of the application,
  and what processing sends after a state of its partition leaves when that state was confirmed. So:
  the changelog of a key ends in its newest state, and nothing is out that no state knows of.
* A delivery that fails stops the application with that error; nothing is skipped.
* At most `window` records are begun and not yet delivered: the rest waits in Kafka.
* Nothing is begun, and nothing more is sent, for an assignment that has passed. States
  (`streams.delivery.state`) are those of the changelog,
  but for partitions that stayed from one assignment to the very next.
* Nothing is sent once the group may have given this worker up: a worker that was paused beyond its
  session stops at its next send, before that reaches the broker, and starts again (`Lease`).

What it does not promise: that a record is processed once (folds must be idempotent), nor that a
request that was on its way when a worker was paused is not taken by the broker afterwards. Kafka
cannot fence that at this level: such a state may be older than the newest; recovery refuses it.

The traps of faust-streaming 0.15.3 that are closed here, so that no other module needs to know
them (numbers as in `tests/integration/test_faust_traps.py`):

1. `ProducerBuffer` gives up flushing after 0.1 s and lets the commit go ahead -> records are sent
   through the producer itself, and a position moves only when their futures are done.
2. A failed delivery is only logged -> the callback here stops the application.
3. Offsets acked out of order commit over unfinished ones -> positions come from a queue per
   partition whose head must be done.
4. An exception or a cancel acks the event, and so does, in Faust's loop in pure Python, the
   skipping of records of an old generation, even under `noack()` -> Faust's acks mean nothing
   here: `Consumer` commits positions of this module only.
5. A rebalance replays uncommitted events -> in-flight work is drained and committed first, and
   what is replayed all the same is recognised by the fold.
6. A table write outside the current event raises -> keyed state names its partition itself.
7. Records of an old generation still arrive after a rebalance -> `begin` refuses them.
8. Recovery throws away records that were fetched while it ended, keeps states of partitions that
   others owned in between, and goes on when a record cannot be applied -> no Faust tables:
   `streams.delivery.state` restores what is needed before the streams are resumed.
9. At a rebalance a fetch in flight is thrown away, and seeking to the committed offsets, which gets
   its records back, does nothing where none is committed yet -> `Consumer` seeks to the beginning.
10. When a rebalance begins while another ends, the flow is opened in the middle of it; records that
   are read behind the next seek are then emptied out of the buffers -> `_Restoring` opens the flow
   itself, after the seek, and only for an assignment that is still in force.
11. A consumer whose broker is away is waited for a minute when the worker stops -> seconds: what it
   could still do was done, and committed, before.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import faust
from aiokafka.errors import InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.delivery.state import KeyedState, restore
from streams.ops import logs, meters, metrics

log = logging.getLogger(__name__)

_SERVICES = logging.getLogger("faust.superfan")
"""Where Faust logs that our subclasses of its services start and stop: as quiet as its own."""

_REFUSALS = (InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError)
"""Answers of the broker that would be the same the next time."""


ARRIVED = "superfan-arrived-ms"
"""Header of all that is sent, states excepted: when the record that led to it came in, epoch milliseconds.
So each role can tell how long after the arrival of a post its own work is out."""

LEAVING = 5.0
"""seconds in which a consumer must have left its group after all was committed (11)"""


class DeliveryError(Exception):
    """A record could not be delivered; the worker must stop and start again from its commits.

    `passing` says whether that may help: the broker was away, and did not refuse the record.
    """

    def __init__(self, topic: str, error: BaseException) -> None:
        super().__init__(f"a record for {topic} could not be delivered: {error!r}")
        self.passing = not isinstance(error.__cause__ or error, _REFUSALS)


class Fenced(Exception):
    """The group may have given this worker up: somebody else may own its partitions by now."""


class Lease:
    """Until when the group surely counts on this worker: one session after its last heartbeat was sent.

    Heartbeats are sent and answered in the consumer's own thread, so a busy worker keeps its
    lease; a paused process does not, and finds that out before it sends anything.
    """

    def __init__(self, session: float) -> None:
        self._session = session
        self._assigned = self._sent = 0.0
        self._void = False

    def watch(self, coordinator: Any) -> None:
        """An assignment has come: from now on note every heartbeat that the broker took."""
        self._assigned = _now()
        beat = coordinator._do_heartbeat
        if getattr(beat, "noted", False):
            return

        async def noted() -> bool:
            sent = _now()
            taken = bool(await beat())
            if taken:
                self._sent = sent
            return taken

        noted.noted = True  # type: ignore[attr-defined]
        coordinator._do_heartbeat = noted

    def holds(self) -> bool:
        """Whether nobody else can own this worker's partitions."""
        return not self._void and _now() < self._sent + self._session

    def confirmed(self) -> bool:
        """Whether the assignment was still in force after it had come: a paused worker may see an old one."""
        return self._sent > self._assigned

    def give_up(self) -> None:
        """From now on the lease never holds again."""
        self._void = True


def _now() -> float:
    """A clock that also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Work:
    """One input record being processed: open until `finish`, complete when all it sent is delivered."""

    __slots__ = (
        "_delivery",
        "_finished",
        "_pending",
        "arrived_ms",
        "assignment",
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
        self.assignment = delivery.assignment
        self.tp: TP = message.tp
        self.offset: int = message.offset
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
        """The record as logs have it."""
        return {"role": self._delivery.role, **logs.position(*self.tp, self.offset, self.key)}

    @property
    def complete(self) -> bool:
        """Finished, and everything sent was confirmed."""
        return self._finished and not self._pending

    @property
    def wanted(self) -> bool:
        """Whether long work should go on: False when the partition is being taken away."""
        return self._delivery.wants(self)

    async def delivered_but(self, pending: int = 0) -> bool:
        """Wait until at most so many of the records sent are unconfirmed; False: no longer wanted."""
        while self.wanted and self._pending > pending:
            await self._delivery.next_confirmation()
        return self.wanted

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Queue a record for delivery: behind the states that were stored before, in the order of calls."""
        self._pending += 1
        self._delivery.queue(_Record(self, topic, key, value))

    def store(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Queue the record of a state, for the partition of this record."""
        self._pending += 1
        self._delivery.queue(_Record(self, topic, key, value, state=True))

    def finish(self) -> None:
        """Say that nothing more will be sent for this record."""
        self._finished = True
        self._delivery.settle(self)

    def abandon(self) -> None:
        """Say that it will not be finished: it comes again, to whoever owns the partition then."""
        self._delivery.leave(self)

    def delivered(self) -> None:
        """One of the records sent was confirmed."""
        self._pending -= 1
        self._delivery.settle(self)


def _arrived(headers: Iterable[tuple[str, bytes]] | None, otherwise: int) -> int:
    for name, value in headers or ():
        if name == ARRIVED and value.isdigit() and len(value) < 16:
            return int(value)
    return otherwise


@dataclass(slots=True)
class _Record:
    """A record on its way out."""

    work: Work
    topic: str
    key: bytes | None
    value: bytes | None
    state: bool = False
    confirmed: bool = False


class Delivery:
    """The outbox, the queues of begun work and the positions that may be committed, of one application."""

    def __init__(self, app: "ReliableApp", window: int) -> None:
        self._app = app
        self.role = app.role
        self.pace = meters.Pace(app.role)
        self._window = window
        self._begun: dict[TP, deque[Work]] = defaultdict(deque)
        self._in_flight = 0
        self._positions: dict[TP, int] = {}
        self._outbox: deque[_Record] = deque()
        self._held: dict[int, deque[_Record]] = defaultdict(deque)
        """per partition: states that are on their way, and everything that was sent after them"""
        self._queued = asyncio.Event()
        self._settled = asyncio.Event()
        self._confirmed = asyncio.Event()
        self._paused = True
        self._sender: asyncio.Task[None] | None = None
        self.assignment = 0
        """counts the assignments that have passed"""

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

    def queue(self, record: "_Record") -> None:
        """Put a record in line; nothing of an assignment that has passed."""
        if record.work.assignment != self.assignment:
            return
        held = self._held[record.work.partition]
        if record.state or held:
            held.append(record)
        if record.state or not held:
            self._outbox.append(record)
            self._queued.set()

    def _release(self, partition: int) -> None:
        """Let go what stands behind states that are confirmed by now."""
        held = self._held[partition]
        while held and (held[0].confirmed or not held[0].state):
            record = held.popleft()
            if not record.state:
                self._outbox.append(record)
                self._queued.set()

    def settle(self, work: Work) -> None:
        """Move the position of a partition over the completed work at the head of its queue."""
        if work.assignment != self.assignment:
            return
        begun = self._begun.get(work.tp)
        now = time.time() if begun and begun[0].complete else 0.0
        while begun and begun[0].complete:
            done = begun.popleft()
            self.pace.done(done.tp.topic, done.arrived_ms, now)
            self._in_flight -= 1
            self._settled.set()
            # A seek may deliver records twice: a position never goes back within an assignment.
            self._positions[done.tp] = max(self._positions.get(done.tp, 0), done.offset + 1)

    def wants(self, work: Work) -> bool:
        """Whether work that takes long should go on."""
        return not self._paused and work.assignment == self.assignment

    def leave(self, work: Work) -> None:
        """Do not wait for this work; the position of its partition stays before it."""
        if work.assignment == self.assignment:
            self._in_flight -= 1
            self._settled.set()

    async def next_confirmation(self) -> None:
        """Wait until something was confirmed, or the assignment is about to go."""
        self._confirmed.clear()
        await self._confirmed.wait()

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
            await self._fail(error, topic)

    def _confirm(self, record: "_Record", future: "asyncio.Future[Any]") -> None:
        if future.cancelled():
            return  # the producer was closed: this record is processed again by whoever comes next
        error = future.exception()
        if error is None:
            record.confirmed = True
            if record.state and record.work.assignment == self.assignment:
                self._release(record.work.partition)
            record.work.delivered()
            self._confirmed.set()
        else:
            asyncio.ensure_future(self._fail(error, record.topic))  # noqa: RUF006 -- the application holds on to its end

    async def _fail(self, error: BaseException, topic: str) -> None:
        await self._app.fail(DeliveryError(topic, error))

    # --- rebalances and shutdown

    async def drain(self, timeout: float) -> bool:
        """Begin nothing more and wait until all begun work is delivered; False when time ran out."""
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
        """The assignment is gone: nothing more is sent for it, and no position moves."""
        self.assignment += 1
        self._outbox.clear()
        self._held.clear()
        self._begun.clear()
        self._positions.clear()
        self._in_flight = 0
        self._settled.set()

    def resume(self) -> None:
        """A new assignment is in force, and its states are here."""
        self.pace.assigned()
        self._paused = False

    @property
    def flowing(self) -> bool:
        """Whether records are begun: an assignment is in force, and nobody drains it."""
        return not self._paused


class _Listener(driver.ConsumerRebalanceListener):
    """Called in the consumer's thread: the place to see its heartbeats."""

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        coordinator = self._thread._ensure_consumer()._coordinator
        app = cast(ReliableApp, self._thread.app)
        app.entered = app.rebalancing_count
        app.lease.watch(coordinator)
        await super().on_partitions_assigned(assigned)
        # One at once: streams wait for it, and the next is a tenth of a session away.
        app.add_heartbeat(asyncio.ensure_future(coordinator._do_heartbeat()))


class Consumer(driver.Consumer):
    """Faust's consumer, committing the positions of `Delivery` instead of its own acks (3, 4)."""

    logger = _SERVICES
    RebalanceListener = _Listener

    def _new_consumer_thread(self) -> Any:
        thread = super()._new_consumer_thread()
        thread.shutdown_timeout = LEAVING
        return thread

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

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to where the group stands: to the beginning where it has committed nothing (9)."""
        found = await super().seek_to_committed()
        fresh = [self._new_topicpartition(*tp) for tp in self.assignment() if not found.get(tp)]
        if fresh:
            await self._thread.seek_to_beginning(*fresh)
        return found

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust would call streams stuck whose acks it does not see; how far they are is told by the lag."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps between offsets (compaction) need no book-keeping: positions are of records seen."""


class Producer(driver.Producer):
    """Faust's producer, which sends nothing without the lease."""

    logger = _SERVICES

    async def on_start(self) -> None:
        """Put the lease before every request."""
        await super().on_start()
        lease = cast(ReliableApp, self.app).lease
        sender = cast(Any, self._ensure_producer())._sender
        send = sender._send_produce_req

        async def send_under_lease(node: int, batches: Mapping[Any, Any]) -> None:
            if lease.holds():
                await send(node, batches)
                return
            for tp, batch in batches.items():
                batch.failure(Fenced("this worker was away for longer than its session"))
                sender._muted_partitions.discard(tp)
            sender._in_flight.discard(node)

        sender._send_produce_req = send_under_lease


class Transport(driver.Transport):
    """Faust's transport with our consumer and producer."""

    Consumer = Consumer
    Producer = Producer


class _Restoring(Recovery):
    """Faust's recovery of an application without tables: restores states before streams are resumed."""

    logger = _SERVICES

    async def _resume_streams(self, generation_id: int = 0) -> None:
        """In place of Faust's, which lets records flow for an assignment that is being taken away (10)."""
        app = cast(ReliableApp, self.app)
        consumer = app.consumer
        # Of a worker that had no partitions Faust has left the flow open: what came before the seek is lost.
        consumer.stop_flow()
        app.flow_control.suspend()
        if not await app.restored(generation_id):
            return
        await app.on_rebalance_complete.send()
        assignment = consumer.assignment()
        if assignment:
            await self._wait(consumer.perform_seek(), timeout=app.conf.broker_request_timeout)
        if not app.in_force(generation_id):
            return
        # Nothing is awaited until the flow is open: a rebalance that begins now finds it open, and stops it.
        app.delivery.resume()
        self.completed.set()
        consumer.resume_partitions(assignment)
        app.flow_control.resume()
        consumer.resume_flow()
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        await cast(Any, app)._fetcher.maybe_start()


class _Tables(TableManager):
    """Faust's tables, of which there are none; with our recovery."""

    logger = _SERVICES

    @property
    def recovery(self) -> Recovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = _Restoring(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class ReliableApp(faust.App):
    """A Faust application whose commits follow deliveries. See the module's contract.

    `states` are restored whenever partitions are assigned, before their records are read.
    """

    logger = _SERVICES

    def __init__(
        self,
        name: str,
        *,
        window: int,
        drain_timeout: float,
        session: float,
        bootstrap: Sequence[str],
        states: Sequence[KeyedState] = (),
        **options: Any,
    ) -> None:
        self.role = metrics.role_of(name)
        self.delivery = Delivery(self, window)
        self.lease = Lease(session)
        self.failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._drain_timeout = drain_timeout
        self._bootstrap = bootstrap
        self.states = states
        self.missing: Callable[[], str | None] = lambda: None
        """what else the role needs and has not, in words"""
        self._owned: tuple[int, frozenset[int]] = (-1, frozenset())
        """the generation in which partitions were last restored, and which they are"""
        self._drained = True
        self._heartbeats: set[asyncio.Future[Any]] = set()
        self.entered = 0
        """the count of rebalances at which the newest assignment came"""
        super().__init__(
            name, broker_session_timeout=session, TableManager=f"{__name__}:{_Tables.__name__}", **options
        )
        # XXX connect() wants a positional-only signature that no method has; it is called by keyword.
        self.on_partitions_revoked.connect(cast(Any, self._leave_assignment))
        self.on_partitions_assigned.connect(cast(Any, self._enter_assignment))

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Nothing is kept on disk: a worker runs where it may not write."""
        # XXX Faust makes three folders in the working directory, for tables of a kind that is not used here.

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

    def add_heartbeat(self, beat: "asyncio.Future[Any]") -> None:
        """Hold on to a heartbeat until it is answered; if it is not, the next one is soon due."""

        def answered(beat: "asyncio.Future[Any]") -> None:
            self._heartbeats.discard(beat)
            if not beat.cancelled():
                beat.exception()

        self._heartbeats.add(beat)
        beat.add_done_callback(answered)

    def unready(self) -> str | None:
        """Why this application does not work now, in words; None when it does. For any thread."""
        if not self.delivery.flowing:
            return "has no partitions yet, or its states are not here"
        return self.missing() if self.lease.holds() else "has not heard of the broker for a session"

    @property
    def owned(self) -> frozenset[int]:
        """Partitions whose states are here and current."""
        return self._owned[1]

    async def _leave_assignment(self, app: Any, revoked: Any, **_: Any) -> None:
        # Well within the session: the group waits for us. What is not drained is replayed.
        self._drained = await self.delivery.drain(
            min(self._drain_timeout, self.conf.broker_session_timeout / 3)
        )
        if self._drained:
            await self._commit()
        elif self.states:
            # What is on its way would be written behind the back of the next owner.
            self.lease.give_up()
            await self.fail(Fenced("partitions were taken away with work on its way"))
        self.delivery.forget()

    async def _enter_assignment(self, app: Any, assigned: Any, **_: Any) -> None:
        self.delivery.forget()

    def in_force(self, generation: int) -> bool:
        """Whether the assignment of this generation is the newest, and no rebalance has begun since."""
        newest = self.consumer_generation_id == generation and self.rebalancing_count == self.entered
        return newest and not self.should_stop

    async def restored(self, generation: int) -> bool:
        """Bring the states of the assigned partitions here; False when they were taken away meanwhile.

        States in memory are kept for partitions that were here in the generation just before:
        nobody else can have owned them.
        """
        try:
            return await self._restore(generation)
        except Exception as error:
            await self.fail(error)
            raise

    async def _restore(self, generation: int) -> bool:
        def wanted() -> bool:
            return self.in_force(generation)

        mine = _copartitioned(self.consumer.assignment())
        before, owned = self._owned
        kept = owned & mine if self._drained and generation == before + 1 else frozenset()
        for state in self.states:
            state.forget(kept)
        self._owned = (generation, kept)
        if self.states and (missing := mine - kept):
            restored = await restore(self.states, missing, bootstrap=self._bootstrap, wanted=wanted)
            if restored is None:
                return False
            log.info(
                "Recovered %d partitions from %d changelog records in %.1f s",
                len(missing), *restored, extra={"role": self.role},
            )  # fmt: skip
        while mine and not self.lease.confirmed():
            if not wanted():
                return False
            await asyncio.sleep(0.01)
        self._owned = (generation, mine)
        return True

    async def drain_and_commit(self) -> bool:
        """For shutdown: finish what was begun, and commit it; False when time ran out."""
        drained = await self.delivery.drain(self._drain_timeout)
        await self._commit()
        return drained

    async def _commit(self) -> None:
        # A commit that finds another under way waits for that one, and commits nothing itself.
        if not await self.consumer.commit():
            await self.consumer.commit()


def _copartitioned(assignment: Iterable[TP]) -> frozenset[int]:
    """The partitions assigned: the same of every topic, or keys would not meet their states."""
    by_topic: dict[str, set[int]] = defaultdict(set)
    for tp in assignment:
        by_topic[tp.topic].add(tp.partition)
    shares = {frozenset(partitions) for partitions in by_topic.values()}
    if len(shares) > 1:
        raise RuntimeError(f"topics are not partitioned alike: {dict(by_topic)}")
    return shares.pop() if shares else frozenset()


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
            began = time.perf_counter()
            try:
                step(work)
            except Exception as error:
                log.exception("A record could not be processed", extra=work.fields)
                await app.fail(error)
                raise
            app.delivery.pace.step(time.perf_counter() - began)
            work.finish()

    _register(app, (topic,), run)


LongStep = Callable[[Work], Awaitable[bool]]
"""Processes one record in slices, waiting in between; False when the work was no longer `wanted`."""


def long_agent(app: ReliableApp, topic: str, step: LongStep) -> None:
    """Register an agent whose step may take long: one record at a time, while other agents go on.

    Between two slices other agents may change any state.
    """

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is None:
                continue
            try:
                done = await step(work)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("A record could not be processed", extra=work.fields)
                await app.fail(error)
                raise
            if done:
                work.finish()
            else:
                work.abandon()

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
        began = time.perf_counter()
        try:
            await step(batch)
            app.delivery.pace.step(time.perf_counter() - began)
            for work in batch:
                work.finish()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("A batch could not be processed", extra=batch[0].fields | {"count": len(batch)})
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
            batch = [work for work in batch if work.assignment == app.delivery.assignment]
            if not batch:
                free.release()
                continue
            task = asyncio.ensure_future(process(batch))
            running.add(task)
            task.add_done_callback(running.discard)

    _register(app, topics, run)
    app.task(dispatch)


def _register(app: ReliableApp, topics: Sequence[str], run: Any) -> None:
    # Bytes in, bytes out: a decode error inside Faust would be acked and dropped.
    source = app.topic(*topics, key_type=bytes, value_type=bytes, allow_empty=True)
    app.agent(source, name=f"streams.{'+'.join(topics)}")(run)
