"""The stream of a chaos run: the real airline posts and generated ones, in a seeded disorder."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from models.annotation import Annotation, Label, Sentiment
from models.opinion import EnrichedPost, Opinion
from models.post import Author, Post, author_key
from models.record import encode
from nlp.enrichment import Enricher
from nlp.records import Enriched, Raw
from streams import topics
from streams.settings import Settings
from streams.sources import lines

DAYS = 80
"""days of the generated posts; below the window, so that no order makes one of them late"""
LAST_DAY = datetime(2015, 2, 24, tzinfo=UTC)
TICK_DAY = "2015-02-27"
DUPLICATES = 0.05
DISPLACED = 0.02
REVISED = 0.01
LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")


class Sent(NamedTuple):
    """A record as it is fed."""

    topic: str
    key: bytes | None
    value: bytes


@dataclass
class World:
    """The records that are fed, in order, and those that should be counted."""

    stream: list[Sent] = field(default_factory=list)
    first: list[Sent] = field(default_factory=list)
    """customers and feedback, sent while the stream begins"""
    truth: list[bytes] = field(default_factory=list)
    """every distinct `EnrichedPost` of the stream"""
    duplicates: int = 0
    displaced: int = 0
    customers: list[bytes] = field(default_factory=list)
    feedback: list[bytes] = field(default_factory=list)


def build(
    settings: Settings,
    seed: int,
    *,
    real: Sequence[bytes],
    customers: Sequence[bytes],
    authors: int,
    posts: int,
) -> World:
    """Build a world of real posts, not yet enriched, and of generated ones whose labels are known."""
    rng = random.Random(seed)
    world = World()
    ordered = _real(world, settings, real)
    for author in _authors(rng, authors, [brand.name for brand in settings.brands]):
        share = max(1, round(author.share * posts))
        for number in range(share):
            at = LAST_DAY.timestamp() - rng.random() * DAYS * 86_400
            for version in author.versions(rng, number, at):
                value = encode(version)
                world.truth.append(value)
                ordered.append((at, Sent(topics.ENRICHED, author.key, value)))
        _add_facts(world, rng, author)
    world.customers += customers
    for value in (*world.customers, *world.feedback):
        routed = lines.route(value)
        world.first.append(Sent(routed.topic, routed.key, value))
    ordered.sort(key=lambda one: one[0])
    world.stream = _disordered(world, rng, [sent for _, sent in ordered])
    return world


def _real(world: World, settings: Settings, real: Sequence[bytes]) -> list[tuple[float, Sent]]:
    """Add real posts to the truth. Return them with their times."""
    enricher = Enricher(settings.brands, settings.lawful)
    enriched = enricher.enrich([Raw(value, 2_000_000_000_000) for value in real])
    world.truth += [result.value for result in enriched if isinstance(result, Enriched)]
    timed = []
    for value in real:
        at = msgspec.json.decode(value)["created_at"]
        routed = lines.route(value)
        timed.append((datetime.fromisoformat(at).timestamp(), Sent(routed.topic, routed.key, value)))
    return timed


def _add_facts(world: World, rng: random.Random, author: "_Author") -> None:
    """Add a customer record and feedback about an author, for some authors."""
    if rng.random() < 0.4:
        customer = {
            "customer_id": f"c-{author.name}",
            "handles": [{"platform": "x", "handle": author.name.upper()}],
            "orders": rng.randrange(4),
            "do_not_contact": rng.random() < 0.05,
        }
        world.customers.append(msgspec.json.encode(customer))
    if rng.random() < 0.03:
        decision = rng.choice(["accepted", "declined", "contacted"])
        feedback = {
            "key": f"{author.brand}/x:{author.name}",
            "decision": decision,
            "at": "2015-02-01T00:00:00Z",
        }
        world.feedback.append(msgspec.json.encode(feedback))


def _disordered(world: World, rng: random.Random, ordered: list[Sent]) -> list[Sent]:
    """Return records with some delayed by up to ten days and some sent twice."""
    order = []
    for number, sent in enumerate(ordered):
        delay = 0.0
        if rng.random() < DISPLACED:
            delay = rng.random() * len(ordered) / DAYS * 10
            world.displaced += 1
        order.append((number + delay, sent))
        if rng.random() < DUPLICATES:
            order.append((number + rng.random() * len(ordered) / 10, sent))
            world.duplicates += 1
    return [sent for _, sent in sorted(order, key=lambda one: one[0])]


@dataclass
class _Author:
    """A generated author with an inclination to praise of their own."""

    name: str
    brand: str
    other: str
    share: float
    praise: float
    followers: int | None

    @property
    def key(self) -> bytes:
        return author_key("x", self.name).encode()

    def versions(self, rng: random.Random, number: int, at: float) -> list[EnrichedPost]:
        """Return a post and, for some, an edit or the deletion of it."""
        first = self._said(rng, number, at)
        drawn = rng.random()
        if drawn < REVISED:
            edited = {"op": "update", "edited_at": round(at) + rng.randrange(1, 3600)}
            return [first, self._said(rng, number, at, **edited)]
        if drawn < 2 * REVISED:
            gone = msgspec.structs.replace(first.post, op="delete", text="")
            return [first, msgspec.structs.replace(first, post=gone, brands=())]
        return [first]

    def _said(self, rng: random.Random, number: int, at: float, **revision: object) -> EnrichedPost:
        brand = self.brand if rng.random() < 0.85 else self.other
        positive = rng.random() < self.praise
        label = "positive" if positive else rng.choice(LABELS[1:])
        sentiment = Sentiment(
            label=label, probabilities={one: 0.8 if one == label else 0.1 for one in LABELS}
        )
        plain = rng.random() < 0.93
        opinion = Opinion(
            brand=brand,
            sentiment=sentiment,
            intensity=rng.randrange(256),
            ambiguous=not plain and rng.random() < 0.5,
            sponsored=not plain and rng.random() < 0.3,
            giveaway=not plain and rng.random() < 0.3,
            evidence=("my new",) if rng.random() < 0.05 else (),
            quotable=positive and plain,
        )
        post = Post(
            id=f"x:{self.name}-{number}",
            platform="x",
            kind="mention",
            text=f"generated post {number} about {brand}, with an opinion that is {label}",
            created_at=round(at, 3),
            author=Author(id=self.name, handle=self.name, followers=self.followers),
            **revision,  # type: ignore[arg-type]
        )
        annotations = Annotation(text=post.text, lang="en", sentiment=sentiment)
        return EnrichedPost(post=post, annotations=annotations, brands=(opinion,))


def _authors(rng: random.Random, count: int, brands: list[str]) -> list[_Author]:
    """Draw authors: few write much (about a post a day), many write once."""
    weights = [min(30.0, rng.paretovariate(1.2)) for _ in range(count)]
    total = sum(weights)
    return [
        _Author(
            name=f"g{number}",
            brand=(pair := rng.sample(brands, 2))[0],
            other=pair[1],
            share=weight / total,
            praise=rng.betavariate(0.8, 0.8),
            followers=None if rng.random() < 0.1 else round(10 ** rng.uniform(2, 5.5)),
        )
        for number, weight in enumerate(weights)
    ]
