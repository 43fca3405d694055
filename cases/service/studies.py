"""Studies in a case: matching, quarantine, de-identified copies, masks, release and revocation."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import delegations, document_store, identity, imaging, parts, reference
from cases.identity import Verdict
from cases.imaging import Archive, Compared, Seen, StudyReview
from cases.machine import move_study
from cases.models import DOCUMENT, Case, CaseStudy, InboxStudy, Report
from cases.move import StudyMove
from cases.repository import by_reference, document_of, load, load_unasked, studies_of, study_of
from cases.service import inboxes, presentation
from cases.states import ENDED, KNOWN_THEIRS, PATIENT_SIDE, Actor, CaseState, StudyEvent, StudyState
from overread.kit import audit, permissions
from overread.kit.dates import parse_da
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow
from overread.kit.words import counted
from pacs.index.events import StudyStable


def on_stable(tx: Session, archive: Archive, event: StudyStable) -> None:
    """A sender's study stopped growing: put it into the cases that it is for, else into the inbox. Idempotent.

    It is for the cases that it was uploaded to, else for the one whose reference number stands in it, and for those
    that have it already. A case that has the study from somebody else gets nothing of it: a coordinator decides.
    """
    sender_id = UUID(event.sender_id)
    report = select(Report.id).join(Case, Case.id == Report.case_id)
    if tx.scalar(report.where(Report.study_uid == event.study_uid, Case.patient_id == sender_id)) is not None:
        # Our own report, which belongs beside the images and is none of them.
        return
    if not imaging.senders(tx, event.study_pk):
        # Deleted since.
        return
    waiting = tx.scalars(
        select(InboxStudy).where(InboxStudy.study_pk == event.study_pk).with_for_update()
    ).one_or_none()
    apart: tuple[Case, str] | None = None
    placed = False
    for case_id, found_by in _targets(tx, event):
        case = load_unasked(tx, case_id, lock=True)
        if case is None or case.state in ENDED:
            continue
        reason = _arrive(tx, archive, case, event, found_by)
        if not reason:
            placed = True
            if waiting is not None and waiting.matched_case_id is None:
                waiting.matched_case_id = case.id
        elif apart is None:
            apart = case, reason
    if apart is not None or not placed:
        case, reason = apart or (None, "")
        inboxes.wait(tx, event.study_pk, event.study_uid, sender_id, event.references, case, reason)


def _targets(tx: Session, event: StudyStable) -> list[tuple[UUID, str]]:
    """The cases that a study is for, each once, and how that was found."""
    found = dict.fromkeys(map(UUID, event.case_ids), "upload")
    if not found:
        for text in event.references:
            named = reference.find(text)
            case = by_reference(tx, named) if named else None
            if case is not None:
                found.setdefault(case.id, "reference")
    keys = [event.study_pk, *imaging.made_of(tx, event.study_pk)]
    # Matched by hand before, and more of it has come.
    for case_id in tx.scalars(select(CaseStudy.case_id).where(CaseStudy.study_pk.in_(keys)).order_by(CaseStudy.id)):
        found.setdefault(case_id, "hand")
    return list(found.items())


def _arrive(tx: Session, archive: Archive, case: Case, event: StudyStable, found_by: str) -> str:
    """A study came for a case: place it there, or say why it is kept apart."""
    study = study_of(tx, case.id, event.study_uid, lock=True)
    sender_id = UUID(event.sender_id)
    member = study is not None and event.study_pk in imaging.members(tx, study.study_pk)
    if study is not None and study.state is StudyState.REVOKED:
        if member or study.study_pk == event.study_pk:
            return f"It was taken out of case {case.reference} before, and more of it has come."
        return f"This study was taken out of case {case.reference} before; this came from somebody else."
    if study is None or study.study_pk == event.study_pk:
        _place(tx, case, event.study_pk, event.study_uid, found_by, sender_id, None)
        return ""
    if member:
        imaging.refresh(tx, study, event.study_pk)
        _place(tx, case, study.study_pk, event.study_uid, found_by, sender_id, None)
        return ""
    more = imaging.beside(tx, archive, study, event.study_pk)
    if not more.new and not more.other:
        return ""
    if more.other or not _belongs(tx, study, event, more):
        return (
            f"Case {case.reference} has this study from another sender. Of what came now "
            f"{counted(more.new, 'image is', 'images are')} new, {counted(more.same, 'is', 'are')} there already, and "
            f"{counted(more.other, 'differs', 'differ')} from those there with the same number."
        )
    imaging.join(tx, study, event.study_pk)
    _place(tx, case, study.study_pk, event.study_uid, found_by, sender_id, None)
    return ""


def _belongs(tx: Session, study: CaseStudy, event: StudyStable, more: Compared) -> bool:
    """Whether another sender's study may join a case's without a person.

    A coordinator who sends to a case is one. Else nobody has matched the study yet, its sender proves by an image to
    have what we have, and both say in full that they are of the same person.
    """
    if UUID(event.sender_id) == imaging.STAFF and str(study.case_id) in event.case_ids:
        return True
    if not more.same or study.state not in (StudyState.QUARANTINED, StudyState.MISMATCH):
        return False
    ours, theirs = (
        {(one.patient_id, one.birth_date, one.patient_name) for one in imaging.senders(tx, key).values()}
        for key in (study.study_pk, event.study_pk)
    )
    return ours == theirs and all(all(one) for one in ours)


def compare_again(tx: Session, case_id: UUID) -> None:
    """Look again at the studies whose identity differed, now that the patient's is complete. Idempotent."""
    case = load_unasked(tx, case_id, lock=True)
    if case is None or case.state in ENDED:
        return
    for study in studies_of(tx, case_id):
        if study.state is StudyState.MISMATCH and imaging.original(tx, study):
            move_study(StudyMove(tx, case, study, StudyEvent.GROW, Actor.SYSTEM, None, "The identity was completed."))
            study.looked_at = 0
            _compare(tx, case, study, imaging.identities(tx, study, 0), None)


def recheck(tx: Session, who: Principal, case: Case, *, renamed: bool) -> None:
    """Compare a case's studies with its patient anew, whose identity was corrected.

    Where the name is another one (`renamed`) the copies are made again: it may stand in them. Else only those move that
    agreed and differ now, or the other way round. The caller holds the case's row lock.
    """
    parts.require(Actor.COORDINATOR, Permission.CASE_STUDIES, case.id)
    for study in studies_of(tx, case.id):
        known = study.state in KNOWN_THEIRS
        if study.state not in (*KNOWN_THEIRS, StudyState.MISMATCH) or not imaging.original(tx, study):
            continue
        seen = imaging.identities(tx, study, 0)
        if not (renamed and known) and _agrees(tx, case, study, seen) == known:
            continue
        reason = gettext("The patient’s identity was corrected.")
        move_study(StudyMove(tx, case, study, StudyEvent.GROW, Actor.COORDINATOR, who, reason))
        if case.view_id is not None:
            imaging.revoke(tx, who, case.view_id, study.study_uid)
            imaging.drop(tx, case.view_id, study.study_uid)
            study.view_study_uid, study.pending, study.released_at = None, 0, None
        study.looked_at = 0
        _compare(tx, case, study, seen, who)


def _agrees(tx: Session, case: Case, study: CaseStudy, seen: Seen) -> bool:
    """Whether every image of a study says that it is the patient's, or was confirmed to be."""
    confirmed = _confirmed(tx, case, study)
    return bool(seen.identities) and all(
        (one.name, one.birth_date) in confirmed
        or identity.compare(case.patient_name, case.birth_date, one.name, one.birth_date).verdict is Verdict.SAME
        for one in seen.identities
    )


class OtherPerson(Unprocessable):
    """A study that says that it is somebody else's than the case's patient; its sentence names both."""

    title = Phrase("The study is of another person")


def match_by_hand(tx: Session, who: Principal, item_id: UUID, case_id: UUID, despite: str = "") -> StudyState:
    """Put a study of the inbox into a case; its identity is compared like any other's. The state it is in then.

    `despite`: why it is matched although its name or birth date is another one; without it OtherPerson is raised, and
    nothing is matched.

    Where the case has the study from another sender, what is new joins it. Where it was taken out of the case before,
    this sender's comes in its place, and nothing of what there was.
    """
    permissions.require(who, Permission.INBOX_MANAGE)
    case = _case(tx, who, case_id)
    waiting = inboxes.take(tx, item_id, case)
    if not despite.strip():
        _refuse_other(tx, case, waiting.study_pk)
    study = study_of(tx, case.id, waiting.study_uid, lock=True)
    study_pk = waiting.study_pk
    if study is not None and study.state is StudyState.REVOKED:
        study.study_pk, study.whole, study.found_by, study.sender_id = study_pk, True, "hand", waiting.sender_id
        study.looked_at, study.confirmed, study.identities, study.named = 0, False, [], []
        study.view_study_uid, study.pending = None, 0
    elif study is not None and study_pk not in (study.study_pk, *imaging.members(tx, study.study_pk)):
        imaging.join(tx, study, study_pk)
        audit.record(tx, who, "study.join", "study", waiting.study_uid, case_id=case.id, sender=str(waiting.sender_id))
    if study is not None:
        study_pk = study.study_pk
    placed = _place(tx, case, study_pk, waiting.study_uid, "hand", waiting.sender_id, who, despite)
    if waiting.named and waiting.case_id == case.id:
        placed.named = [*placed.named, waiting.study_pk]
    imaging.lead(tx, placed)
    return placed.state


def confirm(tx: Session, who: Principal, case_id: UUID, study_uid: str, reason: str) -> None:
    """The coordinator says that a study with another identity is this patient's all the same."""
    study = _move(tx, who, case_id, study_uid, StudyEvent.CONFIRM, reason)
    study.confirmed = True
    said = imaging.identities(tx, study, 0).identities
    # Of what does not say whose it is, only these very images were confirmed.
    study.identities = [[one.name, one.birth_date] for one in said if one.name and one.birth_date]
    imaging.lead(tx, study)


def reject(tx: Session, who: Principal, case_id: UUID, study_uid: str, reason: str) -> None:
    """Take a study out of the case: it leaves the view at once, also where it was released.

    It waits in the inbox for the case that it belongs to, whoever sent it and where: nothing that arrived is lost. Only
    a document, which was made for this case alone, waits for nobody.
    """
    study = _move(tx, who, case_id, study_uid, StudyEvent.REVOKE, reason)
    case = _case(tx, who, case_id)
    if document_of(tx, case_id, study_uid) is not None:
        return
    for study_pk, sent in imaging.senders(tx, *imaging.members(tx, study.study_pk)).items():
        # Why, stands in the case's history, and goes with it.
        told = gettext("It was taken out of case %(reference)s.", reference=case.reference)
        inboxes.wait(tx, study_pk, study_uid, sent.sender_id, (), None, told)


def take_out(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> None:
    """The patient's side takes a study that they sent out of a draft: it is gone, and can be sent again. Idempotent.

    Raises NotFound, Forbidden, Conflict once the request is sent, or where somebody else sent the study.
    """
    case, actor = load(tx, who, case_id, lock=True)
    if actor not in PATIENT_SIDE:
        raise Forbidden(f"{actor} took a study out of the draft {case_id}")
    if case.state is not CaseState.DRAFT:
        raise Conflict(
            f"study out of a case that is {case.state}",
            safe=gettext("The request is sent: write us a message, and we take the study out."),
        )
    if not imaging.is_uid(study_uid):
        raise NotFound(f"study {study_uid!r} in case {case_id}")
    study = study_of(tx, case_id, study_uid, lock=True)
    sent = {pk for pk, uid in imaging.uploaded(tx, case_id).items() if uid == study_uid}
    side = {who.id} if actor is Actor.HELPER else delegations.side(tx, case.patient_id)
    theirs = {pk for pk, uid in imaging.uploaded(tx, case_id, side).items() if uid == study_uid}
    if sent - theirs or (study is not None and study.study_pk not in theirs):
        raise Conflict(
            "a study of another sender",
            safe=gettext("Somebody else sent this study for you. Write us a message if it is not yours."),
        )
    if document_of(tx, case_id, study_uid) is not None:
        raise Conflict("a document", safe=gettext("This is a document: take it out of your documents."))
    if study is not None and study.state is StudyState.MATCHED:
        # Its copy is being made just now, and would stay behind.
        raise Conflict(
            "the study's copy is being made",
            safe=gettext("The images are still being prepared. Please try again in a minute."),
        )
    document_store.remove(tx, case, study_uid, counted=True)
    audit.record(tx, who, "study.take_out", "study", study_uid, case_id=case_id)


def release(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> None:
    """Show a study to the specialist. Raises Conflict while one of its images waits for review."""
    imaging.lead(tx, _move(tx, who, case_id, study_uid, StudyEvent.RELEASE, ""))


def release_all(tx: Session, who: Principal, case_id: UUID, study_uids: Sequence[str]) -> None:
    """Show several studies to the specialist, all or none: those that somebody saw to be ready, and no others.

    Raises Conflict while an image of one of them waits for review, Unprocessable where none is named.
    """
    if not study_uids:
        raise Unprocessable("no study to release", safe=gettext("Please choose the studies to release."))
    # In one order, so that two who release the same never wait for each other in a circle.
    for study_uid in sorted(set(study_uids)):
        release(tx, who, case_id, study_uid)


def review(tx: Session, who: Principal, case_id: UUID) -> list[StudyReview]:
    """How far the case's de-identified copies are checked, for the coordinator."""
    case = _case(tx, who, case_id, lock=False)
    return imaging.review(tx, case.view_id) if case.view_id is not None else []


def deidentify(archive: Archive, case_id: UUID, study_uid: str) -> None:
    """Make a matched study's de-identified copy and move it on to the coordinator's review. Idempotent.

    In transactions of its own, because it reads every pixel that may hold burned-in text.
    """
    with archive.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        study = study_of(tx, case_id, study_uid)
        if case is None or case.state in ENDED or study is None or study.state is not StudyState.MATCHED:
            return
        view_id = case.view_id = case.view_id or imaging.open_view(tx, archive, case_id, case.program_id)
        known = presentation.known(tx, case)
        source = imaging.scope_of(case_id, [study])
    derived = imaging.deidentify(archive, view_id, source, study_uid, known)
    with archive.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        study = study_of(tx, case_id, study_uid, lock=True)
        if case is None or study is None or study.state is not StudyState.MATCHED:
            return
        if document_of(tx, case_id, study_uid) is not None:
            # Its pages are what is looked at and shown. The file itself stays out, unless a coordinator lets it in.
            imaging.withhold_files(tx, view_id, study_uid)
        checked = imaging.review(tx, view_id, study_uid)
        study.view_study_uid, study.pending = derived.study_uid, sum(r.pending for r in checked)
        if not any(r.clean or r.pending or r.approved for r in checked):
            reason = "No image of this study could be read or de-identified."
            move_study(StudyMove(tx, case, study, StudyEvent.FAIL, Actor.SYSTEM, None, reason))
            return
        reason = "; ".join(f"{count} × {why}" for why, count in sorted(derived.withheld_reasons.items()))
        move_study(StudyMove(tx, case, study, StudyEvent.DEIDENTIFY, Actor.SYSTEM, None, reason))


def bring_back(archive: Archive, view_id: UUID, sop_uid: str) -> None:
    """Give an object that was made of a case's view to its patient, beside the original images. Idempotent."""
    with archive.db.transaction() as tx:
        case = tx.scalars(select(Case).where(Case.view_id == view_id)).unique().one_or_none()
        if case is None:
            return
        patient = tx.get_one(PrincipalRow, case.patient_id).as_principal(via="system")
        case_id = case.id
    back = imaging.bring_back(archive, patient, view_id, sop_uid)
    with archive.db.transaction() as tx:
        study = study_of(tx, case_id, back.study_uid, lock=True) if back is not None else None
        if back is None or study is None:
            return
        if study.study_pk != back.study_pk:
            # The images are another sender's: theirs stays as they sent it, and the case's has both.
            imaging.join(tx, study, back.study_pk, [back.instance_pk])
        # One more that nobody has to look at: it is no growth of the study.
        study.looked_at = imaging.identities(tx, study, study.looked_at).last


def _refuse_other(tx: Session, case: Case, study_pk: int) -> None:
    """Raises OtherPerson where a study says that it is somebody else's."""
    for one in imaging.senders(tx, study_pk).values():
        told = identity.compare(case.patient_name, case.birth_date, one.patient_name, one.birth_date)
        if told.verdict is Verdict.DIFFERENT:
            raise OtherPerson(
                f"study {study_pk} into case {case.id}: {' '.join(told.reasons)}",
                safe=gettext(
                    "%(reasons)s In the images: %(found)s, born %(found_born)s. In case %(reference)s: %(name)s, born "
                    "%(born)s. If it is this patient’s all the same, say why.",
                    reasons=" ".join(told.reasons),
                    found=one.patient_name.replace("^", " ").strip() or "–",
                    found_born=parse_da(one.birth_date) or "–",
                    reference=case.reference,
                    name=case.patient_name,
                    born=case.birth_date or "–",
                ),
            )


def _place(
    tx: Session,
    case: Case,
    study_pk: int,
    study_uid: str,
    found_by: str,
    sender_id: UUID,
    who: Principal | None,
    reason: str = "",
) -> CaseStudy:
    """Put a study into a case (again, when it has grown) and compare whose it is."""
    actor = Actor.COORDINATOR if who else Actor.SYSTEM
    if not imaging.senders(tx, study_pk):
        raise NotFound(f"study {study_pk} is not in the archive")
    study = study_of(tx, case.id, study_uid, lock=True)
    first = StudyEvent.GROW
    if study is None:
        study = CaseStudy(
            case_id=case.id,
            study_uid=study_uid,
            study_pk=study_pk,
            whole=found_by != "upload",
            named=[study_pk] if found_by == "reference" else [],
            state=StudyState.RECEIVING,
            found_by=DOCUMENT if document_of(tx, case.id, study_uid) is not None else found_by,
            sender_id=sender_id,
        )
        tx.add(study)
        tx.flush()
    if study.state in (StudyState.RECEIVING, StudyState.REVOKED):
        first = StudyEvent.STABLE
    # What differed before is not mended by what agrees now.
    compared = study.looked_at if study.state in KNOWN_THEIRS else 0
    seen = imaging.identities(tx, study, compared)
    if seen.last <= study.looked_at and first is StudyEvent.GROW:
        # Told twice, or of what we have looked at already.
        return study
    study.looked_at = compared
    if study.state is not StudyState.QUARANTINED:
        move_study(StudyMove(tx, case, study, first, actor, who, reason))
    return _compare(tx, case, study, seen, who)


def _confirmed(tx: Session, case: Case, study: CaseStudy) -> set[tuple[str, str]]:
    """The names and birth dates that are the patient's whatever the case says: confirmed, or written by ourselves."""
    confirmed = {(one[0], one[1]) for one in study.identities}
    if (paper := document_of(tx, case.id, study.study_uid)) is not None:
        # What we wrote ourselves tells nothing of whose it is: whoever reviews the pages reads that on them.
        confirmed.add((paper.patient_name, paper.birth_date))
    return confirmed


def _compare(tx: Session, case: Case, study: CaseStudy, seen: Seen, who: Principal | None) -> CaseStudy:
    """From quarantined to matched, or to mismatch with what differs. Every image is asked whose it is."""
    actor = Actor.COORDINATOR if who else Actor.SYSTEM
    added, study.looked_at = study.looked_at, seen.last
    confirmed = _confirmed(tx, case, study)
    whole = sum(seen.identities.values())
    reasons = [] if seen.identities else ["None of its images is here any more."]
    for one, images in seen.identities.items():
        compared = identity.compare(case.patient_name, case.birth_date, one.name, one.birth_date)
        # What a coordinator confirmed of a study is confirmed for the rest of it, too.
        if compared.verdict is not Verdict.SAME and (one.name, one.birth_date) not in confirmed:
            some = f"{counted(images, 'more image', 'more images')}: " if added else f"{images} of {whole} images: "
            some = some if added or images != whole else ""
            reasons += [some + reason for reason in compared.reasons]
    event = StudyEvent.IDENTITY_DIFFERS if reasons else StudyEvent.IDENTITY_AGREES
    return move_study(StudyMove(tx, case, study, event, actor, who, " ".join(dict.fromkeys(reasons))))


def _move(tx: Session, who: Principal, case_id: UUID, study_uid: str, event: StudyEvent, reason: str) -> CaseStudy:
    case = _case(tx, who, case_id)
    study = study_of(tx, case_id, study_uid, lock=True) if imaging.is_uid(study_uid) else None
    if study is None:
        raise NotFound(f"study {study_uid!r} in case {case_id}")
    return move_study(StudyMove(tx, case, study, event, Actor.COORDINATOR, who, reason))


def _case(tx: Session, who: Principal, case_id: UUID, *, lock: bool = True) -> Case:
    case, actor = load(tx, who, case_id, lock=lock)
    parts.require(actor, Permission.CASE_STUDIES, case_id)
    return case
