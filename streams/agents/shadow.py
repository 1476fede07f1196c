"""A second settings file that judges every author too, for metrics only: try rules before you use them.

The second rules judge from the same counters, wherever a judgement is published. The differences are
counted. Nothing is published or stored. `superfan backtest --compare` does the same for files, and names
the authors and the reasons.
"""

from dataclasses import dataclass

from models.author import AuthorState
from models.comparison import board_change
from models.fold import Fold
from models.outcome import Outcome
from models.rules import Rules
from streams.ops import meters
from streams.settings import Settings, SettingsError, load


@dataclass(frozen=True, slots=True)
class Shadow:
    """The second rules."""

    rules: Rules

    def judge(self, fold: Fold, author: str, state: AuthorState, outcome: Outcome) -> None:
        """Judge again by the second rules all that `outcome` publishes, and count the differences."""
        for live in outcome.judgements:
            verdict = fold.verdict(author, live.brand, state, self.rules)
            if verdict is not None and live.score is not None:
                change = board_change(live.after, verdict.state)
                meters.shadowed(live.brand, change, verdict.score - live.score)


def shadow_of(settings: Settings) -> Shadow | None:
    """Return the second rules that these settings name; null when they name none.

    A `[shadow]` in the second file is ignored. Raises `SettingsError` when that file is wrong, or would make
    a worker count other posts.
    """
    path = settings.shadow.config
    if path is None:
        return None
    other = load(path)
    if differences := settings.counting_differences(other):
        raise SettingsError(
            f"{path} cannot be used in [shadow]",
            f"it differs in {' and '.join(differences)}, so other posts would have to be counted",
            "set these as in the live settings, or try the file with `superfan backtest --compare`",
        )
    return Shadow(other.rules)
