"""The authenticity rules: signs that an author is a bot, is paid, sells, or has bought followers.

Each rule that fires has a code and a severity in 0..1. A, the product of (1 - severity), multiplies the
score. A rule that only rests on statistics takes at most `ALONE`, so that no such rule alone keeps an
author off the board. `TEXTS` has a sentence for each code.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

from models.window import WindowStats

ALONE = 0.4
"""Largest severity of a rule that rests on statistics alone: A is then 0.6, which still enters."""
FLOOD_A_DAY = 72
COPIES_SHARE = 0.25
SELLING_SHARE = 0.2
"""also of posts that speak for the company"""
PROMOTED_SHARE = 0.25
MIN_GAPS = 12
"""gaps between posts that the rule on even intervals needs"""
LAST_GAPS = 32
"""gaps that it looks at, the newest ones"""
STEADY_VARIATION = 0.2
"""standard deviation of the gaps over their mean: below it, intervals are even"""
MASS_FOLLOWING = 1_500
JUMP, JUMP_SHARE = 3_000, 0.1
"""followers gained in one jump, and as a share of those before: at least so many of both"""
JUMP_PACE = 20
"""A gain over several days is a jump if it is so many times the pace of all other days."""
ROUND_STEP, STEP, ROUNDED = 1_000, 500, 100
"""Followers are bought in round numbers. A gain of exactly n * 1,000 fires, and so do three gains of n * 500
and at most `BESIDE` more. Counts that the source rounds to hundreds are not looked at."""
BESIDE = 15
"""followers that come by themselves meanwhile"""

TEXTS = {
    "flood": f"More than {FLOOD_A_DAY} posts about the brand on one day",
    "promoted": f"At least {100 * PROMOTED_SHARE:.0f} % of their posts are sponsored, contests or reposts",
    "clockwork": "Posts at nearly even intervals, as a program does",
    "copies": "Many of their posts nearly repeat an earlier one",
    "selling": "Many of their posts are sales posts",
    "staff": "Many of their posts speak for the company",
    "reseller": "Sells things, according to their bio",
    "follower_jump": f"Gained at least {JUMP:,} followers ({100 * JUMP_SHARE:.0f} % or more) in one jump",
    "follower_steps": "Gained followers in round numbers, as accounts that buy them do",
    "mass_following": f"Follows more than {MASS_FOLLOWING:,} accounts",
}
"""code -> the sentence on the card"""


def post_rules(stats: WindowStats) -> dict[str, float]:
    """Return the severity of each rule about posts that fires, by code."""
    fired = {}
    if stats.copies >= 2 and (share := stats.copies / stats.posts) >= COPIES_SHARE:
        fired["copies"] = round(min(ALONE, share), 4)
    if stats.selling and stats.selling / stats.posts >= SELLING_SHARE:
        fired["selling"] = 0.6 if stats.selling >= 2 else 0.3
    if stats.staff and stats.staff / stats.posts >= SELLING_SHARE:
        fired["staff"] = 0.6 if stats.staff >= 2 else 0.3
    if stats.busiest_day > FLOOD_A_DAY:
        fired["flood"] = ALONE
    if stats.posts and (share := stats.promoted / stats.posts) >= PROMOTED_SHARE:
        fired["promoted"] = round(min(0.8, share), 4)
    gaps = [later - earlier for earlier, later in itertools.pairwise(stats.times[-LAST_GAPS - 1 :])]
    if len(gaps) >= MIN_GAPS and (mean := sum(gaps) / len(gaps)) > 0:
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        if deviation / mean < STEADY_VARIATION:
            fired["clockwork"] = ALONE
    return fired


def account_rules(
    growth: Sequence[tuple[int, int]], following: int | None, *, bio_sells: bool
) -> dict[str, float]:
    """Return the severity of each rule about the account that fires, by code.

    `growth` has (day, followers) of the days on which the count was seen, ascending.
    """
    fired = {}
    gains = [
        (later - earlier, before, after - before)
        for (earlier, before), (later, after) in itertools.pairwise(growth)
    ]
    if _jumped(gains):
        fired["follower_jump"] = 0.35
    if _stepped([gain for _, before, gain in gains if before % ROUNDED]):
        fired["follower_steps"] = 0.35
    if following is not None and following > MASS_FOLLOWING:
        fired["mass_following"] = 0.15
    if bio_sells:
        fired["reseller"] = 0.5
    return fired


def product(severities: Mapping[str, float]) -> float:
    """Return A, the product of (1 - severity): 1 when no rule fired."""
    return math.prod(1 - severity for severity in severities.values())


def _stepped(gains: Sequence[int]) -> bool:
    """Return true if one gain is n * 1,000, or if three gains, and half of them, are near n * 500."""
    steps = [gain for gain in gains if gain >= STEP]
    exact = any(gain % ROUND_STEP == 0 for gain in steps if gain >= ROUND_STEP)
    near = sum(gain % STEP <= BESIDE for gain in steps)
    return exact or (near >= 3 and 2 * near >= len(steps))


def _jumped(gains: Sequence[tuple[int, int, int]]) -> bool:
    """Return true if one gain is a jump: overnight, or far above the usual pace.

    Each gain is (days, followers before, followers gained).
    """
    days = sum(gap for gap, _, _ in gains)
    won = sum(gain for _, _, gain in gains)
    return any(
        gain >= max(JUMP, JUMP_SHARE * before)
        and (gap == 1 or (days >= 2 * gap and gain / gap >= JUMP_PACE * max(won - gain, 1) / (days - gap)))
        for gap, before, gain in gains
    )
