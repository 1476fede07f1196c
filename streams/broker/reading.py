"""Read the records of a topic, show dead letters as rows, follow the records that come to `candidates`."""

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from models.candidate import Candidate
from models.dead_letter import DeadLetter
from models.rejection import Rejected, decode_json
from streams.broker.clients import group_less_consumer, partitions_of
from streams.settings import Settings
from streams.topics import CANDIDATES, DEAD_LETTERS

SHORT = 80
"""Characters of a long text that a row for people keeps."""
CHUNK = 500
"""Records of a partition that are held at once when the newest come first."""
POLL_MS = 200
"""Time that a follower waits for records before it calls `go_on` again."""
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode
_candidate = msgspec.json.Decoder(Candidate)


class Changed(NamedTuple):
    """A record of `candidates` with the time at which the broker got it (epoch milliseconds).

    Without a candidate it is a tombstone: readers delete their copy.
    """

    ms: int
    key: str
    candidate: Candidate | None


def read_dead_letters(
    settings: Settings, *, reason: str | None = None, limit: int | None = None, short: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield dead letters as rows, the newest first, up to the end of the topic at the time of the call.

    `short` cuts long texts. Raises `TopicError` or `BrokerUnavailable` if topic or broker is missing.
    """
    letters = _dead_letters(settings)
    for found in islice((one for one in letters if reason is None or one.reason == reason), limit):
        row = msgspec.to_builtins(found)
        if short:
            del row["payload_encoding"]
            row |= {name: _cut(row[name]) for name in ("detail", "payload")}
        yield row


def read_dead_letter(settings: Settings, topic: str, partition: int, offset: int) -> DeadLetter | None:
    """Return the newest dead letter of the record that had this offset, or None."""
    origin = topic, partition, offset
    found = (one for one in _dead_letters(settings) if (one.topic, one.partition, one.offset) == origin)
    return next(found, None)


def _dead_letters(settings: Settings) -> Iterator[DeadLetter]:
    return (decode_dead_letter(record.value) for record in newest_first(settings, DEAD_LETTERS))


def records(settings: Settings, topic: str) -> Iterator[Any]:
    """Yield every record of a topic up to its end at the time of the call, partition by partition.

    Raises `TopicError` if the topic is missing, `BrokerUnavailable` without a broker.
    """
    with group_less_consumer(settings) as consumer:
        for tp, (start, end) in [(tp, span(consumer, tp)) for tp in partitions_of(consumer, topic)]:
            yield from between(consumer, tp, start, end)


def newest_first(settings: Settings, topic: str) -> Iterator[Any]:
    """Yield the records that a topic holds now, ordered by their timestamps, the latest first.

    At most `CHUNK` records of each partition are held: the first few come without reading the whole topic.
    Raises `TopicError` if the topic is missing, `BrokerUnavailable` without a broker.
    """
    with group_less_consumer(settings) as consumer:
        tps = partitions_of(consumer, topic)
        yield from heapq.merge(*(_backwards(consumer, tp) for tp in tps), key=lambda r: -r.timestamp)


def _backwards(consumer: KafkaConsumer, tp: TopicPartition) -> Iterator[Any]:
    begin, end = span(consumer, tp)
    while begin < end:
        start = max(begin, end - CHUNK)
        yield from reversed(list(between(consumer, tp, start, end)))
        end = start


def span(consumer: KafkaConsumer, tp: TopicPartition) -> tuple[int, int]:
    """Return the first offset that has a record now, and one past the last."""
    return consumer.beginning_offsets([tp])[tp], consumer.end_offsets([tp])[tp]


def between(consumer: KafkaConsumer, tp: TopicPartition, start: int, end: int) -> Iterator[Any]:
    """Yield the records from `start` (included) up to `end` (excluded) that are still there."""
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
    """Yield the records that come to `candidates` while `go_on()` is true, in order within a partition.

    With `from_beginning` the records that are there already come first. `on_unreadable` gets a sentence for
    each record that is not a candidate. A broker that goes away later is waited for. Raises
    `BrokerUnavailable` without a broker at the start, `TopicError` if the topic is missing.
    """
    with group_less_consumer(settings) as consumer:
        consumer.assign(partitions_of(consumer, CANDIDATES))
        (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)()
        for tp in consumer.assignment():
            consumer.position(tp)  # fix the end now: at the first poll it may be further
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


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else text[: SHORT - 1] + "…"
