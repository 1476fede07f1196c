"""`make judge`: measure how well fans are found in simulated worlds whose truth is known.

The worlds go through the text pipeline and the core that ship. The exit code is 0 even if targets are missed:
see the table.
"""

import argparse
import signal
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.judge import errors, texts, world
from tests.judge.judging import Figures, judge
from tests.judge.people import DAYS
from tests.judge.processes import judged_worlds

HUNTED = ("bot", "giveaway", "employee", "sponsored")
"""archetypes that must hardly ever be candidates"""
Value = Callable[[Figures], float]


def main() -> int:
    """Simulate the worlds, print a Markdown table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="make judge JUDGE_ARGS=…", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the corpora")
    parser.add_argument("--seeds", type=int, default=10, help="number of worlds, with the seeds 1, 2, …")
    parser.add_argument("--workers", type=int, default=1, help="worlds to simulate concurrently")
    parser.add_argument("--authors", type=int, default=world.AUTHORS, help="authors in a world")
    parser.add_argument(
        "--json", type=Path, default=Path("judge.json"), help="the file to write the figures to"
    )
    parser.add_argument("--errors", type=int, metavar="SEED", help="list the errors in one world instead")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the workers are stopped too
    try:
        sentences = texts.read(chosen.data)
    except FileNotFoundError as missing:
        parser.error(f"{missing}; nlp/training/corpora.py lists the files it needs")
    with _progress() as progress:
        if chosen.errors is not None:
            built = world.build(chosen.errors, sentences, authors=chosen.authors)
            task = progress.add_task(f"seed {chosen.errors}", total=DAYS + 1)
            judged = judge(chosen.errors, built, lambda n: progress.advance(task, n))
        else:
            task = progress.add_task("days judged", total=chosen.seeds * (DAYS + 1))
            found = judged_worlds(
                range(1, chosen.seeds + 1),
                sentences,
                chosen.authors,
                chosen.workers,
                lambda n: progress.advance(task, n),
            )
    if chosen.errors is not None:
        sys.stdout.writelines(f"{line}\n" for line in errors.listed(built, judged))
        return 0
    chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(f) for f in found])) + b"\n")
    sys.stdout.writelines(f"{line}\n" for line in _table(found))
    return 0


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _table(found: Sequence[Figures]) -> Iterator[str]:
    yield f"Median and range over {len(found)} worlds. Targets are for the median."
    yield ""
    yield "| | median | mean | range | target |"
    yield "|---|---|---|---|---|"
    for name, value, target, digits in _rows(found):
        values = sorted(map(value, found))
        shown = (statistics.median(values), statistics.mean(values), values[0], values[-1])
        middle, mean, low, high = (f"{x:,.{digits}f}" for x in shown)
        yield f"| {name} | {middle} | {mean} | {low} to {high} | {target} |"
    same = sum(f.same_in_any_order for f in found), sum(f.same_when_replayed for f in found)
    yield f"| worlds with the same profiles and candidates in any order | {same[0]} | | | {len(found)} |"
    yield f"| worlds with the same ones after a replay | {same[1]} | | | {len(found)} |"


def _rows(found: Sequence[Figures]) -> Iterator[tuple[str, Value, str, int]]:
    """Yield name, value, target, and digits to show."""
    yield "posts", lambda f: f.posts, "", 0
    yield "true fans in the tier", lambda f: f.fans, "", 0
    yield "of these, findable", lambda f: f.findable, "", 0
    yield "candidates at the end", lambda f: f.board, "", 0
    yield "**P@20**", lambda f: f.precision[20], ">= .90", 2
    yield "**P@50**", lambda f: f.precision[50], ">= .85", 2
    yield "recall of findable fans", lambda f: f.recall, "", 2
    yield "recall of all fans in the tier", lambda f: f.recall_of_all, "", 2
    for archetype in sorted({*HUNTED, *(name for f in found for name in f.false_flags)}):
        target = "< 2 %" if archetype in HUNTED else ""
        yield (
            f"false flags, {archetype.replace('_', ' ')} (% of the board)",
            _false_flags(archetype),
            target,
            1,
        )
    yield "transitions for each flagged author", lambda f: f.transitions, "<= 1.1", 2
    yield "of these, promotions", lambda f: f.entries, "", 2
    for why in sorted({why for f in found for why in f.left}):
        yield f"of these, demotions: {why.replace('_', ' ')}", _left(why), "", 2
    yield "days to the flag, median fan", lambda f: statistics.median(f.days_to_flag or [0]), "", 1
    yield "days to the flag, slowest tenth", lambda f: _ninth(f.days_to_flag), "", 1
    for name in found[0].baselines:
        yield f"P@20, {name}", _baseline(name, 20), "clearly below", 2
        yield f"P@50, {name}", _baseline(name, 50), "clearly below", 2


def _false_flags(archetype: str) -> Value:
    return lambda f: 100 * f.false_flags.get(archetype, 0.0)


def _left(why: str) -> Value:
    return lambda f: f.left.get(why, 0.0)


def _baseline(name: str, k: int) -> Value:
    return lambda f: f.baselines[name][k]


def _ninth(days: Iterable[int]) -> float:
    ordered = sorted(days) or [0]
    return ordered[round(0.9 * (len(ordered) - 1))]


if __name__ == "__main__":
    sys.exit(main())
