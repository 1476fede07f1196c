"""enriched and facts about authors -> profiles, candidates. Stateful, keyed by author."""

from models.author import AuthorState, CountedPost, Event, Fold, Position
from models.codec import Codec
from models.counting import counted_post
from models.facts import HandleClaimed, decode_author_fact
from models.joining import handle_key
from models.outcomes import Reason, Rejected
from models.posts import author_key
from models.records import encode
from streams import topics
from streams.deadletters import DeadLetters
from streams.delivery import KeyedState, Step, Work

_codec = Codec(AuthorState)


def enriched_step(authors: KeyedState, fold: Fold, dead_letters: DeadLetters) -> Step:
    """Counts a post."""

    def step(work: Work) -> None:
        try:
            post = _read(work)
        except Rejected as rejection:
            dead_letters.reject(work, rejection)
            return
        dead_letters.accept()
        _apply(work, authors, fold, post)

    return step


def fact_step(authors: KeyedState, fold: Fold) -> Step:
    """Takes note of a customer, of feedback, of an erasure. Facts are our own records: none is bad."""

    def step(work: Work) -> None:
        _apply(work, authors, fold, decode_author_fact(work.value or b""))

    return step


def _read(work: Work) -> CountedPost:
    if work.value is None:
        raise Rejected(Reason.EMPTY, "the record has no value")
    platform, author_id, post = counted_post(work.value)
    if work.key != author_key(platform, author_id).encode():
        raise Rejected(Reason.BAD_ID, "the record's key is not its author key")
    return post


def _apply(work: Work, authors: KeyedState, fold: Fold, event: Event) -> None:
    key = work.key or b""
    author = key.decode()
    state = _codec.unpack(authors.read(work.tp.partition, key))
    outcome = fold.apply(author, state, event, Position(work.tp.topic, work.offset))
    if outcome.late:
        work.send(topics.LATE, key, work.value)
    if not outcome.dirty:
        return
    authors.write(work, key, _codec.pack(state))
    for profile in outcome.profiles:
        work.send(topics.PROFILES, profile.key.encode(), encode(profile))
    for candidate in outcome.candidates:
        work.send(topics.CANDIDATES, candidate.key.encode(), encode(candidate))
    for gone in outcome.profile_tombstones:
        work.send(topics.PROFILES, gone.encode(), None)
    for gone in outcome.candidate_tombstones:
        work.send(topics.CANDIDATES, gone.encode(), None)
    platform, _, author_id = author.partition(":")
    for handle in outcome.handle_claims:
        claim = HandleClaimed(author_id=author_id)
        work.send(topics.HANDLE_FACTS, handle_key(platform, handle).encode(), encode(claim))
