"""Build events and fold them, for tests of the core."""

from collections.abc import Iterable, Sequence

from models.annotation import Annotation, Label, Sentiment
from models.author import AuthorState
from models.brand import Brand
from models.candidate import Candidate, Profile
from models.events import DELETED, CountedPost, Event, Position
from models.fold import Fold
from models.opinion import EnrichedPost, Opinion
from models.post import Author, Post, author_key
from models.record import encode
from models.rules import Rules
from models.times import DAY_MS

AUTHOR = "x:fan"
DAY_0 = 16_000 * DAY_MS
RULES = Rules(brands=(Brand(name="Acme"), Brand(name="Bolt")))


def opinion(
    brand: str = "Acme",
    label: Label = "positive",
    *,
    intensity: int = 200,
    sponsored: bool = False,
    giveaway: bool = False,
    ambiguous: bool = False,
    evidence: tuple[str, ...] = (),
) -> Opinion:
    """Build an opinion with arbitrary probabilities."""
    return Opinion(
        brand=brand,
        sentiment=Sentiment(label=label, probabilities={"positive": 0.8, "neutral": 0.1, "negative": 0.1}),
        intensity=intensity,
        sponsored=sponsored,
        giveaway=giveaway,
        ambiguous=ambiguous,
        evidence=evidence,
        quotable=label == "positive",
    )


def post(
    number: int,
    day: int = 0,
    *opinions: Opinion,
    ms: int = 0,
    followers: int | None = 20_000,
    handle: str | None = "fan",
    bot: bool | None = None,
) -> CountedPost:
    """Post `number`, `day` days after the first day."""
    return CountedPost(
        post_id=f"x:{number}",
        ms=DAY_0 + day * DAY_MS + ms,
        text=f"post number {number} about a brand",
        url=None,
        handle=handle,
        followers=followers,
        bot=bot,
        opinions=opinions or (opinion(),),
    )


def fold(events: Iterable[Event], rules: Rules = RULES) -> AuthorState:
    """Return the state after the events, which have consecutive offsets of one topic."""
    folding, state = Fold(rules), AuthorState()
    for offset, event in enumerate(events):
        folding.apply(AUTHOR, state, event, Position("enriched", offset))
    return state


def outputs(events: Sequence[Event], rules: Rules = RULES) -> list[tuple[Profile, Candidate | None]]:
    """Return the profiles and candidates that are published after the events."""
    return list(Fold(rules).current(AUTHOR, fold(events, rules)))


def enriched(number: int, author: int) -> tuple[bytes, bytes]:
    """Key and value of a record of `enriched`, about a brand of the demo."""
    written = Post(
        id=f"x:{number}",
        platform="x",
        kind="mention",
        text=f"post {number}",
        created_at=f"2015-02-20T10:00:{number % 60:02d}Z",
        author=Author(id=f"u{author}", handle=f"u{author}"),
    )
    said = opinion("United")
    record = EnrichedPost(
        post=written,
        annotations=Annotation(text=written.text, lang="en", sentiment=said.sentiment),
        brands=(said,),
    )
    return author_key("x", f"u{author}").encode(), encode(record)


def deleted(one: CountedPost) -> CountedPost:
    """Return the deletion of a post."""
    return one._replace(edited_ms=DELETED, opinions=())
