"""Several worlds concurrently, each in its own process."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing.managers import ValueProxy
from typing import Any

from tests.judge import world
from tests.judge.judging import Advance, Figures, judge
from tests.judge.texts import Texts

LOOK = 0.5
"""seconds between updates of the progress"""


def judged_worlds(
    seeds: Sequence[int], said: Texts, authors: int, workers: int, advance: Advance
) -> list[Figures]:
    """Return the figures of each seed's world, in order. `advance` gets the days done since its last call."""
    spawned = multiprocessing.get_context("spawn")  # a fork is not safe with the threads of NumPy
    # The manager stops first. On SIGTERM the workers then fail, and stop, at their next day.
    with ProcessPoolExecutor(workers, spawned) as pool, spawned.Manager() as manager:
        days = [manager.Value("i", 0) for _ in seeds]
        shown = 0
        running = [
            pool.submit(_one, seed, said, authors, done) for seed, done in zip(seeds, days, strict=True)
        ]
        unfinished: Any = set(running)
        while unfinished:
            _, unfinished = wait(unfinished, timeout=LOOK, return_when=FIRST_COMPLETED)
            total = sum(done.value for done in days)
            advance(total - shown)
            shown = total
        return [future.result() for future in running]


def _one(seed: int, said: Texts, authors: int, done: "ValueProxy[int]") -> Figures:
    def advance(days: int) -> None:
        done.value += days

    return judge(seed, world.build(seed, said, authors=authors), advance).figures
