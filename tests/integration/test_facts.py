"""Customers by handle, feedback, erasures and late posts through a real Kafka, against a backtest."""

import json
import random
from pathlib import Path

from streams import admin, backtesting
from streams.broker import Broker
from streams.reading import records
from streams.settings import DEMO_CONFIG, load
from tests.running import compacted, differences, feed, settings_for, wait_until_done, worker, written

AUTHORS = 40


def posts() -> list[bytes]:
    """Eight days of praise by every author, and one post from long before."""
    found = []
    for author in range(AUTHORS):
        for day in [*range(1, 9), -120]:
            at = f"2015-02-{day + 10:02d}T08:{author % 60:02d}:00Z" if day > 0 else "2014-09-01T00:00:00Z"
            found.append(
                {
                    "id": f"x:{author}-{day}",
                    "platform": "x",
                    "kind": random.Random(author * day).choice(["mention", "comment", "hashtag"]),
                    "text": f"@united thank you, flight {day} was great, I love it!",
                    "created_at": at,
                    "author": {"id": f"u{author}", "handle": f"Fan{author}", "followers": 20_000},
                }
            )
    return [json.dumps(post).encode() for post in found]


def customers() -> list[bytes]:
    """Every second author is known, by handle only, in another spelling."""
    return [
        json.dumps(
            {"customer_id": f"c{n}", "handles": [{"platform": "x", "handle": f"@FAN{n}"}], "orders": 2}
        ).encode()
        for n in range(0, AUTHORS, 2)
    ]


def feedback() -> list[bytes]:
    """A few candidates were declined or accepted."""
    return [
        json.dumps({"key": f"United/x:u{n}", "decision": decision, "at": "2015-02-19T00:00:00Z"}).encode()
        for n, decision in ((0, "declined"), (2, "accepted"), (4, "contacted"))
    ]


def erasures() -> list[bytes]:
    """Some authors are to be forgotten."""
    return [
        json.dumps(
            {"platform": "x", "author_id": f"u{n}", "mode": mode, "at": "2015-03-01T00:00:00Z"}
        ).encode()
        for n, mode in ((6, "erase"), (8, "object"))
    ]


def test_facts_about_authors_give_what_the_backtest_gives(own_broker: Broker, tmp_path: Path) -> None:
    """Whatever order facts and posts come in, topics end as the backtest does; late posts go to `late`."""
    files = {"posts": posts(), "customers": customers(), "feedback": feedback(), "erasures": erasures()}
    for name, values in files.items():
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(values))
    tally = backtesting.run(
        load(DEMO_CONFIG),
        posts=[tmp_path / "posts.jsonl"],
        customers=tmp_path / "customers.jsonl",
        feedback=tmp_path / "feedback.jsonl",
        erasures=tmp_path / "erasures.jsonl",
        out=tmp_path / "backtest",
    )
    assert tally.late == AUTHORS
    expected = written(tmp_path / "backtest", "candidates")
    states = {key.rpartition(":")[2]: candidate["state"] for key, candidate in expected.items()}
    assert {n: states.get(f"u{n}") for n in (0, 1, 2, 4, 6, 8, 10)} == {
        0: "declined",
        1: None,
        2: "accepted",
        4: "candidate",
        6: None,
        8: None,
        10: "candidate",
    }

    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 4})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    recent = [post for post in files["posts"] if b"2014-" not in post]
    with worker(settings, tmp_path / "worker.log") as running:
        feed(settings, recent[: len(recent) // 2])
        feed(settings, [*files["customers"], *files["feedback"]])
        feed(settings, recent[len(recent) // 2 :])
        wait_until_done(settings, running)
        feed(settings, [post for post in files["posts"] if b"2014-" in post])
        feed(settings, files["erasures"])
        wait_until_done(settings, running)
        assert running.terminate() == 0, running.said()
    assert differences(compacted(settings, "candidates"), expected) == []
    assert differences(compacted(settings, "profiles"), written(tmp_path / "backtest", "profiles")) == []
    assert sum(1 for _ in records(settings, "late")) == AUTHORS
