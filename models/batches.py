"""Cut a stream of items into batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items in order; the last one may be shorter (as `itertools.batched` of 3.12)."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch
