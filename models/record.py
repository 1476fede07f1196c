"""The base of every record that travels on a topic, and its form as JSON."""

from typing import Any, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object on a topic. Unknown fields are ignored when read, so that producers may add some."""


R = TypeVar("R")

_encoder = msgspec.json.Encoder()


def encode(record: Any) -> bytes:
    """Return a record as compact UTF-8 JSON. Equal records give equal bytes."""
    return _encoder.encode(record)
