"""`superfan dead-letters`: list, show and replay records that were rejected."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from models.errors import SuperfanError
from streams.commands import options
from streams.commands.options import Out, talk
from streams.views.tables import Output, print_fields, print_rows

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show rejected records, and send them again.

    Examples:

    - `superfan dead-letters list`
    - `superfan dead-letters show mentions/3/1041`
    - `superfan dead-letters replay --dry-run`
    """


@app.command("list")
def dead_letters_list(
    reason: Annotated[
        str | None, typer.Option(help="Show only this reason, such as future.", show_default="all reasons")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many.", show_default="no limit")
    ] = None,
    output: Out = Output.TABLE,
) -> None:
    """List the rejected records and why they were rejected, the newest first.

    Examples:

    - `superfan dead-letters list --limit 20`
    - `superfan dead-letters list --reason future -o json`
    """
    from streams.broker.reading import read_dead_letters

    print_rows(
        output,
        read_dead_letters(options.settings(), reason=reason, limit=limit, short=output is Output.TABLE),
    )


@app.command("show")
def dead_letters_show(
    position: Annotated[
        str,
        typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where the record was, as `list` prints it."),
    ],
    output: Out = Output.TABLE,
) -> None:
    """Show one rejected record in full, and why it was rejected.

    Examples:

    - `superfan dead-letters show mentions/3/1041`
    - `superfan dead-letters show mentions/3/1041 -o json | jq -r .payload`
    """
    import msgspec

    from streams.broker.reading import read_dead_letter
    from streams.topics import BY_NAME, DEAD_LETTERS

    try:
        topic, partition, offset = position.split("/")
        where = topic, int(partition), int(offset)
    except ValueError:
        raise typer.BadParameter(
            f"{position!r} is not TOPIC/PARTITION/OFFSET, such as mentions/3/1041"
        ) from None
    found = read_dead_letter(options.settings(), *where)
    if found is None:
        raise SuperfanError(
            f"No dead letter for {position}",
            f"the record was not rejected, or more than {BY_NAME[DEAD_LETTERS].retention_days} days ago",
            "list all with `superfan dead-letters list`",
        )
    row = msgspec.to_builtins(found)
    if output is Output.TABLE:
        print_fields(row)
    else:
        print_rows(output, [row])


class Policy(StrEnum):
    """The ways to treat a record that would be rejected again."""

    STOP = "stop"
    SKIP = "skip"


@app.command("replay")
def dead_letters_replay(
    reason: Annotated[
        str | None, typer.Option(help="Resend only records with this reason.", show_default="all reasons")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Resend at most this many.", show_default="no limit")
    ] = None,
    policy: Annotated[
        Policy, typer.Option(help="For a record that would be rejected again: stop there, or skip it.")
    ] = Policy.STOP,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; show what would be sent.")
    ] = False,
    output: Out = Output.TABLE,
) -> None:
    """Send rejected records to their topics again, once the cause is fixed.

    Records that the present settings would reject are not sent. Customers and feedback that a later record
    replaced are not sent either. A post that was sent before counts once.

    Examples:

    - `superfan dead-letters replay --dry-run`
    - `superfan dead-letters replay --reason no_lawful_basis --limit 100`
    - `superfan dead-letters replay --policy skip`
    """
    from streams.broker.dead_letters import Outcome, ReplayError, replay

    counts: Counter[Outcome] = Counter()
    stopped: list[ReplayError] = []

    def rows() -> Iterator[dict[str, Any]]:
        skip = policy is Policy.SKIP
        try:
            for row in replay(settings, reason=reason, limit=limit, skip=skip, dry_run=dry_run):
                counts[row.outcome] += 1
                yield row._asdict()
        except ReplayError as error:
            stopped.append(error)  # raised below, after the rows that were sent

    settings = options.settings()
    print_rows(output, rows())
    talk.print(
        f"{'Would send' if dry_run else 'Sent'} {counts[Outcome.SENT]:,}; left "
        f"{counts[Outcome.REFUSED]:,} that would be rejected again, "
        f"{counts[Outcome.SUPERSEDED]:,} that a later record replaced.",
        soft_wrap=True,
    )
    if stopped:
        raise stopped[0]
