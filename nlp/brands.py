"""The brand catalogue, which finds mentions of its brands in a text. Registered as `superfan_brands`.

These are mentions. Case is ignored unless noted:

- a handle, only after `@` and only on its own platform;
- a hashtag of the brand, or one that spells a name, an alias or a product;
- a hashtag of several words (`#LoveJetBlue`) that contains such a name, unless the name is a common word;
- an alias, a product, or a name of several words, as whole words in running text;
- a name of one word. One that is also a common word ("united", "apple"; see `common_words`) needs a capital.
  It must not be part of a longer name ("United States", "Manchester United").

Some platforms write `&` as `&amp;`. A name with `&` is found in both forms.

Of overlapping mentions the longest counts, then that of the first brand of the catalogue. Competitors are
found by the same rules, but only as `rivals`: a sentiment towards them is none towards the brand.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from spacy.lang.en.stop_words import STOP_WORDS
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span

from models.brand import Brand
from nlp.lexicon import lexicon
from nlp.tokenizer import words_of

_WORD_OF_HASHTAG = re.compile(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])|[A-Z]")
_BARE_HANDLES = frozenset({"x", "twitter", "threads"})
"""platforms whose handles are letters, digits and underscores; elsewhere `@united.fans` is not `@united`"""
MAX_WORDS_OF_HASHTAG = 12
_FILE = "brands.json"


class _Rule(NamedTuple):
    """The brand that a pattern names. A smaller `order` wins; `platform` is set for handles only."""

    order: int
    name: str
    rival: bool
    platform: str | None = None
    needs_capital: bool = False


@cache
def common_words() -> frozenset[str]:
    """Return words that running text writes in lower case: stop words, sentiment words, `also_common`."""
    return frozenset([*STOP_WORDS, *filter(str.isalpha, lexicon()), *_table()["also_common"]])


@cache
def _before_names() -> frozenset[str]:
    return common_words().union(_table()["before_a_name"])


@cache
def _table() -> dict[str, list[str]]:
    return tomllib.loads(files("nlp").joinpath("assets/names.toml").read_text(encoding="utf-8"))


@Language.factory("superfan_brands", assigns=["doc.spans"])
def create_brands(nlp: Language, name: str) -> "BrandCatalogue":
    """Create the component, for `config.cfg`. It is empty until `set_brands` is called."""
    return BrandCatalogue(nlp)


class BrandCatalogue:
    """Sets `doc.spans["brands"]` and `doc.spans["rivals"]`, labelled by name. Reads `doc._.platform`.

    The cost for a text does not grow with the number of patterns. `Language.to_disk` stores the brands.
    """

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self._clear()

    def _clear(self) -> None:
        self._brands: tuple[Brand, ...] = ()
        self._matcher = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        self._rules: dict[int, list[_Rule]] = {}
        self._hashtags: dict[str, _Rule] = {}

    def set_brands(self, brands: Iterable[Brand]) -> None:
        """Replace the brands of the catalogue."""
        self._clear()
        self._brands = brands = tuple(brands)
        for order, brand in enumerate(brands):
            rule = _Rule(order, brand.name, rival=False)
            for platform, handles in brand.handles.items():
                for handle in handles:
                    self._add(f"@{handle}", rule._replace(platform=platform))
            for tag in brand.hashtags:
                self._add_hashtag(tag, rule)
            self._add_name(brand.name, rule)
            for phrase in (*brand.aliases, *brand.products):
                self._add(phrase, rule)
                self._add_hashtag(phrase, rule)
        # Competitors come after all brands: one that is itself a brand of the catalogue counts as that brand.
        for order, rival in enumerate(dict.fromkeys(r for brand in brands for r in brand.competitors)):
            rule = _Rule(len(brands) + order, rival, rival=True)
            self._add_name(rival, rule)
            self._add("@" + "".join(rival.split()), rule)

    def _add_name(self, name: str, rule: _Rule) -> None:
        self._add(name, rule._replace(needs_capital=name.casefold() in common_words()))
        self._add_hashtag(name, rule)

    def _add(self, phrase: str, rule: _Rule) -> None:
        for written in dict.fromkeys((phrase, phrase.replace("&", "&amp;"))):
            pattern = self._nlp.make_doc(written)
            key = " ".join(token.lower_ for token in pattern)
            self._rules.setdefault(self._nlp.vocab.strings.add(key), []).append(rule)
            self._matcher.add(key, [pattern])

    def _add_hashtag(self, words: str, rule: _Rule) -> None:
        tag = "".join(c for c in words.casefold() if c.isalnum() or c == "_")
        if tag:
            self._add(f"#{tag}", rule)
            self._hashtags.setdefault(tag, rule)

    def to_bytes(self, **_: Any) -> bytes:
        """Return the brands as JSON, without the ids of employees. Called by `Language.to_bytes`."""
        brands = [brand.model_dump(mode="json", exclude={"employees"}) for brand in self._brands]
        return json.dumps(brands).encode()

    def from_bytes(self, data: bytes, **_: Any) -> "BrandCatalogue":
        """Replace the brands by those of `to_bytes`. Called by `Language.from_bytes`."""
        self.set_brands(map(Brand.model_validate, json.loads(data)))
        return self

    def to_disk(self, path: str | Path, **_: Any) -> None:
        """Write the brands to a folder. Called by `Language.to_disk`."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_bytes(self.to_bytes())

    def from_disk(self, path: str | Path, **_: Any) -> "BrandCatalogue":
        """Replace the brands by those of `to_disk`. Called by `spacy.load`."""
        return self.from_bytes((Path(path) / _FILE).read_bytes())

    def __call__(self, doc: Doc) -> Doc:
        """Find the mentions of one document."""
        found = [(start, end, rule) for key, start, end in self._matcher(doc) for rule in self._rules[key]]
        found += self._inside_hashtags(doc)
        brands: list[Span] = []
        rivals: list[Span] = []
        last = 0
        for start, end, rule in sorted(found, key=lambda match: (match[0], -match[1], match[2].order)):
            if start >= last and self._is_mention(doc, start, end, rule):
                (rivals if rule.rival else brands).append(Span(doc, start, end, label=rule.name))
                last = end
        doc.spans["brands"] = brands
        doc.spans["rivals"] = rivals
        return doc

    def from_lists(self, platform: str | None, mentions: Sequence[str], hashtags: Sequence[str]) -> set[str]:
        """Return the names of brands in a post's own lists of mentions and hashtags."""
        named = set()
        for mention in mentions:
            rules = self._rules.get(self._nlp.vocab.strings[f"@{mention.removeprefix('@').lower()}"], ())
            named |= {r.name for r in rules if not r.rival and platform in {None, r.platform}}
        for tag in hashtags:
            rule = self._hashtags.get(tag.removeprefix("#").casefold())
            named |= {rule.name} if rule and not rule.rival else set()
        return named

    def _inside_hashtags(self, doc: Doc) -> Iterator[tuple[int, int, _Rule]]:
        for i, text in enumerate(words_of(doc)):
            if text[0] != "#" or len(text) == 1 or text[1:].islower():
                continue
            words = [word.casefold() for word in _WORD_OF_HASHTAG.findall(text)][:MAX_WORDS_OF_HASHTAG]
            runs = ("".join(words[i:j]) for i in range(len(words)) for j in range(len(words), i, -1))
            for run in runs:
                rule = self._hashtags.get(run)
                if rule and run not in common_words():
                    yield i, i + 1, rule
                    break

    @staticmethod
    def _is_mention(doc: Doc, start: int, end: int, rule: _Rule) -> bool:
        if rule.platform is not None:
            platform = doc._.platform
            if platform in _BARE_HANDLES or platform is None:
                return platform in {None, rule.platform}
            return platform == rule.platform and not _is_longer_handle(doc, end)
        return not (rule.needs_capital and doc[start].text[0] not in "@#") or _is_name(doc, start, end)


def _is_longer_handle(doc: Doc, end: int) -> bool:
    """Return True if the handle that ends at token `end` continues, as in `@united.fans`."""
    if end + 1 >= len(doc) or doc[end - 1].whitespace_ or doc[end].whitespace_:
        return False
    return doc[end].text in {".", "-", "@"} and doc[end + 1].text[0].isalnum()


def _is_name(doc: Doc, start: int, end: int) -> bool:
    """Return True if the capitals here and around suggest that a common word is used as a name."""
    if not doc[start].text[0].isupper():
        return False
    after = doc[end].text if end < len(doc) else ""
    if after.istitle() and after.casefold() not in _table()["of_companies"]:
        return False
    before = doc[start - 1].text if start else ""
    return not before.istitle() or before.casefold() in _before_names()
