"""What coordinators keep of cases among themselves: owner, tags, internal notes, what is new to whom."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from cases import erasure, notify
from cases.desk_models import CaseTag, InternalNote, Ownership, Seen
from cases.models import Case, Message
from cases.repository import load_unasked
from cases.service import assignment, desk, intake, read
from cases.states import CaseState
from cases.views import CoordinatorCase, DeskView, Narrow, Whose
from overread.kit import principals
from overread.kit.audit import AuditRow
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role
from tests.cases.world import World


@pytest.fixture
def anna(world: World) -> Principal:
    """Another coordinator."""
    with world.db.transaction() as tx:
        found = principals.by_email(tx, "anna@example.org")
        if found is None:
            principals.create(tx, role=Role.COORDINATOR, name="Anna Berg", email="anna@example.org")
            found = principals.by_email(tx, "anna@example.org")
        assert found is not None
        return found.as_principal(via="api")


def kept(world: World, case_id: UUID) -> DeskView:
    with world.db.transaction() as tx:
        case = read.show(tx, world.coordinator, case_id)
        assert isinstance(case, CoordinatorCase)
        return case.desk


def mails(world: World, case_id: UUID, template: str) -> list[UUID | None]:
    with world.db.transaction() as tx:
        query = select(Message.recipient_id).where(Message.case_id == case_id, Message.template == template)
        return list(tx.scalars(query))


def found(world: World, who: Principal, **narrow: object) -> set[UUID]:
    with world.db.transaction() as tx:
        lines = read.listing(tx, who, read.Show.OPEN, narrow=Narrow(**narrow))  # type: ignore[arg-type]
        return {line.case_id for line in lines}


def test_a_case_is_taken_given_and_left_to_nobody(world: World, anna: Principal) -> None:
    case_id, other = world.submitted("free"), world.submitted("free")
    me = world.coordinator
    with world.db.transaction() as tx:
        desk.give(tx, me, case_id, me.id, instead_of="nobody")
        desk.give(tx, me, case_id, me.id, instead_of="nobody")
    assert kept(world, case_id).owner == me.name
    assert found(world, me, whose=Whose.MINE) == {case_id}
    assert found(world, anna, whose=Whose.MINE) == set()
    assert found(world, me, whose=Whose.NOBODY) == {other}
    assert not mails(world, case_id, "case_given")
    with world.db.transaction() as tx:
        desk.give(tx, me, case_id, anna.id, instead_of=me.id)
    assert mails(world, case_id, "case_given") == [anna.id]
    with pytest.raises(Conflict, match="another owner") as told, world.db.transaction() as tx:
        desk.give(tx, me, case_id, me.id, instead_of=me.id)
    assert "Anna Berg looks after this case by now" in told.value.safe
    with world.db.transaction() as tx:
        desk.give(tx, anna, case_id, None)
    assert kept(world, case_id).owner_id is None
    with pytest.raises(Conflict), world.db.transaction() as tx:
        desk.give(tx, me, case_id, me.id, instead_of=anna.id)
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        desk.give(tx, me, case_id, world.specialist.id)
    assert found(world, me, whose=Whose.NOBODY) == {case_id, other}


def test_a_locked_account_looks_after_nothing(world: World, anna: Principal) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        desk.give(tx, anna, case_id, anna.id)
        tx.execute(update(PrincipalRow).where(PrincipalRow.id == anna.id).values(active=False))
    try:
        assert kept(world, case_id).owner == ""
        assert found(world, world.coordinator, whose=Whose.NOBODY) == {case_id}
        with world.db.transaction() as tx:
            notify.queue_coordinators(tx, load_unasked(tx, case_id), "hold_ending")
        assert mails(world, case_id, "hold_ending") == [world.coordinator.id]
    finally:
        with world.db.transaction() as tx:
            tx.execute(update(PrincipalRow).where(PrincipalRow.id == anna.id).values(active=True))


def test_who_looks_after_a_case_hears_of_it_and_all_where_nobody_does(world: World, anna: Principal) -> None:
    case_id, other = world.submitted("free"), world.submitted("free")
    with world.db.transaction() as tx:
        desk.give(tx, anna, case_id, anna.id)
        for one in (case_id, other):
            notify.queue_coordinators(tx, load_unasked(tx, one), "hold_ending")
            notify.queue_coordinators(tx, load_unasked(tx, one), "incident")
    assert mails(world, case_id, "hold_ending") == [anna.id]
    assert set(mails(world, other, "hold_ending")) == {anna.id, world.coordinator.id}
    assert set(mails(world, case_id, "incident")) == {anna.id, world.coordinator.id}


def test_nobody_but_coordinators_sees_or_changes_any_of_it(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        desk.write(tx, world.coordinator, case_id, "Zqinternal: call the daughter")
        desk.set_tags(tx, world.coordinator, case_id, ["zqtag"])
        desk.give(tx, world.coordinator, case_id, world.coordinator.id)
    for key in ("patient", "specialist"):
        with world.db.transaction() as tx:
            who = world.who[key]
            assert "zq" not in repr(read.show(tx, who, case_id)).lower()
            [line] = [one for one in read.listing(tx, who) if one.case_id == case_id]
            assert line.desk is None
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            read.listing(tx, who, narrow=Narrow(tag="zqtag"))
        for act in (
            lambda tx, who: desk.write(tx, who, case_id, "mine"),
            lambda tx, who: desk.set_tags(tx, who, case_id, ["mine"]),
            lambda tx, who: desk.give(tx, who, case_id, None),
            lambda tx, who: desk.mark(tx, who, case_id, seen=True),
            lambda tx, who: desk.tags(tx, who),
            lambda tx, who: desk.colleagues(tx, who),
            lambda tx, who: desk.remembered(tx, who),
        ):
            with pytest.raises(Forbidden), world.db.transaction() as tx:
                act(tx, who)
    with pytest.raises(NotFound), world.db.transaction() as tx:
        desk.write(tx, world.other_patient, case_id, "mine")
    # That it was written stands in the audit log; what, nowhere in it.
    with world.db.transaction() as tx:
        lines = tx.scalars(select(AuditRow).where(AuditRow.case_id == case_id)).all()
        assert {"case.internal_note", "case.tags", "case.owner"} <= {one.action for one in lines}
        assert not any("zq" in f"{one.detail}".lower() for one in lines)


def test_notes_have_an_author_and_a_second_click_adds_none(world: World, anna: Principal) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        desk.write(tx, world.coordinator, case_id, " Call the daughter\x00 ")
        desk.write(tx, world.coordinator, case_id, "Call the daughter")
        desk.write(tx, anna, case_id, "Done")
    assert [(n.author, n.text) for n in kept(world, case_id).notes] == [
        (world.coordinator.name, "Call the daughter"),
        ("Anna Berg", "Done"),
    ]
    for bad in ("  ", "x" * (desk.MOST_NOTE + 1)):
        with pytest.raises(Unprocessable, match="note"), world.db.transaction() as tx:
            desk.write(tx, anna, case_id, bad)


def test_tags_are_a_list_of_the_program_with_free_additions(world: World) -> None:
    who, first, second = world.coordinator, world.submitted("free"), world.submitted("free")
    with world.db.transaction() as tx:
        desk.set_tags(tx, who, first, ["Urgent", " second  look ", "urgent", ""])
        desk.set_tags(tx, who, second, ["URGENT"])
    assert kept(world, first).tags == ("second look", "Urgent")
    assert kept(world, second).tags == ("Urgent",)
    assert kept(world, second).known_tags == ("second look", "Urgent")
    assert found(world, who, tag="Urgent") == {first, second}
    assert found(world, who, tag="second look") == {first}
    for bad in ([str(n) for n in range(11)], ["x" * 31], ["a,b"], ["bell\x07"]):
        with pytest.raises(Unprocessable), world.db.transaction() as tx:
            desk.set_tags(tx, who, first, bad)
    assert kept(world, first).tags == ("second look", "Urgent")
    with world.db.transaction() as tx:
        desk.set_tags(tx, who, first, [])
        assert desk.tags(tx, who) == ["Urgent"]


def test_what_came_since_one_looked_is_new_to_each_coordinator_alone(world: World, anna: Principal) -> None:
    me, case_id = world.coordinator, world.submitted("free")

    def new(who: Principal) -> bool:
        return found(world, who, unread=True) == {case_id}

    assert new(me)
    assert new(anna)
    with world.db.transaction() as tx:
        desk.mark(tx, me, case_id, seen=True)
    assert not new(me)
    assert new(anna)
    with world.db.transaction() as tx:
        intake.write_note(tx, me, case_id, "What we say is no news to us")
        desk.write(tx, me, case_id, "Nor is one's own note")
    assert not new(me)
    with world.db.transaction() as tx:
        intake.write_note(tx, world.patient, case_id, "A word from the patient")
    assert new(me)
    with world.db.transaction() as tx:
        desk.mark(tx, me, case_id, seen=True)
        desk.mark(tx, me, case_id, seen=True)
        desk.write(tx, anna, case_id, "A word from a colleague")
    assert new(me)
    with world.db.transaction() as tx:
        desk.mark(tx, me, case_id, seen=True)
    world.upload(case_id)
    assert not new(me)
    with world.db.transaction() as tx:
        desk.mark(tx, me, case_id, seen=False)
    assert new(me)


def test_a_specialist_s_no_is_new_and_its_reason_is_shown(world: World) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx:
        desk.mark(tx, world.coordinator, case_id, seen=True)
        assignment.refuse(tx, world.specialist, case_id, "On leave until Monday")
    assert found(world, world.coordinator, unread=True) == {case_id}
    with world.db.transaction() as tx:
        case = read.show(tx, world.coordinator, case_id)
        assert isinstance(case, CoordinatorCase)
        assert [(one.outcome, one.reason) for one in case.offers] == [("declined", "On leave until Monday")]


def test_an_erased_case_keeps_none_of_it(world: World, anna: Principal) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        desk.give(tx, world.coordinator, case_id, anna.id)
        desk.write(tx, world.coordinator, case_id, "Call the daughter")
        desk.set_tags(tx, world.coordinator, case_id, ["Urgent"])
        desk.mark(tx, world.coordinator, case_id, seen=True)
        case = tx.get_one(Case, case_id)
        case.state = CaseState.ERASED
        erasure.destroy(tx, case)
        for model in (Ownership, InternalNote, CaseTag, Seen):
            assert tx.scalar(select(func.count()).select_from(model).where(model.case_id == case_id)) == 0
    with pytest.raises(Conflict), world.db.transaction() as tx:
        desk.write(tx, world.coordinator, case_id, "Too late")


def test_how_the_queue_was_narrowed_is_remembered(world: World, anna: Principal) -> None:
    with world.db.transaction() as tx:
        desk.remember(tx, anna, {"filter": "ours", "whose": "mine"})
        desk.remember(tx, anna, {"filter": "late"})
        assert desk.remembered(tx, anna) == {"filter": "late"}
        assert desk.remembered(tx, world.coordinator) == {}
        with pytest.raises(Unprocessable):
            desk.remember(tx, anna, {"filter": "x" * 65})
