"""Fill the store from the topics that it is a copy of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from models.batches import batched
from models.candidate import Candidate, Profile
from models.rejection import Rejected
from models.store import Change, Store
from streams.broker.clients import partitions_of
from streams.broker.reading import between, span
from streams.store import KINDS, change_of

BATCH = 1000
Advance = Callable[[int], object]
"""Called with the number of offsets read since the last call."""


@dataclass(slots=True)
class Rebuilt:
    """Counts of a rebuild."""

    profiles: int = 0
    candidates: int = 0
    records: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        left_out = f"; {self.unreadable:,} could not be read and were left out" if self.unreadable else ""
        return (
            f"{self.profiles:,} profiles and {self.candidates:,} candidates "
            f"from {self.records:,} records{left_out}"
        )


@dataclass(slots=True)
class Rebuild:
    """One rebuild: create it, show `total`, then `run`.

    The ends of the topics are fixed when it is created. It is one transaction: readers see the old rows
    until it ends, and a failure changes nothing. A sink that runs meanwhile waits, then reads on from the
    position of the new store.
    """

    consumer: KafkaConsumer
    spans: dict[TopicPartition, tuple[int, int]] = field(init=False)
    """first offset, and one past the last, of each partition"""
    rebuilt: Rebuilt = field(default_factory=Rebuilt)

    def __post_init__(self) -> None:
        tps = [tp for topic in KINDS for tp in partitions_of(self.consumer, topic)]
        self.spans = {tp: span(self.consumer, tp) for tp in tps}

    @property
    def total(self) -> int:
        """Number of offsets to read."""
        return sum(end - start for start, end in self.spans.values())

    def run(self, store: Store, advance: Advance = lambda _: None) -> Rebuilt:
        """Fill the store; raises `StoreError`."""
        store.migrate()
        positions = {(KINDS[tp.topic], tp.partition): end for tp, (_, end) in self.spans.items()}
        store.rebuild(self._changes(advance), positions)
        self.rebuilt.profiles, self.rebuilt.candidates = store.size(Profile), store.size(Candidate)
        return self.rebuilt

    def _changes(self, advance: Advance) -> Iterator[list[Change]]:
        for tp, (start, end) in self.spans.items():
            done = start
            for batch in batched(between(self.consumer, tp, start, end), BATCH):
                self.rebuilt.records += len(batch)
                yield list(self._readable(batch))
                advance(batch[-1].offset + 1 - done)
                done = batch[-1].offset + 1
            advance(end - done)

    def _readable(self, batch: list[Any]) -> Iterator[Change]:
        for record in batch:
            try:
                yield change_of(record.topic, record.key, record.value)
            except Rejected:
                self.rebuilt.unreadable += 1
