"""The processes that faults hit: a worker and, with it, a process of the negative control."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.settings import Settings
from tests.chaos import naive
from tests.chaos.plan import ALL_ROLES
from tests.running import WorkerProcess, environment
from tests.waiting import STUCK


class Slot:
    """A worker and a process of the negative control that share their faults."""

    def __init__(self, number: int, settings: Settings, folder: Path, session: float) -> None:
        self.number = number
        self._settings = settings
        self._folder = folder
        self._session = session
        self.worker: WorkerProcess | None = None
        self._naive: subprocess.Popen[bytes] | None = None
        self._log_size = 0

    def start(self) -> None:
        """Start both unless they run."""
        session = {
            "SUPERFAN_WORKER__SESSION_TIMEOUT": str(self._session),
            "SUPERFAN_WORKER__DELIVERY_TIMEOUT": str(self._session * 0.75),
            "SUPERFAN_LOG_LEVEL": "info",
        }
        if self.worker is None:
            role = "all" if self.number in ALL_ROLES else "profile"
            log_file = self._folder / f"worker-{self.number}.log"
            self._log_size = log_file.stat().st_size if log_file.exists() else 0
            self.worker = WorkerProcess(self._settings, log_file, role, **session)
        if self._naive is None:
            with (self._folder / f"naive-{self.number}.log").open("ab") as out:
                self._naive = subprocess.Popen(
                    [sys.executable, naive.__file__, self._settings.broker_url,
                     str(self._settings.topics.partitions), str(self._session)],
                    env=environment(self._settings), stdout=out, stderr=out, cwd=self._folder,
                )  # fmt: skip

    def restart_ended(self) -> str | None:
        """Start again what ended by itself. Return the end of the log if that was the worker."""
        report = None
        if self.worker is not None and self.worker.process.poll() is not None:
            code, end = self.worker.process.returncode, self.worker.said()[-600:]
            report = f"worker {self.number} ended by itself with {code}: {end}"
            self.worker = None
            self.start()
        if self._naive is not None and self._naive.poll() is not None:
            self._naive = None
            self.start()
        return report

    def restart_control(self) -> None:
        """Start the negative control again and leave the worker alone."""
        if self._naive is not None:
            self._naive.kill()
            self._naive.wait()
            self._naive = None
        self.start()

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to both processes and to the text processes of the worker."""
        for process in self._processes():
            for pid in (process.pid, *_children(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)

    def kill(self) -> None:
        """End both as a crash would."""
        for process in self._processes():
            children = _children(process.pid)
            process.kill()
            process.wait()
            for child in children:  # a paused one could not see that its parent is gone
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGCONT)
        self.worker = self._naive = None

    def leave(self) -> float | None:
        """End both by SIGTERM, sent twice. Return the seconds that the worker took, if there was one."""
        ours, took, began = self.worker, None, time.monotonic()
        for process in self._processes():
            process.send_signal(signal.SIGTERM)
        if ours is not None:
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                ours.process.send_signal(signal.SIGTERM)
        for process in self._processes():
            try:
                process.wait(STUCK)
                if ours is not None and process is ours.process:
                    took = time.monotonic() - began
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                if ours is not None and process is ours.process:
                    raise AssertionError(f"a worker did not leave: {ours.said()}") from None
        # A worker that has logged nothing yet has no handler yet: SIGTERM ends it as it ends any program.
        in_order = {0} if ours is not None and ours.log.stat().st_size > self._log_size else {0, -15}
        if ours is not None and ours.process.returncode not in in_order:
            raise AssertionError(f"a worker left with {ours.process.returncode}: {ours.said()}")
        self.worker = self._naive = None
        return took

    def kill_text_process(self) -> None:
        """Kill the text processes of the worker."""
        if self.worker is not None:
            for pid in _children(self.worker.process.pid):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def _processes(self) -> Iterator["subprocess.Popen[Any]"]:
        if self.worker is not None:
            yield self.worker.process
        if self._naive is not None:
            yield self._naive


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
