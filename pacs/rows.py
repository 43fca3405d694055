"""Writing the index's rows: studies and series with their aggregates, instances, and who holds them.

A study's row is locked by the upsert that opens it, so the aggregates stay right however many write at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import clock, jobs
from pacs.events import StudyGrowing
from pacs.index import Keys
from pacs.models import Holder, Instance, Series, Study

#: A study that got nothing for so long has settled.
QUIET = timedelta(seconds=3)


@dataclass(slots=True)
class Growth:
    """A study that a transaction writes to: its row, and what the transaction added."""

    pk: int
    study_uid: str
    patient_id: str
    birth_date: date | None
    settling: bool
    changed: bool = False
    conflicts: bool = False
    instances: int = 0
    series: dict[str, int] = field(default_factory=dict)
    series_added: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """An instance's row, new or found, and the digest of the bytes that it stands for."""

    pk: int
    study_pk: int
    digest: str
    inserted: bool


def open_study(tx: Session, view_id: UUID, keys: Keys, **more: Any) -> Growth:
    """The study's row, made if absent and locked until the transaction ends."""
    statement = insert(Study).values(view_id=view_id, study_uid=keys.study_uid, **keys.study, **more)
    row = tx.execute(
        statement.on_conflict_do_update(
            index_elements=[Study.view_id, Study.study_uid], set_={"changed_at": clock.now()}
        ).returning(Study.pk, Study.patient_id, Study.birth_date, Study.settling)
    ).one()
    return Growth(row.pk, keys.study_uid, row.patient_id, row.birth_date, row.settling)


def same_patient(grown: Growth, keys: Keys) -> bool:
    """Whether an instance's patient is the study's: no Patient ID or birth date that contradicts it."""
    patient_id, birth_date = keys.study["patient_id"], keys.study["birth_date"]
    if grown.patient_id and patient_id and grown.patient_id != patient_id:
        return False
    return not (grown.birth_date and birth_date and grown.birth_date != birth_date)


def insert_instance(tx: Session, grown: Growth, keys: Keys, columns: dict[str, Any]) -> Placed:
    """Add an instance, or find the one that has its UID in the same view."""
    series_pk = grown.series.get(keys.series_uid)
    if series_pk is None:
        statement = insert(Series).values(study_pk=grown.pk, series_uid=keys.series_uid, **keys.series)
        series_pk = tx.execute(
            statement.on_conflict_do_update(
                index_elements=[Series.study_pk, Series.series_uid], set_={"changed_at": clock.now()}
            ).returning(Series.pk)
        ).scalar_one()
        grown.series[keys.series_uid] = series_pk
    pk = tx.execute(
        insert(Instance)
        .values(
            study_pk=grown.pk,
            series_pk=series_pk,
            sop_uid=keys.sop_uid,
            sop_class=keys.sop_class,
            **keys.instance,
            **columns,
        )
        .on_conflict_do_nothing(index_elements=[Instance.view_id, Instance.sop_uid])
        .returning(Instance.pk)
    ).scalar()
    if pk is not None:
        grown.instances += 1
        grown.changed = True
        grown.series_added[series_pk] = grown.series_added.get(series_pk, 0) + 1
        return Placed(pk, grown.pk, columns["blob"], True)
    grown.conflicts = True
    row = tx.execute(
        select(Instance.pk, Instance.study_pk, Instance.blob).where(
            Instance.view_id == columns["view_id"], Instance.sop_uid == keys.sop_uid
        )
    ).one()
    return Placed(row.pk, row.study_pk, row.blob, False)


def hold(tx: Session, placed: Placed, *, holder_id: UUID, via: str, case_id: UUID | None, ae: str) -> bool:
    """Remember who sent an instance; True where that is news."""
    statement = insert(Holder).values(
        holder_id=holder_id, instance_pk=placed.pk, study_pk=placed.study_pk, via=via, case_id=case_id, called_ae=ae
    )
    # Sent again for another case: the newer case is the one that the sender means.
    news = statement.on_conflict_do_update(
        index_elements=[Holder.holder_id, Holder.instance_pk],
        set_={"case_id": statement.excluded.case_id, "called_ae": statement.excluded.called_ae},
        where=Holder.case_id.is_distinct_from(statement.excluded.case_id)
        | (Holder.called_ae != statement.excluded.called_ae),
    ).returning(Holder.instance_pk)
    return tx.execute(news).first() is not None


def count(tx: Session, grown: Growth) -> None:
    """Bring the aggregates of a study and its series up to what the transaction added."""
    for series_pk, added in grown.series_added.items():
        tx.execute(update(Series).where(Series.pk == series_pk).values(instance_count=Series.instance_count + added))
    if grown.instances:
        of_study = Series.study_pk == grown.pk
        tx.execute(
            update(Study)
            .where(Study.pk == grown.pk)
            .values(
                instance_count=Study.instance_count + grown.instances,
                series_count=select(func.count()).where(of_study).scalar_subquery(),
                modalities=select(
                    func.coalesce(func.array_agg(Series.modality.distinct()), literal([], Study.modalities.type))
                )
                .where(of_study, Series.modality != "")
                .scalar_subquery(),
            )
        )


def settle_growth(tx: Session, grown: Growth) -> bool:
    """Count what was added and see to it that somebody looks when the study has settled.

    True where the study begins to grow.
    """
    count(tx, grown)
    if grown.conflicts:
        # The instance is elsewhere already: what was opened for it may have stayed empty.
        tx.execute(delete(Series).where(Series.study_pk == grown.pk, Series.instance_count == 0))
        tx.execute(delete(Study).where(Study.pk == grown.pk, Study.instance_count == 0))
    if not grown.changed or grown.settling:
        return False
    tx.execute(update(Study).where(Study.pk == grown.pk).values(settling=True))
    jobs.emit(tx, StudyGrowing(grown.study_uid), after=QUIET)
    return True
