"""Files of records: JSON Lines, plain or gzipped, and the topic of each line."""

import codecs
import gzip
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

import msgspec

from models.errors import SuperfanError
from models.post import author_key
from models.record import Record
from models.rejection import Rejected, decode_json
from streams import topics

KIND_TOPICS = {"mention": topics.MENTIONS, "comment": topics.COMMENTS, "hashtag": topics.HASHTAGS}
DEFAULT_TOPIC = topics.MENTIONS
"""topic of a line of unknown shape; the enrich role rejects it with a reason"""
AT_ONCE = 1 << 16
"""bytes read at a time from an input that may still grow: the capacity of a pipe"""
Cut = TypeVar("Cut")


class FileError(SuperfanError):
    """An input file that cannot be read."""


class Routed(NamedTuple):
    """The topic and key of a line, and the time of its record if it has one."""

    topic: str
    key: bytes | None
    created_at: str | int | float | None = None


class _Author(Record, frozen=True):
    id: str | None = None


class _Shape(Record, frozen=True):
    """The fields that distinguish kinds of records."""

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
    """Return the topic and key of a line by its shape. `topic` overrides the topic. Never raises."""
    try:
        shape = decode_json(_decoder, line)
    except Rejected:
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
    """The lines of several files, stripped; `-` is standard input. Empty lines are left out by default.

    A byte-order mark (BOM) at the start of a file is removed.

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
        """Bytes of all files on disk; None if one of them is not a regular file."""
        return sum(path.stat().st_size for path in self._paths) if self._on_disk else None

    @property
    def position(self) -> int:
        """Bytes read so far, of `size`: compressed bytes for a gzipped file."""
        return self._behind + (self._open.tell() if self._open is not None and self._on_disk else 0)

    def __iter__(self) -> Iterator[bytes]:
        return itertools.chain.from_iterable(self._read(path, self._stripped) for path in self._paths)

    def at_hand(self) -> Iterator[list[bytes]]:
        """Yield the lines in lists as they arrive: no line waits for a later one."""
        return itertools.chain.from_iterable(self._read(path, self._at_hand) for path in self._paths)

    def _read(self, path: Path, cut: Callable[[BufferedIOBase], Iterator[Cut]]) -> Iterator[Cut]:
        try:
            if str(path) == "-":
                yield from cut(cast(BufferedIOBase, sys.stdin.buffer))
                return
            with path.open("rb") as file:
                self._open = file
                if path.suffix == ".gz":
                    with gzip.open(file) as unzipped:
                        yield from cut(unzipped)
                else:
                    yield from cut(file)
                self._behind += file.tell()
                self._open = None
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error)
            fix = "name a JSON Lines file, plain or .gz, or - for standard input"
            raise FileError(f"{path} cannot be read", why, fix) from None

    def _stripped(self, lines: Iterable[bytes], *, begins: bool = True) -> Iterator[bytes]:
        for number, raw in enumerate(lines):
            line = (raw.removeprefix(codecs.BOM_UTF8) if begins and not number else raw).strip()
            if line or self._empty:
                yield line

    def _at_hand(self, file: BufferedIOBase) -> Iterator[list[bytes]]:
        for number, lines in enumerate(_as_they_come(file)):
            yield list(self._stripped(lines, begins=not number))


def _as_they_come(file: BufferedIOBase) -> Iterator[list[bytes]]:
    begun: list[bytes] = []  # pieces of an unfinished line; joined once
    while piece := file.read1(AT_ONCE):
        *ended, rest = piece.split(b"\n")
        if ended:
            yield [b"".join([*begun, ended[0]]), *ended[1:]]
            begun.clear()
        begun.append(rest)
    if last := b"".join(begun):
        yield [last]


def read(path: Path) -> Iterator[bytes]:
    """Return the lines of one file, see `Files`."""
    return iter(Files([path]))
