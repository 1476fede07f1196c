"""Candidates in a terminal: the board, a card, and a line for each change."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from models.candidate import Candidate, DayCounts, Profile
from models.post import parse_author_key, parse_candidate_key
from models.record import encode
from models.rules import Rules
from models.times import rfc3339
from streams.views.card_content import (
    SHOWN_DAYS,
    last_days,
    missing,
    parts,
    summed,
    surfaces,
)
from streams.views.safe_text import plain, web_link
from streams.views.tables import Output, out_console, print_rows

if TYPE_CHECKING:
    from streams.broker.reading import Changed  # at run time, Kafka's client is not needed for the board

COLOURS = {"positive": "green", "neutral": "blue", "negative": "red"}
BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 20
"""length of a full bar, in characters"""
NARROW = 110
"""columns of a terminal below which tables have fewer columns"""
_SELF = ("key", "brand", "platform", "author_id", "handle", "state", "score", "confidence")
_OWN = {"tier": "tier.name", "followers": "tier.followers", "customer": "customer.label"}
_COLUMNS = {
    name: attrgetter(_OWN.get(name, name)) for name in (*_SELF, *_OWN, "headline", "entered_at", "expires_at")
}
"""columns of the CSV"""


def print_board(candidates: Iterable[Candidate], output: Output, talk: Console) -> None:
    """Print a ranked list: a table with reasons, or JSON lines with whole records."""
    if output is Output.JSON:
        for candidate in candidates:
            sys.stdout.buffer.write(encode(candidate) + b"\n")
        return
    if output is Output.CSV:
        print_rows(output, (_row(candidate) for candidate in candidates))
        return
    found = list(candidates)
    if not found:
        talk.print("No candidates. Send posts with `superfan feed`, or choose other states and tiers.")
        return
    console = out_console()
    console.print(board(found, narrow=console.width < NARROW))


def board(candidates: Iterable[Candidate], title: str | None = None, *, narrow: bool = False) -> Table:
    """Return the ranked board; a narrow one has size and customer below the key."""
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
    )
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("state")
    table.add_column("who", overflow="fold")
    if not narrow:
        table.add_column("tier")
        table.add_column("followers", justify="right")
        table.add_column("customer")
    table.add_column("why", ratio=1, overflow="fold")
    for rank, candidate in enumerate(candidates, 1):
        about = [
            candidate.tier.name or "unknown",
            "unknown" if candidate.tier.followers is None else f"{candidate.tier.followers:,}",
            candidate.customer.label,
        ]
        who = Text(plain(candidate.key))
        if narrow:
            who.append(f"\n{_size(candidate)}, {candidate.customer.label} customer", "dim")
        table.add_row(
            str(rank),
            f"{candidate.score:.1f}",
            _state(candidate.state),
            who,
            *([] if narrow else about),
            _reason(candidate),
        )
    return table


def print_card(candidate: Candidate, profile: Profile | None, rules: Rules, output: Output) -> None:
    """Print one candidate in full; `profile` adds the days, `rules` the weights and conditions."""
    if output is Output.JSON:
        sys.stdout.buffer.write(encode(candidate) + b"\n")
    elif output is Output.CSV:
        print_rows(output, [_row(candidate)])
    else:
        console = out_console()
        console.print(card(candidate, profile, rules, narrow=console.width < NARROW))


def card(candidate: Candidate, profile: Profile | None, rules: Rules, *, narrow: bool = False) -> Panel:
    """Return the card of a candidate."""
    shown: list[RenderableType] = [
        Text(plain(candidate.headline), "bold"),
        Text.assemble(
            "\n", (f"{candidate.score}", "bold"), " of 100, ", f"{candidate.confidence} confidence, ",
            _state(candidate.state), f", {_size(candidate)}, {candidate.customer.label} customer",
        ),
    ]  # fmt: skip
    names = surfaces(rules, candidate.brand, candidate.platform)
    for reason in candidate.why:
        for quote in reason.quotes:
            where = " ".join(filter(None, (quote.at[:10], web_link(quote.url))))
            text = Text.assemble("  “", plain(quote.text), "” ", (plain(where), "dim"))
            text.highlight_regex(names, "bold yellow")
            shown.append(text)
    against = [*(watch_out.text for watch_out in candidate.watch_outs), *missing(candidate, profile, rules)]
    shown += _listed("Reasons to ask them", "+", "green", [reason.text for reason in candidate.why])
    shown += _listed("Reasons not to", "-", "red", against or ["none known"])
    shown += _listed("Not known", "?", "yellow", candidate.unknown or ["nothing: every part is known"])
    shown += [_title("The parts of the score"), _parts(candidate, rules)]
    if profile is not None:
        days = last_days(profile.days, profile.evaluated_on)
        shown += [
            _title(f"Posts about {candidate.brand} in the last {SHOWN_DAYS} days"),
            _strip(days, 1 + narrow),
        ]
    shown += [Text(), *_facts(candidate)]
    return Panel(Group(*shown), title=Text(plain(candidate.key)), title_align="left", padding=(1, 2))


def print_changes(changes: Iterable["Changed"], output: Output) -> None:
    """Print each change as soon as it comes; JSON and CSV have the fields of `candidates list`.

    A deletion has only a key, its parts, and the state "deleted".
    """
    if output is Output.CSV:
        print_rows(output, _flushing(map(_changed_row, changes)))
        return
    console = out_console()
    for change in changes:
        if output is Output.JSON:
            sys.stdout.buffer.write(encode(change.candidate or _deleted(change.key)) + b"\n")
            sys.stdout.buffer.flush()
        elif console.is_terminal:
            console.print(_line(change), no_wrap=True, overflow="ellipsis")
        else:
            console.print(_line(change), soft_wrap=True)


def _line(change: "Changed") -> Text:
    when = rfc3339(change.ms)[:19].replace("T", " ")
    candidate = change.candidate
    if candidate is None:
        return Text.assemble(
            (when, "dim"),
            "  ",
            ("deleted  ", "red"),
            "         ",
            plain(change.key),
            ("  delete your copy", "dim"),
        )
    about = f"{_size(candidate)}, {candidate.customer.label} customer"
    return Text.assemble(
        (when, "dim"),
        "  ",
        _state(f"{candidate.state:<9}"),
        f"  {candidate.score:>5.1f}  {plain(candidate.key)}  ",
        (f"{about}  ", "dim"),
        plain(candidate.why[0].text if candidate.why else candidate.headline),
    )


def _changed_row(change: "Changed") -> dict[str, object]:
    if change.candidate is not None:
        return _row(change.candidate)
    return dict.fromkeys(_COLUMNS) | _deleted(change.key)


def _deleted(key: str) -> dict[str, object]:
    brand, author = parse_candidate_key(key)
    platform, author_id = parse_author_key(author)
    return {"key": key, "brand": brand, "platform": platform, "author_id": author_id, "state": "deleted"}


def _flushing(rows: Iterable[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield the same rows, and flush standard output before waiting for the next."""
    for row in rows:
        yield row
        sys.stdout.flush()


def _reason(candidate: Candidate) -> RenderableType:
    """Return the first reason, and the best quote on one line."""
    said = Text(plain(candidate.why[0].text if candidate.why else candidate.headline))
    quotes = [plain(quote.text) for reason in candidate.why for quote in reason.quotes][:1]
    return Group(said, *(Text(f"“{text}”", "dim", no_wrap=True, overflow="ellipsis") for text in quotes))


def _state(state: str) -> Text:
    return Text(state, "bold green" if state.strip() in {"candidate", "accepted"} else "")


def _size(candidate: Candidate) -> str:
    tier = candidate.tier
    return "followers unknown" if tier.followers is None else f"{tier.name}, {tier.followers:,} followers"


def _title(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _listed(title: str, mark: str, colour: str, texts: Sequence[str]) -> list[RenderableType]:
    table = Table.grid(padding=(0, 1))
    for text in texts:
        table.add_row(Text(mark, colour), Text(plain(text)))
    return [_title(title), table]


def _parts(candidate: Candidate, rules: Rules) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("part")
    table.add_column("0 to 1", min_width=WIDTH)
    for name in ("value", "weight", "points lost"):
        table.add_column(name, justify="right")
    for part in parts(candidate, rules):
        if part.value is None:
            table.add_row(part.name, Text("░" * WIDTH, "dim"), Text("not known", "dim"))
            continue
        full = round(part.value * WIDTH)
        table.add_row(
            part.name,
            Text.assemble(("█" * full, "green"), ("░" * (WIDTH - full), "dim")),
            f"{part.value:.2f}",
            "" if part.share is None else f"{100 * part.share:.0f} %",
            "" if part.lost is None else f"{-part.lost:.1f}" if part.lost else "0",
        )
    return table


def _strip(days: Sequence[tuple[str, DayCounts]], step: int) -> Text:
    """Return a row of blocks for each sentiment with posts; a block is `step` days."""
    total = summed(days)
    chunks = [summed(days[at : at + step]) for at in range(0, len(days), step)]
    most = max(getattr(chunk, name) for chunk in chunks for name in COLOURS)
    text = Text()
    for name, colour in COLOURS.items():
        if not getattr(total, name):
            continue
        text.append(f"{name:<8} ")
        for chunk in chunks:
            count = getattr(chunk, name)
            text.append(*(("·", "dim") if not count else (BLOCKS[-(-8 * count // most) - 1], colour)))
        text.append(f" {getattr(total, name):,}\n")
    first, last = days[0][0], days[-1][0]
    return text.append(f"{'':<8} {first}{last:>{len(chunks) - len(first)}}", "dim")


def _facts(candidate: Candidate) -> Iterator[Text]:
    """Yield dates, cost, notice and address."""
    if candidate.entered_at:
        yield Text(f"became a candidate on {_day(candidate.entered_at)}")
    if candidate.expires_at:
        yield Text(f"expires on {_day(candidate.expires_at)} without new posts")
    if (cost := candidate.cost_band) is not None:
        price = f"{cost.low:,} or more" if cost.high is None else f"{cost.low:,} to {cost.high:,}"
        yield Text(f"usual price of a post at this size: {price} {cost.currency} ({cost.source})")
    if candidate.notice.required:
        yield Text(f"notice due by {_day(candidate.notice.due_at)}: inform them that their posts were read")
    if link := web_link(candidate.profile_url):
        yield Text(plain(link))


def _row(candidate: Candidate) -> dict[str, object]:
    return {name: read(candidate) for name, read in _COLUMNS.items()}


def _day(at: str | None) -> str:
    return "-" if at is None else at[:10]
