"""The one spaCy pipeline, and the front door to it. What it is made of stands in `config.cfg`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import load_config, load_model_from_config
from threadpoolctl import ThreadpoolController

from models.annotation import MAX_TEXT, Annotation, BrandMention, Entity, TargetMention
from models.brand import Brand
from nlp import (  # noqa: F401 -- they register the components
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
"""texts the pipeline works on at a time"""
ZONE = 500_000
"""characters that are read before the words they brought along are forgotten"""
_PLACES = "superfan_places"
_SURROGATE = re.compile("[\ud800-\udfff]")

for _name in ("platform", "platform_lang", "lang", "sentiment", "cues", "evidence", "trade"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)
if not Span.has_extension("sentiment"):
    Span.set_extension("sentiment", default=None)


class Target(NamedTuple):
    """A place of the text the caller asks about, in characters."""

    text: str
    start: int
    end: int


class TextIn(NamedTuple):
    """A text, and what its post says about it. A target that is a string means every occurrence."""

    text: str
    platform: str | None = None
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    targets: tuple[str | Target, ...] = ()
    lang: str | None = None
    """the platform's word for it, which is asked where the text is too short to tell"""


def build(brands: Sequence[Brand] = ()) -> Language:
    """The pipeline: language, entities, brands of this catalogue, cues, sentiment. Loads in a second."""
    nlp = load_model_from_config(load_config(CONFIG), auto_fill=True)
    catalogue_of(nlp).learn(brands)
    # A memory zone forgets the words it saw first; those of every post are better known beforehand.
    for word in common_words():
        nlp.vocab[word]
    return nlp


def catalogue_of(nlp: Language) -> BrandCatalogue:
    """The pipeline's catalogue of brands."""
    return cast(BrandCatalogue, nlp.get_pipe("superfan_brands"))


class Annotator:
    """Annotates texts against a catalogue of brands. Loading takes a second; then it is pure.

    Not for several threads at once. The words that texts bring along are forgotten now and then.
    """

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._nlp = build(brands)
        self._catalogue = catalogue_of(self._nlp)
        self._zone = ExitStack()
        self._read = ZONE
        # The matrices are small: a second thread costs more than it gains, most of all on a busy machine.
        self._blas = ThreadpoolController().select(user_api="blas")

    def annotate(self, texts: Iterable[TextIn]) -> Iterator[Annotation]:
        """One annotation for each text, in order. Never raises for what a text holds."""
        waiting = iter(texts)
        while batch := list(islice(waiting, BATCH)):
            self._forget()
            self._read += sum(min(len(text_in.text), MAX_TEXT) for text_in in batch)
            asked = [_targets(text_in) for text_in in batch]
            with self._blas.limit(limits=1):
                docs = self._nlp.pipe(map(self._doc, batch, asked), batch_size=BATCH)
                # A list: what is yielded must not point into a zone that is left meanwhile.
                annotations = list(map(self._annotation, docs, batch, asked))
            yield from annotations

    def _forget(self) -> None:
        # Without a zone the vocabulary of a worker that lives for weeks would keep every word it met;
        # with one for each batch, most of a batch's words would have to be learnt again.
        if self._read >= ZONE:
            self._zone.close()
            self._zone.enter_context(self._nlp.memory_zone())
            self._read = 0

    def _doc(self, text_in: TextIn, targets: list[Target]) -> Doc:
        # A lone surrogate is no character and has no UTF-8; as long as it is, so that offsets hold.
        doc = self._nlp.make_doc(_SURROGATE.sub("\ufffd", text_in.text[:MAX_TEXT]))
        doc._.platform = text_in.platform
        doc._.platform_lang = text_in.lang
        places = [_place(doc, target) for target in targets]
        doc.user_data[_PLACES] = places
        doc.spans["targets"] = [span for span in places if span is not None]
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


def _place(doc: Doc, target: Target) -> Span | None:
    """The tokens a target touches; none when it lies outside of what is read."""
    if not 0 <= target.start < target.end <= len(text_of(doc)):
        return None
    return doc.char_span(target.start, target.end, alignment_mode="expand") or None


def _targets(text_in: TextIn) -> list[Target]:
    """The places asked about. One outside of what is read is kept: it gets the whole text's opinion."""
    places = []
    text = text_in.text[:MAX_TEXT]
    for target in text_in.targets:
        if isinstance(target, Target):
            places.append(target)
        elif target:
            found = re.finditer(re.escape(target), text, re.IGNORECASE)
            places += [Target(m.group(), m.start(), m.end()) for m in found]
    return places


def _target_mentions(doc: Doc, targets: list[Target]) -> Iterator[TargetMention]:
    for target, span in zip(targets, doc.user_data[_PLACES], strict=True):
        opinion = doc._.sentiment if span is None else span._.sentiment
        yield TargetMention(text=target.text, start=target.start, end=target.end, sentiment=opinion)
