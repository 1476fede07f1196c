"""`superfan candidates`: the board, a card, and the changes."""

from itertools import islice
from typing import Annotated

import typer
from rich.text import Text

from streams.commands import options
from streams.commands.options import Out, States, talk
from streams.views.safe_text import printable
from streams.views.tables import Output

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Show the people worth asking, and why.

    Examples:

    - `superfan candidates list`
    - `superfan candidates show "Southwest/x:ue5927f1ef6"`
    - `superfan candidates tail`
    """


@app.command("list")
def candidates_list(
    brand: Annotated[
        str | None, typer.Option(help="Show only this brand.", show_default="all brands")
    ] = None,
    states: States = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            help="Show only this size class, such as micro. Can be repeated.", show_default="all sizes"
        ),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Lowest score to show, 0 to 100.", show_default="0")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many.", show_default="no limit")
    ] = None,
    output: Out = Output.TABLE,
) -> None:
    """List the people worth asking, from the store, the best first.

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
    key: Annotated[
        str,
        typer.Argument(
            help="Key of the candidate, brand/platform:author_id, as `candidates list` prints it."
        ),
    ],
    output: Out = Output.TABLE,
) -> None:
    """Show everything about one candidate: reasons, watch-outs, unknowns, points and posts per day.

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
        bool, typer.Option("--from-beginning", help="Begin with the changes that are on the topic.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Exit after this many changes.", show_default="no limit")
    ] = None,
    output: Out = Output.TABLE,
) -> None:
    """Follow the topic `candidates`: print a line for each change, until Ctrl-C.

    The state "deleted" means: delete your copy. The author is no longer a candidate, or asked to be
    forgotten.

    Examples:

    - `superfan candidates tail`
    - `superfan candidates tail --from-beginning --limit 10`
    - `superfan candidates tail -o json | jq .headline`
    """
    from streams.broker.reading import follow_candidates
    from streams.shutdown import Stop
    from streams.views.board import print_changes
    from streams.views.tables import reader_left

    stop = Stop()
    settings = options.settings()
    talk.print(f"Following `candidates` on {settings.broker_url}. Press Ctrl-C to stop.", soft_wrap=True)
    with stop.waking(lambda: None):
        changes = follow_candidates(
            settings,
            from_beginning=from_beginning,
            go_on=lambda: not (stop.asked or reader_left()),
            on_unreadable=lambda what: talk.print(Text(printable(f"{what}.")), soft_wrap=True),
        )
        print_changes(islice(changes, limit), output)
