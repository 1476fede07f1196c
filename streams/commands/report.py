"""`superfan report`: the board as a web page."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import States, talk

app = typer.Typer()


@app.command(rich_help_panel=options.FIND)
def report(
    target: Annotated[
        Path, typer.Option("-o", "--output", help="Web page to write; - is standard output.")
    ] = Path("report.html"),
    brand: Annotated[
        str | None, typer.Option(help="Show only this brand.", show_default="all brands")
    ] = None,
    states: States = None,
    limit: Annotated[int, typer.Option(min=1, help="Most candidates on the page.")] = 60,
) -> None:
    """Write a web page from the store: the candidates, a card for each, and the opinions of each brand.

    The page is one file without scripts. It needs no network, and can be printed.

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
    where = "to standard output" if str(target) == "-" else f"to {target}"
    talk.print(f"Wrote {written.cards} of {written.found} authors {where}.", soft_wrap=True)
    if not written.found:
        talk.print("No candidates yet. Send posts with `superfan feed`, or choose other brands and states.")
