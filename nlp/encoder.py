"""Reads a post: a vector for each word, in `doc.tensor`. Registered as `superfan_tok2vec`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

from spacy.language import Language
from spacy.tokens import Doc

from nlp.network import Floats, Ints, network
from nlp.tokenizer import words_of

_TYPES = "superfan_types"
BATCH = 256


@Language.factory("superfan_tok2vec", assigns=["doc.tensor"])
def create_encoder(nlp: Language, name: str) -> "PostEncoder":
    """For `config.cfg`."""
    return PostEncoder()


def types_of(doc: Doc) -> Ints:
    """The network's numbers of the words; of a document the encoder read they are at hand."""
    types: Ints | None = doc.user_data.get(_TYPES)
    return network().types(words_of(doc)) if types is None else types


def batches(stream: Iterable[Doc], size: int) -> Iterator[list[Doc]]:
    """Lists of at most `size` documents, in order."""
    waiting = iter(stream)
    while docs := list(islice(waiting, size)):
        yield docs


def vectors_of(doc: Doc) -> Floats:
    """The vectors of the words of a document that was read."""
    return cast(Floats, doc.tensor)


class PostEncoder:
    """Sets `doc.tensor`; entities and sentiment listen to it. Time grows with the length of the texts."""

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        self._read([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """The same documents, read many at a time."""
        for docs in batches(stream, batch_size):
            self._read(docs)
            yield from docs

    @staticmethod
    def _read(docs: Sequence[Doc]) -> None:
        net = network()
        net.forget_if_many()
        types = [net.types(words_of(doc)) for doc in docs]
        for doc, own, vectors in zip(docs, types, net.encode(types), strict=True):
            doc.user_data[_TYPES] = own
            doc.tensor = vectors
