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


class Output(StrEnum):
    """How data is printed; `json` is JSON Lines."""

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
    """A table on standard output; nothing at all for no rows."""
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row.values()))
    out_console().print(table)


def print_fields(row: Mapping[str, Any]) -> None:
    """One row on standard output, a field a line, nothing cut."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, cell in row.items():
        table.add_row(name.replace("_", " "), _cell(cell))
    out_console().print(table)


def print_findings(findings: Iterable[tuple[str, bool, str, str]]) -> None:
    """Checks on standard output, `(check, ok, found, fix)` each; where one is not well, the fix below it."""
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
    """Standard output for people; wide enough for a table when it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=140)


def reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    asked = select.poll()
    asked.register(sys.stdout, 0)
    return bool(asked.poll(0))


def printable(text: str) -> str:
    """What a terminal may be shown: a record must not steer it. All is on one line, and every character that
    would not be seen is a dot that is."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "·" for c in text)


def _cell(value: Any, style: str = "") -> Text:
    """A value as it is, never as markup."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes") if value else Text("no", "bold red")
    return Text(printable(str(value)), style)
