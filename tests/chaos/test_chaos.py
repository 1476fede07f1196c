"""Faults of every kind on a real Kafka and a real PostgreSQL: the short version of `make chaos`."""

from pathlib import Path
from statistics import median

from streams.settings import DEMO_CONFIG, load
from tests.chaos import plan, world
from tests.chaos.running import Run
from tests.databases import postgresql

SEED = 20261123


def test_chaos_changes_nothing(tmp_path: Path, posts: list[bytes], customers: list[bytes]) -> None:
    """Killed, paused, joining and leaving workers, a restarted and a slow broker, a database that goes
    away: profiles, candidates, rows and states equal those without faults; a naive count does not."""
    small = world.build(
        load(DEMO_CONFIG), SEED, real=posts[:3000], customers=customers, authors=1_500, posts=10_000
    )
    with postgresql() as database:
        run = Run(SEED, plan.SHORT, small, database=database, folder=tmp_path)
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
    """A run can be repeated by its seed, and another seed is another run."""
    assert plan.draw(7, plan.LONG) == plan.draw(7, plan.LONG) != plan.draw(8, plan.LONG)
