"""What of an `EnrichedPost` is counted: read from `enriched` without decoding the rest."""

import msgspec

from models.author import DELETED, CountedPost
from models.opinions import Opinion
from models.outcomes import rejection_of
from models.records import Record
from models.times import instant


class _Author(Record, frozen=True):
    id: str
    handle: str | None = None
    followers: int | None = None
    bot: bool | None = None


class _Post(Record, frozen=True):
    id: str
    platform: str
    text: str
    created_at: str | int | float
    author: _Author
    url: str | None = None
    op: str | None = None
    edited_at: str | int | float | None = None


class _Enriched(Record, frozen=True):
    post: _Post
    brands: tuple[Opinion, ...]


_decoder = msgspec.json.Decoder(_Enriched)


def counted_post(value: bytes) -> tuple[str, str, CountedPost]:
    """`(platform, author id, post)` of a record of `enriched`; raises `Rejected`."""
    try:
        enriched = _decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    post = enriched.post
    return (
        post.platform,
        post.author.id,
        CountedPost(
            post_id=post.id,
            ms=instant(post.created_at),
            text=post.text,
            url=post.url,
            handle=post.author.handle,
            followers=post.author.followers,
            bot=post.author.bot,
            opinions=enriched.brands,
            edited_ms=DELETED
            if post.op == "delete"
            else (0 if post.edited_at is None else instant(post.edited_at)),
        ),
    )
