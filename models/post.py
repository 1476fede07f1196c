"""A post as it arrives. It is checked once at the border, so a `Post` further in is always usable."""

from typing import Annotated, Literal, get_args

import msgspec

from models.record import Record
from models.rejection import Reason, Rejected, decode_json
from models.times import EARLIEST_MS, LATEST_MS, MAX_EPOCH, MINUTE_MS, instant

Kind = Literal["mention", "comment", "hashtag"]
KINDS = frozenset(get_args(Kind))
Operation = Literal["create", "update", "delete"]
OPERATIONS = frozenset(get_args(Operation))
PLATFORMS = frozenset(
    {"x", "instagram", "bluesky", "mastodon", "reddit", "youtube", "facebook", "threads", "tiktok", "web"}
)
MAX_ID = 256
MAX_BYTES = 4_000_000
MAX_COUNT = 2**53 - 1
"""Largest count that is accepted: the largest integer that every JSON reader holds exactly (RFC 8259)."""
FUTURE_MS = 10 * MINUTE_MS
"""A post further ahead of its record's time is rejected as `future`."""

# The limits beside a type are for the published JSON Schema. Decoding ignores them: the functions below check
# them, so that each rejection has the reason named there, and states with older values can still be read.
Id = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": r"^(?=.*\S)[^\x00-\x1f]*$", "maxLength": MAX_ID})
]
Platform = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(PLATFORMS)})]
Count = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": MAX_COUNT})]
_EPOCH = msgspec.Meta(extra_json_schema={"minimum": EARLIEST_MS // 1000, "exclusiveMaximum": LATEST_MS})
_ANY_EPOCH = msgspec.Meta(extra_json_schema={"minimum": -MAX_EPOCH, "maximum": MAX_EPOCH})
Moment = Annotated[
    str | Annotated[int, _EPOCH] | Annotated[float, _EPOCH],
    msgspec.Meta(description="RFC 3339, or epoch seconds or milliseconds; UTC without an offset."),
]


class Author(Record, frozen=True):
    """The author of a post. A null or absent number means unknown, never zero."""

    id: Id
    handle: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_ID})] | None = None
    name: str | None = None
    bio: str | None = None
    followers: Count | None = None
    following: Count | None = None
    posts: Count | None = None
    created_at: str | Annotated[int, _ANY_EPOCH] | Annotated[float, _ANY_EPOCH] | None = None
    verified: bool | None = None
    bot: bool | None = None
    opt_out: bool | None = None


class ReplyTo(Record, frozen=True):
    """The post this one answers."""

    id: str | None = None
    author_id: str | None = None


class Metrics(Record, frozen=True):
    """Reactions so far; null means unknown."""

    likes: Count | None = None
    comments: Count | None = None
    shares: Count | None = None
    views: Count | None = None


class Post(Record, frozen=True):
    """One mention, comment or hashtag. Times are as received: `models.times.instant` reads them.

    An edited post arrives again under its id with `edited_at` and `op` "update"; the version edited last
    counts. A deleted post arrives with `op` "delete": its text is ignored, and it stays deleted.
    """

    id: Id
    platform: Platform
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(KINDS)})]
    text: str
    created_at: Moment
    author: Author
    lang: str | None = None
    url: str | None = None
    reply_to: ReplyTo | None = None
    hashtags: tuple[str, ...] | None = None
    mentions: tuple[str, ...] | None = None
    metrics: Metrics | None = None
    sponsored: bool | None = None
    op: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(OPERATIONS)})] | None = None
    edited_at: Moment | None = None

    @property
    def deleted(self) -> bool:
        """True for the deletion of a post."""
        return self.op == "delete"


def author_key(platform: str, author_id: str) -> str:
    """Return `platform:author_id`, the key of everything that is counted per author."""
    return f"{platform}:{author_id}"


def candidate_key(brand: str, author: str) -> str:
    """Return `brand/platform:author_id`, the key of profiles and candidates."""
    return f"{brand}/{author}"


def parse_author_key(key: str) -> tuple[str, str]:
    """Return `(platform, author_id)` of an author key; an author id may hold a colon, a platform none."""
    platform, _, author_id = key.partition(":")
    return platform, author_id


def parse_candidate_key(key: str) -> tuple[str, str]:
    """Return `(brand, author key)` of a candidate key; the brand's name holds no slash."""
    brand, _, author = key.partition("/")
    return brand, author


_decoder = msgspec.json.Decoder(Post)


def decode_post(value: bytes | None, *, received_ms: int, lawful: frozenset[str]) -> tuple[Post, int]:
    """Return a checked post and its instant (epoch milliseconds).

    `received_ms` is the record's time, `lawful` the platforms that may be read.
    Raises `Rejected` with the reason for anything that cannot be used.
    """
    if not value:
        raise Rejected(Reason.EMPTY, "the record has no value")
    if len(value) > MAX_BYTES:
        raise Rejected(Reason.TOO_LARGE, f"{len(value)} bytes, the limit is {MAX_BYTES}")
    post = decode_json(_decoder, value)
    check_id("id", post.id)
    if not post.author.id.strip():
        raise Rejected(Reason.EMPTY_AUTHOR, "author.id is empty")
    check_id("author.id", post.author.id)
    if post.author.handle:
        check_id("author.handle", post.author.handle)
    if post.kind not in KINDS:
        raise Rejected(Reason.UNKNOWN_KIND, f"{post.kind[:60]!r}; known are {sorted(KINDS)}")
    check_platform(post.platform, lawful)
    _check_numbers(post)
    if post.op is not None and post.op not in OPERATIONS:
        raise Rejected(Reason.UNKNOWN_OPERATION, f"{post.op[:60]!r}; known are {sorted(OPERATIONS)}")
    if post.op == "update" and post.edited_at is None:
        raise Rejected(Reason.MISSING_FIELD, "an update needs edited_at: the last edit counts")
    at = instant(post.created_at)
    newest = max(at, 0 if post.edited_at is None else instant(post.edited_at))
    if newest > received_ms + FUTURE_MS:
        raise Rejected(Reason.FUTURE, f"{(newest - received_ms) // 1000} s ahead of the record's time")
    return post, at


def _check_numbers(post: Post) -> None:
    author, metrics = post.author, post.metrics
    check_count("author.followers", author.followers)
    check_count("author.following", author.following)
    check_count("author.posts", author.posts)
    if isinstance(author.created_at, int | float) and abs(author.created_at) > MAX_EPOCH:
        raise Rejected(Reason.ABSURD_TIME, f"author.created_at is {author.created_at}")
    if metrics is not None:
        check_count("metrics.likes", metrics.likes)
        check_count("metrics.comments", metrics.comments)
        check_count("metrics.shares", metrics.shares)
        check_count("metrics.views", metrics.views)


def check_count(name: str, number: int | None) -> None:
    """Raise `Rejected(wrong_type)` unless `number` is null or lies in 0..`MAX_COUNT`."""
    if number is None or 0 <= number <= MAX_COUNT:
        return
    fault = "unknown is null, not negative" if number < 0 else f"the limit is {MAX_COUNT}"
    raise Rejected(Reason.WRONG_TYPE, f"{name} is {str(number)[:60]}; {fault}")


def check_id(name: str, text: str) -> None:
    """Raise `Rejected(bad_id)` unless `text` can be part of a key: printable, not blank, bounded."""
    if not text.strip() or len(text) > MAX_ID or not text.isprintable():
        raise Rejected(Reason.BAD_ID, f"{name} must be 1..{MAX_ID} printable characters, not {text[:60]!r}")


def check_platform(platform: str, lawful: frozenset[str]) -> None:
    """Raise `Rejected` for a platform that is unknown or has no lawful basis."""
    if platform not in PLATFORMS:
        raise Rejected(Reason.UNKNOWN_PLATFORM, f"{platform[:60]!r}; known are {sorted(PLATFORMS)}")
    if platform not in lawful:
        raise Rejected(Reason.NO_LAWFUL_BASIS, f"no lawful_basis is named for {platform!r} in [sources]")
