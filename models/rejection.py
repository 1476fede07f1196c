"""Why a record is not kept: the bounded reasons.

Reasons are an enumeration so that a metric label stays bounded and a reader can match on it.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec


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
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_PLATFORM = "unknown_platform"
    NO_LAWFUL_BASIS = "no_lawful_basis"
    UNKNOWN_BRAND = "unknown_brand"
    POISON = "poison"
    INTERNAL = "internal"


class DropReason(StrEnum):
    """Why a well-formed record was dropped on purpose: counted, never dead-lettered."""

    NO_BRAND = "no_brand"
    OPTED_OUT = "opted_out"


class Dropped(NamedTuple):
    """A well-formed record that was dropped, and where it came from."""

    reason: DropReason
    platform: str


class Rejected(Exception):
    """A record that cannot be used. `detail` says what and where, never more than 300 characters."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:300]

    def __reduce__(self) -> tuple[type["Rejected"], tuple[Reason, str]]:
        return Rejected, (self.reason, self.detail)


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
