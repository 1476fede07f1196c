"""Find an author's rows; keys in the same order on every PostgreSQL."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("profiles", "candidates")


def upgrade() -> None:
    """Bring the schema forward."""
    for table in TABLES:
        op.create_index(f"ix_{table}_author", table, ["platform", "author_id"])
        _collate(table, "C")


def downgrade() -> None:
    """Take it back."""
    for table in TABLES:
        _collate(table, "default")
        op.drop_index(f"ix_{table}_author", table)


def _collate(table: str, collation: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite compares bytes as it is
        op.execute(f'ALTER TABLE {table} ALTER COLUMN key TYPE TEXT COLLATE "{collation}"')
