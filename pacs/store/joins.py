"""Studies of several senders under one Study Instance UID, joined into one for a case (docs/decisions/0014).

What a sender sent stays a study of its own, which the sender sees. A joined study is one more, made of copies of rows:
every instance names the row of its sender's in `source_pk`, so that a de-identified copy is known for what it is,
whichever study its original was found in. Of two objects with one SOP Instance UID the one that came first stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

from overread.kit import clock
from overread.kit.db import Base
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from pacs.index import changes, counts, visibility
from pacs.index.models import Instance, Joined, Series, Study
from pacs.index.scope import ORIGINAL, Scope

#: Seconds that a comparison of pixels may take in all.
_SECONDS = 20.0
#: Says of two blobs, by their digests, whether they hold the same data set.
Same = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Compared:
    """What another sender's study has beside one: instances that are new, that are the same, and that contradict it."""

    new: int
    same: int
    other: int


def compared(tx: Session, study: Scope, with_pk: int, same: Same) -> Compared:
    """Compare what a scope shows with another study of its UID, instance by instance."""
    ours = dict(tx.execute(select(Instance.sop_uid, Instance.blob).where(_shown(study))).all())
    theirs = tx.execute(select(Instance.sop_uid, Instance.blob).where(Instance.study_pk == with_pk)).all()
    clashes = [(ours[uid], blob) for uid, blob in theirs if uid in ours]
    # Others wait for the case meanwhile: what was not compared in time is a person's to compare.
    until = time.monotonic() + _SECONDS
    alike = sum(one == other or (time.monotonic() < until and same(one, other)) for one, other in clashes)
    return Compared(len(theirs) - len(clashes), alike, len(clashes) - alike)


def join(tx: Session, base: Scope, base_pk: int, member_pk: int, only: Sequence[int] | None = None) -> int:
    """Add what a sender's study has to another study of its UID, which becomes a joined one; gives that one's key.

    `base` shows what is taken of `base_pk` where that is a sender's; `only`: these instances alone, and nothing that
    its sender sends later. From then on the joined study answers to whoever sees all originals. Raises NotFound.
    """
    study = tx.get(Study, base_pk, with_for_update=True)
    member = tx.get(Study, member_pk)
    if study is None or member is None or study.study_uid != member.study_uid:
        raise NotFound(
            f"no two studies {base_pk}, {member_pk} of one UID", safe=gettext("One of these studies is gone.")
        )
    joined_pk = base_pk
    if tx.scalar(select(Joined.member_pk).where(Joined.study_pk == base_pk).limit(1)) is None:
        joined_pk = _opened(tx, base_pk)
        _member(tx, joined_pk, base_pk)
        _copy(tx, joined_pk, and_(_shown(base), Instance.study_pk == base_pk))
    if only is None:
        _member(tx, joined_pk, member_pk)
        _copy(tx, joined_pk, Instance.study_pk == member_pk)
    else:
        those = Instance.pk == any_(literal(list(only), ARRAY(BigInteger)))
        _copy(tx, joined_pk, and_(Instance.study_pk == member_pk, those))
    lead(tx, joined_pk)
    return joined_pk


def copied(tx: Session, joined_pk: int, member_pk: int, last: int) -> int:
    """The last copy that a joined study has of a member's instances up to one of them; 0 for none."""
    source = aliased(Instance)
    found = tx.scalar(
        select(func.max(Instance.pk))
        .join(source, source.pk == Instance.source_pk)
        .where(Instance.study_pk == joined_pk, source.study_pk == member_pk, source.pk <= last)
    )
    return found or 0


def refresh(tx: Session, joined_pk: int, member_pk: int) -> None:
    """Take over what a sender whose study was joined has sent since."""
    _copy(tx, joined_pk, Instance.study_pk == member_pk)


def members(tx: Session, study_pk: int) -> list[int]:
    """Of which senders' studies one is made: of a sender's own, that one."""
    found = tx.scalars(select(Joined.member_pk).where(Joined.study_pk == study_pk).order_by(Joined.member_pk)).all()
    return list(found) or [study_pk]


def made_of(tx: Session, member_pk: int) -> list[int]:
    """The joined studies that a sender's study is part of."""
    return list(tx.scalars(select(Joined.study_pk).where(Joined.member_pk == member_pk).order_by(Joined.study_pk)))


def lead(tx: Session, study_pk: int) -> None:
    """Have one of the studies of a UID answer to whoever sees all originals."""
    study = tx.get(Study, study_pk, populate_existing=True)
    if study is None or study.leads:
        return
    others = (Study.study_uid == study.study_uid, Study.view_id == ORIGINAL)
    tx.execute(update(Study).where(*others).values(leads=Study.pk == study_pk))
    tx.refresh(study)
    changes.record(tx, study, changes.Kind.STABLE, instances=study.instance_count)


def leading(tx: Session, study_uid: str) -> int | None:
    """The study of a UID that answers to whoever sees all originals."""
    return tx.scalar(select(Study.pk).where(Study.study_uid == study_uid, Study.view_id == ORIGINAL, Study.leads))


def tell_of_another(tx: Session, study_uid: str, led: int | None) -> None:
    """Have those who see all originals hear of the study that leads where another one led: they knew nothing of it."""
    now = leading(tx, study_uid)
    if now is not None and now != led:
        study = tx.get_one(Study, now, populate_existing=True)
        changes.record(tx, study, changes.Kind.STABLE, instances=study.instance_count)


def _shown(scope: Scope) -> ColumnElement[bool]:
    return and_(visibility.instances(scope), Instance.study_pk.in_(scope.studies or ()))


def _opened(tx: Session, study_pk: int) -> int:
    """A study with another's attributes, as yet empty."""
    changed = {
        "sender_id": clock.uuid7(),
        "leads": False,
        "receiving": False,
        "called": [],
        "modalities": [],
        "series_count": 0,
        "instance_count": 0,
    }
    names, row = _copied(Study, changed)
    statement = insert(Study).from_select(names, select(*row).where(Study.pk == study_pk)).returning(Study.pk)
    pk = tx.scalar(statement)
    assert pk is not None, "the study is locked"
    return pk


def _member(tx: Session, joined_pk: int, member_pk: int) -> None:
    tx.execute(insert(Joined).values(study_pk=joined_pk, member_pk=member_pk).on_conflict_do_nothing())


def _copy(tx: Session, joined_pk: int, chosen: ColumnElement[bool]) -> None:
    """Copy the rows of instances, and of their series, into a joined study, which is locked from here on."""
    sender_id = tx.scalar(select(Study.sender_id).where(Study.pk == joined_pk).with_for_update())
    here = aliased(Instance)
    wanted = and_(
        chosen,
        ~select(here.pk).where(here.study_pk == joined_pk, here.sop_uid == Instance.sop_uid).exists(),
    )
    names, row = _copied(Series, {"study_pk": joined_pk, "instance_count": 0})
    theirs = select(*row).where(select(Instance.pk).where(Instance.series_pk == Series.pk, wanted).exists())
    tx.execute(insert(Series).from_select(names, theirs).on_conflict_do_nothing())
    ours = aliased(Series)
    changed = {"sender_id": sender_id, "study_pk": joined_pk, "series_pk": ours.pk, "source_pk": Instance.pk}
    names, row = _copied(Instance, changed)
    copies = (
        select(*row)
        .join(Series, Series.pk == Instance.series_pk)
        .join(ours, and_(ours.study_pk == joined_pk, ours.series_uid == Series.series_uid))
        .where(wanted)
        .order_by(Instance.pk)
    )
    tx.execute(insert(Instance).from_select(names, copies).on_conflict_do_nothing())
    counts.bring_up_to_date(tx, joined_pk)


def _copied(model: type[Base], changed: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    """The names and values of a model's columns, with some changed; keys and what is computed are made anew."""
    columns = [c for c in model.__table__.columns if c.name != "pk" and c.computed is None]
    row = [c if c.name not in changed else _value(changed[c.name], c) for c in columns]
    return [c.name for c in columns], row


def _value(value: Any, column: Any) -> Any:
    return value if hasattr(value, "__clause_element__") else literal(value, column.type)
