"""When a study has stopped growing: the moment to match it and to make its de-identified view."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from overread.kit import clock, jobs
from pacs.index import changes
from pacs.index.events import StudyReceiving, StudyStable
from pacs.index.models import Study, Upload
from pacs.store.archive import Archive
from pacs.store.rows import STABLE_AFTER


def on_study_receiving(archive: Archive, event: StudyReceiving) -> None:
    """Tell that a study is stable, or look again later where it still grows."""
    with archive.db.transaction() as tx:
        study = tx.get(Study, event.study_pk, with_for_update=True)
        if study is None or not study.receiving:
            return
        wait = study.changed_at + STABLE_AFTER - clock.now()
        # A change that is dated in the future is one of a clock that ran ahead: nobody waits for it to come true.
        if timedelta(0) < wait <= STABLE_AFTER:
            jobs.emit(tx, event, after=wait)
            changes.record(tx, study, changes.Kind.GROWING, instances=study.instance_count)
            return
        study.receiving = False
        jobs.emit(tx, _stable(tx, study))
        changes.record(tx, study, changes.Kind.STABLE, instances=study.instance_count)


def _stable(tx: Session, study: Study) -> StudyStable:
    case_ids = tx.scalars(select(Upload.case_id).where(Upload.study_pk == study.pk).distinct())
    references = [study.accession, study.patient_id, study.description, *study.called]
    return StudyStable(
        study_pk=study.pk,
        study_uid=study.study_uid,
        case_ids=sorted(map(str, case_ids)),
        references=[text for text in dict.fromkeys(references) if text],
        sender_id=str(study.sender_id),
    )
