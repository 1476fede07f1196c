"""Alembic migrations, run by `Store.migrate`; nobody needs an alembic.ini."""
