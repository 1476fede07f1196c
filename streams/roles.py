"""The one table of roles: what scales apart, its consumer group, what it reads."""

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
    """A role's consumer group and its inputs."""

    group: str
    inputs: tuple[str, ...]


ROLES: dict[Role, RoleSpec] = {
    Role.ENRICH: RoleSpec("superfan-enrich", topics.POSTS),
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
    ),
    Role.SINK: RoleSpec("superfan-sink", (topics.PROFILES, topics.CANDIDATES)),
}
