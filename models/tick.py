"""The day that has begun, as the `ticks` topic says it: the only clock there is."""

from typing import Annotated

import msgspec

from models.record import Record
from models.rejection import Reason, Rejected, rejection_of
from models.times import DAY_MS, day_from_iso


class TickRecord(Record, frozen=True):
    """A day has begun: `day` is `YYYY-MM-DD`, UTC."""

    day: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date"})]


class Clock(msgspec.Struct, array_like=True):
    """The newest day that has begun for a partition."""

    version: int = 0
    """one past the offset of the newest tick"""
    day: int = 0


_decoder = msgspec.json.Decoder(TickRecord)


def decode_tick(value: bytes | None, *, received_ms: int) -> int:
    """The day of a tick (days since 1970); raises `Rejected`.

    A day that is more than one ahead of the record's time is `future`: it would expire everyone.
    """
    if not value:
        raise Rejected(Reason.EMPTY, "the record has no value")
    try:
        text = _decoder.decode(value).day
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    try:
        day = day_from_iso(text)
    except ValueError:
        raise Rejected(Reason.BAD_TIME, f"{text[:60]!r} is no day; write YYYY-MM-DD") from None
    if day > received_ms // DAY_MS + 1:
        raise Rejected(Reason.FUTURE, f"{text} has not begun at the record's time")
    return day
