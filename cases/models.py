"""What the case layer keeps. Free text and identities live here and in the archive, nowhere else."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from cases.columns import enum_of as _enum
from cases.delivery_columns import Delivered
from cases.report_states import ReportKind, ReportState
from cases.states import CaseState, ImagesBy, Needed, OfferOutcome, Refusal, StudyState
from overread.kit import clock, zones
from overread.kit.db import Base
from pacs.index import folding

SUBJECTS = ("mammogram", "MRI", "CT", "X-ray", "PET", "ultrasound", "pathology", "other")
#: How a document got into its case (`CaseStudy.found_by`).
DOCUMENT = "document"
CONSENTS = ("terms", "privacy", "authority_to_share")


class Program(Base):
    """A program (pilot specialty, private label): its brand, price and pace."""

    __tablename__ = "cases_program"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    tagline: Mapped[str] = mapped_column(String(240), default="")
    brand: Mapped[dict[str, Any]] = mapped_column(default=dict)
    offer_hours: Mapped[int] = mapped_column(default=48)
    # How long the specialist keeps the images after the report is published.
    grant_days: Mapped[int] = mapped_column(default=14)
    # What a patient gets back who withdraws after a specialist has begun; before that it is always everything.
    late_refund_percent: Mapped[int] = mapped_column(default=50)
    excluded_places: Mapped[list[Any]] = mapped_column(default=list)
    # What an opinion can be about, of `SUBJECTS`; empty: anything. `unsuited`: what it is not for, as people read it.
    subjects: Mapped[list[Any]] = mapped_column(default=list)
    unsuited: Mapped[str] = mapped_column(Text, default="")
    publish_by_policy: Mapped[bool] = mapped_column(default=False)
    # After a refusal or an offer without an answer the next specialist is asked by itself.
    next_by_itself: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    # When it is open (`cases.deadlines`): an IANA zone; from and until in minutes for each day, Monday first, None
    # where it is closed; days off as {"day", "name"}; how many open hours before a due time somebody is warned.
    zone: Mapped[str] = mapped_column(String(64), default=zones.DEFAULT)
    week: Mapped[list[Any]] = mapped_column(default=lambda: [[0, 24 * 60]] * 7)
    days_off: Mapped[list[Any]] = mapped_column(default=list)
    warn_hours: Mapped[list[Any]] = mapped_column(default=lambda: [8, 2])
    # After the report (`cases.service.after_report`): days until a case closes by itself, reports after which their
    # specialist is asked how it goes, each 0 for never; and the clinic that patients can ask to be seen by, or nothing.
    close_days: Mapped[int] = mapped_column(default=30)
    check_in_readings: Mapped[int] = mapped_column(default=10)
    clinic: Mapped[str] = mapped_column(Text, default="")

    kinds: Mapped[list[OpinionKind]] = relationship(
        order_by="OpinionKind.position, OpinionKind.id", back_populates="program", lazy="selectin"
    )

    @property
    def scope(self) -> tuple[str, ...]:
        """What it gives opinions about."""
        return tuple(self.subjects) or SUBJECTS


class OpinionKind(Base):
    """A kind of opinion that a program gives: what it costs, how long it takes, what it asks and needs."""

    __tablename__ = "cases_kind"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"))
    slug: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    # What its patient gets, in a sentence or two.
    text: Mapped[str] = mapped_column(String(400), default="")
    # None: a free one.
    price_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    # What the specialist earns for one opinion, in minor units of the currency.
    specialist_fee: Mapped[int] = mapped_column(default=0)
    reading_days: Mapped[int] = mapped_column(default=5)
    images: Mapped[Needed] = mapped_column(_enum(Needed), default=Needed.REQUIRED)
    documents: Mapped[Needed] = mapped_column(_enum(Needed), default=Needed.OPTIONAL)
    # What it asks besides, as `cases.kind_questions` reads it; what coordinators tick, as `cases.checklists` does.
    asks: Mapped[list[Any]] = mapped_column(default=list)
    checklist: Mapped[list[Any]] = mapped_column(default=list)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    program: Mapped[Program] = relationship(back_populates="kinds", lazy="joined", innerjoin=True)

    __table_args__ = (UniqueConstraint("program_id", "slug"),)


class ProgramSpecialist(Base):
    """That a specialist reads for a program; nobody else does."""

    __tablename__ = "cases_program_specialist"

    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"), primary_key=True)
    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), primary_key=True, index=True)


class PlaceWish(Base):
    """An address that wants to hear when a program takes patients from a place; it goes once it was told."""

    __tablename__ = "cases_place_wish"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"))
    place: Mapped[str] = mapped_column(String(8))
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (UniqueConstraint("program_id", "place", "email"),)


class Case(Base):
    """One request for a second opinion. `state` is changed by `machine.transition` alone."""

    __tablename__ = "cases_case"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    reference: Mapped[str] = mapped_column(String(12), unique=True)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("cases_program.id"))
    patient_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    state: Mapped[CaseState] = mapped_column(_enum(CaseState), default=CaseState.DRAFT, index=True)
    kind_id: Mapped[UUID] = mapped_column(ForeignKey("cases_kind.id"))
    # What the opinion is about, of `SUBJECTS`; with "other" in the patient's words.
    subjects: Mapped[list[Any]] = mapped_column(default=list)
    other_subject: Mapped[str] = mapped_column(String(400), default="")
    symptoms: Mapped[str] = mapped_column(Text, default="")
    history: Mapped[str] = mapped_column(Text, default="")
    additional: Mapped[str] = mapped_column(Text, default="")
    # What its kind asks besides: the question's key -> the answer.
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    place: Mapped[str] = mapped_column(String(8), default="")
    emergency: Mapped[bool] = mapped_column(default=False)
    patient_name: Mapped[str] = mapped_column(String(200), default="")
    # The name without case and accents, as it is searched; follows `patient_name`.
    patient_fold: Mapped[str] = mapped_column(Text, default="")
    # By it a study without a case finds those that it may belong to.
    birth_date: Mapped[date | None] = mapped_column(index=True)
    sex: Mapped[str] = mapped_column(String(1), default="")
    address: Mapped[str] = mapped_column(String(400), default="")
    # The language that the patient wants to be spoken to in, and whether somebody has to interpret.
    language: Mapped[str] = mapped_column(String(80), default="")
    interpreter: Mapped[bool] = mapped_column(default=False)
    # The treating physician, how to reach them, and whether the patient wants them to have the report.
    physician: Mapped[str] = mapped_column(String(200), default="")
    physician_contact: Mapped[str] = mapped_column(String(400), default="")
    inform_physician: Mapped[bool] = mapped_column(default=False)
    # Who wrote the first report, and where: a specialist of the same practice would judge a colleague.
    first_report_by: Mapped[str] = mapped_column(String(400), default="")
    images_by: Mapped[ImagesBy | None] = mapped_column(_enum(ImagesBy))
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    # The clock stands still from here on while information is missing, or a coordinator has stopped it.
    paused_at: Mapped[datetime | None] = mapped_column()
    # Of which warnings of this due time somebody was told: hours before it, 0 when it had passed (`cases.promises`).
    warned: Mapped[list[Any]] = mapped_column(default=list)
    resume_to: Mapped[CaseState | None] = mapped_column(_enum(CaseState))
    specialist_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    # A coordinator's reason to offer the case although no licence covers the place, for one specialist.
    licence_exception: Mapped[str | None] = mapped_column(Text)
    licence_exception_for: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    view_id: Mapped[UUID | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
    submitted_at: Mapped[datetime | None] = mapped_column()
    published_at: Mapped[datetime | None] = mapped_column()
    # When it closes by itself (`cases.closing`), and whether its patient was told of that time.
    closes_at: Mapped[datetime | None] = mapped_column()
    closing_told: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column()

    program: Mapped[Program] = relationship(lazy="joined", innerjoin=True)
    kind: Mapped[OpinionKind] = relationship(lazy="joined", innerjoin=True)
    questions: Mapped[list[Question]] = relationship(
        order_by="Question.number", cascade="all, delete-orphan", lazy="selectin"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  SQLAlchemy reads this attribute as it is

    @validates("patient_name")
    def _folded(self, _key: str, name: str) -> str:
        self.patient_fold = folding.fold(name)
        return name


class Question(Base):
    """One of the patient's numbered questions."""

    __tablename__ = "cases_question"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    number: Mapped[int] = mapped_column()
    text: Mapped[str] = mapped_column(Text)
    # Asked after publication; answered without a new report.
    follow_up: Mapped[bool] = mapped_column(default=False)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column()
    # Who signed the answer, and the SHA-256 of what was signed.
    answer_signature: Mapped[dict[str, Any]] = mapped_column(default=dict)
    answer_digest: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("case_id", "number"),)


class Consent(Base):
    """A consent as it was given: which text (by digest), by whom, when, from where. Never changed."""

    __tablename__ = "cases_consent"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[str] = mapped_column(String(32))
    text_digest: Mapped[str] = mapped_column(String(64))
    given_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    given_at: Mapped[datetime] = mapped_column(default=clock.now)
    address: Mapped[str] = mapped_column(String(64), default="")

    __table_args__ = (
        UniqueConstraint("case_id", "kind", "version"),
        CheckConstraint("kind IN ('terms', 'privacy', 'authority_to_share')", name="kind"),
    )


class CaseStudy(Base):
    """A study in a case. `state` is changed by `machine.move_study` alone."""

    __tablename__ = "cases_study"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    study_uid: Mapped[str] = mapped_column(String(64), index=True)
    # Which sender's study of this UID it is, or which joined one (`pacs.index.models.Study.pk`).
    study_pk: Mapped[int] = mapped_column(BigInteger, index=True)
    # All of that study; else what its sender sent to this case.
    whole: Mapped[bool] = mapped_column(default=True)
    # Senders' studies that name this case by its reference number, and were therefore sent for it.
    named: Mapped[list[Any]] = mapped_column(default=list)
    state: Mapped[StudyState] = mapped_column(_enum(StudyState), default=StudyState.RECEIVING)
    # Why it is where it is, as a sentence for the coordinator.
    reason: Mapped[str] = mapped_column(Text, default="")
    # A coordinator has said that it is this patient's although its identity differs; of which names and birth dates.
    confirmed: Mapped[bool] = mapped_column(default=False)
    identities: Mapped[list[Any]] = mapped_column(default=list)
    # The newest instance whose identity was compared (`pacs.index.models.Instance.pk`).
    looked_at: Mapped[int] = mapped_column(BigInteger, default=0)
    # How it got here: upload, reference, hand; or document, which is no study of images.
    found_by: Mapped[str] = mapped_column(String(16), default="upload")
    # Who sent it first.
    sender_id: Mapped[UUID] = mapped_column()
    view_study_uid: Mapped[str | None] = mapped_column(String(64))
    # How many originals it had when it was last looked at, and how many copies wait for a decision.
    instances: Mapped[int] = mapped_column(default=0)
    pending: Mapped[int] = mapped_column(default=0)
    released_at: Mapped[datetime | None] = mapped_column()
    # When the specialist last said that they have seen it, of one that came late (`cases.late_studies`).
    seen_at: Mapped[datetime | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    __table_args__ = (UniqueConstraint("case_id", "study_uid"),)

    @property
    def is_document(self) -> bool:
        """Whether it holds the pages of a document, which is none of the images that an opinion may need."""
        return self.found_by == DOCUMENT


class Allowance(Base):
    """What a case's patient has sent to it, or is sending: counted before it is stored (`cases.allowance`)."""

    __tablename__ = "cases_allowance"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    instances: Mapped[int] = mapped_column(default=0)


class InboxStudy(Base):
    """A sender's study that is in no case: it waits for a coordinator, and no specialist can see it.

    `case_id`: the case that it came for but can't simply join, because this case has the study from somebody else;
    `reason` says so. `named`: it names that case by its reference number.
    """

    __tablename__ = "cases_inbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    study_pk: Mapped[int] = mapped_column(BigInteger, unique=True)
    study_uid: Mapped[str] = mapped_column(String(64), index=True)
    sender_id: Mapped[UUID] = mapped_column()
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_case.id"))
    named: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(Text, default="")
    references: Mapped[list[Any]] = mapped_column(default=list)
    arrived_at: Mapped[datetime] = mapped_column(default=clock.now)
    matched_case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_case.id"))
    # A coordinator said that it belongs to no case, and why.
    dismissed_at: Mapped[datetime | None] = mapped_column()
    dismissed_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    dismissed_reason: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        Index(
            "ix_cases_inbox_waiting",
            "arrived_at",
            "id",
            postgresql_where=matched_case_id.is_(None) & dismissed_at.is_(None),
        ),
        Index("ix_cases_inbox_dismissed", "dismissed_at", "id", postgresql_where=dismissed_at.is_not(None)),
    )


class Offer(Base):
    """A case offered to one specialist. At most one offer of a case is open."""

    __tablename__ = "cases_offer"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    specialist_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    # None: the program's own setting.
    offered_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    offered_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime] = mapped_column()
    answered_at: Mapped[datetime | None] = mapped_column()
    outcome: Mapped[OfferOutcome] = mapped_column(_enum(OfferOutcome), default=OfferOutcome.OPEN)
    reason: Mapped[str] = mapped_column(Text, default="")
    refusal: Mapped[Refusal | None] = mapped_column(_enum(Refusal))
    # The next specialist was looked for after it.
    followed: Mapped[bool] = mapped_column(default=False)
    # Minor units of the program's currency.
    fee: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("uq_cases_offer_open", case_id, unique=True, postgresql_where=outcome == OfferOutcome.OPEN),
    )


class Report(Base):
    """A version of a report. It may be edited until it is signed; then its digest fixes every word.

    `state` is changed by `versions.move` alone.
    """

    __tablename__ = "cases_report"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    number: Mapped[int] = mapped_column(default=1)
    kind: Mapped[ReportKind] = mapped_column(_enum(ReportKind), default=ReportKind.REPORT)
    state: Mapped[ReportState] = mapped_column(_enum(ReportState), default=ReportState.DRAFT)
    # The version that this one corrects or adds to; None: the report itself.
    about: Mapped[int | None] = mapped_column()
    # What was changed and why, as the specialist tells it.
    change: Mapped[str] = mapped_column(Text, default="")
    author_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    # Question id -> answer.
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # What else it says, by the keys of `cases.report_texts`.
    texts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Study Instance UIDs of the view, as the specialist saw them.
    studies_read: Mapped[list[Any]] = mapped_column(default=list)
    digest: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
    signed_at: Mapped[datetime | None] = mapped_column()
    signed_name: Mapped[str] = mapped_column(String(200), default="")
    # What stands under the signature, as `cases.sealing` took it when it was given.
    signature: Mapped[dict[str, Any]] = mapped_column(default=dict)
    published_at: Mapped[datetime | None] = mapped_column()
    first_read_at: Mapped[datetime | None] = mapped_column()
    # The study of its own that holds the report as an encapsulated PDF in the archive.
    study_uid: Mapped[str | None] = mapped_column(String(64), unique=True)

    __table_args__ = (UniqueConstraint("case_id", "number"),)


class Step(Base):
    """The case's history: one line a transition, never changed."""

    __tablename__ = "cases_step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    study_uid: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    # None: the system itself.
    actor_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    actor: Mapped[str] = mapped_column(String(16))
    event: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(24))
    target: Mapped[str] = mapped_column(String(24))
    reason: Mapped[str] = mapped_column(Text, default="")


class Note(Base):
    """A message between the patient and the coordinators; specialists never see it."""

    __tablename__ = "cases_note"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), index=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    from_patient: Mapped[bool] = mapped_column()
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    # When the patient's side first had it before them; of what came from them nothing.
    read_at: Mapped[datetime | None] = mapped_column()


class Erasure(Base):
    """A wish that a case be erased, and the two persons who carry it out; it stays, without who asked and why."""

    __tablename__ = "cases_erasure"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"), primary_key=True)
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    reason: Mapped[str] = mapped_column(Text, default="")
    first_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    first_at: Mapped[datetime | None] = mapped_column()
    second_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    done_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (CheckConstraint("second_by IS NULL OR second_by <> first_by", name="two_persons"),)


class LegalHold(Base):
    """A duty to keep a case: nothing of it is erased while it stands."""

    __tablename__ = "cases_legal_hold"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases_case.id"))
    reason: Mapped[str] = mapped_column(Text)
    set_by: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    set_at: Mapped[datetime] = mapped_column(default=clock.now)
    lifted_by: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"))
    lifted_at: Mapped[datetime | None] = mapped_column()

    __table_args__ = (
        Index("uq_cases_legal_hold_standing", case_id, unique=True, postgresql_where=lifted_at.is_(None)),
    )


class Message(Delivered, Base):
    """A mail, kept before it is sent: no name, no finding, no image, only that something waits behind a sign-in."""

    __tablename__ = "cases_message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_case.id"), index=True)
    # None: it goes to the address among its facts, which is nobody's account.
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("kit_principal.id"), index=True)
    template: Mapped[str] = mapped_column(String(32))
    # What the template is filled with: a reference number, an address, a time.
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None] = mapped_column()


class Notice(Base):
    """Something that coordinators are to look at, until their next mail tells of it (`cases.digest`)."""

    __tablename__ = "cases_notice"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    kind: Mapped[str] = mapped_column(String(32))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_case.id"), index=True)
    # The item of the inbox that it tells of.
    item_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases_inbox.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
