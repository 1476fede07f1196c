"""Runs `superfan` as a person or a script would."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


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
