"""What each role is shown of a case, as plain values; made by `service.read`, rendered by pages and the API.

`SpecialistCase` has no field for a name, an id, a birth date, a contact or an original UID: what is not there can't
leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from billing.states import PaymentState
from cases.asked_views import AskedItemView, AskedView
from cases.consents import ConsentText, Section, Words
from cases.desk_views import ChecklistItem, DeskLine, DeskView, Narrow, Whose
from cases.document_views import DocumentFile, DocumentView
from cases.identity import Verdict
from cases.imaging import Box, Composite, Picture, Profile, Review, SeriesGroup, StudyReview, StudySummary, Suggestion
from cases.kind_questions import AnswerForm, KindQuestion
from cases.list_views import CaseLine
from cases.money import Paid, Refund
from cases.offer_views import OfferedStudy
from cases.program_views import KindView, PriceView, ProgramView
from cases.report_states import KIND_LABELS as REPORT_KINDS
from cases.report_states import ReportEvent, ReportKind, ReportState
from cases.report_texts import TEXTS as REPORT_TEXTS
from cases.report_texts import texts_of as report_texts_of
from cases.report_views import (
    AdditionView,
    Answer,
    Reader,
    ReportMark,
    ReportView,
    SignatureView,
    SignerView,
    VersionView,
    WrittenText,
)
from cases.states import Obstacle
from cases.subspecialties import SUBSPECIALTIES
from cases.tongues import LANGUAGES

__all__ = [
    "LANGUAGES",
    "REPORT_KINDS",
    "REPORT_TEXTS",
    "SUBSPECIALTIES",
    "AdditionView",
    "Answer",
    "AnswerForm",
    "AskedItemView",
    "AskedView",
    "AuthorityView",
    "Box",
    "CaseLine",
    "ChecklistItem",
    "Composite",
    "ConsentText",
    "CoordinatorCase",
    "CoordinatorStudy",
    "DeskLine",
    "DeskView",
    "DocumentFile",
    "DocumentView",
    "Entry",
    "IdentityRow",
    "KindQuestion",
    "KindView",
    "LicenceView",
    "Narrow",
    "NoteView",
    "OfferView",
    "OfferedStudy",
    "Paid",
    "PatientCase",
    "PatientStudy",
    "PaymentState",
    "Picture",
    "PriceView",
    "Profile",
    "ProgramView",
    "QuestionView",
    "Reader",
    "Refund",
    "ReportEvent",
    "ReportKind",
    "ReportMark",
    "ReportState",
    "ReportView",
    "Review",
    "Section",
    "SeriesGroup",
    "SignatureView",
    "SignerView",
    "SpecialistCase",
    "SpecialistStudy",
    "StepView",
    "StudyReview",
    "StudySummary",
    "Suggestion",
    "VersionView",
    "Whose",
    "Words",
    "WrittenText",
    "report_texts_of",
]


@dataclass(frozen=True, slots=True)
class LicenceView:
    """A specialist's licence for a place, for its holder, coordinators and admins.

    `asked_until`: until when its holder says that it was renewed, which is not verified yet.
    """

    licence_id: UUID
    specialist_id: UUID
    place: str
    number: str
    expires_on: date
    verified: bool
    asked_until: date | None


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A numbered question; `answer` only of a follow-up."""

    question_id: UUID
    number: int
    text: str
    follow_up: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a timeline."""

    at: datetime
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class NoteView:
    """A message between patient and coordinators."""

    at: datetime
    author: str
    from_patient: bool
    text: str


@dataclass(frozen=True, slots=True)
class PatientStudy:
    """A study as the patient sees it; `known` is None while it is not known to be theirs.

    `checked_at`: when a coordinator released it, None while nobody has.
    """

    study_uid: str
    state: str
    status: str
    known: StudySummary | None
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One line of the identity check, side by side.

    `known`: whether both sides say something; `is_name`: `found` is a PersonName (PS3.5 6.2.1).
    """

    label: str
    claimed: str
    found: str
    equal: bool
    known: bool
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class CoordinatorStudy:
    """A study as the coordinator sees it. `verdict` compares the identities, `review` tells of the copies."""

    study_uid: str
    view_study_uid: str | None
    state: str
    status: str
    reason: str
    found_by: str
    confirmed: bool
    arrived_at: datetime
    original: StudySummary | None
    verdict: Verdict
    identity: tuple[IdentityRow, ...]
    review: StudyReview | None


@dataclass(frozen=True, slots=True)
class SpecialistStudy:
    """A study of the de-identified view.

    `unshown`: how many of its instances need the specialist's own viewer. `late`: released after
    the case was accepted, and not said to have been seen yet.
    """

    study_uid: str
    title: str
    modalities: tuple[str, ...]
    study_date: str
    series: int
    instances: int
    unshown: int
    late: bool


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer, for the coordinator. `fee` in minor units; `refusal` of `states.Refusal`, "" where there is none."""

    offer_id: UUID
    specialist_id: UUID
    specialist: str
    offered_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    outcome: str
    reason: str
    fee: int
    refusal: str


@dataclass(frozen=True, slots=True)
class StepView:
    """A line of the history, for the coordinator."""

    at: datetime
    who: str
    actor: str
    event: str
    source: str
    target: str
    reason: str
    study_uid: str | None


@dataclass(frozen=True, slots=True)
class AuthorityView:
    """Why a case's account may act for its patient. `proof`: the media type of a paper that shows it, or ""."""

    relation: str
    text: str
    proof: str
    given_at: datetime
    checked_at: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class PatientCase:
    """A case as its patient sees it. `missing`: what a draft still needs, as sentences; `actions`: events possible.

    `late`: the time of `due_at` has passed; `clock_stands`: why a coordinator has stopped the clock.
    `step` is where a draft goes on ("question", "images", "consent", "payment"), `edition` names what its form says,
    `consents` are those to the texts as they stand now. `account_name`: whose account it is; `part`: what the reader is
    to the case (`states.Actor`); `authority`: why that account may act for the patient, None for the patient's own.
    """

    case_id: UUID
    reference: str
    program: str
    program_slug: str
    title: str
    state: str
    status: str
    kind: KindView
    subjects: tuple[str, ...]
    other_subject: str
    symptoms: str
    history: str
    additional: str
    answers: dict[str, str]
    answered: tuple[tuple[str, str], ...]
    place: str
    emergency: bool
    patient_name: str
    account_name: str
    part: str
    authority: AuthorityView | None
    birth_date: date | None
    sex: str
    address: str
    language: str
    interpreter: bool
    physician: str
    physician_contact: str
    inform_physician: bool
    first_report_by: str
    images_by: str | None
    questions: tuple[QuestionView, ...]
    consents: tuple[str, ...]
    missing: tuple[str, ...]
    due_at: datetime | None
    next_title: str
    next_text: str
    asked: str
    price: str
    paid: Paid | None
    studies: tuple[PatientStudy, ...]
    timeline: tuple[Entry, ...]
    notes: tuple[NoteView, ...]
    may_upload: bool
    has_report: bool
    follow_ups_left: int
    actions: tuple[str, ...]
    step: str
    edition: str
    images_here: bool
    late_withdrawal: bool
    late: bool
    clock_stands: str
    recalled: bool


@dataclass(frozen=True, slots=True)
class CoordinatorCase:
    """A case as coordinators work it. `blocked`: why the next step is not possible yet; `zone`: the program's.

    `clock_stands`: why a coordinator has stopped the clock; `clock_actions`: what can be done with it.
    `closes_at`: when it closes by itself, where that is counted.

    `apart`: why studies that came for it are kept apart.
    """

    case_id: UUID
    reference: str
    program: str
    title: str
    state: str
    status: str
    kind: str
    subjects: tuple[str, ...]
    other_subject: str
    symptoms: str
    history: str
    additional: str
    answers: tuple[tuple[str, str], ...]
    place: str
    place_rule: str
    patient_id: UUID
    patient_name: str
    birth_date: date | None
    sex: str
    email: str
    phone: str
    address: str
    language: str
    interpreter: bool
    physician: str
    physician_contact: str
    inform_physician: bool
    first_report_by: str
    images_by: str | None
    questions: tuple[QuestionView, ...]
    consents: tuple[str, ...]
    authority: AuthorityView | None
    due_at: datetime | None
    paused_at: datetime | None
    late: bool
    blocked: tuple[str, ...]
    paid: Paid | None
    studies: tuple[CoordinatorStudy, ...]
    apart: tuple[str, ...]
    specialist_id: UUID | None
    specialist: str
    exceptions: tuple[tuple[str, Obstacle, str], ...]
    refunds: tuple[Refund, ...]
    offers: tuple[OfferView, ...]
    steps: tuple[StepView, ...]
    notes: tuple[NoteView, ...]
    has_signed_report: bool
    view_id: UUID | None
    actions: tuple[str, ...]
    zone: str
    clock_stands: str
    clock_actions: tuple[str, ...]
    closes_at: datetime | None
    desk: DeskView
    asked_items: AskedView
    checklist: tuple[ChecklistItem, ...]


@dataclass(frozen=True, slots=True)
class SpecialistCase:
    """A case as the specialist sees it: de-identified. `studies` is empty until the offer is accepted.

    `offered`: what there is to see after accepting, empty from then on; `missing`: what is not there, as sentences;
    `first_report`: that one is there.
    `dates`: what was done to the dates of the images: "moved", "kept" or "none" (taken out).
    """

    case_id: UUID
    reference: str
    program: str
    title: str
    state: str
    status: str
    kind: str
    subjects: tuple[str, ...]
    other_subject: str
    symptoms: str
    history: str
    additional: str
    answers: tuple[tuple[str, str], ...]
    place: str
    patient: str
    questions: tuple[QuestionView, ...]
    asked: str
    due_at: datetime | None
    answer_by: datetime | None
    fee: int
    currency: str
    licence: str
    study_count: int
    studies: tuple[SpecialistStudy, ...]
    dates: str
    granted_until: datetime | None
    has_report: bool
    writing: bool
    actions: tuple[str, ...]
    paused_at: datetime | None
    offered: tuple[OfferedStudy, ...]
    missing: tuple[str, ...]
    first_report: bool
