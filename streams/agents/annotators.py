"""The process pool of the enrich role: text pipelines that are loaded once and kept for the worker's life."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, TypeVar

from models.brand import Brand
from models.rejection import Reason, Rejected
from nlp.records import Raw, Result
from streams.ops import logs, meters, metrics
from streams.roles import Role

if TYPE_CHECKING:  # only the child processes load spaCy
    from nlp.enrichment import Enricher

log = logging.getLogger(__name__)

Build = Callable[[], "Enricher"]
"""Builds the enricher inside a child; must be picklable."""

_ROLE = {"role": Role.ENRICH}

STARTS = 3
"""Attempts to load the pipelines."""

T = TypeVar("T")

_enricher: "Enricher | None" = None


def build_enricher(brands: Sequence[Brand], lawful: frozenset[str]) -> "Enricher":
    """Load the text pipeline into this process; takes a second or two."""
    from nlp.enrichment import Enricher  # noqa: PLC0415

    return Enricher(brands, lawful)


def _start_child(build: Build, logging_: logs.Logging) -> None:
    global _enricher  # noqa: PLW0603 -- one pipeline for the life of the child
    logs.configure(logging_)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _enricher = build()


def _die_with_parent() -> None:
    # XXX A child of ProcessPoolExecutor holds both ends of its queue and would outlive a killed parent.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _enrich(records: Sequence[Raw]) -> tuple[list[Result], float]:
    """Return the results, and the seconds of work: the parent exposes them, a child has no endpoint."""
    if _enricher is None:
        raise RuntimeError("the child was not started by the pool")
    return _timed(_enricher, records)


def _timed(enricher: "Enricher", records: Sequence[Raw]) -> tuple[list[Result], float]:
    began = time.perf_counter()
    return enricher.enrich(records), time.perf_counter() - began


def _ready() -> int:
    return os.getpid()


async def _run(pool: ProcessPoolExecutor, function: Callable[..., T], *args: object) -> T:
    """Run a function in a child and return its result.

    The pool starts its children when work comes. They inherit the signal mask of this moment: Ctrl-C
    reaches the whole process group, and only the parent may act on it. It stops the children in order.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        future = pool.submit(function, *args)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return await asyncio.wrap_future(future)


class Annotators:
    """Enriches batches in child processes. A batch that kills its child is searched for the culprit.

    With `processes` 0 the pipeline runs in this process: for tests, and where memory is short.
    """

    def __init__(self, build: Build, processes: int) -> None:
        self._build = build
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._here: Enricher | None = None
        self._trial = asyncio.Lock()

    async def start(self) -> None:
        """Load the pipelines; return when each child is ready.

        Raise `BrokenProcessPool` when children die while they load, three times in a row.
        """
        if self._processes == 0:
            self._here = self._build()
            return
        for left in reversed(range(STARTS)):
            self._pool = self._new_pool(self._processes)
            try:
                await asyncio.gather(*(_run(self._pool, _ready) for _ in range(self._processes)))
            except BrokenProcessPool:
                if not left:
                    raise
                log.warning("A text pipeline died while it was loaded; trying again", extra=_ROLE)
            else:
                return

    def stop(self) -> None:
        """End the children; cancel work that nobody will collect."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    async def enrich(self, records: Sequence[Raw]) -> list[Result]:
        """Return one result for each record, in order.

        When a child dies, each batch that was in the pool is tried again alone. It is halved until the
        record that kills the child is found. That one is rejected as `poison`; the others are unharmed.
        """
        results, seconds = await self._enrich(records)
        meters.annotated(len(records), seconds)
        return results

    async def _enrich(self, records: Sequence[Raw]) -> tuple[list[Result], float]:
        if self._here is not None:
            return _timed(self._here, records)
        pool = self._pool
        if pool is None:
            raise RuntimeError("the pool is not running")
        try:
            return await _run(pool, _enrich, records)
        except BrokenProcessPool:
            if self._pool is pool:
                log.warning(
                    "A text pipeline died; starting a new pool and searching the batch",
                    extra=_ROLE | {"count": len(records)},
                )
                self._pool = self._new_pool(self._processes)
                metrics.NLP_RESTARTS.inc()
        began = time.perf_counter()
        async with self._trial:
            return await self._search(records), time.perf_counter() - began

    async def _search(self, records: Sequence[Raw]) -> list[Result]:
        """Try records in a pool of their own, so that only they can be what kills it."""
        pool = self._new_pool(1)
        try:
            results, _ = await _run(pool, _enrich, records)
        except BrokenProcessPool:
            if len(records) == 1:
                return [Rejected(Reason.POISON, "the text pipeline died on this record")]
            half = len(records) // 2
            return [*await self._search(records[:half]), *await self._search(records[half:])]
        else:
            return results
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _new_pool(self, processes: int) -> ProcessPoolExecutor:
        # A child must not start threads of its own: the pool is the parallelism.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        return ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_child,
            initargs=(self._build, logs.current()),
        )
