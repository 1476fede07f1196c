"""How keyed state is stored: one format byte, the version, then MessagePack.

The version stands in front in fixed width so that recovery can keep the newer of two values
without decoding them. Corrupt state raises: it is our own, and must crash loudly.
"""

import struct
from typing import Generic, Protocol, TypeVar

import msgspec

FORMAT = 1
_HEAD = struct.Struct(">BQ")
_encoder = msgspec.msgpack.Encoder()


class CorruptState(Exception):
    """A stored value that this code did not write, or that was damaged since."""


class Versioned(Protocol):
    """A state that knows how new it is."""

    @property
    def version(self) -> int:
        """Grows with every change."""


S = TypeVar("S", bound=Versioned)


class Codec(Generic[S]):
    """Packs and unpacks states of one type; `unpack(None)` is the state of a key never seen."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._decoder = msgspec.msgpack.Decoder(kind)

    def pack(self, state: S) -> bytes:
        """The stored form of a state."""
        return _HEAD.pack(FORMAT, state.version) + _encoder.encode(state)

    def unpack(self, value: bytes | None) -> S:
        """The state of a stored value; raises `CorruptState`."""
        if value is None:
            return self._kind()
        version_of(value)
        try:
            return self._decoder.decode(memoryview(value)[_HEAD.size :])
        except msgspec.MsgspecError as error:
            raise CorruptState(f"{self._kind.__name__} cannot be read: {error}") from error


def version_of(value: bytes) -> int:
    """The version of a stored value, without decoding it; raises `CorruptState`."""
    if len(value) < _HEAD.size:
        raise CorruptState(f"a state of {len(value)} bytes is too short")
    fmt, version = _HEAD.unpack_from(value)
    if fmt != FORMAT:
        raise CorruptState(f"the state has format {fmt}, this code reads format {FORMAT}")
    return int(version)
