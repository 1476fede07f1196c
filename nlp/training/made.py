"""Generated posts, from the small grammar in `made.toml`.

They are of kinds that customers often write and the corpora lack: short posts, negated words, and two names
with different sentiments. Without them a model learns that a post has one sentiment for all names.
"""

import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

Polarity = Literal["positive", "neutral", "negative"]
GRAMMAR: dict[str, Any] = tomllib.loads(Path(__file__).with_name("made.toml").read_text(encoding="utf-8"))
COMPARED = 0.35
"""share of the contrasts that are one sentence about both names"""
SIGNED = 0.2
"""share of the single posts that consist of a name and emoji"""
_SLOT = re.compile("<([A-Za-z]+)>")


class Made(NamedTuple):
    """A post, and the span and label of one name in it."""

    text: str
    target: tuple[int, int]
    label: Polarity


def contrasts(names: list[str], count: int, seed: int) -> Iterator[Made]:
    """Yield `count` posts about two names, each once for either name. A seed gives the same posts."""
    rng = random.Random(seed)  # noqa: S311 -- a seed is what is wanted
    for _ in range(count):
        a, b = rng.sample(names, 2)
        first: Polarity
        second: Polarity
        if rng.random() < COMPARED:
            template, first, second = rng.choice(GRAMMAR["comparisons"])
            template = _filled(template, rng)
        else:
            first, second = _polarity(rng), _polarity(rng)
            one, two = (_clause(polarity, rng) for polarity in (first, second))
            template = _once(one, "{a}") + rng.choice(GRAMMAR["joints"]) + _once(two, "{b}")
        if rng.random() < 0.3:
            template += rng.choice(GRAMMAR["endings"])
        yield from _fill(template, {"a": (a, first), "b": (b, second)})


def singles(names: list[str], count: int, seed: int) -> Iterator[Made]:
    """Yield `count` short posts about one name. A seed gives the same posts."""
    rng = random.Random(seed)  # noqa: S311 -- a seed is what is wanted
    for _ in range(count):
        label = _polarity(rng)
        template = _once(_clause(label, rng), "{a}")
        if rng.random() < SIGNED:
            signs = rng.choice(GRAMMAR["emoji"][label]) * rng.choice((1, 1, 2, 3))
            template = rng.choice((f"{{a}} {signs}", f"{signs} {{a}}", f"{signs} {{a}} {signs}"))
        yield from _fill(template, {"a": (rng.choice(names), label)})


def _polarity(rng: random.Random) -> Polarity:
    polarities: tuple[Polarity, ...] = ("positive", "neutral", "negative")
    return rng.choices(polarities, weights=(4, 2, 4))[0]


def _clause(polarity: Polarity, rng: random.Random) -> str:
    """Return a clause about the name `{x}`."""
    return _filled(rng.choice(GRAMMAR["patterns"][polarity]), rng)


def _filled(pattern: str, rng: random.Random) -> str:
    filled = _SLOT.sub(lambda slot: rng.choice(GRAMMAR["slots"][slot[1]]), pattern)
    return " ".join(filled.split())


def _once(clause: str, name: str) -> str:
    """Return the clause with the name filled in, and "it" where it occurs again."""
    return clause.replace("{x}", name, 1).replace("{x}", "it")


def _fill(template: str, slots: dict[str, tuple[str, Polarity]]) -> Iterator[Made]:
    text = template.format(**{slot: name for slot, (name, _) in slots.items()})
    before = {slot: template.index(f"{{{slot}}}") for slot in slots}
    for slot, (name, label) in slots.items():
        start = before[slot] + sum(
            len(other) - len("{a}") for s, (other, _) in slots.items() if before[s] < before[slot]
        )
        # The article of "the battery" is not part of the target.
        article = len("the ") * name.startswith("the ")
        yield Made(text, (start + article, start + len(name)), label)
