"""Figures as rows: a table on the terminal, a table of Markdown, and its place in the model card."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.table import Table

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLUMNS = ("measure", "ours", "baselines", "must", "aim")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: our figure, those of the baselines, and what is asked for, when anything is."""

    measure: str
    ours: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    must: float | None = None
    aim: float | None = None
    unit: Literal["%", "posts/s", "x", "s"] = "%"
    """"%": a share, shown in percent"""

    def shown(self) -> tuple[str, str, str, str, str]:
        """The cells, in the order of `COLUMNS`."""
        others = ", ".join(f"{name} {self._figure(value)}" for name, value in self.baselines.items())
        return (
            self.measure,
            self._figure(self.ours),
            others,
            "" if self.must is None else self._figure(self.must),
            "" if self.aim is None else self._figure(self.aim),
        )

    @property
    def verdict(self) -> Literal["aim", "must", "below", ""]:
        """What our figure reaches; empty when nothing is asked for."""
        if self.must is None:
            return ""
        if self.aim is not None and self.ours >= self.aim:
            return "aim"
        return "must" if self.ours >= self.must else "below"

    def _figure(self, value: float) -> str:
        match self.unit:
            case "%":
                return f"{100 * value:.1f}"
            case "x":
                return f"{value:.1f}x"
            case "s":
                return f"{value:.1f} s"
            case _:
                return f"{value:,.0f}/s"


def terminal(rows: Sequence[Row], title: str) -> Table:
    """The rows for people; green reaches the aim, yellow what must be, red neither."""
    styles = {"aim": "bold green", "must": "yellow", "below": "bold red", "": ""}
    table = Table(title=title, title_style="bold", header_style="bold")
    for name in COLUMNS:
        table.add_column(
            name, justify="left" if name in {"measure", "baselines"} else "right", overflow="fold"
        )
    for row in rows:
        measure, ours, *others = row.shown()
        style = styles[row.verdict]
        table.add_row(measure, f"[{style}]{ours}[/]" if style else ours, *others)
    return table


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def into_card(card: Path, text: str) -> None:
    """Put the text between the card's markers. Raises `ValueError` when it has not both, in order."""
    head, begin, rest = card.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{card} has no {BEGIN} … {END} to write between")
    card.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
