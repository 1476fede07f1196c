"""How a worker is: alive (its loop moves on) and ready (it works), as probes ask for it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

BEAT = 1.0
"""seconds from one beat to the next"""
ALIVE = 90.0
"""seconds without a beat after which a worker counts as stuck; waiting for a broker is none"""


class Vitals:
    """Told by the worker, read by whoever serves the probes; from any thread. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beaten = clock()
        self._missing: Callable[[], Sequence[str]] | None = None

    def beat(self) -> None:
        """The worker moves on."""
        self._beaten = self._clock()

    @contextmanager
    def watching(self, missing: Callable[[], Sequence[str]]) -> Iterator[None]:
        """While the worker runs, `missing` says what it lacks to do its work."""
        self._missing = missing
        try:
            yield
        finally:
            self._missing = None

    def stuck(self) -> str | None:
        """Why the worker is not alive, in words; None when it is."""
        silent = self._clock() - self._beaten
        return f"nothing has moved for {silent:.0f} s" if silent > ALIVE else None

    def unready(self) -> str | None:
        """Why the worker does not work now, in words; None when it does."""
        missing = self._missing
        return (
            "starting, or waiting for broker and store" if missing is None else "; ".join(missing()) or None
        )
