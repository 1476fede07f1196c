"""Customers by handle, feedback, erasures and late posts through a real Kafka, against a backtest."""

import json
import random
import time
from functools import partial
from pathlib import Path

from models.times import day_from_iso
from streams.broker import admin, feeding
from streams.broker.embedded import Broker
from streams.broker.lag import lag
from streams.broker.reading import records
from streams.offline import backtest
from streams.roles import Role
from streams.settings import DEMO_CONFIG, Settings, load
from streams.store import open_store
from streams.topics import changelog
from tests.authors import enriched
from tests.running import (
    compacted,
    differences,
    feed,
    feed_keyed,
    settings_for,
    short_session,
    wait_until_done,
    worker,
    written,
)
from tests.waiting import until

AUTHORS = 40
PRAISE = (  # nothing in it says that the author is a customer
    "thank you, I love your crews!",
    "best airline ever, so happy today",
    "what a beautiful new livery, you are amazing",
    "great service at the gate, thanks for the smiles",
    "early again, excellent pilots and a perfect landing",
    "I really enjoyed the breakfast, delicious coffee",
    "wonderful people at your help desk, you made the week",
    "the new lounge looks fantastic, you rock",
)


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
                    "text": f"@united {PRAISE[day % len(PRAISE)]}",
                    "created_at": at,
                    "author": {"id": f"u{author}", "handle": f"Fan{author}", "followers": 20_000},
                }
            )
    return [json.dumps(post).encode() for post in found]


def customers() -> list[bytes]:
    """Return customer records of every second author, by handle only and in another spelling."""
    return [
        json.dumps(
            {"customer_id": f"c{n}", "handles": [{"platform": "x", "handle": f"@FAN{n}"}], "orders": 2}
        ).encode()
        for n in range(0, AUTHORS, 2)
    ]


def feedback() -> list[bytes]:
    """Return decisions about a few candidates."""
    return [
        json.dumps({"key": f"United/x:u{n}", "decision": decision, "at": "2015-02-19T00:00:00Z"}).encode()
        for n, decision in ((0, "declined"), (2, "accepted"), (4, "contacted"))
    ]


def erasures() -> list[bytes]:
    """Return erasures of some authors."""
    return [
        json.dumps(
            {"platform": "x", "author_id": f"u{n}", "mode": mode, "at": "2015-03-01T00:00:00Z"}
        ).encode()
        for n, mode in ((6, "erase"), (8, "object"))
    ]


def revisions() -> list[bytes]:
    """Return the deletions of one author and the edits of another, who turns praise into complaints."""
    found = []
    for line in posts():
        post = json.loads(line)
        if post["created_at"].startswith("2014"):
            continue
        if post["author"]["id"] == "u12":
            found.append({**post, "op": "delete", "text": ""})
        if post["author"]["id"] == "u14":
            edit = {"op": "update", "edited_at": "2015-02-19T12:00:00Z"}
            found.append({**post, **edit, "text": "@united worst airline ever, I hate it"})
    return [json.dumps(post).encode() for post in found]


def states(settings: Settings) -> set[str]:
    """Return the authors whose state is in the changelog."""
    kept: dict[str, bytes | None] = {}
    for record in records(settings, changelog("authors")):
        kept[record.key.decode()] = record.value
    return {author for author, state in kept.items() if state is not None}


def backtest_of(files: dict[str, list[bytes]], folder: Path) -> None:
    """Run a backtest of posts and facts up to a tick, and check that each kind of fact had its effect."""
    for name, values in files.items():
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(values))
    counts = backtest.run(
        load(DEMO_CONFIG),
        posts=[folder / "posts.jsonl"],
        customers=folder / "customers.jsonl",
        feedback=folder / "feedback.jsonl",
        erasures=folder / "erasures.jsonl",
        tick="2015-02-25",
        out=folder / "backtest",
    )
    assert counts.late == AUTHORS
    expected = written(folder / "backtest", "candidates")
    found = {key.rpartition(":")[2]: candidate["state"] for key, candidate in expected.items()}
    assert {n: found.get(f"u{n}") for n in (0, 1, 2, 4, 6, 8, 10, 12, 14)} == {
        0: "declined",
        1: None,
        2: "accepted",
        4: "candidate",
        6: None,
        8: None,
        10: "candidate",
        12: None,
        14: None,
    }
    profiles = written(folder / "backtest", "profiles")
    assert "United/x:u12" not in profiles
    assert profiles["United/x:u14"]["windows"]["90d"] == {
        "posts": 8,
        "positive": 0,
        "neutral": 0,
        "negative": 8,
    }
    assert {profile["evaluated_on"] for profile in profiles.values()} == {"2015-02-25"}


def test_facts_about_authors_give_what_the_backtest_gives(own_broker: Broker, tmp_path: Path) -> None:
    """Posts, edits, deletions, facts and ticks in any order give the result of the backtest.

    Late posts go to `late`. After a day beyond the window only purchases and feedback are left.
    """
    files = {
        "posts": [*posts(), *revisions()],
        "customers": customers(),
        "feedback": feedback(),
        "erasures": erasures(),
    }
    backtest_of(files, tmp_path)
    profiles, expected = (written(tmp_path / "backtest", name) for name in ("profiles", "candidates"))
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 4})
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    recent = [post for post in posts() if b"2014-" not in post]
    with worker(settings, tmp_path / "worker.log") as running:
        feed(settings, revisions())
        feed(settings, recent[: len(recent) // 2])
        feed(settings, [*files["customers"], *files["feedback"]])
        tick(settings, "2015-02-25")
        feed(settings, recent[len(recent) // 2 :])
        wait_until_done(settings, running)
        tick(settings, "2015-02-20")  # long past: changes nothing
        feed(settings, [post for post in posts() if b"2014-" in post])
        wait_until_done(settings, running)  # a post of an erased author is not late
        feed(settings, files["erasures"])
        wait_until_done(settings, running)
        assert differences(compacted(settings, "candidates"), expected) == []
        assert differences(compacted(settings, "profiles"), profiles) == []
        assert sum(1 for _ in records(settings, "late")) == AUTHORS

        tick(settings, "2015-12-01")
        wait_until_done(settings, running)
        assert running.terminate() == 0, running.said()
    assert compacted(settings, "profiles") == compacted(settings, "candidates") == {}
    suppressed = {"x:u8"}
    assert states(settings) == {f"x:u{n}" for n in range(0, AUTHORS, 2)} | suppressed
    with open_store(settings) as store:
        assert (list(store.profiles()), list(store.candidates())) == ([], [])


def test_a_worker_killed_in_the_middle_of_a_tick_leaves_the_same_result(
    own_broker: Broker, tmp_path: Path
) -> None:
    """The next worker repeats a tick that was interrupted, and the result is as without a crash."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2})
    short = short_session()
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    authors = 3000
    feed_keyed(settings, "enriched", [enriched(n, n % authors) for n in range(2 * authors)])
    for number in range(21, 29):  # another day, where the worker was done before it was killed
        day = f"2015-02-{number}"
        if 0 < killed_after_tick(settings, day, tmp_path / f"{day}.log") < authors:
            break
    else:
        raise AssertionError("no kill was in the middle of a tick")
    with worker(settings, tmp_path / "second.log", role="profile", **short) as second:
        wait_until_done(settings, second, roles={Role.PROFILE})
        days = [profile["evaluated_on"] for profile in compacted(settings, "profiles").values()]
        assert days == [day] * authors
        tick(settings, "2015-09-01")
        wait_until_done(settings, second, roles={Role.PROFILE})
        assert second.terminate() == 0, second.said()
    assert compacted(settings, "profiles") == {}
    assert states(settings) == set()


def killed_after_tick(settings: Settings, day: str, log: Path) -> int:
    """Kill a worker as soon as it publishes what a tick changed. Return how many profiles it published."""
    with worker(settings, log, role="profile", **short_session()) as running:
        wait_until_done(settings, running, roles={Role.PROFILE})
        before = sum(1 for _ in records(settings, "profiles"))
        with admin.admin_client(settings) as client:  # looks faster than a reader of the records
            published = partial(lag, client, settings.topics.partitions)
            so_far = published()[Role.SINK].total
            tick(settings, day)
            while published()[Role.SINK].total == so_far:
                assert running.process.poll() is None, running.said()
            running.kill()
    return sum(1 for _ in records(settings, "profiles")) - before


def test_a_worker_lets_today_begin_by_itself_and_once(own_broker: Broker, tmp_path: Path) -> None:
    """Every partition gets one tick, also with a second worker, and profiles that are too old expire."""
    settings = settings_for(own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 4})
    daily = {"SUPERFAN_WINDOW__TICK": "daily"}
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed_keyed(settings, "enriched", [enriched(n, n) for n in range(20)])
    with worker(settings, tmp_path / "first.log", role="profile", **daily) as first:
        until(lambda: "has begun" in first.log.read_text(), first.said)
        with worker(settings, tmp_path / "second.log", role="profile", **daily) as second:
            time.sleep(8)  # it looks every five seconds
            wait_until_done(settings, first, second, roles={Role.PROFILE})
            assert second.terminate() == 0, second.said()
        assert first.terminate() == 0, first.said()
    ticks = list(records(settings, "ticks"))
    assert [tick.partition for tick in ticks] == [0, 1, 2, 3]
    assert compacted(settings, "profiles") == {}
    assert states(settings) == set()


def tick(settings: Settings, day: str) -> None:
    """Start a day, as `superfan tick` does."""
    client = feeding.producer(settings)
    try:
        feeding.send_ticks(client, day_from_iso(day), settings.topics.partitions)
    finally:
        client.close()
