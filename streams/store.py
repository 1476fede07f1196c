"""The store as the commands use it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from models.candidate import Candidate
from models.errors import SuperfanError
from models.store import Store
from streams.settings import Settings

MAX_NEAR = 3


class NotFound(SuperfanError):
    """There is no such record in the store."""


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The store of these settings, to read: it is neither made nor migrated. Raises `StoreError`."""
    store = Store(settings.store_url.get_secret_value(), create=False)
    try:
        store.require_schema()
        yield store
    finally:
        store.close()


def find_candidate(store: Store, key: str) -> Candidate:
    """A candidate by key; raises `NotFound`, which names the keys that are nearest."""
    candidate = store.candidate(key)
    if candidate is None:
        choice = " or ".join(map(repr, _near(key, store.candidate_keys())))
        raise NotFound(
            f"No candidate {key!r}",
            "the store has none under this key",
            f"{f'try {choice}, or ' if choice else ''}list the keys with `superfan candidates list`",
        )
    return candidate


def _near(key: str, known: Iterable[str]) -> list[str]:
    """Up to three keys that hold what was typed, or else look like it, whatever the case."""
    by_folded = {name.casefold(): name for name in known}
    typed = key.strip().casefold()
    found = [folded for folded in by_folded if typed in folded] if typed else []
    return [by_folded[folded] for folded in (found or get_close_matches(typed, by_folded))[:MAX_NEAR]]
