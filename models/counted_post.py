"""The counted part of an `EnrichedPost`, read from `enriched` without decoding the rest."""

import msgspec

from models.events import DELETED, Bio, CountedPost
from models.opinion import Opinion
from models.post import ReplyTo, check_count
from models.record import Record
from models.rejection import decode_json
from models.signals import Signals
from models.tables import mask
from models.times import instant


class _Author(Record, frozen=True):
    id: str
    handle: str | None = None
    followers: int | None = None
    following: int | None = None
    bot: bool | None = None


class _Metrics(Record, frozen=True):
    likes: int | None = None
    comments: int | None = None
    shares: int | None = None


class _Post(Record, frozen=True):
    id: str
    platform: str
    text: str
    created_at: str | int | float
    author: _Author
    url: str | None = None
    reply_to: ReplyTo | None = None
    metrics: _Metrics | None = None
    op: str | None = None
    edited_at: str | int | float | None = None


class _Enriched(Record, frozen=True):
    post: _Post
    brands: tuple[Opinion, ...]
    signals: Signals = Signals()


_decoder = msgspec.json.Decoder(_Enriched)


def counted_post(value: bytes) -> tuple[str, str, CountedPost]:
    """Return (platform, author id, post) of a record of `enriched`; raise `Rejected` if it is unusable."""
    enriched = decode_json(_decoder, value)
    post, signals = enriched.post, enriched.signals
    check_count("author.followers", post.author.followers)
    check_count("author.following", post.author.following)
    metrics, to = post.metrics, post.reply_to
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
            following=post.author.following,
            reactions=_reactions(post),
            comments=0 if metrics is None else max(metrics.comments or 0, 0),
            answers=to is not None and to.author_id not in {None, post.author.id},
            fingerprint=int(signals.fingerprint or "0", 16),
            themes=mask(signals.themes),
            trade=signals.trade,
            bio=None
            if signals.bio is None
            else Bio(mask(signals.bio.themes), signals.bio.employers, signals.bio.sells),
        ),
    )


def _reactions(post: _Post) -> int | None:
    """Return the sum of likes, comments and shares; None if likes are unknown.

    Answers and posts that begin with a handle give None: platforms do not show them to followers.
    """
    metrics = post.metrics
    if metrics is None or metrics.likes is None or post.reply_to is not None or post.text.startswith("@"):
        return None
    return sum(max(n or 0, 0) for n in (metrics.likes, metrics.comments, metrics.shares))
