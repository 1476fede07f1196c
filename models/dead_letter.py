"""A rejected record as it is kept, to be read, mended and replayed."""

import base64

from models.record import Record
from models.rejection import Reason, Rejected
from models.times import rfc3339


class DeadLetter(Record, frozen=True):
    """A rejected record with its origin, so that it can be read, mended and replayed.

    `payload` is the record's value as text, or in base64 when it is no UTF-8
    (`payload_encoding` says which), or null for an empty value. `at` is the record's own time,
    RFC 3339: a redelivered record gives the same dead letter.
    """

    topic: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    payload: str | None
    at: str
    payload_encoding: str = "utf-8"


MAX_PAYLOAD = 600_000
"""Bytes of a payload kept in a dead letter: under the broker's record limit even in base64."""


def payload_of(value: bytes | None) -> tuple[str | None, str]:
    """`(payload, payload_encoding)` of a record's value, cut at `MAX_PAYLOAD` bytes."""
    if value is None:
        return None, "utf-8"
    if len(value) > MAX_PAYLOAD:
        return base64.b64encode(value[:MAX_PAYLOAD]).decode(), "base64; cut"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode(), "base64"
    return text, "utf-8"


def value_of(letter: DeadLetter) -> bytes | None:
    """The record's value as it was; raises `Rejected` where the payload was cut, or is not what it says."""
    if letter.payload is None:
        return None
    if letter.payload_encoding == "utf-8":
        return letter.payload.encode()
    if letter.payload_encoding != "base64":
        raise Rejected(Reason.TOO_LARGE, f"only its first {MAX_PAYLOAD} bytes were kept")
    try:
        return base64.b64decode(letter.payload, validate=True)
    except ValueError:
        raise Rejected(Reason.WRONG_TYPE, "the payload is no base64") from None


def dead_letter(
    rejection: Rejected, value: bytes | None, *, topic: str, partition: int, offset: int, at_ms: int
) -> DeadLetter:
    """The dead letter of a record; the same record gives the same letter."""
    payload, encoding = payload_of(value)
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=rejection.reason,
        detail=rejection.detail,
        payload=payload,
        at=rfc3339(at_ms),
        payload_encoding=encoding,
    )
