"""The corpora of the data folder as typed records, each cut into the same two parts.

What trains and what measures must not meet, and one post is in several corpora. So a post is `dev` or
`train` in all of them: `dev` when a hash of its letters says so, when it is about a target or brand that
is held out wholly, or when it is in the development file that entities, irony and emotion came with.

The airline labels have no parts: they measure, and never train.
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
"""Tokens, and their BILUO tags with our labels."""

LABELS = {
    "PER": "PERSON", "ORG": "ORG", "LOC": "LOCATION",
    "person": "PERSON", "corporation": "ORG", "product": "PRODUCT",
    "location": "LOCATION", "group": "GROUP", "creative-work": "WORK",
}  # fmt: skip
MARKED = {
    "btc": frozenset({"PERSON", "ORG", "LOCATION"}),
    "wnut17": frozenset(LABELS.values()),
}
"""The labels each entity corpus marks; only these can be scored on it."""

DEV_SHARE = 10
"""one post in so many is `dev`"""
HELD_OUT_SHARE = {"semeval": 10, "entity": 5}
"""corpus -> one target in so many is held out wholly"""

MASK = "it"
"""stands in for a target whose name must not matter"""

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
"""How posts write the names that two of the corpora give in a form of their own; regular expressions."""

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
    """A text and what people said its sentiment is.

    `label` is positive, neutral or negative: towards `target`, characters of the text, where the
    corpus names one and the text holds it; `group` is that target's or brand's name, "" for none.
    """

    text: str
    label: str
    target: tuple[int, int] | None
    name: str
    group: str


def key(text: str) -> str:
    """What is left of a post when spelling out of the way: lower case, no link, no handle, no gaps.

    Two corpora part a post's words differently, or hide its handles; the key is the same.
    """
    plain = _HANDLE.sub(" ", _URL.sub(" ", html.unescape(text).lower()))
    return _NO_LETTER.sub("", plain)


def is_dev(text: str) -> bool:
    """Whether the hash of a post puts it into `dev`; one in ten, the same on every machine."""
    return _one_in(DEV_SHARE, key(text))


def part_of(data: Path, text: str) -> Part:
    """The part a post of any corpus is in."""
    return "dev" if key(text) in _dev_keys(data) else "train"


def is_held_out(corpus: str, group: str) -> bool:
    """Whether all posts about this target of `semeval`, or brand of `entity`, are held out."""
    return _one_in(HELD_OUT_SHARE[corpus], group.casefold()) if corpus in HELD_OUT_SHARE else False


def overall(data: Path, part: Part) -> list[Labelled]:
    """SemEval-2017 task 4 A: posts and their sentiment as a whole."""
    # This file alone escapes some characters; the same posts elsewhere do not.
    rows = ((_unescaped(row["text"]), row["label"]) for row in _rows(data / "sentiment/train.jsonl"))
    labelled = (Labelled(text, label, None, "overall", "") for text, label in rows)
    return [row for row in labelled if part_of(data, row.text) == part]


def targeted(data: Path, part: Part) -> dict[str, list[Labelled]]:
    """Corpus -> posts with the sentiment towards a target: `semeval`, `dong`, `sxsw`, `entity`.

    Posts that `entity` marks as irrelevant are left out: they hold opinions on something else, and
    their "neutral" is no one's judgement of them.
    """
    return {
        corpus: [row for row in rows if part_of(data, row.text) == part]
        for corpus, rows in _targeted(data).items()
    }


def entities(data: Path, part: Part) -> dict[str, list[Sentence]]:
    """Corpus (`btc`, `wnut17`) -> posts with tags."""
    return {
        corpus: [post for post in sentences(data, corpus, part) if part_of(data, " ".join(post[0])) == part]
        for corpus in MARKED
    }


def irony(data: Path, part: Part) -> list[tuple[str, bool]]:
    """Posts, and whether they are ironic."""
    rows = _rows(data / "irony" / _FILES[part])
    return [(row["text"], row["label"] == "irony") for row in rows if part_of(data, row["text"]) == part]


def emotion(data: Path, part: Part) -> list[tuple[str, str]]:
    """Posts, and anger, joy, optimism or sadness."""
    rows = _rows(data / "emotion" / _FILES[part])
    return [(row["text"], row["label"]) for row in rows if part_of(data, row["text"]) == part]


def airline(data: Path, confidence: float = 0.0) -> list[Labelled]:
    """Posts about six airlines and the sentiment towards the brand, of at least this confidence.

    For measuring only. `group` is the brand; where it is named is for the catalogue to find.
    """
    texts = {row["id"]: row["text"] for row in _rows(data / "airline/posts.jsonl")}
    return [
        Labelled(texts[row["id"]], row["sentiment"], None, "airline", row["brand"])
        for row in _rows(data / "airline/gold_half.jsonl")
        if row["confidence"] >= confidence
    ]


def airline_unlabelled(data: Path) -> list[str]:
    """Texts of the airline stream that have no label here."""
    labelled = {row["id"] for row in _rows(data / "airline/gold_half.jsonl")}
    posts = (row["text"] for row in _rows(data / "airline/posts.jsonl") if row["id"] not in labelled)
    return [text for text in posts if part_of(data, text) == "train"]


def place_of(text: str, target: str) -> tuple[int, int] | None:
    """Where a text first names a target: as a word if it can, else inside one (`#applewatch`); or None."""
    name = ALIASES.get(target) or re.escape(target.removeprefix("@")).replace(r"\ ", r"\W{0,2}")
    for pattern in (rf"(?<!\w)(?:{name})(?!\w)", name):
        if found := re.search(pattern, text, re.IGNORECASE):
            return found.span()
    return None


def masked(post: Labelled) -> Labelled:
    """The post with every occurrence of its target's name, as it stands there, replaced by `MASK`."""
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
            Labelled(row["text"], row["polarity"], _place(row), corpus, row["target"])
            for row in _rows(data / "targeted" / file)
            if not row.get("irrelevant")
        )
        for corpus, file in _TARGETED.items()
    }


def _place(row: dict[str, Any]) -> tuple[int, int] | None:
    return (row["start"], row["end"]) if "start" in row else place_of(row["text"], row["target"])


@cache
def _dev_keys(data: Path) -> frozenset[str]:
    """Keys of all posts of `dev`, whatever corpus puts them there."""
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
    """Each post of a CoNLL file: a token, a tab and its IOB tag a line, an empty line between posts."""
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
