"""Logs on standard error: lines for a terminal, or one JSON object a line for programs.

Both have time, level, logger, message and, if known, the fields of `FIELDS`. An author appears as a keyed
hash. Nothing that came with a post is logged, neither text nor handle nor key. An error is logged with its
type and location only, unless its message is known to be ours.

Lines may come from any thread, and from child processes configured with `current()`.
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
"""Keys that `extra` of a log call may hold; `position` returns some of them."""

REPEAT_SECONDS = 30.0
"""interval in which a message of the Kafka client is logged once only"""
_NOISY = ("faust", "mode", "aiokafka", "asyncio", "alembic", "sqlalchemy", "concurrent", "py.warnings")
_TRANSIENT = ("Group Coordinator Request failed", "Heartbeat failed", "Topic ")
_OURS = ("streams", "models", "nlp", "kafka", "aiokafka")
"""Packages whose error messages never quote a record. Those of others (decoders, Python itself) may."""
_LONGEST = 1000
_FRAMES = 6
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "1;31", "CRITICAL": "1;31"}
_logged_at: dict[str, float] = {}


class Logging(NamedTuple):
    """The logging configuration of a process. Can be pickled."""

    level: str = "warning"
    json: bool = False
    role: str | None = None
    """added to every JSON line that has no role of its own"""
    secret: bytes = os.urandom(16)
    """key of the hash of authors; equal keys give equal hashes"""
    debug: bool = False
    """log everything, with libraries and whole tracebacks: to find a bug, never in production"""


_current = Logging()


def current() -> Logging:
    """Return the logging configuration of this process."""
    return _current


def configure(how: Logging) -> None:
    """Log to standard error from now on; of libraries only warnings, and none that are transient."""
    global _current  # noqa: PLW0603 -- logging belongs to the process, too
    _current = how
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        _Json() if how.json else _Line(sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    )
    stream.addFilter(_is_worth_logging)
    logging.basicConfig(level="DEBUG" if how.debug else how.level.upper(), handlers=[stream], force=True)
    logging.captureWarnings(True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.NOTSET if how.debug else logging.WARNING)
    # It logs the errors it raises, and warns of its own loop and of group metadata in another format.
    logging.getLogger("kafka").setLevel(logging.NOTSET if how.debug else logging.CRITICAL)


def log_crashes() -> None:
    """Log an unexpected error that ends the process as one line, without a traceback."""
    if not _current.debug:
        sys.excepthook = _log_crash


def logs_crashes() -> bool:
    """Return True after `log_crashes`, unless debugging."""
    return sys.excepthook is _log_crash


def position(topic: str, partition: int, offset: int, key: bytes | None) -> dict[str, Any]:
    """Return the log fields of a record: its position, and the hash of its author."""
    where: dict[str, Any] = {"topic": topic, "partition": partition, "offset": offset}
    author = _author_in(topic, key)
    return where if author is None else {**where, "author": hashed(author)}


def hashed(author: bytes) -> str:
    """Return an author key as it is logged: 16 hexadecimal digits of its HMAC-SHA256."""
    return hmac.new(_current.secret, author, hashlib.sha256).hexdigest()[:16]


def describe(error: BaseException) -> str:
    """Return an error in one line: its message if that is ours, else its type and location."""
    kind = type(error)
    if isinstance(error, Rejected):
        return error.reason
    if isinstance(error, OSError) or kind.__module__.partition(".")[0] in _OURS:
        return _one_line(str(error)) or kind.__name__
    locations = list(_locations(error.__traceback__))
    return f"{kind.__name__} in {locations[-1]}" if locations else kind.__name__


class _Json(logging.Formatter):
    """One JSON object a line, in ASCII, so that no character in it can split the line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **({} if _current.role is None else {"role": _current.role}),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        return json.dumps(line, default=str)


class _Line(logging.Formatter):
    """Lines for people: time of day, level, message, fields."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if record.exc_info and record.exc_info[1] is not None:
            error = _error(record.exc_info[1])
            fields["error"] = " < ".join([error["message"], *reversed(error.get("at", ()))])
        level, extra = f"{record.levelname:7}", " ".join(f"{name}={value}" for name, value in fields.items())
        if self._coloured:
            level = f"\x1b[{_COLOURS.get(record.levelname, '32')}m{level}\x1b[0m"
            extra = extra and f"\x1b[2m{extra}\x1b[0m"
        line = f"{_time(record).astimezone():%H:%M:%S} {level} {_message(record)}" + (extra and f"  {extra}")
        if _current.debug and record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}


def _message(record: logging.LogRecord) -> str:
    """Return the message in one line. Errors among its arguments, as libraries log them, are described."""
    message, args = str(record.msg), record.args
    if isinstance(args, tuple) and args and not _current.debug:
        args = tuple(describe(arg) if isinstance(arg, BaseException) else arg for arg in args)
    return _one_line(message % args if args else message)


def _one_line(text: str) -> str:
    """Return the first line, cut to a bounded length, with control characters escaped.

    Libraries put objects and tracebacks into further lines.
    """
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.strip().partition("\n")[0])[:_LONGEST]


def _error(error: BaseException) -> dict[str, Any]:
    """Return an error as bounded fields: type, message, locations (the raising one last), cause."""
    fields: dict[str, Any] = {"type": type(error).__name__, "message": describe(error)}
    if locations := list(_locations(error.__traceback__))[-_FRAMES:]:
        fields["at"] = locations
    if error.__cause__ is not None:
        fields["cause"] = describe(error.__cause__)
    return fields


def _locations(traceback: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(traceback):
        yield f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"


def _log_crash(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("Ended by a bug in Superfan", exc_info=error)


def _author_in(topic: str, key: bytes | None) -> bytes | None:
    """Return the author key in a record's key; None if the topic table names none."""
    described = BY_NAME.get(topic)
    if key is None or described is None:
        return None
    if described.key == "candidate key":
        return key.partition(b"/")[2]
    return key if described.key in {"author key", "any"} else None


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Return False for transient messages of the Kafka client, and for repeated ones.

    The election of a coordinator ends by itself. While the broker is away, the client would log that many
    times a second.
    """
    if not record.name.startswith("aiokafka"):
        return True
    message = str(record.msg)
    if message.startswith(_TRANSIENT):
        return False
    before = _logged_at.get(message)
    if before is not None and record.created - before < REPEAT_SECONDS:
        return False
    _logged_at[message] = record.created
    return True
