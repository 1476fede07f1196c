"""How an author's state is stored: one format byte, the version, then MessagePack.

The version stands in front in fixed width so that recovery can keep the newer of two values
without decoding them. Corrupt state raises: it is our own, and must crash loudly.
"""

import struct

import msgspec

from models.author import AuthorState

FORMAT = 1
_HEAD = struct.Struct(">BQ")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AuthorState)


class CorruptState(Exception):
    """A stored value that this code did not write, or that was damaged since."""


def pack(state: AuthorState) -> bytes:
    """The stored form of a state."""
    return _HEAD.pack(FORMAT, state.version) + _encoder.encode(state)


def unpack(value: bytes) -> AuthorState:
    """The state of a stored value; raises `CorruptState`."""
    version_of(value)
    try:
        return _decoder.decode(memoryview(value)[_HEAD.size :])
    except msgspec.MsgspecError as error:
        raise CorruptState(f"author state cannot be read: {error}") from error


def version_of(value: bytes) -> int:
    """The version of a stored value, without decoding it; raises `CorruptState`."""
    if len(value) < _HEAD.size:
        raise CorruptState(f"author state of {len(value)} bytes is too short")
    fmt, version = _HEAD.unpack_from(value)
    if fmt != FORMAT:
        raise CorruptState(f"author state has format {fmt}, this code reads format {FORMAT}")
    return int(version)
