"""From an annotated post to what it says about a brand."""

import pytest

from models.annotations import Annotation, BrandMention, Sentiment
from models.opinions import Opinion, opinions
from models.posts import Author, Post

GLAD = Sentiment(label="positive", probabilities={"positive": 0.9, "neutral": 0.05, "negative": 0.05})


def said(text: str) -> Opinion:
    """What a post that is read as praise of Acme says."""
    post = Post(
        id="x:1",
        platform="x",
        kind="mention",
        text=text,
        created_at="2026-01-01T00:00:00Z",
        author=Author(id="a"),
    )
    mention = BrandMention(brand="Acme", surface="@acme", start=0, end=5, sentiment=GLAD)
    return opinions(post, Annotation(text=text, lang="en", sentiment=GLAD, brands=(mention,)))[0]


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
