"""Signals of posts and bios. No sentence here was used to write the rules."""

import random

import pytest

from models.brand import Brand
from models.post import Author, Post
from models.ring import Mark
from models.signals import BioSignals, Signals
from models.window import NEAR
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
    """A pipeline with the brands of this file."""
    return Annotator(BRANDS)


def signals(text: str = "hello", bio: str | None = None, annotator: Annotator | None = None) -> Signals:
    """Return the signals of one post."""
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
def test_copies_have_similar_fingerprints(copy: str) -> None:
    """Changes of case, links, handles, digits, emoji or one word in twenty change few bits."""
    assert _distance(COPY, copy) <= NEAR


def test_a_copy_may_call_the_brand_by_another_name(annotator: Annotator) -> None:
    """Brand mentions do not affect the fingerprint."""
    texts = [
        f"What a smooth ride with {name} this morning, thank you all"
        for name in ("Northwind", "@flynorthwind")
    ]
    assert len({signals(text, annotator=annotator).fingerprint for text in texts}) == 1


def test_different_posts_have_different_fingerprints() -> None:
    """No two of 200 sentences with random words count as copies."""
    rng = random.Random(7)
    words = f"{COPY} we they hate flight crew seat coffee was late great bad never today".split()
    texts = [" ".join(rng.sample(words, 9)) + f" {chr(97 + n % 26) * 4}" for n in range(200)]
    assert min(_distance(a, b) for a in texts[:60] for b in texts if a != b) > NEAR


def test_short_posts_have_no_fingerprint() -> None:
    """A common phrase such as "Love it" has no fingerprint."""
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
def test_bios_show_employers_and_themes(bio: str, shown: BioSignals) -> None:
    """A brand in a clause with a role is an employer, unless the clause is about a fan or a former role."""
    assert SignalReader(BRANDS)._read_bio(bio) == shown


def test_an_unknown_bio_is_not_an_empty_one() -> None:
    """A post without a bio has no bio signals; an empty bio has empty ones."""
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
def test_trade_is_distinguished_from_praise(text: str, trade: tuple[str, ...], annotator: Annotator) -> None:
    """Sellers and staff are recognised, and customers who use similar words are not."""
    assert signals(text, annotator=annotator).trade == trade


def test_themes_are_those_of_hashtags_without_the_brands_own(annotator: Annotator) -> None:
    """A hashtag such as #avgeek sets a theme, but the brand's own hashtag does not."""
    assert signals("Landed! #avgeek #Northwind #gymlife", annotator=annotator).themes == ("aviation",)
