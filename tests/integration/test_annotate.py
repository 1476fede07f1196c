"""`superfan annotate` in a pipe."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, cast

import pytest

from streams.settings import DEMO_CONFIG
from tests.waiting import STUCK

Process = subprocess.Popen[bytes]


@pytest.fixture
def annotate() -> Iterator[Process]:
    """The command, waiting for lines; Ctrl-C reaches it also where the tests run in the background, which
    would have it ignored by whatever they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPERFAN_")}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "streams", "annotate"],
        env=kept | {"SUPERFAN_CONFIG": str(DEMO_CONFIG)},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    ) as process:
        signal.signal(signal.SIGINT, before)
        yield process
        process.kill()


def ask(process: Process, lines: bytes) -> list[dict[str, Any]]:
    """Return the answers to lines written at once, while the pipe stays open."""
    stdin = cast(IO[bytes], process.stdin)
    stdin.write(lines)
    stdin.flush()
    stdout = cast(IO[bytes], process.stdout)
    return [json.loads(stdout.readline()) for _ in range(lines.count(b"\n"))]


def test_each_line_is_answered_while_the_pipe_is_open(annotate: Process) -> None:
    """Nobody has to close a pipe to be answered: one line, many, bad ones between them, or a very long one;
    Ctrl-C then ends the command without a word."""
    (first,) = ask(annotate, b'{"text": "I love @JetBlue"}\n')
    assert [brand["brand"] for brand in first["brands"]] == ["JetBlue"]
    many = b"".join(b'{"text": "post %d"}\n' % n for n in range(200))
    found = ask(annotate, many + b'{oops\n\n{"text": "after"}\n')
    assert [row.get("text") for row in found] == [*(f"post {n}" for n in range(200)), None, None, "after"]
    assert ["error" in row for row in found[-3:]] == [True, True, False]
    (long,) = ask(annotate, json.dumps({"text": "so good " * 100_000}).encode() + b"\n")
    assert long["truncated"]
    annotate.send_signal(signal.SIGINT)
    out, err = annotate.communicate(timeout=STUCK)
    assert (annotate.returncode, out, err) == (130, b"", b"")


def test_the_command_ends_when_nobody_reads_its_answers(annotate: Process) -> None:
    """The command ends without an error when its output is closed, as by `head`."""
    ask(annotate, b'{"text": "one"}\n')
    cast(IO[bytes], annotate.stdout).close()
    stdin = cast(IO[bytes], annotate.stdin)
    stdin.write(b'{"text": "two"}\n')
    stdin.flush()
    assert annotate.wait(timeout=STUCK) == 0
    assert cast(IO[bytes], annotate.stderr).read() == b""
