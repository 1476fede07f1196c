"""The one table of roles, with the consumer group, inputs and outputs of each."""

from dataclasses import dataclass
from enum import StrEnum

from streams import topics


class Role(StrEnum):
    """A part of the stream that runs, scales and fails on its own."""

    ENRICH = "enrich"
    PROFILE = "profile"
    SINK = "sink"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role's consumer group, the topics it reads, and those it sends to (its changelogs aside)."""

    group: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


ROLES: dict[Role, RoleSpec] = {
    Role.ENRICH: RoleSpec("superfan-enrich", topics.POSTS, (topics.ENRICHED, topics.DEAD_LETTERS)),
    Role.PROFILE: RoleSpec(
        topics.PROFILE_APP,
        (
            topics.ENRICHED,
            topics.AUTHOR_FACTS,
            topics.HANDLE_FACTS,
            topics.CUSTOMERS,
            topics.FEEDBACK,
            topics.ERASURES,
            topics.TICKS,
        ),
        (
            topics.PROFILES,
            topics.CANDIDATES,
            topics.LATE,
            topics.TICKS,
            topics.AUTHOR_FACTS,
            topics.HANDLE_FACTS,
            topics.DEAD_LETTERS,
        ),
    ),
    Role.SINK: RoleSpec("superfan-sink", (topics.PROFILES, topics.CANDIDATES), (topics.DEAD_LETTERS,)),
}
