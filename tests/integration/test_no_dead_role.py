"""No record stops a role, and a role that ends is not left behind as a worker that looks alive."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from streams.broker import admin
from streams.broker.embedded import Broker, embedded_broker
from streams.broker.reading import read_dead_letters, records
from streams.roles import Role
from streams.settings import Settings
from tests.authors import enriched
from tests.running import (
    environment,
    feed,
    feed_keyed,
    feed_with_headers,
    settings_for,
    wait_until_done,
    worker,
)
from tests.waiting import STUCK, until

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


def posts(count: int, first: int = 0) -> list[bytes]:
    """Posts about a brand by as many authors, each with an id of its own."""
    return [
        json.dumps(
            {
                "id": f"x:{n}",
                "platform": "x",
                "kind": "mention",
                "text": "@united thank you, I love your crews!",
                "created_at": f"2015-02-11T08:{n % 60:02d}:00Z",
                "author": {"id": f"u{n}", "handle": f"Fan{n}", "followers": 20_000},
            }
        ).encode()
        for n in range(first, first + count)
    ]


def prepare(settings: Settings) -> None:
    """Create the topics."""
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)


def ids_of(settings: Settings) -> list[str]:
    """Ids of the posts that were enriched."""
    return [json.loads(record.value)["post"]["id"] for record in records(settings, "enriched")]


def test_headers_of_any_kind_stop_no_role(own_broker: Broker, tmp_path: Path) -> None:
    """A header may have no value, a strange name, a huge value, or come twice: every post is enriched."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    prepare(settings)
    ours = "superfan-arrived-ms"
    strange: list[list[tuple[str, bytes | None]]] = [
        [(ours, None)],
        [("größe", b"1"), ("\U0001f980", None), ("", b"")],
        [("huge", b"x" * 500_000)],
        [(ours, b"12"), (ours, None), (ours, b"13"), (ours, "١٢".encode())],
        [(ours, b"9" * 400)],
    ]
    feed_with_headers(settings, "mentions", list(zip(posts(5), strange, strict=True)))
    feed(settings, posts(5, first=5))
    with worker(settings, tmp_path / "worker.log", "enrich") as running:
        wait_until_done(settings, running, roles={Role.ENRICH})
        assert running.terminate() == 0, running.said()
    assert sorted(ids_of(settings)) == sorted(f"x:{n}" for n in range(10))


def test_a_record_whose_step_fails_is_a_dead_letter_and_the_role_goes_on(
    own_broker: Broker, tmp_path: Path
) -> None:
    """Garbage on the internal topics is dead-lettered as `internal`, without its text in the log."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 1})
    prepare(settings)
    feed_keyed(settings, "superfan-author-facts", [(b"x:1", b"secret garbage"), (b"\xff", b"{}")])
    feed_keyed(settings, "superfan-handle-facts", [(b"x:@fan", b"secret garbage"), (b"x:@fan", None)])
    feed_keyed(settings, "enriched", [enriched(n, n) for n in range(20)])
    with worker(settings, tmp_path / "worker.log", "profile") as running:
        wait_until_done(settings, running, roles={Role.PROFILE})
        assert running.terminate() == 0, running.said()
    letters = list(read_dead_letters(settings))
    assert sorted((letter["topic"], letter["reason"]) for letter in letters) == [
        ("superfan-author-facts", "internal"),
        ("superfan-author-facts", "internal"),
        ("superfan-handle-facts", "internal"),
        ("superfan-handle-facts", "internal"),
    ]
    assert sum(1 for _ in records(settings, "profiles")) == 20
    said = running.log.read_text()
    assert "A record could not be processed" in said
    assert "secret" not in said


def test_reading_that_is_denied_ends_the_worker_and_says_what_to_grant(tmp_path: Path) -> None:
    """Without READ on a topic for some seconds: exit 1 with the topic and the ACL; then nothing is lost."""
    with embedded_broker(tmp_path / "broker", properties=AUTHORIZER) as running:
        settings = settings_for(running, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
        prepare(settings)
        with worker(settings, tmp_path / "first.log", "enrich") as first:
            feed(settings, posts(5))
            wait_until_done(settings, first, roles={Role.ENRICH})
            denied = ACL(
                "User:ANONYMOUS",
                "*",
                ACLOperation.READ,
                ACLPermissionType.DENY,
                ResourcePattern(ResourceType.TOPIC, "mentions"),
            )
            with admin.admin_client(settings) as client:
                client.create_acls([denied])
            assert first.process.wait(STUCK) == 1, first.said()
            said = " ".join(first.said().split())
            assert "let this worker read topic mentions" in said
            assert "READ and DESCRIBE on topic mentions" in said
            assert "Traceback" not in said
        with admin.admin_client(settings) as client:
            mine = ResourcePatternFilter(ResourceType.TOPIC, "mentions", ACLResourcePatternType.LITERAL)
            client.delete_acls([ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, mine)])
        feed(settings, posts(5, first=5))
        with worker(settings, tmp_path / "second.log", "enrich") as second:
            wait_until_done(settings, second, roles={Role.ENRICH})
            assert second.terminate() == 0, second.said()
        assert sorted(ids_of(settings)) == sorted(f"x:{n}" for n in range(10))


def test_ctrl_c_prints_no_traceback(own_broker: Broker, tmp_path: Path) -> None:
    """SIGINT to the whole process group, as a terminal sends it: exit 0, and no traceback of a child."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    prepare(settings)
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker", "--role", "enrich"],
            env=environment(settings),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until(lambda: "Worker started" in log.read_text())
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(STUCK) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()
    assert "KeyboardInterrupt" not in log.read_text()


@pytest.mark.parametrize("new", [100, 300], ids=["shorter", "longer"])
def test_a_topic_made_anew_stops_the_worker_until_it_is_accepted(
    own_broker: Broker, tmp_path: Path, new: int
) -> None:
    """Deleted and made anew under a running worker: it stops and names the command; after that, no record
    of the new log is missing, however long it is."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 1})
    prepare(settings)
    with worker(settings, tmp_path / "first.log", "enrich") as first:
        feed(settings, posts(160))
        wait_until_done(settings, first, roles={Role.ENRICH})
        recreate(settings, "mentions")
        feed(settings, posts(new, first=1000))
        assert first.process.wait(STUCK) == 1, first.said()
        said = " ".join(first.said().split())
        assert "Topic mentions was made anew, or lost records" in said
        assert "superfan topics accept mentions" in said
    with worker(settings, tmp_path / "again.log", "enrich") as again:
        assert again.process.wait(STUCK) == 1, again.said()
    assert "role enrich goes on at offset 0" in superfan(settings, "topics", "accept", "mentions")
    assert "Nothing about topic mentions has changed" in superfan(
        settings, "topics", "accept", "mentions", code=1
    )
    with worker(settings, tmp_path / "second.log", "enrich") as second:
        wait_until_done(settings, second, roles={Role.ENRICH})
        assert second.terminate() == 0, second.said()
    found = set(ids_of(settings))
    assert {f"x:{n}" for n in range(1000, 1000 + new)} <= found


def test_customers_of_a_topic_made_anew_count_after_it_was_accepted(
    own_broker: Broker, tmp_path: Path
) -> None:
    """Replaced while no worker ran, which takes the group's commits with it: the states still know."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 1})
    prepare(settings)

    def customers(orders: int) -> list[tuple[bytes, bytes | None]]:
        return [
            (
                b"c%d" % n,
                json.dumps(
                    {
                        "customer_id": f"c{n}",
                        "handles": [{"platform": "x", "author_id": f"u{n}"}],
                        "orders": orders,
                    }
                ).encode(),
            )
            for n in range(3)
        ]

    feed_keyed(settings, "customers", customers(1) * 20)
    with worker(settings, tmp_path / "first.log", "profile") as first:
        wait_until_done(settings, first, roles={Role.PROFILE})
        assert first.terminate() == 0, first.said()
    recreate(settings, "customers")
    feed_keyed(settings, "customers", customers(7))
    with worker(settings, tmp_path / "stopped.log", "profile") as stopped:
        assert stopped.process.wait(STUCK) == 1, stopped.said()
        assert "superfan topics accept customers" in " ".join(stopped.said().split())
    assert "role profile goes on at offset 0" in superfan(settings, "topics", "accept", "customers")
    before = sum(1 for _ in records(settings, "superfan-author-facts"))
    with worker(settings, tmp_path / "second.log", "profile") as second:
        wait_until_done(settings, second, roles={Role.PROFILE})
        assert second.terminate() == 0, second.said()
    facts = [json.loads(record.value) for record in records(settings, "superfan-author-facts")][before:]
    assert [fact["customer"]["orders"] for fact in facts] == [7, 7, 7]


def recreate(settings: Settings, topic: str) -> None:
    """Delete a topic and make it anew."""
    with admin.admin_client(settings) as client:
        client.delete_topics([topic])

        def created() -> bool:
            try:
                return topic in admin.apply(client, settings) or topic in client.list_topics()
            except admin.TopicError:  # the broker is not done with deleting it
                return False

        until(lambda: topic not in client.list_topics())
        until(created)


def superfan(settings: Settings, *command: str, code: int = 0) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", *command],
        env=environment(settings) | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=STUCK,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr
