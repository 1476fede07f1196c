"""`superfan dead-letters`: list, show and replay records that were rejected."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from models.errors import SuperfanError
from streams.commands import options
from streams.commands.options import Out, talk
from streams.views.output import Output, print_fields, print_rows

app = typer.Typer(
    help="Records that could not be used. Examples: `superfan dead-letters list`", no_args_is_help=True
)


@app.command("list")
def dead_letters_list(
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """The dead letters on their topic, the newest first.

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
    place: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where the record was, as `list` says.")
    ],
    output: Out = Output.TABLE,
) -> None:
    """One dead letter, whole: why the record could not be used, and all of it.

    Examples:

    - `superfan dead-letters show mentions/3/1041`
    - `superfan dead-letters show mentions/3/1041 -o json | jq -r .payload`
    """
    import msgspec

    from streams.broker.reading import read_dead_letter

    try:
        topic, partition, offset = place.split("/")
        where = topic, int(partition), int(offset)
    except ValueError:
        raise typer.BadParameter(f"{place!r} is no TOPIC/PARTITION/OFFSET such as mentions/3/1041") from None
    found = read_dead_letter(options.settings(), *where)
    if found is None:
        raise SuperfanError(
            f"There is no dead letter of {place}",
            "nothing was rejected there, or it was more than 28 days ago",
            "look with `superfan dead-letters list`",
        )
    row = msgspec.to_builtins(found)
    if output is Output.TABLE:
        print_fields(row)
    else:
        print_rows(output, [row])


class Policy(StrEnum):
    """What to do at a record that would be rejected again."""

    STOP = "stop"
    SKIP = "skip"


@app.command("replay")
def dead_letters_replay(
    reason: Annotated[str | None, typer.Option(help="Only those with this reason.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most so many.")] = None,
    policy: Annotated[
        Policy, typer.Option(help="At a record that would be rejected again: stop there, or skip it.")
    ] = Policy.STOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would be sent.")] = False,
    output: Out = Output.TABLE,
) -> None:
    """Send dead letters back to their topics, when what they were rejected for is mended.

    What today's settings would reject again is not sent, nor a customer or feedback that a later record
    replaced. A post that was sent before counts once.

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
            stopped.append(error)  # told when what was sent before it is printed

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
