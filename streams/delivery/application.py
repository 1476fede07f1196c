"""The application of one role: a Faust application whose commits follow deliveries."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from models.errors import SuperfanError
from streams.delivery.continuity import (
    CHECK_SECONDS,
    Ask,
    Epochs,
    Found,
    check_commits,
    check_reading,
    epoch_codec,
    epoch_key,
)
from streams.delivery.errors import DeliveryError, Fenced, RoleEnded
from streams.delivery.faust import SERVICES, Consumer, Tables, Transport
from streams.delivery.lease import Lease
from streams.delivery.outbox import Delivery
from streams.delivery.state import KeyedState, restore
from streams.ops import metrics

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
"""Time between two looks at the tasks that a role cannot work without (12)."""


StartPositions = Callable[[Mapping[TP, int], Callable[[], bool]], Awaitable[Mapping[TP, int] | None]]
"""Called with the ends of the assigned partitions, and with a function that is false once they are revoked.
Returns an offset for each partition that is not to be read from the group's commit, or None when revoked."""


class ReliableApp(faust.App):
    """A Faust application whose commits follow deliveries. See the contract of `streams.delivery`.

    `states` are restored whenever partitions are assigned, before their records are read. `epochs` is
    the one of them that keeps the epochs of the topics. `ask` asks the broker about the logs; without
    it they are not checked. `session` and `drain_timeout` are in seconds.
    """

    logger = SERVICES

    def __init__(
        self,
        name: str,
        *,
        window: int,
        drain_timeout: float,
        session: float,
        bootstrap: Sequence[str],
        states: Sequence[KeyedState] = (),
        epochs: KeyedState | None = None,
        ask: Ask | None = None,
        **options: Any,
    ) -> None:
        self.role = metrics.role_of(name)
        self.delivery = Delivery(self, window)
        self.lease = Lease(session)
        self.failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._home: asyncio.AbstractEventLoop | None = None
        """The loop in which somebody waits for a failure."""
        self._drain_timeout = drain_timeout
        self._bootstrap = bootstrap
        self.states = states
        self._epochs = None if epochs is None else Epochs(self.role, epochs)
        self._ask = ask
        self.topic_ids: Mapping[str, str] = {}
        """Ids of the topics that are read, as they were at the newest assignment."""
        self.start_positions: StartPositions | None = None
        """gives the offsets from which to read, where they are kept elsewhere than in the group's commits"""
        self.starts: Mapping[TP, int] = {}
        """those of the current assignment"""
        self.missing: Callable[[], str | None] = lambda: None
        """Returns what else the role needs and lacks, in words."""
        self._owned: tuple[int, frozenset[int]] = (-1, frozenset())
        """The generation in which partitions were last restored, and these partitions."""
        self._drained = True
        self._heartbeats: set[asyncio.Future[Any]] = set()
        self.rebalances_assigned = 0
        """The count of rebalances at which the newest assignment came."""
        super().__init__(
            name,
            broker_session_timeout=session,
            TableManager=f"{Tables.__module__}:{Tables.__name__}",
            **options,
        )
        # XXX connect() wants a positional-only signature that no method has; it is called by keyword.
        self.on_partitions_revoked.connect(cast(Any, self._on_revoked))
        self.on_partitions_assigned.connect(cast(Any, self._on_assigned))
        self.keep("the watch over the tasks", self._watch)
        if ask is not None:
            self.keep("the check of the logs", self._check_logs)

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Create nothing: a worker also runs where it may not write."""
        # XXX Faust makes three folders in the working directory, for tables of a kind that is not used here.

    # --- failing

    def fail(self, error: BaseException) -> None:
        """Stop the application with this error; the first one counts. May be called from any thread."""
        if self.failure is None:
            self.failure = error
        if self._home is None:  # nobody waits yet
            self._failed.set()
            return
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._home.call_soon_threadsafe(self._failed.set)

    async def failed(self) -> BaseException:
        """Wait until the application failed, and return the reason."""
        self._home = asyncio.get_running_loop()
        await self._failed.wait()
        return self.failure or RuntimeError("failed without a reason")

    def _crash(self, reason: BaseException) -> None:
        """Fail, too, when one of Faust's services crashes: it marks those above it by this method."""
        self.fail(reason)
        super()._crash(reason)

    async def essential(self, task: str, running: Awaitable[None]) -> None:
        """Run a task that the role cannot work without: when it ends, the application fails.

        Return only when the application stops.
        """
        try:
            await running
            ended = RoleEnded(task, "returned")
        except asyncio.CancelledError:
            if not self.should_stop:
                self.fail(RoleEnded(task, "was cancelled"))
            raise
        except Exception as error:
            ended = RoleEnded(task, f"failed with {error!r}")
            ended.__cause__ = error
            if self.failure is None and not self.should_stop:
                log.exception("%s failed", task.capitalize(), extra={"role": self.role})
        if not self.should_stop:
            self.fail(ended)
            # Faust would start what has ended again, behind the record that ended it.
            await asyncio.Event().wait()

    def keep(self, task: str, work: Callable[[], Awaitable[None]]) -> None:
        """Register a coroutine function that runs as long as the application; see `essential`."""

        async def kept() -> None:
            await self.essential(task, work())

        self.task(kept)

    async def _watch(self) -> None:
        """Fail when a task has ended that no exception reported, such as one inside aiokafka."""
        while not self.should_stop:
            await self.sleep(WATCH_SECONDS)
            ended = self._ended()
            if ended is not None and not self.should_stop:
                self.fail(RoleEnded(ended, "has ended"))
                return

    def _ended(self) -> str | None:
        """Return the name of a task that has ended; None when all are running."""
        for name, agent in self.agents.items():
            tasks = [actor.actor_task for actor in agent._actors]
            if agent.started and (not tasks or any(task is not None and task.done() for task in tasks)):
                return f"the agent {name}"
        if self.delivery.ended:
            return "the sender"
        if cast(Consumer, self.consumer).ended:
            return "the consumer"
        return None

    def add_heartbeat(self, heartbeat: "asyncio.Future[Any]") -> None:
        """Hold on to a heartbeat until it is answered; if it is not, the next one is soon due."""

        def answered(heartbeat: "asyncio.Future[Any]") -> None:
            self._heartbeats.discard(heartbeat)
            if not heartbeat.cancelled():
                heartbeat.exception()

        self._heartbeats.add(heartbeat)
        heartbeat.add_done_callback(answered)

    def unready(self) -> str | None:
        """Return in words why this application does not work now; None when it does. For any thread."""
        if not self.delivery.flowing:
            return "has no partitions yet, or its states are not here"
        return self.missing() if self.lease.holds() else "has not heard of the broker for a session"

    @property
    def owned(self) -> frozenset[int]:
        """Partitions whose states are here and current."""
        return self._owned[1]

    async def publish(self, topic: str, key: bytes | None, value: bytes, partition: int) -> None:
        """Send a record that no input record led to; return when it is confirmed. Raise `DeliveryError`."""
        try:
            await (await self.producer.send(topic, key, value, partition, None, None))
        except Exception as error:
            raise DeliveryError(topic, error) from error

    # --- assignments

    async def _on_revoked(self, app: Any, revoked: Any, **_: Any) -> None:
        # Well within the session: the group waits for us. What is not drained is replayed.
        self._drained = await self.delivery.drain(
            min(self._drain_timeout, self.conf.broker_session_timeout / 3)
        )
        if self._drained:
            await self._commit()
        elif self.states:
            # What is on its way would be written behind the back of the next owner.
            self.lease.give_up()
            self.fail(Fenced("partitions were taken away with work on its way"))
        self.delivery.forget()

    async def _on_assigned(self, app: Any, assigned: Any, **_: Any) -> None:
        self.delivery.forget()

    def in_force(self, generation: int) -> bool:
        """Return True when the assignment of this generation is the newest, and no rebalance began since."""
        newest = self.consumer_generation_id == generation
        return newest and self.rebalancing_count == self.rebalances_assigned and not self.should_stop

    async def restored(self, generation: int) -> bool:
        """Bring the states of the assigned partitions here; return False when they were taken away meanwhile.

        States in memory are kept for partitions that were here in the generation just before:
        nobody else can have owned them. Before that, the logs are checked.
        """
        try:
            return await self._restore(generation)
        except Exception as error:
            self.fail(error)
            raise

    async def _restore(self, generation: int) -> bool:
        def wanted() -> bool:
            return self.in_force(generation)

        assignment = self.consumer.assignment()
        mine = _copartitioned(assignment)
        before, owned = self._owned
        kept = owned & mine if self._drained and generation == before + 1 else frozenset()
        for state in self.states:
            state.forget(kept)
        self._owned = (generation, kept)
        found = await self._found(assignment)
        check_commits(self.role, found, assignment)
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
        if self.start_positions is not None and mine:
            starts = await self.start_positions(await self.consumer.highwaters(*assignment), wanted)
            if starts is None:
                return False
            self.starts = starts
        self.topic_ids = {topic: log_.topic_id for (topic, _), log_ in found.logs.items()}
        await self._take_epochs(assignment, found)
        self._owned = (generation, mine)
        return wanted()

    # --- the logs of the topics

    async def _found(self, tps: Iterable[TP]) -> Found:
        topics = sorted({tp.topic for tp in tps})
        if self._ask is None or not topics:
            return Found({}, {})
        return await asyncio.to_thread(self._ask, topics)

    async def _take_epochs(self, assignment: Iterable[TP], found: Found) -> None:
        if self._epochs is None:
            return
        epochs, fresh = self._epochs.of(assignment, found)
        for tp, entry in fresh:
            value = epoch_codec.pack(entry)
            await self.publish(self._epochs.changelog, epoch_key(tp.topic), value, tp.partition)
            self._epochs.note(tp, value)
        self.delivery.epochs = epochs

    async def _check_logs(self) -> None:
        """Compare the logs that are being read with the broker's, every `CHECK_SECONDS`."""
        while not self.should_stop:
            await self.sleep(CHECK_SECONDS)
            generation = self.consumer_generation_id
            if not self.delivery.flowing:
                continue
            read = cast(Consumer, self.consumer).read
            try:
                found = await self._found(self.consumer.assignment())
            except (KafkaError, SuperfanError) as error:
                log.debug("The logs could not be checked: %s", error)  # a broker that is away shows elsewhere
                continue
            if self.in_force(generation) and not self.should_stop:
                try:
                    check_reading(self.role, found, self.topic_ids, read)
                except SuperfanError as error:
                    self.fail(error)
                    return

    # --- stopping

    async def drain_and_commit(self) -> bool:
        """Finish what was begun, and commit it; return False when time ran out."""
        drained = await self.delivery.drain(self._drain_timeout)
        await self._commit()
        return drained

    async def _commit(self) -> None:
        # A commit that finds another under way waits for that one, and commits nothing itself.
        if not await self.consumer.commit():
            await self.consumer.commit()


def _copartitioned(assignment: Iterable[TP]) -> frozenset[int]:
    """Return the partitions assigned: the same of every topic, or keys would not meet their states."""
    by_topic: dict[str, set[int]] = defaultdict(set)
    for tp in assignment:
        by_topic[tp.topic].add(tp.partition)
    shares = {frozenset(partitions) for partitions in by_topic.values()}
    if len(shares) > 1:
        raise RuntimeError(f"topics are not partitioned alike: {dict(by_topic)}")
    return shares.pop() if shares else frozenset()
