"""The measuring, run over small corpora with stand-ins for the baselines, which the tests do not install."""

import importlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CARD = Path(__file__).parents[3] / "nlp" / "MODEL_CARD.md"


class Always:
    """A baseline that knows one label and no entity."""

    def __init__(self, *_: Any) -> None:
        pass

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Neutral, every time."""
        return ["neutral" for _ in texts]

    def spans(self, posts: Sequence[Any]) -> list[set[Any]]:
        """None."""
        return [set() for _ in posts]

    def read(self, _: Sequence[str]) -> None:
        """Nothing."""


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with baselines that need nothing and a sample that is over at once."""
    baselines = ModuleType("nlp.training.baselines")
    baselines.TfIdf = baselines.Vader = baselines.SmallEnglish = Always  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nlp.training.baselines", baselines)
    monkeypatch.delitem(sys.modules, "nlp.training.evaluate", raising=False)
    module = importlib.import_module("nlp.training.evaluate")
    monkeypatch.setattr(module, "SAMPLE", 30)
    monkeypatch.setattr(module, "_loaded", lambda: 1.0)  # three processes, which is most of the time
    return module


def test_the_card_has_a_row_for_every_measure(
    evaluate: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run measures what the card says, no more and no less, and programs get all of it."""
    found = tmp_path / "evaluate.json"
    monkeypatch.setattr(sys, "argv", ["evaluate", "--data", str(data), "--quick", "--json", str(found)])
    evaluate.main()
    told = json.loads(found.read_text())
    figures = CARD.read_text().partition("<!-- figures -->")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \|", figures, re.MULTILINE)[2:]
    assert [row["measure"] for row in told["rows"]] == rows
    assert told["sample"]
    assert told["posts_per_second"]["ours"] > 0


def test_no_figure_of_a_sample_gets_into_a_card(
    evaluate: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--quick` and `--card` together are wrong usage."""
    card = str(tmp_path / "card.md")
    monkeypatch.setattr(sys, "argv", ["evaluate", "--data", str(data), "--quick", "--card", card])
    with pytest.raises(SystemExit) as stopped:
        evaluate.main()
    assert stopped.value.code == 2
