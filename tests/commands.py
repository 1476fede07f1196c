"""Runs `superfan` as a person or a script would."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def superfan(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 120,
) -> "subprocess.CompletedProcess[bytes]":
    """The finished command, its output in bytes."""
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
    """A command that becomes another, apart from this system; skips where the kernel forbids it."""
    command = ["unshare", "--user", "--map-root-user"]
    try:
        subprocess.run([*command, "--mount", "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system has no unshare, or lets nobody make a user namespace")
    return [*command, *arguments]
