"""`superfan nlp`: look into the text pipeline."""

from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import Out
from streams.views.output import Output

app = typer.Typer(
    help='Looks into the text pipeline. Examples: `superfan nlp explain "I love @JetBlue"`',
    no_args_is_help=True,
)


@app.command("explain")
def nlp_explain(
    text: Annotated[str, typer.Argument(help="The text of a post.")],
    brand: Annotated[
        list[str] | None, typer.Option(help="Look for this brand, not for those of the settings.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="Ask for the sentiment towards this, too.")] = None,
    platform: Annotated[str, typer.Option(help="Where it was posted: handles are a platform's own.")] = "x",
    output: Out = Output.TABLE,
) -> None:
    """What the text pipeline makes of one text, and which words moved its sentiment.

    Every word is taken out once: by how much the answer's probability drops is what the word did for it.
    csv prints these drops only.

    Examples:

    - `superfan nlp explain "I love @JetBlue, but @united is the worst"`
    - `superfan nlp explain "The Acme phone is great, its charger is not" --brand Acme --target charger`
    - `superfan nlp explain "best crew ever" -o json`
    """
    from streams.views.explanation import brands_named, explain_text, print_explanation

    catalogue = options.settings().brands
    if brand:
        try:
            catalogue = brands_named(brand, catalogue, platform)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--brand") from None
    print_explanation(explain_text(catalogue, text, targets=target or (), platform=platform), output)
