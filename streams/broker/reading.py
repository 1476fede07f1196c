"""Reads what is on a topic now, dead letters as rows for people; follows what comes to `candidates`."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from models.candidate import Candidate
from models.dead_letter import DeadLetter
from models.rejection import Rejected, decode_json
from streams.broker.admin import BrokerUnavailable, TopicError
from streams.settings import Settings
from streams.topics import CANDIDATES, DEAD_LETTERS

SHORT = 80
CHUNK = 500
"""records of a partition that are read at once when the newest come first"""
POLL_MS = 200
"""how long a follower waits for records before it asks again whether to go on"""
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode
_candidate = msgspec.json.Decoder(Candidate)


class Changed(NamedTuple):
    """A record of `candidates`: who, and when the broker got it (epoch milliseconds).

    Without a candidate it is a tombstone: readers delete their copy.
    """

    ms: int
    key: str
    candidate: Candidate | None


def read_dead_letters(
    settings: Settings, *, reason: str | None = None, limit: int | None = None, short: bool = False
) -> Iterator[dict[str, Any]]:
    """Dead letters as rows, the newest first, those that were there when the reading began; `short` cuts
    long texts."""
    letters = _dead_letters(settings)
    for found in islice((one for one in letters if reason is None or one.reason == reason), limit):
        row = msgspec.to_builtins(found)
        if short:
            del row["payload_encoding"]
            row |= {name: _cut(row[name]) for name in ("detail", "payload")}
        yield row


def read_dead_letter(settings: Settings, topic: str, partition: int, offset: int) -> DeadLetter | None:
    """The newest dead letter of the record that was at this place; null when there is none."""
    place = topic, partition, offset
    found = (one for one in _dead_letters(settings) if (one.topic, one.partition, one.offset) == place)
    return next(found, None)


def _dead_letters(settings: Settings) -> Iterator[DeadLetter]:
    return (decode_dead_letter(record.value) for record in newest_first(settings, DEAD_LETTERS))


def records(settings: Settings, topic: str) -> Iterator[Any]:
    """Every record of a topic up to its end as it is when the reading begins, partition by partition."""
    with _onlooker(settings) as consumer:
        tps = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        for tp, bounds in [(tp, _bounds(consumer, tp)) for tp in tps]:
            yield from _between(consumer, tp, *bounds)


def newest_first(settings: Settings, topic: str) -> Iterator[Any]:
    """Every record of a topic as it is now, by the time at which it was sent, the latest first.

    Only some of each partition are held: whoever wants few need not wait for all.
    """
    with _onlooker(settings) as consumer:
        tps = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
        yield from heapq.merge(*(_backwards(consumer, tp) for tp in tps), key=lambda r: -r.timestamp)


def _backwards(consumer: KafkaConsumer, tp: TopicPartition) -> Iterator[Any]:
    begin, end = _bounds(consumer, tp)
    while begin < end:
        start = max(begin, end - CHUNK)
        yield from reversed(list(_between(consumer, tp, start, end)))
        end = start


def _bounds(consumer: KafkaConsumer, tp: TopicPartition) -> tuple[int, int]:
    """From where (included) up to where (excluded) there are records now."""
    return consumer.beginning_offsets([tp])[tp], consumer.end_offsets([tp])[tp]


def _between(consumer: KafkaConsumer, tp: TopicPartition, start: int, end: int) -> Iterator[Any]:
    """The records from `start` (included) up to `end` (excluded) that are still there."""
    consumer.assign([tp])
    consumer.seek(tp, start)
    while consumer.position(tp) < end:
        for found in consumer.poll(timeout_ms=1000).values():
            yield from (record for record in found if record.offset < end)


def follow_candidates(
    settings: Settings,
    *,
    from_beginning: bool,
    go_on: Callable[[], bool],
    on_unreadable: Callable[[str], object],
) -> Iterator[Changed]:
    """What comes to `candidates` while `go_on()`, in order within a partition; what is there first, if asked.

    A record that is no candidate is told to `on_unreadable` in a sentence. A broker that goes away is
    waited for. Raises `BrokerUnavailable` when there is none to begin with, `TopicError` without the topic.
    """
    with _onlooker(settings) as consumer:
        partitions = sorted(consumer.partitions_for_topic(CANDIDATES) or ())
        if not partitions:
            raise TopicError(
                f"There is no topic {CANDIDATES}", "it was never created", "run `superfan topics apply`"
            )
        consumer.assign([TopicPartition(CANDIDATES, partition) for partition in partitions])
        (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)()
        for tp in consumer.assignment():
            consumer.position(tp)  # the end is where it is now, not where the first poll finds it
        while go_on():
            for found in consumer.poll(timeout_ms=POLL_MS).values():
                for record in found:
                    try:
                        key = (record.key or b"").decode()
                        candidate = None if record.value is None else decode_json(_candidate, record.value)
                    except (Rejected, UnicodeError) as error:
                        origin = f"{CANDIDATES}, partition {record.partition}, offset {record.offset}"
                        on_unreadable(f"{origin} is not a candidate: {error}")
                    else:
                        yield Changed(record.timestamp, key, candidate)


@contextmanager
def _onlooker(settings: Settings) -> Iterator[KafkaConsumer]:
    """A consumer of no group. Raises `BrokerUnavailable`."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=10_000,
        )
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings, error) from None
    try:
        yield consumer
    finally:
        consumer.close()


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else text[: SHORT - 1] + "…"
