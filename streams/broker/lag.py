"""The lag of each role, measured from outside the workers: the lag of a stuck one shows, too."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from streams import clock
from streams.broker.admin import missing
from streams.roles import ROLES, Role

READ_TIMEOUT = 10.0
"""Seconds in which the broker must show the oldest waiting records."""
POLL_MS = 500
FETCH_BYTES = 64 * 1024
"""Fetch size for a consumer of `waiting_seconds`, which needs one record of each partition."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Records in the inputs of a role: all there are, and those not yet committed."""

    total: int
    behind: int


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """Offsets of a role in one partition of an input."""

    role: Role
    topic: str
    partition: int
    start: int
    """offset of the first record that is still there"""
    position: int
    """offset of the record that is processed next"""
    end: int
    """one past the offset of the last record"""

    @property
    def behind(self) -> int:
        """Number of waiting records."""
        return self.end - self.position


def lag(client: KafkaAdminClient, partitions: int) -> dict[Role, Lag]:
    """Return the lag of every role; raises `TopicError` if an input topic is missing."""
    found = partition_lags(client, partitions)
    return {
        role: Lag(
            total=sum(each.end - each.start for each in found if each.role is role),
            behind=sum(each.behind for each in found if each.role is role),
        )
        for role in ROLES
    }


def partition_lags(client: KafkaAdminClient, partitions: int) -> list[PartitionLag]:
    """Return the lag of every role in each partition of its inputs; raises `TopicError` if one is missing."""
    names = [name for spec in ROLES.values() for name in spec.inputs]
    if absent := set(names) - set(client.list_topics()):
        raise missing(min(absent))
    tps = [TopicPartition(name, p) for name in names for p in range(partitions)]
    ends = offsets(client, tps, OffsetSpec.LATEST)
    starts = offsets(client, tps, OffsetSpec.EARLIEST)
    found = []
    for role, spec in ROLES.items():
        commits = committed(client, spec.group)
        for tp in tps:
            if tp.topic in spec.inputs:
                start, end = starts[tp], ends[tp]
                position = min(max(commits.get(tp, 0), start), end)
                found.append(PartitionLag(role, tp.topic, tp.partition, start, position, end))
    return found


def waiting_seconds(
    consumer: KafkaConsumer, found: Iterable[PartitionLag], *, now_ms: int
) -> dict[PartitionLag, float]:
    """Return the age in seconds of the oldest waiting record of each partition; 0 where none waits.

    A partition is left out when the broker does not show the record within `READ_TIMEOUT`.
    """
    ages, unread = {}, {}
    for each in found:
        if each.behind:
            unread[TopicPartition(each.topic, each.partition)] = each
        else:
            ages[each] = 0.0
    consumer.assign(list(unread))
    for tp, each in unread.items():
        consumer.seek(tp, each.position)
    deadline = time.monotonic() + READ_TIMEOUT
    while unread and time.monotonic() < deadline:
        shown: Mapping[TopicPartition, Sequence[object]] = consumer.poll(timeout_ms=POLL_MS)
        for tp, records in shown.items():
            if records and tp in unread:
                ages[unread.pop(tp)] = max(0.0, (now_ms - records[0].timestamp) / 1000)  # type: ignore[attr-defined]
        # Records that compaction removed do not wait.
        for tp in [tp for tp, each in unread.items() if consumer.position(tp) >= each.end]:
            ages[unread.pop(tp)] = 0.0
        # XXX Not paused: kafka-python would keep fetched records of a paused partition and not return them
        # the next time.
        consumer.assign(list(unread))
    return ages


def by_topic(
    client: KafkaAdminClient, consumer: KafkaConsumer, partitions: int
) -> Iterator[dict[str, object]]:
    """Yield a row for each input of each role: waiting records, and the age in seconds of the oldest."""
    found = partition_lags(client, partitions)
    ages = waiting_seconds(consumer, found, now_ms=clock.now_ms())
    for role, spec in ROLES.items():
        for topic in spec.inputs:
            mine = [each for each in found if each.topic == topic and each.role is role]
            yield {
                "role": role.value,
                "topic": topic,
                "records": sum(each.behind for each in mine),
                "seconds": round(max((ages[each] for each in mine if each in ages), default=0.0), 1),
            }


def offsets(
    client: KafkaAdminClient, tps: list[TopicPartition], spec: OffsetSpec
) -> dict[TopicPartition, int]:
    """Return the first (EARLIEST) or the next (LATEST) offset of each partition; the topics must exist."""
    found = client.list_partition_offsets(dict.fromkeys(tps, spec))
    return {tp: offset.offset for tp, offset in found.items()}


def committed(client: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Return the commits of a group; none if it never committed."""
    try:
        found = client.list_group_offsets([group])[group]
    except KafkaError:
        return {}
    return {tp: commit.offset for tp, commit in found.items() if commit.offset >= 0}
