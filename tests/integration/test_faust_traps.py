"""Defects of the pinned Faust that `streams.delivery` works around.

The numbers are those of `streams.delivery`. A failure here means that Faust has changed: the message says
which protection may go or needs another look.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
import faust.streams as faust_streams
import pytest
from faust.types import TP
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.broker.embedded import Broker
from streams.broker.reading import records
from tests.integration.faust_parts import (
    SteadyFlow,
    StuckTopic,
    Unconnected,
    committed,
    create,
    message,
    put,
    run_workers,
    settle,
    started,
    until,
)
from tests.running import feed_keyed, settings_for
from tests.waiting import stretched

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


def test_trap_1_a_commit_does_not_wait_for_the_buffered_records(tmp_path: Path) -> None:
    """Faust commits an offset while the records sent for it are still in its producer's buffer."""

    async def commit_beside_a_stuck_topic() -> tuple[list[dict[TP, int]], int]:
        app = await Unconnected.subscribed(tmp_path)
        buffer: Any = app.producer.buffer
        stuck = StuckTopic(app, topics=["stuck"], key_type=bytes, value_type=bytes)
        await buffer.start()
        for _ in range(3):
            stuck.send_soon(key=b"key", value=b"a change of a table")
        app.consumer.ack(message(0))
        try:
            async with asyncio.timeout(stretched(7.5)):
                await app.consumer.commit()
        except TimeoutError:
            pass  # the commit waits, as it should
        left = buffer.size
        while buffer.size:
            buffer.pending.get_nowait()
        await buffer.stop()
        return app.faust_consumer.commits, left

    commits, left = asyncio.run(commit_beside_a_stuck_topic())
    assert left, "Faust has changed: its buffer gets empty; think over what this test stands for (trap 1)"
    assert commits == [{TP0: 1}], (
        "Faust has changed: a commit waits for the buffered records; "
        "sending past ProducerBuffer may go (trap 1)"
    )


# --- 2


def test_trap_2_a_failed_delivery_is_only_logged(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that the broker refuses is gone: its input is committed, and the worker goes on."""
    settings = settings_for(broker, f"sqlite:///{tmp_path}/store.db")
    source, small = f"trap2-in-{uuid.uuid4().hex}", f"trap2-out-{uuid.uuid4().hex}"
    create(broker, source)
    create(broker, small, **{"max.message.bytes": "500"})

    def build(app: faust.App) -> None:
        out = app.topic(small, value_type=bytes)

        async def copy(stream: Any) -> None:
            async for value in stream:
                await out.send(value=value)

        app.agent(app.topic(source, value_type=bytes), name="copy")(copy)

    async def copy_two() -> bool:
        async with started(tmp_path, broker, source, build, broker_commit_interval=0.1) as app:
            await until(
                lambda: app.should_stop or committed(broker, source, source) == 2,
                "both inputs are committed; if Faust has changed, see trap 2",
            )
            return bool(app.should_stop)

    feed_keyed(settings, source, [(b"key", b"x" * 5000), (b"key", b"short")])
    with caplog.at_level(logging.WARNING, "faust.topics"):
        stopped = run_workers(copy_two())
    change = "a worker's own stop at a failed delivery may go (trap 2)"
    assert "_on_published error" in caplog.text, f"Faust has changed: it does not log what failed; {change}"
    assert not stopped, f"Faust has changed: a failed delivery stops it; {change}"
    assert [record.value for record in records(settings, small)] == [b"short"]


# --- 3


@pytest.mark.parametrize("committed", [None, 10])
def test_trap_3_a_commit_passes_over_an_unfinished_record(tmp_path: Path, committed: int | None) -> None:
    """The ack of the second of two records in work commits both, in a new group and in an old one."""

    async def acked_out_of_order() -> int | None:
        app = await Unconnected.subscribed(tmp_path)
        app.faust_consumer._committed_offset[TP0] = committed
        first = committed or 0
        app.consumer.track_message(message(first))
        app.consumer.ack(message(first + 1))
        return app.committable

    assert asyncio.run(acked_out_of_order()) == (committed or 0) + 2, (
        "Faust has changed: it commits no further than the first unfinished record; "
        "the queues per partition in Delivery may go (trap 3)"
    )


# --- 4


async def offset_after(folder: Path, body: Body, *, cancel: bool) -> int | None:
    """Return the offset that Faust would commit after an agent with two records failed or was cancelled."""
    app = await Unconnected.subscribed(folder)
    stream = app.stream(app.source)
    reached = asyncio.Event()

    async def work(_: Any) -> None:
        reached.set()
        if cancel:
            await asyncio.Event().wait()
        raise RuntimeError("a flaw in the agent")

    running = asyncio.ensure_future(body(stream, work))
    await put(stream, 0, 1)
    await reached.wait()
    if cancel:
        running.cancel()
    await asyncio.wait([running])
    assert running.cancelled() if cancel else isinstance(running.exception(), RuntimeError)
    await settle()
    offset = app.committable
    await stream.stop()
    return offset


async def plain(stream: Any, work: Work) -> None:
    """Record by record."""
    async for value in stream:
        await work(value)


async def take(stream: Any, work: Work) -> None:
    """Process a stream in batches."""
    async for batch in stream.take(2, within=WITHIN):
        await work(batch)


async def noack(stream: Any, work: Work) -> None:
    """Process a stream record by record, without acks of Faust."""
    async for value in stream.noack():
        await work(value)


async def noack_take(stream: Any, work: Work) -> None:
    """Process a stream in batches, without acks of Faust."""
    async for batch in stream.noack_take(2, within=WITHIN):
        await work(batch)


@pytest.mark.parametrize("cancel", [False, True], ids=["exception", "cancel"])
@pytest.mark.parametrize(("body", "offset"), [(plain, 1), (take, 2), (noack, None), (noack_take, None)])
def test_trap_4_a_record_that_failed_is_acked(
    tmp_path: Path, body: Body, offset: int | None, cancel: bool
) -> None:
    """An exception or a cancel acks what the agent had in hand, a batch as a whole; not so under noack."""
    found = asyncio.run(offset_after(tmp_path, body, cancel=cancel))
    assert found == offset, (
        "Faust has changed: noack() acks; it must not be used any more (trap 4)"
        if offset is None
        else "Faust has changed: what failed is not acked; commits of our own may go (trap 4)"
    )


@pytest.mark.parametrize(("compiled", "offset"), [(True, None), (False, 1)], ids=["compiled", "python"])
def test_trap_4_skipping_a_record_of_an_old_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool, offset: int | None
) -> None:
    """Faust's loop in Python acks what it skips, even under noack(); its compiled loop does not."""
    if compiled:
        assert vars(faust_streams)["_CStreamIterator"] is not None, "Faust came without its compiled loop"
    else:
        monkeypatch.setattr(faust_streams, "_CStreamIterator", None)

    async def skipped() -> tuple[list[bytes], int | None]:
        app = await Unconnected.subscribed(tmp_path)
        app.consumer_generation_id = 2
        stream = app.stream(app.source)
        values = []

        async def work(value: bytes) -> None:
            values.append(value)

        running = asyncio.ensure_future(noack(stream, work))
        await put(stream, 0, generation=1)
        await put(stream, 1, generation=2)
        await settle()
        offset = app.committable
        running.cancel()
        await asyncio.wait([running])
        await stream.stop()
        return values, offset

    assert asyncio.run(skipped()) == ([b"1"], offset), (
        "Faust has changed what it does with records of an old generation: "
        "see whether its acks may count after all (trap 4)"
    )


# --- 5


def test_trap_5_what_was_acked_is_not_committed_when_partitions_are_revoked(tmp_path: Path) -> None:
    """A rebalance commits nothing: the next owner of the partition counts the same records again."""

    async def committed_at_a_rebalance() -> tuple[list[dict[TP, int]], int | None]:
        app = await Unconnected.subscribed(tmp_path)
        await app.producer.buffer.start()
        app.consumer.ack(message(0))
        app.consumer.ack(message(1))
        await app._on_partitions_revoked({TP0})
        commits = list(app.faust_consumer.commits)
        await app.producer.buffer.stop()
        return commits, app.committable

    assert asyncio.run(committed_at_a_rebalance()) == ([], 2), (
        "Faust has changed: it commits what it acked before partitions are revoked; "
        "Delivery's drain and commit at a rebalance may go (trap 5)"
    )


# --- 6


@pytest.mark.parametrize("body", [take, noack_take])
def test_trap_6_a_table_cannot_be_written_from_a_batch(tmp_path: Path, body: Body) -> None:
    """A write of a table raises TypeError inside take(), though it works record by record."""

    async def write_in(body: Body) -> str:
        app = await Unconnected.subscribed(tmp_path)
        table = app.Table("counts", default=int)
        stream = app.stream(app.source)
        said: asyncio.Queue[str] = asyncio.Queue()

        async def work(_: Any) -> None:
            try:
                table["key"] += 1
            except TypeError as error:
                said.put_nowait(str(error))
            else:
                said.put_nowait("written")

        running = asyncio.ensure_future(body(stream, work))
        await put(stream, 0, 1)
        found = await said.get()
        running.cancel()
        await asyncio.wait([running])
        await stream.stop()
        return found

    assert asyncio.run(write_in(plain)) == "written"
    assert "outside of stream iteration" in asyncio.run(write_in(body)), (
        "Faust has changed: a table can be written from a batch; "
        "that KeyedState names the partition itself may go (trap 6)"
    )


# --- 7


def test_trap_7_take_yields_records_of_an_old_generation(tmp_path: Path) -> None:
    """Records that take() has buffered before a rebalance come out in one batch with the new ones."""

    async def batch_over_a_rebalance() -> list[bytes]:
        app = await Unconnected.subscribed(tmp_path)
        stream = app.stream(app.source)
        batches: asyncio.Queue[list[bytes]] = asyncio.Queue()
        app.consumer_generation_id = 1
        running = asyncio.ensure_future(take(stream, batches.put))
        await put(stream, 8, generation=1)
        await settle()
        await app.faust_consumer.on_partitions_revoked({TP0})
        app.consumer_generation_id = 2
        app.flow_control.resume()
        await put(stream, 0, 1, generation=2)
        batch = await batches.get()
        running.cancel()
        await asyncio.wait([running])
        await stream.stop()
        return batch

    assert asyncio.run(batch_over_a_rebalance()) == [b"8", b"0"], (
        "Faust has changed: take() forgets records of an old generation; take() may be used again, "
        "while begin() has to look at the generation as long as it waits itself (trap 7)"
    )


# --- 8


def test_trap_8_resuming_a_running_flow_throws_away_what_is_buffered() -> None:
    """Faust resumes a running flow at the end of recovery and so loses the records fetched meanwhile."""

    async def kept(flow: FlowControlEvent) -> int:
        queue: ThrowableQueue[str] = ThrowableQueue(flow_control=flow, clear_on_resume=True)
        flow.resume()
        queue.put_nowait("a record")
        flow.resume()
        return queue.qsize()

    assert asyncio.run(kept(FlowControlEvent())) == 0, (
        "Faust has changed: a resumed flow keeps what is buffered; its tables lose one reason less (trap 8)"
    )
    assert asyncio.run(kept(SteadyFlow())) == 1
