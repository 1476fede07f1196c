"""The join of customer records with authors: by author id directly, by handle through its claims.

Two small states, each a pure `(state, event) -> facts` like the fold of an author. A customer record names
accounts (author ids and handles). An author claims each new handle. Facts are keyed by author and may be
sent any number of times.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from models.customer import Customer, decode_erasure, decode_feedback, normal_handle
from models.facts import (
    AnyAuthorFact,
    AnyHandleFact,
    CustomerLink,
    ErasureAsked,
    FeedbackGiven,
    HandleClaimed,
    HandleNamed,
)
from models.post import author_key, parse_candidate_key
from models.rejection import Reason, Rejected
from models.times import instant


class Addressed(NamedTuple):
    """A fact and the key that it is sent under: an author key or a handle key."""

    key: str
    fact: AnyAuthorFact | AnyHandleFact


class Account(NamedTuple):
    """An account that a customer record names, by author id or by handle."""

    platform: str
    author_id: str | None
    handle: str | None


class CustomerState(msgspec.Struct, array_like=True):
    """The newest record of one customer, and the accounts that it no longer names."""

    version: int = 0
    customer: Customer | None = None
    former: tuple[Account, ...] = ()


class HandleState(msgspec.Struct, array_like=True):
    """The customers that name a handle, and the authors that claim it. A null customer no longer names it."""

    version: int = 0
    customers: dict[str, Customer | None] = {}
    authors: tuple[str, ...] = ()


def handle_key(platform: str, handle: str) -> str:
    """Return `platform:@handle`, with the handle in its normal form."""
    return f"{platform}:@{normal_handle(handle)}"


def parse_handle_key(key: str) -> tuple[str, str]:
    """Return `(platform, handle)` of a handle key, the handle in its normal form."""
    platform, _, handle = key.partition(":@")
    return platform, handle


def update_customer(
    state: CustomerState, customer_id: str, customer: Customer | None, offset: int
) -> tuple[Addressed, ...]:
    """Take a newer record, and return every fact about the customer.

    A replayed offset changes nothing, but its facts are returned again: the first ones may never have been
    delivered.
    """
    if offset >= state.version:
        now = _accounts(customer)
        known = {*state.former, *_accounts(state.customer)}
        state.former = tuple(sorted(known - now, key=repr))
        state.customer = customer
        state.version = offset + 1
    named = [
        _named(account, customer_id, state.customer)
        for account in sorted(_accounts(state.customer), key=repr)
    ]
    return (*(_named(account, customer_id, None) for account in state.former), *named)


def update_handle(state: HandleState, key: str, fact: AnyHandleFact, offset: int) -> tuple[Addressed, ...]:
    """Take one fact about a handle, and return the links it makes. A replay returns all of them."""
    replayed = offset < state.version
    before = (state.customers, state.authors)
    if not replayed:
        state.version = offset + 1
        if isinstance(fact, HandleNamed):
            state.customers = {**state.customers, fact.customer_id: fact.customer}
        else:
            state.authors = tuple(sorted({*state.authors, fact.author_id}))
    if not replayed and before == (state.customers, state.authors):
        return ()
    platform, handle = parse_handle_key(key)
    return tuple(
        Addressed(author_key(platform, author), CustomerLink(customer_id=cid, by_handle=handle, customer=c))
        for author in state.authors
        for cid, c in sorted(state.customers.items())
    )


def claim_facts(author: str, handles: Iterable[str]) -> tuple[Addressed, ...]:
    """Return the facts that an author, given by its key, bears these handles."""
    platform, _, author_id = author.partition(":")
    claim = HandleClaimed(author_id=author_id)
    return tuple(Addressed(handle_key(platform, handle), claim) for handle in handles)


def feedback_fact(value: bytes, brands: Collection[str]) -> Addressed:
    """Read a record of `feedback`; raise `Rejected`, also for an unknown brand."""
    feedback = decode_feedback(value)
    brand, author = parse_candidate_key(feedback.key)
    if brand not in brands:
        raise Rejected(Reason.UNKNOWN_BRAND, f"{brand[:60]!r}; known are {sorted(brands)}")
    return Addressed(author, FeedbackGiven(brand=brand, ms=instant(feedback.at), decision=feedback.decision))


def erasure_fact(value: bytes) -> Addressed:
    """Read a record of `erasures`; raise `Rejected`."""
    erasure = decode_erasure(value)
    return Addressed(
        author_key(erasure.platform, erasure.author_id),
        ErasureAsked(ms=instant(erasure.at), forever=erasure.mode == "object"),
    )


def _accounts(customer: Customer | None) -> set[Account]:
    if customer is None:
        return set()
    return {
        Account(h.platform, h.author_id, None if h.author_id else normal_handle(h.handle or ""))
        for h in customer.handles
    }


def _named(account: Account, customer_id: str, customer: Customer | None) -> Addressed:
    if account.author_id is not None:
        link = CustomerLink(customer_id=customer_id, by_handle=None, customer=customer)
        return Addressed(author_key(account.platform, account.author_id), link)
    named = HandleNamed(customer_id=customer_id, customer=customer)
    return Addressed(handle_key(account.platform, account.handle or ""), named)
