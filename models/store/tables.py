"""The tables. People filter and sort by the columns; `record` is the whole JSON as published.

Two characters of a text cannot be stored: NUL, which PostgreSQL allows neither in text nor in JSON, and lone
surrogates, which have no UTF-8. (JSON readers here reject lone surrogates; arguments of a shell may hold
some.) Both become U+FFFD, on both databases: `Words` replaces them in columns and in values that columns are
compared with, `to_json` in the record.
"""

import re
from typing import Any, cast

import msgspec
from sqlalchemy import JSON, BigInteger, Dialect, Float, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from models.candidate import Candidate, Profile, Window

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text as it is stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def to_json(value: Any) -> str:
    """Return a value as JSON that both databases can store."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = None
    if text is None or "\\u0000" in text:
        text = msgspec.json.encode(_storable_parts(msgspec.to_builtins(value))).decode()
    return text


def _storable_parts(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(name): _storable_parts(item) for name, item in value.items()}
        case list() | tuple():
            return [_storable_parts(item) for item in value]
        case _:
            return value


class Words(TypeDecorator[str]):
    """Text that both databases can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 -- theirs
        """Return the stored form of a text."""
        return None if value is None else storable(value)


class Base(DeclarativeBase):
    """The schema that migrations must end in."""


class Keyed:
    """The columns that profiles and candidates share."""

    key: Mapped[str] = mapped_column(Words, primary_key=True)
    """brand/platform:author_id, in the order of bytes: migration 0002 has PostgreSQL collate it so"""
    brand: Mapped[str] = mapped_column(Words)
    platform: Mapped[str] = mapped_column(Words)
    author_id: Mapped[str] = mapped_column(Words)
    state: Mapped[str] = mapped_column(Words)
    score: Mapped[float] = mapped_column(Float)
    tier: Mapped[str | None] = mapped_column(Words)
    followers: Mapped[int | None] = mapped_column(BigInteger)
    customer: Mapped[str] = mapped_column(Words)
    model_version: Mapped[str] = mapped_column(Words)
    revision: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))


class ProfileRow(Keyed, Base):
    """The rolling counters of one author about one brand."""

    __tablename__ = "profiles"
    __table_args__ = (
        Index("ix_profiles_brand_score", "brand", "score"),
        Index("ix_profiles_author", "platform", "author_id"),
    )

    as_of: Mapped[str] = mapped_column(Words)
    evaluated_on: Mapped[str] = mapped_column(Words)
    posts_90d: Mapped[int] = mapped_column(Integer)
    positive_90d: Mapped[int] = mapped_column(Integer)
    negative_90d: Mapped[int] = mapped_column(Integer)


class CandidateRow(Keyed, Base):
    """One author who is a candidate or is watched."""

    __tablename__ = "candidates"
    __table_args__ = (
        Index("ix_candidates_board", "brand", "state", "score"),
        Index("ix_candidates_state_score", "state", "score"),
        Index("ix_candidates_author", "platform", "author_id"),
    )

    handle: Mapped[str | None] = mapped_column(Words)
    headline: Mapped[str] = mapped_column(Words)
    confidence: Mapped[str] = mapped_column(Words)
    entered_at: Mapped[str | None] = mapped_column(Words)
    expires_at: Mapped[str | None] = mapped_column(Words)
    notice_due_at: Mapped[str | None] = mapped_column(Words)


class PositionRow(Base):
    """The position of the sink in one partition: the store holds every change before `next_offset`."""

    __tablename__ = "positions"

    topic: Mapped[str] = mapped_column(Words, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    next_offset: Mapped[int] = mapped_column(BigInteger)


POSITIONS = cast(Table, PositionRow.__table__)

_BIGINT, _INTEGER = 2**63 - 1, 2**31 - 1
"""Largest values of the two integer types of PostgreSQL; SQLite holds both."""
_NO_POSTS = Window(posts=0, positive=0, neutral=0, negative=0)


def table_of(kind: type[Profile] | type[Candidate]) -> Table:
    """Return the table of a kind of record."""
    table = (ProfileRow if kind is Profile else CandidateRow).__table__
    if not isinstance(table, Table):
        raise TypeError(f"{kind.__name__} has no table")
    return table


def name_of(kind: type[Profile] | type[Candidate]) -> str:
    """Return the name that the table of a kind of record shares with its topic."""
    return table_of(kind).name


def row_of(record: Profile | Candidate) -> dict[str, Any]:
    """Return a record as a row. A number beyond its column's range is cut to it; `record` keeps the whole."""
    tier, followers, customer = (
        (record.tier, record.followers, record.customer)
        if isinstance(record, Profile)
        else (record.tier.name, record.tier.followers, record.customer.label)
    )
    row = {
        "key": record.key,
        "brand": record.brand,
        "platform": record.platform,
        "author_id": record.author_id,
        "state": record.state,
        "score": record.score,
        "tier": tier,
        "followers": None if followers is None else _within(_BIGINT, followers),
        "customer": customer,
        "model_version": record.model_version,
        "revision": _within(_BIGINT, record.revision),
        "record": record,
    }
    if isinstance(record, Profile):
        window = record.windows.get("90d", _NO_POSTS)
        return row | {
            "as_of": record.as_of,
            "evaluated_on": record.evaluated_on,
            "posts_90d": _within(_INTEGER, window.posts),
            "positive_90d": _within(_INTEGER, window.positive),
            "negative_90d": _within(_INTEGER, window.negative),
        }
    return row | {
        "handle": record.handle,
        "headline": record.headline,
        "confidence": record.confidence,
        "entered_at": record.entered_at,
        "expires_at": record.expires_at,
        "notice_due_at": record.notice.due_at,
    }


def _within(most: int, number: int) -> int:
    return max(-most - 1, min(number, most))
