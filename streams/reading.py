"""Reads what is on a topic now; dead letters as rows for people."""

from collections.abc import Iterator
from typing import Any

import msgspec
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from models.dead_letters import DeadLetter
from streams.admin import BrokerUnavailable
from streams.settings import Settings
from streams.topics import DEAD_LETTERS

SHORT = 80
_decoder = msgspec.json.Decoder(DeadLetter)


def read_dead_letters(
    settings: Settings, *, reason: str | None = None, limit: int | None = None, short: bool = False
) -> Iterator[dict[str, Any]]:
    """Dead letters as rows, those that were there when the reading began; `short` cuts long texts."""
    count = 0
    for letter in records(settings, DEAD_LETTERS):
        if limit is not None and count >= limit:
            return
        found = _decoder.decode(letter.value)
        if reason is not None and found.reason != reason:
            continue
        count += 1
        row = msgspec.to_builtins(found)
        if short:
            del row["payload_encoding"]
            row |= {name: _cut(row[name]) for name in ("detail", "payload")}
        yield row


def records(settings: Settings, topic: str) -> Iterator[Any]:
    """Every record of a topic up to its end as it is now, partition by partition."""
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
        for partition in sorted(consumer.partitions_for_topic(topic) or ()):
            tp = TopicPartition(topic, partition)
            end = consumer.end_offsets([tp])[tp]
            consumer.assign([tp])
            consumer.seek_to_beginning(tp)
            while consumer.position(tp) < end:
                for found in consumer.poll(timeout_ms=1000).values():
                    yield from (record for record in found if record.offset < end)
    finally:
        consumer.close()


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else text[: SHORT - 1] + "…"
