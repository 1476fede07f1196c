"""The daily tick, a record of `ticks`: the only clock of the fold."""

from typing import Annotated

import msgspec

from models.record import Record
from models.rejection import Reason, Rejected, decode_json
from models.times import DAY_MS, day_from_iso


class TickRecord(Record, frozen=True):
    """The start of a day: `day` is `YYYY-MM-DD`, UTC."""

    day: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"})]


class Clock(msgspec.Struct, array_like=True):
    """The newest day that has begun in a partition."""

    version: int = 0
    """one past the offset of the newest tick"""
    day: int = 0


_decoder = msgspec.json.Decoder(TickRecord)


def decode_tick(value: bytes | None, *, received_ms: int) -> int:
    """Return the day of a tick (days since 1970); raises `Rejected`.

    A day more than one ahead of the record's time is `future`: it would expire every author.
    """
    if not value:
        raise Rejected(Reason.EMPTY, "the record has no value")
    text = decode_json(_decoder, value).day
    try:
        day = day_from_iso(text)
    except ValueError:
        raise Rejected(Reason.BAD_TIME, f"{text[:60]!r} is not a day; write YYYY-MM-DD") from None
    if day > received_ms // DAY_MS + 1:
        raise Rejected(Reason.FUTURE, f"{text} has not begun at the record's time")
    return day
