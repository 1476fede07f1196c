"""A second settings file that judges beside the live one, and is only counted: try before you switch.

Every judgement that readers get to see is made again by the other rules, from the same counters; how
the two differ goes to the metrics. Nothing of it is published or stored. The counterpart for files is
`superfan backtest --compare`, which also says who and why.
"""

from dataclasses import dataclass

from models.author import AuthorState, Fold, Outcome
from models.comparison import board_change
from models.rules import Rules
from streams.ops import meters
from streams.settings import Settings, SettingsError, load
from streams.views.comparison import counted_apart


@dataclass(frozen=True, slots=True)
class Shadow:
    """The other rules."""

    rules: Rules

    def judge(self, fold: Fold, author: str, state: AuthorState, outcome: Outcome) -> None:
        """Count how the other rules judge what has just been judged for readers."""
        for live in outcome.judged:
            verdict = fold.verdict(author, live.brand, state, self.rules)
            if verdict is not None and live.score is not None:
                change = board_change(live.after, verdict.state)
                meters.shadowed(live.brand, change, verdict.score - live.score)


def shadow_of(settings: Settings) -> Shadow | None:
    """What judges beside these settings, or nothing.

    Its own `[shadow]` is not followed. Raises `SettingsError` when the file is wrong, or differs in
    what is counted.
    """
    path = settings.shadow.config
    if path is None:
        return None
    other = load(path)
    if apart := counted_apart(settings, other):
        raise SettingsError(
            f"{path} cannot judge in the shadow",
            f"it differs in {' and '.join(apart)}, so it would have to count other posts",
            "make these as in the live settings, or try it with `superfan backtest --compare`",
        )
    return Shadow(other.rules)
