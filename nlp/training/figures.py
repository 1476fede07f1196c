"""Figures as rows, and their tables: on the terminal, in Markdown, and in the model card."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.table import Table

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLUMNS = ("measure", "ours", "baselines", "must", "aim")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: our figure, those of the baselines, and the targets, if there are any."""

    measure: str
    ours: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    must: float | None = None
    aim: float | None = None
    unit: Literal["%", "posts/s", "x", "s"] = "%"
    """unit of all figures; "%" is a share, shown in percent"""

    def shown(self) -> tuple[str, str, str, str, str]:
        """Return the cells, in the order of `COLUMNS`."""
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
        """The target that our figure reaches, "" if there is none."""
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
    """Return a table for the terminal. Green: the aim is reached; yellow: the must; red: neither."""
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
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def into_card(card: Path, text: str) -> None:
    """Replace the text between the card's markers.

    Raises:
        ValueError: if the card does not have both markers, in order.
    """
    head, begin, rest = card.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{card} has no {BEGIN} … {END}; add these markers where the figures belong")
    card.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
