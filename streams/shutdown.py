"""SIGTERM and SIGINT: the first stops in order, at any moment; further ones change nothing."""

import faulthandler
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STEP = 0.1


class Stop:
    """Whether this process was told to stop. Make it early, in the main thread.

    The handler runs between any two instructions of the main thread, so it takes no lock: had it set a
    `threading.Event` that the main thread was about to wait for, it would wait for itself for ever.
    """

    def __init__(self) -> None:
        self.asked = False
        self.within: float | None = None
        """seconds after which a process that was told to stop, and hangs, ends with code 1 and says where
        its threads were; for those to whom that does no harm"""
        self._wake: Callable[[], object] | None = None
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._on_signal)

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """While something runs that must finish first, `wake` tells it; else the process exits with 0.

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
        """Wait so long, or until told to stop, or a moment more; whether it was told."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, STEP))
        return self.asked

    def ignore(self) -> None:
        """Everything is done: a signal while Python takes itself down must not look like a failure."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, signal.SIG_IGN)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if self._wake is not None:
            self._wake()
        if first and self.within is not None:
            with suppress(
                RuntimeError, ValueError, OSError, AttributeError
            ):  # nobody reads what it would say
                faulthandler.dump_traceback_later(self.within, exit=True)
        if first and self._wake is None:
            raise SystemExit(0)
