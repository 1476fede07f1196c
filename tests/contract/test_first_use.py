"""What somebody meets who has set up nothing, or something wrong: an answer, and nothing written or lost."""

import subprocess
from pathlib import Path

import pytest

from tests.commands import superfan


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command of these tests finds a broker."""
    monkeypatch.setenv("SUPERFAN_BROKER_URL", "kafka://127.0.0.1:9")


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What a command said on standard error, without its line breaks."""
    return " ".join(done.stderr.decode().split())


@pytest.mark.parametrize("command", ["candidates list", "candidates show x", "report", "doctor", "health"])
def test_commands_that_read_make_no_store(command: str, tmp_path: Path) -> None:
    """Where there is no store, whoever wants to read it is told so, and none is made."""
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
    """What workers write and trust is closed to files; the answer names what is open."""
    done = superfan("feed", "-", "--topic", topic, stdin=b"{}")
    assert done.returncode == 2
    told = " ".join(done.stderr.decode().replace("│", " ").split())
    assert "mentions, comments, hashtags, customers, feedback, erasures" in told
