"""The index: studies, series and instances of the originals and of every case's de-identified view.

A view's rows have the same shape as the originals', told apart by `view_id`, so that one query and one retrieval serve
both. An instance is a list of parts: `header` bytes (none for originals), then ranges of the blob.

Originals are kept apart by who sent them (`sender_id`): a Study Instance UID has a row for each sender, made of this
sender's instances alone (docs/decisions/0014). What a person joined for a case is a row of its own
(`pacs.store.joins`).
"""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Computed,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, column_property, mapped_column

from overread.kit import clock
from overread.kit.db import Base
from pacs.dicom import tags


class Review(StrEnum):
    """How far an instance was looked at: an original, or, of a view, what was decided about it.

    `UNUSABLE`: no copy could be made of it.
    """

    ORIGINAL = "original"
    CLEAN = "clean"
    PENDING_REVIEW = "pending_review"
    APPROVED = "approved"
    WITHHELD = "withheld"
    UNUSABLE = "unusable"


class View(Base):
    """The de-identified view of one case. `sealed_secret` opens its pseudonyms; destroying it makes them final."""

    __tablename__ = "pacs_view"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(unique=True)
    sealed_secret: Mapped[bytes | None] = mapped_column()
    #: Name and options of the profile as they were when the view was opened (`pacs.deid.profile.Profile.stored`).
    profile: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class DeidProfile(Base):
    """What an owner (a program) wants of the views that are opened from now on."""

    __tablename__ = "pacs_deid_profile"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class DeviceMask(Base):
    """Where a kind of device writes into its pictures, as it was masked last: suggested for its next picture."""

    __tablename__ = "pacs_device_mask"

    manufacturer: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    sop_class: Mapped[str] = mapped_column(String(64), primary_key=True)
    rows: Mapped[int] = mapped_column(primary_key=True)
    columns: Mapped[int] = mapped_column(primary_key=True)
    #: Left, top, width, height of each, flattened.
    boxes: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class Study(Base):
    """A study of a view and a sender, with what is matched and returned at study level (PS3.18 10.6.1.2).

    What an index holds changes seldom: the counts, which change with every instance, are in none, so that the row is
    rewritten without touching them.
    """

    __tablename__ = "pacs_study"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    view_id: Mapped[UUID] = mapped_column()
    #: Who sent it (`pacs.index.scope.sender_of`); of a view's study the view, of a joined one a number of its own.
    sender_id: Mapped[UUID] = mapped_column()
    #: Of the originals with one UID, the one that answers to whoever sees them all.
    leads: Mapped[bool] = mapped_column(default=True)
    study_uid: Mapped[str] = mapped_column(String(64))
    #: Of a view: the original that it was made from.
    source_uid: Mapped[str | None] = mapped_column(String(64))
    #: Of a view: the Merkle root over the proofs of its instances; None where one has changed (`pacs.views.sealing`).
    proof_root: Mapped[str | None] = mapped_column(String(64))
    patient_name: Mapped[str] = mapped_column(Text, default="")
    patient_fold: Mapped[str] = mapped_column(Text, default="")
    patient_id: Mapped[str] = mapped_column(Text, default="")
    birth_date: Mapped[date | None] = mapped_column()
    sex: Mapped[str] = mapped_column(Text, default="")
    study_date: Mapped[date | None] = mapped_column()
    study_time: Mapped[time | None] = mapped_column()
    accession: Mapped[str] = mapped_column(Text, default="")
    study_id: Mapped[str] = mapped_column(Text, default="")
    description: Mapped[str] = mapped_column(Text, default="")
    referrer: Mapped[str] = mapped_column(Text, default="")
    referrer_fold: Mapped[str] = mapped_column(Text, default="")
    #: The words of both names: see `pacs.index.folding`.
    names: Mapped[str] = mapped_column(TSVECTOR, default="")
    modalities: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    #: AE titles that it was sent to, in which a case's reference may stand.
    called: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    series_count: Mapped[int] = mapped_column(default=0)
    instance_count: Mapped[int] = mapped_column(default=0)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    released: Mapped[bool] = mapped_column(default=True)
    #: Of the originals: it must not be read for now (`pacs.store.withholding`); its bytes are kept.
    withheld: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: Still growing: an event that looks whether it is stable is under way.
    receiving: Mapped[bool] = mapped_column(default=False)
    received_at: Mapped[datetime] = mapped_column(default=clock.now)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        UniqueConstraint("study_uid", "sender_id"),
        # The order of results; what is often asked for besides is read from the index, too.
        Index(
            "ix_pacs_study_newest",
            "view_id",
            study_date.desc().nulls_last(),
            pk.desc(),
            postgresql_include=["modalities", "sender_id", "leads"],
        ),
        # With what orders the results: a part of an identifier is looked for in the index alone.
        Index(
            "ix_pacs_study_patient_id",
            "view_id",
            "patient_id",
            postgresql_ops={"patient_id": "text_pattern_ops"},
            postgresql_include=["study_date", "pk"],
        ),
        Index(
            "ix_pacs_study_accession",
            "view_id",
            "accession",
            postgresql_ops={"accession": "text_pattern_ops"},
            postgresql_include=["study_date", "pk"],
            postgresql_where=text("accession <> ''"),
        ),
        # Without a list of what is pending, which every search would have to read through.
        Index(
            "ix_pacs_study_words",
            "names",
            "modalities",
            text("(ARRAY[sender_id])"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        Index("ix_pacs_study_source", "source_uid", postgresql_where=text("source_uid IS NOT NULL")),
    )


class Series(Base):
    """A series of a study, with what is matched and returned at series level."""

    __tablename__ = "pacs_series"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    study_pk: Mapped[int] = mapped_column(ForeignKey("pacs_study.pk", ondelete="CASCADE"))
    series_uid: Mapped[str] = mapped_column(String(64))
    modality: Mapped[str] = mapped_column(Text, default="")
    number: Mapped[int | None] = mapped_column(BigInteger)
    description: Mapped[str] = mapped_column(Text, default="")
    series_date: Mapped[date | None] = mapped_column()
    series_time: Mapped[time | None] = mapped_column()
    performed_date: Mapped[date | None] = mapped_column()
    performed_time: Mapped[time | None] = mapped_column()
    body_part: Mapped[str] = mapped_column(Text, default="")
    instance_count: Mapped[int] = mapped_column(default=0)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        UniqueConstraint("study_pk", "series_uid"),
        Index("ix_pacs_series_series_uid", "series_uid"),
        # The Request Attributes Sequence, of the series that have one.
        Index(
            "ix_pacs_series_requests",
            text(f"(attributes -> '{tags.RequestAttributesSequence.key}') jsonb_path_ops"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=text(f"attributes ? '{tags.RequestAttributesSequence.key}'"),
        ),
    )


class Instance(Base):
    """An instance of a series: what is matched, its metadata, and the parts that make its bytes."""

    __tablename__ = "pacs_instance"

    pk: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    view_id: Mapped[UUID] = mapped_column()
    #: Its study's.
    sender_id: Mapped[UUID] = mapped_column()
    #: The series' study; the series' own key keeps it true.
    study_pk: Mapped[int] = mapped_column(BigInteger)
    series_pk: Mapped[int] = mapped_column(ForeignKey("pacs_series.pk", ondelete="CASCADE"), index=True)
    sop_uid: Mapped[str] = mapped_column(String(64))
    sop_class: Mapped[str] = mapped_column(String(64))
    transfer_syntax: Mapped[str] = mapped_column(String(64))
    number: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    columns: Mapped[int | None] = mapped_column(BigInteger)
    bits: Mapped[int | None] = mapped_column(BigInteger)
    #: As the attribute says, which single frames don't have.
    number_of_frames: Mapped[int | None] = mapped_column(BigInteger)
    frames: Mapped[int] = column_property(func.greatest(1, number_of_frames))
    #: DICOM JSON of the whole header, deflated; BulkDataURIs relative to the instance.
    metadata_deflated: Mapped[bytes] = mapped_column()
    blob: Mapped[str] = mapped_column(String(64), index=True)
    blob_size: Mapped[int] = mapped_column(BigInteger)
    #: What precedes the ranges, deflated: a rewritten header; None where the blob is served whole.
    header_deflated: Mapped[bytes | None] = mapped_column()
    #: Start and length pairs, flattened, of the blob's bytes that follow the header.
    ranges: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    #: Bytes that follow the ranges (a closing delimiter).
    trailer: Mapped[bytes] = mapped_column(default=b"")
    #: Of a view, and of a joined study: the row that its sender's original has.
    source_pk: Mapped[int | None] = mapped_column(BigInteger)
    #: A `Review`.
    review: Mapped[str] = mapped_column(String(16), default=Review.ORIGINAL)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    proof: Mapped[dict[str, Any]] = mapped_column(default=dict)
    visible: Mapped[bool] = mapped_column(Computed("review IN ('original', 'clean', 'approved')", persisted=True))
    received_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        UniqueConstraint("sop_uid", "sender_id"),
        Index("ix_pacs_instance_study_pk", "study_pk"),
        # As they arrive, originals have none: they don't pay for it when they arrive.
        Index("ix_pacs_instance_source_pk", "source_pk", postgresql_where=source_pk.is_not(None)),
    )


class Upload(Base):
    """For which case its sender sent an instance: what the case's own address shows before it is matched."""

    __tablename__ = "pacs_upload"

    #: No foreign key, which would cost a look-up at every ingest: what removes instances removes these rows, too.
    instance_pk: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    #: The instance's study; the instance's own key keeps it true.
    study_pk: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("ix_pacs_upload_study_pk", "study_pk"),
        Index("ix_pacs_upload_case_id_study_pk", "case_id", "study_pk"),
    )


class Joined(Base):
    """Of which senders' studies a joined study is made."""

    __tablename__ = "pacs_joined"

    study_pk: Mapped[int] = mapped_column(ForeignKey("pacs_study.pk", ondelete="CASCADE"), primary_key=True)
    member_pk: Mapped[int] = mapped_column(ForeignKey("pacs_study.pk", ondelete="CASCADE"), primary_key=True)

    __table_args__ = (Index("ix_pacs_joined_member_pk", "member_pk"),)


class Peer(Base):
    """A DICOM application entity that may connect, and the principal that it acts for."""

    __tablename__ = "pacs_peer"

    ae_title: Mapped[str] = mapped_column(String(16), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int] = mapped_column()
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class KeptMetadata(Base):
    """A series' metadata as one body that is ready to be sent, below the addresses of one root."""

    __tablename__ = "pacs_metadata"

    series_pk: Mapped[int] = mapped_column(ForeignKey("pacs_series.pk", ondelete="CASCADE"), primary_key=True)
    root: Mapped[str] = mapped_column(Text, primary_key=True)
    #: What the body was made of (`pacs.serve.metadata.Version.digest`): it is served only while that is so.
    version: Mapped[str] = mapped_column(String(64))
    #: Bytes of the JSON, and the JSON, gzipped.
    size: Mapped[int] = mapped_column(BigInteger)
    gzipped: Mapped[bytes] = mapped_column()
    made_at: Mapped[datetime] = mapped_column(default=clock.now)


class Change(Base):
    """One event of a study (`study_pk`). `instances`: how many it has then. `sender_id`: who sent it, and may hear."""

    __tablename__ = "pacs_change"

    number: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    view_id: Mapped[UUID] = mapped_column()
    #: No foreign key: that a study is gone is a change, too.
    study_pk: Mapped[int] = mapped_column(BigInteger)
    study_uid: Mapped[str] = mapped_column(String(64))
    series_uid: Mapped[str | None] = mapped_column(String(64))
    sop_uid: Mapped[str | None] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    instances: Mapped[int] = mapped_column(default=0)
    sender_id: Mapped[UUID] = mapped_column()
    #: It led among the originals of its UID: whoever sees all of these hears of it.
    leads: Mapped[bool] = mapped_column()
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("ix_pacs_change_view_id_number", "view_id", "number"),
        Index("ix_pacs_change_study_pk_number", "study_pk", "number"),
    )
