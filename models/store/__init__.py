"""Profiles and candidates in SQL: a copy of the topics for people and dashboards.

The only part of `models` that knows SQL. SQLite or PostgreSQL; both behave alike.
"""

from models.store.failures import PositionConflict, StoreError, StoreUnavailable
from models.store.repository import Store
from models.store.writing import Applied, Change, Delete, Kind, Move, Partition

__all__ = [
    "Applied",
    "Change",
    "Delete",
    "Kind",
    "Move",
    "Partition",
    "PositionConflict",
    "Store",
    "StoreError",
    "StoreUnavailable",
]
