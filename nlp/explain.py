"""Explanations of a sentiment by occlusion: remove each token in turn and measure the change.

See Zeiler and Fergus 2014; Li, Monroe and Jurafsky 2016. The annotator is used as a black box, so an
explanation covers all components. Redundant tokens hide each other: if two words express the same, removing
one of them changes little.
"""

from collections.abc import Iterator
from typing import Literal

from spacy.vocab import Vocab

from models.annotation import MAX_TEXT, Annotation, Sentiment
from models.opinion import mean_of
from models.record import Record
from nlp.pipeline import Annotator, Target, TextIn
from nlp.tokenizer import PostTokenizer

MOST_TOKENS = 200
"""tokens that are removed, from the beginning; each costs an annotation of the whole text"""


class Token(Record, frozen=True):
    """A token other than white space. The offsets are characters of the text, `end` excluded."""

    text: str
    start: int
    end: int


class Move(Record, frozen=True):
    """The effect of a token: without it, the probability of the label is lower by `drop`.

    A token with a negative `drop` speaks against the label.
    """

    token: Token
    drop: float


class Finding(Record, frozen=True):
    """A sentiment and the tokens that affect it, largest effect first. Tokens without effect are left out.

    `of` is the subject of the sentiment: the whole text, a brand (all its mentions together), or a target.
    `name` is the brand or target. The tokens that name it are not removed.
    """

    of: Literal["text", "brand", "target"]
    name: str
    sentiment: Sentiment
    moves: tuple[Move, ...]


class Explanation(Record, frozen=True):
    """An annotation, its tokens, and a finding for the text, for each brand and for each target."""

    annotation: Annotation
    tokens: tuple[Token, ...]
    findings: tuple[Finding, ...]


def explain(annotator: Annotator, text_in: TextIn) -> Explanation:
    """Annotate a text, and again without each of its first `MOST_TOKENS` tokens."""
    (annotation,) = annotator.annotate([text_in])
    text = text_in.text[:MAX_TEXT]
    tokens = tuple(_tokens(text))
    targets = [Target(t.text, t.start, t.end) for t in annotation.targets]
    removed = tokens[:MOST_TOKENS]
    without = list(annotator.annotate(_without(text_in, text, token, targets) for token in removed))

    def finding(of: Literal["text", "brand", "target"], name: str, at: int = 0) -> Finding:
        whole = _sentiment(annotation, of, name, at)
        assert whole is not None  # noqa: S101 -- brands and targets come from this annotation
        moves = []
        for token, rest in zip(removed, without, strict=True):
            names_it = of == "target" and _overlap(token, targets[at])
            left = None if names_it else _sentiment(rest, of, name, at)
            if left is not None:
                drop = whole.probabilities[whole.label] - left.probabilities[whole.label]
                moves.append(Move(token=token, drop=round(drop, 4)))
        moved = sorted((move for move in moves if move.drop), key=lambda move: -abs(move.drop))
        return Finding(of=of, name=name, sentiment=whole, moves=tuple(moved))

    brands = dict.fromkeys(mention.brand for mention in annotation.brands)
    findings = [
        finding("text", ""),
        *(finding("brand", brand) for brand in brands),
        *(finding("target", target.text, at) for at, target in enumerate(targets)),
    ]
    return Explanation(annotation=annotation, tokens=tokens, findings=tuple(findings))


def _tokens(text: str) -> Iterator[Token]:
    # UTF-8 cannot encode lone surrogates. One character replaces each, so that offsets stay valid.
    for token in PostTokenizer(Vocab())(text.encode(errors="replace").decode()):
        start, end = token.idx, token.idx + len(token)
        if not text[start:end].isspace():
            yield Token(text=text[start:end], start=start, end=end)


def _without(text_in: TextIn, text: str, token: Token, targets: list[Target]) -> TextIn:
    """Return the text without a token and one space next to it, with the targets' offsets adjusted."""
    between_spaces = text[: token.start][-1:] in {"", " "} and text[token.end :][:1] == " "
    end = token.end + between_spaces
    gone = end - token.start
    moved = tuple(
        target._replace(start=target.start - gone, end=target.end - gone) if target.start >= end else target
        for target in targets
    )
    return text_in._replace(text=text[: token.start] + text[end:], targets=moved)


def _overlap(token: Token, target: Target) -> bool:
    return token.start < target.end and target.start < token.end


def _sentiment(annotation: Annotation, of: str, name: str, at: int) -> Sentiment | None:
    """Return the sentiment of a finding's subject, or None if the annotation names the brand no longer."""
    if of == "text":
        return annotation.sentiment
    if of == "target":
        return annotation.targets[at].sentiment
    mentions = [mention.sentiment for mention in annotation.brands if mention.brand == name]
    return mean_of(mentions) if mentions else None
