"""Signals of a post: its fingerprint, its themes, signs of trade, and signs in the author's bio.

Deterministic; caches aside, nothing is kept.
"""

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
"""least number of words for a fingerprint: shorter texts are alike by chance"""
MAX_READ = 2_000
"""characters of a text that are read for fingerprint and themes"""
MAX_BIO = 500
"""characters of a bio that are read"""

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
    """Extracts signals, for one catalogue of brands."""

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
        """Return the signals of a post. Never raises because of its content."""
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
        bio = bio.replace("&amp;", "&")  # some platforms escape it; the catalogue does not
        return BioSignals(
            themes=_themes(word.casefold() for word in re.findall(r"\w+", bio)),
            employers=tuple(sorted(set(self._employers(bio)))),
            sells=bool(_SELLS.search(bio)),
        )

    def _employers(self, bio: str) -> Iterator[str]:
        """Yield brands and competitors named in a clause with a role, such as "manager".

        Clauses with a word for former work or for a fan do not count.
        """
        for clause in _CLAUSE.split(bio):
            for named in self._named.finditer(clause):
                around = clause[: named.start()] + " " + clause[named.end() :]
                if _ROLE.search(around) and not _FORMER.search(around) and not _FAN.search(around):
                    name = named.group().casefold()
                    yield self._names.get(name) or self._names[name.removeprefix("@")]


def _unnamed(text: str, annotation: Annotation) -> str:
    """Return the text without its brand mentions, because copies may use other names of a brand."""
    kept, at = [], 0
    for mention in sorted(annotation.brands, key=lambda mention: mention.start):
        kept.append(text[at : mention.start])
        at = max(at, mention.end)
    return " ".join([*kept, text[at:]])


def fingerprint(text: str) -> str:
    """Return the SimHash (Charikar 2002) of words and pairs of words: 64 bits in hexadecimal.

    Links, handles, hashtags, digits, case and punctuation are ignored, because programs vary them from copy
    to copy. Texts that share nearly all words differ in few bits. A text of fewer than `FINGERPRINT_WORDS`
    words has the fingerprint "".
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
