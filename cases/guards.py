"""What a transition asks for before it happens: each guard gives None, or a sentence that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import (
    checklists,
    consents,
    finding,
    imaging,
    kind_questions,
    licences,
    money,
    report_states,
    version_move,
    written,
)
from cases.models import CONSENTS, Case, CaseStudy, Consent
from cases.move import Move
from cases.repository import (
    authority_of,
    document_count,
    documents_of,
    erasure_of,
    hold_of,
    latest_report,
    open_offer,
    reports_of,
    studies_of,
)
from cases.states import KNOWN_THEIRS, Actor, CaseState, ImagesBy, Needed, Obstacle, StudyState
from overread.kit import addresses, clock
from overread.kit.language import Phrase, gettext
from overread.kit.principals import PrincipalRow
from pacs.index import folding

Guard = Callable[[Move], str | None]


def _address_confirmed(move: Move) -> str | None:
    waits = addresses.unconfirmed(move.tx, move.case.patient_id) is not None
    return (
        gettext("Please confirm your e-mail address first: open the link in the mail that we have sent you.")
        if waits
        else None
    )


#: What is said of an emergency, before an account and when a request is sent.
EMERGENCY = Phrase("In an emergency, call your local emergency number; a second opinion takes days.")


def _no_emergency(move: Move) -> str | None:
    return str(EMERGENCY) if move.case.emergency else None


def _eligible_place(move: Move) -> str | None:
    place = move.case.place
    if not place:
        return gettext("Please say where the patient is.")
    return None if licences.is_served(move.tx, move.case.program, place) else licences.NOT_SERVED


def _has_subject(move: Move) -> str | None:
    case = move.case
    if not case.subjects:
        return gettext("Please choose what it is about.")
    told = "other" not in case.subjects or case.other_subject.strip()
    return None if told else gettext("Please say in your own words what it is about.")


def _in_scope(move: Move) -> str | None:
    fits = set(move.case.subjects) <= set(move.case.program.scope)
    return None if fits else gettext("This program gives no opinions about that: please choose another subject.")


def _kind_given(move: Move) -> str | None:
    fits = move.case.kind.active
    return None if fits else gettext("This kind of opinion is given no more: please choose another one.")


def _has_answers(move: Move) -> str | None:
    missing = kind_questions.unanswered(kind_questions.of(move.case.kind.asks), move.case.answers)
    return gettext("Please answer: %(names)s", names="; ".join(one.label for one in missing)) if missing else None


def _has_questions(move: Move) -> str | None:
    return None if any(q.text.strip() for q in move.case.questions) else gettext("Please ask at least one question.")


def _has_identity(move: Move) -> str | None:
    case = move.case
    known = case.patient_name.strip() and case.birth_date
    return None if known else gettext("Please give the patient's name and birth date.")


def _authority_given(move: Move) -> str | None:
    case = move.case
    owner = move.tx.get_one(PrincipalRow, case.patient_id)
    if folding.fold(case.patient_name) == folding.fold(owner.name) or authority_of(move.tx, case.id) is not None:
        return None
    return gettext("Please say what you are to the patient, and why you may act for them.")


def _authority_checked(move: Move) -> str | None:
    given = authority_of(move.tx, move.case.id)
    checked = given is None or given.checked_at is not None
    return None if checked else gettext("Whether this account may act for the patient is not checked yet.")


def _has_consents(move: Move) -> str | None:
    given = move.tx.scalars(select(Consent).where(Consent.case_id == move.case.id))
    return (
        None
        if set(consents.standing(given)) >= set(CONSENTS)
        else gettext("Please agree to the terms, the privacy notice and the sharing of images.")
    )


def images_here(tx: Session, case: Case) -> bool:
    """Whether a study of images is in a case, or on its way into it, that nobody took out."""
    studies, papers = studies_of(tx, case.id), _papers(tx, case)
    if any(s.state is not StudyState.REVOKED and s.study_uid not in papers for s in studies):
        return True
    # What was uploaded a moment ago is not stable yet, but it is there.
    sent = {pk for pk, uid in imaging.uploaded(tx, case.id).items() if uid not in papers}
    return bool(sent - {s.study_pk for s in studies})


def theirs_here(tx: Session, case: Case) -> bool:
    """Whether images are in a case that are known to be its patient's."""
    return any(s.state in KNOWN_THEIRS and not s.is_document for s in studies_of(tx, case.id))


def _papers(tx: Session, case: Case) -> set[str]:
    """The studies that hold documents, also those that are no study of the case yet."""
    return {one.study_uid for one in documents_of(tx, case.id)}


def _images_chosen(move: Move) -> str | None:
    # Images that are here are chosen, whatever was said of how they come.
    if move.case.kind.images is not Needed.REQUIRED or images_here(move.tx, move.case):
        return None
    if move.case.images_by is None:
        return gettext("Please choose how the images come.")
    return gettext("Please send the images first.") if move.case.images_by is ImagesBy.UPLOAD else None


def waits_for_images(tx: Session, case: Case) -> bool:
    """Whether a hospital is to send images that the opinion needs, and none of the patient's is here: no clock runs."""
    if case.kind.images is not Needed.REQUIRED or case.images_by is not ImagesBy.HOSPITAL:
        return False
    return not theirs_here(tx, case) and not set(imaging.uploaded(tx, case.id).values()) - _papers(tx, case)


def _documents_here(move: Move) -> str | None:
    wanted = move.case.kind.documents is Needed.REQUIRED
    here = not wanted or document_count(move.tx, move.case.id) > 0
    return None if here else gettext("Please add the documents that this opinion is about, such as the first report.")


def _paid_or_free(move: Move) -> str | None:
    if money.is_free(move.case) or money.is_secured(move.tx, move.case):
        return None
    return gettext("The payment is not authorised yet.")


def _has_reason(move: Move) -> str | None:
    return None if move.reason.strip() else gettext("Please give a reason.")


def _asked_at_intake(move: Move) -> str | None:
    return None if move.case.resume_to is CaseState.SUBMITTED else gettext("The specialist asked, not the coordinator.")


def _asked_in_review(move: Move) -> str | None:
    return None if move.case.resume_to is CaseState.IN_REVIEW else gettext("The coordinator asked, not the specialist.")


def unreleased(case: Case, studies: Sequence[CaseStudy]) -> str | None:
    """What keeps a case's studies from being ready, or None."""
    standing = [s for s in studies if s.state is not StudyState.REVOKED]
    if case.kind.images is Needed.REQUIRED and all(s.is_document for s in standing):
        return gettext("No study has arrived.")
    waiting = [s for s in standing if s.state is not StudyState.RELEASED]
    if not waiting:
        return None
    if len(standing) == 1:
        return gettext("The study is not released yet.")
    verb = "is" if len(waiting) == 1 else "are"
    return gettext(
        "%(count)s of %(count_2)s studies %(verb)s not released yet.",
        count=len(waiting),
        count_2=len(standing),
        verb=verb,
    )


def _studies_released(move: Move) -> str | None:
    return unreleased(move.case, studies_of(move.tx, move.case.id))


def _some_released(move: Move) -> str | None:
    # A study that came after the offer holds nothing up: it is released later, and the specialist is told.
    if move.case.kind.images is not Needed.REQUIRED:
        return None
    images = [s for s in studies_of(move.tx, move.case.id) if not s.is_document]
    released = any(s.state is StudyState.RELEASED for s in images)
    return None if released else gettext("No study of this case is released.")


def _checklist_done(move: Move) -> str | None:
    left = checklists.open_items(move.tx, move.case)
    return gettext("Not ticked on the checklist yet: %(items)s", items="; ".join(left)) if left else None


def _specialist_eligible(move: Move) -> str | None:
    if move.specialist_id is None:
        return gettext("Please choose a specialist.")
    return " ".join(licences.objections(move.tx, move.case, move.specialist_id)) or None


def _specialist_free(move: Move) -> str | None:
    if move.specialist_id is None:
        return None
    found = finding.obstacles(move.tx, move.case, move.specialist_id)
    if move.actor is Actor.OFFERED and any(about in (None, Obstacle.CONFLICT) for about, _ in found):
        # Who reads the first report's author out of a refusal could ask for one practice after the other.
        return gettext("The program has to look at a conflict of interest first: please ask the coordinator.")
    return " ".join(text for _, text in found) or None


def _offer_open(move: Move) -> str | None:
    offer = open_offer(move.tx, move.case.id)
    if offer is None or move.who is None or offer.specialist_id != move.who.id:
        return gettext("This offer is no longer open.")
    return None if offer.expires_at > clock.now() else gettext("The time to accept this offer is over.")


def _captured_or_free(move: Move) -> str | None:
    return (
        None
        if money.is_free(move.case) or money.is_taken(move.tx, move.case)
        else gettext("The payment was not captured.")
    )


def _every_question_answered(move: Move) -> str | None:
    return written.words(move.tx, move.case, latest_report(move.tx, move.case.id))


def _studies_listed(move: Move) -> str | None:
    return written.studies(move.tx, move.case, latest_report(move.tx, move.case.id))


def _signature_known(move: Move) -> str | None:
    return written.signer(move.tx, move.who)


def _report_sealed(move: Move) -> str | None:
    report = latest_report(move.tx, move.case.id)
    return None if report is not None and report.digest else gettext("The report is not signed.")


def _follow_ups_answered(move: Move) -> str | None:
    open_ones = [q for q in move.case.questions if q.follow_up and q.answer is None]
    return gettext("%(count)s follow-up questions are not answered yet.", count=len(open_ones)) if open_ones else None


def _report_in_force(move: Move) -> str | None:
    stands = version_move.in_force(reports_of(move.tx, move.case.id)) is not None
    return None if stands else gettext("The report was taken back: until one is in force again the case stays open.")


def _no_version_open(move: Move) -> str | None:
    waits = any(one.state in report_states.OPEN for one in reports_of(move.tx, move.case.id))
    return gettext("A correction or addition is being written, or waits to be published.") if waits else None


def _no_legal_hold(move: Move) -> str | None:
    held = hold_of(move.tx, move.case.id) is not None
    return gettext("The case is under legal hold: nothing of it may be erased.") if held else None


def _erasure_begun(move: Move) -> str | None:
    asked = erasure_of(move.tx, move.case.id)
    if asked is None or asked.first_by is None:
        return gettext("An admin has to begin the erasure first.")
    if move.who is None or move.who.id == asked.first_by:
        return gettext("A second person has to carry it out: not the one who began it.")
    return None


GUARDS: Mapping[str, Guard] = {
    "address_confirmed": _address_confirmed,
    "no_emergency": _no_emergency,
    "eligible_place": _eligible_place,
    "kind_given": _kind_given,
    "has_subject": _has_subject,
    "in_scope": _in_scope,
    "has_answers": _has_answers,
    "has_questions": _has_questions,
    "has_identity": _has_identity,
    "authority_given": _authority_given,
    "authority_checked": _authority_checked,
    "has_consents": _has_consents,
    "images_chosen": _images_chosen,
    "documents_here": _documents_here,
    "paid_or_free": _paid_or_free,
    "has_reason": _has_reason,
    "asked_at_intake": _asked_at_intake,
    "asked_in_review": _asked_in_review,
    "studies_released": _studies_released,
    "checklist_done": _checklist_done,
    "some_study_released": _some_released,
    "specialist_eligible": _specialist_eligible,
    "specialist_free": _specialist_free,
    "offer_open": _offer_open,
    "captured_or_free": _captured_or_free,
    "every_question_answered": _every_question_answered,
    "studies_listed": _studies_listed,
    "signature_known": _signature_known,
    "report_sealed": _report_sealed,
    "follow_ups_answered": _follow_ups_answered,
    "report_in_force": _report_in_force,
    "no_version_open": _no_version_open,
    "no_legal_hold": _no_legal_hold,
    "erasure_begun": _erasure_begun,
}
