"""The bounded reasons for which a record is not kept, and the decoding that finds most of them.

Reasons are an enumeration, so that a metric label stays bounded and a reader can match on it.
"""

from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec


class Reason(StrEnum):
    """Reasons for a dead letter. A value once published is never reused for another meaning."""

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
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_PLATFORM = "unknown_platform"
    NO_LAWFUL_BASIS = "no_lawful_basis"
    UNKNOWN_BRAND = "unknown_brand"
    POISON = "poison"
    INTERNAL = "internal"


class DropReason(StrEnum):
    """Reasons for dropping a well-formed record on purpose: it is counted, never dead-lettered."""

    NO_BRAND = "no_brand"
    OPTED_OUT = "opted_out"


class Dropped(NamedTuple):
    """A well-formed record that was dropped, with its platform."""

    reason: DropReason
    platform: str


class Rejected(Exception):
    """A record that cannot be used. `detail` names the fault and its field, in at most 300 characters."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:300]

    def __reduce__(self) -> tuple[type["Rejected"], tuple[Reason, str]]:
        return Rejected, (self.reason, self.detail)


T = TypeVar("T")


def decode_json(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    """Return the record that `value` holds; raises `Rejected` with a bounded reason for any other bytes."""
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _rejection(error, value) from None


def _rejection(error: Exception, value: bytes) -> Rejected:
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
