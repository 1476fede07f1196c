"""The one spaCy pipeline, and the front door to it."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from models.annotations import MAX_TEXT, Annotation, BrandMention, Entity, Sentiment, TargetMention
from models.brands import Brand
from nlp import cues, sentiment, tokenizer  # noqa: F401 -- they register the components
from nlp.brands import BrandCatalogue, Found
from nlp.language import language_of
from nlp.sentiment import NEUTRAL

NER = files("nlp").joinpath("assets/ner")

for _name in ("opinion_at", "cues", "evidence"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)


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


def build() -> Language:
    """The pipeline without a brand catalogue: entities, sentiment, cues."""
    nlp = spacy.load(str(NER))
    nlp.add_pipe("superfan_sentiment")
    nlp.add_pipe("superfan_cues")
    return nlp


class Annotator:
    """Annotates texts against a catalogue of brands. Loading takes a second; then it is pure."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._nlp = build()
        self._catalogue = BrandCatalogue(self._nlp, brands)

    def annotate(self, texts: Iterable[TextIn]) -> Iterator[Annotation]:
        """One annotation for each text, in order. Never raises for what a text holds."""
        cut = ((text_in.text[:MAX_TEXT], text_in) for text_in in texts)
        for doc, text_in in self._nlp.pipe(cut, as_tuples=True):
            yield self._annotation(doc, text_in)

    def _annotation(self, doc: Doc, text_in: TextIn) -> Annotation:
        lang = language_of(doc.text)
        # What is not English was not understood: no opinion is better than a guessed one.
        opinion_at = doc._.opinion_at if lang in {None, "en"} else lambda _: NEUTRAL
        overall = opinion_at(())
        places = self._catalogue.find(doc, text_in.platform)
        return Annotation(
            text=text_in.text,
            lang=lang,
            sentiment=overall,
            entities=tuple(
                Entity(text=ent.text, label=ent.label_, start=ent.start_char, end=ent.end_char)  # type: ignore[arg-type]
                for ent in doc.ents
            ),
            brands=self._mentions(doc, places, text_in, opinion_at, overall),
            targets=tuple(_targets(doc, text_in.targets, opinion_at)),
            cues=doc._.cues,
            evidence=doc._.evidence,
            truncated=len(text_in.text) > MAX_TEXT,
        )

    def _mentions(
        self,
        doc: Doc,
        places: list[Found],
        text_in: TextIn,
        opinion_at: sentiment.OpinionAt,
        overall: Sentiment,
    ) -> tuple[BrandMention, ...]:
        # One brand is what the whole post is about; several are told apart by their clauses.
        several = len({place.brand for place in places}) > 1
        found = []
        for place in places:
            span = doc[place.start : place.end]
            found.append(
                BrandMention(
                    brand=place.brand,
                    surface=span.text,
                    start=span.start_char,
                    end=span.end_char,
                    sentiment=opinion_at([(place.start, place.end)]) if several else overall,
                )
            )
        listed = self._catalogue.from_lists(text_in.platform, text_in.mentions, text_in.hashtags)
        for brand in sorted(listed - {place.brand for place in places}):
            found.append(BrandMention(brand=brand, surface="", start=0, end=0, sentiment=overall))
        return tuple(found)


def _targets(
    doc: Doc, targets: Iterable[str | Target], opinion_at: sentiment.OpinionAt
) -> Iterator[TargetMention]:
    folded = doc.text.casefold()
    for target in targets:
        if isinstance(target, Target):
            places = [(target.start, target.end)]
        elif not target or len(folded) != len(doc.text):
            places = []
        else:
            places = []
            at = folded.find(target.casefold())
            while at >= 0:
                places.append((at, at + len(target)))
                at = folded.find(target.casefold(), at + len(target))
        for start, end in places:
            span = (
                doc.char_span(start, end, alignment_mode="expand")
                if 0 <= start < end <= len(doc.text)
                else None
            )
            spans = [(span.start, span.end)] if span is not None else []
            yield TargetMention(text=doc.text[start:end], start=start, end=end, sentiment=opinion_at(spans))
