"""What else is known of an author: customer records, feedback of a marketer, erasures."""

from typing import Annotated, Literal

import msgspec

from models.post import MAX_ID, PLATFORMS, Id, Moment, Platform, check_id
from models.record import Record
from models.rejection import Reason, Rejected, rejection_of
from models.times import instant


class CustomerHandle(Record, frozen=True):
    """Where a customer can be met: by author id, or by handle when the id is not known."""

    platform: Platform
    author_id: Id | None = None
    handle: Id | None = None


class Customer(Record, frozen=True):
    """A record of the brand's own customer file. The file is about the operator's brands as a whole."""

    customer_id: Id
    handles: tuple[CustomerHandle, ...] = ()
    first_order_at: Moment | None = None
    last_order_at: Moment | None = None
    orders: int | None = None
    employee: bool | None = None
    do_not_contact: bool | None = None


class Feedback(Record, frozen=True):
    """What a marketer decided about a candidate."""

    key: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[^/]+/[^:]+:.+$", "maxLength": MAX_ID})]
    decision: Literal["accepted", "declined", "contacted"]
    at: Moment


class Erasure(Record, frozen=True):
    """A person's wish to be forgotten: every post of theirs up to `at` counts no more."""

    platform: Platform
    author_id: Id
    mode: Literal["erase", "object"]
    at: Moment


def normal_handle(handle: str) -> str:
    """Handles are compared without `@` and without regard to case."""
    return handle.removeprefix("@").casefold()


_customer = msgspec.json.Decoder(Customer)
_feedback = msgspec.json.Decoder(Feedback)
_erasure = msgspec.json.Decoder(Erasure)


def decode_customer(value: bytes) -> Customer:
    """A checked customer; raises `Rejected`. A handle names a known platform and an id or a handle."""
    try:
        customer = _customer.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    check_id("customer_id", customer.customer_id)
    for handle in customer.handles:
        if handle.platform not in PLATFORMS:
            raise Rejected(Reason.UNKNOWN_PLATFORM, f"{handle.platform[:60]!r}")
        if handle.author_id is None and handle.handle is None:
            raise Rejected(Reason.MISSING_FIELD, "a handle needs `author_id` or `handle`")
        check_id("handle", handle.author_id if handle.author_id is not None else handle.handle or "")
    for moment in (customer.first_order_at, customer.last_order_at):
        if moment is not None:
            instant(moment)
    return customer


def decode_customer_record(key: bytes | None, value: bytes | None) -> tuple[str, Customer | None]:
    """The customer id that is the key of a record of `customers`, and the customer; null where the record
    deletes. Raises `Rejected`, for a key that is not the customer's id, too."""
    try:
        customer_id = (key or b"").decode()
    except UnicodeDecodeError:
        raise Rejected(Reason.BAD_ID, "the key is not UTF-8") from None
    check_id("key", customer_id)
    if value is None:
        return customer_id, None
    customer = decode_customer(value)
    if customer.customer_id != customer_id:
        raise Rejected(Reason.BAD_ID, "the record's key is not its customer_id")
    return customer_id, customer


def decode_feedback(value: bytes) -> Feedback:
    """Checked feedback with a key of the form `brand/platform:author_id`; raises `Rejected`."""
    try:
        feedback = _feedback.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    brand, slash, author = feedback.key.partition("/")
    platform, colon, author_id = author.partition(":")
    if not (brand and slash and platform and colon and author_id):
        raise Rejected(Reason.BAD_ID, f"key must be brand/platform:author_id, not {feedback.key[:60]!r}")
    check_id("key", feedback.key)
    instant(feedback.at)
    return feedback


def decode_erasure(value: bytes) -> Erasure:
    """A checked erasure; raises `Rejected`."""
    try:
        erasure = _erasure.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise rejection_of(error, value) from None
    if erasure.platform not in PLATFORMS:
        raise Rejected(Reason.UNKNOWN_PLATFORM, f"{erasure.platform[:60]!r}; known are {sorted(PLATFORMS)}")
    check_id("author_id", erasure.author_id)
    instant(erasure.at)
    return erasure
