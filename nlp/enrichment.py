"""Enrichment: a record of `mentions`, `comments` or `hashtags` becomes one of `enriched`.

Deterministic once built.
"""

from collections.abc import Iterable, Iterator

import msgspec

from models.annotation import Annotation
from models.brand import Brand
from models.opinion import EnrichedPost, opinions
from models.post import Post, author_key, decode_post
from models.record import encode
from models.rejection import Dropped, DropReason, Rejected
from models.signals import Signals
from nlp.pipeline import Annotator, TextIn
from nlp.records import Enriched, Raw, Result
from nlp.signals import SignalReader


class Enricher:
    """Enriches posts with the text pipeline. Building it takes a second or two. Not thread-safe.

    `lawful` are the platforms that may be read; posts of others are rejected.
    """

    def __init__(self, brands: Iterable[Brand], lawful: frozenset[str]) -> None:
        catalogue = list(brands)
        self._annotator = Annotator(catalogue)
        self._signals = SignalReader(catalogue)
        self._lawful = lawful

    def enrich(self, records: Iterable[Raw]) -> list[Result]:
        """Return one result per record, in order. Never raises because of a record's content."""
        results: list[Result | Post] = [self._decode(record) for record in records]
        posts = [post for post in results if isinstance(post, Post)]
        annotated: Iterator[EnrichedPost] = (
            self._enriched(post, annotation)
            for post, annotation in zip(posts, self._annotator.annotate(map(_text_in, posts)), strict=True)
        )
        return [_result(next(annotated)) if isinstance(r, Post) else r for r in results]

    def _enriched(self, post: Post, annotation: Annotation) -> EnrichedPost:
        brands = opinions(post, annotation)
        # Signals are only used together with opinions.
        signals = self._signals.read(post, annotation) if brands else Signals()
        return EnrichedPost(post=post, annotations=annotation, brands=brands, signals=signals)

    def _decode(self, record: Raw) -> Result | Post:
        try:
            post, _ = decode_post(record.value, received_ms=record.received_ms, lawful=self._lawful)
        except Rejected as rejection:
            return rejection
        if post.author.opt_out:
            return Dropped(DropReason.OPTED_OUT, post.platform)
        # The text of a deleted post is neither annotated nor passed on.
        return msgspec.structs.replace(post, text="") if post.deleted else post


def _text_in(post: Post) -> TextIn:
    return TextIn(
        text=post.text,
        platform=post.platform,
        hashtags=post.hashtags or (),
        mentions=post.mentions or (),
        lang=post.lang,
    )


def _result(enriched: EnrichedPost) -> Result:
    post = enriched.post
    # An edited or deleted post is passed on without a brand: an earlier version may have named one.
    if not (enriched.brands or post.deleted or post.edited_at):
        return Dropped(DropReason.NO_BRAND, post.platform)
    return Enriched(author_key(post.platform, post.author.id), encode(enriched))
