"""`superfan nlp`: look into the text pipeline."""

from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import Out
from streams.views.tables import Output

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look into the text pipeline.

    Examples:

    - `superfan nlp explain "I love @JetBlue"`
    """


@app.command("explain")
def nlp_explain(
    text: Annotated[str, typer.Argument(help="The text of a post.")],
    brand: Annotated[
        list[str] | None,
        typer.Option(help="Brand to look for. Can be repeated.", show_default="brands of the settings"),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Word or phrase whose sentiment is asked for, too. Can be repeated."),
    ] = None,
    platform: Annotated[
        str, typer.Option(help="Platform of the post: a brand may have another handle on each.")
    ] = "x",
    output: Out = Output.TABLE,
) -> None:
    """Show what the text pipeline finds in one text, and which words decide its sentiment.

    Each word is removed once. The drop in probability measures its influence. csv prints only these drops.

    Examples:

    - `superfan nlp explain "I love @JetBlue, but @united is the worst"`
    - `superfan nlp explain "The Acme phone is great, its charger is not" --brand Acme --target charger`
    - `superfan nlp explain "best crew ever" -o json`
    """
    from streams.views.text_analysis import brands_named, explain_text, print_explanation

    catalogue = options.settings().brands
    if brand:
        try:
            catalogue = brands_named(brand, catalogue, platform)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--brand") from None
    print_explanation(explain_text(catalogue, text, targets=target or (), platform=platform), output)
