"""What a study's row says of its series and instances, counted anew where it can't simply be added to."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from overread.kit import clock, jobs
from pacs.index.events import StudyDeleted
from pacs.index.models import Instance, Series, Study
from pacs.index.scope import ORIGINAL


def bring_up_to_date(tx: Session, study_pk: int) -> int:
    """Remove what is empty and count anew; gives how many instances the study still shows.

    Where a study that led is gone, the oldest other one of its UID leads.
    """
    now = clock.now()
    has_instances = select(Instance.pk).where(Instance.series_pk == Series.pk).exists()
    tx.execute(delete(Series).where(Series.study_pk == study_pk, ~has_instances))
    if tx.scalar(select(func.count()).where(Series.study_pk == study_pk)) == 0:
        gone = tx.execute(
            delete(Study).where(Study.pk == study_pk).returning(Study.view_id, Study.study_uid, Study.leads)
        ).one_or_none()
        if gone is not None and gone.view_id == ORIGINAL:
            jobs.emit(tx, StudyDeleted(study_pk))
        if gone is not None and gone.leads:
            other = aliased(Study)
            next_one = select(func.min(other.pk)).where(
                other.view_id == gone.view_id, other.study_uid == gone.study_uid
            )
            tx.execute(update(Study).where(Study.pk == next_one.scalar_subquery()).values(leads=True))
        return 0
    seen = select(func.count()).where(Instance.series_pk == Series.pk, Instance.visible).scalar_subquery()
    # Whoever keeps something made of a series (its metadata, say) sees by changed_at that it is out of date.
    tx.execute(
        update(Series)
        .where(Series.study_pk == study_pk, Series.instance_count != seen)
        .values(instance_count=seen, changed_at=now)
    )
    shown = (Series.study_pk == study_pk, Series.instance_count > 0)
    modalities = set(tx.scalars(select(Series.modality).where(Series.study_pk == study_pk))) - {""}
    left = tx.scalar(select(func.coalesce(func.sum(Series.instance_count), 0)).where(*shown)) or 0
    tx.execute(
        update(Study)
        .where(Study.pk == study_pk)
        .values(
            instance_count=left,
            series_count=select(func.count()).where(*shown).scalar_subquery(),
            modalities=sorted(modalities),
            changed_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    return int(left)
