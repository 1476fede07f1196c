"""The shape of the core: short paths, and neither clock nor chance."""

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import models
from models.author import AuthorState
from models.events import Position
from models.fold import Fold
from models.judging import Judging
from tests.authors import AUTHOR, RULES, fold, post

ROOT = Path(models.__file__).parent
MOST_RETURNS = 10
FORBIDDEN = {"time", "random", "secrets", "uuid", "threading", "asyncio", "socket"}
FORBIDDEN_CALLS = {"now", "today", "utcnow", "urandom", "default_rng", "getenv"}


@pytest.mark.parametrize("known", [False, True])
def test_a_post_is_counted_in_ten_returns(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """From `Fold.apply` on, functions of the core return at most ten times to count a post; judging aside."""
    folding, state = Fold(RULES), fold([post(1, 0)]) if known else AuthorState()
    monkeypatch.setattr(Judging, "publish", lambda *_: None)
    returned = []

    def trace(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "return" and code.co_filename.startswith(str(ROOT)) and code.co_name[0] != "<":
            returned.append(code.co_qualname)

    sys.setprofile(trace)
    try:
        outcome = folding.apply(AUTHOR, state, post(2, 1), Position("enriched", 7))
    finally:
        sys.setprofile(None)
    assert outcome.counted
    assert not outcome.duplicate
    assert "Fold.apply" in returned
    assert len(returned) <= MOST_RETURNS, returned


def _modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if "store" not in path.relative_to(ROOT).parts]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: path.stem)
def test_the_core_uses_neither_clock_nor_chance(path: Path) -> None:
    """Outside the store, no module of `models` reads a clock, draws a random number or does I/O."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        assert not FORBIDDEN.intersection(names), (path.name, names)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in FORBIDDEN_CALLS, (path.name, node.lineno, node.func.attr)
