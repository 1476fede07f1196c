"""The evaluation, on small corpora and with substitutes for the baselines, which tests do not install."""

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
    """A baseline that predicts one label and no entities."""

    def __init__(self, *_: Any) -> None:
        pass

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return "neutral" for every text."""
        return ["neutral" for _ in texts]

    def spans(self, posts: Sequence[Any]) -> list[set[Any]]:
        """Return no entities."""
        return [set() for _ in posts]

    def read(self, _: Sequence[str]) -> None:
        """Ignore the texts."""


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module with substitutes for the baselines and a small sample."""
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
    """A run yields the measures of the model card, in its order, and writes them as JSON."""
    found = tmp_path / "evaluate.json"
    monkeypatch.setattr(sys, "argv", ["evaluate", "--data", str(data), "--quick", "--json", str(found)])
    evaluate.main()
    written = json.loads(found.read_text())
    figures = CARD.read_text().partition("<!-- figures -->")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+) \|", figures, re.MULTILINE)[2:]
    assert [row["measure"] for row in written["rows"]] == rows
    assert written["sample"]
    assert written["posts_per_second"]["ours"] > 0


def test_no_figure_of_a_sample_gets_into_a_card(
    evaluate: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--quick` and `--card` exclude each other."""
    card = str(tmp_path / "card.md")
    monkeypatch.setattr(sys, "argv", ["evaluate", "--data", str(data), "--quick", "--card", card])
    with pytest.raises(SystemExit) as stopped:
        evaluate.main()
    assert stopped.value.code == 2
