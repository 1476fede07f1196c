"""customers, feedback, erasures -> facts under the key of the author they are about."""

from collections.abc import Callable, Collection

from models.codec import Codec
from models.customer import decode_customer_record
from models.facts import HandleFact, decode_handle_fact
from models.links import (
    Addressed,
    CustomerState,
    HandleState,
    erasure_fact,
    feedback_fact,
    update_customer,
    update_handle,
)
from models.record import encode
from models.rejection import Reason, Rejected
from streams import topics
from streams.agents.dead_letters import DeadLetters
from streams.delivery import Step, Work
from streams.delivery.state import KeyedState

_customers = Codec(CustomerState)
_handles = Codec(HandleState)


def customer_step(customers: KeyedState, dead_letters: DeadLetters) -> Step:
    """Return the step for a customer record, or by null its deletion, under its customer id."""

    def step(work: Work) -> None:
        try:
            customer_id, customer = decode_customer_record(work.key, work.value)
        except Rejected as rejection:
            dead_letters.reject(work, rejection)
            return
        dead_letters.accept()
        key = customer_id.encode()
        state = _customers.unpack(customers.read(work.tp.partition, key))
        facts = update_customer(state, customer_id, customer, work.position)
        customers.write(work, key, _customers.pack(state))
        _send(work, facts)

    return step


def handle_step(handles: KeyedState) -> Step:
    """Return the step for customers that name a handle, and authors that bear it: our own records."""

    def step(work: Work) -> None:
        key = work.key or b""
        state = _handles.unpack(handles.read(work.tp.partition, key))
        facts = update_handle(state, key.decode(), decode_handle_fact(work.value or b""), work.position)
        handles.write(work, key, _handles.pack(state))
        _send(work, facts)

    return step


def feedback_step(brands: Collection[str], dead_letters: DeadLetters) -> Step:
    """Return the step for a marketer's decision. A null is the compaction of an old one, and ignored."""

    def step(work: Work) -> None:
        if work.value is not None:
            _forward(work, lambda value: feedback_fact(value, brands), dead_letters)

    return step


def erasure_step(dead_letters: DeadLetters) -> Step:
    """Return the step for a person's wish to be forgotten."""
    return lambda work: _forward(work, erasure_fact, dead_letters)


def _forward(work: Work, read: Callable[[bytes], Addressed], dead_letters: DeadLetters) -> None:
    """Send a record on as a fact under its author's key."""
    try:
        if work.value is None:
            raise Rejected(Reason.EMPTY, "the record has no value")
        addressed = read(work.value)
    except Rejected as rejection:
        dead_letters.reject(work, rejection)
        return
    dead_letters.accept()
    _send(work, (addressed,))


def _send(work: Work, facts: Collection[Addressed]) -> None:
    for key, fact in facts:
        topic = topics.HANDLE_FACTS if isinstance(fact, HandleFact) else topics.AUTHOR_FACTS
        work.send(topic, key.encode(), encode(fact))
