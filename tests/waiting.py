"""Waits that a busy machine makes longer, never red.

A condition may take as long as it needs: `until` gives up only when a whole test would be stuck. Where time
itself is promised ("within the drain time"), `stretched` allows for what else the machine has to do.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

STUCK = 600.0
"""seconds after which a condition that has not come true never will"""


def until(condition: Callable[[], object], what: object = "", *, every: float = 0.1) -> None:
    """Return when a condition has come true. `what`, or what it returns, says what was awaited."""
    deadline = time.monotonic() + STUCK
    while not condition():
        assert time.monotonic() < deadline, f"not in {STUCK:.0f} s: {_said(what)}"
        time.sleep(every)


async def until_async(condition: Callable[[], object], what: object = "", *, every: float = 0.05) -> None:
    """Return when a condition, which must not block, has come true."""
    deadline = time.monotonic() + STUCK
    while not condition():
        assert time.monotonic() < deadline, f"not in {STUCK:.0f} s: {_said(what)}"
        await asyncio.sleep(every)


def until_done(look: Callable[[], tuple[object, bool]], what: object = "", *, every: float = 0.3) -> None:
    """Return when a look says twice in a row that all is done, with the same state.

    `look` returns the state and whether that is the end. A state that does not change for `STUCK` seconds
    is a failure: a slow machine is none.
    """
    before: object = None
    since = time.monotonic()
    while True:
        now, done = look()
        if now != before:
            since = time.monotonic()
        elif done:
            return
        assert time.monotonic() - since < STUCK, f"nothing moved for {STUCK:.0f} s: {now}; {_said(what)}"
        before = now
        time.sleep(every)


def stretched(seconds: float) -> float:
    """Return a time limit for this machine: longer by as much as it has more to do than it has cores."""
    return seconds * slowdown()


def slowdown() -> float:
    """Return how many threads share a core now, or did in the last minute; at least 1."""
    load, *_ = os.getloadavg()
    runnable = 0
    if (now := Path("/proc/loadavg")).exists():  # the mean of a minute does not know yet what just began
        runnable = int(now.read_text().split()[3].partition("/")[0])
    return max(1.0, max(load, runnable) / (os.cpu_count() or 1))


def _said(what: object) -> object:
    return what() if callable(what) else what
