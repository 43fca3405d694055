"""Who sees what by DIMSE: a hospital what it sent, a specialist the released views of the cases granted to them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pydicom
import pytest
from sqlalchemy import event, select

from cases import access
from cases.repository import studies_of
from cases.service import assignment
from overread.dimse import accesses
from overread.kit import principals
from overread.kit.audit import AuditRow
from overread.kit.errors import NotFound
from overread.kit.settings import Settings
from pacs.dimse import peers, push
from pacs.serve import retrieve
from tests.cases.world import World
from tests.pacs.dimse.querying import (
    CT,
    PATIENT_FIND,
    PATIENT_GET,
    PLAIN,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Answers,
    Receiver,
    ask,
    data_set_of,
    find_once,
    get,
    keep,
    move,
)
from tests.pacs.store.test_ingest import sample
from viewer_bridge import grants


def view_study(world: World, case_id: UUID) -> str:
    with world.db.transaction() as tx:
        found = studies_of(tx, case_id)[0].view_study_uid
    assert found is not None
    return found


def studies(port: int, calling: str, **keys: Any) -> Answers:
    return find_once(port, STUDY_FIND, ask("STUDY", **{"StudyInstanceUID": "", **keys}), calling)


@contextmanager
def receiving(world: World, title: str, key: str) -> Iterator[Receiver]:
    receiver = Receiver()
    with receiver.listening(title):
        with world.db.transaction() as tx:
            owner = world.who[key]
            peers.register(tx, title, "127.0.0.1", receiver.port, owner.role, owner_id=owner.id)
        yield receiver


def files(world: World, case_id: UUID) -> dict[str, bytes]:
    """What WADO-RS gives the specialist of a case."""
    with world.db.transaction() as tx:
        scope = access.scope(tx, world.specialist, case_id)
        located = retrieve.locate(tx, scope, view_study(world, case_id))
    return {one.sop_uid: b"".join(retrieve.stream(world.archive.blobs, one.parts)) for one in located}


def test_a_specialist_finds_the_views_of_their_cases_and_no_original(world: World, port: int) -> None:
    first, second = world.in_review(), world.in_review()
    views = sorted([view_study(world, first), view_study(world, second)])
    found = studies(port, "READER", PatientName="", PatientID="", AccessionNumber="")
    assert sorted(found.values("StudyInstanceUID")) == views
    assert len(set(found.values("PatientID"))) == 2  # the same patient in two cases can't be joined
    assert sorted(studies(port, "DESK").values("StudyInstanceUID")) == views
    patients = find_once(port, PATIENT_FIND, ask("PATIENT", PatientID=""), "READER")
    assert sorted(patients.values("PatientID")) == sorted(found.values("PatientID"))
    for case_id in (first, second):
        original = world.first(case_id)
        assert studies(port, "READER", StudyInstanceUID=original).found == []
        assert get(port, STUDY_GET, ask("STUDY", StudyInstanceUID=original), Receiver(), "READER").counts()[1] == 0
    assert studies(port, "READER", PatientName="ANGSTROM*").found == []


def test_nobody_else_sees_a_case(world: World, port: int) -> None:
    uid = view_study(world, world.in_review())
    for calling in ("RIVAL", "WARD"):
        assert studies(port, calling).found == []
        assert studies(port, calling, StudyInstanceUID=uid).found == []
        mine = Receiver()
        assert get(port, STUDY_GET, ask("STUDY", StudyInstanceUID=uid), mine, calling).counts() == (None, 0, 0, 0)
        assert mine.received == {}
    with receiving(world, "SHELF", "other_specialist") as shelf:
        assert move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=uid), "SHELF", "RIVAL").counts()[1] == 0
        assert move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=uid), "SHELF", "READER").status == 0xA801
    assert shelf.received == {}


def test_an_offer_opens_nothing_nor_does_what_is_not_released(world: World, port: int) -> None:
    case_id = world.offered()
    uid = view_study(world, case_id)
    assert studies(port, "READER").found == []
    assert get(port, STUDY_GET, ask("STUDY", StudyInstanceUID=uid), Receiver(), "READER").counts()[1] == 0


def test_a_grant_that_ended_and_a_lock_take_effect_with_the_next_operation(world: World, port: int) -> None:
    case_id = world.in_review()
    uid = view_study(world, case_id)
    assert studies(port, "READER").values("StudyInstanceUID") == [uid]
    with world.db.transaction() as tx:
        principals.get(tx, world.specialist.id).active = False
    with world.db.transaction() as tx:
        assert accesses(tx, world.specialist, None) == []
        principals.get(tx, world.specialist.id).active = True
    with world.db.transaction() as tx:
        grants.revoke(tx, case_id)
    assert studies(port, "READER").found == []
    assert get(port, PATIENT_GET, ask("STUDY", PatientID="x", StudyInstanceUID=uid), Receiver(), "READER").status == 0


def test_grants_that_end_in_the_middle_end_the_retrieval(world: World, port: int) -> None:
    cases = [world.in_review(), world.in_review()]
    uids = [view_study(world, case_id) for case_id in cases]

    def revoke(number: int) -> None:
        with world.db.transaction() as tx:
            for case_id in cases:
                grants.revoke(tx, case_id)

    both = ask("STUDY", StudyInstanceUID=uids)
    assert get(port, STUDY_GET, both, Receiver(), "READER").counts() == (None, 2, 0, 0)
    mine = Receiver(before=revoke)
    done = get(port, STUDY_GET, both, mine, "READER")
    assert (done.status, done.counts()) == (0xB000, (None, 1, 1, 0))
    assert len(mine.received) == 1


def test_what_is_given_is_what_the_web_gives(world: World, port: int) -> None:
    case_id = world.in_review()
    expected = {uid: data_set_of(file) for uid, file in files(world, case_id).items()}
    identifier = ask("STUDY", StudyInstanceUID=view_study(world, case_id))
    mine = Receiver()
    assert get(port, STUDY_GET, identifier, mine, "READER", storage=[(CT, PLAIN)]).status == 0
    assert mine.received == expected
    with receiving(world, "DESK", "specialist") as desk:
        assert move(port, STUDY_MOVE, identifier, "DESK", "READER").status == 0
    assert desk.received == expected


def test_a_hospital_keeps_to_its_own(world: World, port: int) -> None:
    keep(world.archive, world.hospital, sample())
    sent = pydicom.dcmread(io.BytesIO(sample()))
    world.in_review()  # a patient's upload is in the archive too
    assert studies(port, "WARD").values("StudyInstanceUID") == [sent.StudyInstanceUID]
    assert studies(port, "READER", StudyInstanceUID=sent.StudyInstanceUID).found == []


def test_a_push_sends_what_the_peer_may_see(world: World, port: int) -> None:
    case_id = world.in_review()
    settings = Settings.model_validate({"data_dir": world.folder})
    with receiving(world, "DESK", "specialist") as desk:
        pushed = push.push(world.archive, settings, accesses, "DESK", [])
        assert push.echo(world.archive, settings, "DESK") == 0
        for wrong in (world.first(case_id), "1.2.3"):
            with pytest.raises(NotFound):
                push.push(world.archive, settings, accesses, "DESK", [wrong])
    assert (pushed.completed, pushed.failed) == (len(desk.received), 0)
    assert desk.received == {uid: data_set_of(file) for uid, file in files(world, case_id).items()}
    with pytest.raises(NotFound):
        push.push(world.archive, settings, accesses, "NOBODY", [])
    with receiving(world, "RIVAL", "other_specialist") as rival, pytest.raises(NotFound):
        push.push(world.archive, settings, accesses, "RIVAL", [view_study(world, case_id)])
    assert rival.received == {}


def test_every_look_is_in_the_case_s_audit_log(world: World, port: int) -> None:
    case_id = world.in_review()
    uid = view_study(world, case_id)
    studies(port, "READER")
    get(port, STUDY_GET, ask("STUDY", StudyInstanceUID=uid), Receiver(), "READER")
    with world.db.transaction() as tx:
        query = select(AuditRow).where(AuditRow.actor_id == world.specialist.id, AuditRow.case_id == case_id)
        rows = tx.scalars(query.where(AuditRow.object_kind == "study").order_by(AuditRow.at)).all()
    found = [(row.action, row.object_id) for row in rows if row.action in ("studies.search", "instances.read")]
    assert found == [("studies.search", "all"), ("instances.read", uid)]


def test_the_look_before_each_instance_costs_the_same_with_many_cases(world: World, port: int) -> None:
    statements = [0]

    def count(*_details: Any) -> None:
        statements[0] += 1

    def looked(case_id: UUID) -> int:
        statements[0] = 0
        with world.db.transaction() as tx:
            assert len(accesses(tx, world.specialist, case_id)) == 1
        return statements[0]

    event.listen(world.db.engine, "before_cursor_execute", count)
    case_id = world.in_review()
    alone = looked(case_id)
    world.in_review()
    world.in_review()
    assert looked(case_id) == alone <= 5


def test_assignment_is_what_makes_the_difference(world: World, port: int) -> None:
    case_id = world.offered()
    assert studies(port, "READER").found == []
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.drain()
    assert studies(port, "READER").values("StudyInstanceUID") == [view_study(world, case_id)]
