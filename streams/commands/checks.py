"""Commands that check an installation: lag, doctor, health, config."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.commands import options
from streams.commands.options import Out, WorkerRole, talk
from streams.views.output import Output, print_findings, print_rows

if TYPE_CHECKING:
    from streams.ops.health import Finding

app = typer.Typer()


@app.command("lag")
def lag_command(output: Out = Output.TABLE) -> None:
    """How far each role is behind: records that wait, and for how long the oldest has, by topic.

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


@app.command()
def doctor(output: Out = Output.TABLE) -> None:
    """Check settings, broker, topics, roles, clocks, store and text pipeline. Exit 3 with any finding.

    Each finding comes with its fix. Nothing is written anywhere.

    Examples:

    - `superfan doctor`
    - `superfan doctor -o json | jq 'select(.ok | not)'`
    """
    from streams.ops.health import diagnose

    findings = diagnose(options.settings())
    _print_findings(output, findings)


@app.command()
def health(
    role: Annotated[
        WorkerRole, typer.Option(help="Ask only for what this role needs: the store is the sink's.")
    ] = WorkerRole.ALL,
    output: Out = Output.TABLE,
) -> None:
    """For probes: exit 0 when broker, topics and store are there, 3 when not.

    Examples:

    - `superfan health`
    - `superfan health --role enrich`
    - `superfan health -o json`
    """
    from streams.ops.health import probe

    findings = probe(options.settings(), role.roles)
    _print_findings(output, findings)


@app.command()
def config() -> None:
    """The settings in force, as JSON, with secrets hidden.

    Examples:

    - `superfan config`
    - `SUPERFAN_TOPICS__PARTITIONS=16 superfan config`
    """
    settings = options.settings()
    talk.print(f"from {options.settings_path()}, SUPERFAN_* and flags", soft_wrap=True)
    sys.stdout.write(json.dumps(settings.shown(), indent=2, ensure_ascii=False) + "\n")


def _print_findings(output: Output, findings: Sequence["Finding"]) -> None:
    """Print findings; exits 3 when one is not well."""
    if output is Output.TABLE:
        print_findings((finding.check, finding.ok, finding.found, finding.fix) for finding in findings)
    else:
        print_rows(output, (finding.row() for finding in findings))
    if wrong := sum(not finding.ok for finding in findings):
        talk.print(f"{wrong} of {len(findings)} checks found something.")
        raise typer.Exit(3)
