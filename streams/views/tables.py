"""Rows on standard output: a table for people, JSON Lines or CSV for programs."""

import csv
import json
import select
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.views.safe_text import printable


class Output(StrEnum):
    """The formats of data on standard output; `json` is JSON Lines."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def print_rows(output: Output, rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows that all have the same columns; JSON and CSV stream, a table is built first."""
    if output is Output.JSON:
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        return
    if output is Output.CSV:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(sys.stdout, fieldnames=list(row))
                writer.writeheader()
            writer.writerow({name: "" if cell is None else cell for name, cell in row.items()})
        return
    print_table(list(rows))


def print_table(rows: list[Mapping[str, Any]]) -> None:
    """Print a table; print nothing if there are no rows."""
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row.values()))
    out_console().print(table)


def print_fields(row: Mapping[str, Any]) -> None:
    """Print one row, one field per line, with nothing cut off."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, cell in row.items():
        table.add_row(name.replace("_", " "), _cell(cell))
    out_console().print(table)


def print_findings(findings: Iterable[tuple[str, bool, str, str]]) -> None:
    """Print checks, each `(check, ok, found, fix)`; a fix appears below a failed check."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check, ok, found, fix in findings:
        table.add_row("[green]✓[/]" if ok else "[bold red]✗[/]", _cell(check), _cell(found))
        if not ok:
            table.add_row("", "", _cell(f"→ {fix}", "bold"))
    out_console().print(table)


def out_console() -> Console:
    """Return a console for standard output, wide enough for a table when it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=140)


def reader_left() -> bool:
    """Return whether standard output is a pipe that its reader has closed."""
    asked = select.poll()
    asked.register(sys.stdout, 0)
    return bool(asked.poll(0))


def _cell(value: Any, style: str = "") -> Text:
    """Return a table cell that shows a value and never reads it as markup."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes") if value else Text("no", "bold red")
    return Text(printable(str(value)), style)
