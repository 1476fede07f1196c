"""Profiles and candidates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "profiles",
        *_keyed(),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column("evaluated_on", sa.Text, nullable=False),
        sa.Column("posts_90d", sa.Integer, nullable=False),
        sa.Column("positive_90d", sa.Integer, nullable=False),
        sa.Column("negative_90d", sa.Integer, nullable=False),
    )
    op.create_index("ix_profiles_brand_score", "profiles", ["brand", "score"])
    op.create_table(
        "candidates",
        *_keyed(),
        sa.Column("handle", sa.Text),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("confidence", sa.Text, nullable=False),
        sa.Column("entered_at", sa.Text),
        sa.Column("expires_at", sa.Text),
        sa.Column("notice_due_at", sa.Text),
    )
    op.create_index("ix_candidates_board", "candidates", ["brand", "state", "score"])
    op.create_index("ix_candidates_state_score", "candidates", ["state", "score"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("candidates")
    op.drop_table("profiles")


def _keyed() -> list[sa.Column[object]]:
    return [
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("author_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("tier", sa.Text),
        sa.Column("followers", sa.BigInteger),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("record", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    ]
