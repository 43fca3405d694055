"""The coordinators' inbox: what was sent and is in no case, or came for one that has the study from somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, func, select
from sqlalchemy.orm import Session

from cases import digest, identity, imaging, reference
from cases.identity import Verdict
from cases.imaging import StudySummary
from cases.models import Case, CaseStudy, InboxStudy
from cases.referral_models import Referral
from cases.repository import by_reference, cases_with, dismissed, load_unasked, visible, waits
from cases.service.presentation import name_of, sender
from cases.states import OPEN, StudyState
from overread.kit import audit, clock, permissions
from overread.kit.dates import parse_da
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed
from pacs.index.events import StudyStable

_MOST_REASON = 500


class Show(StrEnum):
    """Which studies of the inbox a list shows."""

    WAITING = "waiting"
    DISMISSED = "dismissed"


_ORDER = {
    Show.WAITING: Keyset(InboxStudy.arrived_at, InboxStudy.id, descending=True),
    Show.DISMISSED: Keyset(InboxStudy.dismissed_at, InboxStudy.id, descending=True),
}


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A study that waits for a case, or was dismissed, as the coordinator sees it.

    `sender`: who sent it; its DICOMweb root is `/senders/{sender_id}/dicomweb`. `reason`: why it is kept apart, and
    `case_reference` from which case; `case_id` only where it came for that one. `dismissed_at`, `dismissed_by` and
    `dismissed_reason`: when, by whom and why. `referral`: the number of one that it came for, whose patient has not
    agreed yet.
    """

    id: UUID
    study_uid: str
    arrived_at: datetime
    sender_id: UUID
    sender: str
    case_id: UUID | None
    case_reference: str
    reason: str
    referral: str
    study: StudySummary | None
    dismissed_at: datetime | None
    dismissed_by: str
    dismissed_reason: str


def listed(
    tx: Session, who: Principal, show: Show = Show.WAITING, *, after: str = "", limit: int = 200
) -> Page[InboxItem]:
    """The coordinator's inbox, newest first. Raises Forbidden, BadInput for a cursor that is none."""
    permissions.require(who, Permission.INBOX_MANAGE)
    page = _ORDER[show].page(tx, select(InboxStudy).where(_shown(show)), after, limit)
    known = imaging.senders(tx, *(row.study_pk for row in page))
    others = cases_with(tx, {row.study_uid for row in page})
    audit.record(tx, who, "inbox.read", "inbox", "inbox")
    return page.of([_item(tx, row, known.get(row.study_pk), others.get(row.study_uid)) for row in page])


def count(tx: Session, who: Principal, show: Show = Show.WAITING) -> int:
    """How many studies a list of the inbox has. Raises Forbidden."""
    permissions.require(who, Permission.INBOX_MANAGE)
    return tx.scalar(select(func.count()).select_from(InboxStudy).where(_shown(show))) or 0


def candidates(tx: Session, who: Principal, items: Sequence[InboxItem]) -> dict[UUID, list[str]]:
    """The reference numbers of the open cases whose patient has an item's name and birth date, by the item's id.

    None of a case that this very study was taken out of. Raises Forbidden.
    """
    permissions.require(who, Permission.INBOX_MANAGE)
    born = {item.id: parse_da(item.study.birth_date) for item in items if item.study}
    # Without an equal birth date no identity is the same: the index on it leaves few names to compare.
    query = visible(who).where(Case.birth_date.in_({day for day in born.values() if day}))
    by_day: dict[date | None, list[Case]] = {}
    for case in tx.scalars(query.where(Case.state.in_(OPEN)).order_by(Case.id)):
        by_day.setdefault(case.birth_date, []).append(case)
    out = taken_out(tx, who, items)
    return {
        item.id: [
            case.reference
            for case in by_day.get(born[item.id], ())
            if (case.id, item.study.pk) not in out and _same(case, item.study)
        ]
        for item in items
        if item.study
    }


def case_of(tx: Session, who: Principal, typed: str) -> UUID | None:
    """The case whose reference number a coordinator typed; None where there is none. Raises Forbidden."""
    permissions.require(who, Permission.INBOX_MANAGE)
    named = reference.find(typed)
    case = by_reference(tx, named) if named else None
    return case.id if case else None


def _same(case: Case, study: StudySummary) -> bool:
    told = identity.compare(case.patient_name, case.birth_date, study.patient_name, study.birth_date)
    return told.verdict is Verdict.SAME


def taken_out(tx: Session, who: Principal, items: Sequence[InboxItem]) -> set[tuple[UUID, int]]:
    """Of which cases these very studies were taken out: case and study (`StudySummary.pk`). Raises Forbidden."""
    permissions.require(who, Permission.INBOX_MANAGE)
    uids = {item.study_uid for item in items}
    rows = select(CaseStudy.case_id, CaseStudy.study_pk).where(
        CaseStudy.study_uid.in_(uids), CaseStudy.state == StudyState.REVOKED
    )
    return {(case_id, pk) for case_id, study_pk in tx.execute(rows) for pk in imaging.members(tx, study_pk)}


def named(tx: Session, case_id: UUID) -> list[StudyStable]:
    """What waits with the reference number of a case, for the system itself: as it was told when it arrived."""
    case = load_unasked(tx, case_id)
    if case is None:
        return []
    # As `reference.find` reads it; that has the last word.
    spelled = case.reference.replace("-", "[-_ ]?")
    query = select(InboxStudy).where(waits(), func.upper(cast(InboxStudy.references, Text)).op("~")(spelled))
    return [
        StudyStable(row.study_pk, row.study_uid, [], row.references, str(row.sender_id))
        for row in tx.scalars(query.order_by(InboxStudy.id))
        if any(reference.find(text) == case.reference for text in row.references)
    ]


def wait(
    tx: Session,
    study_pk: int,
    study_uid: str,
    sender_id: UUID,
    references: Sequence[str],
    case: Case | None,
    reason: str,
) -> None:
    """A sender's study waits for a coordinator, who hears of it. Idempotent.

    What was matched or dismissed waits again.
    """
    row = tx.scalars(select(InboxStudy).where(InboxStudy.study_pk == study_pk)).one_or_none()
    news = row is None or row.dismissed_at is not None or row.matched_case_id is not None or row.reason != reason
    if row is None:
        row = InboxStudy(study_pk=study_pk, study_uid=study_uid, sender_id=sender_id)
        tx.add(row)
    elif news:
        # Among what is new: far down, where it stood before, nobody would see it.
        row.arrived_at = clock.now()
    row.references = list(references) or row.references or []
    row.case_id, row.reason = case.id if case else None, reason
    row.named = case is not None and any(case.reference == found for found in map(reference.find, references))
    row.matched_case_id = None
    _wait_again(row)
    tx.flush()
    if news:
        digest.note(tx, "apart" if reason else "unmatched", case, row)


def take(tx: Session, item_id: UUID, case: Case) -> InboxStudy:
    """An item that is now matched to a case. Raises NotFound, Conflict where it was matched to another one before."""
    row = _unmatched(tx, item_id, but_to=case.id)
    row.matched_case_id = case.id
    _wait_again(row)
    return row


def dismiss(tx: Session, who: Principal, item_id: UUID, reason: str) -> None:
    """Say that a study belongs to no case: its sender alone sees it. It waits again when it grows. Idempotent."""
    permissions.require(who, Permission.INBOX_MANAGE)
    row = _unmatched(tx, item_id)
    if not reason.strip():
        raise Unprocessable("no reason", safe=gettext("Please say why this study belongs to no case."))
    if row.dismissed_at is None:
        row.dismissed_at, row.dismissed_by = clock.now(), who.id
        # Free text, which has no place in the audit log: it may name the patient.
        row.dismissed_reason = trimmed(reason)[:_MOST_REASON]
        audit.record(tx, who, "inbox.dismiss", "study", row.study_uid, case_id=row.case_id)


def restore(tx: Session, who: Principal, item_id: UUID) -> None:
    """Take a dismissal back: the study waits again, where it stood. Idempotent."""
    permissions.require(who, Permission.INBOX_MANAGE)
    row = _unmatched(tx, item_id)
    if row.dismissed_at is not None:
        _wait_again(row)
        audit.record(tx, who, "inbox.restore", "study", row.study_uid, case_id=row.case_id)


def forget(tx: Session, study_pk: int) -> None:
    """A study is gone from the archive: nobody has to find a case for it. Idempotent."""
    tx.execute(delete(InboxStudy).where(InboxStudy.study_pk == study_pk))


def _wait_again(row: InboxStudy) -> None:
    row.dismissed_at, row.dismissed_by, row.dismissed_reason = None, None, ""


def _shown(show: Show) -> ColumnElement[bool]:
    return waits() if show is Show.WAITING else dismissed()


def _unmatched(tx: Session, item_id: UUID, but_to: UUID | None = None) -> InboxStudy:
    """An item that no case but one has, locked. Raises NotFound, Conflict."""
    row = tx.get(InboxStudy, item_id, with_for_update=True)
    if row is None:
        raise NotFound(f"study {item_id} is not in the inbox")
    if row.matched_case_id not in (None, but_to):
        raise Conflict(f"study {item_id} is matched", safe=gettext("This study was matched already."))
    return row


def _item(tx: Session, row: InboxStudy, found: StudySummary | None, other: Case | None) -> InboxItem:
    case = tx.get(Case, row.case_id) if row.case_id else other
    reason = row.reason
    if case is not None and not reason:
        reason = f"Case {case.reference} has a study of the same number from another sender; this one names no case."
    return InboxItem(
        id=row.id,
        study_uid=row.study_uid,
        arrived_at=row.arrived_at,
        sender_id=row.sender_id,
        sender=sender(tx, row.sender_id),
        case_id=row.case_id,
        case_reference=case.reference if case else "",
        reason=reason,
        referral=_referral(tx, row),
        study=found,
        dismissed_at=row.dismissed_at,
        dismissed_by=name_of(tx, row.dismissed_by),
        dismissed_reason=row.dismissed_reason,
    )


def _referral(tx: Session, row: InboxStudy) -> str:
    numbers = {found for text in row.references if (found := reference.find(text))}
    open_one = select(Referral.reference).where(
        Referral.reference.in_(numbers), Referral.case_id.is_(None), Referral.ended_at.is_(None)
    )
    return (tx.scalar(open_one.limit(1)) or "") if numbers else ""
