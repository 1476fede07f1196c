"""Customer records, feedback of marketers, erasures: what is known of an author besides posts."""

from typing import Annotated, Literal

import msgspec

from models.post import (
    MAX_ID,
    PLATFORMS,
    Count,
    Id,
    Moment,
    Platform,
    check_count,
    check_id,
    parse_author_key,
    parse_candidate_key,
)
from models.record import Record
from models.rejection import Reason, Rejected, decode_json
from models.times import instant


class CustomerHandle(Record, frozen=True):
    """A social account of a customer: by author id, or by handle when the id is unknown."""

    platform: Platform
    author_id: Id | None = None
    handle: Id | None = None


class Customer(Record, frozen=True):
    """A record of the operator's customer file, which covers all of its brands together."""

    customer_id: Id
    handles: tuple[CustomerHandle, ...] = ()
    first_order_at: Moment | None = None
    last_order_at: Moment | None = None
    orders: Count | None = None
    employee: bool | None = None
    do_not_contact: bool | None = None


class Feedback(Record, frozen=True):
    """A decision of a marketer about a candidate."""

    key: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[^/]+/[^:]+:.+$", "maxLength": MAX_ID})]
    decision: Literal["accepted", "declined", "contacted"]
    at: Moment


class Erasure(Record, frozen=True):
    """A person's request to be forgotten: their posts up to `at` no longer count."""

    platform: Platform
    author_id: Id
    mode: Literal["erase", "object"]
    at: Moment


def normal_handle(handle: str) -> str:
    """Return a handle as handles are compared: without `@` and without regard to case."""
    return handle.removeprefix("@").casefold()


_customer = msgspec.json.Decoder(Customer)
_feedback = msgspec.json.Decoder(Feedback)
_erasure = msgspec.json.Decoder(Erasure)


def decode_customer(value: bytes) -> Customer:
    """Return a checked customer, each handle with a known platform and an id or handle; raises `Rejected`."""
    customer = decode_json(_customer, value)
    check_id("customer_id", customer.customer_id)
    for handle in customer.handles:
        if handle.platform not in PLATFORMS:
            raise Rejected(Reason.UNKNOWN_PLATFORM, f"{handle.platform[:60]!r}")
        if handle.author_id is None and handle.handle is None:
            raise Rejected(Reason.MISSING_FIELD, "a handle needs `author_id` or `handle`")
        check_id("handle", handle.author_id if handle.author_id is not None else handle.handle or "")
    check_count("orders", customer.orders)
    for moment in (customer.first_order_at, customer.last_order_at):
        if moment is not None:
            instant(moment)
    return customer


def decode_customer_record(key: bytes | None, value: bytes | None) -> tuple[str, Customer | None]:
    """Return the customer id and the customer of a record of `customers`; a null customer is deleted.

    Raises `Rejected`, also for a key that is not the customer's id.
    """
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
    """Return checked feedback; raises `Rejected`, also for a key other than `brand/platform:author_id`."""
    feedback = decode_json(_feedback, value)
    brand, author = parse_candidate_key(feedback.key)
    platform, author_id = parse_author_key(author)
    if not (brand and platform and author_id):
        raise Rejected(Reason.BAD_ID, f"key must be brand/platform:author_id, not {feedback.key[:60]!r}")
    check_id("key", feedback.key)
    instant(feedback.at)
    return feedback


def decode_erasure(value: bytes) -> Erasure:
    """Return a checked erasure; raises `Rejected`."""
    erasure = decode_json(_erasure, value)
    if erasure.platform not in PLATFORMS:
        raise Rejected(Reason.UNKNOWN_PLATFORM, f"{erasure.platform[:60]!r}; known are {sorted(PLATFORMS)}")
    check_id("author_id", erasure.author_id)
    instant(erasure.at)
    return erasure
