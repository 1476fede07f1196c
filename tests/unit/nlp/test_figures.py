"""Tables of figures."""

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
    """Shares are shown in percent, speeds per second, ratios with x. A missing target is empty."""
    assert [row.shown() for row in ROWS] == [
        ("recall", "68.7", "VADER 57.0", "66.0", "71.0"),
        ("speed", "1,234/s", "", "", ""),
        ("ratio", "6.0x", "", "3.0x", "6.0x"),
    ]
    assert [row.verdict for row in ROWS] == ["must", "", "aim"]
    assert Row("low", 0.5, must=0.6).verdict == "below"


def test_the_terminal_shows_every_cell() -> None:
    """The terminal table shows every cell in full."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(figures.terminal(ROWS, "All"))
    assert all(cell in capture.get() for row in ROWS for cell in row.shown())


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    """The text of a card stays, and each run replaces the figures of the one before."""
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
    """A card without both markers is an error, and stays unchanged."""
    card = tmp_path / "card.md"
    card.write_text(f"{figures.END} {figures.BEGIN}")
    with pytest.raises(ValueError, match="no <!-- figures"):
        figures.into_card(card, "text")
    assert card.read_text() == f"{figures.END} {figures.BEGIN}"
