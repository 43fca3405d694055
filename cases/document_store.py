"""A document's objects into the archive, by the one write path, and out of it again."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cases import document_dicom, imaging
from cases.allowance import Allowance, limits
from cases.document_dicom import Paper
from cases.imaging import Archive
from cases.models import Case, CaseStudy
from overread.kit.errors import Conflict, OverreadError, Unavailable
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings
from pacs.dicom.status import FailureReason
from pacs.index.scope import sender_of
from pacs.store import ingest
from pacs.store.ingest import Refused, Source, Stored


def store(archive: Archive, settings: Settings, who: Principal, paper: Paper) -> None:
    """Put a document's objects into the archive as sent to its case, all or none; idempotent.

    What a patient adds counts as their images do. Raises TooLarge where they may store no more, Unavailable,
    StorageFull, Conflict.
    """
    case_id = paper.subject.case_id
    with archive.db.transaction() as tx:
        # What a try has stored that died behind it.
        here = imaging.held(tx, paper.study_uid, sender_of(who))
    made = {uid: data for uid, data in document_dicom.objects(paper).items() if uid not in here}
    allowance = Allowance(archive.db, case_id, limits(settings)) if who.role is Role.PATIENT else None
    taken = allowance.take(sum(map(len, made.values())), len(made)) if allowance else (0, 0)
    stored: list[str] = []
    try:
        stored = _ingested(archive, Source(who, "document", case_id=case_id), made)
    finally:
        if allowance:
            allowance.give_back(taken[0] - sum(len(made[uid]) for uid in stored), taken[1] - len(stored))


def remove(tx: Session, case: Case, study_uid: str, *, counted: bool) -> None:
    """Remove a document's study from a case, from the archive and from the view; `counted`: a patient sent it."""
    for study_pk, uid in imaging.uploaded(tx, case.id).items():
        if uid == study_uid:
            size, instances = imaging.take_out(tx, case.id, case.view_id, study_pk, uid)
            if counted:
                Allowance.returned(tx, case.id, size, instances)
    tx.execute(delete(CaseStudy).where(CaseStudy.case_id == case.id, CaseStudy.study_uid == study_uid))


def _ingested(archive: Archive, source: Source, made: Mapping[str, bytes]) -> list[str]:
    """The SOP Instance UIDs of what was new."""
    prepared = []
    for data in made.values():
        with ingest.receive(archive, source) as incoming:
            incoming.write(data)
            one = incoming.finish()
        if isinstance(one, Refused):
            raise OverreadError(f"a document's object was refused: {one.reason}")
        prepared.append(one)
    outcomes = dict(zip(made, ingest.store(archive, source, prepared), strict=True))
    for outcome in outcomes.values():
        if isinstance(outcome, Refused):
            kind = Unavailable if outcome.reason is FailureReason.OUT_OF_RESOURCES else Conflict
            raise kind(f"a document's object was refused: {outcome.reason}", safe=outcome.sentence)
    return [uid for uid, outcome in outcomes.items() if isinstance(outcome, Stored)]
