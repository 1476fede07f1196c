"""The tables. Columns are what people filter and sort by; `record` is the whole JSON as published."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Document = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """What migrations are compared with."""


class _Keyed:
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    """brand/platform:author_id"""
    brand: Mapped[str] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    score: Mapped[float] = mapped_column(Float)
    tier: Mapped[str | None] = mapped_column(Text)
    followers: Mapped[int | None] = mapped_column(BigInteger)
    customer: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[dict[str, Any]] = mapped_column(Document)


class ProfileRow(_Keyed, Base):
    """One author's rolling counters about one brand."""

    __tablename__ = "profiles"
    __table_args__ = (Index("ix_profiles_brand_score", "brand", "score"),)

    as_of: Mapped[str] = mapped_column(Text)
    evaluated_on: Mapped[str] = mapped_column(Text)
    posts_90d: Mapped[int] = mapped_column(Integer)
    positive_90d: Mapped[int] = mapped_column(Integer)
    negative_90d: Mapped[int] = mapped_column(Integer)


class CandidateRow(_Keyed, Base):
    """One author worth asking, or watching."""

    __tablename__ = "candidates"
    __table_args__ = (
        Index("ix_candidates_board", "brand", "state", "score"),
        Index("ix_candidates_state_score", "state", "score"),
    )

    handle: Mapped[str | None] = mapped_column(Text)
    headline: Mapped[str] = mapped_column(Text)
    confidence: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[str | None] = mapped_column(Text)
    notice_due_at: Mapped[str | None] = mapped_column(Text)
