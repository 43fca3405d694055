"""Removing instances from the archive.

What goes are rows: of the originals, and of the de-identified copies that were made of them. A blob stays until no row
names it any more; then the sweep takes it (`pacs.store.sweep`). Whether a case still needs a study is not for the
archive to know: the caller asks those who do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, BindParameter, Select, and_, any_, delete, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from overread.kit import audit, ended, permissions
from overread.kit.ended import Ended, Row, microseconds
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from pacs.index import changes, counts, visibility
from pacs.index.models import Change, Instance, Series, Study, Upload
from pacs.index.scope import ORIGINAL, Scope
from pacs.store import joins


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
    permissions.require(who, Permission.IMAGES_DELETE)
    study = tx.scalars(
        select(Study)
        .where(visibility.studies(scope), Study.view_id == ORIGINAL, Study.study_uid == study_uid)
        .with_for_update()
    ).one_or_none()
    chosen = select(Instance.pk).join(Series, Series.pk == Instance.series_pk).where(visibility.instances(scope))
    if series_uid is not None:
        chosen = chosen.where(Series.series_uid == series_uid)
    if sop_uid is not None:
        chosen = chosen.where(Instance.sop_uid == sop_uid)
    found = [] if study is None else tx.scalars(chosen.where(Instance.study_pk == study.pk)).all()
    if study is None or not found:
        raise NotFound("nothing to delete", safe=gettext("There is no such study, series or instance here."))
    found = _sent(tx, study.pk, found)
    told = tx.scalars(_losing(found)).all()
    for one in told:
        tx.expunge(one)
    led = joins.leading(tx, study_uid)
    gone, blobs, dropped = _remove(tx, found)
    ended.record(tx, Ended(removed=dropped))
    level, uid = next(
        (level, uid)
        for level, uid in (("instance", sop_uid), ("series", series_uid), ("study", study_uid))
        if uid is not None
    )
    copies = len(gone) - len(found)
    audit.record(tx, who, f"{level}.delete", level, uid, study=study_uid, instances=len(found), copies=copies)
    for one in told:
        # Everybody hears of it who has lost something: of a joined study, each of its senders.
        left = tx.scalar(select(Study.instance_count).where(Study.pk == one.pk)) or 0
        kind = changes.Kind.STABLE if level == "study" and left else changes.Kind.DELETED
        changes.record(tx, one, kind, series_uid=series_uid, sop_uid=sop_uid, instances=left)
    joins.tell_of_another(tx, study_uid, led)
    return Deleted(len(found), copies, blobs)


def parts(tx: Session, scope: Scope, study_uid: str) -> set[int]:
    """The senders' and joined studies that a scope's study shares instances with, itself among them."""
    found: set[int] = set()
    for study_pk in tx.scalars(select(Study.pk).where(visibility.studies(scope), Study.study_uid == study_uid)):
        senders = joins.members(tx, study_pk)
        found |= {study_pk, *senders, *(pk for one in senders for pk in joins.made_of(tx, one))}
    return found


def sent_for(case_id: UUID, study_pk: int, *, named: bool) -> Select[int]:
    """The instances of a sender's study that were sent for one case alone.

    `named`: the study itself says that it is for this case, so what was sent for none was sent for this one.
    """
    here = exists().where(Upload.instance_pk == Instance.pk, Upload.case_id == case_id)
    elsewhere = exists().where(Upload.instance_pk == Instance.pk, Upload.case_id != case_id)
    nowhere = ~exists().where(Upload.instance_pk == Instance.pk)
    return select(Instance.pk).where(Instance.study_pk == study_pk, or_(here, nowhere) if named else here, ~elsewhere)


def erase(tx: Session, case_id: UUID, study_pk: int, named: AbstractSet[int]) -> set[str]:
    """Remove what a sender's study has for one case alone, with every copy; the UIDs that are gone with it.

    `named`: the senders' studies that say themselves that they are for this case.
    What was sent for anything else stays, and no longer says that it came for the case. A joined study is the case's
    alone, and goes whole; of what it is made, only this.
    """
    study = tx.get(Study, study_pk, with_for_update=True)
    if study is None:
        return set()
    uid = study.study_uid
    led = joins.leading(tx, uid)
    tx.expunge(study)
    senders = joins.members(tx, study_pk)
    gone: set[str] = set()
    for sender_pk in senders:
        found = tx.scalars(sent_for(case_id, sender_pk, named=sender_pk in named)).all()
        gone |= set(tx.scalars(select(Instance.sop_uid).where(Instance.pk == any_(_array(found)))))
        _, _, dropped = _remove(tx, found)
        if dropped:
            ended.record(tx, Ended(erased=dropped))
    # While the joined study still tells of whom it was made.
    release(tx, case_id, study_pk)
    if senders != [study_pk]:
        _remove(tx, tx.scalars(select(Instance.pk).where(Instance.study_pk == study_pk)).all())
    if tx.scalar(select(Study.pk).where(Study.study_uid == uid, Study.view_id == ORIGINAL).limit(1)) is None:
        tx.execute(delete(Change).where(Change.study_uid == uid))
    joins.tell_of_another(tx, uid, led)
    return gone


def release(tx: Session, case_id: UUID, study_pk: int) -> None:
    """What was sent for a case is no longer said to be."""
    senders = joins.members(tx, study_pk)
    tx.execute(delete(Upload).where(Upload.case_id == case_id, Upload.study_pk.in_(senders)))


def _sent(tx: Session, study_pk: int, pks: Sequence[int]) -> Sequence[int]:
    """The senders' own rows: of a joined study's, those with the same UIDs of all whom it was joined of."""
    senders = joins.members(tx, study_pk)
    if senders == [study_pk]:
        return pks
    those = Instance.pk == any_(_array(pks))
    own = select(Instance.source_pk).where(those)
    same = and_(Instance.study_pk.in_(senders), Instance.sop_uid.in_(select(Instance.sop_uid).where(those)))
    return tx.scalars(select(Instance.pk).where(or_(Instance.pk.in_(own), same))).all()


def _losing(pks: Sequence[int]) -> Select[Study]:
    """The studies of originals that have some of these senders' rows, or copies of them."""
    those = or_(Instance.pk == any_(_array(pks)), Instance.source_pk == any_(_array(pks)))
    having = select(Instance.study_pk).where(those, Instance.view_id == ORIGINAL)
    return select(Study).where(Study.pk.in_(having)).order_by(Study.pk)


def _remove(tx: Session, pks: Sequence[int]) -> tuple[list[int], frozenset[str], list[Row]]:
    """Remove rows and all copies of them, in views and in joined studies.

    Gives the keys of all that are gone, their blobs, and what the rows themselves are remembered by.
    """
    those = Instance.pk == any_(_array(pks))
    rows = tx.execute(
        select(Instance.pk, Instance.study_pk, Instance.blob)
        .where(or_(those, Instance.source_pk == any_(_array(pks))))
        .order_by(Instance.pk)
    ).all()
    studies = sorted({row.study_pk for row in rows})
    for study_pk in studies:
        tx.execute(select(Study.pk).where(Study.pk == study_pk).with_for_update())
    gone = [row.pk for row in rows]
    tx.execute(delete(Upload).where(Upload.instance_pk == any_(_array(gone))))
    own = frozenset(pks)
    dropped = [row for row in _drop(tx, gone) if row[0] in own]
    for study_pk in studies:
        counts.bring_up_to_date(tx, study_pk)
    return gone, frozenset(row.blob for row in rows), dropped


def again(tx: Session, instances: Collection[Row]) -> tuple[int, set[str]]:
    """Remove originals that were removed before and came back with an older database, with every copy made of them.

    Gives their number, and their UIDs with those of the studies that are gone with them. What was sent anew is another
    row, and stays.
    """
    received = dict(instances)
    rows = tx.execute(
        select(Instance.pk, Instance.sop_uid, Study.study_uid, Instance.received_at)
        .join(Study, Study.pk == Instance.study_pk)
        .where(Instance.pk == any_(_array(list(received))), Instance.view_id == ORIGINAL)
    )
    back = [row for row in rows if microseconds(row.received_at) == received[row.pk]]
    _remove(tx, [row.pk for row in back])
    gone = {row.sop_uid for row in back}
    studies = {row.study_uid for row in back}
    studies -= set(tx.scalars(select(Study.study_uid).where(Study.study_uid.in_(studies), Study.view_id == ORIGINAL)))
    tx.execute(delete(Change).where(Change.study_uid.in_(studies)))
    return len(back), gone | studies


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
