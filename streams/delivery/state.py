"""Keyed state of the agents: in memory, per partition, with a changelog on Kafka.

A state belongs to the key of a record and lives in the partition of that record. The changelog
topic has as many partitions as the topics the agents read. So a worker finds all states of a
partition in the changelog partition of the same number.

Faust's own tables are not used. Their recovery reads about 70,000 records a second one by one. It
goes on when a record cannot be applied, and keeps the states of partitions that others owned in
between. `restore` reads whole batches and stops at the first record it does not understand.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models.codec import CorruptState, version_of
from streams.ops import logs, metrics

log = logging.getLogger(__name__)

BATCH = 10_000
"""Records applied at once: the loop is blocked for some milliseconds."""
FETCH_BYTES = 8 * 2**20
POLL_MS = 1000
PROGRESS_SECONDS = 10.0


class Writer(Protocol):
    """The work on one record, as far as a state needs it."""

    @property
    def partition(self) -> int:
        """The partition of the record."""

    def store(self, topic: str, key: bytes, value: bytes | None, undo: Callable[[], None]) -> None:
        """Queue the record of a state for delivery; call `undo` if the step then fails."""


class KeyedState:
    """A changelog-backed map from bytes to packed states, per partition.

    Values carry their version in front (`models.codec`). Nothing here waits: between a read and
    the write of the same key no other agent of the application can come.
    """

    def __init__(self, changelog: str) -> None:
        self.changelog = changelog
        self._states: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._bytes: dict[int, int] = defaultdict(int)

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Return the packed state of a key, or None."""
        return self._states[partition].get(key)

    def write(self, work: Writer, key: bytes, value: bytes | None) -> None:
        """Replace (or, by None, delete) a state, and queue its changelog record."""
        undo = partial(self.keep, work.partition, key, self.read(work.partition, key))
        self.keep(work.partition, key, value)
        work.store(self.changelog, key, value, undo)

    def keys(self, partition: int) -> list[bytes]:
        """Return the keys held for a partition."""
        return list(self._states[partition])

    def __len__(self) -> int:
        return sum(len(states) for states in list(self._states.values()))

    @property
    def size(self) -> int:
        """Bytes of the packed keys and values held."""
        return sum(list(self._bytes.values()))

    @property
    def name(self) -> str:
        """The last word of the changelog's name, for metrics."""
        return self.changelog.removesuffix("-changelog").rpartition("-")[2]

    def forget(self, kept: Collection[int] = ()) -> None:
        """Drop the states of all partitions but those kept: another worker may change them from now on."""
        for partition in [p for p in self._states if p not in kept]:
            del self._states[partition]
            self._bytes.pop(partition, None)

    def take(self, partition: int, records: Iterable[ConsumerRecord]) -> None:
        """Apply changelog records in order, and refuse a state that is older than the one held.

        Raise `CorruptState`, with topic, partition and offset, for a record that is no state.
        """
        states = self._states[partition]
        grown = 0
        offset = -1
        refused: list[ConsumerRecord] = []
        try:
            for record in records:
                key, value, offset = record.key, record.value, record.offset
                held = states.get(key)
                if value is None:
                    states.pop(key, None)
                    grown -= 0 if held is None else len(key) + len(held)
                    continue
                if held is None:
                    version_of(value)
                    grown += len(key) + len(value)
                elif version_of(value) < version_of(held):
                    refused.append(record)
                    continue
                else:
                    grown += len(value) - len(held)
                states[key] = value
        except CorruptState as error:
            where = f"{self.changelog}, partition {partition}, offset {offset}"
            raise CorruptState(f"{where}: {error}") from error
        self._bytes[partition] += grown
        if refused:
            self._refuse(partition, refused)

    def _refuse(self, partition: int, records: Sequence[ConsumerRecord]) -> None:
        """Count older states and log the position of the last one."""
        metrics.STALE_STATES.labels(self.name).inc(len(records))
        where = logs.position(self.changelog, partition, records[-1].offset, records[-1].key)
        log.warning("Older states refused", extra={"role": "profile", **where, "count": len(records)})

    def keep(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Replace (or, by None, delete) a state in memory, without a changelog record."""
        states = self._states[partition]
        held = states.pop(key, None) if value is None else states.get(key)
        before = 0 if held is None else len(key) + len(held)
        after = 0 if value is None else len(key) + len(value)
        self._bytes[partition] += after - before
        if value is not None:
            states[key] = value


class Restored(NamedTuple):
    """The number of records that a recovery read, and the time it took."""

    records: int
    seconds: float


async def restore(
    states: Sequence[KeyedState],
    partitions: Collection[int],
    *,
    bootstrap: Sequence[str],
    wanted: Callable[[], bool],
) -> Restored | None:
    """Fill the partitions of states from their changelogs, up to their ends at the call.

    Return None when `wanted` turned False meanwhile: what was filled must then be forgotten. Raise
    `KafkaError` when the broker is away, `CorruptState` for a damaged record.
    """
    began = logged = time.monotonic()
    by_topic = {state.changelog: state for state in states}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(bootstrap),
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=4 * FETCH_BYTES,
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for topic in by_topic for partition in partitions]
        ends = await consumer.end_offsets(tps)
        begins = await consumer.beginning_offsets(tps)
        unread = {tp for tp in tps if begins[tp] < ends[tp]}
        if unread:
            consumer.assign(list(unread))
        for tp in unread:
            consumer.seek(tp, begins[tp])
        total = sum(ends[tp] - begins[tp] for tp in unread)
        done = 0
        metrics.RECOVERY_REMAINING.set(total)
        while unread:
            if not wanted():
                return None
            for tp, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)).items():
                by_topic[tp.topic].take(tp.partition, records)
                done += len(records)
            metrics.RECOVERY_REMAINING.set(max(0, total - done))
            # By position and not by record: the last ones may have been compacted away.
            finished = {tp for tp in unread if await consumer.position(tp) >= ends[tp]}
            unread -= finished
            consumer.pause(*finished)
            if time.monotonic() - logged > PROGRESS_SECONDS:
                logged = time.monotonic()
                log.info("Recovering: %d of at most %d records read", done, total, extra={"role": "profile"})
    finally:
        await consumer.stop()
        metrics.RECOVERY_REMAINING.set(0)
    seconds = time.monotonic() - began
    metrics.RECOVERY_SECONDS.observe(seconds)
    return Restored(done, seconds)
