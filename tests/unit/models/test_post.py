"""The border: accepted posts, and reasons to reject others."""

import json
import time

import pytest

from models.post import decode_post
from models.rejection import Rejected
from models.times import instant
from tests.malformed import GOOD, kinds

NOW_MS = 1_800_000_000_000
X = frozenset({"x"})


@pytest.mark.parametrize(("value", "reason"), kinds(NOW_MS / 1000))
def test_each_kind_of_malformed_record_has_its_reason(value: bytes, reason: str) -> None:
    """A record that cannot be used is rejected for the reason that a person would name."""
    with pytest.raises(Rejected) as rejected:
        decode_post(value, received_ms=NOW_MS, lawful=X)
    assert rejected.value.reason == reason
    assert len(rejected.value.detail) <= 300


def test_there_are_at_least_twelve_kinds_of_malformed_records() -> None:
    """The malformed records of the stream test cover at least 12 reasons."""
    assert len({reason for _, reason in kinds(time.time())}) >= 12


@pytest.mark.parametrize(
    "text", ["", "\u200b\u200b", "\u202eabc", "😍" * 3000, "\x07\x00bell", "a" * 1_000_000, "\ud7ff"]
)
def test_odd_texts_are_let_in(text: str) -> None:
    """Empty, zero-width, right-to-left, emoji, control characters and a megabyte are posts like others."""
    post, _ = decode_post(json.dumps({**GOOD, "text": text}).encode(), received_ms=NOW_MS, lawful=X)
    assert post.text == text


def test_unknown_fields_are_ignored_and_null_is_unknown() -> None:
    """Fields the contract does not name are ignored; a null number stays unknown."""
    value = json.dumps({**GOOD, "new": {"a": 1}, "author": {"id": "u", "followers": None}, "metrics": None})
    post, _ = decode_post(value.encode(), received_ms=NOW_MS, lawful=X)
    assert post.author.followers is None


@pytest.mark.parametrize(
    "text",
    [
        "2015-02-20T10:00:00Z",
        "2015-02-20T11:00:00+01:00",
        "2015-02-20T10:00:00",
        1424426400,
        1424426400000,
        1424426400.0,
    ],
)
def test_times_are_read_in_every_form_of_the_contract(text: str | float) -> None:
    """RFC 3339, epoch seconds and epoch milliseconds name the same instant."""
    assert instant(text) == 1_424_426_400_000


def test_a_post_a_little_ahead_of_its_record_is_no_post_from_the_future() -> None:
    """Ten minutes of clock skew are forgiven, one second more is not."""

    def at(seconds: int) -> bytes:
        return json.dumps({**GOOD, "created_at": NOW_MS // 1000 + seconds}).encode()

    decode_post(at(600), received_ms=NOW_MS, lawful=X)
    with pytest.raises(Rejected):
        decode_post(at(601), received_ms=NOW_MS, lawful=X)
