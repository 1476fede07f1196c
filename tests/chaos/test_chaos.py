"""Faults of every kind on a real Kafka and a real PostgreSQL: the short version of `make chaos`."""

from pathlib import Path
from statistics import median

from streams.settings import DEMO_CONFIG, load
from tests.chaos import plan, world
from tests.chaos.run import Run
from tests.databases import postgresql
from tests.waiting import slowdown

SEED = 20261123


def test_chaos_changes_nothing(tmp_path: Path, posts: list[bytes], customers: list[bytes]) -> None:
    """Profiles, candidates, rows and states after faults of every kind equal those without faults.

    A naive count under the same faults is wrong.
    """
    small = world.build(
        load(DEMO_CONFIG), SEED, real=posts[:3000], customers=customers, authors=1_500, posts=10_000
    )
    with postgresql() as database:
        run = Run(SEED, plan.SHORT, small, database=database, folder=tmp_path, pace=slowdown())
        try:
            outcome = run.execute()
        finally:
            run.close()
    assert outcome.differences == []
    assert outcome.ended == []
    assert outcome.faults.keys() == set(plan.FAULTS), "every fault happened"
    assert outcome.duplicates >= small.duplicates > 0
    assert outcome.candidates["candidate"] > 10
    assert median(outcome.slow_ms) > 150
    assert outcome.naive_off > 0, "the negative control is right: the faults were too weak"


def test_a_seed_gives_the_same_plan() -> None:
    """The same seed gives the same faults, another seed gives others."""
    assert plan.draw(7, plan.LONG) == plan.draw(7, plan.LONG) != plan.draw(8, plan.LONG)
