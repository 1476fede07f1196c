"""From files of feedback and profiles to a settings file: what is read, and what is written."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from models.learning import FoldResult, Measures, Tuned
from models.rules import Weights
from streams.offline import tune
from streams.offline.tune import TuneError, with_weights
from streams.settings import load

PRESENT = Weights().model_dump()
LEARNED = PRESENT | {"enthusiasm": 0.24, "customer": 0.26}
FOLD = FoldResult(Measures(0.7, 0.6, 5), Measures(0.8, 0.7, 5))
TUNED = Tuned(LEARNED, penalty=3.0, folds=(FOLD, FOLD), decisions=50, accepted=25)
SETTINGS = """# of ours
[[brands]]
name = "Acme"  # [weights]
{more}
[sources.x]
lawful_basis = "a test"
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "[weights]\n",
        "[weights] # by hand\nenthusiasm = 0.5\n\n# why\nreach = 0.1\n",
        "[weights]\nreach = 0.1\n\n# of the thresholds\n[thresholds]\nenter_score = 50\n",
        "[thresholds]\nenter_score = 50\n  [weights]\nreach=0.1",
    ],
)
def test_only_the_weights_are_written_anew(tmp_path: Path, more: str) -> None:
    """The new file has the learned weights and says where they come from; all else is as it was."""
    source, target = tmp_path / "superfan.toml", tmp_path / "candidate.toml"
    source.write_text(SETTINGS.format(more=more))
    tune.write_settings(target, source, TUNED, PRESENT)
    made = target.read_text()
    assert tomllib.loads(made) == tomllib.loads(source.read_text()) | {"weights": LEARNED}
    assert load(target).weights == Weights(**LEARNED)
    assert load(target).thresholds == load(source).thresholds
    assert made.count("\n[weights]\n") == 1
    assert "50 decisions, 25 of them accepted" in made
    assert "enthusiasm 0.34" in made, "the weights before"
    for comment in ("# of ours", "# of the thresholds"):
        assert (comment in made) == (comment in source.read_text())
    assert source.read_text() == SETTINGS.format(more=more), "nothing is switched"


def test_tuning_a_tuned_file_replaces_what_was_learned(tmp_path: Path) -> None:
    """A second round leaves one table and one explanation."""
    once = with_weights(SETTINGS.format(more=""), TUNED, PRESENT)
    again = with_weights(once, replace(TUNED, weights=PRESENT, decisions=60), PRESENT)
    assert again == once.replace("50 decisions", "60 decisions").replace(
        "enthusiasm = 0.24", "enthusiasm = 0.34"
    ).replace("customer = 0.26", "customer = 0.16")


@pytest.mark.parametrize("inline", ["weights = { reach = 0.1 }\n", "weights.reach = 0.1 # by hand\n"])
def test_weights_in_one_line_become_a_table(inline: str) -> None:
    """Weights that are written without a table of their own are replaced as well."""
    source = inline + SETTINGS.format(more="")
    made = with_weights(source, TUNED, PRESENT)
    assert tomllib.loads(made) == tomllib.loads(source) | {"weights": LEARNED}
    assert "# of ours" in made


def test_the_settings_in_force_are_never_overwritten(tmp_path: Path) -> None:
    """Writing onto the file that was read is refused, under any name of it."""
    source, link = tmp_path / "superfan.toml", tmp_path / "link.toml"
    source.write_text(SETTINGS.format(more=""))
    link.symlink_to(source)
    for target in (source, link):
        with pytest.raises(TuneError, match="current settings"):
            tune.write_settings(target, source, TUNED, PRESENT)


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A folder that does not exist is said, with what to do."""
    source = tmp_path / "superfan.toml"
    source.write_text(SETTINGS.format(more=""))
    with pytest.raises(TuneError, match=r"candidate\.toml cannot be written"):
        tune.write_settings(tmp_path / "none" / "candidate.toml", source, TUNED, PRESENT)


def test_the_newest_yes_or_no_of_each_candidate_counts(tmp_path: Path) -> None:
    """In any order of lines; who was only contacted is undecided, and what is no feedback is counted."""
    said = [
        ("Acme/x:a", "accepted", "2026-11-02T00:00:00Z"),
        ("Acme/x:a", "declined", "2026-11-01T00:00:00Z"),
        ("Acme/x:b", "declined", "2026-11-01T00:00:00Z"),
        ("Acme/x:b", "contacted", "2026-11-05T00:00:00Z"),
        ("Acme/x:c", "contacted", "2026-11-05T00:00:00Z"),
        ("nobody", "accepted", "2026-11-05T00:00:00Z"),
    ]
    file = tmp_path / "feedback.jsonl"
    file.write_text(
        "\n".join([*(json.dumps({"key": k, "decision": d, "at": at}) for k, d, at in said), "{oops"])
    )
    assert tune.read_feedback(file) == ({"Acme/x:a": True, "Acme/x:b": False}, 2)


def test_what_is_no_profile_is_named_by_its_line(tmp_path: Path) -> None:
    """A wrong file, or one of an older version, is an error with the line."""
    file = tmp_path / "profiles.jsonl"
    good = {
        "key": "Acme/x:a",
        "components": {"enthusiasm": 0.5},
        "authenticity": {"value": 1, "severities": {}},
    }
    file.write_text(json.dumps(good) + "\n" + '{"key": "Acme/x:b"}\n')
    with pytest.raises(TuneError, match="Line 2"):
        list(tune.from_file(file, {"Acme/x:a": True}))


def test_the_advice_is_to_stay_unless_the_gain_is_clear() -> None:
    """Between two folds that differ as much as they gain, nobody should switch."""
    up, down = FOLD, FoldResult(FOLD.fitted, FOLD.present)
    assert "rank better" in tune.advice(TUNED)
    assert "stay" in tune.advice(Tuned(LEARNED, 3.0, (up, down), 50, 25))
