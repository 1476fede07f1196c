"""Signals of a post: its fingerprint, its themes, and what the author's bio shows. Pure, but for caches."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from models.annotation import Annotation
from models.brand import Brand
from models.post import Post
from models.signals import BioSignals, Signals
from models.tables import NICHES

FINGERPRINT_WORDS = 4
"""A text of fewer words says too little to be anybody's copy."""
MAX_READ = 2_000
"""characters of a text that its fingerprint and themes are of"""
MAX_BIO = 500

_NOT_WORDS = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|\d+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_HASHTAG = re.compile(r"#(\w+)")
_CLAUSE = re.compile(r"[|•·;/\n]+|[.!?](?=\s|$)|\s[-–—~+&]\s")
_ROLE = re.compile(
    r"\b(?:(?:i|we) work|works?|working|employed|employee|staff|team|intern|apprentice|"
    r"(?:co-?)?founder|c[efmot]o|president|vp|head|director|manager|lead|chief|officer|"
    r"engineer|developer|designer|marketing|marketer|sales|pr|comms|communications|community|"
    r"support|recruiter|recruiting|hr|analyst|associate|assistant|specialist|rep|representative|"
    r"consultant|buyer|merchandiser|pilot|cabin crew|flight attendant|driver|cashier|barista)\b",
    re.IGNORECASE,
)
_FORMER = re.compile(r"\b(?:ex|former|formerly|previously|was|past|retired)\b", re.IGNORECASE)
_FAN = re.compile(
    r"\b(?:fan|lover|addict|obsessed|enthusiast|customer|collector|not affiliated)\b", re.IGNORECASE
)
_SELLS = re.compile(
    r"\b(?:re-?seller|wholesaler?|stockist|retailer|distributor|(?:power|top(?:[- ]rated)?) ?seller|"
    r"(?:shop|store) owner|dm (?:me )?(?:to|for) (?:order|buy|price)s?|for sale|(?:i|we) sell|selling|"
    r"we (?:ship|stock)|(?:fast|free|worldwide) shipping|orders? (?:via|by|through|on) (?:dm|whatsapp))\b",
    re.IGNORECASE,
)
_THEMES = {word: name for name, niche in NICHES.items() for word in niche.words}


class SignalReader:
    """Reads signals for one catalogue of brands."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._own_tags = frozenset(
            _plain(name) for b in brands for name in (b.name, *b.aliases, *b.hashtags, *b.products)
        )
        self._names: dict[str, str] = {}
        for brand in brands:
            handles = (f"@{handle}" for of in brand.handles.values() for handle in of)
            for name in (brand.name, *brand.aliases, *handles):
                self._names.setdefault(name.casefold(), brand.name)
        for rival in (name for brand in brands for name in brand.competitors):
            self._names.setdefault(rival.casefold(), rival)
        longest = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._named = re.compile(rf"(?<![\w@#])@?(?:{'|'.join(longest) or '(?!)'})(?!\w)", re.IGNORECASE)
        self._bio = lru_cache(maxsize=20_000)(self._read_bio)

    def read(self, post: Post, annotation: Annotation) -> Signals:
        """The signals of a post; never raises for what it holds."""
        text = annotation.text[:MAX_READ]
        tags = {tag for tag in _HASHTAG.findall(text) if _plain(tag) not in self._own_tags}
        listed = {tag for tag in post.hashtags or () if _plain(tag) not in self._own_tags}
        return Signals(
            fingerprint=fingerprint(_unnamed(text, annotation)),
            themes=_themes(tag.casefold() for tag in tags | listed),
            trade=annotation.trade,
            bio=None if post.author.bio is None else self._bio(post.author.bio[:MAX_BIO]),
        )

    def _read_bio(self, bio: str) -> BioSignals:
        bio = bio.replace("&amp;", "&")  # as some platforms give it; brands are named as people write them
        return BioSignals(
            themes=_themes(word.casefold() for word in re.findall(r"\w+", bio)),
            employers=tuple(sorted(set(self._employers(bio)))),
            sells=bool(_SELLS.search(bio)),
        )

    def _employers(self, bio: str) -> Iterator[str]:
        """Brands and competitors that share a clause with a word for work, unless it is past, or the author
        is a fan."""
        for clause in _CLAUSE.split(bio):
            for place in self._named.finditer(clause):
                around = clause[: place.start()] + " " + clause[place.end() :]
                if _ROLE.search(around) and not _FORMER.search(around) and not _FAN.search(around):
                    name = place.group().casefold()
                    yield self._names.get(name) or self._names[name.removeprefix("@")]


def _unnamed(text: str, annotation: Annotation) -> str:
    """The text without the brands it names: a copy may call them by another of their names."""
    kept, at = [], 0
    for mention in sorted(annotation.brands, key=lambda mention: mention.start):
        kept.append(text[at : mention.start])
        at = max(at, mention.end)
    return " ".join([*kept, text[at:]])


def fingerprint(text: str) -> str:
    """SimHash (Charikar 2002) of the words and pairs of words, 64 bits in hexadecimal.

    Addresses, handles, hashtags, digits, case and punctuation are left out first: what a program changes
    from copy to copy. Texts that share nearly all words differ in few bits. Empty for fewer than four words.
    """
    words = _WORD.findall(_NOT_WORDS.sub(" ", text).casefold())
    if len(words) < FINGERPRINT_WORDS:
        return ""
    features = b"".join(map(_hash, [*words, *map(" ".join, pairwise(words))]))
    bits = np.unpackbits(np.frombuffer(features, np.uint8).reshape(-1, 8), axis=1)
    return np.packbits(2 * bits.sum(axis=0, dtype=np.uint32) > len(bits)).tobytes().hex()


@lru_cache(maxsize=50_000)
def _hash(feature: str) -> bytes:
    return blake2b(feature.encode(errors="surrogatepass"), digest_size=8).digest()


def _themes(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({_THEMES[word] for word in words if word in _THEMES}))


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
