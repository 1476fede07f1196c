"""profiles, candidates -> SQL. A copy that can be thrown away and filled again from the topics."""

import asyncio
import logging
import time

import msgspec

from models.candidate import Candidate, Profile
from models.rejection import Reason, Rejected, decode_json
from models.store import Change, Delete, Store, StoreUnavailable
from streams import topics
from streams.agents.dead_letters import DeadLetters
from streams.delivery import Work
from streams.ops import meters, metrics

log = logging.getLogger(__name__)

_profile = msgspec.json.Decoder(Profile)
_candidate = msgspec.json.Decoder(Candidate)
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0


class Sink:
    """Writes batches to the store; waits while it is away."""

    def __init__(self, store: Store, dead_letters: DeadLetters) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self.away: StoreUnavailable | None = None
        """why the store cannot be written to at the moment, if so"""

    async def step(self, batch: list[Work]) -> None:
        """Write one batch in one transaction; returns when it is committed."""
        changes: list[Change] = []
        for work in batch:
            try:
                changes.append(_change(work))
            except Rejected as rejection:
                self._dead_letters.reject(work, rejection)
            else:
                self._dead_letters.accept()
        wait = FIRST_WAIT
        while True:
            began = time.perf_counter()
            try:
                applied = await asyncio.to_thread(self._store.apply, changes)
            except StoreUnavailable as error:
                self.away = error
                metrics.STORE_ERRORS.inc()
                log.warning(
                    "The store is away, trying again in %.1f s: %s", wait, error,
                    extra=batch[0].fields | {"count": len(batch)},
                )  # fmt: skip
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                self.away = None
                meters.stored(applied, len(changes), time.perf_counter() - began)
                return


def _change(work: Work) -> Change:
    kind = Profile if work.tp.topic == topics.PROFILES else Candidate
    if work.value is None:
        try:
            return Delete(kind, (work.key or b"").decode())
        except UnicodeDecodeError:
            raise Rejected(Reason.BAD_ID, "the key is not UTF-8") from None
    return decode_json(_profile, work.value) if kind is Profile else decode_json(_candidate, work.value)
