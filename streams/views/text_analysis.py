"""The output of `superfan nlp explain`: the findings in one text, and the words behind its sentiment."""

import sys
from collections.abc import Iterable, Sequence

from pydantic import ValidationError
from rich.text import Text

from models.annotation import Sentiment
from models.brand import Brand
from models.record import encode
from nlp.explain import MOST_TOKENS, Explanation, Finding, explain
from nlp.pipeline import Annotator, TextIn
from streams.views.safe_text import printable
from streams.views.tables import Output, out_console, print_rows

COLOURS = {"positive": "green", "neutral": "blue", "negative": "red"}
AGAINST = "yellow"
STRONG, LEAST_SHOWN = 0.1, 0.005
"""least drop in probability that is bold, and least that is shown"""
MOST_MOVES = 8
WIDTH = 20
"""length of a full bar, in characters"""


def brands_named(names: Iterable[str], known: Sequence[Brand], platform: str) -> tuple[Brand, ...]:
    """Return these brands: as the settings describe them, else with the name and a handle like it.

    Raises `ValueError` for a name that a brand cannot have.
    """
    by_name = {brand.name.casefold(): brand for brand in known}
    return tuple(by_name.get(name.casefold()) or _brand(name, platform) for name in names)


def _brand(name: str, platform: str) -> Brand:
    try:
        return Brand(name=name, handles={platform: (name.replace(" ", ""),)})
    except ValidationError as error:
        raise ValueError(f"{name!r} cannot be the name of a brand: {error.errors()[0]['msg']}") from None


def explain_text(brands: Sequence[Brand], text: str, *, targets: Iterable[str], platform: str) -> Explanation:
    """Explain one text with a catalogue of brands. Loads the text pipeline, which takes a second."""
    # Bytes of the command line that are not UTF-8 become lone surrogates, which cannot be printed.
    text = text.encode(errors="replace").decode()
    return explain(Annotator(brands), TextIn(text, platform, targets=tuple(targets)))


def print_explanation(explanation: Explanation, output: Output) -> None:
    """Print an explanation: in full as text or as a line of JSON, as CSV one row per drop."""
    if output is Output.JSON:
        sys.stdout.write(encode(explanation).decode() + "\n")
    elif output is Output.CSV:
        print_rows(output, _drops(explanation))
    else:
        console = out_console()
        console.print(_facts(explanation))
        for finding in explanation.findings:
            console.print(_title(explanation, finding))
            console.print(_reasons(finding))
        if len(explanation.tokens) > MOST_TOKENS:
            console.print(f"Only the first {MOST_TOKENS} of {len(explanation.tokens)} words were tested.")


def _drops(explanation: Explanation) -> Iterable[dict[str, object]]:
    for finding in explanation.findings:
        for move in finding.moves:
            yield {
                "of": finding.of,
                "name": finding.name,
                "label": finding.sentiment.label,
                "token": move.token.text,
                "start": move.token.start,
                "end": move.token.end,
                "drop": move.drop,
            }


def _facts(explanation: Explanation) -> Text:
    """Return the findings, one per line."""
    said = explanation.annotation
    facts = {
        "tokens": " · ".join(token.text for token in explanation.tokens),
        "language": said.lang or "unknown",
        "entities": ", ".join(f"{entity.text} ({entity.label})" for entity in said.entities),
        "brands": ", ".join(f"{m.brand} ({m.surface}: {m.sentiment.label})" for m in said.brands),
        "cues": ", ".join(said.cues),
        "evidence": ", ".join(said.evidence),
    }
    lines = (
        Text.assemble((f"{name:<10}", "bold"), printable(fact) or "none") for name, fact in facts.items()
    )
    return Text("\n").join(lines)


def _title(explanation: Explanation, finding: Finding) -> Text:
    """Return the sentiment's target and label, and the text, coloured by the influence of each word."""
    label = finding.sentiment.label
    who = printable(finding.name) if finding.name else "The text"
    title = Text.assemble("\n", (who, "bold"), ": ", (label, f"bold {COLOURS[label]}"), "\n")
    drops = {move.token.start: move.drop for move in finding.moves}
    end = 0
    text = explanation.annotation.text
    for token in explanation.tokens:
        # A post is shown on one line, so any white space is one space.
        title.append(" " * bool(text[end : token.start]))
        title.append(printable(token.text), _style(drops.get(token.start, 0.0), label))
        end = token.end
    return title


def _reasons(finding: Finding) -> Text:
    """Return the probabilities as bars, and the most influential words, strongest first."""
    lines = [*_bars(finding.sentiment)]
    label = finding.sentiment.label
    shown = [move for move in finding.moves if abs(move.drop) >= LEAST_SHOWN][:MOST_MOVES]
    if not shown:
        lines.append(Text("  No single word changes it.", "dim"))
    width = max((len(printable(move.token.text)) for move in shown), default=0)
    for move in shown:
        word = f"{printable(move.token.text):<{width}}"
        points = f" {100 * move.drop:+6.1f} points "
        bar = "█" * max(1, round(abs(move.drop) * WIDTH))
        style = _style(move.drop, label)
        lines.append(Text.assemble("  ", (word, style), points, (bar, style)))
    return Text("\n").join(lines)


def _bars(sentiment: Sentiment) -> Iterable[Text]:
    for label, probability in sentiment.probabilities.items():
        full = round(probability * WIDTH)
        bar = ("█" * full, COLOURS[label]), ("░" * (WIDTH - full), "dim")
        yield Text.assemble(f"  {label:<9}", *bar, f" {100 * probability:5.1f} %")


def _style(drop: float, label: str) -> str:
    if abs(drop) < LEAST_SHOWN:
        return ""
    colour = COLOURS[label] if drop > 0 else AGAINST
    return f"bold {colour}" if abs(drop) >= STRONG else colour
