"""The table of cases, read by the pipeline."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.nlp.conftest import Annotate

CASES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("cases.toml").read_text(encoding="utf-8")
)["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:50])
def test_case(case: dict[str, Any], annotate: Annotate) -> None:
    """Of every post of the table the pipeline says what the table says."""
    annotation = annotate(case["text"], platform=case.get("platform", "x"))
    said: dict[str, Any] = {
        "sentiment": annotation.sentiment.label,
        "brands": [f"{b.surface}: {b.sentiment.label}" for b in annotation.brands],
        "cues": list(annotation.cues),
        "evidence": list(annotation.evidence),
        "lang": annotation.lang,
    }
    expected = {key: case[key] for key in said if key in case}

    assert expected == {key: said[key] for key in expected}
    assert not set(case.get("not_cues", ())) & set(annotation.cues)


def test_table_keys() -> None:
    """No key of the table is misspelled and so never checked."""
    known = {"text", "platform", "sentiment", "brands", "cues", "not_cues", "evidence", "lang"}

    assert set() == {key for case in CASES for key in case} - known
