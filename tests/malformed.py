"""Records that cannot be used, of many kinds, each with the reason it must be rejected for."""

import json
import random
import time
from typing import Any

GOOD: dict[str, Any] = {
    "id": "x:bad",
    "platform": "x",
    "kind": "mention",
    "text": "@united thank you, what a great flight",
    "created_at": "2015-02-20T10:00:00Z",
    "author": {"id": "ubad", "handle": "ubad", "followers": 12},
}


def _with(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def _without(name: str) -> bytes:
    return json.dumps({k: v for k, v in GOOD.items() if k != name}).encode()


def kinds(now: float) -> list[tuple[bytes, str]]:
    """`(value, reason)` of each kind; `now` is epoch seconds, for the post from the future."""
    return [
        (b"{not json", "not_json"),
        (b'{"id": "x:1", "text": ', "not_json"),
        (b'{"id": "\xff\xfe", "text": "x"}', "not_utf8"),
        (b"[1, 2, 3]", "not_an_object"),
        (b'"a string"', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"extra": ' + b"[" * 100_000, "not_json"),
        (_without("id"), "missing_field"),
        (_without("author"), "missing_field"),
        (_with(author={"handle": "nobody"}), "missing_field"),
        (_with(text=42), "wrong_type"),
        (_with(author="u1"), "wrong_type"),
        (_with(author={"id": "u1", "followers": "many"}), "wrong_type"),
        (_with(author={"id": "u1", "followers": -5}), "wrong_type"),
        (_with(author={"id": "u1", "followers": 2**64}), "wrong_type"),
        (_with(author={"id": "u1", "posts": -1}), "wrong_type"),
        (_with(metrics={"likes": 2**53}), "wrong_type"),
        (_with(author={"id": "u1", "created_at": 1e300}), "absurd_time"),
        (_with(id=""), "bad_id"),
        (_with(id="x:" + "9" * 300), "bad_id"),
        (_with(author={"id": "u\x001"}), "bad_id"),
        (_with(author={"id": "u1", "handle": "h" * 5000}), "bad_id"),
        (_with(author={"id": "  "}), "empty_author"),
        (_with(created_at="yesterday"), "bad_time"),
        (_with(created_at="1066-10-14T00:00:00Z"), "absurd_time"),
        (_with(created_at=1e300), "absurd_time"),
        (_with(created_at=int(now) + 7200), "future"),
        (_with(kind="rumour"), "unknown_kind"),
        (_with(platform="telegraph"), "unknown_platform"),
        (_with(platform="reddit"), "no_lawful_basis"),
    ]


def malformed(count: int, seed: int = 7) -> list[tuple[bytes, str]]:
    """`count` malformed records, all kinds in equal shares, in a seeded order."""
    known = kinds(time.time())
    found = [known[n % len(known)] for n in range(count)]
    random.Random(seed).shuffle(found)
    return found
