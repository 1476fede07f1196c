"""What the text pipeline says about one post. Offsets are in characters of the text as given.

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
    """An opinion. `probabilities` has an entry for each label, sums to 1, rounded to four decimals."""

    label: Label
    probabilities: dict[Label, float]


class Entity(Record, frozen=True):
    """A named entity; `text` is the text between the offsets."""

    text: str
    label: EntityLabel
    start: int
    end: int


class BrandMention(Record, frozen=True):
    """A place where a brand of the catalogue is named, and the opinion towards it there."""

    brand: str
    surface: str
    start: int
    end: int
    sentiment: Sentiment


class TargetMention(Record, frozen=True):
    """A place of a target the caller asked about, and the opinion towards it there."""

    text: str
    start: int
    end: int
    sentiment: Sentiment


class Annotation(Record, frozen=True):
    """Everything the pipeline says about one text.

    `lang` is an ISO 639 code, of two letters where there is one, or null when it cannot be told; "und" says
    that it is not English, and no more. The sentiment of a text that is not English is that of its emoji.
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
