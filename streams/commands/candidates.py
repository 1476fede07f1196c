"""`superfan candidates`: the board, a card, and the changes."""

from itertools import islice
from typing import Annotated

import typer
from rich.text import Text

from streams.commands import options
from streams.commands.options import Out, States, talk
from streams.views.output import Output, printable

app = typer.Typer(
    help="Who to ask, and why, from the store. Examples: `superfan candidates list`", no_args_is_help=True
)


@app.command("list")
def candidates_list(
    brand: Annotated[str | None, typer.Option(help="Only of this brand.")] = None,
    states: States = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only in these tiers; default all.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Only from this score on.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """Who to ask: the best first.

    Examples:

    - `superfan candidates list`
    - `superfan candidates list --brand JetBlue --state candidate`
    - `superfan candidates list -o json | head`
    """
    from streams.store import open_store
    from streams.views.board import print_board

    settings = options.settings()
    with open_store(settings) as store:
        found = store.candidates(
            brand=options.known_brand(brand, settings, store),
            states=options.state_names(states),
            tiers=options.known_tiers(tier, settings, store),
            min_score=min_score,
            limit=limit,
        )
        print_board(found, output, talk)


@app.command("show")
def candidates_show(
    key: Annotated[str, typer.Argument(help="brand/platform:author_id, as `candidates list` prints it.")],
    output: Out = Output.TABLE,
) -> None:
    """One candidate: why, what speaks against, what is not known.

    Examples:

    - `superfan candidates show "Southwest/x:ue5927f1ef6"`
    - `superfan candidates show "Southwest/x:ue5927f1ef6" -o json`
    """
    from streams.store import find_candidate, open_store
    from streams.views.board import print_card

    settings = options.settings()
    with open_store(settings) as store:
        candidate = find_candidate(store, key)
        print_card(candidate, store.profile(key), settings.rules, output)


@app.command("tail")
def candidates_tail(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="First what is on the topic already.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """Follow the topic `candidates`: a line for each change, until Ctrl-C, SIGTERM or a closed pipe.

    A candidate that must be deleted (it is none any more, or the person asked) has the state "deleted".

    Examples:

    - `superfan candidates tail`
    - `superfan candidates tail --from-beginning --limit 10`
    - `superfan candidates tail -o json | jq .headline`
    """
    from streams.broker.reading import follow_candidates
    from streams.shutdown import Stop
    from streams.views.board import print_changes
    from streams.views.output import reader_left

    stop = Stop()
    settings = options.settings()
    talk.print(f"Following `candidates` on {settings.broker_url}; Ctrl-C ends it.", soft_wrap=True)
    with stop.waking(lambda: None):
        changes = follow_candidates(
            settings,
            from_beginning=from_beginning,
            go_on=lambda: not (stop.asked or reader_left()),
            on_unreadable=lambda what: talk.print(Text(printable(f"{what}.")), soft_wrap=True),
        )
        print_changes(islice(changes, limit), output)
