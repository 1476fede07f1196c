"""Files of records: JSON Lines, plain or gzipped, and which topic each line belongs to."""

import codecs
import gzip
import itertools
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from models.errors import SuperfanError
from models.posts import author_key
from models.records import Record
from streams import topics

KIND_TOPICS = {"mention": topics.MENTIONS, "comment": topics.COMMENTS, "hashtag": topics.HASHTAGS}
DEFAULT_TOPIC = topics.MENTIONS
"""Where a line goes whose shape is not known: the enrich role rejects it, with a reason."""


class FileError(SuperfanError):
    """An input file that cannot be read."""


class Routed(NamedTuple):
    """Where a line is sent, under which key, and (if it says so) when it happened."""

    topic: str
    key: bytes | None
    created_at: str | int | float | None = None


class _Author(Record, frozen=True):
    id: str | None = None


class _Shape(Record, frozen=True):
    """The fields that tell records apart."""

    kind: str | None = None
    platform: str | None = None
    author: _Author | None = None
    created_at: str | int | float | None = None
    customer_id: str | None = None
    key: str | None = None
    decision: str | None = None
    author_id: str | None = None
    mode: str | None = None


_decoder = msgspec.json.Decoder(_Shape)


def route(line: bytes, topic: str | None = None) -> Routed:
    """The topic and key of a line, by its shape; `topic` overrides the former. Never raises."""
    try:
        shape = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Routed(topic or DEFAULT_TOPIC, None)
    if shape.customer_id is not None:
        return Routed(topic or topics.CUSTOMERS, _key(shape.customer_id))
    if shape.decision is not None and shape.key is not None:
        return Routed(topic or topics.FEEDBACK, _key(shape.key))
    if shape.mode is not None and shape.author_id is not None:
        return Routed(topic or topics.ERASURES, _key(author_key(shape.platform or "", shape.author_id)))
    author = shape.author.id if shape.author and shape.author.id else None
    return Routed(
        topic or KIND_TOPICS.get(shape.kind or "", DEFAULT_TOPIC),
        _key(author_key(shape.platform or "", author)) if author else None,
        shape.created_at,
    )


def _key(text: str) -> bytes:
    return text.encode(errors="replace")


class Files:
    """The lines of several files (`-` is standard input), without their ends; empty ones only if asked for.
    The mark with which some programs begin a file of UTF-8 is no part of its first line.

    Iterating raises `FileError` for a file that cannot be read, a broken gzip included.
    """

    def __init__(self, paths: Sequence[Path], *, empty: bool = False) -> None:
        self._paths = paths
        self._empty = empty
        self._on_disk = all(path.is_file() for path in paths)
        self._behind = 0
        self._open: IO[bytes] | None = None

    @property
    def size(self) -> int | None:
        """Bytes of all files as they are on disk; null when that cannot be known beforehand."""
        return sum(path.stat().st_size for path in self._paths) if self._on_disk else None

    @property
    def position(self) -> int:
        """How many of these bytes were read; of a gzipped file, compressed ones."""
        return self._behind + (self._open.tell() if self._open is not None and self._on_disk else 0)

    def __iter__(self) -> Iterator[bytes]:
        return itertools.chain.from_iterable(map(self._read, self._paths))

    def _read(self, path: Path) -> Iterator[bytes]:
        try:
            if str(path) == "-":
                yield from self._stripped(sys.stdin.buffer)
                return
            with path.open("rb") as file:
                self._open = file
                if path.suffix == ".gz":
                    with gzip.open(file) as unzipped:
                        yield from self._stripped(unzipped)
                else:
                    yield from self._stripped(file)
                self._behind += file.tell()
                self._open = None
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error)
            fix = "name a JSON Lines file, plain or .gz, or - for standard input"
            raise FileError(f"{path} cannot be read", why, fix) from None

    def _stripped(self, file: Iterable[bytes]) -> Iterator[bytes]:
        for number, raw in enumerate(file):
            line = (raw if number else raw.removeprefix(codecs.BOM_UTF8)).strip()
            if line or self._empty:
                yield line


def read(path: Path, *, empty: bool = False) -> Iterator[bytes]:
    """The lines of one file, as `Files` gives them."""
    return iter(Files([path], empty=empty))
