"""Studies in a case: matching, quarantine, de-identified copies, masks, release and revocation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cases import identity, imaging, notify, reference
from cases.identity import Verdict
from cases.imaging import Archive, Found, StudyReview
from cases.machine import move_study
from cases.models import Case, CaseStudy, InboxStudy, Report
from cases.move import StudyMove
from cases.repository import by_reference, inbox, load, load_unasked, studies_of, study_of
from cases.service import facts
from cases.states import FINAL, Actor, StudyEvent, StudyState
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role
from pacs.events import StudySettled


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A study that waits for a case, as the coordinator sees it."""

    study_uid: str
    arrived_at: datetime
    holder_id: UUID | None
    study: Found | None


def settle(tx: Session, event: StudySettled) -> None:
    """A study stopped growing: put it into the cases that it names, else into the inbox. Idempotent.

    It belongs to the cases that it was uploaded to, else to the one whose reference number stands in it.
    """
    if tx.scalar(select(Report.id).where(Report.study_uid == event.study_uid)) is not None:
        # Our own report, which belongs beside the images and is none of them.
        return
    if not imaging.original(tx, event.study_uid):
        # Deleted since.
        return
    holder = UUID(event.holder_ids[0]) if event.holder_ids else None
    targets = [(UUID(case_id), "upload") for case_id in event.case_ids]
    for text in event.references:
        named = reference.find(text)
        case = by_reference(tx, named) if named else None
        if case is not None and all(case.id != case_id for case_id, _ in targets):
            targets.append((case.id, "reference"))
    placed = False
    for case_id, found_by in targets:
        case = load_unasked(tx, case_id, lock=True)
        if case is not None and case.state not in FINAL:
            _place(tx, case, event.study_uid, found_by, holder, None)
            placed = True
    waiting = tx.get(InboxStudy, event.study_uid)
    if placed:
        if waiting is not None and waiting.matched_case_id is None:
            waiting.matched_case_id = targets[0][0]
    elif waiting is None:
        tx.add(InboxStudy(study_uid=event.study_uid, holder_id=holder, references=list(event.references)))
        tx.flush()
        notify.queue_coordinators(tx, None, "unmatched")
    elif waiting.matched_case_id is not None:
        # Matched by hand before, and more of it has come.
        case = load_unasked(tx, waiting.matched_case_id, lock=True)
        if case is not None and case.state not in FINAL:
            _place(tx, case, event.study_uid, "hand", holder, None)


def compare_again(tx: Session, case_id: UUID) -> None:
    """Look again at the studies whose identity differed, now that the patient's is complete. Idempotent."""
    case = load_unasked(tx, case_id, lock=True)
    if case is None or case.state in FINAL:
        return
    for study in studies_of(tx, case_id):
        original = imaging.original(tx, study.study_uid).get(study.study_uid)
        if study.state is StudyState.MISMATCH and original is not None:
            move_study(StudyMove(tx, case, study, StudyEvent.GROW, Actor.SYSTEM, None, "The identity was completed."))
            _compare(tx, case, study, original, None)


def unmatched(tx: Session, who: Principal) -> list[InboxItem]:
    """The coordinator's inbox, newest first. Raises Forbidden."""
    who.require(Role.COORDINATOR)
    rows = inbox(tx)
    known = imaging.original(tx, *(row.study_uid for row in rows))
    audit.record(tx, who, "inbox.read", "inbox", "inbox")
    return [InboxItem(row.study_uid, row.arrived_at, row.holder_id, known.get(row.study_uid)) for row in rows]


def match_by_hand(tx: Session, who: Principal, study_uid: str, case_id: UUID) -> StudyState:
    """Put a study of the inbox into a case; its identity is compared like any other's. The state it is in then."""
    who.require(Role.COORDINATOR)
    case = _case(tx, who, case_id)
    waiting = tx.get(InboxStudy, study_uid, with_for_update=True) if imaging.is_uid(study_uid) else None
    if waiting is None:
        raise NotFound(f"study {study_uid!r} is not in the inbox")
    if waiting.matched_case_id == case.id and (matched := study_of(tx, case.id, study_uid)) is not None:
        return matched.state
    if waiting.matched_case_id is not None:
        raise Conflict(f"study {study_uid} is matched", safe="This study was matched already.")
    waiting.matched_case_id = case.id
    return _place(tx, case, study_uid, "hand", waiting.holder_id, who).state


def confirm(tx: Session, who: Principal, case_id: UUID, study_uid: str, reason: str) -> None:
    """The coordinator says that a study with another identity is this patient's all the same."""
    _move(tx, who, case_id, study_uid, StudyEvent.CONFIRM, reason)


def reject(tx: Session, who: Principal, case_id: UUID, study_uid: str, reason: str) -> None:
    """Take a study out of the case: it leaves the view at once, also where it was released."""
    _move(tx, who, case_id, study_uid, StudyEvent.REVOKE, reason)


def decide(
    tx: Session,
    who: Principal,
    case_id: UUID,
    sop_uids: Sequence[str],
    decision: str,
    digests: Mapping[str, str] | None = None,
) -> None:
    """Approve instances of the case's view that are held, or withhold some. `decision`: "approved" or "withheld".

    `digests` names the bytes that were looked at, by SOP Instance UID; whoever shows pictures to a person gives them.
    Raises Conflict where an approval would be of others. Forbidden, NotFound, Unprocessable.
    """
    case = _case(tx, who, case_id)
    if not all(imaging.is_uid(uid) for uid in sop_uids):
        raise Unprocessable("not a UID", safe="An image is named by its SOP Instance UID.")
    if decision not in ("approved", "withheld"):
        raise Unprocessable(f"decision {decision!r}", safe="A decision is “approved” or “withheld”.")
    if case.view_id is None:
        raise Conflict(f"case {case_id} has no view", safe="The de-identified images are not made yet.")
    imaging.decide(tx, who, case.view_id, list(sop_uids), decision, digests)
    held = {r.study_uid: r.held for r in imaging.review(tx, case.view_id)}
    for uid, count in held.items():
        study = study_of(tx, case.id, uid, lock=True)
        if study is not None:
            study.held = count


def release(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> None:
    """Show a study to the specialist. Raises Conflict while one of its images is held."""
    _move(tx, who, case_id, study_uid, StudyEvent.RELEASE, "")


def review(tx: Session, who: Principal, case_id: UUID) -> list[StudyReview]:
    """How far the case's de-identified copies are checked, for the coordinator."""
    case = _case(tx, who, case_id, lock=False)
    return imaging.review(tx, case.view_id) if case.view_id is not None else []


def derive(archive: Archive, case_id: UUID, study_uid: str) -> None:
    """Make a matched study's de-identified copy and move it on to the coordinator's review. Idempotent.

    In transactions of its own, because it reads every pixel that may hold burned-in text.
    """
    with archive.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        study = study_of(tx, case_id, study_uid)
        if case is None or case.state in FINAL or study is None or study.state is not StudyState.MATCHED:
            return
        view_id = case.view_id = case.view_id or imaging.open_view(tx, archive, case_id, case.program_id)
        known = facts.known(tx, case)
    derived = imaging.derive(archive, view_id, study_uid, known)
    with archive.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        study = study_of(tx, case_id, study_uid, lock=True)
        if case is None or study is None or study.state is not StudyState.MATCHED:
            return
        study.view_study_uid, study.held = derived.study_uid, derived.held
        checked = imaging.review(tx, view_id, study_uid)
        if not any(r.clean or r.held or r.approved for r in checked):
            reason = "No image of this study could be read or de-identified."
            move_study(StudyMove(tx, case, study, StudyEvent.FAIL, Actor.SYSTEM, None, reason))
            return
        reason = "; ".join(f"{count} × {why}" for why, count in sorted(derived.withheld_reasons.items()))
        move_study(StudyMove(tx, case, study, StudyEvent.DERIVE, Actor.SYSTEM, None, reason))


def bring_back(archive: Archive, view_id: UUID, sop_uid: str) -> None:
    """Give an object that was made of a case's view to its patient, beside the original images. Idempotent."""
    with archive.db.transaction() as tx:
        case = tx.scalars(select(Case).where(Case.view_id == view_id)).unique().one_or_none()
        if case is None:
            return
        patient = tx.get_one(PrincipalRow, case.patient_id).as_principal(via="system")
    study_uid = imaging.bring_back(archive, patient, view_id, sop_uid)
    with archive.db.transaction() as tx:
        # One more that nobody has to look at: it is no growth of the study.
        grown = update(CaseStudy).where(CaseStudy.study_uid == study_uid)
        tx.execute(grown.values(instances=CaseStudy.instances + 1))


def _place(
    tx: Session, case: Case, study_uid: str, found_by: str, holder: UUID | None, who: Principal | None
) -> CaseStudy:
    """Put a study into a case (again, when it has grown) and compare whose it is."""
    actor = Actor.COORDINATOR if who else Actor.SYSTEM
    original = imaging.original(tx, study_uid).get(study_uid)
    if original is None:
        raise NotFound(f"study {study_uid} is not in the archive")
    study = study_of(tx, case.id, study_uid, lock=True)
    if study is None:
        study = CaseStudy(
            case_id=case.id, study_uid=study_uid, state=StudyState.RECEIVING, found_by=found_by, holder_id=holder
        )
        tx.add(study)
        tx.flush()
        first = StudyEvent.SETTLE
    elif study.state is StudyState.REVOKED:
        return study
    elif study.instances >= original.instances and study.state is not StudyState.RECEIVING:
        # Told twice, or of what we have looked at already.
        return study
    else:
        first = StudyEvent.SETTLE if study.state is StudyState.RECEIVING else StudyEvent.GROW
    if study.state is not StudyState.QUARANTINED:
        move_study(StudyMove(tx, case, study, first, actor, who))
    study.instances = original.instances
    return _compare(tx, case, study, original, who)


def _compare(tx: Session, case: Case, study: CaseStudy, original: Found, who: Principal | None) -> CaseStudy:
    """From quarantined to matched, or to mismatch with what differs."""
    actor = Actor.COORDINATOR if who else Actor.SYSTEM
    compared = identity.compare(case.patient_name, case.birth_date, original.patient_name, original.birth_date)
    # A coordinator who confirmed the identity has confirmed it for the rest of the study, too.
    same = compared.verdict is Verdict.SAME or study.confirmed
    event = StudyEvent.IDENTITY_AGREES if same else StudyEvent.IDENTITY_DIFFERS
    return move_study(StudyMove(tx, case, study, event, actor, who, "" if same else " ".join(compared.reasons)))


def _move(tx: Session, who: Principal, case_id: UUID, study_uid: str, event: StudyEvent, reason: str) -> None:
    case = _case(tx, who, case_id)
    study = study_of(tx, case_id, study_uid, lock=True) if imaging.is_uid(study_uid) else None
    if study is None:
        raise NotFound(f"study {study_uid!r} in case {case_id}")
    move_study(StudyMove(tx, case, study, event, Actor.COORDINATOR, who, reason))
    if event is StudyEvent.CONFIRM:
        study.confirmed = True


def _case(tx: Session, who: Principal, case_id: UUID, *, lock: bool = True) -> Case:
    case, actor = load(tx, who, case_id, lock=lock)
    if actor is not Actor.COORDINATOR:
        raise Forbidden(f"{actor} asked for the studies of case {case_id}")
    return case
