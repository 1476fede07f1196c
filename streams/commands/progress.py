"""Progress bars on standard error, where that is a terminal."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from streams.commands.options import talk


@contextmanager
def counting(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how many records are done; yield a function that adds to them."""
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk,
        disable=not talk.is_terminal,
    ) as progress:
        task = progress.add_task(title, total=total)
        yield lambda n: progress.advance(task, n)


@contextmanager
def reading(title: str, files: Sequence[Path]) -> Iterator[Callable[[int, int], None]]:
    """Show how much of the files is read; yield a function of the posts done since, and the bytes read."""
    from streams.sources.lines import Files

    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[posts]:,} posts, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=talk,
        disable=not talk.is_terminal,
    ) as progress:
        task = progress.add_task(title, total=Files(files).size, posts=0, rate=0.0)
        began = time.monotonic()
        done = 0

        def advance(posts: int, position: int) -> None:
            nonlocal done
            done += posts
            rate = done / max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=position, posts=done, rate=rate)

        yield advance
