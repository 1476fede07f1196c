"""profiles, candidates -> SQL. The store is a copy that can be filled again from the topics.

The position in the topics is kept in the store, in the transaction of the rows: a store that was emptied,
restored or moved is read on from its own position, not from the commits of the group.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from models.rejection import Rejected
from models.store import Change, Move, PositionConflict, Store, StoreError, StoreUnavailable
from streams.agents.dead_letters import DeadLetters
from streams.delivery import TP, Work
from streams.ops import meters, metrics
from streams.store import KINDS, change_of

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
T = TypeVar("T")


class Sink:
    """Writes batches to the store; waits while it is unavailable."""

    def __init__(self, store: Store, dead_letters: DeadLetters) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._positions: dict[TP, int] = {}
        self._writing = asyncio.Lock()
        self.unavailable: StoreUnavailable | None = None
        """why the store cannot be written to at the moment, if so"""

    async def start_positions(
        self, ends: Mapping[TP, int], wanted: Callable[[], bool]
    ) -> Mapping[TP, int] | None:
        """Return the offsets from which the assigned partitions must be read to complete the store.

        `ends` are the ends of these partitions. A partition is left out if the group's commit holds, see
        `Store.resume`. Returns None once the assignment is no longer `wanted`. Raises `StoreError` if a
        position lies beyond the end of its partition.
        """
        tps = {(KINDS[tp.topic], tp.partition): tp for tp in ends}
        async with self._writing:  # a batch of the assignment before may still be on its way
            found = await self._patiently(lambda: self._store.resume(tps), {}, wanted)
            if found is None:
                return None
            self._positions = {tps[partition]: offset for partition, offset in found.items()}
        for tp, offset in self._positions.items():
            if offset > ends[tp]:
                raise StoreError(
                    f"The store is ahead of topic {tp.topic}, partition {tp.partition}",
                    f"its position is {offset}, the topic ends at {ends[tp]}: the topic was created anew",
                    "run `superfan store rebuild`, then start the worker again",
                )
        return self._positions.copy()

    async def step(self, batch: list[Work]) -> None:
        """Write one batch and its positions in one transaction; return when it is committed."""
        changes: list[Change] = []
        for work in batch:
            try:
                changes.append(change_of(work.tp.topic, work.key, work.value))
            except Rejected as rejection:
                self._dead_letters.reject(work, rejection)
            else:
                self._dead_letters.accept()
        async with self._writing:
            ends = {work.tp: work.offset + 1 for work in batch}
            moves = {
                (KINDS[tp.topic], tp.partition): Move(self._positions.get(tp), end)
                for tp, end in ends.items()
            }
            fields = batch[0].fields | {"count": len(batch)}
            began = time.perf_counter()
            applied = await self._patiently(lambda: self._store.apply(changes, moves), fields)
            if applied is not None:
                meters.stored(applied, len(changes), time.perf_counter() - began)
            self._positions |= ends

    async def _patiently(
        self,
        call: Callable[[], T],
        fields: Mapping[str, object],
        wanted: Callable[[], bool] = lambda: True,
    ) -> T | None:
        """Return the result of a call to the store; repeat it while the store is unavailable."""
        wait = FIRST_WAIT
        while wanted():
            try:
                found = await asyncio.to_thread(call)
            except PositionConflict:
                raise
            except StoreUnavailable as error:
                self.unavailable = error
                metrics.STORE_ERRORS.inc()
                log.warning("The store is away, trying again in %.1f s: %s", wait, error, extra=dict(fields))
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                self.unavailable = None
                return found
        return None
