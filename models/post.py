"""A post as it arrives, checked once at the border; inside, a `Post` is always usable."""

from typing import Annotated, Literal, get_args

import msgspec

from models.record import Record
from models.rejection import Reason, Rejected, rejection_of
from models.times import MINUTE_MS, instant

Kind = Literal["mention", "comment", "hashtag"]
KINDS = frozenset(get_args(Kind))
Operation = Literal["create", "update", "delete"]
OPERATIONS = frozenset(get_args(Operation))
PLATFORMS = frozenset(
    {"x", "instagram", "bluesky", "mastodon", "reddit", "youtube", "facebook", "threads", "tiktok", "web"}
)
MAX_ID = 256
MAX_BYTES = 4_000_000
FUTURE_MS = 10 * MINUTE_MS
"""A post this far ahead of its record's time is not believed."""

# What is checked below and is no matter of types is written beside the type for the published JSON Schema;
# decoding does not look at it, so that the reason of a refusal stays the one named here.
Id = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": r"^(?=.*\S)[^\x00-\x1f]*$", "maxLength": MAX_ID})
]
Platform = Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(PLATFORMS)})]
Count = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})]
Moment = Annotated[
    str | int | float,
    msgspec.Meta(description="RFC 3339, or epoch seconds or milliseconds; UTC unless it says."),
]


class Author(Record, frozen=True):
    """Who wrote it. A null or absent number means unknown, never zero."""

    id: Id
    handle: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_ID})] | None = None
    name: str | None = None
    bio: str | None = None
    followers: Count | None = None
    following: Count | None = None
    posts: int | None = None
    created_at: Moment | None = None
    verified: bool | None = None
    bot: bool | None = None
    opt_out: bool | None = None


class ReplyTo(Record, frozen=True):
    """The post this one answers."""

    id: str | None = None
    author_id: str | None = None


class Metrics(Record, frozen=True):
    """Reactions so far; null means unknown."""

    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    views: int | None = None


class Post(Record, frozen=True):
    """One mention, comment or hashtag. Times are as received: `models.times.instant` reads them.

    A post that was edited at its source comes again under its id with `edited_at` (and `op` "update"):
    of several versions the one edited last counts. One that was deleted comes with `op` "delete";
    its text is not looked at, and it stays deleted.
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
        """Whether this says that the post is gone."""
        return self.op == "delete"


def author_key(platform: str, author_id: str) -> str:
    """`platform:author_id`, the key of everything that is counted per author."""
    return f"{platform}:{author_id}"


def candidate_key(brand: str, author: str) -> str:
    """`brand/platform:author_id`, the key of profiles and candidates."""
    return f"{brand}/{author}"


_decoder = msgspec.json.Decoder(Post)


def decode_post(value: bytes | None, *, received_ms: int, lawful: frozenset[str]) -> tuple[Post, int]:
    """A checked post and its instant (epoch milliseconds).

    `received_ms` is the record's time, `lawful` the platforms that may be read.
    Raises `Rejected` with the reason for anything that cannot be used.
    """
    if not value:
        raise Rejected(Reason.EMPTY, "the record has no value")
    if len(value) > MAX_BYTES:
        raise Rejected(Reason.TOO_LARGE, f"{len(value)} bytes, the limit is {MAX_BYTES}")
    try:
        post = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    check_id("id", post.id)
    if not post.author.id.strip():
        raise Rejected(Reason.EMPTY_AUTHOR, "author.id is empty")
    check_id("author.id", post.author.id)
    if post.author.handle:
        check_id("author.handle", post.author.handle)
    if post.kind not in KINDS:
        raise Rejected(Reason.UNKNOWN_KIND, f"{post.kind[:60]!r}; known are {sorted(KINDS)}")
    check_platform(post.platform, lawful)
    for name, number in (("followers", post.author.followers), ("following", post.author.following)):
        if number is not None and number < 0:
            raise Rejected(Reason.WRONG_TYPE, f"author.{name} is {number}; unknown is null, not negative")
    if post.op is not None and post.op not in OPERATIONS:
        raise Rejected(Reason.UNKNOWN_OPERATION, f"{post.op[:60]!r}; known are {sorted(OPERATIONS)}")
    if post.op == "update" and post.edited_at is None:
        raise Rejected(Reason.MISSING_FIELD, "an update needs edited_at: the last edit counts")
    at = instant(post.created_at)
    newest = max(at, 0 if post.edited_at is None else instant(post.edited_at))
    if newest > received_ms + FUTURE_MS:
        raise Rejected(Reason.FUTURE, f"{(newest - received_ms) // 1000} s ahead of the record's time")
    return post, at


def check_id(name: str, text: str) -> None:
    """Raises `Rejected(bad_id)` unless `text` can be part of a key: printable, not blank, bounded."""
    if not text.strip() or len(text) > MAX_ID or not text.isprintable():
        raise Rejected(Reason.BAD_ID, f"{name} must be 1..{MAX_ID} printable characters, not {text[:60]!r}")


def check_platform(platform: str, lawful: frozenset[str]) -> None:
    """Raises `Rejected` for a platform that is not known, or that no lawful basis covers."""
    if platform not in PLATFORMS:
        raise Rejected(Reason.UNKNOWN_PLATFORM, f"{platform[:60]!r}; known are {sorted(PLATFORMS)}")
    if platform not in lawful:
        raise Rejected(Reason.NO_LAWFUL_BASIS, f"no lawful_basis is named for {platform!r} in [sources]")
