"""How far each role is behind, measured from outside the workers: a stuck one shows."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from streams.broker.admin import BrokerUnavailable
from streams.roles import ROLES, Role
from streams.settings import Settings

PATIENCE = 10.0
"""seconds in which the broker must show the records that wait"""
POLL_MS = 500
FETCH_BYTES = 64 * 1024
"""of each partition only one record is wanted; the broker sends a whole batch all the same"""


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of a role's inputs: all there are, and those not yet committed."""

    total: int
    behind: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role stands in a partition: `at` is the offset it processes next, `end` one past the last."""

    role: Role
    topic: str
    partition: int
    start: int
    at: int
    end: int

    @property
    def behind(self) -> int:
        """Records that wait."""
        return self.end - self.at


def lag(client: KafkaAdminClient, partitions: int) -> dict[Role, Lag]:
    """The lag of every role; topics must exist."""
    found = places(client, partitions)
    return {
        role: Lag(
            total=sum(place.end - place.start for place in found if place.role is role),
            behind=sum(place.behind for place in found if place.role is role),
        )
        for role in ROLES
    }


def places(client: KafkaAdminClient, partitions: int) -> list[Place]:
    """Where every role stands in each partition of its inputs; topics must exist."""
    names = [name for spec in ROLES.values() for name in spec.inputs]
    tps = [TopicPartition(name, p) for name in names for p in range(partitions)]
    ends = _offsets(client, tps, OffsetSpec.LATEST)
    starts = _offsets(client, tps, OffsetSpec.EARLIEST)
    found = []
    for role, spec in ROLES.items():
        committed = _committed(client, spec.group)
        for tp in tps:
            if tp.topic in spec.inputs:
                at = max(committed.get(tp, 0), starts[tp])
                found.append(Place(role, tp.topic, tp.partition, starts[tp], min(at, ends[tp]), ends[tp]))
    return found


def waiting(consumer: KafkaConsumer, found: Iterable[Place], *, now_ms: int) -> dict[Place, float]:
    """For how many seconds the record that is next in each place has been there; 0 where none waits.

    A place of which the broker does not show the record in time is left out.
    """
    ages = {}
    late = {}
    for place in found:
        if place.behind:
            late[TopicPartition(place.topic, place.partition)] = place
        else:
            ages[place] = 0.0
    consumer.assign(list(late))
    for tp, place in late.items():
        consumer.seek(tp, place.at)
    deadline = time.monotonic() + PATIENCE
    while late and time.monotonic() < deadline:
        shown: Mapping[TopicPartition, Sequence[object]] = consumer.poll(timeout_ms=POLL_MS)
        for tp, records in shown.items():
            if records and tp in late:
                ages[late.pop(tp)] = max(0.0, (now_ms - records[0].timestamp) / 1000)  # type: ignore[attr-defined]
        # What compaction has taken away does not wait.
        for tp in [tp for tp, place in late.items() if consumer.position(tp) >= place.end]:
            ages[late.pop(tp)] = 0.0
        # XXX Not paused: kafka-python would keep what it has of them, and be silent about them the next time.
        consumer.assign(list(late))
    return ages


def by_topic(
    client: KafkaAdminClient, consumer: KafkaConsumer, partitions: int
) -> Iterator[dict[str, object]]:
    """A row for each input of each role: records that wait, and the age in seconds of the oldest of them."""
    found = places(client, partitions)
    ages = waiting(consumer, found, now_ms=time.time_ns() // 1_000_000)
    for role, spec in ROLES.items():
        for topic in spec.inputs:
            mine = [place for place in found if place.topic == topic and place.role is role]
            yield {
                "role": role.value,
                "topic": topic,
                "records": sum(place.behind for place in mine),
                "seconds": round(max((ages[place] for place in mine if place in ages), default=0.0), 1),
            }


@contextmanager
def onlooker(settings: Settings) -> Iterator[KafkaConsumer]:
    """A consumer of no group, which looks at records and commits nothing. Raises `BrokerUnavailable`."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            bootstrap_timeout_ms=10_000,
        )
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings, error) from None
    try:
        yield consumer
    finally:
        consumer.close()


def _offsets(
    client: KafkaAdminClient, tps: list[TopicPartition], spec: OffsetSpec
) -> dict[TopicPartition, int]:
    found = client.list_partition_offsets(dict.fromkeys(tps, spec))
    return {tp: offset.offset for tp, offset in found.items()}


def _committed(client: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    try:
        offsets = client.list_group_offsets([group])[group]
    except KafkaError:
        return {}
    return {tp: found.offset for tp, found in offsets.items() if found.offset >= 0}
