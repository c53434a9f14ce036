"""The first schema: studies, stimuli, participants, plans, responses, records."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("detail_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "researcher",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_researcher"),
        sa.UniqueConstraint("name", name="uq_researcher_name"),
    )
    op.create_table(
        "stimulus",
        sa.Column("stimulus_id", sa.String(length=64), nullable=False),
        sa.Column("pixels_sha256", sa.String(length=64), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("passport_json", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stimulus_id", name="pk_stimulus"),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'live', 'closed')", name="ck_study_status"),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("name", name="uq_study_name"),
    )
    op.create_table(
        "export_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_export_record_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_export_record"),
    )
    op.create_index("ix_export_record_study_id", "export_record", ["study_id"], unique=False)
    op.create_table(
        "researcher_session",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("researcher_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["researcher_id"],
            ["researcher.id"],
            name="fk_researcher_session_researcher_id_researcher",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_researcher_session"),
    )
    op.create_index(
        "ix_researcher_session_expires_at", "researcher_session", ["expires_at"], unique=False
    )
    op.create_index(
        "ix_researcher_session_researcher_id", "researcher_session", ["researcher_id"], unique=False
    )
    op.create_table(
        "study_stimulus",
        sa.Column("opaque_id", sa.String(length=32), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("stimulus_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["stimulus_id"], ["stimulus.stimulus_id"], name="fk_study_stimulus_stimulus_id_stimulus"
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_study_stimulus_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("opaque_id", name="pk_study_stimulus"),
        sa.UniqueConstraint(
            "study_id", "stimulus_id", name="uq_study_stimulus_study_id_stimulus_id"
        ),
    )
    op.create_index(
        "ix_study_stimulus_stimulus_id", "study_stimulus", ["stimulus_id"], unique=False
    )
    op.create_table(
        "study_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("config_json", sa.Text(), nullable=False),
        sa.Column("design_json", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "stage IN ('pilot', 'main', 'simulated')", name="ck_study_version_stage"
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_study_version_study_id_study", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_study_version"),
        sa.UniqueConstraint("study_id", "version", name="uq_study_version_study_id_version"),
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("study_version_id", sa.Integer(), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("nonce_sha256", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("provider_id_hmac", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("arm", sa.String(length=64), nullable=True),
        sa.Column("list_index", sa.Integer(), nullable=True),
        sa.Column("plan_hash", sa.String(length=64), nullable=True),
        sa.Column("completion_code", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('consented', 'admitted', 'complete', 'timed_out', 'returned')",
            name="ck_participant_status",
        ),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name="fk_participant_study_id_study", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["study_version_id"],
            ["study_version.id"],
            name="fk_participant_study_version_id_study_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_participant"),
        sa.UniqueConstraint(
            "study_id", "nonce_sha256", name="uq_participant_study_id_nonce_sha256"
        ),
        sa.UniqueConstraint(
            "study_id", "provider_id_hmac", name="uq_participant_study_id_provider_id_hmac"
        ),
        sa.UniqueConstraint("token_sha256", name="uq_participant_token_sha256"),
    )
    op.create_index(
        "ix_participant_study_version_id_arm_list_index",
        "participant",
        ["study_version_id", "arm", "list_index"],
        unique=False,
    )
    op.create_table(
        "study_version_stimulus",
        sa.Column("study_version_id", sa.Integer(), nullable=False),
        sa.Column("stimulus_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["stimulus_id"],
            ["stimulus.stimulus_id"],
            name="fk_study_version_stimulus_stimulus_id_stimulus",
        ),
        sa.ForeignKeyConstraint(
            ["study_version_id"],
            ["study_version.id"],
            name="fk_study_version_stimulus_study_version_id_study_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "study_version_id", "stimulus_id", name="pk_study_version_stimulus"
        ),
    )
    op.create_index(
        "ix_study_version_stimulus_stimulus_id",
        "study_version_stimulus",
        ["stimulus_id"],
        unique=False,
    )
    op.create_table(
        "tombstone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_version_id", sa.Integer(), nullable=False),
        sa.Column("arm", sa.String(length=64), nullable=True),
        sa.Column("list_index", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_version_id"],
            ["study_version.id"],
            name="fk_tombstone_study_version_id_study_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tombstone"),
    )
    op.create_index(
        "ix_tombstone_study_version_id", "tombstone", ["study_version_id"], unique=False
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.String(length=32), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name="fk_consent_participant_id_participant",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_participant_id", "consent", ["participant_id"], unique=False)
    op.create_table(
        "presentation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("participant_id", sa.String(length=32), nullable=False),
        sa.Column("presentation_index", sa.Integer(), nullable=False),
        sa.Column("stimulus_id", sa.String(length=64), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("condition", sa.String(length=64), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.CheckConstraint("phase IN ('practice', 'main')", name="ck_presentation_phase"),
        sa.CheckConstraint(
            "role IN ('practice', 'main', 'catch', 'repeat')", name="ck_presentation_role"
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name="fk_presentation_participant_id_participant",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stimulus_id"], ["stimulus.stimulus_id"], name="fk_presentation_stimulus_id_stimulus"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_presentation"),
        sa.UniqueConstraint(
            "participant_id",
            "presentation_index",
            name="uq_presentation_participant_id_presentation_index",
        ),
    )
    op.create_index("ix_presentation_stimulus_id", "presentation", ["stimulus_id"], unique=False)
    op.create_table(
        "provider_identity",
        sa.Column("participant_id", sa.String(length=32), nullable=False),
        sa.Column("provider_id", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name="fk_provider_identity_participant_id_participant",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("participant_id", name="pk_provider_identity"),
    )
    op.create_index(
        "ix_provider_identity_expires_at", "provider_identity", ["expires_at"], unique=False
    )
    op.create_table(
        "trial",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("presentation_id", sa.String(length=32), nullable=False),
        sa.Column("participant_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("view_json", sa.Text(), nullable=False),
        sa.Column("correct_option", sa.String(length=200), nullable=True),
        sa.Column("shown_label", sa.String(length=200), nullable=True),
        sa.Column("foil_policy", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name="fk_trial_participant_id_participant",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["presentation_id"],
            ["presentation.id"],
            name="fk_trial_presentation_id_presentation",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_trial"),
        sa.UniqueConstraint("participant_id", "position", name="uq_trial_participant_id_position"),
    )
    op.create_index("ix_trial_presentation_id", "trial", ["presentation_id"], unique=False)
    op.create_table(
        "refused_response",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trial.id"],
            name="fk_refused_response_trial_id_trial",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refused_response"),
        sa.UniqueConstraint(
            "trial_id",
            "event_id",
            "attempt",
            "answer",
            name="uq_refused_response_trial_id_event_id_attempt_answer",
        ),
    )
    op.create_table(
        "response",
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answer_label", sa.Text(), nullable=False),
        sa.Column("rt_ms", sa.Float(), nullable=True),
        sa.Column("timing_json", sa.Text(), nullable=False),
        sa.Column("display_json", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trial.id"], name="fk_response_trial_id_trial", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_id", name="pk_response"),
        sa.UniqueConstraint("trial_id", "attempt", name="uq_response_trial_id_attempt"),
    )
    # The current answer of every trial: the response of its last attempt.
    op.execute(
        """
        CREATE VIEW rating AS
        SELECT response.*
        FROM response
        WHERE response.attempt = (
            SELECT max(later.attempt) FROM response AS later
            WHERE later.trial_id = response.trial_id
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW rating")
    for table in (
        "response",
        "refused_response",
        "trial",
        "provider_identity",
        "presentation",
        "consent",
        "tombstone",
        "study_version_stimulus",
        "participant",
        "study_version",
        "study_stimulus",
        "researcher_session",
        "export_record",
        "study",
        "stimulus",
        "researcher",
        "audit",
    ):
        op.drop_table(table)
