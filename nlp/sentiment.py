"""Sentiment: of the whole post, and towards a place in it. Registered as `superfan_sentiment`.

The component sets `doc._.sentiment`, and `span._.sentiment` for every span of `doc.spans["brands"]` and
`doc.spans["targets"]`. The probabilities are calibrated; see the model card.

Who begins a post with somebody's handle speaks to them: what is said of them alone in such a post is half
what the post says as a whole.

The name of a brand of the catalogue is not read, so that no brand is liked or disliked for its name:
in its place the network sees a handle. A hashtag may say more than the name and is read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span

from models.annotation import Label, Sentiment
from nlp.encoder import BATCH, batches, types_of, vectors_of
from nlp.network import Floats, Ints, Place, network
from nlp.tokenizer import EMOJI, EMOTICON, words_of
from nlp.words import HANDLE

LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")
"""in the order of the network's outputs"""
UNREAD = Sentiment(label="neutral", probabilities={"positive": 0.2, "neutral": 0.6, "negative": 0.2})
"""Of a text without words, or in another language without an emoji: leans nowhere, is not sure of it."""
_SIGN = re.compile(f"{EMOJI}|{EMOTICON}")


@Language.factory(
    "superfan_sentiment",
    requires=["doc.tensor", "doc._.lang", "doc.spans"],
    assigns=["doc._.sentiment", "span._.sentiment"],
)
def create_sentiment(nlp: Language, name: str) -> "TrainedSentiment":
    """For `config.cfg`."""
    return TrainedSentiment()


class TrainedSentiment:
    """See the module."""

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        self._judge([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """The same documents, judged many at a time."""
        for docs in batches(stream, batch_size):
            self._judge(docs)
            yield from docs

    @staticmethod
    def _judge(docs: Sequence[Doc]) -> None:
        net = network()
        posts: list[Ints] = []
        encoded: list[Floats | None] = []
        places: list[Place] = []
        spans: list[Span] = []
        addressed: list[bool] = []
        read: list[Doc] = []
        for doc in docs:
            asked = _asked(doc)
            doc._.sentiment = UNREAD
            for span in asked:
                span._.sentiment = UNREAD
            if doc._.lang not in {None, "en"}:
                emoji = [word for word in words_of(doc) if _SIGN.fullmatch(word)]
                types, vectors, asked = net.types(emoji), None, []
            else:
                types, vectors = _named(doc)
            if not len(types):
                continue
            addressed += [_speaks_to(asked)] * len(asked)
            places += [Place(len(posts), span.start, span.end) for span in asked]
            spans += asked
            posts.append(types)
            encoded.append(vectors)
            read.append(doc)
        if not read:
            return
        again = [n for n, vectors in enumerate(encoded) if vectors is None]
        for n, vectors in zip(again, net.encode([posts[n] for n in again]), strict=True):
            encoded[n] = vectors
        whole, towards = net.opinions(posts, [x for x in encoded if x is not None], places)
        at = np.flatnonzero(addressed)
        towards[at] = _between(towards[at], whole[[places[n].post for n in at]])
        for doc, sentiment in zip(read, _sentiments(whole), strict=True):
            doc._.sentiment = sentiment
        for span, sentiment in zip(spans, _sentiments(towards), strict=True):
            span._.sentiment = sentiment
        for doc in read:
            if doc._.lang not in {None, "en"}:
                for span in _asked(doc):
                    span._.sentiment = doc._.sentiment


def _asked(doc: Doc) -> list[Span]:
    return [*doc.spans.get("brands", ()), *doc.spans.get("targets", ())]


def _between(one: Floats, other: Floats) -> Floats:
    """The geometric means of probabilities, as probabilities."""
    both = np.sqrt(one * other)
    shares: Floats = both / both.sum(axis=1, keepdims=True)
    return shares


def _speaks_to(asked: Sequence[Span]) -> bool:
    """Whether a post begins with a handle, and nobody else is asked about."""
    if not asked or min(span.start for span in asked) or asked[0].doc[0].text[0] != "@":
        return False
    return len({span.label_ or span.text.lower() for span in asked}) == 1


def _named(doc: Doc) -> tuple[Ints, Floats | None]:
    """The words with names of brands taken out, and their vectors if the encoder's still hold."""
    types = types_of(doc)
    words = words_of(doc)
    names = [
        at
        for kind in ("brands", "rivals")
        for span in doc.spans.get(kind, ())
        for at in range(span.start, span.end)
        if words[at][0] not in "@#"
    ]
    if not names:
        return types, vectors_of(doc)
    types = types.copy()
    types[names] = network().types(["@" + HANDLE])[0]
    return types, None


def _sentiments(probabilities: Floats) -> Iterator[Sentiment]:
    for row in np.round(probabilities.astype(float), 4).tolist():
        positive, _, negative = row
        # Rounded shares need not add up to one; the neutral one takes the rest.
        shares = dict(zip(LABELS, (positive, round(1 - positive - negative, 4), negative), strict=True))
        yield Sentiment(label=max(shares, key=shares.__getitem__), probabilities=shares)
