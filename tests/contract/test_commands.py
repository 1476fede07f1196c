"""The commands as the README and the contract describe them."""

import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest

from models.customer import decode_customer, decode_erasure, decode_feedback
from models.post import decode_post
from models.times import instant
from streams.broker.embedded import Broker
from streams.broker.reading import records
from streams.settings import DEMO_CONFIG, Settings, load
from tests.bundled import looser
from tests.commands import superfan
from tests.malformed import malformed
from tests.running import environment, feed, feed_keyed, settings_for, wait_until_done, worker, written
from tests.waiting import STUCK, until

ROOT = Path(__file__).parents[2]
README = "\n".join((ROOT / name).read_text() for name in ("README.md", "streams/README.md"))
FOLDERS = ("deploy", "models", "nlp", "streams", "tests")

MALFORMED = 30
"""records that are rejected: one of each kind"""

RUN_HERE = {
    "superfan topics list",
    "superfan topics apply",
    "superfan worker",
    "superfan feed FILE",
    "superfan feed posts.jsonl",
    "superfan lag",
    "superfan tick",
    "superfan forget PLATFORM AUTHOR_ID",
    "superfan backtest",
    "superfan backtest --posts posts.jsonl --compare candidate.toml --out results",
    "superfan tune",
    "superfan tune --feedback feedback.jsonl -o candidate.toml",
    "superfan annotate",
    "superfan nlp explain TEXT",
    "superfan candidates list",
    "superfan candidates show KEY",
    "superfan candidates tail",
    "superfan report",
    "superfan dead-letters list",
    "superfan dead-letters show PLACE",
    "superfan doctor",
    "superfan health",
    "superfan config",
    "superfan broker",
}
RUN_ELSEWHERE = {
    "superfan dead-letters replay": "tests/integration/test_dead_letters.py",
    "superfan exporter": "tests/ops/test_live.py",
    "superfan topics accept TOPIC": "tests/integration/test_no_dead_role.py",
    "make demo": "tests/integration/test_demo.py",
    "superfan demo": "tests/integration/test_demo.py",
    "make test": "every run of the tests",
}


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    """A command that the README names and no test runs would rot."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    named = {line.strip() for block in blocks for line in block.splitlines() if line.strip()}
    named |= set(re.findall(r"^\| `(superfan [^`]+)` \|", README, re.MULTILINE))
    assert named == RUN_HERE | set(RUN_ELSEWHERE)


def test_the_examples_of_the_readme_are_records() -> None:
    """A reader may copy the README's post, customer and feedback: the code accepts each."""
    post, customer, feedback = (
        block.encode() for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    )
    received_ms = instant("2026-11-30T00:00:00Z")
    assert decode_post(post, received_ms=received_ms, lawful=frozenset({"x"}))[0].author.handle == "ana"
    assert decode_customer(customer).orders == 3
    assert decode_feedback(feedback).decision == "accepted"


@pytest.fixture(scope="module")
def settings(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings on the session's broker, with a store of this module."""
    return settings_for(
        broker, f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db", topics={"partitions": 4}
    )


@pytest.fixture(scope="module")
def fans(posts: list[bytes], yardstick: Path) -> list[bytes]:
    """The posts of everyone who is on the board: few, and enough for the same board."""
    authors = {row["author_id"] for row in written(yardstick, "candidates").values()}
    return [post for post in posts if json.loads(post)["author"]["id"] in authors]


@pytest.fixture(scope="module")
def env(
    settings: Settings, fans: list[bytes], customers: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An environment in which a worker has processed the fans' posts and some bad records."""
    env = environment(settings)
    assert superfan("health", env=env).returncode == 3, "no topics and no schema yet"
    listed = superfan("topics", "list", "-o", "json", env=env)
    assert {json.loads(line)["on_broker"] for line in listed.stdout.splitlines()} == {"missing"}
    applied = superfan("topics", "apply", env=env)
    assert applied.returncode == 0, applied.stderr
    folder = tmp_path_factory.mktemp("files")
    (folder / "posts.jsonl").write_bytes(b"\n".join(fans))
    (folder / "customers.jsonl").write_bytes(b"\n".join(customers))
    with worker(settings, folder / "worker.log") as running:
        for name in ("customers", "posts"):
            fed = superfan("feed", str(folder / f"{name}.jsonl"), env=env)
            assert fed.returncode == 0, fed.stderr
        feed(settings, [value for value, _ in malformed(MALFORMED)])
        wait_until_done(settings, running)
        assert running.terminate() == 0, running.said()
        levels = {json.loads(line)["level"] for line in running.log.read_text().splitlines()}
        assert levels == {"info"}, running.said()
    return env


def test_every_target_that_a_document_names_is_one() -> None:
    """`make X`, in a sentence or in a block of commands of any document, is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
    for path in documents:
        text = path.read_text()
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        named = re.findall(r"`make ([\w-]+)", text) + re.findall(r"^make ([\w-]+)", blocks, re.MULTILINE)
        assert set(named) <= targets, path


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


def test_a_source_without_a_lawful_basis_stops_the_worker(env: dict[str, str], tmp_path: Path) -> None:
    """No platform is read without a lawful basis: the worker refuses to start."""
    config = tmp_path / "superfan.toml"
    config.write_text('[[brands]]\nname = "Acme"\n[sources.x]\n')
    done = superfan("worker", env=env | {"SUPERFAN_CONFIG": str(config)})
    assert done.returncode == 2
    assert "lawful_basis" in done.stderr.decode()


def test_annotate_answers_each_line_in_order(env: dict[str, str]) -> None:
    """One line out for each line in; a bad or empty line is answered by an error, the others stay."""
    lines = [
        b'{"text": "I love @JetBlue"}',
        b"{oops",
        b'{"text": "hate it", "targets": ["it"]}',
        b'{"text": 5}',
        b"",
        b'{"text": "none asked", "targets": null}',
    ]
    done = superfan("annotate", env=env, stdin=b"\n".join(lines) + b"\n")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [("error" in row) for row in found] == [False, True, False, True, True, False]
    assert found[0]["brands"][0]["brand"] == "JetBlue"
    assert found[0]["sentiment"]["label"] == "positive"
    assert [t["text"] for t in found[2]["targets"]] == ["it"]


def test_explain_names_the_words_behind_a_sentiment(env: dict[str, str]) -> None:
    """People read what was found and why; programs get the same as one line of JSON, or the drops as CSV."""
    text = "I love @JetBlue [/b] \x1b[31m but the queue was awful"
    asked = ("nlp", "explain", text, "--target", "queue")
    read = superfan(*asked, env=env)
    assert read.returncode == 0, read.stderr
    shown = read.stdout.decode()
    assert all(word in shown for word in ("JetBlue", "queue", "love", "awful", "points"))
    assert "\x1b" not in shown
    reported = json.loads(superfan(*asked, "-o", "json", env=env).stdout)
    assert [(f["of"], f["name"]) for f in reported["findings"]] == [
        ("text", ""),
        ("brand", "JetBlue"),
        ("target", "queue"),
    ]
    rows = superfan(*asked, "-o", "csv", env=env).stdout.decode().splitlines()
    assert rows[0] == "of,name,label,token,start,end,drop"
    assert len(rows) == 1 + sum(len(f["moves"]) for f in reported["findings"])


def test_explain_looks_for_the_brands_it_is_given(env: dict[str, str]) -> None:
    """`--brand` stands for the settings' brands; a name that can be none is wrong usage."""
    text = "I love @acme and @JetBlue"
    reported = json.loads(superfan("nlp", "explain", text, "--brand", "Acme", "-o", "json", env=env).stdout)
    assert [b["brand"] for b in reported["annotation"]["brands"]] == ["Acme"]
    known = superfan("nlp", "explain", "my TrueBlue points", "--brand", "jetblue", "-o", "json", env=env)
    assert [b["brand"] for b in json.loads(known.stdout)["annotation"]["brands"]] == ["JetBlue"]
    assert superfan("nlp", "explain", text, "--brand", "a/b", env=env).returncode == 2


HEAVY = {
    "faust",
    "kafka",
    "aiokafka",
    "msgspec",
    "numpy",
    "pydantic_settings",
    "spacy",
    "sqlalchemy",
}


@pytest.mark.parametrize("arguments", [[], ["worker"], ["candidates", "list"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """`--help` loads what prints it, and none of the libraries that do the work."""
    code = (
        "import sys; from streams.cli import app; "
        f"app({[*arguments, '--help']}, standalone_mode=False); "
        f"sys.exit(', '.join({HEAVY} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Usage" in done.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    """`--version` prints the name and the version that pip reports."""
    done = superfan("--version")
    assert done.returncode == 0
    assert done.stdout.decode().strip() == f"superfan {version('superfan')}"


def test_the_backtest_writes_three_files(env: dict[str, str], fans: list[bytes], tmp_path: Path) -> None:
    """Profiles, candidates and dead letters; the same files give the same bytes."""
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join([*fans, b"{oops"]))
    for out in ("one", "two"):
        done = superfan(
            "backtest", "--posts", str(tmp_path / "posts.jsonl"), "--out", str(tmp_path / out), env=env
        )
        assert done.returncode == 0, done.stderr
    for name in ("profiles", "candidates"):
        assert (tmp_path / "one" / f"{name}.jsonl").read_bytes() == (
            tmp_path / "two" / f"{name}.jsonl"
        ).read_bytes()
    (letter,) = (tmp_path / "one" / "dead-letters.jsonl").read_text().splitlines()
    assert json.loads(letter)["reason"] == "not_json"


def test_a_comparison_is_a_table_for_people_and_rows_for_programs(
    env: dict[str, str], fans: list[bytes], customers: list[bytes], tmp_path: Path
) -> None:
    """`backtest --compare` says who enters and leaves and why, in every format, and writes it down."""
    (tmp_path / "posts.jsonl").write_bytes(b"\n".join(fans))
    (tmp_path / "customers.jsonl").write_bytes(b"\n".join(customers))
    (tmp_path / "strict.toml").write_text(looser().replace("positive_days = 1", "positive_days = 3"))
    (tmp_path / "candidate.toml").write_text(looser())
    asked: tuple[str, ...] = ("backtest", "--config", "strict.toml", "--compare", "candidate.toml")
    asked += ("--posts", "posts.jsonl", "--customers", "customers.jsonl", "--out", "results")
    read = superfan(*asked, env=env, cwd=tmp_path)
    assert read.returncode == 0, read.stderr
    rows = [*map(json.loads, (tmp_path / "results" / "comparison.jsonl").read_text().splitlines())]
    assert {row["change"] for row in rows} >= {"enters"}
    entering = [row for row in rows if row["change"] == "enters"]
    table = read.stdout.decode()
    assert all(row["key"] in table for row in entering)
    assert "positive_days" in table
    assert f"{len(entering)} promoted".encode() in read.stderr
    assert b"\r" not in read.stderr + read.stdout
    assert b"\x1b" not in read.stderr + read.stdout
    reported = superfan(*asked, "-o", "json", env=env, cwd=tmp_path)
    assert [json.loads(line) for line in reported.stdout.splitlines()] == rows
    as_csv = superfan(*asked, "-o", "csv", env=env, cwd=tmp_path).stdout.decode().splitlines()
    assert as_csv[0] == "key,change,state_before,state_after,score_before,score_after,points,because"
    assert len(as_csv) == 1 + len(rows)


def test_a_comparison_with_a_wrong_file_is_the_usual_error(env: dict[str, str], tmp_path: Path) -> None:
    """A key of the other file that is unknown is named, before anything is read, and exits 2."""
    (tmp_path / "wrong.toml").write_text(DEMO_CONFIG.read_text() + "[weights]\nluck = 1\n")
    out = str(tmp_path / "out")
    for wrong, reported in (("wrong.toml", b"weights.luck"), ("nowhere.toml", b"nowhere.toml")):
        done = superfan("backtest", "--posts", "-", "--out", out, "--compare", str(tmp_path / wrong), env=env)
        assert done.returncode == 2
        assert reported in done.stderr.replace(b"\n", b"")
        assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_tune_writes_settings_and_reports_what_they_are_worth(
    env: dict[str, str], yardstick: Path, tmp_path: Path
) -> None:
    """From decisions and profiles: a file that can be compared and used, and a report of old and new."""
    profiles = [*map(json.loads, (yardstick / "profiles.jsonl").read_text().splitlines()[:300])]
    feedback = [
        {
            "key": row["key"],
            "decision": "accepted" if row["components"]["enthusiasm"] > 0.1 else "declined",
            "at": "2026-11-20T09:30:00Z",
        }
        for row in profiles
    ]
    (tmp_path / "feedback.jsonl").write_text("\n".join(map(json.dumps, feedback)))
    asked = ("tune", "--feedback", "feedback.jsonl", "--profiles", str(yardstick / "profiles.jsonl"))
    done = superfan(*asked, "-o", "candidate.toml", "--format", "json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    weights = {name: row["new"] for name, row in rows.items() if row["kind"] == "weight"}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["enthusiasm"] > rows["enthusiasm"]["present"]
    assert rows["auc"]["new"] >= rows["auc"]["present"]
    made = load(tmp_path / "candidate.toml")
    assert made.weights.model_dump() == weights
    assert made.brands == load(DEMO_CONFIG).brands
    assert b"settings in use did not change" in done.stderr.replace(b"\n", b" ")
    table = superfan(*asked, "-o", "again.toml", env=env, cwd=tmp_path)
    assert (tmp_path / "again.toml").read_bytes() == (tmp_path / "candidate.toml").read_bytes()
    assert "enthusiasm" in table.stdout.decode()


def test_tune_reads_the_store_and_refuses_too_little_feedback(env: dict[str, str], tmp_path: Path) -> None:
    """Without a file the store's profiles are taken; a handful of decisions is refused."""
    board = superfan("candidates", "list", "-o", "json", env=env).stdout.splitlines()
    keys = [json.loads(line)["key"] for line in board][:6]
    lines = [
        {"key": key, "decision": "accepted" if n % 2 else "declined", "at": "2026-11-20T09:30:00Z"}
        for n, key in enumerate([*keys, "JetBlue/x:nobody"])
    ]
    (tmp_path / "feedback.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = superfan("tune", "--feedback", "feedback.jsonl", "-o", "candidate.toml", env=env, cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.decode().replace("\n", " ")
    assert "1 of 7 decided authors: they have no profile" in said
    assert "6 usable decisions, 3 accepted and 3 declined" in said
    assert not (tmp_path / "candidate.toml").exists()


def test_the_broker_command_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """`superfan broker` says where it answers, and ends with 0 on SIGTERM."""
    command = [sys.executable, "-m", "streams", "broker", "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"kafka://127.0.0.1:" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=STUCK)
    assert process.returncode == 0
    assert b"Stopped" in said


@pytest.mark.parametrize(
    "command",
    [
        "",
        "demo",
        "broker",
        "topics",
        "topics list",
        "topics apply",
        "topics accept",
        "worker",
        "feed",
        "lag",
        "exporter",
        "tick",
        "forget",
        "backtest",
        "tune",
        "annotate",
        "nlp",
        "nlp explain",
        "candidates",
        "candidates list",
        "candidates show",
        "dead-letters",
        "dead-letters list",
        "dead-letters show",
        "dead-letters replay",
        "doctor",
        "health",
        "config",
    ],
)
def test_every_help_has_examples(command: str) -> None:
    """`--help` of every command shows how it is used."""
    done = superfan(*command.split(), "--help")
    assert done.returncode == 0
    assert b"Examples" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["fed"],
        ["feed"],
        ["worker", "--role", "cook"],
        ["feed", "x", "--topic", "y"],
        ["backtest", "--posts", "x", "--out", "y", "--tick", "today"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """Unknown commands, options and topics, and days that are none, are usage errors."""
    assert superfan(*arguments).returncode == 2
