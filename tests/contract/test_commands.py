"""Commands on a running broker and store, as the README and the contract describe them."""

import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from models.customer import decode_erasure
from models.times import instant
from streams.broker.reading import records
from streams.settings import DEMO_CONFIG, Settings
from tests.commands import superfan
from tests.contract.conftest import MALFORMED
from tests.running import feed_keyed, wait_until_done, worker, written
from tests.waiting import STUCK, until


def test_topics_are_as_the_table_says(env: dict[str, str]) -> None:
    """After `topics apply` every topic is as it should be, and applying again creates nothing."""
    listed = superfan("topics", "list", "-o", "json", env=env)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {row["on_broker"] for row in rows} == {"as it should be"}
    assert b"0 topics created" in superfan("topics", "apply", env=env).stderr


def test_a_topic_that_differs_is_named_with_the_difference(env: dict[str, str]) -> None:
    """Another number of partitions than the broker has is an error that says which."""
    done = superfan("topics", "apply", env=env | {"SUPERFAN_TOPICS__PARTITIONS": "3"})
    assert done.returncode == 1
    assert b"partitions is 4, should be 3" in done.stderr.replace(b"\n", b" ")


def test_the_board_is_the_backtests(env: dict[str, str], yardstick: Path) -> None:
    """`candidates list` shows, in every format, who a backtest of everything finds."""
    expected = sorted(written(yardstick, "candidates").values(), key=lambda c: (-c["score"], c["key"]))
    listed = superfan("candidates", "list", "-o", "json", env=env)
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [c["key"] for c in found] == [c["key"] for c in expected]
    table = superfan("candidates", "list", env=env).stdout.decode()
    assert expected[0]["key"] in table
    rows = superfan("candidates", "list", "-o", "csv", "--limit", "2", env=env).stdout.decode().splitlines()
    assert len(rows) == 3
    assert rows[0].startswith("key,brand,")


def test_a_card_says_why(env: dict[str, str], yardstick: Path) -> None:
    """`candidates show` prints the headline and the reasons; an unknown key says what to do."""
    key, expected = next(iter(sorted(written(yardstick, "candidates").items())))
    shown = superfan("candidates", "show", key, env=env)
    assert expected["headline"][:40] in " ".join(shown.stdout.decode().split())
    assert json.loads(superfan("candidates", "show", key, "-o", "json", env=env).stdout)["key"] == key
    unknown = superfan("candidates", "show", "nobody", env=env)
    assert unknown.returncode == 1
    assert b"candidates list" in unknown.stderr
    mistyped = superfan("candidates", "show", key[:-1] + "_", env=env)
    assert key in mistyped.stderr.decode(), "the nearest key is proposed"


def test_no_colour_where_nobody_sees_it(env: dict[str, str]) -> None:
    """Piped output has no escape codes, nor has it where `NO_COLOR` asks for none."""
    for extra in ({}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        done = superfan("candidates", "list", env=env | extra)
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", done.stdout), extra
    assert b"\x1b" not in superfan("candidates", "list", env=env).stdout


def test_tail_follows_the_topic(env: dict[str, str], settings: Settings, yardstick: Path) -> None:
    """`candidates tail` prints present and new changes, deletions and unreadable records included.

    SIGTERM and a closed pipe end it without an error.
    """
    known = written(yardstick, "candidates")
    there = superfan("candidates", "tail", "--from-beginning", "--limit", "3", "-o", "json", env=env)
    assert there.returncode == 0, there.stderr
    assert {json.loads(line)["key"] for line in there.stdout.splitlines()} <= known.keys()

    command = [sys.executable, "-m", "streams", "candidates", "tail", "-o", "json"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert b"Following" in tail.stderr.readline()
        key, value = next((r.key, r.value) for r in records(settings, "candidates") if r.value)
        lines_read: list[bytes] = []
        stdout = tail.stdout
        waiting = Thread(target=lambda: lines_read.append(stdout.readline()))
        waiting.start()
        while not lines_read:  # it says that it follows a moment before it stands at the end
            feed_keyed(settings, "candidates", [(key, b"no record"), (key, None), (key, value)])
            waiting.join(0.5)
        found = [json.loads(line) for line in (lines_read[0], tail.stdout.readline())]
        assert [(line["key"], line["state"]) for line in found] == [
            (key.decode(), "deleted"),
            (key.decode(), json.loads(value)["state"]),
        ]
        tail.terminate()
        _, said = tail.communicate(timeout=STUCK)
        assert tail.returncode == 0, said
        assert b"is not a candidate" in said

    with subprocess.Popen(
        [*command, "--from-beginning"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as left:
        assert left.stdout is not None
        left.stdout.readline()
        left.stdout.close()
        assert left.stderr is not None
        said = left.stderr.read()
        assert left.wait(20) == 0, said
    assert b"Traceback" not in said


def test_the_report_is_a_page_of_the_store(env: dict[str, str], yardstick: Path, tmp_path: Path) -> None:
    """`report` writes every author it is asked for, twice the same bytes, and says where."""
    first, second = tmp_path / "first.html", tmp_path / "second.html"
    for page in (first, second):
        done = superfan("report", "-o", str(page), "--config", str(DEMO_CONFIG), env=env)
        assert done.returncode == 0, done.stderr
        assert str(page).encode() in done.stderr.replace(b"\n", b"")
    assert first.read_bytes() == second.read_bytes()
    assert all(key in first.read_text() for key in written(yardstick, "candidates"))
    nowhere = superfan("report", "-o", str(tmp_path / "no" / "page.html"), env=env)
    assert nowhere.returncode == 1
    assert b"a folder that exists" in nowhere.stderr.replace(b"\n", b" ")


def test_dead_letters_are_listed_with_their_reasons(env: dict[str, str]) -> None:
    """Each bad record is there, and can be asked for by reason."""
    listed = superfan("dead-letters", "list", "-o", "json", env=env)
    assert len(listed.stdout.splitlines()) == MALFORMED
    future = superfan("dead-letters", "list", "--reason", "future", "-o", "json", env=env)
    (letter,) = map(json.loads, future.stdout.splitlines())
    assert letter["reason"] == "future"
    position = f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
    shown = superfan("dead-letters", "show", position, "-o", "json", env=env)
    assert json.loads(shown.stdout) == letter


def test_lag_is_reported_by_role_and_topic(env: dict[str, str]) -> None:
    """`lag` asks for every role, and for each topic that it reads."""
    done = superfan("lag", "-o", "json", env=env)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["role"] for row in rows} == {"enrich", "profile", "sink"}
    assert {row["topic"] for row in rows} >= {"mentions", "enriched", "candidates"}


def test_a_day_begins_on_every_partition(env: dict[str, str], settings: Settings) -> None:
    """`tick` sends one record a partition; a day that is none, or has not begun, is wrong usage."""
    done = superfan("tick", "--day", "2015-02-24", env=env)
    assert done.returncode == 0, done.stderr
    reported = [(tick.partition, json.loads(tick.value)) for tick in records(settings, "ticks")]
    assert sorted(reported) == [(n, {"day": "2015-02-24"}) for n in range(4)]
    for day in ("yesterday", "2999-01-01"):
        refused = superfan("tick", "--day", day, env=env)
        assert refused.returncode == 2
        assert day.encode() in refused.stderr


def test_a_person_is_forgotten_by_one_command(env: dict[str, str], settings: Settings) -> None:
    """`forget` sends the erasure that a worker reads; what nobody can be is wrong usage."""
    before = time.time()
    for arguments in (["x", "x:[/red]"], ["x", "nobody", "--object"]):
        done = superfan("forget", *arguments, env=env)
        assert done.returncode == 0, done.stderr
        assert f"x:{arguments[1]} is being forgotten".encode() in done.stderr
    sent = sorted((record.key, decode_erasure(record.value)) for record in records(settings, "erasures"))
    assert [(key, one.author_id, one.mode) for key, one in sent] == [
        (b"x:nobody", "nobody", "object"),
        (b"x:x:[/red]", "x:[/red]", "erase"),
    ]
    assert all(int(before) <= instant(one.at) / 1000 <= time.time() for _, one in sent)
    for nobody, reported in ((["friendster", "1"], b"'mastodon'"), (["x", " "], b"author_id")):
        refused = superfan("forget", *nobody, env=env)
        assert refused.returncode == 2
        assert reported in refused.stderr


def test_all_is_well_when_it_is(env: dict[str, str], settings: Settings, tmp_path: Path) -> None:
    """`doctor` and `health` find nothing wrong where a worker has done everything there is."""
    with worker(settings, tmp_path / "worker.log") as running:
        wait_until_done(settings, running)
        for command in ("doctor", "health"):
            done = superfan(command, "-o", "json", env=env)
            findings = [json.loads(line) for line in done.stdout.splitlines()]
            assert done.returncode == 0, findings
            assert all(finding["ok"] and not finding["fix"] for finding in findings)
        assert running.terminate() == 0, running.said()


def test_only_the_sink_needs_the_store(env: dict[str, str], tmp_path: Path) -> None:
    """`health --role` asks for what the role needs: without a store the other roles are well."""
    away = env | {"SUPERFAN_STORE_URL": f"sqlite:///{tmp_path}/empty.db"}
    healthy = {
        role: superfan("health", "--role", role, env=away).returncode for role in ("enrich", "profile")
    }
    assert healthy == {"enrich": 0, "profile": 0}
    assert superfan("health", "--role", "sink", env=away).returncode == 3


def test_a_broker_that_is_away_is_unhealthy_and_says_how_to_start_one(env: dict[str, str]) -> None:
    """`health` exits 3, `doctor` names the fix, `feed` fails without a traceback."""
    away = env | {"SUPERFAN_BROKER_URL": "kafka://127.0.0.1:9"}
    with ThreadPoolExecutor(4) as waiting:  # each waits for the broker as long as it may
        health = waiting.submit(superfan, "health", env=away)
        of_role = waiting.submit(superfan, "health", "--role", "enrich", env=away)
        doctor = waiting.submit(superfan, "doctor", "-o", "json", env=away)
        feeding = waiting.submit(superfan, "feed", "-", env=away, stdin=b"{}\n")
    assert health.result().returncode == of_role.result().returncode == 3
    reported, fed = doctor.result(), feeding.result()
    assert reported.returncode == 3
    assert b"superfan broker" in reported.stdout
    assert fed.returncode == 1
    assert b"Traceback" not in fed.stderr


def test_a_worker_writes_nothing_where_it_runs(
    env: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    """A worker needs no folder to write to: images run it on a file system that is read-only."""
    here = tmp_path / "here"
    here.mkdir()
    with worker(settings, tmp_path / "worker.log", "sink", within=("env", "-C", str(here))) as running:
        until(lambda: "Worker started" in running.said(), running.said)
        assert running.terminate() == 0
    assert list(here.iterdir()) == []


def test_settings_are_shown_with_secrets_hidden(env: dict[str, str]) -> None:
    """`config` prints what is in force, and no password."""
    url = "postgresql+psycopg://me:hunter2@localhost/db"
    done = superfan("config", env=env | {"SUPERFAN_STORE_URL": url})
    shown = json.loads(done.stdout)
    assert b"hunter2" not in done.stdout + done.stderr
    assert shown["topics"]["partitions"] == 4
    assert shown["store_url"] == "postgresql+psycopg://me:***@localhost/db"


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("SUPERFAN_BROKER_URL", "nonsense", "broker_url"),
        ("SUPERFAN_WORKER__BATCH", "0", "worker.batch"),
        ("SUPERFAN_WORKER__BATHC", "5", "known are"),
        ("SUPERFAN_BROKER", "x", "SUPERFAN_BROKER_URL"),
        ("SUPERFAN_TIERS__WANTED", '["huge"]', "micro"),
        ("SUPERFAN_CONFIG", "/nowhere.toml", "/nowhere.toml"),
        ("SUPERFAN_STORE_URL", "mysql://u:hunter2@h/d", "sqlite"),
    ],
)
def test_a_wrong_setting_is_named_and_exits_2(
    env: dict[str, str], name: str, value: str, reported: str
) -> None:
    """A wrong or unknown key, in the environment or the file, says which and what is allowed."""
    done = superfan("config", env=env | {name: value})
    assert done.returncode == 2
    said = done.stderr.decode().replace("\n", " ")
    assert reported in said
    assert "Traceback" not in said
    assert "hunter2" not in said


def test_a_source_without_a_lawful_basis_stops_the_worker(env: dict[str, str], tmp_path: Path) -> None:
    """No platform is read without a lawful basis: the worker refuses to start."""
    config = tmp_path / "superfan.toml"
    config.write_text('[[brands]]\nname = "Acme"\n[sources.x]\n')
    done = superfan("worker", env=env | {"SUPERFAN_CONFIG": str(config)})
    assert done.returncode == 2
    assert "lawful_basis" in done.stderr.decode()
