"""Benchmark of the enrich role's process pool against the text pipeline alone: `make bench BENCH=pool`.

Each round measures all variants once on the same bundled posts, so that other load affects all of them. The
pool does more per post than the pipeline: it decodes the record, rates each brand, encodes the result, and
sends both between processes.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.post import Post
from nlp.enrichment import Enricher
from nlp.pipeline import Annotator, TextIn
from nlp.records import Raw
from streams.agents.annotators import Annotators
from streams.demo import data
from streams.settings import DEMO_CONFIG, load
from streams.sources import lines

ALONE = "Annotator alone"


def main() -> None:
    """Measure, and print posts per second with their ratio."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=pool BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--posts", type=int, default=5_000, help="posts in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=64, help="posts that are sent to a process at a time")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    with asyncio.Runner() as runner, ExitStack() as stack:
        records = list(islice(lines.read(data("posts.jsonl.gz")), chosen.posts))
        ways = _ways(records, chosen.processes, chosen.batch, runner, stack)
        rates = _measure(ways, len(records), chosen.rounds)
    figures = {
        way: {
            "posts_per_second": round(statistics.median(of_rounds)),
            "to_alone": round(statistics.median(map(float.__truediv__, of_rounds, rates[ALONE])), 3),
        }
        for way, of_rounds in rates.items()
    }
    if chosen.json:
        sys.stdout.write(json.dumps({"cores": os.cpu_count(), "posts": len(records), **figures}) + "\n")
    else:
        _print(figures, len(records), chosen.rounds)


def _ways(
    records: Sequence[bytes], processes: Sequence[int], size: int, runner: asyncio.Runner, stack: ExitStack
) -> dict[str, Callable[[], None]]:
    settings = load(DEMO_CONFIG)
    posts = [msgspec.json.decode(record, type=Post) for record in records]
    texts = [TextIn(post.text, post.platform) for post in posts]
    annotator = Annotator(settings.brands)
    ways: dict[str, Callable[[], None]] = {ALONE: partial(_alone, annotator, texts)}
    received = [Raw(record, time.time_ns() // 1_000_000) for record in records]
    batches = [received[start : start + size] for start in range(0, len(received), size)]
    for number in processes:
        pool = Annotators(partial(Enricher, settings.brands, settings.lawful), number)
        stack.callback(pool.stop)
        runner.run(pool.start())
        ways[f"pool, processes: {number}"] = partial(_through, runner, pool, batches, number + 1)
    return ways


def _alone(annotator: Annotator, texts: Sequence[TextIn]) -> None:
    for _ in annotator.annotate(texts):
        pass


def _through(
    runner: asyncio.Runner, pool: Annotators, batches: Sequence[Sequence[Raw]], at_once: int
) -> None:
    """Send all batches through the pool, `at_once` of them concurrently, as the enrich role does."""

    async def run() -> None:
        waiting = iter(batches)

        async def one_after_the_other() -> None:
            for batch in waiting:
                await pool.enrich(batch)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))

    runner.run(run())


def _measure(ways: dict[str, Callable[[], None]], posts: int, rounds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {way: [] for way in ways}
    # The first round fills the caches and does not count.
    for number in track(range(rounds + 1), "Measuring", console=Console(stderr=True)):
        for way, run in ways.items():
            started = time.perf_counter()
            run()
            if number:
                rates[way].append(posts / (time.perf_counter() - started))
    return rates


def _print(figures: dict[str, dict[str, float]], posts: int, rounds: int) -> None:
    title = f"{posts:,} posts, median of {rounds} rounds, {os.cpu_count()} cores"
    table = Table(title=title, title_justify="left")
    for column in ("", "posts/s", "ratio to the pipeline"):
        table.add_column(column, justify="right" if column else "left")
    for way, figure in figures.items():
        table.add_row(way, f"{figure['posts_per_second']:,.0f}", f"{figure['to_alone']:.2f}x")
    Console().print(table)


if __name__ == "__main__":
    main()
