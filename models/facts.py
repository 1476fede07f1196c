"""Facts that agents exchange on internal topics, keyed by the author or the handle that they are about."""

import msgspec

from models.customer import Customer
from models.record import Record


class AuthorFact(Record, frozen=True, tag_field="kind"):
    """A record of the internal topic `author-facts`, keyed by author key."""


class CustomerLink(AuthorFact, frozen=True, tag="customer"):
    """A customer record names the author; a null customer removes the link."""

    customer_id: str
    by_handle: str | None
    customer: Customer | None


class FeedbackGiven(AuthorFact, frozen=True, tag="feedback"):
    """A marketer decided about the author for a brand."""

    brand: str
    ms: int
    decision: str


class ErasureAsked(AuthorFact, frozen=True, tag="erasure"):
    """A request to forget the author's posts up to `ms`; with `forever`, all later posts too."""

    ms: int
    forever: bool


class HandleFact(Record, frozen=True, tag_field="kind"):
    """A record of the internal topic `handle-facts`, keyed by `platform:@handle`."""


class HandleNamed(HandleFact, frozen=True, tag="customer"):
    """A customer record names the handle; a null customer no longer does."""

    customer_id: str
    customer: Customer | None


class HandleClaimed(HandleFact, frozen=True, tag="claim"):
    """An author uses the handle."""

    author_id: str


AnyAuthorFact = CustomerLink | FeedbackGiven | ErasureAsked
AnyHandleFact = HandleNamed | HandleClaimed

decode_author_fact = msgspec.json.Decoder(AnyAuthorFact).decode
decode_handle_fact = msgspec.json.Decoder(AnyHandleFact).decode
