"""The demo replaces only its own files, and only by complete new ones."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from models.candidate import Candidate, Profile
from models.errors import SuperfanError, UsageError
from models.store import Store
from streams import demo
from streams.settings import DEMO_CONFIG, Settings, load
from streams.sources.lines import read, route
from tests.authors import outputs
from tests.unit.models.test_decision import FAN

QUIET = Console(quiet=True)


def someone() -> str:
    """Return the key of an author of the bundled posts."""
    key = route(next(iter(read(demo.data("posts.jsonl.gz"))))).key
    assert key is not None
    return f"JetBlue/{key.decode()}"


def filled(file: Path, key: str, **changed: Any) -> None:
    """Create a store with one author under this key."""
    profile, candidate = outputs(list(FAN))[0]
    assert candidate is not None
    records: list[Profile | Candidate] = [
        msgspec.structs.replace(record, key=key, **changed) for record in (profile, candidate)
    ]
    with closing(Store(f"sqlite:///{file}")) as store:
        store.migrate()
        store.apply(records)


def no_database(file: Path) -> None:
    """Create a text file."""
    file.write_text("my notes")


def another_database(file: Path) -> None:
    """Create a database of another program."""
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("CREATE TABLE mine (x)")


@pytest.mark.parametrize(
    "make",
    [
        no_database,
        another_database,
        lambda file: filled(file, "JetBlue/x:somebody"),
        lambda file: filled(file, someone(), state="accepted"),
        lambda file: file.mkdir(),
    ],
    ids=["text", "database", "author", "decision", "folder"],
)
def test_a_file_that_may_be_somebodys_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Another program's file, another author, a person's decision: nothing of it is touched."""
    file = tmp_path / "other.db"
    make(file)
    before = file.is_file() and file.read_bytes()
    with pytest.raises(UsageError, match="--store"):
        demo.run(QUIET, store=file, report=tmp_path / "report.html", workers=1)
    assert (file.is_file() and file.read_bytes()) == before
    assert [*tmp_path.iterdir()] == [file]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The store of an earlier demo, and beside it what a reader that was killed left."""
    file = tmp_path / "superfan.db"
    filled(file, someone())
    return file


def through(key: str, failure: BaseException | None = None) -> Callable[..., Settings]:
    """Return a stream that leaves a store with this author, or fails."""

    def run(_: Console, store: Path, *__: object) -> Settings:
        filled(store, key)
        if failure is not None:
            raise failure
        return load(DEMO_CONFIG, store_url=f"sqlite:///{store}")

    return run


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), demo.DemoError("It", "broke", "try")])
def test_a_demo_that_breaks_off_leaves_what_was_there(
    failure: BaseException, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the new store is whole, the earlier one stays; of the new one nothing is left."""
    before = earlier.read_bytes()
    monkeypatch.setattr(demo, "_run_stream", through(someone(), failure))
    with pytest.raises(type(failure)):
        demo.run(QUIET, store=earlier, report=earlier.with_name("report.html"), workers=1)
    assert earlier.read_bytes() == before
    assert [*earlier.parent.iterdir()] == [earlier]


def test_a_second_demo_replaces_the_first_without_a_question(
    earlier: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new store takes the place of the old one, and the last line is a command that shows its best."""
    report = earlier.with_name("report.html")
    console = Console(stderr=True)
    for log in ("-wal", "-shm"):
        Path(f"{earlier}{log}").write_bytes(b"of the earlier one")
    monkeypatch.chdir(earlier.parent)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(demo, "_run_stream", through("JetBlue/x:new"))
    demo.run(console, store=Path(earlier.name), report=report, workers=1)
    assert {file.name for file in earlier.parent.iterdir()} == {earlier.name, report.name}
    with closing(Store(f"sqlite:///{earlier}")) as store:
        assert store.candidate_keys() == ["JetBlue/x:new"]
    last = capsys.readouterr().err.splitlines()[-1]
    program = Path(sys.executable).with_name("superfan")
    assert last.endswith("superfan candidates show JetBlue/x:new")
    if program.exists():
        named = last.removeprefix("Next: ").split()[0]
        assert Path(named).resolve() == program.resolve()


@pytest.mark.parametrize("option", ["store", "report"])
def test_what_cannot_be_written_is_refused_before_anything_begins(option: str, tmp_path: Path) -> None:
    """A missing folder is reported at once, not after a minute of work."""
    files = {"store": tmp_path / "s.db", "report": tmp_path / "r.html"} | {option: tmp_path / "no" / "x"}
    with pytest.raises(UsageError, match=rf"there is no folder .*no.*--{option}"):
        demo.run(QUIET, store=files["store"], report=files["report"], workers=1)
    assert [*tmp_path.iterdir()] == []


def test_a_worker_that_ended_is_reported_with_its_own_fix(tmp_path: Path) -> None:
    """The error has the fix that the worker printed."""
    log = tmp_path / "worker.log"
    log.write_text("It broke: why.\nNext: fix it.\n")

    class Ended:
        returncode = 1

        def poll(self) -> int:
            return 1

    ended: Any = Ended()
    with pytest.raises(SuperfanError) as error:
        demo._Worker(ended, log).check()
    assert (error.value.why, error.value.fix) == ("It broke: why", "fix it")
