"""Times as records carry them: RFC 3339, or epoch seconds or milliseconds. Inside, all are UTC.

An instant is an integer of epoch milliseconds; a day is an integer of days since 1970-01-01.
"""

from datetime import UTC, date, datetime
from functools import lru_cache

from models.rejection import Reason, Rejected

DAY_MS = 86_400_000
MINUTE_MS = 60_000
EARLIEST_MS = 946_684_800_000  # 2000-01-01: before it there was no social media to read
LATEST_MS = 4_102_444_800_000  # 2100-01-01
MAX_EPOCH = 10**15
"""Largest absolute number that is tried as a time; in milliseconds it lies beyond the year 30000."""
_MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be after the year 5000."""


def instant(value: str | int | float) -> int:
    """Return the epoch milliseconds of a time as a record carries it; a time without an offset is UTC.

    Raises `Rejected`: `bad_time` when it cannot be read, `absurd_time` outside 2000..2100.
    """
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise Rejected(Reason.BAD_TIME, f"not RFC 3339: {value[:60]!r}") from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        try:
            ms = round(parsed.timestamp() * 1000)
        except (OverflowError, ValueError):
            raise Rejected(Reason.ABSURD_TIME, value[:60]) from None
    else:
        if abs(value) > MAX_EPOCH:
            raise Rejected(Reason.ABSURD_TIME, f"{str(value)[:60]} is no time of this century")
        ms = round(value if abs(value) >= _MILLISECONDS_FROM else value * 1000)
    if not EARLIEST_MS <= ms < LATEST_MS:
        raise Rejected(Reason.ABSURD_TIME, f"{value!r} is not between 2000 and 2100")
    return ms


def day_of(ms: int) -> int:
    """Return the UTC day of an instant."""
    return ms // DAY_MS


def rfc3339(ms: int) -> str:
    """Return an instant as RFC 3339 text, to the second, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def iso_day(day: int) -> str:
    """Return a day as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def day_from_iso(text: str) -> int:
    """Return the day that `iso_day` wrote; raises `ValueError` for other text."""
    found = date.fromisoformat(text)
    if found.isoformat() != text:  # Python also reads 20261130, 2026-W48-1 and some longer digits
        raise ValueError(f"{text!r} is not YYYY-MM-DD")
    return found.toordinal() - date(1970, 1, 1).toordinal()
