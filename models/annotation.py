"""The output of the text pipeline for one post. Offsets are in characters of the original text.

These shapes are what `superfan annotate` prints and what travels on `enriched`.
"""

from typing import Literal

from models.record import Record
from models.signals import Trade

Label = Literal["positive", "neutral", "negative"]
EntityLabel = Literal["PERSON", "ORG", "PRODUCT", "LOCATION", "GROUP", "WORK"]
Cue = Literal[
    "ownership", "recommendation", "purchase", "complaint", "question", "giveaway", "sponsored", "irony"
]

MAX_TEXT = 10_000
"""Characters of a text that are read; the rest is cut and `Annotation.truncated` says so."""


class Sentiment(Record, frozen=True):
    """An opinion. `probabilities` has an entry for each label; they sum to 1, with four decimals."""

    label: Label
    probabilities: dict[Label, float]


class Entity(Record, frozen=True):
    """A named entity; `text` is the text between the offsets."""

    text: str
    label: EntityLabel
    start: int
    end: int


class BrandMention(Record, frozen=True):
    """A mention of a brand of the catalogue, and the opinion towards it there."""

    brand: str
    surface: str
    start: int
    end: int
    sentiment: Sentiment


class TargetMention(Record, frozen=True):
    """A mention of a target that the caller asked about, and the opinion towards it there."""

    text: str
    start: int
    end: int
    sentiment: Sentiment


class Annotation(Record, frozen=True):
    """Everything the pipeline says about one text.

    `lang` is an ISO 639 code, of two letters if there is one. It is null when the language is unknown, and
    "und" when it is only known not to be English. The sentiment of such a text is that of its emoji.
    `cues` are sorted and distinct. `evidence` holds the words behind the ownership,
    purchase and recommendation cues, as found. `trade` says that the text sells something, or speaks for
    a company.
    """

    text: str
    lang: str | None
    sentiment: Sentiment
    entities: tuple[Entity, ...] = ()
    brands: tuple[BrandMention, ...] = ()
    targets: tuple[TargetMention, ...] = ()
    cues: tuple[Cue, ...] = ()
    evidence: tuple[str, ...] = ()
    trade: tuple[Trade, ...] = ()
    truncated: bool = False
