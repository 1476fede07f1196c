"""The lease of a worker on its partitions: a paused worker must not write when it wakes up."""

import time
from typing import Any


class Lease:
    """The time until which the group surely counts on this worker.

    It lasts one session from the moment at which the last answered heartbeat was sent. Heartbeats
    are sent in the consumer's own thread. So a busy worker keeps its lease, and a paused process
    loses it and finds that out before it sends anything. `session` is in seconds.
    """

    def __init__(self, session: float) -> None:
        self._session = session
        self._assigned_at = self._sent_at = 0.0
        self._void = False

    def watch(self, coordinator: Any) -> None:
        """Note that an assignment has come, and from now on every heartbeat that the broker accepts."""
        self._assigned_at = _now()
        heartbeat = coordinator._do_heartbeat
        if getattr(heartbeat, "noted", False):
            return

        async def noted() -> bool:
            sent_at = _now()
            accepted = bool(await heartbeat())
            if accepted:
                self._sent_at = sent_at
            return accepted

        noted.noted = True  # type: ignore[attr-defined]
        coordinator._do_heartbeat = noted

    def holds(self) -> bool:
        """Return True while nobody else can own this worker's partitions."""
        return not self._void and _now() < self._sent_at + self._session

    def confirmed(self) -> bool:
        """Return True when the group confirmed the assignment after it had come.

        A worker that was paused may see an assignment that is no longer valid.
        """
        return self._sent_at > self._assigned_at

    def give_up(self) -> None:
        """End the lease for good."""
        self._void = True


def _now() -> float:
    """Return seconds of a clock that also runs while the machine sleeps, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
