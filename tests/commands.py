"""Run `superfan` as a person or a script would."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.waiting import STUCK


def superfan(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = STUCK,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end. Its output is in bytes."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=timeout,
        check=False,
    )


def in_namespace(*arguments: str) -> list[str]:
    """Return a command that runs another in namespaces of its own. Skip where the kernel forbids it."""
    command = ["unshare", "--user", "--map-root-user"]
    try:
        subprocess.run([*command, "--mount", "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system has no unshare, or lets nobody make a user namespace")
    return [*command, *arguments]
