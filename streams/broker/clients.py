"""Connections to Kafka outside the stream, with errors that name what is wrong and the fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from streams.broker.admin import BrokerUnavailable, missing
from streams.settings import Settings


@contextmanager
def group_less_consumer(settings: Settings, **options: Any) -> Iterator[KafkaConsumer]:
    """Yield a consumer that belongs to no group and commits nothing; raises `BrokerUnavailable`."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=10_000,
            **options,
        )
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings, error) from None
    try:
        yield consumer
    finally:
        consumer.close()


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the partitions of a topic, ascending; raises `TopicError` if there is no such topic."""
    numbers = sorted(consumer.partitions_for_topic(topic) or ())
    if not numbers:
        raise missing(topic)
    return [TopicPartition(topic, number) for number in numbers]
