"""Replay of dead letters: send rejected records to their topics again once the cause is fixed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from enum import StrEnum
from typing import Any, NamedTuple

from models.customer import decode_customer_record
from models.dead_letter import DeadLetter, value_of
from models.errors import SuperfanError
from models.links import erasure_fact, feedback_fact
from models.post import decode_post
from models.rejection import Reason, Rejected
from streams import clock, topics
from streams.broker import feeding
from streams.broker.reading import decode_dead_letter, records
from streams.settings import Settings

CHUNK = 500
"""records that are confirmed together"""


class ReplayError(SuperfanError):
    """A dead letter that would be rejected again; it ends the replay."""


class Outcome(StrEnum):
    """The result of replaying a dead letter."""

    SENT = "sent"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


class Replayed(NamedTuple):
    """A row for people: position of the record, reason of its rejection, result of the replay."""

    topic: str
    partition: int
    offset: int
    reason: str
    outcome: Outcome
    detail: str | None


class _Judged(NamedTuple):
    row: Replayed
    key: bytes | None
    value: bytes | None


def replay(
    settings: Settings,
    *,
    reason: str | None = None,
    limit: int | None = None,
    skip: bool = False,
    dry_run: bool = False,
) -> Iterator[Replayed]:
    """Send the records of at most `limit` dead letters again, unchanged, each once, in their order by key.

    Yield a row for each when the broker has confirmed it. A record that would be rejected again is not
    sent: it ends the replay with `ReplayError`, or with `skip` is left out. A record of a compacted topic
    is not sent either if a later one of its key is there. A `dry_run` sends nothing and checks all.
    Posts count once, however often they are sent.
    """
    done: list[Replayed] = []
    futures: list[Any] = []
    sent, refused = 0, None
    with ExitStack() as stack:
        client = None if dry_run else stack.enter_context(closing(feeding.producer(settings)))
        for row, key, value in _judged(settings, reason):
            if sent == limit:
                break
            done.append(row)
            if row.outcome is Outcome.SENT:
                sent += 1
                if client is not None:
                    futures.append(client.send(row.topic, key=key, value=value))
            elif row.outcome is Outcome.REFUSED and not skip and not dry_run:
                refused = row
                break
            if len(done) >= CHUNK:
                feeding.confirm(futures)
                yield from done
                done.clear()
                futures.clear()
        feeding.confirm(futures)
        yield from done
    if refused is not None:
        raise ReplayError(
            f"The record {refused.topic}/{refused.partition}/{refused.offset} would be rejected again",
            refused.detail or refused.reason,
            "fix the cause, or leave such records out with --policy skip; those before it were sent",
        )


def _judged(settings: Settings, reason: str | None) -> Iterator[_Judged]:
    """Yield each dead letter once, with the result of its replay; `reason` selects some."""
    refuse, superseded = _checks(settings), _superseded(settings)
    seen: set[tuple[str, int, int]] = set()
    for record in records(settings, topics.DEAD_LETTERS):
        letter = decode_dead_letter(record.value)
        position = (letter.topic, letter.partition, letter.offset)
        if position in seen or reason not in {None, letter.reason}:
            continue
        seen.add(position)
        value, outcome, detail = None, Outcome.SENT, None
        try:
            value = value_of(letter)
            refuse(letter.topic, record.key, value)
        except Rejected as rejected:
            outcome, detail = Outcome.REFUSED, f"{rejected.reason}: {rejected.detail}"
        else:
            if superseded(letter, record.key):
                outcome, detail = Outcome.SUPERSEDED, "a later record of the same key is there"
        yield _Judged(Replayed(*position, letter.reason, outcome, detail), record.key, value)


def _checks(settings: Settings) -> Callable[[str, bytes | None, bytes | None], None]:
    """Return a function that raises `Rejected` for a record that the workers would reject now."""
    brands = {brand.name for brand in settings.brands}

    def refuse(topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic in topics.POSTS:
            decode_post(value, received_ms=clock.now_ms(), lawful=settings.lawful)
        elif topic == topics.CUSTOMERS:
            decode_customer_record(key, value)
        elif topic == topics.FEEDBACK:
            feedback_fact(value or b"", brands)
        elif topic == topics.ERASURES:
            erasure_fact(value or b"")
        else:
            raise Rejected(Reason.INTERNAL, f"{topic} is written by workers only")

    return refuse


def _superseded(settings: Settings) -> Callable[[DeadLetter, bytes | None], bool]:
    """Return a test for records of compacted topics that a later record of the same key has replaced."""
    last: dict[str, dict[bytes | None, int]] = {}

    def superseded(letter: DeadLetter, key: bytes | None) -> bool:
        if not topics.BY_NAME[letter.topic].compact:
            return False
        if letter.topic not in last:
            last[letter.topic] = {record.key: record.offset for record in records(settings, letter.topic)}
        return last[letter.topic].get(key, -1) > letter.offset

    return superseded
