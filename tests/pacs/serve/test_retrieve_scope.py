"""What a scope shows is the same for retrievals and for searches, which say it in different words."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select, update

from overread.kit.db import Database, Session
from overread.kit.errors import NotFound
from overread.kit.principals import Role
from pacs.index import visibility
from pacs.index.models import Instance, Study
from pacs.index.scope import ORIGINAL, Scope
from pacs.serve import metadata, retrieve
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from pacs.views import views
from tests.pacs.store.test_ingest import changed, put, sample
from tests.pacs.views.test_views import LEADING, NAMES, person, stored_study, view_of


def searched(tx: Session, scope: Scope, study_uid: str) -> set[str]:
    """By the conditions of searches."""
    statement = select(Instance.sop_uid).join(Study, Study.pk == Instance.study_pk)
    return set(
        tx.scalars(
            statement.where(visibility.studies(scope), visibility.instances(scope), Study.study_uid == study_uid)
        )
    )


def retrieved(tx: Session, scope: Scope, study_uid: str) -> set[str]:
    try:
        found = retrieve.locate(tx, scope, study_uid)
    except NotFound:
        return set()
    seen = metadata.version(tx, scope, study_uid)
    assert seen.count == len(found)
    for one in found:
        [alone] = retrieve.locate(tx, scope, study_uid, one.series_uid, one.sop_uid)
        assert alone == one
        assert one.sop_uid in {other.sop_uid for other in retrieve.locate(tx, scope, study_uid, one.series_uid)}
    return {one.sop_uid for one in found}


def test_every_scope_retrieves_what_it_finds(archive: Archive, database: Database) -> None:
    study_uid, sent = stored_study(archive, "examples_rgb_color.dcm", count=4)
    other = person(database, Role.HOSPITAL)
    case_id = uuid4()
    for_case = changed(
        sample("examples_rgb_color.dcm"), **NAMES, SOPInstanceUID=sent[0].SOPInstanceUID, InstanceNumber="1"
    )
    for_none = changed(sample("examples_rgb_color.dcm"), **NAMES, SOPInstanceUID=sent[1].SOPInstanceUID)
    for source, data in ((Source(other, "stow", case_id=case_id), for_case), (Source(other, "stow"), for_none)):
        assert isinstance(put(archive, source, data), Stored)
    released, waiting = view_of(archive), view_of(archive)
    uids = {ORIGINAL: study_uid}
    uids |= {view: views.deidentify(archive, view, LEADING, study_uid).study_uid for view in (released, waiting)}
    with database.transaction() as tx:
        for view, review in itertools.product((ORIGINAL, released, waiting), ("approved", "withheld", "unusable")):
            one = select(func.min(Instance.pk)).where(
                Instance.view_id == view, Instance.review.in_(("original", "pending_review"))
            )
            tx.execute(update(Instance).where(Instance.pk == one.scalar_subquery()).values(review=review))
        tx.execute(update(Study).where(Study.view_id == released).values(released=True))
        holders = [None, other.id, *tx.scalars(select(Study.sender_id).where(Study.sender_id != other.id).distinct())]
        keys = frozenset(tx.scalars(select(Study.pk).where(Study.leads)))
        part = frozenset(tx.scalars(select(Study.pk).where(Study.sender_id == other.id)))
    limits = [None, frozenset(), frozenset(uids.values()), frozenset([study_uid])]
    narrow: list[dict[str, Any]] = [
        {},
        {"studies": frozenset()},
        {"studies": keys},
        {"studies": part},
        {"studies": part, "uploads": part, "case_id": case_id},
        {"studies": keys, "uploads": part, "case_id": uuid4()},
    ]
    shown: dict[Scope, set[str]] = {}
    with database.transaction() as tx:
        for view, holder, limit, unreleased, more in itertools.product(uids, holders, limits, (False, True), narrow):
            scope = Scope(view, holder, limit, unreleased=unreleased, **more)
            for uid in uids.values():
                shown[scope] = shown.get(scope, set()) | retrieved(tx, scope, uid)
                assert retrieved(tx, scope, uid) == searched(tx, scope, uid)
    assert {len(found) for found in shown.values()} == {0, 1, 2, 3}
    only = Scope(ORIGINAL, studies=part, uploads=part, case_id=case_id, unreleased=True)
    assert shown[only] == {str(sent[0].SOPInstanceUID)}
    assert shown[Scope(ORIGINAL, other.id, unreleased=True)] == {str(one.SOPInstanceUID) for one in sent[:2]}
