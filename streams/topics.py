"""The one table of topics: names, keys, records, cleanup and retention.

Everything that creates, checks, documents or subscribes to a topic reads it here.
"""

from dataclasses import dataclass

from models.candidate import Candidate, Profile
from models.customer import Customer, Erasure, Feedback
from models.dead_letter import DeadLetter
from models.facts import AuthorFact, HandleFact
from models.opinion import EnrichedPost
from models.post import Post
from models.record import Record
from models.tick import TickRecord

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. All topics have the same number of partitions, so that keys meet their state."""

    name: str
    key: str
    record: type[Record] | None
    """None for a changelog, whose values are packed states."""
    meaning: str
    compact: bool = False
    retention_days: int | None = None
    """None keeps records until compaction replaces them."""
    min_compaction_lag_hours: int | None = None
    """Time in which no record is compacted away, so that a reader sees every step of it."""
    internal: bool = False
    """True when the topic is not part of the contract: it may change with any release."""
    tombstone: str | None = None
    """Meaning of a null value, where it has one."""

    def config(self) -> dict[str, str]:
        """Return the topic's settings as Kafka names them."""
        policies = [*(["compact"] if self.compact else []), *(["delete"] if self.retention_days else [])]
        config = {
            "cleanup.policy": ",".join(policies),
            "retention.ms": str(self.retention_days * DAY_MS) if self.retention_days else "-1",
            "max.message.bytes": str(MAX_RECORD_BYTES),
        }
        if self.min_compaction_lag_hours:
            config["min.compaction.lag.ms"] = str(self.min_compaction_lag_hours * HOUR_MS)
        return config


MAX_RECORD_BYTES = 10 * 1024 * 1024
CHANGELOG_DAYS = 400
"""Beyond the longest window that may be kept (366 days): an author's state outlives its posts."""

MENTIONS, COMMENTS, HASHTAGS = "mentions", "comments", "hashtags"
CUSTOMERS, FEEDBACK, ERASURES, TICKS = "customers", "feedback", "erasures", "ticks"
ENRICHED, PROFILES, CANDIDATES = "enriched", "profiles", "candidates"
LATE, DEAD_LETTERS = "late", "dead-letters"
AUTHOR_FACTS, HANDLE_FACTS = "superfan-author-facts", "superfan-handle-facts"

POSTS = (MENTIONS, COMMENTS, HASHTAGS)
FED = (*POSTS, CUSTOMERS, FEEDBACK, ERASURES)
"""Topics that people send to. All others are written by workers, which trust them, or by `superfan tick`."""

PROFILE_APP = "superfan-profile"


def changelog(states: str) -> str:
    """Return the name of the topic that keeps these states."""
    return f"{PROFILE_APP}-{states}-changelog"


def _changelog(states: str, key: str, retention_days: int | None) -> Topic:
    return Topic(
        changelog(states),
        key,
        None,
        f"what is kept of {states}",
        compact=True,
        retention_days=retention_days,
        # A state that a paused worker appends late does not at once replace the newer one before it.
        min_compaction_lag_hours=1,
        internal=True,
    )


TOPICS: tuple[Topic, ...] = (
    Topic(MENTIONS, "any", Post, "posts that mention a brand", retention_days=28),
    Topic(COMMENTS, "any", Post, "comments under a brand's posts", retention_days=28),
    Topic(HASHTAGS, "any", Post, "posts under a brand's hashtags", retention_days=28),
    Topic(
        CUSTOMERS,
        "customer id",
        Customer,
        "the customer file; null deletes",
        compact=True,
        tombstone="The customer is deleted.",
    ),
    Topic(FEEDBACK, "candidate key", Feedback, "what marketers decided", compact=True),
    Topic(ERASURES, "author key", Erasure, "persons to forget", retention_days=28),
    Topic(ENRICHED, "author key", EnrichedPost, "posts with annotations and opinions", retention_days=28),
    Topic(
        PROFILES,
        "candidate key",
        Profile,
        "rolling counters and score",
        compact=True,
        tombstone="Nothing is kept of this author about this brand any more: delete your copy.",
    ),
    Topic(
        CANDIDATES,
        "candidate key",
        Candidate,
        "who to ask, and why; null: delete your copy",
        compact=True,
        min_compaction_lag_hours=7 * 24,
        tombstone="No candidate any more: delete your copy.",
    ),
    Topic(TICKS, "none; one record a partition", TickRecord, "a day has begun", retention_days=7),
    Topic(LATE, "author key", EnrichedPost, "posts older than the window keeps", retention_days=28),
    Topic(DEAD_LETTERS, "as received", DeadLetter, "records that cannot be used", retention_days=28),
    Topic(
        AUTHOR_FACTS,
        "author key",
        AuthorFact,
        "customers, feedback, erasures by author",
        compact=False,
        retention_days=28,
        internal=True,
    ),
    Topic(
        HANDLE_FACTS,
        "platform:@handle",
        HandleFact,
        "who names a handle, who goes by it",
        retention_days=28,
        internal=True,
    ),
    _changelog("authors", "author key", CHANGELOG_DAYS),
    _changelog("customers", "customer id", None),
    _changelog("handles", "platform:@handle", None),
    _changelog("clock", "none", None),
)

BY_NAME = {topic.name: topic for topic in TOPICS}
