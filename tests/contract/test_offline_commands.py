"""Commands that need no broker, as the README and the contract describe them."""

import json
from pathlib import Path

import pytest

from streams.settings import DEMO_CONFIG, load
from tests.bundled import looser
from tests.commands import superfan


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
