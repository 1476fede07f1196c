"""The order in which records flow again after a rebalance: recovery with the parts around it replaced."""

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.delivery import ReliableApp
from streams.delivery.faust import Recovery


class Around:
    """The application and its consumer, as far as resuming needs them; notes what is done, in order."""

    in_force = ReliableApp.in_force
    should_stop = False

    def __init__(self, *, rebalance_while: str = "") -> None:
        self.done: list[str] = []
        self.rebalancing_count = self.rebalances_assigned = 3
        self.consumer_generation_id = 7
        self._rebalance_while = rebalance_while
        self.consumer = SimpleNamespace(
            stop_flow=self._note("stop flow"),
            resume_flow=self._note("open flow"),
            perform_seek=self._wait("seek"),
            assignment=lambda: {("in", 0)},
            resume_partitions=self._note("partitions"),
        )
        self.flow_control = SimpleNamespace(suspend=self._note("suspend"), resume=self._note("buffers"))
        self.delivery = SimpleNamespace(resume=self._note("begin"))
        self.on_rebalance_complete = SimpleNamespace(send=self._wait("complete"))
        self.conf = SimpleNamespace(broker_request_timeout=1.0)
        self.tables = SimpleNamespace(on_actives_ready=int, on_standbys_ready=int)
        self._fetcher = SimpleNamespace(maybe_start=self._wait("fetch"))
        self.on_rebalance_end = self._note("end")

    async def restored(self, _: int) -> bool:
        """Restore at once."""
        await self._wait("restore")()
        return True

    def resume(self) -> list[str]:
        """Resume, and return the steps in order."""

        async def within(waiting: Any, timeout: float) -> None:  # noqa: ASYNC109 -- as Faust calls it
            await waiting

        recovery: Any = SimpleNamespace(
            app=self, tables=self.tables, completed=SimpleNamespace(set=self._note("completed")), _wait=within
        )
        asyncio.run(Recovery._resume_streams(recovery, 7))
        return self.done

    def _note(self, what: str) -> Any:
        return lambda *_: self.done.append(what)

    def _wait(self, what: str) -> Any:
        async def waited() -> None:
            await asyncio.sleep(0)
            self.done.append(what)
            if what == self._rebalance_while:
                self.rebalancing_count += 1

        return waited


def test_the_flow_opens_after_the_seek_and_is_shut_until_then() -> None:
    """Records read before the seek would be emptied out of the buffers, or read under the wrong states."""
    assert Around().resume() == [
        "stop flow", "suspend", "restore", "complete", "seek",
        "begin", "completed", "partitions", "buffers", "open flow", "end", "fetch",
    ]  # fmt: skip


def test_the_flow_stays_shut_when_a_rebalance_begins_meanwhile() -> None:
    """Wherever the next rebalance begins, nothing is begun for the assignment that is going."""
    for moment in ("restore", "complete", "seek"):
        done = Around(rebalance_while=moment).resume()
        assert not {"begin", "buffers", "open flow"} & set(done), moment
