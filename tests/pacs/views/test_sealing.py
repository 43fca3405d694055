"""Roots over proofs: of each study, kept until one of its proofs changes, and of a view, over those."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import select

from overread.kit.db import Database, Session
from overread.kit.principals import Role
from pacs.deid.proof import Proof, joint_root, merkle_root, root_of
from pacs.index.models import Instance, Study
from pacs.store.archive import Archive
from pacs.views import pixel_review, sealing, view_proofs, views
from tests.pacs.views.test_pixel_review import NOBODY
from tests.pacs.views.test_views import LEADING, person, stored_study, view_of

COUNT = 4


@pytest.fixture
def studies(archive: Archive) -> tuple[UUID, list[str]]:
    """A view of some studies of two instances each: its id, and their original UIDs."""
    view = view_of(archive)
    uids = [stored_study(archive, count=2)[0] for _ in range(COUNT)]
    for uid in uids:
        views.deidentify(archive, view, LEADING, uid)
    return view, uids


def kept(tx: Session, view: UUID) -> dict[str, str | None]:
    rows = tx.execute(select(Study.source_uid, Study.proof_root).where(Study.view_id == view))
    return {str(uid): root for uid, root in rows}


def anew(tx: Session, view: UUID) -> dict[str, str]:
    """What they are by all proofs: the oracle."""
    proofs: dict[str, list[Proof]] = {}
    rows = select(Study.source_uid, Instance.proof).join(Instance, Instance.study_pk == Study.pk)
    for uid, proof in tx.execute(rows.where(Study.view_id == view)):
        proofs.setdefault(str(uid), []).append(Proof.of(proof))
    return {uid: merkle_root(found) for uid, found in proofs.items()}


def altered(tx: Session, view: UUID, uid: str, word: str) -> None:
    one = tx.scalars(
        select(Instance)
        .join(Study, Study.pk == Instance.study_pk)
        .where(Study.view_id == view, Study.source_uid == uid)
    ).first()
    assert one is not None
    one.proof = {**one.proof, "withheld": [word]}


def test_a_change_costs_its_own_study_alone(
    archive: Archive, database: Database, studies: tuple[UUID, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    view, uids = studies
    coordinator = person(database, Role.COORDINATOR)
    made: list[str] = []

    def counted(proofs: object) -> str:
        made.append(merkle_root(proofs))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(sealing, "merkle_root", counted)
    with database.transaction() as tx:
        before = kept(tx, view)
        assert before == anew(tx, view)
        for uid in uids:
            views.release(tx, coordinator, view, uid)
    assert made == []
    with database.transaction() as tx:
        sop_uid = tx.scalars(
            select(Instance.sop_uid)
            .join(Study, Study.pk == Instance.study_pk)
            .where(Study.view_id == view, Study.source_uid == uids[0])
        ).first()
    assert sop_uid is not None
    pixel_review.mask(archive, coordinator, view, [sop_uid], [(1, 2, 3, 4)], NOBODY)
    with database.transaction() as tx:
        after = kept(tx, view)
        assert after == anew(tx, view)
        assert {uid for uid in uids if after[uid] != before[uid]} == {uids[0]}
        assert made == [after[uids[0]]]
        assert sealing.seal(tx, view) == joint_root(anew(tx, view).values())
        views.drop(tx, view, uids[1])
        assert sealing.seal(tx, view) == joint_root(anew(tx, view).values()) != joint_root(map(str, after.values()))
    (checked,) = view_proofs.check(archive)
    assert checked.problems == ()
    assert len(made) == 1


def test_whoever_seals_while_a_proof_changes_keeps_no_root_of_before(
    archive: Archive, database: Database, studies: tuple[UUID, list[str]]
) -> None:
    view, uids = studies
    with database.transaction() as tx:
        altered(tx, view, uids[0], "changed")
        sealing.opened(tx, view, Study.source_uid == uids[0])
        with database.transaction() as other:
            # It sees nothing of it, and waits for nothing.
            sealing.seal(other, view)
    with database.transaction() as tx:
        assert kept(tx, view)[uids[0]] is None
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            altered(tx, view, uids[0], "changed again")
            sealing.opened(tx, view, Study.source_uid == uids[0])
            sealed = pool.submit(sealed_apart, database, view)
        root = sealed.result()
    with database.transaction() as tx:
        assert kept(tx, view) == anew(tx, view)
        assert root == joint_root(anew(tx, view).values())


def sealed_apart(database: Database, view: UUID) -> str:
    with database.transaction() as tx:
        return sealing.seal(tx, view)


def test_a_study_s_root_is_no_leaf_of_another() -> None:
    root = root_of([b"\1" * 32, b"\2" * 32])
    assert joint_root([root]) != root
    assert joint_root([]) == root_of([])
    assert len({joint_root([root] * count) for count in range(5)}) == 5
