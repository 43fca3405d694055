"""the first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The job queue's tables and functions are procrastinate's own, beside ours in the same database.
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())
    op.create_table(
        "billing_payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_ref", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("price_key", sa.String(length=64), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("amount_refunded", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "none",
                "method_saved",
                "requires_action",
                "authorised",
                "capturing",
                "captured",
                "partly_refunded",
                "refunded",
                "disputed",
                "won",
                "lost",
                "voided",
                "expired",
                "failed",
                name="state",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("checkout_id", sa.String(length=100), nullable=True),
        sa.Column("checkout_url", sa.String(), nullable=True),
        sa.Column("checkout_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_intent_id", sa.String(length=100), nullable=True),
        sa.Column("customer_id", sa.String(length=100), nullable=True),
        sa.Column("payment_method_id", sa.String(length=100), nullable=True),
        sa.Column("card_label", sa.String(length=40), nullable=True),
        sa.Column("capture_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_text", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('none', 'method_saved', 'requires_action', 'authorised', 'capturing', 'captured', 'partly_refunded', 'refunded', 'disputed', 'won', 'lost', 'voided', 'expired', 'failed')",
            name=op.f("ck_billing_payment_state"),
        ),
        sa.CheckConstraint(
            "amount >= 0 AND amount_refunded >= 0 AND amount_refunded <= amount",
            name=op.f("ck_billing_payment_amounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_payment")),
    )
    op.create_index(op.f("ix_billing_payment_checkout_id"), "billing_payment", ["checkout_id"], unique=False)
    op.create_index(
        op.f("ix_billing_payment_payment_intent_id"), "billing_payment", ["payment_intent_id"], unique=False
    )
    op.create_index(op.f("ix_billing_payment_subject_ref"), "billing_payment", ["subject_ref"], unique=False)
    op.create_index(
        "uq_billing_payment_standing",
        "billing_payment",
        ["subject_ref"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('expired', 'failed', 'lost', 'refunded', 'voided')"),
    )
    op.create_table(
        "billing_price",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_billing_price_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_price")),
    )
    op.create_index("uq_billing_price_from", "billing_price", ["key", "valid_from"], unique=True)
    op.create_table(
        "billing_webhook_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_webhook_event")),
    )
    op.create_index(
        op.f("ix_billing_webhook_event_received_at"), "billing_webhook_event", ["received_at"], unique=False
    )
    op.create_index(
        "uq_billing_webhook_event_external", "billing_webhook_event", ["provider", "external_id"], unique=True
    )
    op.create_table(
        "cases_program",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("tagline", sa.String(length=240), nullable=False),
        sa.Column(
            "brand", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("offer_hours", sa.Integer(), nullable=False),
        sa.Column("grant_days", sa.Integer(), nullable=False),
        sa.Column("late_refund_percent", sa.Integer(), nullable=False),
        sa.Column(
            "excluded_places",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "subjects",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("unsuited", sa.Text(), nullable=False),
        sa.Column("publish_by_policy", sa.Boolean(), nullable=False),
        sa.Column("next_by_itself", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column(
            "week", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "days_off", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "warn_hours", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("close_days", sa.Integer(), nullable=False),
        sa.Column("check_in_readings", sa.Integer(), nullable=False),
        sa.Column("clinic", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_program")),
        sa.UniqueConstraint("slug", name=op.f("uq_cases_program_slug")),
    )
    op.create_table(
        "cases_kind",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("text", sa.String(length=400), nullable=False),
        sa.Column("price_key", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("specialist_fee", sa.Integer(), nullable=False),
        sa.Column("reading_days", sa.Integer(), nullable=False),
        sa.Column(
            "images",
            sa.Enum("required", "optional", "none", name="needed", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "documents",
            sa.Enum("required", "optional", "none", name="needed", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "asks", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "checklist", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_kind_program_id_cases_program")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_kind")),
        sa.UniqueConstraint("price_key", name=op.f("uq_cases_kind_price_key")),
        sa.UniqueConstraint("program_id", "slug", name=op.f("uq_cases_kind_program_id_slug")),
    )
    op.create_table(
        "kit_audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column(
            "detail", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("instances", sa.Integer(), nullable=True),
        sa.Column("look", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_audit")),
        sa.UniqueConstraint("look", name=op.f("uq_kit_audit_look")),
    )
    op.create_index(op.f("ix_kit_audit_actor_id"), "kit_audit", ["actor_id"], unique=False)
    op.create_index("ix_kit_audit_at_id", "kit_audit", ["at", "id"], unique=False)
    op.create_index(op.f("ix_kit_audit_case_id"), "kit_audit", ["case_id"], unique=False)
    op.create_index(op.f("ix_kit_audit_object_id"), "kit_audit", ["object_id"], unique=False)
    op.create_table(
        "kit_attempt",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("whole_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_kit_attempt")),
    )
    op.create_index(op.f("ix_kit_attempt_whole_at"), "kit_attempt", ["whole_at"], unique=False)
    op.create_table(
        "kit_ended",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "what", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_ended")),
    )
    op.create_table(
        "kit_principal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("pending_email", sa.String(length=320), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_principal")),
    )
    op.create_index("uq_kit_principal_email", "kit_principal", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "kit_address_link",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_kit_address_link_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_kit_address_link")),
    )
    op.create_index(op.f("ix_kit_address_link_expires_at"), "kit_address_link", ["expires_at"], unique=False)
    op.create_index(op.f("ix_kit_address_link_principal_id"), "kit_address_link", ["principal_id"], unique=False)
    op.create_table(
        "pacs_change",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("view_id", sa.Uuid(), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=True),
        sa.Column("sop_uid", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pacs_change")),
    )
    op.create_index("ix_pacs_change_study_pk_number", "pacs_change", ["study_pk", "number"], unique=False)
    op.create_index("ix_pacs_change_view_id_number", "pacs_change", ["view_id", "number"], unique=False)
    op.create_table(
        "pacs_damaged_blob",
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_pacs_damaged_blob")),
    )
    op.create_table(
        "pacs_deid_profile",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column(
            "options", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_pacs_deid_profile")),
    )
    op.create_table(
        "pacs_device_mask",
        sa.Column("manufacturer", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("sop_class", sa.String(length=64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("boxes", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint(
            "manufacturer", "model", "sop_class", "rows", "columns", name=op.f("pk_pacs_device_mask")
        ),
    )
    op.create_table(
        "pacs_upload",
        sa.Column("instance_pk", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("instance_pk", "case_id", name=op.f("pk_pacs_upload")),
    )
    op.create_index("ix_pacs_upload_case_id_study_pk", "pacs_upload", ["case_id", "study_pk"], unique=False)
    op.create_index("ix_pacs_upload_study_pk", "pacs_upload", ["study_pk"], unique=False)
    op.create_table(
        "pacs_study",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("view_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("source_uid", sa.String(length=64), nullable=True),
        sa.Column("proof_root", sa.String(length=64), nullable=True),
        sa.Column("patient_name", sa.Text(), nullable=False),
        sa.Column("patient_fold", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("study_date", sa.Date(), nullable=True),
        sa.Column("study_time", sa.Time(), nullable=True),
        sa.Column("accession", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.Column("referrer_fold", sa.Text(), nullable=False),
        sa.Column("names", postgresql.TSVECTOR(), nullable=False),
        sa.Column("modalities", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("called", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column(
            "attributes", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("withheld", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("receiving", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_study")),
        sa.UniqueConstraint("study_uid", "sender_id", name=op.f("uq_pacs_study_study_uid_sender_id")),
    )
    op.create_index(
        "ix_pacs_study_accession",
        "pacs_study",
        ["view_id", "accession"],
        unique=False,
        postgresql_ops={"accession": "text_pattern_ops"},
        postgresql_include=["study_date", "pk"],
        postgresql_where=sa.text("accession <> ''"),
    )
    op.create_index(
        "ix_pacs_study_newest",
        "pacs_study",
        ["view_id", sa.literal_column("study_date DESC NULLS LAST"), sa.literal_column("pk DESC")],
        unique=False,
        postgresql_include=["modalities", "sender_id", "leads"],
    )
    op.create_index(
        "ix_pacs_study_patient_id",
        "pacs_study",
        ["view_id", "patient_id"],
        unique=False,
        postgresql_ops={"patient_id": "text_pattern_ops"},
        postgresql_include=["study_date", "pk"],
    )
    op.create_index(
        "ix_pacs_study_source",
        "pacs_study",
        ["source_uid"],
        unique=False,
        postgresql_where=sa.text("source_uid IS NOT NULL"),
    )
    op.create_index(
        "ix_pacs_study_words",
        "pacs_study",
        ["names", "modalities", sa.literal_column("(ARRAY[sender_id])")],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "pacs_view",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column(
            "profile", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacs_view")),
        sa.UniqueConstraint("case_id", name=op.f("uq_pacs_view_case_id")),
    )
    op.create_table(
        "billing_ledger",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "detail", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["billing_payment.id"], name=op.f("fk_billing_ledger_payment_id_billing_payment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_ledger")),
    )
    op.create_index(op.f("ix_billing_ledger_payment_id"), "billing_ledger", ["payment_id"], unique=False)
    op.create_table(
        "bridge_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("view_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_bridge_grant_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_grant")),
    )
    op.create_index(op.f("ix_bridge_grant_case_id"), "bridge_grant", ["case_id"], unique=False)
    op.create_index(
        "uq_bridge_grant_principal_id_case_id",
        "bridge_grant",
        ["principal_id", "case_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "cases_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=12), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "needs_info",
                "ready",
                "offered",
                "in_review",
                "signed",
                "published",
                "closed",
                "declined",
                "withdrawn",
                "erased",
                name="casestate",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("kind_id", sa.Uuid(), nullable=False),
        sa.Column(
            "subjects", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("other_subject", sa.String(length=400), nullable=False),
        sa.Column("symptoms", sa.Text(), nullable=False),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("additional", sa.Text(), nullable=False),
        sa.Column(
            "answers", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("patient_name", sa.String(length=200), nullable=False),
        sa.Column("patient_fold", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(length=1), nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("language", sa.String(length=80), nullable=False),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("physician", sa.String(length=200), nullable=False),
        sa.Column("physician_contact", sa.String(length=400), nullable=False),
        sa.Column("inform_physician", sa.Boolean(), nullable=False),
        sa.Column("first_report_by", sa.String(length=400), nullable=False),
        sa.Column(
            "images_by", sa.Enum("upload", "hospital", name="imagesby", native_enum=False, length=24), nullable=True
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "warned", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "resume_to",
            sa.Enum(
                "draft",
                "submitted",
                "needs_info",
                "ready",
                "offered",
                "in_review",
                "signed",
                "published",
                "closed",
                "declined",
                "withdrawn",
                "erased",
                name="casestate",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("specialist_id", sa.Uuid(), nullable=True),
        sa.Column("licence_exception", sa.Text(), nullable=True),
        sa.Column("licence_exception_for", sa.Uuid(), nullable=True),
        sa.Column("view_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closing_told", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["kit_principal.id"], name=op.f("fk_cases_case_created_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(["kind_id"], ["cases_kind.id"], name=op.f("fk_cases_case_kind_id_cases_kind")),
        sa.ForeignKeyConstraint(
            ["licence_exception_for"],
            ["kit_principal.id"],
            name=op.f("fk_cases_case_licence_exception_for_kit_principal"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["kit_principal.id"], name=op.f("fk_cases_case_patient_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_case_program_id_cases_program")
        ),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_case_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_case")),
        sa.UniqueConstraint("reference", name=op.f("uq_cases_case_reference")),
        sa.UniqueConstraint("view_id", name=op.f("uq_cases_case_view_id")),
    )
    op.create_index(op.f("ix_cases_case_birth_date"), "cases_case", ["birth_date"], unique=False)
    op.create_index(op.f("ix_cases_case_due_at"), "cases_case", ["due_at"], unique=False)
    op.create_index(op.f("ix_cases_case_patient_id"), "cases_case", ["patient_id"], unique=False)
    op.create_index(op.f("ix_cases_case_specialist_id"), "cases_case", ["specialist_id"], unique=False)
    op.create_index(op.f("ix_cases_case_state"), "cases_case", ["state"], unique=False)
    op.create_table(
        "cases_delegation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column(
            "relation",
            sa.Enum(
                "parent",
                "guardian",
                "child",
                "spouse",
                "interpreter",
                "other",
                "self",
                name="relation",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "scope", sa.Enum("help", "represent", name="delegatescope", native_enum=False, length=24), nullable=False
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["kit_principal.id"], name=op.f("fk_cases_delegation_patient_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["delegate_id"], ["kit_principal.id"], name=op.f("fk_cases_delegation_delegate_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["kit_principal.id"], name=op.f("fk_cases_delegation_ended_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_delegation")),
        sa.UniqueConstraint("digest", name=op.f("uq_cases_delegation_digest")),
    )
    op.create_index(op.f("ix_cases_delegation_patient_id"), "cases_delegation", ["patient_id"], unique=False)
    op.create_index(op.f("ix_cases_delegation_delegate_id"), "cases_delegation", ["delegate_id"], unique=False)
    op.create_table(
        "cases_authority",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column(
            "relation",
            sa.Enum(
                "parent",
                "guardian",
                "child",
                "spouse",
                "interpreter",
                "other",
                "self",
                name="relation",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.Column("proof_type", sa.String(length=32), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_by", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_authority_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["given_by"], ["kit_principal.id"], name=op.f("fk_cases_authority_given_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["checked_by"], ["kit_principal.id"], name=op.f("fk_cases_authority_checked_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_authority")),
    )
    op.create_table(
        "cases_referral",
        sa.Column("reference", sa.String(length=12), nullable=False),
        sa.Column("kind_id", sa.Uuid(), nullable=False),
        sa.Column("referred_by", sa.Uuid(), nullable=False),
        sa.Column("physician", sa.String(length=200), nullable=False),
        sa.Column("patient_name", sa.String(length=200), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(length=1), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column(
            "subjects", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("other_subject", sa.String(length=400), nullable=False),
        sa.Column(
            "questions", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["kind_id"], ["cases_kind.id"], name=op.f("fk_cases_referral_kind_id_cases_kind")),
        sa.ForeignKeyConstraint(
            ["referred_by"], ["kit_principal.id"], name=op.f("fk_cases_referral_referred_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_referral_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_referral")),
        sa.UniqueConstraint("case_id", name=op.f("uq_cases_referral_case_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_cases_referral_digest")),
        sa.UniqueConstraint("reference", name=op.f("uq_cases_referral_reference")),
    )
    op.create_index(op.f("ix_cases_referral_referred_by"), "cases_referral", ["referred_by"], unique=False)
    op.create_table(
        "cases_report_share",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("text_digest", sa.String(length=64), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_report_share_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["given_by"], ["kit_principal.id"], name=op.f("fk_cases_report_share_given_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawn_by"], ["kit_principal.id"], name=op.f("fk_cases_report_share_withdrawn_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_report_share")),
    )
    op.create_index(op.f("ix_cases_report_share_case_id"), "cases_report_share", ["case_id"], unique=False)
    op.create_index(
        "uq_cases_report_share_standing",
        "cases_report_share",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "cases_physician_link",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("text_digest", sa.String(length=64), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("last_opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases_case.id"], name=op.f("fk_cases_physician_link_case_id_cases_case")
        ),
        sa.ForeignKeyConstraint(
            ["given_by"], ["kit_principal.id"], name=op.f("fk_cases_physician_link_given_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["kit_principal.id"], name=op.f("fk_cases_physician_link_ended_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_physician_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_cases_physician_link_digest")),
    )
    op.create_index(op.f("ix_cases_physician_link_case_id"), "cases_physician_link", ["case_id"], unique=False)
    op.create_table(
        "cases_place_wish",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_place_wish_program_id_cases_program")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_place_wish")),
        sa.UniqueConstraint("program_id", "place", "email", name=op.f("uq_cases_place_wish_program_id_place_email")),
    )
    op.create_table(
        "cases_program_specialist",
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_program_specialist_program_id_cases_program")
        ),
        sa.ForeignKeyConstraint(
            ["specialist_id"],
            ["kit_principal.id"],
            name=op.f("fk_cases_program_specialist_specialist_id_kit_principal"),
        ),
        sa.PrimaryKeyConstraint("program_id", "specialist_id", name=op.f("pk_cases_program_specialist")),
    )
    op.create_index(
        op.f("ix_cases_program_specialist_specialist_id"), "cases_program_specialist", ["specialist_id"], unique=False
    )
    op.create_table(
        "cases_licence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_until", sa.Date(), nullable=True),
        sa.Column("asked_number", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_licence_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_licence")),
        sa.UniqueConstraint("specialist_id", "place", name=op.f("uq_cases_licence_specialist_id_place")),
    )
    op.create_index(op.f("ix_cases_licence_specialist_id"), "cases_licence", ["specialist_id"], unique=False)
    op.create_table(
        "cases_licence_rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column(
            "rule",
            sa.Enum(
                "licensed",
                "direct",
                "local_physician",
                "blocked",
                "unknown",
                name="place",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["kit_principal.id"], name=op.f("fk_cases_licence_rule_created_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_licence_rule")),
    )
    op.create_index(op.f("ix_cases_licence_rule_place"), "cases_licence_rule", ["place"], unique=False)
    op.create_table(
        "kit_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["kit_token.id"], name=op.f("fk_kit_token_parent_id_kit_token")),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_kit_token_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kit_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_kit_token_digest")),
    )
    op.create_index(op.f("ix_kit_token_parent_id"), "kit_token", ["parent_id"], unique=False)
    op.create_index(op.f("ix_kit_token_principal_id"), "kit_token", ["principal_id"], unique=False)
    op.create_table(
        "bridge_launch",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column(
            "study_uids", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.ForeignKeyConstraint(["token_id"], ["kit_token.id"], name=op.f("fk_bridge_launch_token_id_kit_token")),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_bridge_launch")),
    )
    op.create_table(
        "pacs_commitment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column(
            "references", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "failures", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["kit_principal.id"], name=op.f("fk_pacs_commitment_owner_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pacs_commitment")),
        sa.UniqueConstraint("owner_id", "transaction_uid", name=op.f("uq_pacs_commitment_owner_id_transaction_uid")),
    )
    op.create_index(op.f("ix_pacs_commitment_created_at"), "pacs_commitment", ["created_at"], unique=False)
    op.create_table(
        "pacs_non_patient",
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("sop_class", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column(
            "attributes", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("stored_by", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stored_by"], ["kit_principal.id"], name=op.f("fk_pacs_non_patient_stored_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("sop_uid", name=op.f("pk_pacs_non_patient")),
    )
    op.create_index(op.f("ix_pacs_non_patient_category"), "pacs_non_patient", ["category"], unique=False)
    op.create_table(
        "pacs_peer",
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_pacs_peer_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("ae_title", name=op.f("pk_pacs_peer")),
    )
    op.create_table(
        "pacs_series",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("series_date", sa.Date(), nullable=True),
        sa.Column("series_time", sa.Time(), nullable=True),
        sa.Column("performed_date", sa.Date(), nullable=True),
        sa.Column("performed_time", sa.Time(), nullable=True),
        sa.Column("body_part", sa.Text(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column(
            "attributes", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_pk"], ["pacs_study.pk"], name=op.f("fk_pacs_series_study_pk_pacs_study"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_series")),
        sa.UniqueConstraint("study_pk", "series_uid", name=op.f("uq_pacs_series_study_pk_series_uid")),
    )
    op.create_index(
        "ix_pacs_series_requests",
        "pacs_series",
        [sa.literal_column("(attributes -> '00400275') jsonb_path_ops")],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=sa.text("attributes ? '00400275'"),
    )
    op.create_index("ix_pacs_series_series_uid", "pacs_series", ["series_uid"], unique=False)
    op.create_table(
        "pacs_joined",
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("member_pk", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_pk"], ["pacs_study.pk"], name=op.f("fk_pacs_joined_member_pk_pacs_study"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["study_pk"], ["pacs_study.pk"], name=op.f("fk_pacs_joined_study_pk_pacs_study"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_pk", "member_pk", name=op.f("pk_pacs_joined")),
    )
    op.create_index("ix_pacs_joined_member_pk", "pacs_joined", ["member_pk"], unique=False)
    op.create_table(
        "pacs_ups_report",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("subscriber", sa.String(length=16), nullable=False),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_pacs_ups_report_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_ups_report")),
    )
    op.create_index(op.f("ix_pacs_ups_report_at"), "pacs_ups_report", ["at"], unique=False)
    op.create_index(
        "ix_pacs_ups_report_principal_id_subscriber_pk",
        "pacs_ups_report",
        ["principal_id", "subscriber", "pk"],
        unique=False,
    )
    op.create_table(
        "pacs_ups_watch",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("subscriber", sa.String(length=16), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.Column(
            "keys", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_pacs_ups_watch_principal_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("principal_id", "subscriber", name=op.f("pk_pacs_ups_watch")),
    )
    op.create_table(
        "pacs_workitem",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=11), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.Column(
            "attributes", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["kit_principal.id"], name=op.f("fk_pacs_workitem_assignee_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_workitem")),
        sa.UniqueConstraint("subject", name=op.f("uq_pacs_workitem_subject")),
        sa.UniqueConstraint("uid", name=op.f("uq_pacs_workitem_uid")),
    )
    op.create_index(op.f("ix_pacs_workitem_assignee_id"), "pacs_workitem", ["assignee_id"], unique=False)
    op.create_index("ix_pacs_workitem_state_pk", "pacs_workitem", ["state", "pk"], unique=False)
    op.create_table(
        "cases_consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("text_digest", sa.String(length=64), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.CheckConstraint("kind IN ('terms', 'privacy', 'authority_to_share')", name=op.f("ck_cases_consent_kind")),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_consent_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["given_by"], ["kit_principal.id"], name=op.f("fk_cases_consent_given_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_consent")),
        sa.UniqueConstraint("case_id", "kind", "version", name=op.f("uq_cases_consent_case_id_kind_version")),
    )
    op.create_index(op.f("ix_cases_consent_case_id"), "cases_consent", ["case_id"], unique=False)
    op.create_table(
        "cases_erasure",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_by", sa.Uuid(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_by", sa.Uuid(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("second_by IS NULL OR second_by <> first_by", name=op.f("ck_cases_erasure_two_persons")),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["kit_principal.id"], name=op.f("fk_cases_erasure_asked_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_erasure_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["first_by"], ["kit_principal.id"], name=op.f("fk_cases_erasure_first_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["second_by"], ["kit_principal.id"], name=op.f("fk_cases_erasure_second_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_erasure")),
    )
    op.create_table(
        "cases_inbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "references", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched_case_id", sa.Uuid(), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed_by", sa.Uuid(), nullable=True),
        sa.Column("dismissed_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_inbox_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["dismissed_by"], ["kit_principal.id"], name=op.f("fk_cases_inbox_dismissed_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["matched_case_id"], ["cases_case.id"], name=op.f("fk_cases_inbox_matched_case_id_cases_case")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_inbox")),
        sa.UniqueConstraint("study_pk", name=op.f("uq_cases_inbox_study_pk")),
    )
    op.create_index(
        "ix_cases_inbox_dismissed",
        "cases_inbox",
        ["dismissed_at", "id"],
        unique=False,
        postgresql_where=sa.text("dismissed_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_cases_inbox_study_uid"), "cases_inbox", ["study_uid"], unique=False)
    op.create_index(
        "ix_cases_inbox_waiting",
        "cases_inbox",
        ["arrived_at", "id"],
        unique=False,
        postgresql_where=sa.text("matched_case_id IS NULL AND dismissed_at IS NULL"),
    )
    op.create_table(
        "cases_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_notice_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["item_id"], ["cases_inbox.id"], name=op.f("fk_cases_notice_item_id_cases_inbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_notice")),
    )
    op.create_index(op.f("ix_cases_notice_case_id"), "cases_notice", ["case_id"], unique=False)
    op.create_index(op.f("ix_cases_notice_created_at"), "cases_notice", ["created_at"], unique=False)
    op.create_index(op.f("ix_cases_notice_item_id"), "cases_notice", ["item_id"], unique=False)
    op.create_table(
        "cases_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "first_report",
                "letter",
                "laboratory",
                "photo",
                "other",
                name="documentkind",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("patient_name", sa.String(length=64), nullable=False),
        sa.Column("birth_date", sa.String(length=8), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_document_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["sent_by"], ["kit_principal.id"], name=op.f("fk_cases_document_sent_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_document")),
        sa.UniqueConstraint("case_id", "digest", name=op.f("uq_cases_document_case_id_digest")),
    )
    op.create_table(
        "cases_legal_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_legal_hold_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["lifted_by"], ["kit_principal.id"], name=op.f("fk_cases_legal_hold_lifted_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["set_by"], ["kit_principal.id"], name=op.f("fk_cases_legal_hold_set_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_legal_hold")),
    )
    op.create_index(
        "uq_cases_legal_hold_standing",
        "cases_legal_hold",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "cases_allowance",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_allowance_case_id_cases_case")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_allowance")),
    )
    op.create_table(
        "cases_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column(
            "facts", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_message_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["kit_principal.id"], name=op.f("fk_cases_message_recipient_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_message")),
    )
    op.create_index(op.f("ix_cases_message_case_id"), "cases_message", ["case_id"], unique=False)
    op.create_index(op.f("ix_cases_message_recipient_id"), "cases_message", ["recipient_id"], unique=False)
    op.create_table(
        "cases_mail_wording",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("template", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["kit_principal.id"], name=op.f("fk_cases_mail_wording_changed_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_mail_wording")),
        sa.UniqueConstraint(
            "program", "language", "template", name=op.f("uq_cases_mail_wording_program_language_template")
        ),
    )
    op.create_table(
        "cases_mail_sender",
        sa.Column("program", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.PrimaryKeyConstraint("program", name=op.f("pk_cases_mail_sender")),
    )
    op.create_table(
        "cases_mail_words",
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column(
            "words", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("language", name=op.f("pk_cases_mail_words")),
    )
    op.create_table(
        "cases_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("from_patient", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["kit_principal.id"], name=op.f("fk_cases_note_author_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_note_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_note")),
    )
    op.create_index(op.f("ix_cases_note_case_id"), "cases_note", ["case_id"], unique=False)
    op.create_table(
        "cases_asked_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("asking", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("question", "document", "study", name="askedkind", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("missing", sa.Boolean(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["kit_principal.id"], name=op.f("fk_cases_asked_item_answered_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_asked_item_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["cases_document.id"], name=op.f("fk_cases_asked_item_document_id_cases_document")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_asked_item")),
        sa.UniqueConstraint("case_id", "asking", "number", name=op.f("uq_cases_asked_item_case_id_asking_number")),
    )
    op.create_table(
        "cases_internal_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["kit_principal.id"], name=op.f("fk_cases_internal_note_author_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_internal_note_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_internal_note")),
    )
    op.create_index(op.f("ix_cases_internal_note_case_id"), "cases_internal_note", ["case_id"], unique=False)
    op.create_table(
        "cases_ownership",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_ownership_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["kit_principal.id"], name=op.f("fk_cases_ownership_owner_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_ownership")),
    )
    op.create_index(op.f("ix_cases_ownership_owner_id"), "cases_ownership", ["owner_id"], unique=False)
    op.create_table(
        "cases_queue_choice",
        sa.Column("coordinator_id", sa.Uuid(), nullable=False),
        sa.Column(
            "choice", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["coordinator_id"], ["kit_principal.id"], name=op.f("fk_cases_queue_choice_coordinator_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("coordinator_id", name=op.f("pk_cases_queue_choice")),
    )
    op.create_table(
        "cases_saved_reply",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["kit_principal.id"], name=op.f("fk_cases_saved_reply_changed_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_saved_reply_program_id_cases_program")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_saved_reply")),
        sa.UniqueConstraint("program_id", "name", name=op.f("uq_cases_saved_reply_program_id_name")),
    )
    op.create_table(
        "cases_seen",
        sa.Column("coordinator_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_seen_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["coordinator_id"], ["kit_principal.id"], name=op.f("fk_cases_seen_coordinator_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("coordinator_id", "case_id", name=op.f("pk_cases_seen")),
    )
    op.create_index(op.f("ix_cases_seen_case_id"), "cases_seen", ["case_id"], unique=False)
    op.create_table(
        "cases_tag",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.String(length=30), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_tag_case_id_cases_case")),
        sa.PrimaryKeyConstraint("case_id", "tag", name=op.f("pk_cases_tag")),
    )
    op.create_index(op.f("ix_cases_tag_tag"), "cases_tag", ["tag"], unique=False)
    op.create_table(
        "cases_tick",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(length=300), nullable=False),
        sa.Column("ticked_by", sa.Uuid(), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_tick_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["ticked_by"], ["kit_principal.id"], name=op.f("fk_cases_tick_ticked_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", "item", name=op.f("pk_cases_tick")),
    )
    op.create_table(
        "cases_offer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column("offered_by", sa.Uuid(), nullable=True),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "open",
                "accepted",
                "declined",
                "expired",
                "taken_back",
                name="offeroutcome",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "refusal",
            sa.Enum(
                "other",
                "no_time",
                "not_my_field",
                "treated",
                "conflict",
                name="refusal",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("followed", sa.Boolean(), nullable=False),
        sa.Column("fee", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_offer_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["offered_by"], ["kit_principal.id"], name=op.f("fk_cases_offer_offered_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_offer_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_offer")),
    )
    op.create_index(op.f("ix_cases_offer_case_id"), "cases_offer", ["case_id"], unique=False)
    op.create_index(op.f("ix_cases_offer_specialist_id"), "cases_offer", ["specialist_id"], unique=False)
    op.create_index(
        "uq_cases_offer_open", "cases_offer", ["case_id"], unique=True, postgresql_where=sa.text("outcome = 'open'")
    )
    op.create_table(
        "cases_question",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("follow_up", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "answer_signature",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("answer_digest", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_question_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_question")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_cases_question_case_id_number")),
    )
    op.create_index(op.f("ix_cases_question_case_id"), "cases_question", ["case_id"], unique=False)
    op.create_table(
        "cases_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("report", "correction", "addendum", name="reportkind", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "signed",
                "returned",
                "published",
                "replaced",
                "recalled",
                "discarded",
                name="reportstate",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("about", sa.Integer(), nullable=True),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column(
            "answers", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "texts", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "studies_read",
            sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_name", sa.String(length=200), nullable=False),
        sa.Column(
            "signature", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("study_uid", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["kit_principal.id"], name=op.f("fk_cases_report_author_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_report_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_report")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_cases_report_case_id_number")),
        sa.UniqueConstraint("study_uid", name=op.f("uq_cases_report_study_uid")),
    )
    op.create_index(op.f("ix_cases_report_case_id"), "cases_report", ["case_id"], unique=False)
    op.create_table(
        "cases_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=24), nullable=False),
        sa.Column("target", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["kit_principal.id"], name=op.f("fk_cases_step_actor_id_kit_principal")),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_step_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_step")),
    )
    op.create_index(op.f("ix_cases_step_case_id"), "cases_step", ["case_id"], unique=False)
    op.create_table(
        "cases_study",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column(
            "named", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "state",
            sa.Enum(
                "receiving",
                "quarantined",
                "matched",
                "mismatch",
                "unreadable",
                "deid_review",
                "released",
                "revoked",
                name="studystate",
                native_enum=False,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column(
            "identities", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("found_by", sa.String(length=16), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("view_study_uid", sa.String(length=64), nullable=True),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_study_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_study")),
        sa.UniqueConstraint("case_id", "study_uid", name=op.f("uq_cases_study_case_id_study_uid")),
    )
    op.create_index(op.f("ix_cases_study_case_id"), "cases_study", ["case_id"], unique=False)
    op.create_index(op.f("ix_cases_study_study_pk"), "cases_study", ["study_pk"], unique=False)
    op.create_index(op.f("ix_cases_study_study_uid"), "cases_study", ["study_uid"], unique=False)
    op.create_table(
        "cases_reader",
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("confirmed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("languages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("most_open", sa.Integer(), nullable=True),
        sa.Column("most_week", sa.Integer(), nullable=True),
        sa.Column("leave", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_reader_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("specialist_id", name=op.f("pk_cases_reader")),
    )
    op.create_table(
        "cases_fit_exception",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column(
            "about",
            sa.Enum("licence", "leave", "limit", "conflict", name="obstacle", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_fit_exception_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_fit_exception_specialist_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["kit_principal.id"], name=op.f("fk_cases_fit_exception_recorded_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", "specialist_id", "about", name=op.f("pk_cases_fit_exception")),
    )
    op.create_table(
        "pacs_instance",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("view_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("study_pk", sa.BigInteger(), nullable=False),
        sa.Column("series_pk", sa.BigInteger(), nullable=False),
        sa.Column("sop_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class", sa.String(length=64), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("columns", sa.BigInteger(), nullable=True),
        sa.Column("bits", sa.BigInteger(), nullable=True),
        sa.Column("number_of_frames", sa.BigInteger(), nullable=True),
        sa.Column("metadata_deflated", sa.LargeBinary(), nullable=False),
        sa.Column("blob", sa.String(length=64), nullable=False),
        sa.Column("blob_size", sa.BigInteger(), nullable=False),
        sa.Column("header_deflated", sa.LargeBinary(), nullable=True),
        sa.Column("ranges", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("trailer", sa.LargeBinary(), nullable=False),
        sa.Column("source_pk", sa.BigInteger(), nullable=True),
        sa.Column("review", sa.String(length=16), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "proof", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "visible",
            sa.Boolean(),
            sa.Computed("review IN ('original', 'clean', 'approved')", persisted=True),
            nullable=False,
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["pacs_series.pk"], name=op.f("fk_pacs_instance_series_pk_pacs_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_instance")),
        sa.UniqueConstraint("sop_uid", "sender_id", name=op.f("uq_pacs_instance_sop_uid_sender_id")),
    )
    op.create_index(op.f("ix_pacs_instance_blob"), "pacs_instance", ["blob"], unique=False)
    op.create_index(op.f("ix_pacs_instance_series_pk"), "pacs_instance", ["series_pk"], unique=False)
    op.create_index(
        "ix_pacs_instance_source_pk",
        "pacs_instance",
        ["source_pk"],
        unique=False,
        postgresql_where=sa.text("source_pk IS NOT NULL"),
    )
    op.create_index("ix_pacs_instance_study_pk", "pacs_instance", ["study_pk"], unique=False)
    op.create_table(
        "pacs_metadata",
        sa.Column("series_pk", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("gzipped", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_pk"], ["pacs_series.pk"], name=op.f("fk_pacs_metadata_series_pk_pacs_series"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_pk", "root", name=op.f("pk_pacs_metadata")),
    )
    op.create_table(
        "pacs_ups_subscription",
        sa.Column("pk", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workitem_pk", sa.BigInteger(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("subscriber", sa.String(length=16), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["kit_principal.id"], name=op.f("fk_pacs_ups_subscription_principal_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["workitem_pk"],
            ["pacs_workitem.pk"],
            name=op.f("fk_pacs_ups_subscription_workitem_pk_pacs_workitem"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_pacs_ups_subscription")),
        sa.UniqueConstraint(
            "workitem_pk",
            "principal_id",
            "subscriber",
            name=op.f("uq_pacs_ups_subscription_workitem_pk_principal_id_subscriber"),
        ),
    )

    op.create_table(
        "cases_report_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=24), nullable=False),
        sa.Column("target", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["kit_principal.id"], name=op.f("fk_cases_report_step_actor_id_kit_principal")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_report_step_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_report_step")),
    )
    op.create_index(op.f("ix_cases_report_step_case_id"), "cases_report_step", ["case_id"], unique=False)
    op.create_table(
        "cases_signer",
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column("qualification", sa.String(length=200), nullable=False),
        sa.Column("practice", sa.String(length=400), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_signer_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("specialist_id", name=op.f("pk_cases_signer")),
    )
    op.create_table(
        "cases_survey",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column(
            "scores", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_survey_case_id_cases_case")),
        sa.ForeignKeyConstraint(["sent_by"], ["kit_principal.id"], name=op.f("fk_cases_survey_sent_by_kit_principal")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_survey")),
    )
    op.create_table(
        "cases_testimonial",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting", "approved", "refused", "withdrawn", name="testimonialstate", native_enum=False, length=24
            ),
            nullable=False,
        ),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_testimonial_case_id_cases_case")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["kit_principal.id"], name=op.f("fk_cases_testimonial_decided_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(
            ["given_by"], ["kit_principal.id"], name=op.f("fk_cases_testimonial_given_by_kit_principal")
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_cases_testimonial")),
    )
    op.create_table(
        "cases_check_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("specialist_id", sa.Uuid(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["program_id"], ["cases_program.id"], name=op.f("fk_cases_check_in_program_id_cases_program")
        ),
        sa.ForeignKeyConstraint(
            ["specialist_id"], ["kit_principal.id"], name=op.f("fk_cases_check_in_specialist_id_kit_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_check_in")),
        sa.UniqueConstraint(
            "program_id", "specialist_id", "readings", name=op.f("uq_cases_check_in_program_id_specialist_id_readings")
        ),
    )
    op.create_index(op.f("ix_cases_check_in_specialist_id"), "cases_check_in", ["specialist_id"], unique=False)
    op.create_table(
        "cases_visit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("asked", "arranged", "declined", name="visitstate", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["kit_principal.id"], name=op.f("fk_cases_visit_answered_by_kit_principal")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["kit_principal.id"], name=op.f("fk_cases_visit_asked_by_kit_principal")),
        sa.ForeignKeyConstraint(["case_id"], ["cases_case.id"], name=op.f("fk_cases_visit_case_id_cases_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases_visit")),
    )
    op.create_index(op.f("ix_cases_visit_case_id"), "cases_visit", ["case_id"], unique=False)
    op.create_index(
        "uq_cases_visit_asked", "cases_visit", ["case_id"], unique=True, postgresql_where=sa.text("state = 'asked'")
    )


def downgrade() -> None:
    raise NotImplementedError("a fresh database has nothing to go back to: restore a backup")
