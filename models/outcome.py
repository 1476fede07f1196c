"""The result of one event: what changed, and what must be published."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from models.candidate import Candidate, Profile, State
from models.decision import Because
from models.opinion import Opinion


class Judgement(NamedTuple):
    """A new judgement that readers receive, reported once, with the state before and after.

    States are null where there is no candidate. `score` (0..100) is null when the profile is gone. `fired`
    are the codes of the authenticity rules that speak against the author.
    """

    brand: str
    before: State | None
    after: State | None
    because: Because | Literal["erased", "expired"]
    score: float | None
    fired: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """The result of one event. Tombstones are the keys of records that readers must delete."""

    changed: bool = False
    replayed: bool = False
    """true if the event was applied before, so everything is published again"""
    late: bool = False
    duplicate: bool = False
    profiles: list[Profile] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    profile_tombstones: list[str] = field(default_factory=list)
    candidate_tombstones: list[str] = field(default_factory=list)
    handle_claims: list[str] = field(default_factory=list)
    """normal handles of this author, to be joined with customers known by handle"""
    counted: list[Opinion] = field(default_factory=list)
    """opinions of known brands that this event has counted; empty for a duplicate and for a replay"""
    judgements: list[Judgement] = field(default_factory=list)
    """judgements that changed for readers; empty for a replay"""

    @property
    def dirty(self) -> bool:
        """True if the state must be stored (again) and the listed records published."""
        return self.changed or self.replayed
