"""Several pictures in a presentation, forms, invitations, and two more ways for a study to end."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = ("consented", "admitted", "complete", "timed_out", "returned")
AFTER = (*BEFORE, "screened_out", "failed_check")
# The naming convention was put before the name that the first migration gave: op.f() leaves a name
# as it is.
FIRST_NAME, NAME = "ck_participant_ck_participant_status", "ck_participant_status"

# The current answer of every trial: the response of its last attempt. PostgreSQL fixes the columns
# of a view when it is made, so it is made anew with the table's.
RATING = """
    CREATE VIEW rating AS
    SELECT response.*
    FROM response
    WHERE response.attempt = (
        SELECT max(later.attempt) FROM response AS later
        WHERE later.trial_id = response.trial_id
    )
"""


def upgrade() -> None:
    op.execute("DROP VIEW rating")
    op.add_column(
        "response", sa.Column("values_json", sa.Text(), nullable=False, server_default="{}")
    )
    _allow_statuses(AFTER, was=FIRST_NAME, now=NAME)
    op.add_column("provider_identity", sa.Column("session", sa.String(length=200), nullable=True))
    op.create_table(
        "further_picture",
        sa.Column("presentation_id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("stimulus_id", sa.String(length=64), nullable=False),
        sa.CheckConstraint("place >= 1", name=op.f("ck_further_picture_place")),
        sa.ForeignKeyConstraint(
            ["presentation_id"],
            ["presentation.id"],
            name="fk_further_picture_presentation_id_presentation",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stimulus_id"],
            ["stimulus.stimulus_id"],
            name="fk_further_picture_stimulus_id_stimulus",
        ),
        sa.PrimaryKeyConstraint("presentation_id", "place", name="pk_further_picture"),
    )
    op.create_index(
        "ix_further_picture_stimulus_id", "further_picture", ["stimulus_id"], unique=False
    )
    op.create_table(
        "form_response",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.String(length=32), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("answers_json", sa.Text(), nullable=False),
        sa.Column("device_json", sa.Text(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "form IN ('screening', 'comprehension', 'demographics')",
            name=op.f("ck_form_response_form"),
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name="fk_form_response_participant_id_participant",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_form_response"),
        sa.UniqueConstraint(
            "participant_id",
            "form",
            "attempt",
            name="uq_form_response_participant_id_form_attempt",
        ),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("code_hmac", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_by", sa.String(length=32), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_invitation_study_id_study", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["used_by"],
            ["participant.id"],
            name="fk_invitation_used_by_participant",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("study_id", "code_hmac", name="uq_invitation_study_id_code_hmac"),
    )
    op.create_index("ix_invitation_used_by", "invitation", ["used_by"], unique=False)
    op.execute(RATING)


def downgrade() -> None:
    op.execute("DROP VIEW rating")
    for table in ("invitation", "form_response", "further_picture"):
        op.drop_table(table)
    op.drop_column("provider_identity", "session")
    op.execute(
        "UPDATE participant SET status = 'returned'"
        " WHERE status IN ('screened_out', 'failed_check')"
    )
    _allow_statuses(BEFORE, was=NAME, now=FIRST_NAME)
    op.drop_column("response", "values_json")
    op.execute(RATING)


def _allow_statuses(statuses: tuple[str, ...], *, was: str, now: str) -> None:
    listed = ", ".join(f"'{status}'" for status in statuses)
    with op.batch_alter_table("participant") as table:
        table.drop_constraint(op.f(was), type_="check")
        table.create_check_constraint(op.f(now), f"status IN ({listed})")
