"""Files of records, as programs of all kinds write them."""

import codecs
import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.lines import Files, read

MARKED = codecs.BOM_UTF8 + b'{"a": 1}\r\n\n{"a": 2}'


def test_the_mark_of_utf_8_is_no_part_of_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each of several files, plain, gzipped or standard input, the first record is read like any other."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_bytes(MARKED)
    packed.write_bytes(gzip.compress(MARKED))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(MARKED)))
    assert list(Files([plain, packed, Path("-")])) == 3 * [b'{"a": 1}', b'{"a": 2}']


def test_only_at_the_beginning_it_is_a_mark(tmp_path: Path) -> None:
    """Further down it is content; a file that is nothing but the mark has one line, and that is empty."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"x\n" + codecs.BOM_UTF8 + b"y")
    assert list(read(file)) == [b"x", codecs.BOM_UTF8 + b"y"]
    file.write_bytes(codecs.BOM_UTF8)
    assert (list(read(file)), list(read(file, empty=True))) == ([], [b""])
