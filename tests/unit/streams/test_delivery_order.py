"""The outbox alone: a producer that confirms what the test tells it to confirm."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streams.delivery import Delivery, Work
from streams.delivery.state import KeyedState


class Producer:
    """Keeps what it was given, and confirms by name."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._futures: dict[str, asyncio.Future[None]] = {}

    async def send(self, topic: str, _: bytes, value: bytes, *__: Any) -> "asyncio.Future[None]":
        """Queue a record as Faust's producer does; return the future of its confirmation."""
        name = f"{topic}:{value.decode()}"
        self.sent.append(name)
        self._futures[name] = asyncio.get_running_loop().create_future()
        return self._futures[name]

    async def confirm(self, *names: str) -> None:
        """Confirm these, as the broker does."""
        for name in names:
            self._futures[name].set_result(None)
        await settle()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def with_delivery(test: Callable[[Delivery, Producer], Awaitable[None]]) -> None:
    """Run a test with a delivery that has an assignment."""

    async def run() -> None:
        producer = Producer()
        app: Any = SimpleNamespace(producer=producer, consumer_generation_id=1, role="test")
        delivery = Delivery(app, window=100)
        delivery.start()
        delivery.resume()
        try:
            await test(delivery, producer)
        finally:
            await delivery.stop()

    asyncio.run(run())


async def begin(delivery: Delivery, offset: int, partition: int = 0) -> Work:
    """Begin the work on a record of `in`."""
    message = SimpleNamespace(
        generation_id=1, tp=TP("in", partition), offset=offset, key=b"k", value=b"v", timestamp=0, headers=[]
    )
    work = await delivery.begin(SimpleNamespace(message=message))
    assert work is not None
    return work


def test_what_follows_a_state_waits_until_the_state_is_confirmed() -> None:
    """No output is out that no state knows of; other partitions do not wait."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        states = KeyedState("log")
        first, second, other = await begin(delivery, 1), await begin(delivery, 2), await begin(delivery, 1, 1)
        first.send("out", b"k", b"before")
        states.write(first, b"k", b"s1")
        first.send("out", b"k", b"o1")
        states.write(second, b"k", b"s2")
        second.send("out", b"k", b"o2")
        other.send("out", b"j", b"elsewhere")
        for work in (first, second, other):
            work.finish()
        await settle()
        assert producer.sent == ["out:before", "log:s1", "log:s2", "out:elsewhere"]
        await producer.confirm("log:s2")
        assert "out:o2" not in producer.sent, "it would overtake what came before it"
        await producer.confirm("log:s1")
        assert producer.sent[4:] == ["out:o1", "out:o2"]
        await producer.confirm("out:before", "out:o2", "out:elsewhere")
        assert delivery.positions() == {TP("in", 1): 2}, "an output of the first record is on its way"
        await producer.confirm("out:o1")
        assert delivery.positions() == {TP("in", 0): 3, TP("in", 1): 2}

    with_delivery(test)


def test_nothing_more_is_sent_for_an_assignment_that_has_passed() -> None:
    """Records that wait when partitions are taken away are dropped, and so are later ones of that work."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        states = KeyedState("log")
        work = await begin(delivery, 1)
        states.write(work, b"k", b"s1")
        work.send("out", b"k", b"o1")
        await settle()
        delivery.forget()
        await producer.confirm("log:s1")
        work.send("out", b"k", b"o2")
        work.finish()
        await settle()
        assert producer.sent == ["log:s1"]
        assert delivery.positions() == {}
        assert not work.wanted

    with_delivery(test)


def test_abandoned_work_holds_its_position_and_nobody_else() -> None:
    """A drain does not wait for long work that gave up; its record comes again."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        long, other = await begin(delivery, 1), await begin(delivery, 7, 1)
        other.finish()
        waiting = asyncio.ensure_future(delivery.drain(5))
        await settle()
        assert not waiting.done()
        assert not long.wanted
        long.abandon()
        assert await waiting
        assert delivery.positions() == {TP("in", 1): 8}

    with_delivery(test)


def test_a_wait_for_confirmations_ends_with_the_assignment() -> None:
    """Work that waits for its deliveries goes on when its partition is taken away."""

    async def test(delivery: Delivery, producer: Producer) -> None:
        work = await begin(delivery, 1)
        for number in range(3):
            work.send("out", b"k", b"%d" % number)
        await settle()
        waiting = asyncio.ensure_future(work.wait_for_pending(1))
        await producer.confirm("out:0")
        assert not waiting.done()
        await producer.confirm("out:1")
        assert await waiting
        waiting = asyncio.ensure_future(work.wait_for_pending(0))
        await settle()
        draining = asyncio.ensure_future(delivery.drain(0.01))
        assert await waiting is False
        assert await draining is False

    with_delivery(test)
