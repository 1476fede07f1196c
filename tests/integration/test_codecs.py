"""Every codec that a producer or a topic may choose is read by every part of Superfan."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from streams import topics
from streams.broker import admin
from streams.broker.clients import group_less_consumer
from streams.broker.embedded import Broker
from streams.broker.feeding import FeedError, send
from streams.broker.lag import by_topic
from streams.broker.reading import follow_candidates, read_dead_letters, records
from streams.ops import metrics
from streams.ops.exporter import of_broker
from streams.settings import Settings
from tests.malformed import GOOD
from tests.running import feed, feed_keyed, settings_for, wait_until_done, worker

CODECS = ("gzip", "snappy", "lz4", "zstd")
PADDING = "an evening in the kitchen, " * 100


@pytest.fixture
def settings(own_broker: Broker, tmp_path: Path) -> Settings:
    """All topics on a broker, the store beside them."""
    made = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(made) as client:
        admin.apply(client, made)
    return made


def compress(settings: Settings, codec: str) -> None:
    """Have the broker keep what comes from now on to any topic in this codec."""
    with admin.admin_client(settings) as client:
        client.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, topic.name, configs={"compression.type": codec})
                for topic in topics.TOPICS
            ]
        )


def test_every_codec_is_read_from_end_to_end(settings: Settings, tmp_path: Path) -> None:
    """Lag, exporter, worker, dead letters and the tail of candidates read gzip, snappy, lz4 and zstd."""
    for number, codec in enumerate(CODECS):
        compress(settings, codec)
        good = json.dumps(GOOD | {"id": f"x:{codec}", "text": f"{GOOD['text']} {PADDING}"}).encode()
        feed(settings, [good, b"not JSON " + PADDING.encode()], topic=topics.MENTIONS)
        with admin.admin_client(settings) as client, group_less_consumer(settings) as consumer:
            rows = {row["topic"]: row for row in by_topic(client, consumer, settings.topics.partitions)}
            assert rows[topics.MENTIONS]["records"] == 2
            found = of_broker(client, consumer, settings.topics.partitions)
            ages = [
                age
                for (_, name, _), age in found[metrics.LAG_SECONDS.name].items()
                if name == topics.MENTIONS
            ]
            assert len(ages) == settings.topics.partitions
            assert max(ages) > 0
        with worker(settings, tmp_path / codec) as running:
            wait_until_done(settings, running)
            assert running.terminate() == 0, running.said()
        assert len(list(read_dead_letters(settings))) == number + 1
        assert len(list(records(settings, topics.ENRICHED))) == number + 1
        feed_keyed(settings, topics.CANDIDATES, [(f"United/x:{codec}".encode(), None)])
    deadline = time.monotonic() + 60
    tail = follow_candidates(
        settings,
        from_beginning=True,
        go_on=lambda: time.monotonic() < deadline,
        on_unreadable=pytest.fail,
    )
    seen: set[str] = set()
    while len(seen) < len(CODECS):
        seen.add(next(tail).key)
    assert seen == {f"United/x:{codec}" for codec in CODECS}


def test_a_missing_topic_is_no_missing_broker(own_broker: Broker, tmp_path: Path) -> None:
    """Lag, reading and feeding name a topic that is not there, and the command that creates it."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db")
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
        client.delete_topics([topics.MENTIONS])
    with (
        pytest.raises(admin.TopicError, match=r"mentions.*superfan topics apply"),
        admin.admin_client(settings) as client,
        group_less_consumer(settings) as consumer,
    ):
        list(by_topic(client, consumer, settings.topics.partitions))
    with pytest.raises(admin.TopicError, match=r"mentions.*superfan topics apply"):
        list(records(settings, topics.MENTIONS))
    impatient = KafkaProducer(bootstrap_servers=settings.bootstrap, max_block_ms=1000)
    with closing(impatient), pytest.raises(FeedError, match=r"mentions.*superfan topics apply"):
        send(impatient, [b"x"], topic=topics.MENTIONS)
