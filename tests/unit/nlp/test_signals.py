"""What a post and a bio show besides opinions. The sentences are this file's own."""

import random

import pytest

from models.brand import Brand
from models.post import Author, Post
from models.ring import Mark
from models.scoring import NEAR
from models.signals import BioSignals, Signals
from nlp.pipeline import Annotator, TextIn
from nlp.signals import SignalReader, fingerprint

BRANDS = (
    Brand(name="Northwind", handles={"x": ("flynorthwind",)}, hashtags=("northwind",), niche=("travel",)),
    Brand(name="Acme", handles={"x": ("acme",)}, competitors=("Delta", "Northwind")),
    Brand(name="B&Co"),
)
COPY = "Honestly the new Acme kettle is the best thing in my kitchen, you all need one of these in your life"


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    """A pipeline that knows the two brands."""
    return Annotator(BRANDS)


def signals(text: str = "hello", bio: str | None = None, annotator: Annotator | None = None) -> Signals:
    """Of one post."""
    annotation = next((annotator or Annotator(BRANDS)).annotate([TextIn(text, platform="x")]))
    post = Post(
        id="x:1", platform="x", kind="mention", text=text, created_at=0, author=Author(id="1", bio=bio)
    )
    return SignalReader(BRANDS).read(post, annotation)


def _distance(a: str, b: str) -> int:
    return (int(fingerprint(a), 16) ^ int(fingerprint(b), 16)).bit_count()


@pytest.mark.parametrize(
    "copy",
    [
        COPY.upper(),
        COPY + " https://t.co/abc123 @somebody #deal",
        COPY.replace(",", "!!! 😍😍"),
        COPY + " 48213",
        COPY.replace("kitchen", "flat"),
    ],
)
def test_what_a_program_changes_leaves_a_fingerprint_near(copy: str) -> None:
    """Case, links, handles, digits, emoji and one word of twenty change few bits."""
    assert _distance(COPY, copy) <= NEAR


def test_a_copy_may_call_the_brand_by_another_name(annotator: Annotator) -> None:
    """The places where brands are named are no part of the fingerprint."""
    texts = [
        f"What a smooth ride with {name} this morning, thank you all"
        for name in ("Northwind", "@flynorthwind")
    ]
    assert len({signals(text, annotator=annotator).fingerprint for text in texts}) == 1


def test_posts_of_people_are_far_apart() -> None:
    """Two hundred sentences of other words are never near each other."""
    rng = random.Random(7)
    words = f"{COPY} we they hate flight crew seat coffee was late great bad never today".split()
    texts = [" ".join(rng.sample(words, 9)) + f" {chr(97 + n % 26) * 4}" for n in range(200)]
    assert min(_distance(a, b) for a in texts[:60] for b in texts if a != b) > NEAR


def test_a_few_words_are_nobodys_copy() -> None:
    """ "Love it" has no fingerprint: everybody says so."""
    assert fingerprint("Love it @acme!!") == ""
    assert Mark(1, 0, 0, 0).fingerprint == 0


@pytest.mark.parametrize(
    ("bio", "shown"),
    [
        ("Cabin crew at Northwind. Cat person", BioSignals(themes=("pets",), employers=("Northwind",))),
        ("Head of something, @acme | runner", BioSignals(themes=("fitness",), employers=("Acme",))),
        ("I work for Acme but speak for myself", BioSignals(employers=("Acme",))),
        ("Acme fan since 1999", BioSignals()),
        ("Sales manager. Acme lover.", BioSignals(themes=("business",))),
        ("Designer at Delta, dreaming", BioSignals(themes=("fashion",), employers=("Delta",))),
        ("Buyer @ B&amp;Co", BioSignals(employers=("B&Co",))),
        ("Former engineer at Acme", BioSignals(themes=("tech",))),
        ("Manager at Acmeville council", BioSignals()),
        ("We ship vintage parts every day, DM for prices", BioSignals(themes=("fashion",), sells=True)),
        ("", BioSignals()),
    ],
)
def test_a_bio_shows_where_one_works_and_what_one_is_about(bio: str, shown: BioSignals) -> None:
    """An employer shares a clause with a word for work; a fan, and work that is past, are none."""
    assert SignalReader(BRANDS)._read_bio(bio) == shown


def test_an_unknown_bio_is_not_an_empty_one() -> None:
    """Null stays null."""
    assert signals(bio=None).bio is None
    assert signals(bio="").bio == BioSignals()


@pytest.mark.parametrize(
    ("text", "trade"),
    [
        ("Three Acme lamps left, brand new and sealed, message me to buy", ("selling",)),
        ("Come see us, the Acme range is available in our shop now", ("selling",)),
        ("We are hiring two more people for the Acme support desk", ("staff",)),
        ("Our team at Acme just shipped the thing we dreamt of", ("staff",)),
        ("I love my new Acme lamp", ()),
        ("Is the Acme lamp back in stock anywhere?", ()),
        ("The team at Acme was so kind to my mum", ()),
        ("Bought a brand new Acme kettle today", ()),
        ("Great deal on my @acme order, thanks", ()),
    ],
)
def test_trade_is_told_from_praise(text: str, trade: tuple[str, ...], annotator: Annotator) -> None:
    """Who sells, or speaks for the company, is told from a customer who uses the same words."""
    assert signals(text, annotator=annotator).trade == trade


def test_themes_are_those_of_hashtags_without_the_brands_own(annotator: Annotator) -> None:
    """#avgeek is about aviation; #northwind says nothing about its author."""
    assert signals("Landed! #avgeek #Northwind #gymlife", annotator=annotator).themes == ("aviation",)
