"""Shadow rules are counted, change nothing, and are refused where they would count other posts."""

from pathlib import Path

import pytest

from models.author import AuthorState
from models.codec import Codec
from models.customer import Customer
from models.events import Event, Position
from models.facts import CustomerLink
from models.fold import Fold
from models.rules import Rules, Thresholds, Weights
from streams.agents.shadow import Shadow, shadow_of
from streams.ops import metrics
from streams.settings import SettingsError, load
from tests.authors import AUTHOR, RULES, post

CRM = CustomerLink(customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=3))
FAN: list[Event] = [CRM, *(post(n, n) for n in range(5))]
CONFIG = """
[[brands]]
name = "Acme"
[sources.x]
lawful_basis = "a test"
{more}
"""


def counted() -> dict[str, float]:
    """Return the counts of the shadow's verdicts about the brand, and of its judgements."""
    found = {
        verdict: metrics.SHADOW.labels("Acme", verdict).value for verdict in ("agree", "enters", "leaves")
    }
    return found | {"compared": sum(metrics.SHADOW_POINTS.labels("Acme").counts)}


def watched(rules: Rules, shadow: Rules) -> dict[str, float]:
    """Return what the events of a fan add to the counts."""
    before = counted()
    folding, state, beside = Fold(rules), AuthorState(), Shadow(shadow)
    codec = Codec(AuthorState)
    for offset, event in enumerate(FAN):
        outcome = folding.apply(AUTHOR, state, event, Position("enriched", offset))
        kept, said = codec.pack(state), repr(outcome)
        beside.judge(folding, AUTHOR, state, outcome)
        assert (codec.pack(state), repr(outcome)) == (kept, said), "the shadow has changed live state"
    return {name: n - before[name] for name, n in counted().items()}


def test_the_same_rules_agree_at_every_judgement() -> None:
    """Each of the five published judgements is made again, and none differs."""
    assert watched(RULES, RULES) == {"agree": 5, "enters": 0, "leaves": 0, "compared": 5}


def test_stricter_rules_take_candidates_off_and_looser_ones_put_them_on() -> None:
    """A fan is a candidate from the third day on: rules that never flag would leave three times."""
    strict = RULES.model_copy(update={"thresholds": Thresholds(positive_days=99)})
    assert watched(RULES, strict) == {"agree": 2, "enters": 0, "leaves": 3, "compared": 5}
    assert watched(strict, RULES) == {"agree": 2, "enters": 3, "leaves": 0, "compared": 5}


def test_the_difference_of_the_scores_is_counted_with_its_sign() -> None:
    """Rules that see only the customer file score higher: nothing below zero is observed."""
    sure = Weights(**dict.fromkeys(Weights.model_fields, 0.0) | {"customer": 1.0})
    histogram = metrics.SHADOW_POINTS.labels("Acme")
    at_most_zero = sum(histogram.counts[: metrics.POINTS.index(0) + 1])
    watched(RULES, RULES.model_copy(update={"weights": sure}))
    assert sum(histogram.counts[: metrics.POINTS.index(0) + 1]) == at_most_zero


def test_the_other_file_is_found_beside_the_live_one(tmp_path: Path) -> None:
    """A relative path counts from the settings file; a shadow of the shadow is not followed."""
    (tmp_path / "conf").mkdir()
    live, other = tmp_path / "conf" / "superfan.toml", tmp_path / "conf" / "candidate.toml"
    live.write_text(CONFIG.format(more='[shadow]\nconfig = "candidate.toml"'))
    other.write_text(CONFIG.format(more='[thresholds]\nenter_score = 50\n[shadow]\nconfig = "nowhere.toml"'))
    found = shadow_of(load(live))
    assert found is not None
    assert found.rules.thresholds.enter_score == 50
    assert load(live).shown()["shadow"]["config"] == str(other)
    assert shadow_of(load(live, shadow={"config": str(other)})) == found


def test_without_a_second_file_there_is_no_shadow(tmp_path: Path) -> None:
    """Nothing is judged twice unless somebody asks."""
    live = tmp_path / "superfan.toml"
    live.write_text(CONFIG.format(more=""))
    assert shadow_of(load(live)) is None


@pytest.mark.parametrize(
    ("other", "reported"),
    [
        (CONFIG.format(more='[[brands]]\nname = "Bolt"'), "brands"),
        (CONFIG.format(more='[sources.web]\nlawful_basis = "a test"'), "sources"),
        (CONFIG.format(more="[window]\nkeep_days = 100"), "window"),
        (CONFIG.format(more="[weights]\nluck = 1"), "weights.luck"),
        (None, "No settings file"),
    ],
)
def test_what_cannot_judge_in_the_shadow_is_refused_with_its_reason(
    tmp_path: Path, other: str | None, reported: str
) -> None:
    """Other posts would have to be counted, or the file is wrong: the error names it."""
    live = tmp_path / "superfan.toml"
    live.write_text(CONFIG.format(more='[shadow]\nconfig = "candidate.toml"'))
    if other is not None:
        (tmp_path / "candidate.toml").write_text(other)
    with pytest.raises(SettingsError, match=r"candidate\.toml") as refused:
        shadow_of(load(live))
    assert reported in str(refused.value)
