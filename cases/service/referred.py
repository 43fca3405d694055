"""What was prepared for a patient: they look who asks, take it up as a request of their own, and share the report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from cases import consents, events, notify, parts, sharing, version_move
from cases.invitations import of_link
from cases.models import Case
from cases.referral_models import Referral, ReportShare
from cases.repository import load, load_unasked, referral_of, reports_of, share_of
from cases.service import intake, presentation, referrals
from cases.service.intake import Changes
from cases.states import ImagesBy, Needed
from overread.kit import audit, clock, jobs, permissions, principals
from overread.kit.errors import Conflict, Forbidden, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role

#: The text of the consent, as pages show it.
SHARING = consents.REPORT_TO_REFERRER


@dataclass(frozen=True, slots=True)
class Asked:
    """What the link of an invitation shows before the birth date was said: who asks, and nothing of the patient.

    `case_id`: the reader's own request that came of it, where they have taken it up. `to_another`: it was mailed to
    another address than the account's.
    """

    by: str
    physician: str
    program: str
    kind: str
    reference: str
    case_id: UUID | None
    to_another: bool


@dataclass(frozen=True, slots=True)
class ReferredView:
    """Who prepared a request, with what words, and whether they may read the report.

    `shares`: whether that is asked at all: a coordinator, who typed it for a caller, reads it anyway.
    """

    by: str
    physician: str
    invited_at: datetime
    subjects: tuple[str, ...]
    other_subject: str
    questions: tuple[str, ...]
    history: str
    shares: bool
    shared_at: datetime | None


def asked(tx: Session, who: Principal, token: str) -> Asked:
    """What an invitation asks. Raises NotFound for a link that is none or too old, Forbidden for who is no patient.

    Raises Conflict where somebody else has taken it up.
    """
    _require_patient(who)
    row = of_link(tx, Referral, token)
    own = _taken_up(tx, who, row)
    typed = principals.get(tx, who.id)
    return Asked(
        by=presentation.name_of(tx, row.referred_by),
        physician=row.physician,
        program=row.kind.program.name,
        kind=row.kind.name,
        reference=row.reference,
        case_id=own,
        to_another=row.email not in {(typed.email or "").lower(), (typed.pending_email or "").lower()},
    )


def take_up(tx: Session, who: Principal, token: str, birth_date: date) -> UUID:
    """Make it a request of one's own, a draft with what was written; the case's id. The same again gives it again.

    Who has the link says the patient's birth date, so that a mail to a wrong address tells a stranger nothing
    (callers spend `attempts.opening` first). Raises as `asked` and as
    `intake.create`; Unprocessable for another birth date.
    """
    _require_patient(who)
    row = of_link(tx, Referral, token, lock=True)
    if (own := _taken_up(tx, who, row)) is not None:
        return own
    if row.birth_date != birth_date:
        raise Unprocessable(
            "another birth date",
            safe=gettext(
                "This is not the birth date that was written for the patient. Check it; if it is right, ask whoever "
                "invited you to take the invitation back and send you another one."
            ),
        )
    by_hospital = row.kind.images is Needed.REQUIRED
    case_id = intake.create(
        tx,
        who,
        row.kind.program.slug,
        Changes(
            subjects=row.subjects,
            other_subject=row.other_subject,
            history=row.history,
            place=row.place,
            patient_name=row.patient_name,
            birth_date=row.birth_date,
            sex=row.sex,
            images_by=ImagesBy.HOSPITAL if by_hospital else None,
        ),
        kind=row.kind.slug,
        reserved=row.reference,
    )
    intake.set_questions(tx, who, case_id, row.questions)
    person = principals.get(tx, who.id)
    person.phone = person.phone or row.phone or None
    row.accepted_at, row.case_id = clock.now(), case_id
    tx.flush()
    audit.record(tx, who, "referral.take_up", "referral", row.id, case_id=case_id)
    jobs.emit(tx, events.ReferralTakenUp(str(case_id)))
    notify.queue(tx, load_unasked(tx, case_id), row.referred_by, "referral_taken_up")
    return case_id


def refuse(tx: Session, who: Principal, token: str) -> None:
    """Say no: whoever asked hears that, and nothing of what was written is kept. Raises as `asked`."""
    _require_patient(who)
    row = of_link(tx, Referral, token, lock=True)
    if _taken_up(tx, who, row) is not None:
        raise Conflict(
            "taken up already",
            safe=gettext("You have agreed already: it is your request now, and you can withdraw it there."),
        )
    referrals.forget(row)
    row.refused = True
    tx.flush()
    audit.record(tx, who, "referral.refuse", "referral", row.id)
    notify.queue(tx, None, row.referred_by, "referral_refused", reference=row.reference)


def of_case(tx: Session, who: Principal, case_id: UUID) -> ReferredView | None:
    """Who prepared a case, for its patient's side and coordinators; None where the patient began it. Raises NotFound.

    Raises Forbidden for specialists, who learn nobody's name.
    """
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_MESSAGE, case_id)
    row = referral_of(tx, case.id)
    if row is None:
        return None
    share = share_of(tx, case.id)
    return ReferredView(
        by=presentation.name_of(tx, row.referred_by),
        physician=row.physician,
        invited_at=row.invited_at,
        subjects=tuple(row.subjects),
        other_subject=row.other_subject,
        questions=tuple(row.questions),
        history=row.history,
        shares=_is_asked(tx, row),
        shared_at=share.given_at if share else None,
    )


def share(tx: Session, who: Principal, case_id: UUID, *, version: str, digest: str, address: str = "") -> None:
    """Let whoever referred the patient read the report, as the text of `SHARING` says. The same again changes nothing.

    Raises NotFound, Forbidden, Unprocessable where nobody did; Conflict where another text was shown.
    """
    case = _consenting(tx, who, case_id)
    row = referral_of(tx, case.id)
    if row is None or not _is_asked(tx, row):
        raise Unprocessable("no referrer", safe=gettext("Nobody referred this patient: there is nobody to share with."))
    consents.require_shown(SHARING, version, digest)
    if share_of(tx, case.id) is not None:
        return
    tx.add(
        ReportShare(case_id=case.id, version=version, text_digest=digest, given_by=who.id, address=address[:64]),
    )
    tx.flush()
    audit.record(tx, who, "report.share", "case", case.id, case_id=case.id, version=version)
    if version_move.in_force(reports_of(tx, case.id)) is not None:
        sharing.tell_of_report(tx, case)


def stop_sharing(tx: Session, who: Principal, case_id: UUID) -> None:
    """Take the consent back, from now on. The same again finds it done. Raises NotFound, Forbidden."""
    case = _consenting(tx, who, case_id)
    found = share_of(tx, case.id)
    if found is None:
        return
    found.withdrawn_at, found.withdrawn_by = clock.now(), who.id
    tx.flush()
    audit.record(tx, who, "report.stop_sharing", "case", case.id, case_id=case.id)


def _consenting(tx: Session, who: Principal, case_id: UUID) -> Case:
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CONSENT, case_id)
    return case


def _is_asked(tx: Session, row: Referral) -> bool:
    return principals.get(tx, row.referred_by).role == Role.HOSPITAL


def _require_patient(who: Principal) -> None:
    if not permissions.has(who, Permission.REFERRALS_TAKE_UP):
        raise Forbidden(
            f"{who.role} opened a patient's invitation",
            safe=gettext(
                "This invitation is for a patient, and you are signed in with another kind of account. Sign out, open "
                "the link again, and sign in or make an account as a patient."
            ),
        )


def _taken_up(tx: Session, who: Principal, row: Referral) -> UUID | None:
    """The request that `who` has made of an invitation. Raises Conflict where it is somebody else's."""
    if row.case_id is None:
        return None
    case = load_unasked(tx, row.case_id)
    if case is None or case.patient_id != who.id:
        raise Conflict(
            "taken up by another",
            safe=gettext(
                "This invitation was taken up with another account. Sign in with that one; if it was not you, tell "
                "whoever invited you."
            ),
        )
    return case.id
