"""What the people of the simulated world say: real sentences with real labels, the brand filled in.

All corpora are read through `nlp.training.corpora`, the part `dev` alone: the text pipeline learns from the
other one. The airline posts have no parts, since none of their labels trains anything; those that all
annotators agreed on are read. Posts towards a target give praise, neutral words and gripes; ironic
posts have no target and are addressed to the brand.
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nlp.training import corpora
from nlp.training.corpora import Labelled
from tests.judge import phrases

Mood = Literal["praise", "neutral", "gripe"]
MOODS: Mapping[str, Mood] = {"positive": "praise", "neutral": "neutral", "negative": "gripe"}
OWN = "own"
"""stands where a corpus does, for sentences that were written for the world"""
AGREED = 1.0
LONGEST = 280
AIRLINES = {
    "United": "united", "American": "americanair", "US Airways": "usairways", "Southwest": "southwestair",
    "JetBlue": "jetblue", "Virgin America": "virginamerica",
}  # fmt: skip
"""Brand of the airline labels -> how posts address it"""
FOLDERS = ("sentiment", "targeted", "ner", "irony", "emotion", "airline")
"""what `nlp.training.corpora` reads to tell which part a post is in"""

_REPOST = re.compile(r"(?:^|\s)RT\b|^\W*via\b")
_CUSTOMER = re.compile(
    r"\b(?:m(?:y|ine)|ours?|i(?: \w+)? (?:bought|got|have|had|own|use|used|flew|fly|play|played|love using)|"
    r"i['’]ve|bought|buying|order(?:ed)?|purchased?|owne[rd]|flew|fly(?:ing)?|flights?|plane|gate|crew|seats?|"
    r"booked|landed|boarding|luggage|bags?|arrived)\b",
    re.IGNORECASE,
)
"""Words after which nobody would believe that the writer is no customer. Wide on purpose: a sentence
too many is lost, and none contradicts the truth."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text cut at the places where it names what it speaks of, at least two pieces.

    `owning`: whoever says so has the thing, or uses the service.
    """

    pieces: tuple[str, ...]
    owning: bool = False

    def about(self, surface: str) -> str:
        """The text with the brand filled in."""
        return surface.join(self.pieces)


@dataclass(frozen=True)
class Texts:
    """Mood -> corpus -> sentences; a corpus without any is not named. And what is meant ironically."""

    moods: Mapping[Mood, Mapping[str, tuple[Sentence, ...]]]
    irony: tuple[Sentence, ...]

    def draw(self, rng: random.Random, mood: Mood, mix: Mapping[str, int], *, owning: bool) -> Sentence:
        """A sentence of this mood from the corpora of `mix` (corpus -> weight of each of its sentences).

        Where none of these is there, all are drawn from alike. Without `owning` none comes that only a
        customer would say.
        """
        found = self.moods[mood]
        names = [name for name in found if name in mix] or list(found)
        weights = [mix.get(name, 1) * len(found[name]) for name in names]
        while True:
            sentence = rng.choice(found[rng.choices(names, weights)[0]])
            if owning or not sentence.owning:
                return sentence

    @property
    def size(self) -> dict[str, int]:
        """How many sentences there are of each kind."""
        moods: dict[str, int] = {mood: sum(map(len, of.values())) for mood, of in self.moods.items()}
        return {**moods, "irony": len(self.irony)}


def texts(moods: Mapping[Mood, Mapping[str, Iterable[Sentence]]], irony: Iterable[Sentence]) -> Texts:
    """Without doubles, in an order of their own. Raises `ValueError` where a mood has no sentence
    that anyone may say."""
    sorted_moods = {
        mood: {corpus: _distinct(found) for corpus, found in sorted(of.items()) if found}
        for mood, of in moods.items()
    }
    for mood in MOODS.values():
        of = sorted_moods.get(mood, {})
        if not all(any(not s.owning for s in found) for found in of.values()) or not of:
            raise ValueError(f"no sentence for {mood}")
    return Texts(sorted_moods, _distinct(irony))


def read(data: Path) -> Texts:
    """The texts of the data folder. Raises `FileNotFoundError` with what is missing."""
    missing = [name for name in FOLDERS if not (data / name).is_dir()]
    if missing:
        raise FileNotFoundError(f"{data} has no folder {', '.join(missing)}")
    found = {**corpora.targeted(data, "dev"), "airline": corpora.airline(data, AGREED)}
    moods: dict[Mood, dict[str, list[Sentence]]] = {mood: {} for mood in MOODS.values()}
    for corpus, posts in found.items():
        for post in posts:
            if sentence := cut(post):
                moods[MOODS[post.label]].setdefault(corpus, []).append(sentence)
    ironic = (text.strip() for text, irony in corpora.irony(data, "dev") if irony)
    return texts(moods, (Sentence(("", f" {text}")) for text in ironic if _usable(text)))


def cut(post: Labelled) -> Sentence | None:
    """The post as a sentence to fill in; None when it is a repost, too long, or its target is no word."""
    if not _usable(post.text):
        return None
    name = AIRLINES.get(post.group)
    if name is None:
        if post.target is None:
            return None
        name = post.text[slice(*post.target)]
    pieces = re.split(rf"(?<![\w@#/.])[@#]?{re.escape(name)}(?![\w])", post.text, flags=re.IGNORECASE)
    if len(pieces) < 2:
        return None
    return Sentence(tuple(pieces), owning=bool(_CUSTOMER.search(post.text)))


def _usable(text: str) -> bool:
    return len(text) <= LONGEST and not _REPOST.search(text)


def _distinct(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    return tuple(sorted(set(sentences), key=lambda sentence: sentence.pieces))


def own() -> Texts:
    """Texts without any corpus: the sentences of `phrases` alone, for small worlds."""
    said: Mapping[Mood, tuple[str, ...]] = {
        "praise": phrases.PRAISE, "neutral": phrases.NEUTRAL, "gripe": phrases.GRIPES
    }  # fmt: skip
    return texts({mood: {OWN: written(found)} for mood, found in said.items()}, written(phrases.IRONY))


def written(sentences: Iterable[str]) -> tuple[Sentence, ...]:
    """Own sentences, in which `{}` stands for the brand."""
    return tuple(Sentence(tuple(s.split("{}")), owning=bool(_CUSTOMER.search(s))) for s in sentences)
