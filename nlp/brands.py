"""Finds the brands of a catalogue in a text. Registered as `superfan_brands`.

What counts as a mention, without regard to case unless said otherwise:

- a handle, only behind `@` and only on its own platform;
- a hashtag of the brand; a hashtag that spells a name, an alias or a product; one of several
  words (`#LoveJetBlue`) that has such a name among them, unless that name is a common word;
- an alias, a product, or a name of several words, as whole words in running text;
- a name of one word. If that is also a common word ("united", "apple"; `common_words`)
  it needs a capital and must not be part of a longer name ("United States", "Manchester United").

Some platforms give `&` as `&amp;`: a name that has it is found either way.

The longest place wins, then the first brand of the catalogue. Competitors are found by the same
rules, but only as `rivals`: what is said of them is not said of the brand.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from spacy.lang.en.stop_words import STOP_WORDS
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span

from models.brand import Brand
from nlp.lexicon import lexicon
from nlp.tokenizer import words_of

_WORD_OF_HASHTAG = re.compile(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])|[A-Z]")
_BARE_HANDLES = frozenset({"x", "twitter", "threads"})
"""Platforms whose handles are letters, digits and underscores; elsewhere `@united.fans` is not `@united`."""
MAX_WORDS_OF_HASHTAG = 12


class _Rule(NamedTuple):
    """What a pattern stands for. Smaller `order` wins; `platform` is set for handles only."""

    order: int
    name: str
    rival: bool
    platform: str | None = None
    needs_capital: bool = False


@cache
def common_words() -> frozenset[str]:
    """Words that running text writes in lower case: stop words, opinion words, and the table's."""
    return frozenset([*STOP_WORDS, *filter(str.isalpha, lexicon()), *_table()["also_common"]])


@cache
def _before_names() -> frozenset[str]:
    return common_words().union(_table()["before_a_name"])


@cache
def _table() -> dict[str, list[str]]:
    return tomllib.loads(files("nlp").joinpath("assets/names.toml").read_text(encoding="utf-8"))


@Language.factory("superfan_brands", assigns=["doc.spans"])
def create_brands(nlp: Language, name: str) -> "BrandCatalogue":
    """For `config.cfg`; empty until `learn` is called."""
    return BrandCatalogue(nlp)


class BrandCatalogue:
    """Sets `doc.spans["brands"]` and `["rivals"]`, labelled by name. Reads `doc._.platform`.

    The cost for a text does not grow with the number of patterns.
    """

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self._matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._rules: dict[int, list[_Rule]] = {}
        self._hashtags: dict[str, _Rule] = {}

    def learn(self, brands: Iterable[Brand]) -> None:
        """Take these brands into the catalogue."""
        brands = list(brands)
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
        # Behind every brand: a competitor that is a brand of the catalogue itself is that brand.
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

    def __call__(self, doc: Doc) -> Doc:
        """The same document."""
        places = [(start, end, rule) for key, start, end in self._matcher(doc) for rule in self._rules[key]]
        places += self._inside_hashtags(doc)
        brands: list[Span] = []
        rivals: list[Span] = []
        last = 0
        for start, end, rule in sorted(places, key=lambda place: (place[0], -place[1], place[2].order)):
            if start >= last and self._counts(doc, start, end, rule):
                (rivals if rule.rival else brands).append(Span(doc, start, end, label=rule.name))
                last = end
        doc.spans["brands"] = brands
        doc.spans["rivals"] = rivals
        return doc

    def from_lists(self, platform: str | None, mentions: Sequence[str], hashtags: Sequence[str]) -> set[str]:
        """Brands that the post's own lists of mentions and hashtags name."""
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
    def _counts(doc: Doc, start: int, end: int, rule: _Rule) -> bool:
        if rule.platform is not None:
            platform = doc._.platform
            if platform in _BARE_HANDLES or platform is None:
                return platform in {None, rule.platform}
            return platform == rule.platform and not _goes_on(doc, end)
        return not (rule.needs_capital and doc[start].text[0] not in "@#") or _is_name(doc, start, end)


def _goes_on(doc: Doc, end: int) -> bool:
    """Whether the handle that ends here is the beginning of a longer one."""
    if end + 1 >= len(doc) or doc[end - 1].whitespace_ or doc[end].whitespace_:
        return False
    return doc[end].text in {".", "-", "@"} and doc[end + 1].text[0].isalnum()


def _is_name(doc: Doc, start: int, end: int) -> bool:
    """Whether a common word stands here as a name of its own, as far as capitals tell."""
    if not doc[start].text[0].isupper():
        return False
    after = doc[end].text if end < len(doc) else ""
    if after.istitle() and after.casefold() not in _table()["of_companies"]:
        return False
    before = doc[start - 1].text if start else ""
    return not before.istitle() or before.casefold() in _before_names()
