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
    store,
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
# In the order of `--help`. A group without a name adds its commands to `superfan` itself.
app.add_typer(run.app)
app.add_typer(topics.app, name="topics", rich_help_panel=options.RUN)
app.add_typer(inputs.app)
app.add_typer(candidates.app, name="candidates", rich_help_panel=options.FIND)
app.add_typer(report.app)
app.add_typer(offline.app)
app.add_typer(nlp.app, name="nlp", rich_help_panel=options.TRY)
app.add_typer(checks.app)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=options.CHECK)
app.add_typer(store.app, name="store", rich_help_panel=options.CHECK)


def _print_version(asked: bool) -> None:
    """Print the version and exit, if it was asked for."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"superfan {version('superfan')}")
        raise typer.Exit


@app.callback()
def main(
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file.",
            show_default="SUPERFAN_CONFIG, then ./superfan.toml, then the demo's",
        ),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show tracebacks and debug logs. Not for production: they may quote posts."
        ),
    ] = False,
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Find a brand's enthusiastic customers in a stream of social media posts, and explain why.

    Examples:

    - `superfan demo`: try everything on this machine, with bundled posts
    - `superfan worker`: run the stream
    - `superfan candidates list`: see the candidates
    - `superfan doctor`: check the installation
    """
    options.chosen.config = config
    options.chosen.debug = debug
