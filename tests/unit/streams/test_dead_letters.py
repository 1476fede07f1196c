"""The limit at which a worker stops rather than reject a whole topic."""

from types import SimpleNamespace
from typing import Any

import pytest

from models.dead_letter import payload_of
from models.rejection import Reason, Rejected
from streams.agents.dead_letters import DeadLetters, TooManyDeadLetters


def work() -> Any:
    """Return a record that remembers the records sent for it."""
    sent: list[Any] = []
    return SimpleNamespace(
        key=b"k",
        value=b"v",
        offset=3,
        timestamp_ms=0,
        tp=SimpleNamespace(topic="mentions", partition=1),
        send=lambda *record: sent.append(record),
        sent=sent,
    )


def test_a_share_of_rejects_below_the_limit_is_normal() -> None:
    """Half of the records may be bad for ever, when half is the limit."""
    letters = DeadLetters("enrich", max_share=0.5, of_last=10)
    for _ in range(100):
        letters.accept()
        letters.reject(work(), Rejected(Reason.NOT_JSON, "x"))


def test_a_share_above_the_limit_stops_with_the_most_common_reason() -> None:
    """The error says how many, why, and what to do; the record that passed the limit is not sent."""
    letters = DeadLetters("enrich", max_share=0.5, of_last=10)
    for _ in range(9):
        letters.reject(work(), Rejected(Reason.FUTURE, "x"))
    last = work()
    with pytest.raises(TooManyDeadLetters, match=r"10 of the last 10.*future.*dead-letters list"):
        letters.reject(last, Rejected(Reason.NOT_JSON, "x"))
    assert last.sent == []


def test_a_payload_that_is_no_text_is_kept_in_base64() -> None:
    """A dead letter holds any payload, text or not."""
    assert payload_of(b"{oops") == ("{oops", "utf-8")
    assert payload_of(b"\xff") == ("/w==", "base64")
    assert payload_of(None) == (None, "utf-8")
    cut, encoding = payload_of(b"x" * 2_000_000)
    assert encoding == "base64; cut"
    assert cut is not None
    assert len(cut) <= 800_000
