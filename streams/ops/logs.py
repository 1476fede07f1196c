"""What a process says on standard error: lines for a terminal, or one JSON object a line for programs.

Both say the same, one line each: time, level, logger, message and, where they are known, the fields of
`FIELDS`. An author appears as a keyed hash. Nothing that came with a post is ever said, neither text nor
handle nor key: of an error only its kind and its place in the code, unless its words are known to be ours.

Lines may come from any thread, and from child processes that were given `in_force()`.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from traceback import walk_tb
from types import TracebackType
from typing import Any, NamedTuple

from models.rejection import Rejected
from streams.topics import BY_NAME

FIELDS = ("role", "topic", "partition", "offset", "author", "reason", "count", "fix")
"""What `extra` of a log call may hold, and `position` gives."""

REPEAT_SECONDS = 30.0
"""for how long the same complaint of the Kafka client is not said again"""
_NOISY = ("faust", "mode", "aiokafka", "asyncio", "alembic", "sqlalchemy", "concurrent", "py.warnings")
_PASSING = ("Group Coordinator Request failed", "Heartbeat failed", "Topic ")
_OURS = ("streams", "models", "nlp", "kafka", "aiokafka")
"""Packages whose errors say nothing of a record's content. An error of any other (a decoder's, Python's
own) may quote what it choked on."""
_LONGEST = 1000
_FRAMES = 6
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "1;31", "CRITICAL": "1;31"}
_said_at: dict[str, float] = {}


class Logging(NamedTuple):
    """How a process logs. Can be pickled."""

    level: str = "warning"
    json: bool = False
    role: str | None = None
    """in JSON, said on every line that knows no better one"""
    secret: bytes = os.urandom(16)
    """key of the hash of authors: the same key, the same hash"""
    debug: bool = False
    """everything, libraries and whole tracebacks included: to find a flaw, never in production"""


_in_force = Logging()


def in_force() -> Logging:
    """How this process logs."""
    return _in_force


def configure(how: Logging) -> None:
    """Log to standard error from now on; libraries only from warnings on, and not what passes by itself."""
    global _in_force  # noqa: PLW0603 -- logging is the process's own, too
    _in_force = how
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        _Json() if how.json else _Line(sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    )
    stream.addFilter(_says_something)
    logging.basicConfig(level="DEBUG" if how.debug else how.level.upper(), handlers=[stream], force=True)
    logging.captureWarnings(True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if how.debug else logging.WARNING)
    # It logs what it also raises, and warns of its own loop and of group metadata not in its format.
    logging.getLogger("kafka").setLevel(logging.NOTSET if how.debug else logging.CRITICAL)


def serve_to_the_end() -> None:
    """Let the last words of a process that ends by a flaw be a line like the others."""
    if not _in_force.debug:
        sys.excepthook = _last_words


def serving() -> bool:
    """Whether the last words of this process are a line like the others."""
    return sys.excepthook is _last_words


def position(topic: str, partition: int, offset: int, key: bytes | None) -> dict[str, Any]:
    """The fields of a record: where it stands, and whose it is."""
    where: dict[str, Any] = {"topic": topic, "partition": partition, "offset": offset}
    author = _author_in(topic, key)
    return where if author is None else {**where, "author": hashed(author)}


def hashed(author: bytes) -> str:
    """An author key as logs have it: 16 hexadecimal digits of its HMAC-SHA256."""
    return hmac.new(_in_force.secret, author, hashlib.sha256).hexdigest()[:16]


def words_of(error: BaseException) -> str:
    """An error in one line: its own words if they are ours to say, else its kind and where it was raised."""
    kind = type(error)
    if isinstance(error, Rejected):
        return error.reason
    if isinstance(error, OSError) or kind.__module__.partition(".")[0] in _OURS:
        return _one_line(str(error)) or kind.__name__
    places = list(_places(error.__traceback__))
    return f"{kind.__name__} in {places[-1]}" if places else kind.__name__


class _Json(logging.Formatter):
    """One object a line, in ASCII: what splits lines splits none of these."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **({} if _in_force.role is None else {"role": _in_force.role}),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        return json.dumps(line, default=str)


class _Line(logging.Formatter):
    """For people: time of day, level, message, and the fields behind it."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if record.exc_info and record.exc_info[1] is not None:
            told = _error(record.exc_info[1])
            fields["error"] = " < ".join([told["message"], *reversed(told.get("at", ()))])
        level, said = f"{record.levelname:7}", " ".join(f"{name}={value}" for name, value in fields.items())
        if self._coloured:
            level = f"\x1b[{_COLOURS.get(record.levelname, '32')}m{level}\x1b[0m"
            said = said and f"\x1b[2m{said}\x1b[0m"
        line = f"{_time(record).astimezone():%H:%M:%S} {level} {_message(record)}" + (said and f"  {said}")
        if _in_force.debug and record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}


def _message(record: logging.LogRecord) -> str:
    """The message in one line. Errors among its arguments are told in `words_of`: libraries log them, too."""
    said, args = str(record.msg), record.args
    if isinstance(args, tuple) and args and not _in_force.debug:
        args = tuple(words_of(arg) if isinstance(arg, BaseException) else arg for arg in args)
    return _one_line(said % args if args else said)


def _one_line(text: str) -> str:
    """The first line, of bounded length, with nothing in it that a terminal or a reader of lines would obey.

    What libraries put into further lines are objects and tracebacks.
    """
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.strip().partition("\n")[0])[:_LONGEST]


def _error(error: BaseException) -> dict[str, Any]:
    """An error as bounded fields: kind, words, the innermost places (the last one raised it), the cause."""
    told: dict[str, Any] = {"type": type(error).__name__, "message": words_of(error)}
    if places := list(_places(error.__traceback__))[-_FRAMES:]:
        told["at"] = places
    if error.__cause__ is not None:
        told["cause"] = words_of(error.__cause__)
    return told


def _places(traceback: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(traceback):
        yield f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"


def _last_words(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("Ended by a flaw", exc_info=error)


def _author_in(topic: str, key: bytes | None) -> bytes | None:
    """The author key in a record's key, as far as the topic table says that there is one."""
    described = BY_NAME.get(topic)
    if key is None or described is None:
        return None
    if described.key == "candidate key":
        return key.partition(b"/")[2]
    return key if described.key in {"author key", "any"} else None


def _says_something(record: logging.LogRecord) -> bool:
    """Whether there is anything to act on, and it was not said a moment ago.

    That a group's coordinator is being elected passes by itself. That the broker is away the
    Kafka client would say many times a second.
    """
    if not record.name.startswith("aiokafka"):
        return True
    said = str(record.msg)
    if said.startswith(_PASSING):
        return False
    before = _said_at.get(said)
    if before is not None and record.created - before < REPEAT_SECONDS:
        return False
    _said_at[said] = record.created
    return True
