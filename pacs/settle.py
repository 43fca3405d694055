"""When a study has stopped growing: the moment to match it and to make its de-identified view."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from overread.kit import clock, jobs
from pacs import changes
from pacs.archive import Archive
from pacs.events import StudyGrowing, StudySettled
from pacs.models import Holder, Study
from pacs.rows import QUIET
from pacs.scope import ORIGINAL


def on_study_growing(archive: Archive, event: StudyGrowing) -> None:
    """Tell that a study has settled, or look again later where it still grows."""
    with archive.db.transaction() as tx:
        study = tx.scalars(
            select(Study).where(Study.view_id == ORIGINAL, Study.study_uid == event.study_uid).with_for_update()
        ).one_or_none()
        if study is None or not study.settling:
            return
        wait = study.changed_at + QUIET - clock.now()
        # A change that is dated in the future is one of a clock that ran ahead: nobody waits for it to come true.
        if timedelta(0) < wait <= QUIET:
            jobs.emit(tx, event, after=wait)
            _tell(tx, study, changes.Kind.GROWING)
            return
        study.settling = False
        jobs.emit(tx, _settled(tx, study))
        _tell(tx, study, changes.Kind.STABLE)


def _tell(tx: Session, study: Study, kind: changes.Kind) -> None:
    held_by = changes.holders(tx, study.pk)
    changes.record(tx, study.view_id, study.study_uid, kind, instances=study.instance_count, holder_ids=held_by)


def _settled(tx: Session, study: Study) -> StudySettled:
    holders = tx.execute(
        select(Holder.holder_id, Holder.case_id, Holder.called_ae).where(Holder.study_pk == study.pk).distinct()
    ).all()
    references = [study.accession, study.patient_id, study.description, *(row.called_ae for row in holders)]
    return StudySettled(
        study_uid=study.study_uid,
        case_ids=sorted({str(row.case_id) for row in holders if row.case_id}),
        references=[text for text in dict.fromkeys(references) if text],
        holder_ids=sorted({str(row.holder_id) for row in holders}),
    )
