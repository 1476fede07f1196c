"""Agents: loops that run a step for each record of a topic, in order.

No record may stop an agent. A step rejects records it can judge. Any other exception of a step gives
up the record that caused it: what the step sent and the states it wrote are taken back, and
`give_up` sends the record to the dead letters. Only `STOPPING` errors end the worker: they would
come back with every record, or say that our own state is damaged.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from models.codec import CorruptState
from models.errors import SuperfanError
from streams.delivery.application import ReliableApp
from streams.delivery.errors import DeliveryError, Fenced
from streams.delivery.work import Work, all_or_nothing

log = logging.getLogger(__name__)

STOPPING = (CorruptState, DeliveryError, Fenced, SuperfanError)
"""Errors of a step that stop the worker."""

RETRY_SECONDS = 0.2
"""Wait before a batch of one record is tried a last time."""

Step = Callable[[Work], None]
"""Processes one record without waiting; sends through the work."""

LongStep = Callable[[Work], Awaitable[bool]]
"""Processes one record in slices, waiting in between; False when the work was no longer `wanted`."""

BatchStep = Callable[[list[Work]], Awaitable[None]]
"""Processes some records, in order; sends through each one's work, and writes no states. May wait."""

GiveUp = Callable[[Work, Exception], None]
"""Sends a record whose step failed to the dead letters. May raise a `STOPPING` error."""


def agent(app: ReliableApp, topic: str, step: Step, give_up: GiveUp) -> None:
    """Register an agent that runs `step` for each record of a topic, in order."""

    def attempt(work: Work) -> None:
        # Not tried twice: a step only computes, and would fail again.
        try:
            with all_or_nothing(work):
                step(work)
        except STOPPING:
            raise
        except Exception as error:
            give_up(work, error)

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is None:
                continue
            began = time.perf_counter()
            try:
                attempt(work)
            except STOPPING as error:
                _stop(app, work, error)
                return
            app.delivery.pace.step(time.perf_counter() - began)
            work.finish()

    _register(app, (topic,), run)


def long_agent(app: ReliableApp, topic: str, step: LongStep, give_up: GiveUp) -> None:
    """Register an agent whose step may take long: one record at a time, while other agents go on.

    Between two slices other agents may change any state. What the step sends is out at once, unless it
    puts a slice into `all_or_nothing` itself.
    """

    async def attempt(work: Work) -> bool:
        try:
            return await step(work)
        except STOPPING:
            raise
        except Exception as error:
            give_up(work, error)
            return True

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is None:
                continue
            try:
                done = await attempt(work)
            except STOPPING as error:
                _stop(app, work, error)
                return
            if done:
                work.finish()
            else:
                work.abandon()

    _register(app, (topic,), run)


def batch_agent(
    app: ReliableApp,
    topics: Sequence[str],
    step: BatchStep,
    give_up: GiveUp,
    *,
    size: int,
    linger: float,
    concurrency: int,
) -> None:
    """Register an agent that runs `step` for batches of at most `size` records.

    A batch waits at most `linger` seconds to fill, and `concurrency` batches may run at once;
    committable offsets move in order all the same. A batch that fails is halved until the record
    that makes it fail is alone.
    """
    waiting: asyncio.Queue[Work] = asyncio.Queue()
    free = asyncio.Semaphore(concurrency)
    running: set[asyncio.Task[None]] = set()

    async def run(stream: Any) -> None:
        async for event in stream.noack().events():
            work = await app.delivery.begin(event)
            if work is not None:
                waiting.put_nowait(work)

    async def process(batch: list[Work]) -> None:
        began = time.perf_counter()
        try:
            await _bisect(app, step, give_up, batch)
        except STOPPING as error:
            _stop(app, batch[0], error)
            return
        finally:
            free.release()
        app.delivery.pace.step(time.perf_counter() - began)
        for work in batch:
            work.finish()

    async def dispatch() -> None:
        while True:
            batch = [await waiting.get()]
            await free.acquire()
            if waiting.qsize() < size - 1:
                await asyncio.sleep(linger)
            while waiting.qsize() and len(batch) < size:
                batch.append(waiting.get_nowait())
            batch = [work for work in batch if work.assignment == app.delivery.assignment]
            if not batch:
                free.release()
                continue
            task = asyncio.ensure_future(process(batch))
            running.add(task)
            task.add_done_callback(running.discard)

    _register(app, topics, run)
    app.keep(f"the dispatcher of {'+'.join(topics)}", dispatch)


async def _bisect(
    app: ReliableApp, step: BatchStep, give_up: GiveUp, batch: list[Work], *, last: bool = False
) -> None:
    """Run a step; when it fails, run it for each half, and give up a record that fails alone, twice."""
    try:
        with all_or_nothing(*batch):
            await step(batch)
    except STOPPING:
        raise
    except Exception as error:
        if app.should_stop:
            return  # what the step needs was closed; these records are processed again
        if last:
            give_up(batch[0], error)
            return
        half = len(batch) // 2
        if half:
            await _bisect(app, step, give_up, batch[:half])
            await _bisect(app, step, give_up, batch[half:])
        else:
            await asyncio.sleep(RETRY_SECONDS)
            await _bisect(app, step, give_up, batch, last=True)


def _stop(app: ReliableApp, work: Work, error: Exception) -> None:
    described = error.what if isinstance(error, SuperfanError) else repr(error)
    log.error("The worker stops at this record: %s", described, extra=work.fields)
    app.fail(error)


def _register(app: ReliableApp, topics: Sequence[str], run: Callable[[Any], Awaitable[None]]) -> None:
    name = "+".join(topics)

    async def kept(stream: Any) -> None:
        await app.essential(f"the agent of {name}", run(stream))

    # Bytes in, bytes out: Faust would ack and drop a record that it cannot decode.
    source = app.topic(*topics, key_type=bytes, value_type=bytes, allow_empty=True)
    app.agent(source, name=f"streams.{name}")(kept)
