"""The step of one record: retried, taken back, given up; and the end of a task ends the application."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from models.codec import CorruptState
from streams.delivery import Delivery, Work, all_or_nothing
from streams.delivery.agents import _bisect
from streams.delivery.application import ReliableApp
from streams.delivery.errors import RoleEnded
from streams.delivery.state import KeyedState
from tests.unit.streams.test_delivery_order import Producer, begin, settle, with_delivery


def headers_of(*headers: tuple[str, bytes | None]) -> Any:
    """Return a message that arrived at 7,000 ms by the broker's clock."""
    return SimpleNamespace(tp=TP("in", 0), offset=1, key=b"k", value=b"v", timestamp=7.0, headers=headers)


@pytest.mark.parametrize(
    ("headers", "arrived"),
    [
        ([], 7000),
        ([("superfan-arrived-ms", None)], 7000),
        ([("superfan-arrived-ms", b"")], 7000),
        ([("superfan-arrived-ms", b"12a")], 7000),
        ([("superfan-arrived-ms", b"9" * 400)], 7000),
        ([("superfan-arrived-ms", "١٢".encode())], 7000),
        ([("größe", None), ("superfan-arrived-ms", b"12")], 12),
        ([("superfan-arrived-ms", None), ("superfan-arrived-ms", b"12")], 12),
    ],
)
def test_a_header_that_is_no_time_is_ignored(headers: Any, arrived: int) -> None:
    """The time of the record counts when no header holds a usable one."""
    outbox: Any = SimpleNamespace(assignment=0, epochs={})
    assert Work(outbox, headers_of(*headers)).arrived_ms == arrived


def test_a_step_that_fails_leaves_nothing_behind() -> None:
    """Its states are as before, in memory and in the changelog, and nothing it sent goes out."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        states = KeyedState("log")
        work = await begin(delivery, 1)
        states.write(work, b"old", b"s0")

        def step() -> None:
            with all_or_nothing(work):
                states.write(work, b"old", b"s1")
                states.write(work, b"old", b"s2")
                states.write(work, b"new", b"s3")
                work.send("out", b"k", b"half")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            step()
        assert states.read(0, b"old") == b"s0"
        assert states.read(0, b"new") is None
        assert states.size == len(b"olds0")
        work.send("out", b"k", b"letter")
        work.finish()
        await settle()
        await producer.confirm("log:s0")
        assert producer.sent == ["log:s0", "out:letter"]
        await producer.confirm("out:letter")
        assert delivery.positions() == {TP("in", 0): 2}

    with_delivery(test)


def test_a_batch_that_fails_is_halved_until_the_culprits_are_alone() -> None:
    """Only the records that fail by themselves are given up; the others are sent once, in order."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        works = [await begin(delivery, offset) for offset in range(8)]
        given_up: list[int] = []
        tries: list[int] = []

        async def step(batch: list[Work]) -> None:
            tries.append(len(batch))
            for work in batch:
                work.send("out", b"k", b"%d" % work.offset)
            await asyncio.sleep(0)
            if any(work.offset in {2, 7} for work in batch):
                raise ValueError("a person's text")

        app: Any = SimpleNamespace(should_stop=False)
        await _bisect(app, step, lambda work, _: given_up.append(work.offset), works)
        await settle()
        assert given_up == [2, 7]
        assert producer.sent == [f"out:{n}" for n in (0, 1, 3, 4, 5, 6)]
        assert tries.count(1) == 6, "each culprit is tried twice alone, its neighbour once"

    with_delivery(test)


def test_damaged_state_is_no_dead_letter() -> None:
    """An error that says that our own state is damaged ends the worker, whatever record it comes with."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        async def step(_: list[Work]) -> None:
            raise CorruptState("damaged")

        def give_up(_: Work, error: Exception) -> None:
            pytest.fail(f"given up: {error}")

        app: Any = SimpleNamespace(should_stop=False)
        with pytest.raises(CorruptState):
            await _bisect(app, step, give_up, [await begin(delivery, 1)])

    with_delivery(test)


async def raises() -> None:
    """Fail."""
    raise ValueError("outside of a step")


async def returns() -> None:
    """End at once."""


async def waits() -> None:
    """Go on for ever."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("task", [raises, returns])
def test_the_end_of_a_task_ends_the_application(task: Any) -> None:
    """A task that raises or returns fails the application, and is not started again."""

    async def run() -> BaseException:
        app = ReliableApp("ending", window=1, drain_timeout=1.0, session=6.0, bootstrap=())
        running = asyncio.ensure_future(app.essential("the agent of x", task()))
        failure = await asyncio.wait_for(app.failed(), 30)
        assert not running.done(), "Faust would start it again"
        running.cancel()
        return failure

    failure = asyncio.run(run())
    assert isinstance(failure, RoleEnded)
    assert str(failure).startswith("the agent of x ")


def test_a_task_that_is_cancelled_ends_the_application() -> None:
    """Nobody but the stop of the worker may cancel it."""

    async def run() -> BaseException:
        app = ReliableApp("ending", window=1, drain_timeout=1.0, session=6.0, bootstrap=())
        running = asyncio.ensure_future(app.essential("the agent of x", waits()))
        await asyncio.sleep(0)
        running.cancel()
        return await asyncio.wait_for(app.failed(), 30)

    assert str(asyncio.run(run())) == "the agent of x was cancelled"


def test_a_crash_inside_faust_ends_the_application() -> None:
    """Faust marks those above a service that crashed; the application is one of them."""

    async def run() -> BaseException:
        app = ReliableApp("ending", window=1, drain_timeout=1.0, session=6.0, bootstrap=())
        await asyncio.to_thread(app._crash, ValueError("in the consumer's thread"))
        return await asyncio.wait_for(app.failed(), 30)

    assert isinstance(asyncio.run(run()), ValueError)
