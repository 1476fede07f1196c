"""The figures of a chaos run."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """The figures of a run, all counted from outside: from the topics and the store."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    fed: int = 0
    counted: int = 0
    """distinct posts in the profiles at the end"""
    profiles: int = 0
    candidates: Counter[str] = field(default_factory=Counter)
    """by their state"""
    duplicates: int = 0
    """records of `enriched` after the first of a post: fed twice or enriched again"""
    replayed: int = 0
    """states that were written again unchanged: the record had been processed before"""
    stale: int = 0
    """states in the changelog that are older than an earlier one; recovery refuses them"""
    leaving: list[float] = field(default_factory=list)
    """seconds from SIGTERM to the end of a worker"""
    ended: list[str] = field(default_factory=list)
    """workers that ended by themselves, with the end of their logs"""
    slow_ms: list[float] = field(default_factory=list)
    """milliseconds that each produce took while the broker was slow"""
    differences: list[str] = field(default_factory=list)
    """from the oracle and from the records of a run without faults; must be empty"""
    naive_wrong: int = 0
    """authors whose count is wrong in the negative control"""
    naive_off: int = 0
    """sum of its wrong counts, in records"""
    naive_stuck: int = 0
    """times that it stopped reading and had to be started again"""
    seconds: float = 0.0
