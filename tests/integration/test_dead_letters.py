"""Dead letters that go back to where they came from."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from models.dead_letter import MAX_PAYLOAD, dead_letter
from models.record import encode
from models.rejection import Reason, Rejected
from streams.broker import admin, dead_letters, feeding
from streams.broker.dead_letters import Outcome, Replayed, ReplayError, replay
from streams.broker.embedded import Broker
from streams.broker.reading import records
from streams.settings import Settings
from streams.topics import DEAD_LETTERS
from tests.commands import superfan
from tests.running import environment, feed_keyed, settings_for

CUSTOMER = {"customer_id": "c1", "handles": [{"platform": "x", "author_id": "1"}], "orders": 3}


def post(number: int, **changes: Any) -> bytes:
    """Return a valid post."""
    record = {
        "id": f"x:{number}", "platform": "x", "kind": "mention", "text": "I love @united",
        "created_at": "2026-11-20T09:30:00Z", "author": {"id": "1"},
    }  # fmt: skip
    return json.dumps(record | changes).encode()


@pytest.fixture
def settings(own_broker: Broker, tmp_path: Path) -> Settings:
    """Settings on a broker with empty topics."""
    chosen = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 1})
    with admin.admin_client(chosen) as client:
        admin.apply(client, chosen)
    return chosen


def reject(
    settings: Settings, *rejected: tuple[str, int, bytes | None, bytes | None], reason: Reason = Reason.FUTURE
) -> None:
    """Dead letters of records: their topic, offset, key and value."""
    producer = feeding.producer(settings)
    for topic, offset, key, value in rejected:
        letter = dead_letter(Rejected(reason, "why"), value, topic=topic, partition=0, offset=offset, at_ms=0)
        producer.send(DEAD_LETTERS, key=key, value=encode(letter))
    producer.close()


def there(settings: Settings, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values on a topic."""
    return [(record.key, record.value) for record in records(settings, topic)]


def test_records_go_back_as_they_were_each_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and value to the byte, in order; a dead letter that is there twice is one record."""
    monkeypatch.setattr(dead_letters, "CHUNK", 2)
    sent = [("mentions", n, b"x:1" if n else None, post(n)) for n in range(5)]
    reject(settings, *sent, sent[2])
    erasure = b'{"platform": "x", "author_id": "1", "mode": "erase", "at": "2026-11-20T00:00:00Z"}'
    reject(settings, ("erasures", 7, b"x:1", erasure), reason=Reason.INTERNAL)
    rows = list(replay(settings))
    assert [(row.topic, row.offset, row.outcome) for row in rows] == [
        *(("mentions", n, Outcome.SENT) for n in range(5)),
        ("erasures", 7, Outcome.SENT),
    ]
    assert there(settings, "mentions") == [(key, value) for _, _, key, value in sent]
    assert there(settings, "erasures") == [(b"x:1", erasure)]


def test_what_would_be_rejected_again_stops_the_replay_or_is_left_out(settings: Settings) -> None:
    """With what was before it sent and confirmed, nothing behind it; or with all the others."""
    ahead = post(9, created_at=time.time() + 86_400)
    bad = [
        ("mentions", 1, None, b"no JSON"),
        ("mentions", 2, None, ahead),
        ("mentions", 3, None, post(3, platform="instagram")),
        ("mentions", 4, None, b"\xff" * (MAX_PAYLOAD + 1)),
        ("enriched", 5, b"x:1", b"{}"),
        ("feedback", 6, b"k", b'{"key": "Nobody/x:1", "decision": "accepted", "at": "2026-11-20T00:00:00Z"}'),
        ("customers", 7, b"c2", json.dumps(CUSTOMER).encode()),
        ("mentions", 8, None, None),
    ]
    reject(settings, ("mentions", 0, None, post(0)), *bad, ("mentions", 9, None, post(9)))
    rows: list[Replayed] = []
    with pytest.raises(ReplayError, match="mentions/0/1 would be rejected again"):
        rows.extend(row for row in replay(settings))
    assert there(settings, "mentions") == [(None, post(0))]
    rows = list(replay(settings, skip=True))
    assert [row.offset for row in rows if row.outcome is Outcome.SENT] == [0, 9]
    refused = {
        row.offset: (row.detail or "").partition(":")[0] for row in rows if row.outcome is not Outcome.SENT
    }
    assert refused == {
        1: "not_json", 2: "future", 3: "no_lawful_basis", 4: "too_large", 5: "internal", 6: "unknown_brand",
        7: "bad_id", 8: "empty",
    }  # fmt: skip
    assert there(settings, "mentions") == [(None, post(0)), (None, post(0)), (None, post(9))]


def test_only_so_many_or_only_those_of_a_reason(settings: Settings) -> None:
    """The limit counts what is sent; a dry run sends nothing and goes past what would stop it."""
    reject(settings, *(("mentions", n, None, post(n)) for n in range(3)))
    reject(settings, ("mentions", 3, None, b"bad"), ("mentions", 4, None, post(4)), reason=Reason.NOT_JSON)
    dry = list(replay(settings, dry_run=True))
    assert [row.outcome for row in dry] == [*[Outcome.SENT] * 3, Outcome.REFUSED, Outcome.SENT]
    assert there(settings, "mentions") == []
    assert len(list(replay(settings, limit=2))) == 2
    assert there(settings, "mentions") == [(None, post(0)), (None, post(1))]
    assert [row.offset for row in replay(settings, reason="not_json", skip=True)] == [3, 4]
    assert there(settings, "mentions")[2:] == [(None, post(4))]


def test_an_old_customer_does_not_replace_a_newer_one(settings: Settings) -> None:
    """The last record of a key is what counts on a compacted topic; without a newer one the old is sent."""
    newer = json.dumps(CUSTOMER | {"orders": 4}).encode()
    other = json.dumps(CUSTOMER | {"customer_id": "c9"}).encode()
    feed_keyed(settings, "customers", [(b"c1", b"was rejected"), (b"c9", b"was rejected"), (b"c1", newer)])
    rejected = ("customers", 0, b"c1", json.dumps(CUSTOMER).encode()), ("customers", 1, b"c9", other)
    reject(settings, *rejected)
    assert [row.outcome for row in replay(settings)] == [Outcome.SUPERSEDED, Outcome.SENT]
    assert there(settings, "customers")[2:] == [(b"c1", newer), (b"c9", other)]
    assert [row.outcome for row in replay(settings)] == [Outcome.SUPERSEDED, Outcome.SUPERSEDED]


def test_the_commands_say_what_was_done(settings: Settings) -> None:
    """Rows on standard output, a sentence on standard error; what ends a replay is the usual error."""
    env = environment(settings)
    reject(settings, ("mentions", 0, b"x:1", post(0)), ("mentions", 1, None, b"\x1b[2Jbad \xff"))
    dry = superfan("dead-letters", "replay", "--dry-run", "-o", "json", env=env)
    assert [json.loads(line)["outcome"] for line in dry.stdout.splitlines()] == ["sent", "refused"]
    assert b"Would send 1; left 1" in dry.stderr
    stopped = superfan("dead-letters", "replay", env=env)
    assert stopped.returncode == 1
    assert b"mentions" in stopped.stdout
    assert b"Sent 1; left 1" in stopped.stderr
    assert b"mentions/0/1 would be rejected again: not_utf8" in stopped.stderr
    assert superfan("dead-letters", "replay", "--policy", "skip", env=env).returncode == 0
    assert there(settings, "mentions") == [(b"x:1", post(0))] * 2

    shown = superfan("dead-letters", "show", "mentions/0/0", env=env)
    assert shown.returncode == 0, shown.stderr
    assert "".join(post(0).decode().split()) in "".join(shown.stdout.decode().split())
    letter = json.loads(superfan("dead-letters", "show", "mentions/0/1", "-o", "json", env=env).stdout)
    assert (letter["reason"], letter["payload_encoding"]) == ("future", "base64")
    nobody = superfan("dead-letters", "show", "mentions/0/2", env=env)
    assert nobody.returncode == 1
    assert b"superfan dead-letters list" in nobody.stderr.replace(b"\n", b" ")
    assert superfan("dead-letters", "show", "mentions", env=env).returncode == 2
