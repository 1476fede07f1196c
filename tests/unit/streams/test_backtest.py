"""Backtests of files: what they need of memory, how far they are, and what a comparison reads."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from models.times import DAY_MS, rfc3339
from nlp.enrichment import Enricher
from nlp.records import Raw, Result
from streams.commands import progress
from streams.offline import backtest
from streams.settings import Settings, load
from streams.sources.lines import FileError, Files
from streams.views import comparison
from tests.authors import DAY_0

CONFIG = """
[[brands]]
name = "Acme"
handles = {{ x = ["acme"] }}
[customers]
require = "unknown"
{more}
[sources.x]
lawful_basis = "a test"
"""
TEXTS = (
    "I love my new @acme phone, it is great",
    "@acme best service ever, thank you so much",
    "@acme why is my order late again? awful",
)


def config(folder: Path, name: str = "superfan", more: str = "") -> Settings:
    """Settings of a brand, with more of them."""
    path = folder / f"{name}.toml"
    path.write_text(CONFIG.format(more=more))
    return load(path)


def written(authors: int, posts: int, every: int = 1) -> Iterator[bytes]:
    """Posts of so many authors in turn, one each `every` days."""
    for number in range(posts):
        author, day = number % authors, number // authors * every
        yield json.dumps(
            {
                "id": f"x:{number}",
                "platform": "x",
                "kind": "mention",
                "text": TEXTS[number % len(TEXTS)],
                "created_at": rfc3339(DAY_0 + day * DAY_MS),
                "author": {"id": f"u{author}", "handle": f"u{author}", "followers": 20_000},
            }
        ).encode()


def posts_file(folder: Path, authors: int, posts: int, every: int = 1) -> Path:
    """Write a gzipped file of the posts."""
    path = folder / f"{authors}-{posts}.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.writelines(line + b"\n" for line in written(authors, posts, every))
    return path


def peak(settings: Settings, file: Path, out: Path) -> int:
    """Most bytes that a backtest held at once."""
    tracemalloc.start()
    try:
        backtest.run(settings, posts=[file], out=out)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_authors_not_with_posts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the posts of the same authors need no more memory, past what the window keeps."""
    monkeypatch.setattr(backtest, "BATCH", 16)  # a batch is small beside what would pile up
    settings = config(tmp_path)
    small = posts_file(tmp_path, 2, 2 * 60, every=7)
    backtest.run(settings, posts=[small], out=tmp_path / "few")  # loads what is loaded once for all
    nothing = peak(settings, posts_file(tmp_path, 2, 0), tmp_path / "none")
    few = peak(settings, small, tmp_path / "few") - nothing
    many = peak(settings, posts_file(tmp_path, 2, 2 * 600, every=7), tmp_path / "many") - nothing
    assert many < 1.5 * few


@pytest.mark.parametrize("zipped", [False, True])
def test_the_position_reaches_the_size_of_all_files(tmp_path: Path, zipped: bool) -> None:
    """Bytes read go up with the lines, and end at the bytes on disk, compressed ones where it is gzipped."""
    paths = [tmp_path / f"{n}.jsonl{'.gz' if zipped else ''}" for n in range(2)]
    for path in paths:
        with gzip.open(path, "wb") if zipped else path.open("wb") as file:
            file.writelines(line + b"\n" for line in written(100, 2000))
    files = Files(paths)
    positions = [files.position for _ in files]
    assert len(positions) == 4000
    assert positions == sorted(positions)
    assert len(set(positions)) > 2
    assert files.position == files.size == sum(path.stat().st_size for path in paths)


def test_the_size_of_what_is_not_on_disk_is_not_known(tmp_path: Path) -> None:
    """Standard input has no size; a file that is missing or broken is an error that names it."""
    assert Files([Path("-")]).size is None
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"{}\n" * 9000)[:-20])
    for path in (tmp_path / "missing.jsonl", broken):
        with pytest.raises(FileError, match=path.name):
            list(Files([path]))


def test_results_that_have_no_folder_are_an_error_that_names_it(tmp_path: Path) -> None:
    """A file stands where the folder should be: said before anything is read."""
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(FileError, match="taken cannot be written to"):
        backtest.run(config(tmp_path), posts=[tmp_path / "missing.jsonl"], out=taken)


def test_what_does_not_count_is_said_with_its_reason(tmp_path: Path) -> None:
    """Posts given as customers, too, and posts about no brand: how many of which, and why."""
    (tmp_path / "posts.jsonl").write_bytes(
        b"\n".join([*written(1, 2), next(written(1, 1)).replace(b"@acme", b"our")])
    )
    posts = tmp_path / "posts.jsonl"
    counts = backtest.run(config(tmp_path), posts=[posts], customers=posts, out=tmp_path / "out")
    assert str(counts) == (
        "3 posts: 0 seen before, 0 late, 1 dropped (1 about no brand), "
        "3 dead letters (3 missing_field in customers)"
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_moves_on_a_terminal_and_is_hidden_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """On a terminal it shows posts a second and bytes of all bytes; a log file gets none of it."""
    said = io.StringIO()
    monkeypatch.setattr(progress, "talk", Console(file=said, force_terminal=terminal, width=120))
    file = posts_file(tmp_path, 10, 100)
    with progress.reading("Backtesting", [file]) as advance:
        advance(100, file.stat().st_size)
    assert ("100 posts" in said.getvalue()) is terminal
    assert (f"{file.stat().st_size}/{file.stat().st_size} bytes" in said.getvalue()) is terminal
    if not terminal:
        assert said.getvalue() == ""


class Counting(Enricher):
    """A text pipeline that counts what it reads."""

    read = 0

    def enrich(self, records: Iterable[Raw]) -> list[Result]:
        """Count the records, and enrich them."""
        records = list(records)
        type(self).read += len(records)
        return super().enrich(records)


@pytest.mark.parametrize(
    ("more", "times"),
    [
        ("[thresholds]\nenter_score = 20", 1),
        ("[window]\nkeep_days = 120", 1),
        ('[[brands]]\nname = "Bolt"', 2),
    ],
)
def test_a_comparison_reads_each_post_once_unless_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, times: int
) -> None:
    """Text is the expensive part: only other brands or sources let a post be read a second time."""
    monkeypatch.setattr(backtest, "Enricher", Counting)
    monkeypatch.setattr(Counting, "read", 0)
    file = posts_file(tmp_path, 5, 100)
    backtest.run(config(tmp_path), posts=[file], out=tmp_path / "out", other=config(tmp_path, "other", more))
    assert Counting.read == 100 * times


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ('[[brands]]\nname = "Bolt"', "differ in brands: every post is analysed twice"),
        ('[sources.web]\nlawful_basis = "a test"', "differ in sources"),
        ("[thresholds]\nenter_score = 20", ""),
        ("", "decide the same"),
    ],
)
def test_what_makes_a_comparison_long_or_empty_is_said_beforehand(
    tmp_path: Path, more: str, warning: str
) -> None:
    """A comparison that takes twice as long, or finds nothing, is announced before it starts."""
    said = io.StringIO()
    comparison.announce(config(tmp_path), config(tmp_path, "other", more), Console(file=said, width=200))
    assert warning in said.getvalue()
    assert bool(warning) == bool(said.getvalue())


def test_a_comparison_says_what_two_backtests_say(tmp_path: Path) -> None:
    """Both sides of every difference are what a backtest by that file alone gives; the rest is equal."""
    more = {
        "one": "[thresholds]\nenter_score = 60",
        "two": "[thresholds]\nenter_score = 30\n[window]\nkeep_days = 120",
    }
    one, two = (config(tmp_path, name, text) for name, text in more.items())
    file = posts_file(tmp_path, 8, 8 * 100)
    for name, settings in (("one", one), ("two", two)):
        backtest.run(settings, posts=[file], out=tmp_path / name)
    backtest.run(one, posts=[file], out=tmp_path / "both", other=two)

    def sides(name: str) -> dict[str, tuple[object, object]]:
        rows = map(json.loads, (tmp_path / name / "profiles.jsonl").read_text().splitlines())
        return {row["key"]: (row["state"], row["score"]) for row in rows}

    before, after = sides("one"), sides("two")
    found = {
        row["key"]: row
        for row in map(json.loads, (tmp_path / "both" / "comparison.jsonl").read_text().splitlines())
    }
    assert found
    assert {key for key in before if before[key] != after[key]} == set(found)
    for key, row in found.items():
        assert tuple(row["before"].values()) == before[key]
        assert tuple(row["after"].values()) == after[key]
    for name in ("profiles", "candidates"):
        assert (tmp_path / "both" / f"{name}.jsonl").read_bytes() == (
            tmp_path / "one" / f"{name}.jsonl"
        ).read_bytes()
