"""The command line, assembled. Data goes to standard output, everything else to standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 unhealthy.
"""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands import (
    candidates,
    checks,
    dead_letters,
    inputs,
    nlp,
    offline,
    options,
    report,
    run,
    topics,
)
from streams.commands.errors import CommandGroup

app = typer.Typer(
    name="superfan",
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (run, inputs, offline, report, checks):
    app.add_typer(commands.app)
app.add_typer(topics.app, name="topics")
app.add_typer(candidates.app, name="candidates")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(nlp.app, name="nlp")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"superfan {version('superfan')}")
        raise typer.Exit


@app.callback()
def main(
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file. Else SUPERFAN_CONFIG, else ./superfan.toml, else the demo's.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Finds a brand's enthusiastic existing customers in the social stream, and says why.

    Examples:

    - `superfan demo`
    - `superfan broker`
    - `superfan worker`
    - `superfan candidates list`
    """
    options.chosen.config = config
    options.chosen.debug = debug
