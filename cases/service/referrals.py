"""Requests that a physician prepares for a patient, or a coordinator for a caller: made, sent again, ended, followed.

There is no case before the patient agrees (`cases.service.referred`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import invitations, licences, notify, report_pdf, version_move
from cases.models import SUBJECTS, Case
from cases.patient_fields import require_birth_date, require_sex
from cases.place_codes import norm_place
from cases.referral_models import Referral
from cases.repository import active_program, load_unasked, reports_of, share_of
from cases.service import intake, kinds, programs, reporting
from cases.states import DELIVERED, ENDED, CaseState
from overread.kit import addresses, audit, clock, permissions, principals
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import fitting, one_line

#: Invitations that one account may have open at once.
MOST = 200
_MOST_TEXT, _MOST_QUESTION = 20_000, 2_000


class ReferralState(StrEnum):
    """How far a referral is, as whoever made it is told."""

    INVITED = "invited"
    EXPIRED = "expired"
    TAKEN_BACK = "taken_back"
    REFUSED = "refused"
    #: The patient has agreed and fills in what is theirs.
    TAKEN_UP = "taken_up"
    SENT = "sent"
    READING = "reading"
    REPORTED = "reported"
    #: It was withdrawn or declined; by whom and why is the patient's to tell.
    ENDED = "ended"


STATE_LABELS: dict[ReferralState, str] = {
    ReferralState.INVITED: Phrase("The patient is invited"),
    ReferralState.EXPIRED: Phrase("The invitation has expired"),
    ReferralState.TAKEN_BACK: Phrase("Taken back"),
    ReferralState.REFUSED: Phrase("The patient declined"),
    ReferralState.TAKEN_UP: Phrase("The patient has agreed"),
    ReferralState.SENT: Phrase("Sent, being prepared"),
    ReferralState.READING: Phrase("With the specialist"),
    ReferralState.REPORTED: Phrase("The patient has the report"),
    ReferralState.ENDED: Phrase("Ended without a report"),
}
#: An invitation in one of these can be mailed again, or taken back.
_OPEN = (ReferralState.INVITED, ReferralState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Referred:
    """What is written of a patient. `sex`: F, M, O or empty (PS3.3 C.2.2.2); `subjects`: of `models.SUBJECTS`.

    `physician`: who asks, as the patient knows them; from a coordinator it may be empty. `kind`: the opinion's short
    name. `history`: the findings and the story, in the physician's words.
    """

    email: str
    patient_name: str
    birth_date: date
    place: str
    subjects: Sequence[str]
    questions: Sequence[str]
    physician: str = ""
    sex: str = ""
    phone: str = ""
    other_subject: str = ""
    history: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ReferralView:
    """A referral as whoever made it sees it: what they wrote themselves, and how far it is."""

    referral_id: UUID
    reference: str
    state: ReferralState
    program: str
    kind: str
    by: str
    made_by_role: str
    physician: str
    patient_name: str
    birth_date: date | None
    email: str
    place: str
    subjects: tuple[str, ...]
    other_subject: str
    questions: tuple[str, ...]
    history: str
    invited_at: datetime
    expires_at: datetime
    may_send_again: bool
    may_end: bool
    may_read_report: bool


def make(tx: Session, who: Principal, program_slug: str, said: Referred) -> UUID:
    """Prepare a request for a patient and invite them by mail; the same again, while it is open, makes no second one.

    Raises Forbidden, NotFound, Unprocessable; Conflict where too many invitations are open.
    """
    permissions.require(who, Permission.REFERRALS_MAKE)
    # Held until the commit: of two presses the second one finds the first.
    principals.lock(tx, who.id)
    program = active_program(tx, program_slug)
    kind = kinds.chosen(program, said.kind)
    fields = _checked(said, physician_needed=who.role is not Role.COORDINATOR)
    if not licences.is_served(tx, program, fields["place"]):
        raise Unprocessable("a place that is not served", safe=licences.NOT_SERVED)
    if not set(fields["subjects"]) <= set(program.scope):
        raise Unprocessable(
            "out of scope", safe=gettext("This program gives no opinions about that: please choose another subject.")
        )
    standing = select(Referral).where(
        Referral.referred_by == who.id,
        Referral.accepted_at.is_(None),
        Referral.ended_at.is_(None),
        Referral.invited_at > clock.now() - invitations.INVITED_FOR,
    )
    open_ones = tx.scalars(standing).all()
    for row in open_ones:
        if row.kind_id == kind.id and all(getattr(row, name) == value for name, value in fields.items()):
            return row.id
    if len(open_ones) >= MOST:
        raise Conflict(
            f"{who.id} has {MOST} open referrals",
            safe=gettext("%(most)s invitations are open. Take some back first.", most=MOST),
        )
    made = Referral(reference=intake.free_reference(tx), kind=kind, referred_by=who.id, **fields)
    tx.add(made)
    tx.flush()
    audit.record(tx, who, "referral.create", "referral", made.id)
    _mail(tx, made)
    return made.id


def listed(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[ReferralView]:
    """The referrals of an account, newest first; to coordinators everybody's. Raises Forbidden, BadInput."""
    permissions.require(who, Permission.REFERRALS_MAKE)
    query = select(Referral)
    if who.role is not Role.COORDINATOR:
        query = query.where(Referral.referred_by == who.id)
    page = Keyset(Referral.id, descending=True).page(tx, query, after, limit)
    return page.of([_view(tx, who, row) for row in page])


def show(tx: Session, who: Principal, referral_id: UUID) -> ReferralView:
    """One referral. Raises Forbidden, NotFound."""
    return _view(tx, who, _own(tx, who, referral_id))


def send_again(tx: Session, who: Principal, referral_id: UUID) -> None:
    """Mail the invitation once more, good for two weeks from now; the link that was mailed before is good no more.

    Raises Forbidden, NotFound, Conflict where it is open no more.
    """
    row = _open(tx, who, referral_id)
    row.invited_at, row.digest = clock.now(), None
    tx.flush()
    audit.record(tx, who, "referral.send_again", "referral", row.id)
    _mail(tx, row)


def end(tx: Session, who: Principal, referral_id: UUID) -> None:
    """Take an invitation back: its link is good no more, and nothing of what was written is kept.

    The same again finds it done. Raises Forbidden, NotFound, Conflict where the patient has agreed: it is theirs then.
    """
    row = _own(tx, who, referral_id, lock=True)
    if row.ended_at is not None:
        return
    _open(tx, who, referral_id)
    forget(row)
    tx.flush()
    audit.record(tx, who, "referral.end", "referral", row.id)


def report(tx: Session, who: Principal, referral_id: UUID) -> tuple[str, bytes]:
    """The report in force as PDF/A with its file's name, for who referred the patient, while the patient allows it.

    The patient sees that it was read. Raises Forbidden, NotFound.
    """
    permissions.require(who, Permission.REFERRALS_READ_REPORT)
    row = _own(tx, who, referral_id)
    case = load_unasked(tx, row.case_id) if row.case_id else None
    reports = reports_of(tx, case.id) if case is not None else ()
    found = version_move.in_force(reports)
    if case is None or found is None or share_of(tx, case.id) is None:
        raise NotFound(
            f"no report of referral {referral_id} for {who.id}",
            safe=gettext(
                "There is no report that you may read: it is not ready or was taken back, or the patient does not "
                "share it."
            ),
        )
    for one in version_move.whole(reports, found):
        audit.record(tx, who, "report.read", "report", one.id, case_id=case.id)
    return f"second-opinion-{case.reference}.pdf", report_pdf.render(reporting.document(tx, case, found))


def forget(row: Referral) -> None:
    """End an invitation and keep nothing of what it said; the reference number and the state stay."""
    row.ended_at, row.digest = clock.now(), None
    row.email = row.patient_name = row.sex = row.phone = row.place = row.other_subject = row.history = ""
    row.birth_date, row.subjects, row.questions = None, [], []


def sweep(tx: Session, most: int) -> int:
    """Forget some of the invitations that nobody took up for as long again as they were good; how many."""
    old = select(Referral).where(
        Referral.accepted_at.is_(None),
        Referral.ended_at.is_(None),
        Referral.invited_at < clock.now() - 2 * invitations.INVITED_FOR,
    )
    found = tx.scalars(old.limit(most).with_for_update(skip_locked=True, of=Referral)).all()
    for row in found:
        forget(row)
    return len(found)


def _checked(said: Referred, *, physician_needed: bool) -> dict[str, Any]:
    """The fields as they are kept. Raises Unprocessable with a sentence."""
    programs.require_subjects(said.subjects)
    subjects = [one for one in SUBJECTS if one in said.subjects]
    questions = [fitting(one, _MOST_QUESTION) for one in said.questions if one.strip()]
    fields: dict[str, Any] = {
        "email": fitting(said.email, addresses.LONGEST).lower(),
        "physician": fitting(one_line(said.physician), 200),
        "patient_name": fitting(one_line(said.patient_name), 200),
        "birth_date": said.birth_date,
        "sex": said.sex,
        "phone": fitting(one_line(said.phone), 40),
        "place": norm_place(said.place),
        "subjects": subjects,
        "other_subject": fitting(one_line(said.other_subject), 400),
        "questions": questions,
        "history": fitting(said.history, _MOST_TEXT),
    }
    require_birth_date(said.birth_date)
    require_sex(said.sex)
    wanting = (
        (
            not addresses.is_address(fields["email"]),
            gettext("Please give an e-mail address, such as jane@example.org."),
        ),
        (not fields["patient_name"], gettext("Please give the patient’s full name.")),
        (physician_needed and not fields["physician"], gettext("Please say who you are, as the patient knows you.")),
        (not subjects, gettext("Please choose what it is about.")),
        ("other" in subjects and not fields["other_subject"], gettext("Please say in a few words what it is about.")),
        (not questions, gettext("Please ask at least one question.")),
        (
            len(questions) > intake.MAX_QUESTIONS,
            gettext("Please ask at most %(max_questions)s questions.", max_questions=intake.MAX_QUESTIONS),
        ),
    )
    for wrong, safe in wanting:
        if wrong:
            raise Unprocessable("a referral that lacks something", safe=safe)
    return fields


def _mail(tx: Session, row: Referral) -> None:
    program = row.kind.program.name
    notify.queue_invitation(tx, notify.REFERRAL, row.id, row.email, reference=row.reference, program=program)


def _own(tx: Session, who: Principal, referral_id: UUID, *, lock: bool = False) -> Referral:
    permissions.require(who, Permission.REFERRALS_MAKE)
    query = select(Referral).where(Referral.id == referral_id).execution_options(populate_existing=lock)
    row = tx.scalars(query.with_for_update(of=Referral) if lock else query).one_or_none()
    if row is None or (who.role is not Role.COORDINATOR and row.referred_by != who.id):
        raise NotFound(f"referral {referral_id} of {who.id}")
    return row


def _open(tx: Session, who: Principal, referral_id: UUID) -> Referral:
    row = _own(tx, who, referral_id, lock=True)
    if row.accepted_at is not None:
        raise Conflict(
            f"referral {referral_id} is taken up",
            safe=gettext("The patient has agreed: it is their request now, and they alone can withdraw it."),
        )
    if row.ended_at is not None:
        raise Conflict(
            f"referral {referral_id} has ended",
            safe=gettext("This invitation has ended, and nothing of it was kept. Refer the patient anew."),
        )
    return row


def _state(row: Referral, case: Case | None) -> ReferralState:
    if case is None:
        if row.refused:
            return ReferralState.REFUSED
        if row.ended_at is not None:
            # Swept, or taken back: only one of them was somebody's wish.
            late = row.invited_at + 2 * invitations.INVITED_FOR < row.ended_at
            return ReferralState.EXPIRED if late else ReferralState.TAKEN_BACK
        return ReferralState.EXPIRED if row.is_late else ReferralState.INVITED
    if case.state is CaseState.DRAFT:
        return ReferralState.TAKEN_UP
    if case.state in DELIVERED:
        return ReferralState.READING if case.state is CaseState.SIGNED else ReferralState.REPORTED
    if case.state in ENDED:
        return ReferralState.ENDED
    return ReferralState.READING if CaseState.IN_REVIEW in (case.state, case.resume_to) else ReferralState.SENT


def _view(tx: Session, who: Principal, row: Referral) -> ReferralView:
    case = load_unasked(tx, row.case_id) if row.case_id else None
    state = _state(row, case)
    by = principals.get(tx, row.referred_by)
    shared = (
        case is not None
        and version_move.in_force(reports_of(tx, case.id)) is not None
        and share_of(tx, case.id) is not None
    )
    still = state in _OPEN and row.ended_at is None
    return ReferralView(
        referral_id=row.id,
        reference=row.reference,
        state=state,
        program=row.kind.program.name,
        kind=row.kind.name,
        by=by.name,
        made_by_role=by.role,
        physician=row.physician,
        patient_name=row.patient_name,
        birth_date=row.birth_date,
        email=row.email,
        place=row.place,
        subjects=tuple(row.subjects),
        other_subject=row.other_subject,
        questions=tuple(row.questions),
        history=row.history,
        invited_at=row.invited_at,
        expires_at=row.invited_at + invitations.INVITED_FOR,
        may_send_again=still,
        may_end=still,
        may_read_report=shared and permissions.has(who, Permission.REFERRALS_READ_REPORT),
    )
