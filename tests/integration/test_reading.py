"""Reading topics: order, limits and filters."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.dead_letter import dead_letter
from models.record import encode
from models.rejection import Reason, Rejected
from streams.broker import admin, feeding, reading
from streams.broker.embedded import Broker
from streams.topics import DEAD_LETTERS, MENTIONS
from tests.running import settings_for


def test_dead_letters_come_newest_first(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all partitions, all of them or only so many, of one reason or of any."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 3})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    assert list(reading.read_dead_letters(settings)) == []
    producer = feeding.producer(settings)
    for number in range(20):
        rejected = Rejected(Reason.FUTURE if number % 2 else Reason.NOT_JSON, "why")
        letter = dead_letter(rejected, b"x", topic="mentions", partition=0, offset=number, at_ms=0)
        # Most of them on one partition, so that several readings of it are needed.
        producer.send(
            DEAD_LETTERS, encode(letter), partition=number % 7 % 3, timestamp_ms=1_700_000_000_000 + number
        )
    producer.close()
    monkeypatch.setattr(reading, "CHUNK", 2)

    def offsets(**asked: Any) -> list[int]:
        return [row["offset"] for row in reading.read_dead_letters(settings, **asked)]

    assert offsets() == [*range(19, -1, -1)]
    assert offsets(limit=3) == [19, 18, 17]
    assert offsets(limit=3, reason="not_json") == [18, 16, 14]


def test_what_comes_while_a_topic_is_read_is_not_read(own_broker: Broker, tmp_path: Path) -> None:
    """Not on a partition either whose turn has not come: a replay must not send what it caused itself."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    with closing(feeding.producer(settings)) as producer:
        for partition in (0, 1):
            producer.send(MENTIONS, b"before", partition=partition).get(30)
        found = reading.records(settings, MENTIONS)
        values = [next(found).value]
        for partition in (0, 1):
            producer.send(MENTIONS, b"meanwhile", partition=partition).get(30)
        values += [record.value for record in found]
    assert values == [b"before", b"before"]
