"""A rejected record as it is kept: to be read, and replayed once its fault is fixed."""

import base64

from models.record import Record
from models.rejection import Reason, Rejected
from models.times import LATEST_MS, rfc3339


class DeadLetter(Record, frozen=True):
    """A rejected record with its origin, so that it can be read, fixed and replayed.

    `payload` is the record's value: text, or base64 if it is not UTF-8 (see `payload_encoding`), or null
    for a record without a value. `at` is the record's own time, RFC 3339: a redelivered record gives the
    same dead letter.
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
"""Bytes of a payload that a dead letter keeps: below the broker's record limit even in base64."""


def payload_of(value: bytes | None) -> tuple[str | None, str]:
    """Return `(payload, payload_encoding)` of a record's value, cut at `MAX_PAYLOAD` bytes."""
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
    """Return the record's original value; raises `Rejected` if the payload was cut or is damaged."""
    if letter.payload is None:
        return None
    if letter.payload_encoding == "utf-8":
        return letter.payload.encode()
    if letter.payload_encoding != "base64":
        raise Rejected(Reason.TOO_LARGE, f"only its first {MAX_PAYLOAD} bytes were kept")
    try:
        return base64.b64decode(letter.payload, validate=True)
    except ValueError:
        raise Rejected(Reason.WRONG_TYPE, "the payload is not base64") from None


def dead_letter(
    rejection: Rejected, value: bytes | None, *, topic: str, partition: int, offset: int, at_ms: int
) -> DeadLetter:
    """Return the dead letter of a record; the same record gives the same letter."""
    payload, encoding = payload_of(value)
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        reason=rejection.reason,
        detail=rejection.detail,
        payload=payload,
        at=rfc3339(min(max(at_ms, 0), LATEST_MS)),  # a producer may send any timestamp
        payload_encoding=encoding,
    )
