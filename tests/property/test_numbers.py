"""No number in a record can stop a role: each record ends as counted or as a dead letter."""

import json
from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.brand import Brand
from models.codec import Codec
from models.customer import decode_customer
from models.dead_letter import DeadLetter
from models.fold import Fold
from models.links import CustomerState, update_customer
from models.post import MAX_COUNT, decode_post
from models.record import encode
from models.rejection import Rejected
from models.rules import Customers, Rules
from models.store import Store
from models.tick import decode_tick
from nlp.enrichment import Enricher
from streams.offline.backtest import Backtest

NOW_MS = 1_800_000_000_000
X = frozenset({"x"})
ACME = Brand(name="Acme", handles={"x": ("acme",)})
HOLE = "@number@"

POSTS = [
    {"created_at": HOLE},
    {"edited_at": HOLE, "op": "update"},
    {"edited_at": HOLE},
    *({"author": {"id": "fan", "handle": "fan", name: HOLE}} for name in ("followers", "following", "posts")),
    {"author": {"id": "fan", "followers": 20_000, "created_at": HOLE}},
    *({"metrics": {"likes": 1, name: HOLE}} for name in ("comments", "shares", "views")),
    {"metrics": {"likes": HOLE}},
]
CUSTOMERS = [{"orders": HOLE}, {"first_order_at": HOLE}, {"last_order_at": HOLE}]

EDGES = [sign * 2**power for sign in (1, -1) for power in (31, 32, 53, 63, 64)]
LONGEST = "9" * 4300  # the most digits that Python reads
ODD = [
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1e3",
    "1e400",
    "-1e400",
    "1e-400",
    LONGEST,
    LONGEST + "9",
    "-" + LONGEST + "9",
]

numbers = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.builds(lambda edge, step: str(edge + step), st.sampled_from(EDGES), st.integers(-20, 20)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(ODD),
    st.integers(946_684_800, 4_102_444_800).map(str),
)


def with_number(base: dict[str, Any], change: dict[str, Any], number: str) -> bytes:
    """Return a record whose hole is filled with any JSON number, however large."""
    return json.dumps(base | change).replace(f'"{HOLE}"', number).encode()


def post(change: dict[str, Any], number: str, at: int = 0) -> bytes:
    """Return a post that praises a brand."""
    base = {
        "id": f"x:{at}",
        "platform": "x",
        "kind": "mention",
        "text": "I love my new @acme phone, it is great",
        "created_at": f"2026-01-{at + 1:02}T10:00:00Z",
        "author": {"id": "fan", "handle": "fan", "followers": 20_000},
    }
    return with_number(base, change, number)


def customer(change: dict[str, Any], number: str) -> bytes:
    """Return a customer who is the author of those posts."""
    base = {"customer_id": "c1", "handles": [{"platform": "x", "author_id": "fan"}]}
    return with_number(base, change, number)


@cache
def enricher() -> Enricher:
    """Return an enricher that finds the brand."""
    return Enricher((ACME,), X)


def backtest(rejected: list[DeadLetter]) -> Backtest:
    """Return a run that keeps its dead letters."""
    rules = Rules(brands=(ACME,), customers=Customers(require="unknown"))
    return Backtest(Fold(rules), enricher(), NOW_MS, rejected.append)


@cache
def store() -> Store:
    """Open one store for all examples."""
    opened = Store("sqlite://")
    opened.migrate()
    return opened


def published(test: Backtest) -> None:
    """Write all that the run would publish to JSON and to SQL, and read it."""
    records = [record for record in chain.from_iterable(test.profiles()) if record is not None]
    for record in records:
        encode(record)
    store().apply(records)
    assert len(list(store().profiles())) == 1
    list(store().candidates())


@pytest.mark.parametrize("change", POSTS, ids=str)
@settings(deadline=None, max_examples=40)
@given(number=numbers)
@example(number=str(2**64))
@example(number=str(-(2**64)))
def test_any_number_in_a_post_is_counted_or_rejected(change: dict[str, Any], number: str) -> None:
    """A number of any size, sign or form in a post stops neither fold, codec, backtest nor store."""
    rejected: list[DeadLetter] = []
    test = backtest(rejected)
    test.posts([*(post({}, "", day) for day in range(1, 8)), post(change, number)])
    assert test.counts.posts == 8
    assert len(rejected) <= 1
    for letter in rejected:
        encode(letter)
    published(test)


@pytest.mark.parametrize("change", CUSTOMERS, ids=str)
@settings(deadline=None, max_examples=40)
@given(number=numbers)
@example(number=str(2**64))
@example(number=str(-(2**64)))
def test_any_number_in_a_customer_is_counted_or_rejected(change: dict[str, Any], number: str) -> None:
    """A number of any size, sign or form in a customer record stops neither state, fold nor store."""
    rejected: list[DeadLetter] = []
    test = backtest(rejected)
    value = customer(change, number)
    test.customers([value])
    test.posts([post({}, "", day) for day in range(8)])
    assert test.counts.customers + len(rejected) == 1
    if not rejected:
        codec, state = Codec(CustomerState), CustomerState()
        update_customer(state, "c1", decode_customer(value), 0)
        assert codec.unpack(codec.pack(state)).customer == state.customer
    published(test)


def _feed_feedback(test: Backtest, number: str) -> None:
    value = b'{"key": "Acme/x:fan", "decision": "accepted", "at": %s}' % number.encode()
    test.feedback([value], {"Acme"})


def _feed_erasure(test: Backtest, number: str) -> None:
    test.erasures([b'{"platform": "x", "author_id": "fan", "mode": "erase", "at": %s}' % number.encode()])


@pytest.mark.parametrize("feed", [_feed_feedback, _feed_erasure])
@settings(deadline=None, max_examples=40)
@given(number=numbers)
def test_any_number_in_feedback_or_an_erasure_is_used_or_rejected(
    feed: Callable[[Backtest, str], None], number: str
) -> None:
    """A time of any size, sign or form in feedback or an erasure stops nothing."""
    rejected: list[DeadLetter] = []
    test = backtest(rejected)
    test.posts([post({}, "", day) for day in range(8)])
    feed(test, number)
    assert test.counts.feedback + test.counts.erasures + len(rejected) == 1
    for profile, candidate in test.profiles():
        encode(profile)
        encode(candidate)


@settings(deadline=None)
@given(number=st.one_of(numbers, numbers.map(json.dumps)), received_ms=st.integers(0, 2**62))
def test_any_number_in_a_tick_is_rejected(number: str, received_ms: int) -> None:
    """A number where the day of a tick should be is rejected, as text too."""
    with pytest.raises(Rejected):
        decode_tick(b'{"day": %s}' % number.encode(), received_ms=received_ms)


@pytest.mark.parametrize("change", POSTS[3:6] + POSTS[7:], ids=str)
def test_counts_are_bounded_on_both_sides(change: dict[str, Any]) -> None:
    """Counts of 0 and of the largest exact JSON integer are accepted; -1 and anything larger are rejected."""
    decode_post(post(change, "0"), received_ms=NOW_MS, lawful=X)
    decode_post(post(change, str(MAX_COUNT)), received_ms=NOW_MS, lawful=X)
    for number in (-1, MAX_COUNT + 1, 2**63, 2**64):
        with pytest.raises(Rejected, match="wrong_type"):
            decode_post(post(change, str(number)), received_ms=NOW_MS, lawful=X)


def test_orders_are_bounded_on_both_sides() -> None:
    """The orders of a customer have the same bounds as the counts of a post."""
    assert decode_customer(customer(CUSTOMERS[0], str(MAX_COUNT))).orders == MAX_COUNT
    for number in (-1, MAX_COUNT + 1, 2**63, 2**64):
        with pytest.raises(Rejected, match="wrong_type"):
            decode_customer(customer(CUSTOMERS[0], str(number)))
