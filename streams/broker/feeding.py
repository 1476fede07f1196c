"""Send the records of a file to their topics."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from models.errors import SuperfanError
from models.record import encode
from models.rejection import Rejected
from models.tick import TickRecord
from models.times import instant, iso_day
from streams.broker.admin import BrokerUnavailable
from streams.settings import Settings
from streams.sources.lines import route
from streams.topics import MAX_RECORD_BYTES, TICKS


class FeedError(SuperfanError):
    """Records could not be sent."""


def producer(settings: Settings) -> KafkaProducer:
    """Return a producer that keeps records in order and loses none; raises `BrokerUnavailable`."""
    try:
        return KafkaProducer(
            bootstrap_servers=settings.bootstrap,
            acks="all",
            linger_ms=20,
            compression_type="lz4",
            max_request_size=MAX_RECORD_BYTES,
            bootstrap_timeout_ms=10_000,
        )
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings, error) from None


def send(
    client: KafkaProducer,
    values: Iterable[bytes],
    *,
    topic: str | None = None,
    speed: float = 0.0,
    advance: Callable[[int], Any] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Counter[str]:
    """Send every line to `topic`, or to the topic of its shape; return the number of records by topic.

    Posts are sent `speed` times faster than they were written; 0 sends as fast as possible. Returns when the
    broker has confirmed all records. Raises `FeedError` when it refused one or the topic is missing.
    """
    sent: Counter[str] = Counter()
    futures = []
    first_event = first_sent = 0.0
    for value in values:
        routed = route(value, topic)
        if speed > 0 and routed.created_at is not None:
            try:
                event = instant(routed.created_at) / 1000
            except Rejected:
                event = 0.0
            if event and not first_event:
                first_event, first_sent = event, clock()
            elif event and (ahead := first_sent + (event - first_event) / speed - clock()) > 0:
                client.flush()
                sleep(ahead)
        try:
            futures.append(client.send(routed.topic, key=routed.key, value=value))
        except KafkaError as error:
            raise _refused(routed.topic, error) from None
        sent[routed.topic] += 1
        if len(futures) >= 1000:
            confirm(futures)
            advance(len(futures))
            futures.clear()
    client.flush()
    confirm(futures)
    advance(len(futures))
    return sent


def send_ticks(client: KafkaProducer, day: int, partitions: int) -> None:
    """Start a new day: send one record to every partition of `ticks`; raises `FeedError`."""
    value = encode(TickRecord(day=iso_day(day)))
    try:
        confirm([client.send(TICKS, value=value, partition=partition) for partition in range(partitions)])
    except KafkaError as error:
        raise _refused(TICKS, error) from None


def confirm(futures: Iterable[Any]) -> None:
    """Return when the broker has confirmed all; raises `FeedError` when it refused one."""
    for future in futures:
        try:
            future.get(timeout=60)
        except KafkaError as error:
            raise _refused("its topic", error) from None


def _refused(topic: str, error: KafkaError) -> FeedError:
    what = f"The broker did not take a record for {topic}"
    if isinstance(error, KafkaTimeoutError | UnknownTopicOrPartitionError):
        why = f"the topic is missing, or the broker does not answer ({error})"
        return FeedError(what, why, "run `superfan topics apply`, then feed again: each post counts once")
    fix = "run `superfan doctor`, look at the broker's log, then feed again: each post counts once"
    return FeedError(what, str(error) or type(error).__name__, fix)
