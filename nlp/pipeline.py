"""The spaCy pipeline, and `Annotator`, the interface to it. `config.cfg` lists its components."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, cast

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import load_config, load_model_from_config
from threadpoolctl import ThreadpoolController

from models.annotation import MAX_TEXT, Annotation, BrandMention, Entity, TargetMention
from models.batches import batched
from models.brand import Brand
from nlp import (  # noqa: F401 -- importing them registers the components
    cues,
    encoder,
    entities,
    language,
    sentiment,
    tokenizer,
)
from nlp.brands import BrandCatalogue, common_words
from nlp.tokenizer import text_of

CONFIG = Path(str(files("nlp").joinpath("config.cfg")))
BATCH = 256
"""texts that the pipeline processes at a time"""
ZONE = 500_000
"""characters that are read before the vocabulary forgets their new words"""
_TARGET_SPANS = "superfan_target_spans"
_SURROGATE = re.compile("[\ud800-\udfff]")


class Target(NamedTuple):
    """A span of the text that the caller asks about. The offsets are characters, `end` excluded."""

    text: str
    start: int
    end: int


class TextIn(NamedTuple):
    """A text, and fields of its post. A target that is a string means all of its occurrences."""

    text: str
    platform: str | None = None
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    targets: tuple[str | Target, ...] = ()
    lang: str | None = None
    """language that the platform reports, used if the text is too short"""


def build(brands: Sequence[Brand] = ()) -> Language:
    """Build the pipeline with a catalogue of brands. Takes about a second.

    `Language.to_disk` stores the brands but not the weights, which are in the package. `spacy.load` loads
    the result wherever Superfan is installed.
    """
    nlp = load_model_from_config(load_config(CONFIG), auto_fill=True)
    catalogue_of(nlp).set_brands(brands)
    # A memory zone forgets words that are new to it. Words that occur in all posts should outlast the zones.
    for word in common_words():
        nlp.vocab[word]
    return nlp


def catalogue_of(nlp: Language) -> BrandCatalogue:
    """Return the pipeline's brand catalogue."""
    return cast(BrandCatalogue, nlp.get_pipe("superfan_brands"))


class Annotator:
    """Annotates texts with a catalogue of brands. Building it takes about a second. Not thread-safe.

    A text gets the same annotation in any batch. Memory stays bounded: new words of texts are forgotten after
    `ZONE` characters.
    """

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._nlp = build(brands)
        self._catalogue = catalogue_of(self._nlp)
        self._zone = ExitStack()
        self._read = ZONE
        # The matrices are small: more threads would cost more than they gain.
        self._blas = ThreadpoolController().select(user_api="blas")

    def annotate(self, texts: Iterable[TextIn]) -> Iterator[Annotation]:
        """Yield one annotation per text, in order. Never raises because of a text's content."""
        for batch in batched(texts, BATCH):
            self._forget()
            self._read += sum(min(len(text_in.text), MAX_TEXT) for text_in in batch)
            asked = [_targets(text_in) for text_in in batch]
            with self._blas.limit(limits=1):
                docs = self._nlp.pipe(map(self._doc, batch, asked), batch_size=BATCH)
                # A list, because the consumer may resume after the zone of these documents is closed.
                annotations = list(map(self._annotation, docs, batch, asked))
            yield from annotations

    def _forget(self) -> None:
        # Without a zone, the vocabulary of a worker that runs for weeks would keep every word.
        # With a zone per batch, most words of each batch would have to be added again.
        if self._read >= ZONE:
            self._zone.close()
            self._zone.enter_context(self._nlp.memory_zone())
            self._read = 0

    def _doc(self, text_in: TextIn, targets: list[Target]) -> Doc:
        # UTF-8 cannot encode lone surrogates. One character replaces each, so that offsets stay valid.
        doc = self._nlp.make_doc(_SURROGATE.sub("\ufffd", text_in.text[:MAX_TEXT]))
        doc._.platform = text_in.platform
        doc._.platform_lang = text_in.lang
        spans = [_span_of(doc, target) for target in targets]
        doc.user_data[_TARGET_SPANS] = spans
        doc.spans["targets"] = [span for span in spans if span is not None]
        return doc

    def _annotation(self, doc: Doc, text_in: TextIn, targets: list[Target]) -> Annotation:
        brands = [
            BrandMention(
                brand=span.label_,
                surface=span.text,
                start=span.start_char,
                end=span.end_char,
                sentiment=span._.sentiment,
            )
            for span in doc.spans["brands"]
        ]
        listed = self._catalogue.from_lists(text_in.platform, text_in.mentions, text_in.hashtags)
        for brand in sorted(listed - {mention.brand for mention in brands}):
            brands.append(BrandMention(brand=brand, surface="", start=0, end=0, sentiment=doc._.sentiment))
        return Annotation(
            text=text_in.text,
            lang=doc._.lang,
            sentiment=doc._.sentiment,
            entities=tuple(
                Entity(text=ent.text, label=ent.label_, start=ent.start_char, end=ent.end_char)  # type: ignore[arg-type]
                for ent in doc.ents
            ),
            brands=tuple(brands),
            targets=tuple(_target_mentions(doc, targets)),
            cues=doc._.cues,
            evidence=doc._.evidence,
            trade=doc._.trade,
            truncated=len(text_in.text) > MAX_TEXT,
        )


def _span_of(doc: Doc, target: Target) -> Span | None:
    """Return the tokens that a target touches, or None if it lies outside the text that is read."""
    if not 0 <= target.start < target.end <= len(text_of(doc)):
        return None
    return doc.char_span(target.start, target.end, alignment_mode="expand") or None


def _targets(text_in: TextIn) -> list[Target]:
    """Return the targets of a text. One outside the text that is read gets the sentiment of the text."""
    targets = []
    text = text_in.text[:MAX_TEXT]
    for target in text_in.targets:
        if isinstance(target, Target):
            targets.append(target)
        elif target:
            found = re.finditer(re.escape(target), text, re.IGNORECASE)
            targets += [Target(m.group(), m.start(), m.end()) for m in found]
    return targets


def _target_mentions(doc: Doc, targets: list[Target]) -> Iterator[TargetMention]:
    for target, span in zip(targets, doc.user_data[_TARGET_SPANS], strict=True):
        towards = doc._.sentiment if span is None else span._.sentiment
        yield TargetMention(text=target.text, start=target.start, end=target.end, sentiment=towards)
