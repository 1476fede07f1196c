"""Commands that send records to the stream: feed, tick, forget."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from streams import clock
from streams.commands import options
from streams.commands.options import talk
from streams.views.safe_text import printable

app = typer.Typer()


@app.command(rich_help_panel=options.SEND)
def feed(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz; - is standard input.")],
    topic: Annotated[
        str | None,
        typer.Option(help="Topic for all records.", show_default="chosen by the fields of each record"),
    ] = None,
    fmt: Annotated[
        str, typer.Option("--format", help="Format of the records. Only superfan is known.")
    ] = "superfan",
    speed: Annotated[
        float,
        typer.Option(
            min=0,
            help="Replay speed: 60 sends an hour of posts in a minute, 0 does not wait.",
        ),
    ] = 0,
) -> None:
    """Send posts, customers, erasures or feedback to their topics.

    A post that is sent twice counts once.

    Examples:

    - `superfan feed posts.jsonl`
    - `superfan feed posts.jsonl.gz --speed 3600`
    - `cat customers.jsonl | superfan feed -`
    """
    from streams.broker import feeding
    from streams.commands import progress
    from streams.sources import lines
    from streams.topics import FED

    if fmt != "superfan":
        raise typer.BadParameter(f"unknown format {fmt!r}; the only one is superfan", param_hint="--format")
    if topic is not None and topic not in FED:
        raise typer.BadParameter(f"{topic!r} is not one of {', '.join(FED)}", param_hint="--topic")
    settings = options.settings()
    started = time.monotonic()
    client = feeding.producer(settings)
    try:
        with progress.counting("Feeding") as advance:
            sent = feeding.send(client, lines.read(file), topic=topic, speed=speed, advance=advance)
    finally:
        client.close()
    seconds = max(time.monotonic() - started, 1e-9)
    where = ", ".join(f"{count:,} to {name}" for name, count in sorted(sent.items())) or "nothing"
    talk.print(f"Sent {where} in {seconds:.1f} s ({sent.total() / seconds:,.0f} records/s).")


@app.command(rich_help_panel=options.SEND)
def tick(
    day: Annotated[
        str | None, typer.Option(help="The new day, YYYY-MM-DD in UTC.", show_default="today")
    ] = None,
) -> None:
    """Start a new day: decay inactive authors and expire those outside the window.

    Workers do this at midnight UTC, unless `window.tick` is "never". Starting a day twice changes nothing.

    Examples:

    - `superfan tick`
    - `superfan tick --day 2026-11-20`
    """
    from models.times import day_of, iso_day
    from streams.broker import feeding

    today = day_of(clock.now_ms())
    begun = today if day is None else options.day_number(day, "--day")
    if begun > today + 1:
        raise typer.BadParameter(
            f"{day} is in the future: it would expire every author who is inactive until then",
            param_hint="--day",
        )
    settings = options.settings()
    client = feeding.producer(settings)
    try:
        feeding.send_ticks(client, begun, settings.topics.partitions)
    finally:
        client.close()
    talk.print(f"Started {iso_day(begun)} on {settings.topics.partitions} partitions.")


@app.command(rich_help_panel=options.SEND)
def forget(
    platform: Annotated[str, typer.Argument(help="Platform of the account, such as x.")],
    author_id: Annotated[str, typer.Argument(help="Author id on that platform (not the handle).")],
    forever: Annotated[bool, typer.Option("--object", help="Never count later posts either.")] = False,
) -> None:
    """Forget a person: discard their posts until now, and delete the published profiles and candidates.

    Topics of posts still hold the posts until their retention ends (`superfan topics list`).

    Examples:

    - `superfan forget x 2244994945`
    - `superfan forget x 2244994945 --object`
    """
    from models.customer import Erasure, decode_erasure
    from models.record import encode
    from models.rejection import Rejected
    from models.times import rfc3339
    from streams.broker import feeding
    from streams.topics import ERASURES

    now = rfc3339(clock.now_ms())
    mode: Literal["erase", "object"] = "object" if forever else "erase"
    value = encode(Erasure(platform=platform, author_id=author_id, mode=mode, at=now))
    try:
        decode_erasure(value)
    except Rejected as rejected:
        raise typer.BadParameter(rejected.detail) from None
    client = feeding.producer(options.settings())
    try:
        feeding.send(client, [value], topic=ERASURES)
    finally:
        client.close()
    later = "Later posts do not count either" if forever else "Later posts count again"
    said = f"{platform}:{author_id} is being forgotten. {later}."
    talk.print(Text(printable(said)), soft_wrap=True)  # an id must not be read as markup
