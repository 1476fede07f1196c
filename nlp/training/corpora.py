"""The corpora of the data folder as typed records, split into `train` and `dev`.

A post can be in several corpora, and no post may both train and measure. So a post is in the same part in all
of them. It is in `dev` if one of these holds:

- a hash of its letters selects it, as for one post in ten;
- it is about a target or brand that is held out completely;
- it is in the published development file of the entity, irony or emotion corpora.

The airline labels are not split: they only measure.

The data folder holds these files:

- `sentiment/train.jsonl`
- `targeted/semeval_train.jsonl`, `dong_train.jsonl`, `sxsw_brands.jsonl`, `entity_sentiment.jsonl`
- `ner/btc.train.conll`, `btc.dev.conll`, `wnut17.train.conll`, `wnut17.dev.conll`
- `irony/train.jsonl`, `irony/val.jsonl`, `emotion/train.jsonl`, `emotion/val.jsonl`
- `airline/posts.jsonl`, `airline/gold_half.jsonl`
"""

import html
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from spacy.training import iob_to_biluo

Part = Literal["train", "dev"]

Sentence = tuple[list[str], list[str]]
"""tokens, and their BILUO tags with our labels"""

LABELS = {
    "PER": "PERSON", "ORG": "ORG", "LOC": "LOCATION",
    "person": "PERSON", "corporation": "ORG", "product": "PRODUCT",
    "location": "LOCATION", "group": "GROUP", "creative-work": "WORK",
}  # fmt: skip
MARKED = {
    "btc": frozenset({"PERSON", "ORG", "LOCATION"}),
    "wnut17": frozenset(LABELS.values()),
}
"""labels that each entity corpus marks; only these can be scored on it"""

DEV_SHARE = 10
"""one post in this many is in `dev`"""
HELD_OUT_SHARE = {"semeval": 10, "entity": 5}
"""by corpus: one target in this many is held out completely"""

MASK = "it"
"""replacement for the name of a target"""

ALIASES = {
    "iPad or iPhone App": "ipad|iphone|app", "Android App": "android|app",
    "Other Google product or service": "google", "Other Apple product or service": "apple",
    "CallOfDutyBlackopsColdWar": "black ?ops|cold ?war|call ?of ?duty|cod",
    "CallOfDuty": "call ?of ?duty|cod|warzone", "WorldOfCraft": "world of warcraft|warcraft|wow",
    "CS-GO": "cs ?:? ?go|counter ?strike", "Dota2": "dota", "MaddenNFL": "madden", "NBA2K": "2k",
    "Xbox(Xseries)": "xbox", "PlayStation5(PS5)": "play ?station ?5|ps ?5|play ?station",
    "PlayerUnknownsBattlegrounds(PUBG)": "pubg|battlegrounds", "RedDeadRedemption(RDR)": "red ?dead|rdr",
    "GrandTheftAuto(GTA)": "gta|grand ?theft ?auto",
    "Cyberpunk2077": "cyberpunk", "HomeDepot": "home ?depot",
    "TomClancysRainbowSix": "rainbow ?(?:six|6)|r6|siege", "TomClancysGhostRecon": "ghost ?recon|breakpoint",
    "AssassinsCreed": "assassin['’]?s? ?creed", "ApexLegends": "apex", "LeagueOfLegends": "league|lol",
    "johnson&johnson": "johnson ?(?:&amp;|&|and|n) ?johnson|j ?(?:&amp;|&|n) ?j|johnson",
}  # fmt: skip
"""spellings in posts of names that two corpora write in their own form, as regular expressions"""

_TARGETED = {
    "semeval": "semeval_train.jsonl", "dong": "dong_train.jsonl",
    "sxsw": "sxsw_brands.jsonl", "entity": "entity_sentiment.jsonl",
}  # fmt: skip
_FILES: dict[Part, str] = {"train": "train.jsonl", "dev": "val.jsonl"}
_URL = re.compile(r"https?://\S+|www\.\S+|\{link\}")
_HANDLE = re.compile(r"@ ?\w+")
_NO_LETTER = re.compile(r"\W+")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its sentiment, as labelled by people."""

    text: str
    label: str
    """positive, neutral or negative; towards the target, if there is one"""
    target: tuple[int, int] | None
    """characters of the text, None if the corpus names no target or the text does not contain it"""
    name: str
    """the corpus"""
    group: str
    """name of the target or brand, "" for none"""


def key(text: str) -> str:
    """Return the letters and digits of a post in lower case, without links and handles.

    Corpora tokenize the same post differently, or hide its handles. The key is the same in all of them.
    """
    plain = _HANDLE.sub(" ", _URL.sub(" ", html.unescape(text).lower()))
    return _NO_LETTER.sub("", plain)


def is_dev(text: str) -> bool:
    """Return True if the hash of a post selects it for `dev`. The result is the same on every machine."""
    return _one_in(DEV_SHARE, key(text))


def part_of(data: Path, text: str) -> Part:
    """Return the part that a post of any corpus belongs to."""
    return "dev" if key(text) in _dev_keys(data) else "train"


def is_held_out(corpus: str, group: str) -> bool:
    """Return True if all posts about this target of `semeval`, or brand of `entity`, are held out."""
    return _one_in(HELD_OUT_SHARE[corpus], group.casefold()) if corpus in HELD_OUT_SHARE else False


def overall(data: Path, part: Part) -> list[Labelled]:
    """Return the posts of SemEval-2017 task 4 A with their overall sentiment."""
    # Only this file escapes some characters.
    rows = ((_unescaped(row["text"]), row["label"]) for row in _rows(data / "sentiment/train.jsonl"))
    labelled = (Labelled(text, label, None, "overall", "") for text, label in rows)
    return [row for row in labelled if part_of(data, row.text) == part]


def targeted(data: Path, part: Part) -> dict[str, list[Labelled]]:
    """Return posts with the sentiment towards a target, by corpus: `semeval`, `dong`, `sxsw`, `entity`.

    Posts that `entity` marks as irrelevant are left out. They may express a sentiment towards something else,
    and their label "neutral" does not describe it.
    """
    return {
        corpus: [row for row in rows if part_of(data, row.text) == part]
        for corpus, rows in _targeted(data).items()
    }


def entities(data: Path, part: Part) -> dict[str, list[Sentence]]:
    """Return posts with tags, by corpus: `btc`, `wnut17`."""
    return {
        corpus: [post for post in sentences(data, corpus, part) if part_of(data, " ".join(post[0])) == part]
        for corpus in MARKED
    }


def irony(data: Path, part: Part) -> list[tuple[str, bool]]:
    """Return posts, and True for ironic ones."""
    rows = _rows(data / "irony" / _FILES[part])
    return [(row["text"], row["label"] == "irony") for row in rows if part_of(data, row["text"]) == part]


def emotion(data: Path, part: Part) -> list[tuple[str, str]]:
    """Return posts with anger, joy, optimism or sadness."""
    rows = _rows(data / "emotion" / _FILES[part])
    return [(row["text"], row["label"]) for row in rows if part_of(data, row["text"]) == part]


def airline(data: Path, confidence: float = 0.0) -> list[Labelled]:
    """Return posts about six airlines, with labels of at least this confidence. They must not train.

    `group` is the brand. There is no target: the pipeline's catalogue has to find the brand.
    """
    texts = {row["id"]: row["text"] for row in _rows(data / "airline/posts.jsonl")}
    return [
        Labelled(texts[row["id"]], row["sentiment"], None, "airline", row["brand"])
        for row in _rows(data / "airline/gold_half.jsonl")
        if row["confidence"] >= confidence
    ]


def airline_unlabelled(data: Path) -> list[str]:
    """Return the texts of airline posts without a label."""
    labelled = {row["id"] for row in _rows(data / "airline/gold_half.jsonl")}
    posts = (row["text"] for row in _rows(data / "airline/posts.jsonl") if row["id"] not in labelled)
    return [text for text in posts if part_of(data, text) == "train"]


def find_target(text: str, target: str) -> tuple[int, int] | None:
    """Return the first span of a target in a text: as a word, else inside one (`#applewatch`), else None."""
    name = ALIASES.get(target) or re.escape(target.removeprefix("@")).replace(r"\ ", r"\W{0,2}")
    for pattern in (rf"(?<!\w)(?:{name})(?!\w)", name):
        if found := re.search(pattern, text, re.IGNORECASE):
            return found.span()
    return None


def masked(post: Labelled) -> Labelled:
    """Return the post with all occurrences of its target's name replaced by `MASK`."""
    if post.target is None:
        return post
    start, end = post.target
    name = re.compile(re.escape(post.text[start:end]), re.IGNORECASE)
    before = name.sub(MASK, post.text[:start])
    text = before + MASK + name.sub(MASK, post.text[end:])
    return Labelled(text, post.label, (len(before), len(before) + len(MASK)), post.name, post.group)


@cache
def _targeted(data: Path) -> dict[str, tuple[Labelled, ...]]:
    return {
        corpus: tuple(
            Labelled(row["text"], row["polarity"], _span(row), corpus, row["target"])
            for row in _rows(data / "targeted" / file)
            if not row.get("irrelevant")
        )
        for corpus, file in _TARGETED.items()
    }


def _span(row: dict[str, Any]) -> tuple[int, int] | None:
    return (row["start"], row["end"]) if "start" in row else find_target(row["text"], row["target"])


@cache
def _dev_keys(data: Path) -> frozenset[str]:
    """Return the keys of all posts that any corpus puts into `dev`."""
    hashed = [_unescaped(row["text"]) for row in _rows(data / "sentiment/train.jsonl")]
    held_out: list[str] = []
    for corpus, file in _TARGETED.items():
        for row in _rows(data / "targeted" / file):
            (held_out if is_held_out(corpus, row["target"]) else hashed).append(row["text"])
    published = [" ".join(words) for corpus in MARKED for words, _ in sentences(data, corpus, "dev")]
    published += [row["text"] for name in ("irony", "emotion") for row in _rows(data / name / _FILES["dev"])]
    return frozenset(map(key, itertools.chain(filter(is_dev, hashed), published, held_out)))


def _one_in(share: int, text: str) -> bool:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % share == 0


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text).replace('\\"', '"')


def _rows(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def sentences(data: Path, corpus: str, part: Part) -> Iterator[Sentence]:
    """Yield the posts of a CoNLL file: lines of token, tab and IOB tag, with an empty line between posts."""
    file = data / "ner" / f"{corpus}.{part}.conll"
    words: list[str] = []
    tags: list[str] = []
    for line in [*file.read_text(encoding="utf-8").splitlines(), ""]:
        word, _, tag = line.strip().partition("\t")
        if word and tag:
            iob, _, label = tag.partition("-")
            words.append(word)
            tags.append(f"{iob}-{LABELS[label]}" if label else "O")
        elif not line.strip() and words:
            yield words, iob_to_biluo(tags)
            words, tags = [], []
