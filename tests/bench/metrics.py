"""The cost of metrics in a worker at full load, as a share of its CPU time.

`make bench BENCH=metrics`. Real workers on a real Kafka process a backlog of bundled posts, role by role.
Every call that counts something is timed within the same run. The cost of the timing itself is subtracted.
A scrape is timed as well, as a share of the time until the next one.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, cast
from unittest import mock

from prometheus_client import generate_latest
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from streams.broker import admin
from streams.broker.embedded import embedded_broker
from streams.broker.lag import lag
from streams.ops import meters, metrics
from streams.roles import Role
from streams.settings import Settings
from streams.worker import run
from tests.ops.stack import stream
from tests.running import feed, settings_for

SCRAPE_EVERY = 15.0
"""seconds, as in deploy/prometheus/prometheus.yml"""
COUNTING = ("enriched", "annotated", "rejected", "folded", "stored")
PACING = ("done", "step")


class Share:
    """CPU seconds of a run, and those of them in which something was counted."""

    def __init__(self) -> None:
        self.records = self.calls = 0
        self.counting = self.began = self.ended = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with timing."""

        @wraps(function)
        def measured(*arguments: Any) -> None:
            began = time.thread_time()
            function(*arguments)
            self.counting += time.thread_time() - began
            self.calls += 1

        return measured

    def of_all(self, timing: "Share | None" = None) -> float:
        """Return the share of CPU time, less the cost of timing itself."""
        counting, total = self.counting, self.ended - self.began
        if timing is not None:
            counting -= self.calls * timing.counting / timing.calls
            total -= self.calls * (timing.ended - timing.began) / timing.calls
        return counting / total


def main() -> None:
    """Measure, print the share of each role."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=metrics BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--posts", type=int, default=4_000, help="records fed for a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    chosen = parser.parse_args()
    timing = _timing()
    runs: dict[Role, list[Share]] = {role: [] for role in Role}
    records = stream()
    with tempfile.TemporaryDirectory() as folder, embedded_broker(Path(folder) / "broker") as broker:
        # The text pipeline in the worker's own process, so that its CPU time is seen.
        settings = settings_for(broker, f"sqlite:///{folder}/store.db", worker={"processes": 0})
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        meters.exposed(settings, metrics.WORKER)
        feed(settings, list(islice(records, 3_200)))  # customers, and the first posts
        with Progress(console=Console(stderr=True)) as progress:
            for number in progress.track(range(chosen.rounds + 1), description="Measuring"):
                for role in Role:
                    found = asyncio.run(_processed(settings, role))
                    if number:  # the first round warms up
                        runs[role].append(found)
                feed(settings, list(islice(records, chosen.posts)))
    figures = {role.value: _figures(shares, timing) for role, shares in runs.items()} | {"scrape": _scrape()}
    if chosen.json:
        sys.stdout.write(json.dumps({"cores": os.cpu_count(), **figures}) + "\n")
    else:
        _print(figures, chosen.rounds)


async def _processed(settings: Settings, role: Role) -> Share:
    """Run a worker of the role until it has caught up."""
    with admin.admin_client(settings) as client:
        waiting = lag(client, settings.topics.partitions)[role].behind
    stop = asyncio.Event()
    share = Share()
    with _watched(share, waiting, stop):
        await run(settings, [role], stop=stop)
    return share


@contextmanager
def _watched(share: Share, waiting: int, stop: asyncio.Event) -> Iterator[None]:
    """Time every call of the meters from the first on, until so many records are done."""
    timed_done = share.timed(meters.Pace.done)

    def done(*arguments: Any) -> None:
        timed_done(*arguments)
        share.records += 1
        if share.records == waiting:
            share.ended = time.process_time()
            stop.set()

    assigned = meters.Pace.assigned

    def begun(pace: meters.Pace) -> None:
        assigned(pace)
        share.began = time.process_time()

    counting = {name: share.timed(getattr(meters, name)) for name in COUNTING}
    with (
        mock.patch.multiple("streams.ops.meters", **cast(dict[str, Any], counting)),
        mock.patch.multiple(meters.Pace, done=done, step=share.timed(meters.Pace.step), assigned=begun),
    ):
        yield


def _timing() -> Share:
    """Measure the cost of timing an empty function."""
    share = Share()
    nothing = share.timed(lambda *_: None)
    share.began = time.process_time()
    for _ in range(200_000):
        nothing(1, 2)
    share.ended = time.process_time()
    return share


def _figures(runs: Sequence[Share], timing: Share) -> dict[str, float]:
    shares = [run.of_all(timing) for run in runs]
    return {
        "records": sum(run.records for run in runs),
        "microseconds": round(
            1e6 * sum(run.ended - run.began for run in runs) / sum(run.records for run in runs)
        ),
        "share": round(statistics.median(shares), 4),
        "least": round(min(shares), 4),
        "most": round(max(shares), 4),
    }


def _scrape() -> dict[str, float]:
    """Measure the cost of a scrape of a process with all roles."""
    registry = metrics.registry(metrics.WORKER)
    took = []
    for _ in range(50):
        began = time.thread_time()
        generate_latest(registry)
        took.append(time.thread_time() - began)
    low, middle, high = (seconds / SCRAPE_EVERY for seconds in statistics.quantiles(took, n=4))
    return {
        "microseconds": round(1e6 * statistics.median(took)),
        "share": round(middle, 5),
        "least": round(low, 5),
        "most": round(high, 5),
    }


def _print(figures: dict[str, dict[str, float]], rounds: int) -> None:
    title = f"CPU time of workers at full load, {rounds} rounds, {os.cpu_count()} cores"
    table = Table(title=title, title_justify="left")
    for column in ("", "records", "CPU time of one", "of it metrics, median", "least … most"):
        table.add_column(column, justify="right" if column else "left")
    for name, found in figures.items():
        scrape = name == "scrape"
        table.add_row(
            f"a scrape every {SCRAPE_EVERY:.0f} s" if scrape else name,
            "" if scrape else f"{found['records']:,}",
            f"{found['microseconds']:,.0f} µs",
            f"{100 * found['share']:.2f} %",
            f"{100 * found['least']:.2f} … {100 * found['most']:.2f} %",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
