"""Files of records, line by line and as they come."""

import codecs
import gzip
import io
import os
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources import lines
from streams.sources.lines import AT_ONCE, FileError, Files, read

MARKED = codecs.BOM_UTF8 + b'{"a": 1}\r\n\n{"a": 2}'

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Trickle(io.RawIOBase):
    """A stream that gives these pieces, one a read."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = list(filter(None, pieces))

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next piece, whole."""
        piece = self._pieces.pop(0) if self._pieces else b""
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)


@given(st.lists(st.text("a\r\n ", max_size=6).map(str.encode), max_size=12))
def test_lines_are_the_same_however_they_come(pieces: list[bytes]) -> None:
    """Wherever the pieces of a stream are cut, its lines at hand are those of the whole."""
    come = chain.from_iterable(lines._as_they_come(io.BufferedReader(Trickle(pieces))))
    assert list(come) == [line.removesuffix(b"\n") for line in io.BytesIO(b"".join(pieces))]


def test_a_line_does_not_wait_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that arrived through an open pipe are returned at once, together."""
    reading, writing = os.pipe()
    with open(writing, "wb", buffering=0) as pipe, open(reading) as stdin:  # noqa: PTH123 -- they are pipes
        monkeypatch.setattr(sys, "stdin", stdin)
        batches = Files([Path("-")], empty=True).at_hand()
        pipe.write(b"one\n")
        assert next(batches) == [b"one"]
        pipe.write(b"two\n\nthree\nfo")
        assert next(batches) == [b"two", b"", b"three"]
        pipe.write(b"ur")
        pipe.close()
        assert list(batches) == [[b"four"]]


@pytest.mark.parametrize("zipped", [False, True])
def test_files_have_the_same_lines_at_hand(tmp_path: Path, zipped: bool) -> None:
    """Several files, zipped or not, with a line of megabytes: the lines are those of reading line by line."""
    for name in ("a", "b"):
        data = b"first\n \n" + name.encode() * (3 * AT_ONCE + 7) + b"\nlast, with no end"
        (tmp_path / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)
    files = Files(sorted(tmp_path.iterdir()))
    at_hand = list(chain.from_iterable(files.at_hand()))
    assert at_hand == list(files)
    assert len(at_hand) == 2 * 3


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is missing or broken is an error that names it, as when read line by line."""
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"{}\n" * 9000)[:-20])
    for path in (tmp_path / "missing.jsonl", broken):
        with pytest.raises(FileError, match=path.name):
            list(Files([path]).at_hand())


def test_the_mark_of_utf_8_is_no_part_of_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte-order mark loses no record of any file: plain, gzipped or standard input."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(MARKED)
    packed.write_bytes(gzip.compress(MARKED))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(MARKED)))
    files = [plain, packed, Path("-")]
    assert list(Files(files)) == 3 * [b'{"a": 1}', b'{"a": 2}']
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(MARKED)))
    assert list(chain.from_iterable(Files(files).at_hand())) == 3 * [b'{"a": 1}', b'{"a": 2}']


def test_only_at_the_beginning_it_is_a_mark(tmp_path: Path) -> None:
    """Further down it is content; a file that is nothing but the mark has one line, and that is empty."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x\n" + codecs.BOM_UTF8 + b"y")
    assert list(read(file)) == [b"x", codecs.BOM_UTF8 + b"y"]
    file.write_bytes(codecs.BOM_UTF8)
    assert (list(read(file)), list(Files([file], empty=True))) == ([], [b""])


def test_what_comes_later_through_a_pipe_begins_with_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that begins with it is as it was written, also when it comes by itself."""
    stdin = io.BufferedReader(Trickle([b"x\n", codecs.BOM_UTF8 + b"y\n"]))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    assert list(Files([Path("-")]).at_hand()) == [[b"x"], [codecs.BOM_UTF8 + b"y"]]
