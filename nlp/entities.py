"""Named entities: people, organisations, locations, products, groups and works.

Registered as `superfan_entities`.
"""

from collections.abc import Iterable, Iterator, Sequence

from spacy.language import Language
from spacy.tokens import Doc, Span

from models.batches import batched
from nlp.encoder import BATCH, vectors_of, word_ids_of
from nlp.network import TAGS, network


@Language.factory("superfan_entities", requires=["doc.tensor"], assigns=["doc.ents"])
def create_entities(nlp: Language, name: str) -> "EntityTagger":
    """Create the component, for `config.cfg`."""
    return EntityTagger()


class EntityTagger:
    """Sets `doc.ents` of documents that the encoder processed."""

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        self._tag([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """Tag documents in batches."""
        for docs in batched(stream, batch_size):
            self._tag(docs)
            yield from docs

    @staticmethod
    def _tag(docs: Sequence[Doc]) -> None:
        found = network().tags([word_ids_of(doc) for doc in docs], list(map(vectors_of, docs)))
        for doc, tags in zip(docs, found, strict=True):
            doc.set_ents(list(_spans(doc, tags)))


def _spans(doc: Doc, tags: Sequence[int]) -> Iterator[Span]:
    start = None
    for at, tag in enumerate((*tags, 0)):
        if start is not None and not TAGS[tag].startswith("I-"):
            yield Span(doc, start, at, label=TAGS[tags[start]][2:])
            start = None
        if TAGS[tag].startswith("B-"):
            start = at
