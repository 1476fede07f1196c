"""Commands that check an installation: lag, doctor, health, config."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import options
from streams.commands.options import Out, WorkerRole, talk
from streams.views.tables import Output, print_findings, print_rows

if TYPE_CHECKING:
    from streams.ops.health import Finding

app = typer.Typer()


@app.command("lag", rich_help_panel=options.CHECK)
def lag_command(output: Out = Output.TABLE) -> None:
    """Show the backlog of each role and topic: unread records, and the age of the oldest.

    Examples:

    - `superfan lag`
    - `superfan lag -o json`
    """
    from streams.broker import admin
    from streams.broker.clients import group_less_consumer
    from streams.broker.lag import FETCH_BYTES, by_topic

    settings = options.settings()
    with (
        admin.admin_client(settings) as client,
        group_less_consumer(settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer,
    ):
        print_rows(output, by_topic(client, consumer, settings.topics.partitions))


@app.command(rich_help_panel=options.CHECK)
def doctor(output: Out = Output.TABLE) -> None:
    """Check the whole installation, and print a fix for each problem.

    Checked are settings, broker, topics, roles, clocks, store and text pipeline. Nothing is changed. The
    exit code is 3 if there is a problem.

    Examples:

    - `superfan doctor`
    - `superfan doctor -o json | jq 'select(.ok | not)'`
    """
    from streams.ops.health import diagnose

    findings = diagnose(options.settings())
    _print_findings(output, findings)


@app.command(rich_help_panel=options.CHECK)
def health(
    role: Annotated[
        WorkerRole, typer.Option(help="Check only what this role needs; only the sink needs the store.")
    ] = WorkerRole.ALL,
    output: Out = Output.TABLE,
) -> None:
    """Check broker, topics and store for a probe: exit with 0 if all are available, else with 3.

    Examples:

    - `superfan health`
    - `superfan health --role enrich`
    - `superfan health -o json`
    """
    from streams.ops.health import probe

    findings = probe(options.settings(), role.roles)
    _print_findings(output, findings)


@app.command(rich_help_panel=options.CHECK)
def config() -> None:
    """Print the settings in use, as JSON, without secrets.

    Examples:

    - `superfan config`
    - `SUPERFAN_TOPICS__PARTITIONS=16 superfan config`
    """
    settings = options.settings()
    talk.print(f"Settings from {options.settings_path()} and SUPERFAN_* variables:", soft_wrap=True)
    sys.stdout.write(json.dumps(settings.shown(), indent=2, ensure_ascii=False) + "\n")


def _print_findings(output: Output, findings: Sequence["Finding"]) -> None:
    """Print findings. Exits with 3 if one is a problem."""
    if output is Output.TABLE:
        print_findings((finding.check, finding.ok, finding.found, finding.fix) for finding in findings)
    else:
        print_rows(output, (finding.row() for finding in findings))
    if wrong := sum(not finding.ok for finding in findings):
        talk.print(f"{wrong} of {len(findings)} checks found a problem.")
        raise typer.Exit(3)
