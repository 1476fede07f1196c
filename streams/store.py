"""The store as commands and the sink use it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches

import msgspec

from models.candidate import Candidate, Profile
from models.errors import SuperfanError
from models.rejection import Reason, Rejected, decode_json
from models.store import Change, Delete, Kind, Store
from streams import topics
from streams.settings import Settings

MAX_NEAR = 3
KINDS: Mapping[str, Kind] = {topics.PROFILES: Profile, topics.CANDIDATES: Candidate}
"""The topics that the store is a copy of."""
_profile = msgspec.json.Decoder(Profile)
_candidate = msgspec.json.Decoder(Candidate)


class NotFound(SuperfanError):
    """There is no such record in the store."""


def store_of(settings: Settings, *, create: bool = False) -> Store:
    """Return the store of these settings, which is neither checked nor migrated; raises `StoreError`."""
    return Store(settings.store_url.get_secret_value(), create=create)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Yield the store of these settings for reading, with its schema checked; raises `StoreError`."""
    with store_of(settings) as store:
        store.require_schema()
        yield store


def find_candidate(store: Store, key: str) -> Candidate:
    """Return the candidate of a key; raises `NotFound`, which names the nearest keys."""
    candidate = store.candidate(key)
    if candidate is None:
        choice = " or ".join(map(repr, _near(key, store.candidate_keys())))
        raise NotFound(
            f"No candidate {key!r}",
            "the store has none under this key",
            f"{f'try {choice}, or ' if choice else ''}list the keys with `superfan candidates list`",
        )
    return candidate


def change_of(topic: str, key: bytes | None, value: bytes | None) -> Change:
    """Return the change of the store that a record of a topic in `KINDS` asks for; raises `Rejected`."""
    kind = KINDS[topic]
    if value is None:
        try:
            return Delete(kind, (key or b"").decode())
        except UnicodeDecodeError:
            raise Rejected(Reason.BAD_ID, "the key is not UTF-8") from None
    return decode_json(_profile, value) if kind is Profile else decode_json(_candidate, value)


def _near(key: str, known: Iterable[str]) -> list[str]:
    """Return up to `MAX_NEAR` keys that contain the typed text or else resemble it, in any case."""
    by_folded = {name.casefold(): name for name in known}
    typed = key.strip().casefold()
    found = [folded for folded in by_folded if typed in folded] if typed else []
    return [by_folded[folded] for folded in (found or get_close_matches(typed, by_folded))[:MAX_NEAR]]
