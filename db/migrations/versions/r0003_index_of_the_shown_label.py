"""The label that a question names, also as its class index: names are words, and are translated."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FILL = sa.text(
    "UPDATE trial SET shown_label_index = :index WHERE shown_label = :name AND participant_id IN"
    " (SELECT id FROM participant WHERE study_version_id = :version)"
)


def upgrade() -> None:
    op.add_column("trial", sa.Column("shown_label_index", sa.Integer(), nullable=True))
    connection = op.get_bind()
    versions = connection.execute(sa.text("SELECT id, design_json FROM study_version")).all()
    for version, design in versions:
        for index, name in enumerate(json.loads(design).get("class_names", ())):
            connection.execute(FILL, {"index": index, "name": name, "version": version})


def downgrade() -> None:
    op.drop_column("trial", "shown_label_index")
