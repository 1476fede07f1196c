"""The records that enrichment takes and returns. Importing this module loads no text pipeline."""

from typing import NamedTuple

from models.rejection import Dropped, Rejected


class Raw(NamedTuple):
    """A record as received: its value, and its timestamp in epoch milliseconds."""

    value: bytes | None
    received_ms: int


class Enriched(NamedTuple):
    """An encoded `EnrichedPost`, and the author key of its record."""

    author: str
    value: bytes


Result = Enriched | Dropped | Rejected
