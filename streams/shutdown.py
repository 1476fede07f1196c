"""Stops on SIGTERM and SIGINT: the first one stops in order, at any moment; further ones change nothing."""

import faulthandler
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STEP = 0.1


class Stop:
    """The request to stop this process. Make it early, in the main thread.

    The handler runs between any two instructions of the main thread, so it takes no lock. If it set a
    `threading.Event` that the main thread was about to wait for, it would wait for itself for ever.
    """

    def __init__(self) -> None:
        self.asked = False
        self.within: float | None = None
        """Seconds a stop may take. A process that hangs longer ends with code 1, and prints the stacks of
        its threads. None: as long as it takes."""
        self._wake: Callable[[], object] | None = None
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._on_signal)

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Call `wake` when a stop is asked for, while the block runs; outside of it the process exits with 0.

        `wake` must not wait for anything that this thread may hold.
        """
        self._wake = wake
        if self.asked:
            wake()
        try:
            yield
        finally:
            self._wake = None

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; return `asked`."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, STEP))
        return self.asked

    def ignore(self) -> None:
        """Ignore further signals: one that comes while Python shuts down must not look like a failure."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, signal.SIG_IGN)

    def limit(self) -> None:
        """End the process with code 1 unless it ends, or calls `unlimit`, within its time."""
        if self.within is not None:
            with suppress(RuntimeError, ValueError, OSError, AttributeError):  # stderr is gone
                faulthandler.dump_traceback_later(self.within, exit=True)

    def unlimit(self) -> None:
        """Let the process go on: what could have hung has ended."""
        if not self.asked:
            faulthandler.cancel_dump_traceback_later()

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if self._wake is not None:
            self._wake()
        if first:
            self.limit()
        if first and self._wake is None:
            raise SystemExit(0)
