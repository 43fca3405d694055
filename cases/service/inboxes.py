"""The coordinators' inbox: what was sent and is in no case, or came for one that has the study from somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import imaging, notify, reference
from cases.imaging import Found
from cases.models import Case, CaseStudy, InboxStudy
from cases.repository import inbox
from cases.service.facts import sender
from cases.states import StudyState
from overread.kit import audit, clock
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.principals import Principal, Role


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A study that waits for a case, as the coordinator sees it.

    `sender`: who sent it; its DICOMweb root is `/senders/{holder_id}/dicomweb`. `reason`: why it is kept apart, and
    `case_id` from which case.
    """

    id: UUID
    study_uid: str
    arrived_at: datetime
    holder_id: UUID
    sender: str
    case_id: UUID | None
    case_reference: str
    reason: str
    study: Found | None


def listed(tx: Session, who: Principal) -> list[InboxItem]:
    """The coordinator's inbox, newest first. Raises Forbidden."""
    who.require(Role.COORDINATOR)
    rows = inbox(tx)
    known = imaging.senders(tx, *(row.study_pk for row in rows))
    audit.record(tx, who, "inbox.read", "inbox", "inbox")
    return [_item(tx, row, known.get(row.study_pk)) for row in rows]


def taken_out(tx: Session, who: Principal, items: Sequence[InboxItem]) -> set[tuple[UUID, int]]:
    """Of which cases these very studies were taken out: case and study (`Found.pk`). Raises Forbidden."""
    who.require(Role.COORDINATOR)
    uids = {item.study_uid for item in items}
    rows = select(CaseStudy.case_id, CaseStudy.study_pk).where(
        CaseStudy.study_uid.in_(uids), CaseStudy.state == StudyState.REVOKED
    )
    return {(case_id, pk) for case_id, study_pk in tx.execute(rows) for pk in imaging.members(tx, study_pk)}


def wait(
    tx: Session,
    study_pk: int,
    study_uid: str,
    holder_id: UUID,
    references: Sequence[str],
    case: Case | None,
    reason: str,
) -> None:
    """A sender's study waits for a coordinator, who hears of it. Idempotent; what was matched or left waits again."""
    row = tx.scalars(select(InboxStudy).where(InboxStudy.study_pk == study_pk)).one_or_none()
    news = row is None or row.left_at is not None or row.matched_case_id is not None or row.reason != reason
    if row is None:
        row = InboxStudy(study_pk=study_pk, study_uid=study_uid, holder_id=holder_id)
        tx.add(row)
    row.references = list(references) or row.references or []
    row.case_id, row.reason = case.id if case else None, reason
    row.named = case is not None and any(case.reference == found for found in map(reference.find, references))
    row.matched_case_id = row.left_at = None
    tx.flush()
    if news:
        notify.queue_coordinators(tx, case, "apart" if reason else "unmatched")


def take(tx: Session, item_id: UUID, case: Case) -> InboxStudy:
    """An item that is now matched to a case. Raises NotFound, Conflict where it was matched to another one before."""
    row = _unmatched(tx, item_id, but_to=case.id)
    row.matched_case_id, row.left_at = case.id, None
    return row


def leave(tx: Session, who: Principal, item_id: UUID, reason: str) -> None:
    """Leave a study where it is, in no case: its sender alone sees it. It waits again when it grows. Idempotent."""
    who.require(Role.COORDINATOR)
    row = _unmatched(tx, item_id)
    if not reason.strip():
        raise Unprocessable("no reason", safe="Please say why this study belongs to no case.")
    if row.left_at is None:
        row.left_at = clock.now()
        audit.record(tx, who, "inbox.leave", "study", row.study_uid, case_id=row.case_id, reason=reason.strip()[:500])


def _unmatched(tx: Session, item_id: UUID, but_to: UUID | None = None) -> InboxStudy:
    """An item that no case but one has, locked. Raises NotFound, Conflict."""
    row = tx.get(InboxStudy, item_id, with_for_update=True)
    if row is None:
        raise NotFound(f"study {item_id} is not in the inbox")
    if row.matched_case_id not in (None, but_to):
        raise Conflict(f"study {item_id} is matched", safe="This study was matched already.")
    return row


def _item(tx: Session, row: InboxStudy, found: Found | None) -> InboxItem:
    case = tx.get(Case, row.case_id) if row.case_id else None
    return InboxItem(
        id=row.id,
        study_uid=row.study_uid,
        arrived_at=row.arrived_at,
        holder_id=row.holder_id,
        sender=sender(tx, row.holder_id),
        case_id=row.case_id,
        case_reference=case.reference if case else "",
        reason=row.reason,
        study=found,
    )
