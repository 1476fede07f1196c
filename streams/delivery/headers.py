"""A reader of fetched records that survives header names that are not UTF-8.

Kafka defines names of headers as text, but neither brokers nor all clients check it. aiokafka raises
`UnicodeDecodeError` in the middle of a fetch, at the same offset after every restart. Superfan only
compares names with its own, so any substitute for the undecodable bytes will do.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Buffer(bytes):
    """Bytes whose slices decode to text in any case."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Buffer(found) if isinstance(found, bytes) else found

    def decode(self, *_: Any) -> str:
        """Return the text, with a substitute for bytes that are not UTF-8."""
        return super().decode("utf-8", "replace")


class _TolerantBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """aiokafka's batch in pure Python, over a buffer that decodes in any case."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Buffer(self._buffer)


class _Batch:
    """A batch of records that falls back to `_TolerantBatch`."""

    def __init__(self, strict: DefaultRecordBatch, encoded: bytes) -> None:
        self._strict = strict
        self._encoded = encoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strict, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._strict))
        except UnicodeDecodeError:
            return iter(list(_TolerantBatch(self._encoded)))


class TolerantRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches of a fetched partition."""

    def next_batch(self, *_: Any) -> Any:
        """Return the next batch, or None."""
        encoded = self._next_slice
        batch = super().next_batch()
        return _Batch(batch, bytes(encoded)) if isinstance(batch, DefaultRecordBatch) else batch


def install() -> None:
    """Let aiokafka's consumers of this process read by `TolerantRecords`."""
    fetcher.MemoryRecords = TolerantRecords
