"""Sentiment of the whole post, and towards each brand and target in it. Registered as `superfan_sentiment`.

The component sets `doc._.sentiment`, and `span._.sentiment` for every span of `doc.spans["brands"]` and
`doc.spans["targets"]`. The probabilities are calibrated; see MODEL_CARD.md.

A post that begins with a handle addresses its owner. If it names nobody else, the sentiment towards that
handle is the geometric mean of the sentiment towards it and that of the whole post.

The network does not read the names of the catalogue's brands, so that no brand is rated by its name. It
reads a handle instead. Hashtags are read, because they may hold more than the name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span

from models.annotation import Label, Sentiment
from models.batches import batched
from nlp.encoder import BATCH, vectors_of, word_ids_of
from nlp.network import Floats, Ints, TokenSpan, network
from nlp.tokenizer import EMOJI, EMOTICON, words_of
from nlp.words import HANDLE

LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")
"""labels in the order of the network's outputs"""
UNREAD = Sentiment(label="neutral", probabilities={"positive": 0.2, "neutral": 0.6, "negative": 0.2})
"""sentiment of a text without words, or of one in another language without an emoji"""
_SIGN = re.compile(f"{EMOJI}|{EMOTICON}")


@Language.factory(
    "superfan_sentiment",
    requires=["doc.tensor", "doc._.lang", "doc.spans"],
    assigns=["doc._.sentiment", "span._.sentiment"],
)
def create_sentiment(nlp: Language, name: str) -> "TrainedSentiment":
    """Create the component, for `config.cfg`."""
    return TrainedSentiment()


class TrainedSentiment:
    """Sets the sentiment of documents that the encoder processed. See the module for the rules."""

    def __call__(self, doc: Doc) -> Doc:
        """Set the sentiment of one document."""
        self._classify([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """Set the sentiment of documents in batches."""
        for docs in batched(stream, batch_size):
            self._classify(docs)
            yield from docs

    @staticmethod
    def _classify(docs: Sequence[Doc]) -> None:
        net = network()
        posts: list[Ints] = []
        encoded: list[Floats | None] = []
        targets: list[TokenSpan] = []
        spans: list[Span] = []
        addressed: list[bool] = []
        read: list[Doc] = []
        for doc in docs:
            asked = _asked(doc)
            doc._.sentiment = UNREAD
            for span in asked:
                span._.sentiment = UNREAD
            if _is_foreign(doc):
                emoji = [word for word in words_of(doc) if _SIGN.fullmatch(word)]
                ids, vectors, asked = net.word_ids(emoji), None, []
            else:
                ids, vectors = _without_names(doc)
            if not len(ids):
                continue
            addressed += [_is_addressed(asked)] * len(asked)
            targets += [TokenSpan(len(posts), span.start, span.end) for span in asked]
            spans += asked
            posts.append(ids)
            encoded.append(vectors)
            read.append(doc)
        if not read:
            return
        changed = [n for n, vectors in enumerate(encoded) if vectors is None]
        for n, vectors in zip(changed, net.encode([posts[n] for n in changed]), strict=True):
            encoded[n] = vectors
        whole, towards = net.sentiment(posts, [x for x in encoded if x is not None], targets)
        at = np.flatnonzero(addressed)
        towards[at] = _geometric_mean(towards[at], whole[[targets[n].post for n in at]])
        for doc, sentiment in zip(read, _sentiments(whole), strict=True):
            doc._.sentiment = sentiment
        for span, sentiment in zip(spans, _sentiments(towards), strict=True):
            span._.sentiment = sentiment
        for doc in read:
            if _is_foreign(doc):
                for span in _asked(doc):
                    span._.sentiment = doc._.sentiment


def _is_foreign(doc: Doc) -> bool:
    return doc._.lang not in {None, "en"}


def _asked(doc: Doc) -> list[Span]:
    """Return the spans that need a sentiment."""
    return [*doc.spans.get("brands", ()), *doc.spans.get("targets", ())]


def _geometric_mean(one: Floats, other: Floats) -> Floats:
    """Return the geometric mean of two arrays of probabilities (n x 3), normalised to 1 in each row."""
    both = np.sqrt(one * other)
    shares: Floats = both / both.sum(axis=1, keepdims=True)
    return shares


def _is_addressed(asked: Sequence[Span]) -> bool:
    """Return True if the post begins with a handle and all spans name the same brand or target."""
    if not asked or min(span.start for span in asked) or asked[0].doc[0].text[0] != "@":
        return False
    return len({span.label_ or span.text.lower() for span in asked}) == 1


def _without_names(doc: Doc) -> tuple[Ints, Floats | None]:
    """Return word ids in which a handle replaces each brand name, and the vectors of these words.

    The vectors are None if a name was replaced: the words must then be encoded again.
    """
    ids = word_ids_of(doc)
    words = words_of(doc)
    names = [
        at
        for kind in ("brands", "rivals")
        for span in doc.spans.get(kind, ())
        for at in range(span.start, span.end)
        if words[at][0] not in "@#"
    ]
    if not names:
        return ids, vectors_of(doc)
    ids = ids.copy()
    ids[names] = network().word_ids(["@" + HANDLE])[0]
    return ids, None


def _sentiments(probabilities: Floats) -> Iterator[Sentiment]:
    """Yield a `Sentiment` with four decimals for each row (n x 3)."""
    for row in np.round(probabilities.astype(float), 4).tolist():
        positive, _, negative = row
        # Rounded probabilities need not sum to 1; neutral takes the difference.
        shares = dict(zip(LABELS, (positive, round(1 - positive - negative, 4), negative), strict=True))
        yield Sentiment(label=max(shares, key=shares.__getitem__), probabilities=shares)
