"""Logs: one bounded line an entry, with nothing that people wrote."""

import hmac
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import pytest

from models.codec import Codec
from models.errors import SuperfanError
from models.post import Post
from models.rejection import Reason, Rejected
from models.tick import Clock
from streams import topics
from streams.delivery.state import KeyedState
from streams.ops import logs

HOSTILE = 'I love\n{"level": "error"}\r\x1b[31m\u2028@you\x00'
log = logging.getLogger("streams.test")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging as the test runner had it."""
    root, before, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines on standard error."""
    return capsys.readouterr().err.splitlines()


def in_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return the lines on standard error as objects."""
    return [json.loads(line) for line in said(capsys)]


def test_a_line_has_the_fields_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    """Time with a zone, level, logger, message, role; a record's position where it is known."""
    logs.configure(logs.Logging("info", json=True, role="enrich", secret=b"s"))
    log.info("Read %d", 3, extra=logs.position(topics.CANDIDATES, 2, 7, b"Acme/x:1"))
    log.debug("not at this level")
    (line,) = in_json(capsys)
    assert str(line.pop("time")).endswith("Z")
    assert line == {
        "level": "info",
        "logger": "streams.test",
        "message": "Read 3",
        "role": "enrich",
        "topic": "candidates",
        "partition": 2,
        "offset": 7,
        "author": hmac.new(b"s", b"x:1", "sha256").hexdigest()[:16],
    }


def test_an_author_is_hashed_where_the_key_is_one_and_another_key_is_left_out() -> None:
    """The same author has the same hash in every topic; a customer's id is no author and is not shown."""
    logs.configure(logs.Logging(secret=b"s"))
    found = [logs.position(name, 0, 0, b"x:1").get("author") for name in ("mentions", "enriched", "erasures")]
    assert {*found, logs.position(topics.PROFILES, 0, 0, b"A/x:1")["author"]} == {logs.hashed(b"x:1")}
    assert "author" not in logs.position(topics.CUSTOMERS, 0, 0, b"c-17")
    logs.configure(logs.Logging(secret=b"t"))
    assert logs.hashed(b"x:1") != found[0]


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_one_line_and_says_nothing_of_the_record(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    """Kind and place of a foreign error, the words of our own; both in one line, as argument or traceback."""
    logs.configure(logs.Logging("info", json=as_json))
    for error in (
        ValueError(HOSTILE),
        UnicodeEncodeError("ascii", HOSTILE, 0, 1, HOSTILE),
        Rejected(Reason.UNKNOWN_KIND, HOSTILE),
        SuperfanError("what", "why", "fix"),
    ):
        try:
            raise error
        except Exception as caught:
            log.error("Failed: %r", caught, exc_info=True)  # as libraries do
    try:
        msgspec.json.decode(json.dumps({"kind": HOSTILE}), type=Post)
    except msgspec.ValidationError as caught:
        log.warning("Failed", exc_info=caught)
    lines = said(capsys)
    assert len(lines) == 5
    assert not any("I love" in line or "\x1b" in line or "@you" in line for line in lines)
    assert "ValueError in tests.unit.streams.test_logs:" in lines[0]
    assert "unknown_kind" in lines[2]
    assert "what: why. Fix." in lines[3]
    if as_json:
        error = json.loads(lines[0])["error"]
        assert error["type"] == "ValueError"
        assert error["at"][-1].endswith("test_an_error_is_one_line_and_says_nothing_of_the_record")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_message_breaks_the_line_or_the_terminal(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    """Control characters are shown as such, further lines and what is too long are cut."""
    logs.configure(logs.Logging("info", json=as_json))
    log.info("%s", "before\r\x1b[31m\u2028after\nfurther" + "x" * 5000)
    log.info("x" * 5000)
    first, second = said(capsys)
    assert "before\\\\u000d" in first if as_json else "before\\u000d" in first
    assert "further" not in first
    assert "\x1b" not in first
    assert len(second) < 1200


def test_a_crash_of_a_service_is_one_line_too() -> None:
    """An unexpected error ends the process with one JSON object and no traceback."""
    code = (
        "from streams.ops import logs; logs.configure(logs.Logging(json=True)); logs.log_crashes();"
        f"raise ValueError({HOSTILE!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert json.loads(line)["level"] == "critical"
    assert b"I love" not in line


def test_debugging_shows_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--debug` there are whole tracebacks, messages of errors, and logs of libraries."""
    logs.configure(logs.Logging(debug=True))
    try:
        raise ValueError("its own words")
    except ValueError:
        log.exception("Failed")
    logging.getLogger("aiokafka").debug("a request")
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert "its own words" in text
    assert "a request" in text


def test_a_refused_state_is_said_once_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """Older states behind newer ones are one line a batch: how many, and where the last of them stands."""
    logs.configure(logs.Logging("info", json=True, secret=b"s"))
    codec = Codec(Clock)
    newer, older = codec.pack(Clock(9, 3)), codec.pack(Clock(4, 2))
    state = KeyedState(topics.changelog("authors"))
    values = [newer, older, older]
    state.take(1, [SimpleNamespace(key=b"x:1", value=v, offset=n) for n, v in enumerate(values)])
    (line,) = in_json(capsys)
    assert state.read(1, b"x:1") == newer
    assert (line["level"], line["topic"], line["partition"]) == ("warning", state.changelog, 1)
    assert (line["offset"], line["count"], line["author"]) == (2, 2, logs.hashed(b"x:1"))
