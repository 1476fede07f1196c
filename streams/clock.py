"""The wall clock of this machine. Only the shell around the core reads it."""

import time


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000
