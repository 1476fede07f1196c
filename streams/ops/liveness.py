"""The answers to liveness and readiness probes: the loop of a worker moves, and the worker does its work."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

HEARTBEAT = 1.0
"""seconds between two heartbeats"""
ALIVE = 90.0
"""seconds without a heartbeat after which a worker counts as stuck; heartbeats go on while it waits"""


class Liveness:
    """The state of a process that its probes ask for. Safe to use from any thread; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._latest = clock()
        self._missing: Callable[[], Sequence[str]] | None = None

    def heartbeat(self) -> None:
        """Record that the process moves on."""
        self._latest = self._clock()

    @contextmanager
    def watching(self, missing: Callable[[], Sequence[str]]) -> Iterator[None]:
        """Count as started inside the block; `missing` returns the reasons why no work is done."""
        self._missing = missing
        try:
            yield
        finally:
            self._missing = None

    def stuck(self) -> str | None:
        """Return the reason why the process is not alive; None when it is."""
        inactive = self._clock() - self._latest
        return f"no heartbeat for {inactive:.0f} s" if inactive > ALIVE else None

    def unready(self) -> str | None:
        """Return the reasons why the process does no work now; None when it works."""
        missing = self._missing
        return (
            "starting, or waiting for broker and store" if missing is None else "; ".join(missing()) or None
        )
