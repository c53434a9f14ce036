"""By which rules a plan was drawn, and after how long a silence a place is somebody else's."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participant", sa.Column("plan_rules", sa.Integer(), nullable=True))
    op.add_column("study_version", sa.Column("silence_s", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("study_version", "silence_s")
    op.drop_column("participant", "plan_rules")
