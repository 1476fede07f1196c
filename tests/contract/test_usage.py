"""Help and wrong usage of the commands."""

import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from streams.cli import app
from tests.commands import superfan
from tests.waiting import STUCK

HEAVY = {
    "faust",
    "kafka",
    "aiokafka",
    "msgspec",
    "numpy",
    "pydantic_settings",
    "spacy",
    "sqlalchemy",
}


def every_command() -> list[str]:
    """Return all commands and groups, such as `topics list`; "" is the program."""
    found = [""]
    for path in found:
        command: Any = get_command(app)
        for name in path.split():
            command = command.commands[name]
        found += [f"{path} {name}".strip() for name in getattr(command, "commands", ())]
    return found


@pytest.mark.parametrize("command", every_command())
def test_every_help_has_examples(command: str) -> None:
    """`--help` of every command shows how it is used."""
    done = superfan(*command.split(), "--help")
    assert done.returncode == 0
    assert b"Examples" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["worker"], ["candidates", "list"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """`--help` loads what prints it, and none of the libraries that do the work."""
    code = (
        "import sys; from streams.cli import app; "
        f"app({[*arguments, '--help']}, standalone_mode=False); "
        f"sys.exit(', '.join({HEAVY} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Usage" in done.stdout


def test_the_version_is_that_of_the_distribution() -> None:
    """`--version` prints the name and the version that pip reports."""
    done = superfan("--version")
    assert done.returncode == 0
    assert done.stdout.decode().strip() == f"superfan {version('superfan')}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fed"],
        ["feed"],
        ["worker", "--role", "cook"],
        ["feed", "x", "--topic", "y"],
        ["backtest", "--posts", "x", "--out", "y", "--tick", "today"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """Unknown commands, options and topics, and days that are none, are usage errors."""
    assert superfan(*arguments).returncode == 2


def test_the_broker_command_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """`superfan broker` says where it answers, and ends with 0 on SIGTERM."""
    command = [sys.executable, "-m", "streams", "broker", "--port", "0", "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"kafka://127.0.0.1:" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=STUCK)
    assert process.returncode == 0
    assert b"Stopped" in said
