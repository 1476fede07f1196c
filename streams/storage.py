"""The store as the commands use it."""

from collections.abc import Iterator
from contextlib import contextmanager

from models.candidates import Candidate
from models.errors import SuperfanError
from models.store import Store
from streams.settings import Settings


class NotFound(SuperfanError):
    """There is no such record in the store."""


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The store of these settings, migrated; raises `StoreError`."""
    store = Store(settings.store_url.get_secret_value())
    try:
        store.migrate()
        yield store
    finally:
        store.close()


def find_candidate(store: Store, key: str) -> Candidate:
    """A candidate by key; raises `NotFound`."""
    candidate = store.candidate(key)
    if candidate is None:
        raise NotFound(
            f"No candidate {key!r}",
            "the store has none under this key",
            "list the keys with `superfan candidates list`",
        )
    return candidate
