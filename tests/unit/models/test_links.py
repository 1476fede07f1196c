"""Customers find their authors, by id and by handle, in any order."""

import itertools

from models.customer import Customer, CustomerHandle
from models.facts import CustomerLink, HandleClaimed, HandleNamed
from models.links import Addressed, CustomerState, HandleState, handle_key, update_customer, update_handle

BY_ID = Customer(customer_id="c1", handles=(CustomerHandle(platform="x", author_id="u1"),), orders=2)
BY_HANDLE = Customer(customer_id="c1", handles=(CustomerHandle(platform="x", handle="@Fan"),), orders=2)


def test_a_customer_with_an_author_id_is_linked_at_once() -> None:
    """An author id is a link to that author."""
    facts = update_customer(CustomerState(), "c1", BY_ID, 0)
    assert facts == (Addressed("x:u1", CustomerLink(customer_id="c1", by_handle=None, customer=BY_ID)),)


def test_a_place_that_is_no_longer_named_is_taken_back() -> None:
    """A newer record, or none, takes back the links of the older one, also when it is repeated."""
    state = CustomerState()
    update_customer(state, "c1", BY_ID, 0)
    gone = Addressed("x:u1", CustomerLink(customer_id="c1", by_handle=None, customer=None))
    assert gone in update_customer(state, "c1", BY_HANDLE, 1)
    assert update_customer(state, "c1", None, 2) == update_customer(state, "c1", None, 2)
    assert gone in update_customer(state, "c1", None, 2)


def test_a_handle_links_its_authors_in_any_order() -> None:
    """Naming and claiming a handle end in the same links whichever comes first."""
    key = handle_key("x", "@Fan")
    events = [
        HandleNamed(customer_id="c1", customer=BY_HANDLE),
        HandleClaimed(author_id="u1"),
        HandleClaimed(author_id="u2"),
    ]
    ends = set()
    for order in itertools.permutations(events):
        state = HandleState()
        links: dict[str, object] = {}
        for offset, event in enumerate(order):
            links.update({a.key: a.fact for a in update_handle(state, key, event, offset)})
        ends.add(tuple(sorted((k, repr(v)) for k, v in links.items())))
    assert len(ends) == 1
    assert {k for k, _ in ends.pop()} == {"x:u1", "x:u2"}


def test_a_replay_is_answered_in_full() -> None:
    """An offset seen before gives every link again: the first answer may be lost."""
    state = HandleState()
    key = handle_key("x", "fan")
    update_handle(state, key, HandleNamed(customer_id="c1", customer=BY_HANDLE), 0)
    first = update_handle(state, key, HandleClaimed(author_id="u1"), 1)
    assert update_handle(state, key, HandleClaimed(author_id="u1"), 1) == first != ()
