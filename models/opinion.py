"""One opinion for each brand, made of an annotation: carried by `enriched`, and counted."""

import re
from collections import defaultdict
from collections.abc import Sequence

from models.annotation import Annotation, Label, Sentiment
from models.post import Post
from models.record import Record
from models.sensitive import is_sensitive
from models.signals import Signals

QUOTE_LENGTH = (20, 200)
"""shortest and longest post that may be quoted, in characters"""

CLEARLY = 0.6
"""probability of "positive" from which a post may be quoted"""

_QUOTES_ANOTHER = re.compile(r"""(?<!\w)(?:RT:? +[“"]?@\w|[“"]@\w+: )""")
"""Somebody else's post inside this one, as in `Nice RT @brand: …` and `“@brand: …” wow`."""


class Opinion(Record, frozen=True):
    """The opinion of one post about one brand.

    `intensity` is 0..255: the distance of P(positive) and P(negative), times 255.
    `evidence` are the words behind ownership and purchase cues, as found. `quotable` says that
    the post may be shown as the author's own words: clear, positive, short, nothing sensitive.
    """

    brand: str
    sentiment: Sentiment
    intensity: int
    ambiguous: bool = False
    sponsored: bool = False
    giveaway: bool = False
    evidence: tuple[str, ...] = ()
    quotable: bool = False


class EnrichedPost(Record, frozen=True):
    """A record of `enriched`, keyed by author: the post, its annotations and signals, one entry per brand."""

    post: Post
    annotations: Annotation
    brands: tuple[Opinion, ...]
    signals: Signals = Signals()


def opinions(post: Post, annotation: Annotation) -> tuple[Opinion, ...]:
    """Return one opinion for each brand that the annotation names, ordered by brand.

    Several mentions of a brand in one post are one opinion: the mean of their probabilities. Praise is
    ambiguous in a post that quotes another one: its source is unclear.
    """
    mentions: dict[str, list[Sentiment]] = defaultdict(list)
    for mention in annotation.brands:
        mentions[mention.brand].append(mention.sentiment)
    cues = frozenset(annotation.cues)
    sponsored = bool(post.sponsored) or "sponsored" in cues
    giveaway = "giveaway" in cues
    owns = bool(cues & {"ownership", "purchase"})
    repost = annotation.text.startswith("RT @")
    doubtful = "irony" in cues or _QUOTES_ANOTHER.search(annotation.text) is not None
    found = []
    for brand, sentiments in sorted(mentions.items()):
        sentiment = mean_of(sentiments)
        ambiguous = sentiment.label == "positive" and doubtful
        plain = not (sponsored or giveaway or ambiguous or repost or annotation.trade)
        found.append(
            Opinion(
                brand=brand,
                sentiment=sentiment,
                intensity=round(
                    255 * abs(sentiment.probabilities["positive"] - sentiment.probabilities["negative"])
                ),
                ambiguous=ambiguous,
                sponsored=sponsored or repost,
                giveaway=giveaway,
                evidence=annotation.evidence if owns and plain else (),
                quotable=plain
                and sentiment.probabilities["positive"] >= CLEARLY
                and _may_be_quoted(annotation.text),
            )
        )
    return tuple(found)


def mean_of(sentiments: Sequence[Sentiment]) -> Sentiment:
    """Return the mean of at least one sentiment."""
    if len(sentiments) == 1:
        return sentiments[0]
    labels: tuple[Label, ...] = ("positive", "neutral", "negative")
    mean = {label: sum(s.probabilities[label] for s in sentiments) / len(sentiments) for label in labels}
    return Sentiment(
        label=max(labels, key=lambda label: mean[label]),
        probabilities={label: round(p, 4) for label, p in mean.items()},
    )


def _may_be_quoted(text: str) -> bool:
    shortest, longest = QUOTE_LENGTH
    return shortest <= len(text) <= longest and not is_sensitive(text)
