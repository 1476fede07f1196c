"""The settings that a judgement depends on. `Rules.model_version` names them together with the tables."""

import hashlib
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.brand import Catalogue
from models.candidate import CustomerLabel
from models.tables import DIGEST, TIER_PRESETS

Component = Literal["enthusiasm", "volume", "customer", "reach", "engagement", "niche", "closeness"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Tiers(_Settings):
    """Size classes by followers, and the wanted ones."""

    preset: Literal["aspire", "hypeauditor", "classic", "statista"] = "aspire"
    wanted: tuple[str, ...] = ("micro",)

    @model_validator(mode="after")
    def _known(self) -> "Tiers":
        known = TIER_PRESETS[self.preset]
        if not self.wanted or (unknown := [name for name in self.wanted if name not in known]):
            raise ValueError(f"wanted names {unknown or 'no tier'}; {self.preset!r} has {', '.join(known)}")
        return self

    def of(self, followers: int | None) -> str | None:
        """Return the tier of a follower count; None if it is unknown."""
        if followers is None:
            return None
        bounds = TIER_PRESETS[self.preset]
        return next(name for name, (_, below) in bounds.items() if below is None or followers < below)

    def wanted_bounds(self) -> tuple[tuple[int, int | None], ...]:
        """Return the bounds of each wanted tier: followers from (included) to (excluded)."""
        return tuple(TIER_PRESETS[self.preset][name] for name in self.wanted)


class Customers(_Settings):
    """The customer label that a candidate needs at least."""

    require: CustomerLabel = "likely"


class Retention(_Settings):
    """The length of the window, and the ticks that let days pass without posts."""

    keep_days: int = Field(default=90, ge=90, le=366)
    """length of the window, which ends on the newest day with a post"""
    tick: Literal["daily", "never"] = "daily"


class Weights(_Settings):
    """Weight of each component; scaled to the known ones."""

    enthusiasm: float = Field(default=0.34, ge=0)
    volume: float = Field(default=0.16, ge=0)
    customer: float = Field(default=0.16, ge=0)
    reach: float = Field(default=0.14, ge=0)
    engagement: float = Field(default=0.10, ge=0)
    niche: float = Field(default=0.10, ge=0)
    closeness: float = Field(default=0.0, ge=0)
    """shown, and by default not scored: few sources show whole threads"""

    @model_validator(mode="after")
    def _some(self) -> "Weights":
        if not any(weight for _, weight in self):
            raise ValueError("all weights are 0: nothing would be scored")
        return self


class Thresholds(_Settings):
    """Thresholds for becoming a candidate and for leaving. Scores are 0..100, days are days of posts."""

    enter_score: float = 55
    enter_days: int = Field(default=2, ge=1)
    enter_of_last: int = Field(default=3, ge=1)
    positive_posts: int = Field(default=3, ge=1)
    positive_days: int = Field(default=3, ge=1)
    last_positive_within: int = Field(default=45, ge=1)
    authenticity: float = 0.6
    leave_score: float = 45
    leave_after: int = Field(default=7, ge=1)
    leave_authenticity: float = 0.4
    decline_days: int = Field(default=180, ge=1)
    tier_band: float = Field(default=0.05, ge=0, lt=1)
    watch_posts: int = Field(default=2, ge=1)
    watch_days: int = Field(default=2, ge=1)


class Rules(_Settings):
    """Everything that the decision reads besides the profile."""

    brands: Catalogue
    tiers: Tiers = Tiers()
    customers: Customers = Customers()
    window: Retention = Retention()
    weights: Weights = Weights()
    thresholds: Thresholds = Thresholds()
    profile_urls: Mapping[str, str] = Field(default_factory=dict)
    """platform -> address with `{handle}`; a platform that is not named gives no address"""
    post_urls: Mapping[str, str] = Field(default_factory=dict)
    """platform -> address with `{id}`, for posts that come without one"""

    def niche_of(self, brand: str) -> tuple[str, ...]:
        """Return the niches of a brand; none for one that is not in the catalogue."""
        return next((b.niche for b in self.brands if b.name == brand), ())

    @property
    def model_version(self) -> str:
        """Version of the code, the tables and the settings that judge.

        With equal versions, equal opinions and facts are judged alike. Names by which a brand is found, and
        its employees, are not part of it.
        """
        found_by = {"aliases", "hashtags", "products", "employees"}
        judged = self.model_dump_json(
            exclude={"brands": {"__all__": found_by}, "profile_urls": True, "post_urls": True}
        )
        return f"4-{hashlib.sha256((judged + DIGEST).encode()).hexdigest()[:8]}"
