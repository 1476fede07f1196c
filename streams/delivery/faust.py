"""Faust's consumer, fetcher, producer and recovery made safe.

The traps of faust-streaming 0.15.3 and aiokafka 0.14.0 that are closed in this package, so that no
other one needs to know them. Tests of the first eight, by number: `tests/integration/test_faust_traps.py`.

1. `ProducerBuffer` gives up flushing after 0.1 s, and the commit goes ahead. So records are sent
   through the producer itself, and an offset becomes committable when their futures are done.
2. A failed delivery is only logged. So the callback of `Delivery` stops the application.
3. Offsets acked out of order commit over unfinished ones. So committable offsets come from a queue
   per partition, whose head must be done.
4. An exception or a cancellation acks the event. Faust's loop in pure Python also acks records of an
   old generation that it skips, even under `noack()`. So Faust's acks mean nothing here: `Consumer`
   commits the offsets of `Delivery` only.
5. A rebalance replays uncommitted events. So work in flight is drained and committed first, and the
   fold recognises what is replayed all the same.
6. A table write outside the current event raises. So keyed state names its partition itself.
7. Records of an old generation still arrive after a rebalance. So `Delivery.begin` refuses them.
8. Recovery throws away records that were fetched while it ended. It keeps states of partitions that
   others owned in between, and goes on when a record cannot be applied. So there are no Faust tables:
   `streams.delivery.state` restores states before the streams are resumed.
9. At a rebalance a fetch in flight is thrown away. Seeking to the committed offsets gets its records
   back, but does nothing where none is committed yet. So `Consumer` seeks to the beginning there.
10. When a rebalance begins while another ends, Faust opens the flow in the middle of it. Records read
   before the next seek are then emptied out of the buffers. So `Recovery` opens the flow itself,
   after the seek, and only for an assignment that is still in force.
11. A consumer whose broker is away delays the stop of the worker by a minute. So it gets seconds: all
   it could still do was committed before.
12. A dead agent is started again behind the record that killed it, a dead fetcher never. So whatever
   ends a task of the application ends the application (`ReliableApp.essential`, `_watch`).
13. Faust drops records whose offset is before the one it read last, at debug level. So `Thread`
   compares offsets itself, and stops the application (`streams.delivery.continuity`).
14. aiokafka cannot read a record with a header name that is not UTF-8, and raises at it for ever. So
   it reads by `streams.delivery.headers`.
15. A commit waits for a broker that is away for ever, and the stop of the consumer waits for the
   commit. So `Thread` waits for one session at most, and no longer than until the application fails.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import CommitFailedError, KafkaTimeoutError, TopicAuthorizationFailedError
from aiokafka.structs import OffsetAndMetadata
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery as FaustRecovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.threads import WorkerThread

from streams.delivery import headers
from streams.delivery.continuity import went_back
from streams.delivery.errors import Fenced, ReadDenied
from streams.delivery.outbox import Delivery

if TYPE_CHECKING:
    from streams.delivery.application import ReliableApp

SERVICES = logging.getLogger("faust.superfan")
"""Logger of our subclasses of Faust's services: as quiet as Faust's own."""

headers.install()

LEAVE_SECONDS = 5.0
"""Time a consumer has to leave its group after all was committed (11)."""


class _Listener(driver.ConsumerRebalanceListener):
    """Called in the consumer's thread, where its heartbeats can be seen."""

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        coordinator = self._thread._ensure_consumer()._coordinator
        app = cast("ReliableApp", self._thread.app)
        app.rebalances_assigned = app.rebalancing_count
        app.lease.watch(coordinator)
        await super().on_partitions_assigned(assigned)
        # One at once: streams wait for it, and the next is a tenth of a session away.
        app.add_heartbeat(asyncio.ensure_future(coordinator._do_heartbeat()))


class Thread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread; commits carry topic ids, and offsets that go back are seen (13)."""

    logger = SERVICES

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read: dict[TP, int] = {}
        """Offset after the last record handed out since the last seek, per partition."""

    @property
    def _app(self) -> "ReliableApp":
        return cast("ReliableApp", self.app)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer, mine, ids = self._ensure_consumer(), self.assignment(), self._app.topic_ids
        marked = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, ids.get(tp.topic, ""))
            for tp, offset in offsets.items()
            if tp in mine
        }
        committing = asyncio.ensure_future(consumer.commit(marked))
        try:
            return await self._within_session(committing)
        except CommitFailedError as error:
            if "already rebalanced" not in str(error):
                await self.crash(error)
            return False
        except Exception as error:
            await self.crash(error)
            return False

    async def _within_session(self, committing: "asyncio.Future[None]") -> bool:
        """Wait for a commit, for one session at most; return False when the application failed (15)."""
        deadline = time.monotonic() + self._app.conf.broker_session_timeout
        while not (await asyncio.wait({committing}, timeout=0.5))[0]:
            if self._app.failure is not None:
                committing.cancel()
                return False
            if time.monotonic() > deadline:
                committing.cancel()
                raise KafkaTimeoutError("a commit was not answered")
        await committing
        return True

    async def _fetch_records(self, *args: Any, **options: Any) -> Any:
        # Failures are reported to the application, and nothing is handed out until it stops: an
        # exception would be logged with a traceback, and end the fetcher.
        try:
            found = await super()._fetch_records(*args, **options)
        except TopicAuthorizationFailedError as error:
            self._app.fail(ReadDenied(str(error.args[0]) if error.args else "?", self._app.conf.id))
            return {}
        for tp, records in found.items():
            expected = self.read.get(tp, 0)
            if records and records[0].offset < expected:
                self._app.fail(went_back(self._app.role, tp, expected, records[0].offset))
                return {}
            if records:
                self.read[tp] = records[-1].offset + 1
        return found


class _DaemonThread(WorkerThread):
    """A consumer's thread that does not keep a stopped process alive if it hangs."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


class Consumer(driver.Consumer):
    """Faust's consumer, committing the offsets of `Delivery` instead of its own acks (3, 4)."""

    logger = SERVICES
    RebalanceListener = _Listener
    _thread: Thread

    def _new_consumer_thread(self) -> Thread:
        thread = Thread(self, loop=self.loop, beacon=self.beacon)
        thread.shutdown_timeout = LEAVE_SECONDS
        thread.Worker = _DaemonThread
        return thread

    @property
    def _delivery(self) -> Delivery:
        return cast("ReliableApp", self.app).delivery

    @property
    def read(self) -> Mapping[TP, int]:
        """Offset after the last record read since the last seek, per partition."""
        return dict(self._thread.read)

    @property
    def ended(self) -> bool:
        """True when a task in which aiokafka fetches or keeps the membership has ended."""
        consumer = self._thread._consumer
        if consumer is None or consumer._closed:
            return False
        tasks = (consumer._fetcher._fetch_task, getattr(consumer._coordinator, "_coordination_task", None))
        return any(task is not None and task.done() for task in tasks)

    def ack(self, message: Any) -> bool:
        """Accept an ack of Faust's streams, which moves nothing."""
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
        """Seek to the committed offsets of the group; to the beginning where there are none (9)."""
        self._thread.read.clear()
        found = await super().seek_to_committed()
        fresh = [self._new_topicpartition(*tp) for tp in self.assignment() if not found.get(tp)]
        if fresh:
            await self._thread.seek_to_beginning(*fresh)
        starts = cast("ReliableApp", self.app).starts
        if anew := [self._new_topicpartition(*tp) for tp, offset in starts.items() if not offset]:
            await self._thread.seek_to_beginning(*anew)
        await self._thread.seek_wait({tp: offset for tp, offset in starts.items() if offset})
        return {**found, **starts}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Skip Faust's check: it sees none of our acks and would call streams stuck. The lag shows them."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore gaps between offsets, which compaction leaves: committable offsets are of records seen."""


class Fetcher(base.Fetcher):
    """Faust's fetcher, whose end is the end of the application (12)."""

    logger = SERVICES

    @Service.task
    async def _fetcher(self) -> None:
        app = cast("ReliableApp", self.app)
        try:
            await app.essential("the fetcher", cast(Consumer, app.consumer)._drain_messages(self))
        finally:
            self.set_shutdown()


class Producer(driver.Producer):
    """Faust's producer, which sends nothing without the lease."""

    logger = SERVICES

    async def on_start(self) -> None:
        """Check the lease before every request."""
        await super().on_start()
        lease = cast("ReliableApp", self.app).lease
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
    """Faust's transport with our consumer, fetcher and producer."""

    Consumer = Consumer
    Fetcher = Fetcher
    Producer = Producer


class Recovery(FaustRecovery):
    """Faust's recovery of an application without tables: restores states before streams are resumed."""

    logger = SERVICES

    async def _resume_streams(self, generation_id: int = 0) -> None:
        """Replace Faust's method, which lets records flow for an assignment that is being taken away (10)."""
        app = cast("ReliableApp", self.app)
        consumer = app.consumer
        # Faust leaves the flow open in a worker without partitions: what came before the seek is lost.
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


class Tables(TableManager):
    """Faust's tables, of which there are none; with our recovery."""

    logger = SERVICES

    @property
    def recovery(self) -> FaustRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
