"""Finds the brands of a catalogue in a text: by handle, hashtag, name, alias and product.

Handles count only after `@`, hashtags only after `#` (a hashtag that spells a name or an alias
counts too). Aliases, products and names of several words match without regard to case. A name of
one word may be a common word ("united", "American"): in running text it counts only when written
with a capital and not as part of a longer name ("United States").
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from models.brands import Brand


class Found(NamedTuple):
    """A brand at token positions `start` up to `end`."""

    brand: str
    start: int
    end: int


class BrandCatalogue:
    """A matcher for a list of brands. Cost does not grow with the number of patterns."""

    def __init__(self, nlp: Language, brands: Iterable[Brand]) -> None:
        self._phrases = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._handles: dict[str, dict[str, str]] = defaultdict(dict)
        self._hashtags: dict[str, str] = {}
        self._words: dict[str, str] = {}
        for brand in brands:
            for platform, handles in brand.handles.items():
                for handle in handles:
                    self._handles[platform].setdefault(handle.casefold(), brand.name)
            for tag in brand.hashtags:
                self._hashtags.setdefault(tag.casefold(), brand.name)
            for name in (brand.name, *brand.aliases):
                self._hashtags.setdefault("".join(filter(str.isalnum, name.casefold())), brand.name)
            phrases = [*brand.aliases, *brand.products]
            if len(brand.name.split()) > 1:
                phrases.append(brand.name)
            else:
                self._words[brand.name.casefold()] = brand.name
            self._phrases.add(brand.name, [nlp.make_doc(phrase) for phrase in phrases])

    def find(self, doc: Doc, platform: str | None) -> list[Found]:
        """Every place where a brand is named, in order, none inside another."""
        strings = doc.vocab.strings
        found = [Found(strings[name], start, end) for name, start, end in self._phrases(doc)]
        found += [Found(brand, i, i + 1) for i in range(len(doc)) if (brand := self._token(doc, i, platform))]
        kept: list[Found] = []
        for place in sorted(found, key=lambda f: (f.start, -f.end)):
            if not kept or place.start >= kept[-1].end:
                kept.append(place)
        return kept

    def from_lists(self, platform: str | None, mentions: Sequence[str], hashtags: Sequence[str]) -> set[str]:
        """Brands that the post's own lists of mentions and hashtags name."""
        named = {self._by_handle(name.removeprefix("@"), platform) for name in mentions}
        named |= {self._hashtags.get(tag.removeprefix("#").casefold()) for tag in hashtags}
        return {brand for brand in named if brand}

    def _token(self, doc: Doc, i: int, platform: str | None) -> str | None:
        text = doc[i].text
        if text[0] == "@":
            return self._by_handle(text[1:], platform)
        if text[0] == "#":
            return self._hashtags.get(text[1:].casefold())
        brand = self._words.get(text.casefold())
        if brand is None or not text[0].isupper():
            return None
        following = doc[i + 1].text if i + 1 < len(doc) else ""
        longer_name = following[:1].isupper() and following[1:2].islower()
        return None if longer_name else brand

    def _by_handle(self, handle: str, platform: str | None) -> str | None:
        handle = handle.casefold()
        if platform is not None:
            return self._handles[platform].get(handle) if platform in self._handles else None
        return next((known[handle] for known in self._handles.values() if handle in known), None)
