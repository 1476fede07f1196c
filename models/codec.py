"""The stored form of keyed state: one format byte, the version, then MessagePack.

The version comes first, in fixed width: recovery keeps the newer of two values without decoding them.
Damaged state raises an error, since it is our own and must stop the worker.
"""

import struct
from typing import Generic, Protocol, TypeVar

import msgspec

FORMAT = 1
_HEAD = struct.Struct(">BQ")
_encoder = msgspec.msgpack.Encoder()


class CorruptState(Exception):
    """A stored value that is damaged, or was written by other code."""


class Versioned(Protocol):
    """A state with a version."""

    @property
    def version(self) -> int:
        """A number that grows with every change."""


S = TypeVar("S", bound=Versioned)


class Codec(Generic[S]):
    """Packs and unpacks states of one type; `unpack(None)` returns the state of an unknown key."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._decoder = msgspec.msgpack.Decoder(kind)

    def pack(self, state: S) -> bytes:
        """Return the stored form of a state."""
        return _HEAD.pack(FORMAT, state.version) + _encoder.encode(state)

    def unpack(self, value: bytes | None) -> S:
        """Return the state of a stored value; raise `CorruptState` if it is damaged."""
        if value is None:
            return self._kind()
        version_of(value)
        try:
            return self._decoder.decode(memoryview(value)[_HEAD.size :])
        except msgspec.MsgspecError as error:
            raise CorruptState(f"{self._kind.__name__} cannot be read: {error}") from error


def version_of(value: bytes) -> int:
    """Return the version of a stored value without decoding it; raise `CorruptState` if it has none."""
    if len(value) < _HEAD.size:
        raise CorruptState(f"a state of {len(value)} bytes is too short")
    fmt, version = _HEAD.unpack_from(value)
    if fmt != FORMAT:
        raise CorruptState(f"the state has format {fmt}, this code reads format {FORMAT}")
    return int(version)
