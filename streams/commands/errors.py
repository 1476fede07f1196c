"""Errors of commands: one readable message, and an exit code."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import typer
from rich.text import Text
from typer.exceptions import TyperException

from models.errors import SuperfanError, UsageError
from streams.commands import options
from streams.views.safe_text import printable

log = logging.getLogger(__name__)


class CommandGroup(typer.core.TyperGroup):
    """Reports the errors of commands, and accepts `--config` and `--debug` anywhere on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the line with `--config` and `--debug` moved to its front; people write them anywhere."""
        end = args.index("--") if "--" in args else len(args)
        front: list[str] = []
        rest: list[str] = []
        words = iter(args[:end])
        for word in words:
            if word == "--config":
                front += [word, *islice(words, 1)]
            elif word == "--debug" or word.startswith("--config="):
                front.append(word)
            else:
                rest.append(word)
        with _closed_pipe_is_no_error():
            return super().parse_args(ctx, [*front, *rest, *args[end:]])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; turn an error into a message and an exit code."""
        try:
            with _closed_pipe_is_no_error():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            from streams.ops import logs

            # A service's last log line is written by `logs`, which knows what may be logged of a record.
            if options.chosen.debug or (logs.logs_crashes() and not _is_expected(error)):
                raise
            _report(*_described(error))
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


@contextmanager
def _closed_pipe_is_no_error() -> Iterator[None]:
    """Exit with 0 when the reader of standard output (head, less) has closed it."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as end:
        # Rich exits with 1 on a broken pipe.
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def _is_expected(error: Exception) -> bool:
    """Return whether this is an error of the surroundings and not a bug."""
    if isinstance(error, SuperfanError | OSError):
        return True
    from kafka.errors import KafkaError
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, KafkaError | SQLAlchemyError)


def _described(error: Exception) -> tuple[str, str, str]:
    """Return what went wrong, why, and what to do next."""
    from streams.ops import logs

    if isinstance(error, SuperfanError):
        return error.what, error.why, error.fix
    if _is_expected(error):
        fix = "run `superfan doctor`; `superfan --debug …` shows where it happened"
        return type(error).__name__, str(error) or "no reason given", fix
    return (
        "A bug in Superfan",
        logs.describe(error),
        "run it again as `superfan --debug …`, and report what it shows",
    )


def _report(what: str, why: str, fix: str) -> None:
    """Print an error for people, or log it where standard error is read by programs."""
    from streams.ops import logs

    if logs.current().json:
        log.error("%s: %s", what, why, extra={"fix": fix})
        return
    options.talk.print(Text.assemble((printable(what), "bold red"), f": {printable(why)}."), soft_wrap=True)
    options.talk.print(Text.assemble(("Next:", "bold"), f" {printable(fix)}."), soft_wrap=True)
