"""The bundled tables that a judgement uses: size classes, usual prices and reactions, niches.

Each is a file with its sources and years, read once. `DIGEST` names their contents and is part of
`Rules.model_version`: a changed figure changes the version of every candidate.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from models.candidate import CostBand


class Rate(NamedTuple):
    """The usual reactions to one post, as a share of the author's followers."""

    rate: float
    year: int
    """year of the posts that were counted"""
    source: str


class Niche(NamedTuple):
    """A field of interest. `bit` is the number of its bit in stored themes."""

    bit: int
    words: frozenset[str]
    related: frozenset[str]
    conflicting: frozenset[str]


_bytes = {
    name: files("models").joinpath(f"tables/{name}.toml").read_bytes()
    for name in ("tiers", "costs", "benchmarks", "niches")
}
DIGEST = hashlib.sha256(b"".join(_bytes.values())).hexdigest()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(_bytes[name].decode())


def _bounds(starts: Mapping[str, int]) -> dict[str, tuple[int, int | None]]:
    ends = [*list(starts.values())[1:], None]
    return {name: (low, high) for (name, low), high in zip(starts.items(), ends, strict=True)}


TIER_PRESETS: Mapping[str, Mapping[str, tuple[int, int | None]]] = {
    name: _bounds(preset["from"]) for name, preset in _read("tiers")["presets"].items()
}
"""preset -> tier -> followers from (included) up to (excluded)"""

_COST_BANDS: tuple[tuple[int, int | None, CostBand], ...] = tuple(
    (
        band["from"],
        band.get("below"),
        CostBand(
            low=band["low"],
            high=band.get("high"),
            currency=band["currency"],
            source=f"{band['source']}, {band['year']}",
        ),
    )
    for band in _read("costs")["bands"]
)

COSTS_READ: str = _read("costs")["read"].isoformat()
"""the day on which the cost bands were read at their source"""

_RATES: Mapping[tuple[str, str | None], Rate] = {
    (row["platform"], row.get("tier")): Rate(row["rate"], row["year"], row["source"])
    for row in _read("benchmarks")["rates"]
}

RATES_UNTIL: str = f"{min(rate.year for rate in _RATES.values())}-12-31"
"""the last day of the year whose posts the oldest of the usual reactions were counted in"""

NICHES: Mapping[str, Niche] = {
    row["name"]: Niche(
        row["place"],
        frozenset(row["words"]),
        frozenset(row["related"]),
        frozenset(row.get("conflicting", ())),
    )
    for row in _read("niches")["niches"]
}


def benchmark(platform: str, tier: str | None) -> Rate | None:
    """Return the usual rate on a platform for a tier, else for all tiers; None if there is no figure."""
    return _RATES.get((platform, tier)) or _RATES.get((platform, None))


def cost_band(followers: int | None) -> CostBand | None:
    """Return the usual price of a post by an author with so many followers; None if there is no figure."""
    if followers is None:
        return None
    return next(
        (
            band
            for start, below, band in _COST_BANDS
            if followers >= start and (below is None or followers < below)
        ),
        None,
    )


def mask(themes: Iterable[str]) -> int:
    """Return themes as niche bits; a name that is not in the table of niches has none."""
    return sum({1 << NICHES[name].bit for name in themes if name in NICHES})


def niche_bits(themes: int) -> Iterator[int]:
    """Return the numbers of the bits that are set."""
    return (bit for bit in range(themes.bit_length()) if themes >> bit & 1)


def names_of(themes: int) -> tuple[str, ...]:
    """Return the niches of these bits, ordered by name."""
    return tuple(sorted(name for name, niche in NICHES.items() if themes >> niche.bit & 1))
