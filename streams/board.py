"""Candidates as a person reads them: the board, and one candidate's card."""

import sys
from collections.abc import Iterable

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.candidates import Candidate
from models.records import encode
from streams.printing import Output, out_console, print_rows


def print_board(candidates: Iterable[Candidate], output: Output, talk: Console) -> None:
    """A ranked list. As a table it says why; as JSON each line is the whole record."""
    if output is Output.JSON:
        for candidate in candidates:
            sys.stdout.buffer.write(encode(candidate) + b"\n")
        return
    if output is Output.CSV:
        print_rows(output, (_row(candidate) for candidate in candidates))
        return
    found = list(candidates)
    if not found:
        talk.print("Nobody yet. Feed posts (`superfan feed`), or ask for other states and tiers.")
        return
    out_console().print(board(found))


def board(candidates: Iterable[Candidate], title: str | None = None) -> Table:
    """The ranked board as a table."""
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
    )
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("state")
    table.add_column("who", overflow="fold")
    table.add_column("tier")
    table.add_column("followers", justify="right")
    table.add_column("customer")
    table.add_column("why", ratio=1, overflow="fold")
    for rank, candidate in enumerate(candidates, 1):
        table.add_row(
            str(rank),
            f"{candidate.score:.1f}",
            Text(candidate.state, style="bold green" if candidate.state == "candidate" else ""),
            Text(candidate.key),
            candidate.tier.name or "unknown",
            "unknown" if candidate.tier.followers is None else f"{candidate.tier.followers:,}",
            candidate.customer.label,
            Text(_reasons(candidate)),
        )
    return table


def print_card(candidate: Candidate, output: Output) -> None:
    """One candidate in full."""
    if output is Output.JSON:
        sys.stdout.buffer.write(encode(candidate) + b"\n")
    elif output is Output.CSV:
        print_rows(output, [_row(candidate)])
    else:
        out_console().print(card(candidate))


def card(candidate: Candidate) -> Panel:
    """The card a marketer reads."""
    parts: list[Text] = [Text(candidate.headline, style="bold"), Text()]
    for reason in candidate.why:
        parts.append(Text.assemble(("+ ", "green"), reason.text))
        parts += [Text(f"    “{quote.text}” ({quote.at[:10]})", style="italic") for quote in reason.quotes]
    parts += [Text.assemble(("- ", "red"), watch_out.text) for watch_out in candidate.watch_outs]
    parts += [Text.assemble(("? ", "yellow"), f"not known: {unknown}") for unknown in candidate.unknown]
    lost = ", ".join(f"{name} {points}" for name, points in candidate.lost_points.items() if points)
    parts += [
        Text(),
        Text(
            f"score {candidate.score} of 100, confidence {candidate.confidence}; lost to: {lost or 'nothing'}"
        ),
        Text(
            f"state {candidate.state}, since {_day(candidate.entered_at)}, until {_day(candidate.expires_at)}"
        ),
    ]
    if (cost := candidate.cost_band) is not None:
        parts.append(
            Text(f"a post of this tier costs {cost.low:,}-{cost.high:,} {cost.currency} ({cost.source})")
        )
    if candidate.notice.required:
        parts.append(Text(f"tell them by {_day(candidate.notice.due_at)} that their posts were read"))
    return Panel(Group(*parts), title=escape(candidate.key), title_align="left", padding=(1, 2))


def _reasons(candidate: Candidate) -> str:
    said = [reason.text for reason in candidate.why if reason.code in {"enthusiasm", "customer"}]
    quotes = [quote.text for reason in candidate.why for quote in reason.quotes][:1]
    return "\n".join([*said, *(f"“{text}”" for text in quotes)])


def _row(candidate: Candidate) -> dict[str, object]:
    return {
        "key": candidate.key,
        "brand": candidate.brand,
        "platform": candidate.platform,
        "author_id": candidate.author_id,
        "handle": candidate.handle,
        "state": candidate.state,
        "score": candidate.score,
        "confidence": candidate.confidence,
        "tier": candidate.tier.name,
        "followers": candidate.tier.followers,
        "customer": candidate.customer.label,
        "headline": candidate.headline,
        "entered_at": candidate.entered_at,
        "expires_at": candidate.expires_at,
    }


def _day(at: str | None) -> str:
    return "-" if at is None else at[:10]
