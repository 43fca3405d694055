"""Removing instances from the archive.

What goes are rows: of the originals, and of the de-identified copies that were made of them. A blob stays until no row
names it any more; then the sweep takes it (`pacs.sweep`). Whether a case still needs a study is not for the archive to
know: the caller asks those who do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, BindParameter, Select, any_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from overread.kit import audit, clock, ended
from overread.kit.ended import Ended, Row, microseconds
from overread.kit.errors import NotFound
from overread.kit.principals import Principal, Role
from pacs import changes, query
from pacs.models import Holder, Instance, Series, Study
from pacs.scope import ORIGINAL, Scope


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many originals were removed, how many copies of views that were made of them, and the blobs of all."""

    instances: int
    copies: int
    blobs: frozenset[str]


def remove(
    tx: Session, who: Principal, scope: Scope, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> Deleted:
    """Remove a study, a series or one instance of the originals, with every copy made of it.

    The study's row is locked, so whatever arrives meanwhile waits and then counts anew. Raises Forbidden for anybody
    but coordinators and admins, NotFound where the scope holds none of them.
    """
    who.require(Role.COORDINATOR, Role.ADMIN)
    study = tx.scalars(
        select(Study)
        .where(query.within(scope), Study.view_id == ORIGINAL, Study.study_uid == study_uid)
        .with_for_update()
    ).one_or_none()
    chosen = select(Instance.pk).join(Series, Series.pk == Instance.series_pk).where(query.may_see(scope))
    if series_uid is not None:
        chosen = chosen.where(Series.series_uid == series_uid)
    if sop_uid is not None:
        chosen = chosen.where(Instance.sop_uid == sop_uid)
    found = [] if study is None else tx.scalars(chosen.where(Instance.study_pk == study.pk)).all()
    if study is None or not found:
        raise NotFound("nothing to delete", safe="There is no such study, series or instance here.")
    held_by = changes.holders(tx, study.pk)
    copied = tx.execute(
        select(Instance.pk, Instance.study_pk).where(
            Instance.source_pk == any_(_array(found)), Instance.view_id != ORIGINAL
        )
    ).all()
    for study_pk in sorted({row.study_pk for row in copied}):
        tx.execute(select(Study.pk).where(Study.pk == study_pk).with_for_update())
    gone = [*found, *(row.pk for row in copied)]
    blobs = frozenset(tx.scalars(select(Instance.blob).where(Instance.pk == any_(_array(gone)))))
    _drop(tx, [row.pk for row in copied])
    tx.execute(delete(Holder).where(Holder.study_pk == study.pk, Holder.instance_pk == any_(_array(found))))
    ended.record(tx, Ended(removed=_drop(tx, found)))
    for study_pk in sorted({row.study_pk for row in copied}):
        _tidy(tx, study_pk)
    left = _tidy(tx, study.pk)
    level, uid = next(
        (level, uid)
        for level, uid in (("instance", sop_uid), ("series", series_uid), ("study", study_uid))
        if uid is not None
    )
    audit.record(tx, who, f"{level}.delete", level, uid, study=study_uid, instances=len(found), copies=len(copied))
    changes.record(
        tx,
        ORIGINAL,
        study_uid,
        changes.Kind.DELETED,
        series_uid=series_uid,
        sop_uid=sop_uid,
        instances=left,
        holder_ids=held_by,
    )
    return Deleted(len(found), len(copied), blobs)


def held_for(case_id: UUID, study_uid: str, *, named: bool) -> Select[int]:
    """The originals of a study that everybody who sent them sent for one case.

    `named`: the study itself says that it is for this case, so whoever sent it for none sent it for this one.
    """
    other = Holder.case_id != case_id if named else Holder.case_id.is_distinct_from(case_id)
    others = select(Holder.instance_pk).where(Holder.instance_pk == Instance.pk, other)
    return (
        select(Instance.pk)
        .join(Study, Study.pk == Instance.study_pk)
        .where(Study.view_id == ORIGINAL, Study.study_uid == study_uid, ~others.exists())
    )


def erase(tx: Session, case_id: UUID, study_uid: str, *, named: bool) -> set[str]:
    """Remove the originals of a study that came for one case only, with every copy; the UIDs that are gone with them.

    What somebody holds for anything else stays, and no longer says that it came for the case.
    """
    study = tx.scalars(
        select(Study).where(Study.view_id == ORIGINAL, Study.study_uid == study_uid).with_for_update()
    ).one_or_none()
    if study is None:
        return set()
    found = tx.scalars(held_for(case_id, study_uid, named=named)).all()
    gone = set(tx.scalars(select(Instance.sop_uid).where(Instance.pk == any_(_array(found)))))
    copied = tx.execute(select(Instance.pk, Instance.study_pk).where(Instance.source_pk == any_(_array(found)))).all()
    _drop(tx, [row.pk for row in copied])
    tx.execute(delete(Holder).where(Holder.study_pk == study.pk, Holder.instance_pk == any_(_array(found))))
    if dropped := _drop(tx, found):
        ended.record(tx, Ended(erased=dropped))
    for study_pk in sorted({row.study_pk for row in copied}):
        _tidy(tx, study_pk)
    release(tx, case_id, study_uid)
    if _tidy(tx, study.pk) == 0:
        tx.execute(delete(changes.Change).where(changes.Change.study_uid == study_uid))
    return gone


def release(tx: Session, case_id: UUID, study_uid: str) -> None:
    """Whoever holds instances of a study holds them no longer for a case."""
    of_study = select(Study.pk).where(Study.view_id == ORIGINAL, Study.study_uid == study_uid)
    tx.execute(update(Holder).where(Holder.case_id == case_id, Holder.study_pk.in_(of_study)).values(case_id=None))


def again(tx: Session, instances: Collection[Row]) -> tuple[int, set[str]]:
    """Remove originals that were removed before and came back with an older database, with every copy made of them.

    Gives their number, and their UIDs with those of the studies that are gone with them. What was sent anew is another
    row, and stays.
    """
    received = dict(instances)
    rows = tx.execute(
        select(Instance.pk, Instance.sop_uid, Instance.study_pk, Instance.received_at).where(
            Instance.pk == any_(_array(list(received))), Instance.view_id == ORIGINAL
        )
    )
    back = [row for row in rows if microseconds(row.received_at) == received[row.pk]]
    found = [row.pk for row in back]
    copied = tx.execute(select(Instance.pk, Instance.study_pk).where(Instance.source_pk == any_(_array(found)))).all()
    _drop(tx, [row.pk for row in copied])
    tx.execute(delete(Holder).where(Holder.instance_pk == any_(_array(found))))
    _drop(tx, found)
    gone = {row.sop_uid for row in back}
    for study_pk in sorted({row.study_pk for row in (*back, *copied)}):
        study_uid = tx.scalars(select(Study.study_uid).where(Study.pk == study_pk)).one()
        if _tidy(tx, study_pk) == 0 and tx.get(Study, study_pk, populate_existing=True) is None:
            tx.execute(delete(changes.Change).where(changes.Change.study_uid == study_uid))
            gone.add(study_uid)
    return len(found), gone


def _drop(tx: Session, pks: Sequence[int]) -> list[Row]:
    """Remove rows; gives what they are remembered by."""
    gone = tx.execute(
        delete(Instance)
        .where(Instance.pk == any_(_array(pks)))
        .returning(Instance.pk, Instance.received_at)
        .execution_options(synchronize_session=False)
    )
    return [(row.pk, microseconds(row.received_at)) for row in gone]


def _array(pks: Sequence[int]) -> BindParameter[Any]:
    """Keys as one parameter, of which a statement may have 65,535."""
    return literal(list(pks), ARRAY(BigInteger))


def _tidy(tx: Session, study_pk: int) -> int:
    """Remove what is empty and count anew; returns how many instances the study still shows."""
    now = clock.now()
    has_instances = select(Instance.pk).where(Instance.series_pk == Series.pk).exists()
    tx.execute(delete(Series).where(Series.study_pk == study_pk, ~has_instances))
    if tx.scalar(select(func.count()).where(Series.study_pk == study_pk)) == 0:
        tx.execute(delete(Study).where(Study.pk == study_pk))
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
