"""The faults of a chaos run and their times, drawn from a seed so that a run can be repeated."""

import random
from dataclasses import dataclass, replace
from typing import Literal, get_args

Fault = Literal[
    "kill -9",
    "SIGSTOP beyond the session",
    "worker leaves",
    "worker joins",
    "broker restart",
    "slow broker",
    "database away",
    "text process killed",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True)
class Event:
    """A fault, the second at which it begins, the slot of the worker it hits, and how long it lasts."""

    at: float
    fault: Fault
    slot: int = 0
    lasts: float = 0.0


@dataclass(frozen=True)
class Amounts:
    """Number of faults of each kind, and the seconds over which they happen."""

    seconds: float
    kills: int
    pauses: int
    leaves: int
    restarts: int
    slow: int
    outages: int
    text_kills: int


LONG = Amounts(seconds=330, kills=20, pauses=5, leaves=4, restarts=2, slow=3, outages=2, text_kills=3)
SHORT = Amounts(seconds=50, kills=5, pauses=1, leaves=1, restarts=1, slow=1, outages=1, text_kills=1)

SLOTS = 3
"""number of workers: the first two run all roles, the last only the profile role"""
ALL_ROLES = (0, 1)
SESSION = 4.0
"""seconds until a group gives up a worker without heartbeats"""


def draw(seed: int, amounts: Amounts, pace: float = 1.0) -> list[Event]:
    """Return the faults of a run in order of time. All times are multiplied by `pace`.

    The same seed and amounts give the same faults.
    """
    rng = random.Random(seed)
    span = amounts.seconds

    def moments(count: int) -> list[float]:
        """Return moments over the run, each at random within its share of it."""
        return [span * (number + rng.random()) / count for number in range(count)]

    events = [Event(at, "kill -9", rng.randrange(SLOTS)) for at in moments(amounts.kills)]
    for at in moments(amounts.pauses):
        lasts = SESSION * rng.uniform(1.6, 2.6)
        events.append(Event(at, "SIGSTOP beyond the session", rng.randrange(SLOTS), lasts))
    for at in moments(amounts.leaves):
        slot, away = rng.randrange(SLOTS), rng.uniform(3, 8)
        events += [Event(at, "worker leaves", slot), Event(at + away, "worker joins", slot)]
    events += [Event(at, "broker restart", lasts=rng.uniform(0, 3)) for at in moments(amounts.restarts)]
    events += [Event(at, "slow broker", lasts=rng.uniform(3, 6)) for at in moments(amounts.slow)]
    events += [Event(at, "database away", lasts=rng.uniform(3, 9)) for at in moments(amounts.outages)]
    for at in moments(amounts.text_kills):
        events.append(Event(at, "text process killed", rng.choice(ALL_ROLES)))
    paced = [replace(event, at=pace * event.at, lasts=pace * event.lasts) for event in events]
    return sorted(paced, key=lambda event: event.at)
