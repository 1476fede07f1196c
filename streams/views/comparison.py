"""The output of `superfan backtest --compare`: the authors that two settings files judge differently.

`models.comparison` defines the differences, and `streams.offline.backtest` finds them.
"""

import heapq
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.comparison import Change, Difference, Side
from streams.settings import Settings
from streams.sources import lines
from streams.views.tables import Output, out_console, print_rows

MOST_MOVES = 10
"""most authors shown whose score changes, but who are neither promoted nor demoted"""
MOST_CAUSES = 4
_STYLES = {"enters": "green", "leaves": "red"}
_CHANGES: Mapping[Change, str] = {
    "agree": "same",
    "enters": "promoted",
    "leaves": "demoted",
    "moves": "rescored",
}
"""names of changes in the table; JSON and CSV have those of `Change`"""
_decoder = msgspec.json.Decoder(Difference)


def announce(one: Settings, other: Settings, talk: Console) -> None:
    """Warn of a comparison that takes twice as long, or that will be empty."""
    apart = one.counting_differences(other)
    if not one.reads_like(other):
        named = " and ".join(name for name in apart if name != "window")
        talk.print(
            f"The two files differ in {named}: every post is analysed twice, which takes twice as long.",
            soft_wrap=True,
        )
    if not apart and one.rules == other.rules:
        talk.print("Both files decide the same. Variables SUPERFAN_* override both.", soft_wrap=True)


def print_comparison(file: Path, output: Output, talk: Console) -> None:
    """Print a `comparison.jsonl`: as JSON or CSV all of it, as a table the largest differences."""
    if output is Output.JSON:
        for line in lines.read(file):
            sys.stdout.buffer.write(line + b"\n")
        return
    if output is Output.CSV:
        print_rows(output, map(_row, _read(file)))
        return
    counts = Counter(difference.change for difference in _read(file))
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("change")
    table.add_column("who", overflow="fold")
    table.add_column("state")
    table.add_column("score", justify="right")
    table.add_column("why", ratio=1, overflow="fold")
    shown = [d for d in _read(file) if d.change != "moves"]
    shown.sort(key=lambda d: (d.change, -(d.after.score or 0.0), d.key))
    moves = heapq.nsmallest(MOST_MOVES, (d for d in _read(file) if d.change == "moves"), key=_stir)
    for difference in [*shown, *moves]:
        why = "\n".join(cause.text for cause in difference.because[:MOST_CAUSES])
        change = Text(
            _CHANGES.get(difference.change, difference.change), style=_STYLES.get(difference.change, "")
        )
        table.add_row(change, Text(difference.key), _states(difference), _scores(difference), Text(why))
    if table.row_count:
        out_console().print(table)
    talk.print(
        f"{counts['enters']:,} promoted, {counts['leaves']:,} demoted, {counts['moves']:,} with another score"
        + (f" (the {MOST_MOVES} largest changes are shown)" if counts["moves"] > MOST_MOVES else "")
        + f". All differences are in {file}.",
        soft_wrap=True,
    )


def _read(file: Path) -> Iterator[Difference]:
    return map(_decoder.decode, lines.read(file))


def _stir(difference: Difference) -> tuple[bool, float, str]:
    """Return a sort key: changes of state first, then the largest changes of points."""
    same = difference.before.state == difference.after.state
    return same, -abs(difference.points or 0.0), difference.key


def _row(difference: Difference) -> dict[str, object]:
    return {
        "key": difference.key,
        "change": difference.change,
        "state_before": difference.before.state,
        "state_after": difference.after.state,
        "score_before": difference.before.score,
        "score_after": difference.after.score,
        "points": difference.points,
        "because": "; ".join(cause.text for cause in difference.because),
    }


def _states(difference: Difference) -> str:
    was, is_ = difference.before.state or "-", difference.after.state or "-"
    return was if was == is_ else f"{was} → {is_}"


def _scores(difference: Difference) -> str:
    def shown(side: Side) -> str:
        return "-" if side.score is None else f"{side.score:.1f}"

    return f"{shown(difference.before)} → {shown(difference.after)}"
