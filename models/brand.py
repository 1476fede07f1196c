"""A brand as its owner describes it in the settings, with the names that people call it."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator


def _distinct(brands: "tuple[Brand, ...]") -> "tuple[Brand, ...]":
    names = Counter(brand.name for brand in brands)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"two of them are named {twice[0]!r}; a name is part of the keys of candidates")
    return brands


class Brand(BaseModel):
    """One `[[brands]]` table. All names are matched without regard to case; none may be empty.

    `name` is part of the candidate key `brand/platform:author_id`, so it holds no slash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")
    handles: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """platform -> handles without `@`"""
    aliases: tuple[str, ...] = ()
    """surface forms found in text, bounded by words; the name itself is always one of them"""
    hashtags: tuple[str, ...] = ()
    """without `#`"""
    products: tuple[str, ...] = ()
    competitors: tuple[str, ...] = ()
    niche: tuple[str, ...] = ()
    employees: frozenset[str] = frozenset()
    """author keys `platform:author_id`; an employee is never a candidate"""

    @field_validator("handles", mode="after")
    @classmethod
    def _bare_handles(cls, handles: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        return {platform: tuple(_bare(h, "@") for h in names) for platform, names in handles.items()}

    @field_validator("hashtags", mode="after")
    @classmethod
    def _bare_hashtags(cls, hashtags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_bare(tag, "#") for tag in hashtags)

    @field_validator("aliases", "products", "competitors", mode="after")
    @classmethod
    def _no_empty_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.strip() for name in names):
            raise ValueError("an empty name would match everywhere")
        return names


def _bare(name: str, mark: str) -> str:
    bare = name.removeprefix(mark)
    if not bare.strip():
        raise ValueError("an empty name would match everywhere")
    return bare


Catalogue = Annotated[tuple[Brand, ...], Field(min_length=1), AfterValidator(_distinct)]
"""All brands that are looked for: at least one, each with a name of its own."""
