"""`make chaos`: long runs for several seeds, and a table of their figures.

Exits with 0 when no run ended with a difference and the negative control was wrong in all of them.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from streams.demo import data
from streams.settings import DEMO_CONFIG, load
from streams.sources import lines
from tests.chaos import plan, world
from tests.chaos.outcome import Outcome
from tests.chaos.run import Run
from tests.databases import postgresql

SEEDS = (1, 2, 3)
AUTHORS, POSTS = 20_000, 200_000


def main() -> int:
    """Run the seeds one after the other. Return the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos CHAOS_ARGS=…", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=SEEDS, help="one run for each; a seed decides the faults"
    )
    parser.add_argument(
        "--posts", type=int, default=POSTS, help="number of generated posts, added to the real ones"
    )
    parser.add_argument(
        "--authors", type=int, default=AUTHORS, help="number of authors of the generated posts"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--keep", type=Path, help="keep the logs of workers and broker in this new folder")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is ended
    console = Console(stderr=True, highlight=False)
    outcomes = []
    for seed in chosen.seeds:
        console.print(f"[bold]Seed {seed}[/]: making the stream …")
        outcomes.append(_run(seed, chosen.authors, chosen.posts, chosen.keep, console))
        for difference in outcomes[-1].differences[:20]:
            console.print(f"  {difference}")
    Console().print(_table(outcomes))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=1))
    right = all(not outcome.differences and not outcome.ended for outcome in outcomes)
    return 0 if right and all(outcome.naive_off for outcome in outcomes) else 1


def _run(seed: int, authors: int, posts: int, keep: Path | None, console: Console) -> Outcome:
    whole = world.build(
        load(DEMO_CONFIG),
        seed,
        real=list(lines.read(data("posts.jsonl.gz"))),
        customers=list(lines.read(data("customers.jsonl.gz"))),
        authors=authors,
        posts=posts,
    )
    with tempfile.TemporaryDirectory(prefix="superfan-chaos-") as temporary, postgresql() as database:
        folder = (keep or Path(temporary)) / f"seed-{seed}"
        folder.mkdir(parents=True)
        run = Run(
            seed,
            plan.LONG,
            whole,
            database=database,
            folder=folder,
            say=lambda line: console.print(f"  {line}", markup=False),
        )
        try:
            return run.execute()
        finally:
            run.close()


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Chaos on a real Kafka and a real PostgreSQL", title_justify="left")
    table.add_column("")
    for outcome in outcomes:
        table.add_column(f"seed {outcome.seed}", justify="right")

    def row(name: str, *values: object, style: str = "") -> None:
        shown = [f"{value:,}" if isinstance(value, int) else str(value) for value in values]
        table.add_row(name, *shown, style=style)

    row("records fed", *(o.fed for o in outcomes))
    for fault in plan.FAULTS:
        row(f"  {fault}", *(o.faults[fault] for o in outcomes), style="dim")
    row("faults injected", *(o.faults.total() for o in outcomes))
    row("produce while the broker was slow", *(f"{statistics.median(o.slow_ms):.0f} ms" for o in outcomes))
    row("records replayed", *(o.replayed for o in outcomes))
    row("duplicates absorbed", *(o.duplicates for o in outcomes))
    row("stale writes refused", *(o.stale for o in outcomes))
    row("longest from SIGTERM to the end", *(f"{max(o.leaving):.1f} s" for o in outcomes))
    row("workers that ended by themselves", *(len(o.ended) for o in outcomes))
    row("posts counted", *(o.counted for o in outcomes))
    row("profiles", *(o.profiles for o in outcomes))
    row("candidates, all states", *(o.candidates.total() for o in outcomes))
    row("seconds", *(round(o.seconds) for o in outcomes))
    table.add_section()
    row("difference to the oracle", *(len(o.differences) for o in outcomes), style="bold")
    row(
        "the same of table[key] += 1",
        *(f"{o.naive_off:,} in {o.naive_wrong:,} authors" for o in outcomes),
    )
    row("times that it stopped reading for good", *(o.naive_stuck for o in outcomes))
    return table


if __name__ == "__main__":
    sys.exit(main())
