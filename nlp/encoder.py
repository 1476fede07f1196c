"""The encoder: a vector for each word of a post, in `doc.tensor`. Registered as `superfan_tok2vec`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from spacy.language import Language
from spacy.tokens import Doc

from models.batches import batched
from nlp.network import Floats, Ints, network
from nlp.tokenizer import words_of

BATCH = 256
"""documents encoded at a time"""
_WORD_IDS = "superfan_word_ids"


@Language.factory("superfan_tok2vec", assigns=["doc.tensor"])
def create_encoder(nlp: Language, name: str) -> "PostEncoder":
    """Create the component, for `config.cfg`."""
    return PostEncoder()


def word_ids_of(doc: Doc) -> Ints:
    """Return the network's word ids. They are cached in documents that the encoder processed."""
    ids: Ints | None = doc.user_data.get(_WORD_IDS)
    return network().word_ids(words_of(doc)) if ids is None else ids


def vectors_of(doc: Doc) -> Floats:
    """Return the vectors (words x width) of a document that the encoder processed."""
    return cast(Floats, doc.tensor)


class PostEncoder:
    """Sets `doc.tensor` (words x width), which entities and sentiment share."""

    def __call__(self, doc: Doc) -> Doc:
        """Encode one document."""
        self._encode([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """Encode documents in batches."""
        for docs in batched(stream, batch_size):
            self._encode(docs)
            yield from docs

    @staticmethod
    def _encode(docs: Sequence[Doc]) -> None:
        net = network()
        net.trim_cache()
        ids = [net.word_ids(words_of(doc)) for doc in docs]
        for doc, own, vectors in zip(docs, ids, net.encode(ids), strict=True):
            doc.user_data[_WORD_IDS] = own
            doc.tensor = vectors
