"""Sentences for the people of the simulated world, from corpora with labels. The brand is filled in.

The sentences come from the part `dev` of `nlp.training.corpora`, which did not train the text pipeline.
Airline posts are not split, because their labels train nothing; only unanimous ones are used. Posts with a
target give praise, neutral sentences and gripes. Ironic posts have no target and are addressed to the brand.
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
"""name of a corpus for the sentences of `phrases`"""
AGREED = 1.0
"""least confidence of airline labels"""
LONGEST = 280
"""most characters of a sentence"""
AIRLINES = {
    "United": "united", "American": "americanair", "US Airways": "usairways", "Southwest": "southwestair",
    "JetBlue": "jetblue", "Virgin America": "virginamerica",
}  # fmt: skip
"""handle of each brand of the airline labels"""
FOLDERS = ("sentiment", "targeted", "ner", "irony", "emotion", "airline")
"""folders that `nlp.training.corpora` reads"""

_REPOST = re.compile(r"(?:^|\s)RT\b|^\W*via\b")
_CUSTOMER = re.compile(
    r"\b(?:m(?:y|ine)|ours?|i(?: \w+)? (?:bought|got|have|had|own|use|used|flew|fly|play|played|love using)|"
    r"i['’]ve|bought|buying|order(?:ed)?|purchased?|owne[rd]|flew|fly(?:ing)?|flights?|plane|gate|crew|seats?|"
    r"booked|landed|boarding|luggage|bags?|arrived)\b",
    re.IGNORECASE,
)
"""words that suggest a customer. The pattern is wide: it loses sentences, but none contradicts the truth"""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text, split where it names its target."""

    pieces: tuple[str, ...]
    """at least two pieces of text"""
    owning: bool = False
    """True if only a customer would write it"""

    def about(self, surface: str) -> str:
        """Return the text with the brand filled in."""
        return surface.join(self.pieces)


@dataclass(frozen=True)
class Texts:
    """Sentences by mood and corpus, and ironic ones. Corpora without sentences are left out."""

    moods: Mapping[Mood, Mapping[str, tuple[Sentence, ...]]]
    irony: tuple[Sentence, ...]

    def draw(self, rng: random.Random, mood: Mood, mix: Mapping[str, int], *, owning: bool) -> Sentence:
        """Draw a sentence of this mood from the corpora of `mix`, which maps each to a sentence's weight.

        If none of these corpora has sentences, draw from all. Without `owning`, never return a sentence that
        only a customer would write.
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
        """Number of sentences of each mood, and of ironic ones."""
        moods: dict[str, int] = {mood: sum(map(len, of.values())) for mood, of in self.moods.items()}
        return {**moods, "irony": len(self.irony)}


def texts(moods: Mapping[Mood, Mapping[str, Iterable[Sentence]]], irony: Iterable[Sentence]) -> Texts:
    """Build `Texts` with distinct sentences in a fixed order.

    Raises:
        ValueError: if a corpus of a mood has no sentence that anyone may write.
    """
    sorted_moods = {
        mood: {corpus: _distinct(found) for corpus, found in sorted(of.items()) if found}
        for mood, of in moods.items()
    }
    for mood in MOODS.values():
        of = sorted_moods.get(mood, {})
        if not all(any(not s.owning for s in found) for found in of.values()) or not of:
            raise ValueError(f"no sentence of the mood {mood} that anyone may write; add some to the corpora")
    return Texts(sorted_moods, _distinct(irony))


def read(data: Path) -> Texts:
    """Read the texts of the data folder.

    Raises:
        FileNotFoundError: if a folder is missing; the message names it.
    """
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
    """Return the post as a sentence, or None if it is a repost, too long, or its target is no whole word."""
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
    """Return the sentences of `phrases` alone, for small worlds without corpora."""
    moods: Mapping[Mood, tuple[str, ...]] = {
        "praise": phrases.PRAISE, "neutral": phrases.NEUTRAL, "gripe": phrases.GRIPES
    }  # fmt: skip
    return texts({mood: {OWN: written(found)} for mood, found in moods.items()}, written(phrases.IRONY))


def written(sentences: Iterable[str]) -> tuple[Sentence, ...]:
    """Return sentences from strings in which `{}` is the brand."""
    return tuple(Sentence(tuple(s.split("{}")), owning=bool(_CUSTOMER.search(s))) for s in sentences)
