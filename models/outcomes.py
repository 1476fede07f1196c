"""What can become of a record that is not kept: the bounded reasons, and the dead letter itself.

Reasons are an enumeration so that a metric label stays bounded and a reader can match on it.
"""

import base64
from enum import StrEnum

import msgspec

from models.records import Record


class Reason(StrEnum):
    """Why a record went to `dead-letters`. A value once published is never reused for another meaning."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_ID = "bad_id"
    EMPTY_AUTHOR = "empty_author"
    BAD_TIME = "bad_time"
    ABSURD_TIME = "absurd_time"
    FUTURE = "future"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_PLATFORM = "unknown_platform"
    NO_LAWFUL_BASIS = "no_lawful_basis"
    UNKNOWN_BRAND = "unknown_brand"
    POISON = "poison"
    INTERNAL = "internal"


class DropReason(StrEnum):
    """Why a well-formed record was dropped on purpose: counted, never dead-lettered."""

    NO_BRAND = "no_brand"
    OPTED_OUT = "opted_out"


class Rejected(Exception):
    """A record that cannot be used. `detail` says what and where, never more than 300 characters."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:300]

    def __reduce__(self) -> tuple[type["Rejected"], tuple[Reason, str]]:
        return Rejected, (self.reason, self.detail)


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


def rejection_of(error: msgspec.MsgspecError | UnicodeError | RecursionError, value: bytes) -> Rejected:
    """The bounded reason behind a decoder's error; `value` is what could not be decoded."""
    text = str(error)
    try:
        value.decode()
    except UnicodeDecodeError as undecodable:
        return Rejected(Reason.NOT_UTF8, f"byte {undecodable.start} is not UTF-8")
    if isinstance(error, msgspec.ValidationError):
        if "missing required field" in text:
            return Rejected(Reason.MISSING_FIELD, text)
        if "Expected `object`" in text and " - at `$." not in text:
            return Rejected(Reason.NOT_AN_OBJECT, text)
        return Rejected(Reason.WRONG_TYPE, text)
    return Rejected(Reason.NOT_JSON, text)
