"""Parts of Faust applications on which its defects are shown."""

import asyncio
import gc
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import TopicPartition
from mode import Service
from mode.utils.queues import FlowControlEvent

from streams.broker.embedded import Broker
from tests.waiting import STUCK

TOPIC = "posts"
TP0 = TP(TOPIC, 0)
OPTIONS: dict[str, Any] = {
    "web_enabled": False,
    "autodiscover": False,
    "store": "memory://",
    "key_serializer": "raw",
    "value_serializer": "raw",
    "topic_disable_leader": True,
    "stream_wait_empty": False,  # as in our applications: a rebalance waits for no agent
}
WITHIN = 30.0
"""Seconds after which a batch is complete even if records are missing."""

Build = Callable[[faust.App], None]
"""Registers the agents and tables of an application."""

Work = Callable[[Any], Awaitable[None]]
"""Processes a value or a batch of them, for an agent."""

Body = Callable[[Any, Work], Awaitable[None]]
"""Reads a stream and calls `Work`, for an agent."""


class Consumer(driver.Consumer):
    """Faust's consumer up to its calls of the broker: there is none, and commits are taken note of."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.commits: list[dict[TP, int]] = []

    def _new_consumer_thread(self) -> Any:
        return Service()

    def assignment(self) -> set[TP]:
        """Return the one partition."""
        return {TP0}

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions, all of them assigned."""
        return 1 if topic else None

    async def _commit(self, offsets: Any) -> bool:
        self.commits.append(dict(offsets))
        return True


class Transport(driver.Transport):
    """Faust's transport with the consumer that has no broker."""

    Consumer = Consumer


class Unconnected(faust.App):
    """An application of Faust alone, without a broker, as it is when TOPIC has been assigned to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__("traps", broker="kafka://127.0.0.1:9", datadir=folder, **OPTIONS)
        self.source = self.topic(TOPIC, key_type=bytes, value_type=bytes)
        self.topics.add(self.source)
        self.finalize()
        self.flow_control.resume()

    @classmethod
    async def subscribed(cls, folder: Path) -> "Unconnected":
        """Return a new application that is subscribed to its topics."""
        app = cls(folder)
        conductor: Any = app.topics
        await conductor._update_indices()
        return app

    @property
    def faust_consumer(self) -> Any:
        """Its consumer, with the private parts that the tests look at."""
        return self.consumer

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    @property
    def committable(self) -> int | None:
        """The offset of TOPIC that Faust would commit now, if any; it says so once."""
        offset: int | None = self.faust_consumer._filter_committable_offsets({TP0}).get(TP0)
        return offset


def message(offset: int, generation: int = 0) -> ConsumerMessage:
    """Return a record as Faust's consumer passes it on."""
    return ConsumerMessage(
        TOPIC, 0, offset, 0.0, 1, None, b"key", b"%d" % offset, None, tp=TP0, generation_id=generation
    )


async def put(stream: Any, *offsets: int, generation: int = 0) -> None:
    """Hand records to a stream, as Faust's conductor does."""
    for offset in offsets:
        fetched = message(offset, generation)
        fetched.incref()
        await stream.channel.put(faust.Event(stream.app, fetched.key, fetched.value, None, fetched))


async def settle() -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(100):
        await asyncio.sleep(0)


# --- 1


class StuckTopic(faust.Topic):
    """Where nothing can be published for the time being, as with a partition that has no leader."""

    async def publish_message(self, *_: Any, **__: Any) -> Any:
        """Wait for ever."""
        await asyncio.Event().wait()


class SteadyFlow(FlowControlEvent):
    """Flow control without trap 8."""

    def resume(self) -> None:
        """Empties what is buffered only when the flow was suspended before."""
        if not self.is_active():
            super().resume()


@asynccontextmanager
async def started(
    folder: Path, broker: Broker, name: str, build: Build, **options: Any
) -> AsyncIterator[Any]:
    """Run a Faust worker on a real broker for the length of an `async with` block."""
    app = faust.App(
        name,
        broker=broker.url,
        canonical_url=f"http://worker-{uuid.uuid4().hex}",  # else two workers share one address
        datadir=folder,
        broker_heartbeat_interval=0.2,
        consumer_auto_offset_reset="earliest",
        stream_recovery_delay=0.0,
        **(OPTIONS | options),
    )
    build(app)
    app.finalize()
    app.flow_control = SteadyFlow()  # else trap 8 would lose records now and then
    app.in_worker = True
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def until(condition: Callable[[], Any], what: str) -> None:
    """Return when a condition, which may block, has come true."""
    deadline = time.monotonic() + STUCK
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not within {STUCK:.0f} s: {what}"
        await asyncio.sleep(0.05)


def run_workers(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what has started workers, and clear away the connection that aiokafka now and then leaves open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        result = asyncio.run(work)
        gc.collect()
    return result


def create(broker: Broker, topic: str, **config: str) -> None:
    """Create a topic of one partition."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        client.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1, topic_configs=config)])
    finally:
        client.close()


def committed(broker: Broker, group: str, topic: str) -> int:
    """Return the offset that a group has committed on the broker; 0 for none."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        found = client.list_group_offsets([group])[group].get(TopicPartition(topic, 0))
        return max(found.offset, 0) if found else 0
    finally:
        client.close()
