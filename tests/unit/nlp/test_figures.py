"""How figures are shown."""

from pathlib import Path

import pytest
from rich.console import Console

from nlp.training import figures
from nlp.training.figures import Row

ROWS = [
    Row("recall", 0.6871, {"VADER": 0.57}, must=0.66, aim=0.71),
    Row("speed", 1234.5, unit="posts/s"),
    Row("ratio", 6.04, unit="x", must=3, aim=6),
]


def test_cells_have_their_units() -> None:
    """Shares are percent, speeds are per second, ratios are times; what is not asked for is empty."""
    assert [row.shown() for row in ROWS] == [
        ("recall", "68.7", "VADER 57.0", "66.0", "71.0"),
        ("speed", "1,234/s", "", "", ""),
        ("ratio", "6.0x", "", "3.0x", "6.0x"),
    ]
    assert [row.verdict for row in ROWS] == ["must", "", "aim"]
    assert Row("low", 0.5, must=0.6).verdict == "below"


def test_the_terminal_shows_every_cell() -> None:
    """Whatever is in a row can be read on the terminal."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(figures.terminal(ROWS, "All"))
    assert all(cell in capture.get() for row in ROWS for cell in row.shown())


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    """A card keeps its words; a second run replaces the figures of the first."""
    card = tmp_path / "card.md"
    card.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n")
    table = figures.markdown(figures.COLUMNS, [row.shown() for row in ROWS])
    for text in ("first", table):
        figures.into_card(card, text)
    assert card.read_text() == f"before\n{figures.BEGIN}\n{table}\n{figures.END}\nafter\n"
    assert table.splitlines()[:2] == [
        "| measure | ours | baselines | must | aim |",
        "| --- | --- | --- | --- | --- |",
    ]


def test_a_card_without_markers_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written where there is no place for it."""
    card = tmp_path / "card.md"
    card.write_text(f"{figures.END} {figures.BEGIN}")
    with pytest.raises(ValueError, match="no <!-- figures"):
        figures.into_card(card, "text")
    assert card.read_text() == f"{figures.END} {figures.BEGIN}"
