"""`superfan report`: the board as a web page."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import States, talk

app = typer.Typer()


@app.command()
def report(
    target: Annotated[
        Path, typer.Option("-o", "--output", help="The page to write; - is standard output.")
    ] = Path("report.html"),
    brand: Annotated[str | None, typer.Option(help="Only authors of this brand.")] = None,
    states: States = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many cards.")] = 60,
) -> None:
    """One static page from the store: the board, a card for each author, what is said of each brand.

    The page needs no network and no script, and prints well. The same store gives the same bytes.

    Examples:

    - `superfan report -o out.html`
    - `superfan report --brand JetBlue --state candidate --limit 20`
    """
    from streams.commands import progress
    from streams.store import open_store
    from streams.views.report import write_report

    settings = options.settings()
    with open_store(settings) as store, progress.counting("Reading profiles") as advance:
        written = write_report(
            target,
            store,
            settings,
            brand=options.known_brand(brand, settings, store),
            states=options.state_names(states),
            limit=limit,
            advance=advance,
        )
    where = "to standard output" if str(target) == "-" else target
    talk.print(f"Written: {where}, {written.cards} of {written.found} authors.", soft_wrap=True)
    if not written.found:
        talk.print(
            "Nobody is on the board yet: feed posts (`superfan feed`), or ask for other brands and states."
        )
