"""Profiles and candidates in SQL: a copy of the topics for people and dashboards.

The only part of `models` that knows SQL. SQLite or PostgreSQL; both behave alike.
"""

from models.store.failures import StoreError, StoreUnavailable
from models.store.repository import (
    Applied,
    Change,
    Delete,
    Store,
)

__all__ = ["Applied", "Change", "Delete", "Store", "StoreError", "StoreUnavailable"]
