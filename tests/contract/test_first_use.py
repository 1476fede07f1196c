"""Commands without a set-up, or with a wrong one, answer clearly and write or lose nothing."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from models.store import Store
from streams.settings import DEMO_CONFIG, SettingsError, load
from tests.commands import superfan


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command of these tests finds a broker."""
    monkeypatch.setenv("SUPERFAN_BROKER_URL", "kafka://127.0.0.1:9")


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return what a command printed on standard error, without its line breaks."""
    return " ".join(done.stderr.decode().split())


@pytest.mark.parametrize("command", ["candidates list", "candidates show x", "report", "doctor", "health"])
def test_commands_that_read_make_no_store(command: str, tmp_path: Path) -> None:
    """A command that reads a store that does not exist says so, and makes none."""
    done = superfan(*command.split(), cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    if command in {"doctor", "health"}:
        assert done.returncode == 3
        assert "There is no store at" in " ".join(done.stdout.decode().split())
    else:
        assert done.returncode == 1
        assert "There is no store at" in said(done)
        assert "start a worker" in said(done)


def test_a_demo_deletes_no_file_of_somebody_else(tmp_path: Path) -> None:
    """Wrong usage, with what to do instead, at once; the file stays as it is."""
    notes = tmp_path / "notes.db"
    notes.write_text("mine")
    done = superfan("demo", "--store", notes.name, cwd=tmp_path)
    assert done.returncode == 2
    assert "name another file with --store" in said(done)
    assert notes.read_text() == "mine"


@pytest.mark.parametrize(
    "topic", ["superfan-profile-authors-changelog", "superfan-author-facts", "profiles", "enriched", "ticks"]
)
def test_only_what_people_send_can_be_fed(topic: str) -> None:
    """Topics that only workers write cannot be fed; the answer names those that can."""
    done = superfan("feed", "-", "--topic", topic, stdin=b"{}")
    assert done.returncode == 2
    reported = " ".join(done.stderr.decode().replace("│", " ").split())
    assert "mentions, comments, hashtags, customers, feedback, erasures" in reported


@pytest.mark.parametrize("command", ["config", "doctor", "worker", "backtest --posts x --out y"])
def test_two_brands_of_one_name_are_wrong_settings(command: str, tmp_path: Path) -> None:
    """Every command says so, with the key and the file, before it begins."""
    (tmp_path / "superfan.toml").write_text(
        '[[brands]]\nname = "Acme"\n[[brands]]\nname = "Acme"\n[sources.x]\nlawful_basis = "consent"\n'
    )
    done = superfan(*command.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert "brands (superfan.toml): two of them are named 'Acme'" in said(done)


def test_a_wrong_setting_says_where_it_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a variable or a flag; and whose of several brands it is."""
    (tmp_path / "superfan.toml").write_text(
        '[[brands]]\nname = "Acme"\n[[brands]]\nname = "a/b"\n[sources.x]\nlawful_basis = "consent"\n'
    )
    monkeypatch.setenv("SUPERFAN_WORKER__BATCH", "0")
    done = superfan("config", cwd=tmp_path)
    assert done.returncode == 2
    assert "brands.#2.name (superfan.toml): " in said(done)
    assert "worker.batch (SUPERFAN_WORKER__BATCH): " in said(done)
    with pytest.raises(SettingsError, match=r"topics\.partitions \(a flag\): "):
        load(DEMO_CONFIG, worker={"batch": 1}, topics={"partitions": 0})


def test_a_bug_is_one_readable_line() -> None:
    """An unexpected error exits with 1 and says how to see more; `--debug` shows the traceback."""
    code = "from streams import cli, settings; settings.load = lambda *_: 1 / 0; cli.app()"
    done = subprocess.run([sys.executable, "-c", code, "config"], capture_output=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError in " in said(done)
    assert "superfan --debug" in said(done)
    assert "Traceback" not in said(done)
    shown = subprocess.run(
        [sys.executable, "-c", code, "config", "--debug"], capture_output=True, check=False
    )
    assert "Traceback" in said(shown)


def test_a_reader_who_leaves_is_no_error() -> None:
    """Help whose reader has seen enough ends with 0, as all other output does."""
    for words in ([], ["feed"]):
        with subprocess.Popen(
            [sys.executable, "-m", "streams", *words, "--help"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as left:
            assert left.stdout is not None
            assert left.stderr is not None
            left.stdout.close()
            assert left.stderr.read() == b""
            assert left.wait(60) == 0


def test_no_password_is_shown_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password given as a parameter of the store's address is as secret as one before the host."""
    monkeypatch.setenv(
        "SUPERFAN_STORE_URL", "postgresql+psycopg://h/d?user=u&password=s3cret&sslmode=require"
    )
    done = superfan("config")
    assert b"s3cret" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["store_url"] == "postgresql+psycopg://h/d?sslmode=require&user=u"


@pytest.fixture
def nobody_yet(tmp_path: Path) -> Path:
    """A folder with a store in which nobody is."""
    with closing(Store(f"sqlite:///{tmp_path}/superfan.db")) as store:
        store.migrate()
    return tmp_path


def test_a_tier_that_is_none_is_wrong_usage(nobody_yet: Path) -> None:
    """The answer names those that are; one in another case is meant."""
    done = superfan("candidates", "list", "--tier", "foo", cwd=nobody_yet)
    assert done.returncode == 2
    assert "'foo' is not one of" in done.stderr.decode()
    assert "micro" in done.stderr.decode()
    assert superfan("candidates", "list", "--tier", "Micro", cwd=nobody_yet).returncode == 0


def test_a_report_can_go_to_standard_output(nobody_yet: Path) -> None:
    """`-` is no file, as with every other command."""
    done = superfan("report", "-o", "-", cwd=nobody_yet)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith(b"</html>")
    assert "to standard output" in said(done)
    assert [file.name for file in nobody_yet.iterdir()] == ["superfan.db"]
