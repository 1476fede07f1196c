"""Commands that send records to the stream: feed, tick, forget."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from streams import clock
from streams.commands import options
from streams.commands.options import talk
from streams.views.output import printable

app = typer.Typer()


@app.command()
def feed(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz; - is standard input.")],
    topic: Annotated[
        str | None, typer.Option(help="Send all to this topic.", show_default="told by shape")
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="The shape of the records: superfan.")] = "superfan",
    speed: Annotated[
        float, typer.Option(min=0, help="How many times faster than it happened; 0 is as fast as it goes.")
    ] = 0,
) -> None:
    """Send posts, customers, erasures or feedback to their topics. Feeding a file twice counts once.

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
        raise typer.BadParameter(f"{fmt!r} is not known; known is superfan", param_hint="--format")
    if topic is not None and topic not in FED:
        raise typer.BadParameter(f"{topic!r} is none of {', '.join(FED)}", param_hint="--topic")
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


@app.command()
def tick(
    day: Annotated[
        str | None, typer.Option(help="The day that has begun, YYYY-MM-DD, UTC.", show_default="today")
    ] = None,
) -> None:
    """Let a day begin: silent authors decay, and those past the window expire.

    A worker does this by itself at midnight UTC unless `window.tick` is "never". A day that has
    begun before changes nothing.

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
            f"{day} has not begun: it would expire everyone who is silent until then", param_hint="--day"
        )
    settings = options.settings()
    client = feeding.producer(settings)
    try:
        feeding.send_ticks(client, begun, settings.topics.partitions)
    finally:
        client.close()
    talk.print(f"{iso_day(begun)} has begun for {settings.topics.partitions} partitions.")


@app.command()
def forget(
    platform: Annotated[str, typer.Argument(help="Where the person is known, such as x.")],
    author_id: Annotated[str, typer.Argument(help="Their author id there.")],
    forever: Annotated[
        bool, typer.Option("--object", help="Nor is anything counted that comes later.")
    ] = False,
) -> None:
    """Forget a person: nothing that they wrote until now counts, what was published of them is deleted.

    The topics of posts keep what they hold until it is 28 days old.

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
    later = "does not count either" if forever else "counts again"
    said = f"{platform}:{author_id} is being forgotten; what they write later {later}."
    talk.print(Text(printable(said)), soft_wrap=True)  # an id is no markup
