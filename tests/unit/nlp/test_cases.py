"""The table of cases: annotations that the pipeline must give."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from models.annotation import Annotation, TargetMention
from tests.unit.nlp.conftest import Annotate

TABLE = tomllib.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = TABLE["case"]
HARD = [case for case in CASES if case.get("hard")]
CLEAR = [case for case in CASES if not case.get("hard")]
HARD_HELD = 35
"""least number of hard cases that are right; it may only be raised"""


def differences(case: dict[str, Any], annotate: Annotate) -> list[str]:
    """Return the differences between the pipeline's annotation and the table."""
    targets = tuple({target.rpartition(": ")[0].casefold() for target in case.get("targets", ())})
    annotation: Annotation = annotate(case["text"], platform=case.get("platform", "x"), targets=targets)
    brands = [f"{b.surface}: {b.sentiment.label}" for b in annotation.brands]
    if "brands" in case and len(brands) == len(case["brands"]):
        brands = [
            said if re.search(": [a-z]+$", wanted) else said.rpartition(": ")[0]
            for said, wanted in zip(brands, case["brands"], strict=True)
        ]
    said: dict[str, Any] = {
        "sentiment": annotation.sentiment.label,
        "brands": brands,
        "targets": [f"{t.text}: {t.sentiment.label}" for t in sorted(annotation.targets, key=_start)],
        "cues": list(annotation.cues),
        "evidence": list(annotation.evidence),
        "lang": annotation.lang or "",
    }
    found = [f"{key}: {said[key]}, not {case[key]}" for key in said if key in case and case[key] != said[key]]
    return found + [f"cue {cue}" for cue in annotation.cues if cue in case.get("not_cues", ())]


def _start(target: TargetMention) -> int:
    return target.start


@pytest.mark.parametrize("case", CLEAR, ids=lambda case: case["text"][:50])
def test_case(case: dict[str, Any], annotate: Annotate) -> None:
    """The pipeline annotates each clear post as the table demands."""
    assert differences(case, annotate) == []


def test_hard_cases(annotate: Annotate) -> None:
    """The pipeline annotates at least `HARD_HELD` hard posts as the table demands."""
    wrong = [f"{case['text']}: {'; '.join(found)}" for case in HARD if (found := differences(case, annotate))]

    assert len(HARD) - len(wrong) >= HARD_HELD, "\n".join(wrong)


def test_table_keys() -> None:
    """All keys of the table are known, so that none is ignored, and no post occurs twice."""
    known = {
        "text", "platform", "hard", "sentiment", "brands", "targets", "cues", "not_cues", "evidence", "lang",
    }  # fmt: skip
    texts = [case["text"] for case in CASES]

    assert set() == {key for case in CASES for key in case} - known
    assert len(set(texts)) == len(texts)
