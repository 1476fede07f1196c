"""The process pool of the enrich role, with real processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from models.rejection import Dropped, DropReason, Reason, Rejected
from nlp.enrichment import Enricher
from nlp.records import Raw, Result
from streams.agents.annotators import Annotators
from streams.ops import metrics
from tests.waiting import until


class Fragile(Enricher):
    """Dies on some records as a crash in native code would."""

    def __init__(self, poison: bytes) -> None:
        self._poison = poison

    def enrich(self, records: Iterable[Raw]) -> list[Result]:
        """Drops everything, or dies."""
        records = list(records)
        if any(record.value == self._poison for record in records):
            os.kill(os.getpid(), signal.SIGKILL)
        return [Dropped(DropReason.NO_BRAND, "x") for _ in records]


def test_a_record_that_kills_its_child_is_found_and_the_others_are_unharmed() -> None:
    """The batch is halved until the culprit is alone; batches beside it lose nothing."""

    async def run() -> tuple[list[Result], list[Result]]:
        pool = Annotators(partial(Fragile, b"poison"), processes=1)
        await pool.start()
        batch = [Raw(b"poison" if n == 5 else b"good", 0) for n in range(8)]
        innocent = [Raw(b"good", 0) for _ in range(8)]
        try:
            return await asyncio.gather(pool.enrich(batch), pool.enrich(innocent))
        finally:
            pool.stop()

    restarts = metrics.NLP_RESTARTS.labels()
    before = restarts.value
    results, others = asyncio.run(run())
    assert [isinstance(result, Rejected) and result.reason == "poison" for result in results] == [
        n == 5 for n in range(8)
    ]
    assert others == [Dropped(DropReason.NO_BRAND, "x")] * 8
    assert restarts.value - before == 1


class Telling(Enricher):
    """Says of each record which process and which pipeline in it read it, and how many threads are there."""

    built = 0

    def __init__(self) -> None:
        type(self).built += 1

    def enrich(self, records: Iterable[Raw]) -> list[Result]:
        """Rejects everything, with its report as the detail."""
        import numpy as np

        square = np.ones((600, 600))
        threads = sum(1 for _ in Path("/proc/self/task").iterdir()) if np.all(square @ square == 600) else 0
        said = f"{os.getpid()} {type(self).built} {threads}"
        return [Rejected(Reason.POISON, said) for _ in records]


def test_a_child_keeps_its_pipeline_and_starts_no_threads_for_its_matrices() -> None:
    """Whatever is sent, it answers from the pipeline it loaded first; the pool is the parallelism."""

    async def run() -> set[str]:
        pool = Annotators(Telling, processes=1)
        await pool.start()
        try:
            batches = await asyncio.gather(*(pool.enrich([Raw(b"post", 0)] * 3) for _ in range(5)))
        finally:
            pool.stop()
        return {result.detail for batch in batches for result in batch if isinstance(result, Rejected)}

    (said,) = asyncio.run(run())
    _, built, threads = said.split()
    # One that works, and one that waits for the parent's end.
    assert built == "1"
    assert threads == "2"


def test_children_end_with_their_parent_even_if_it_is_killed() -> None:
    """No text pipeline is left behind by a worker that was killed."""
    held = subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    child = Path(f"/proc/{held.stdout.readline().strip()}")
    assert child.exists()
    held.kill()
    held.communicate()
    until(lambda: not child.exists(), f"the end of {child}")


_HOLD = """
import asyncio
from functools import partial
from streams.ops import metrics
from streams.agents.annotators import Annotators, _ready
from tests.integration.test_annotators import Fragile

async def hold():
    pool = Annotators(partial(Fragile, b"x"), processes=1)
    await pool.start()
    print(await asyncio.get_running_loop().run_in_executor(pool._pool, _ready), flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(hold())
"""
