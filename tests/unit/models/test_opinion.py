"""From an annotated post to what it says about a brand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.annotation import Annotation, BrandMention, Cue, Sentiment
from models.opinion import Opinion, opinions
from models.post import Author, Post
from models.sensitive import is_sensitive
from models.signals import Trade

GLAD = Sentiment(label="positive", probabilities={"positive": 0.9, "neutral": 0.05, "negative": 0.05})


def said(
    text: str, *, cues: tuple[Cue, ...] = (), trade: tuple[Trade, ...] = (), sponsored: bool | None = None
) -> Opinion:
    """Return the opinion of a post that praises Acme and has these cues."""
    post = Post(
        id="x:1",
        platform="x",
        kind="mention",
        text=text,
        created_at="2026-01-01T00:00:00Z",
        author=Author(id="a"),
        sponsored=sponsored,
    )
    mention = BrandMention(brand="Acme", surface="@acme", start=0, end=5, sentiment=GLAD)
    annotation = Annotation(
        text=text, lang="en", sentiment=GLAD, brands=(mention,), cues=cues, trade=trade, evidence=("my own",)
    )
    return opinions(post, annotation)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Nice RT @acme: our new shoes are the best ever",
        "this happened “@acme: our new shoes are the best ever”",
        'so good "@acme: our new shoes are the best ever"',
        "They did it RT “@acme: our new shoes are the best ever”",
    ],
)
def test_praise_around_somebody_elses_post_is_doubtful_and_never_quoted(text: str) -> None:
    """The words may be the brand's own: they count little, and are shown as nobody's."""
    opinion = said(text)
    assert (opinion.ambiguous, opinion.quotable) == (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "I love my @acme shoes, best ever",
        "@acme: your shoes are the best ever",
        "START @acme shoes are the best ever",
    ],
)
def test_praise_that_addresses_the_brand_is_the_authors_own(text: str) -> None:
    """Naming a handle is no quotation."""
    opinion = said(text)
    assert (opinion.ambiguous, opinion.quotable) == (False, True)


PLAIN = "I love my @acme shoes, best ever"


def test_plain_praise_is_evidence_and_may_be_quoted() -> None:
    """Without anything against it: the ground that the tests below take something from."""
    opinion = said(PLAIN, cues=("ownership",))
    assert (opinion.ambiguous, opinion.sponsored, opinion.giveaway) == (False, False, False)
    assert (opinion.evidence, opinion.quotable) == (("my own",), True)


def test_praise_with_an_irony_cue_is_ambiguous() -> None:
    """It weighs less, shows nothing of its author, and is never quoted."""
    opinion = said(PLAIN, cues=("irony", "ownership"))
    assert (opinion.ambiguous, opinion.evidence, opinion.quotable) == (True, (), False)


@pytest.mark.parametrize("flag", [True, None])
def test_a_sponsored_post_is_nobodys_praise(flag: bool | None) -> None:
    """A post is sponsored if the platform or its words say so."""
    opinion = said(PLAIN, cues=("ownership",) if flag else ("ownership", "sponsored"), sponsored=flag)
    assert (opinion.sponsored, opinion.evidence, opinion.quotable) == (True, (), False)


def test_a_contest_is_nobodys_praise() -> None:
    """An entry to a giveaway repeats the words of the rules: it shows no purchase."""
    opinion = said(PLAIN, cues=("giveaway", "purchase"))
    assert (opinion.giveaway, opinion.evidence, opinion.quotable) == (True, (), False)


def test_a_repost_counts_as_sponsored() -> None:
    """Its words are somebody else's."""
    opinion = said("RT @acme our shoes are the best ever", cues=("ownership",))
    assert (opinion.sponsored, opinion.evidence, opinion.quotable) == (True, (), False)


@pytest.mark.parametrize("trade", [("selling",), ("staff",)])
def test_words_of_trade_are_neither_evidence_nor_quoted(trade: tuple[Trade, ...]) -> None:
    """People who sell the brand or speak for it are no customers by their words."""
    opinion = said(PLAIN, cues=("ownership",), trade=trade)
    assert (opinion.evidence, opinion.quotable) == ((), False)


def test_words_without_a_cue_of_ownership_are_no_evidence() -> None:
    """A recommendation alone does not show a customer."""
    assert said(PLAIN, cues=("recommendation",)).evidence == ()


@pytest.mark.parametrize(("length", "quotable"), [(19, False), (20, True), (200, True), (201, False)])
def test_a_quote_has_20_to_200_characters(length: int, quotable: bool) -> None:
    """Shorter says nothing, longer is no quote."""
    assert said("@acme " + "a" * (length - 6)).quotable is quotable


SENSITIVE = """
    my chemo went well
    after surgeries
    was hospitalised
    I am diabetic
    thanks from an asthmatic
    my son is autistic
    with my wheelchairs
    nut allergies
    she passed away
    at 40 weeks pregnant
    her heart attack
    the churches here
    two Christians
    for Muslims
    us Jews
    a Jewish wedding
    praying for you
    #PrayForParis
    OMG GODS!
    God's own
    halal food
    Republicans and
    the Democrats
    I voted
    #VoteBlue
    #Trump2016
    my senators
    the elections
    right-wing people
    for Gays
    as a bisexual man
    homosexuals
    #lgbtqia
    transgendered
    so sexy
    racism
"""
HARMLESS = """
    a jewel
    great hospitality
    goodness
    the goddess line
    a lordly seat
    classic
    Essex
    devoted
    Popeyes
    best in class
    my diet
    Gayle said
    the coming weeks
"""


@pytest.mark.parametrize("words", [line.strip() for line in SENSITIVE.strip().splitlines()])
def test_sensitive_words_are_counted_and_never_quoted(words: str) -> None:
    """Health, religion, politics and sexuality, in the plural, in compounds and in hashtags too."""
    opinion = said(f"{PLAIN}, {words} says")
    assert opinion.sentiment.label == "positive"
    assert not opinion.quotable


@pytest.mark.parametrize("words", [line.strip() for line in HARMLESS.strip().splitlines()])
def test_words_that_only_look_sensitive_are_quoted(words: str) -> None:
    """A table of spellings holds back what it names, not whatever begins or ends alike."""
    assert said(f"{PLAIN}, {words} says").quotable


@settings(max_examples=50)
@given(st.text(max_size=40), st.text(max_size=40))
def test_a_sensitive_word_is_found_wherever_it_stands_apart(before: str, after: str) -> None:
    """Whatever surrounds it, in whatever case."""
    assert is_sensitive(f"{before} Cancer {after}")
    assert is_sensitive(f"{before} MUSLIMS {after}")
