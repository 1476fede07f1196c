"""Why a text got its sentiment: each token is taken out once, and the loss of the answer is read off.

Occlusion (Zeiler and Fergus 2014; Li, Monroe and Jurafsky 2016). It asks the annotator like any caller, so
it explains whatever component gives the sentiment. Tokens that only act together hide each other: where
two words say the same, taking out one of them changes little.
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
"""Tokens from the beginning that are taken out; each costs a reading of the whole text."""


class Token(Record, frozen=True):
    """A token that is no white space; `text` is the text between the offsets, in characters."""

    text: str
    start: int
    end: int


class Move(Record, frozen=True):
    """What a token does for an answer: the probability of the answer's label is `drop` lower without it.

    Below 0 the token speaks against the label.
    """

    token: Token
    drop: float


class Finding(Record, frozen=True):
    """A sentiment and the tokens behind it, those that move it most first; tokens that do not are left out.

    `of` says whose it is: the whole text's, a brand's (all its mentions together), or a target's;
    `name` is the brand or the target. The tokens that name it are not taken out.
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
    """Reads a text once whole, and once without each of its first `MOST_TOKENS` tokens."""
    (annotation,) = annotator.annotate([text_in])
    text = text_in.text[:MAX_TEXT]
    tokens = tuple(_tokens(text))
    places = [Target(t.text, t.start, t.end) for t in annotation.targets]
    taken = tokens[:MOST_TOKENS]
    without = list(annotator.annotate(_without(text_in, text, token, places) for token in taken))

    def finding(of: Literal["text", "brand", "target"], name: str, at: int = 0) -> Finding:
        whole = _sentiment(annotation, of, name, at)
        assert whole is not None  # noqa: S101 -- it was found in this annotation
        moves = []
        for token, rest in zip(taken, without, strict=True):
            names_it = of == "target" and _overlap(token, places[at])
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
        *(finding("target", place.text, at) for at, place in enumerate(places)),
    ]
    return Explanation(annotation=annotation, tokens=tokens, findings=tuple(findings))


def _tokens(text: str) -> Iterator[Token]:
    # Lone surrogates have no UTF-8; a mark stands in for each, so that offsets hold.
    for token in PostTokenizer(Vocab())(text.encode(errors="replace").decode()):
        start, end = token.idx, token.idx + len(token)
        if not text[start:end].isspace():
            yield Token(text=text[start:end], start=start, end=end)


def _without(text_in: TextIn, text: str, token: Token, places: list[Target]) -> TextIn:
    """The text without a token and the space that would be left over; the targets where they are then."""
    between_spaces = text[: token.start][-1:] in {"", " "} and text[token.end :][:1] == " "
    end = token.end + between_spaces
    gone = end - token.start
    moved = tuple(
        place._replace(start=place.start - gone, end=place.end - gone) if place.start >= end else place
        for place in places
    )
    return text_in._replace(text=text[: token.start] + text[end:], targets=moved)


def _overlap(token: Token, place: Target) -> bool:
    return token.start < place.end and place.start < token.end


def _sentiment(annotation: Annotation, of: str, name: str, at: int) -> Sentiment | None:
    """The sentiment a finding is about; none where the brand is not named any more."""
    if of == "text":
        return annotation.sentiment
    if of == "target":
        return annotation.targets[at].sentiment
    mentions = [mention.sentiment for mention in annotation.brands if mention.brand == name]
    return mean_of(mentions) if mentions else None
