"""A patient is asked for items: each is answered, added or said to be missing; half of it is kept; then all is sent."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cases import erasure
from cases.asked_models import AskedItem
from cases.models import Case
from cases.service import asked, intake, read
from cases.service.asked import Answered, Wanted
from cases.states import AskedKind, CaseState
from cases.views import AskedView, CoordinatorCase, PatientCase, SpecialistCase
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.test_documents import add
from tests.cases.world import World, study
from tests.fakes import papers

QUESTION = Wanted(AskedKind.QUESTION, "Since when does it hurt?")
DOCUMENT = Wanted(AskedKind.DOCUMENT, "The first report")
STUDY = Wanted(AskedKind.STUDY, "The MRI of last year")


def asked_for(world: World, *items: Wanted, text: str = "") -> UUID:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, text, items)
    return case_id


def listed(world: World, case_id: UUID) -> AskedView:
    with world.db.transaction() as tx:
        return asked.listed(tx, world.patient, case_id)


def say(world: World, case_id: UUID, number: int, text: str, *, missing: bool = False) -> None:
    item = listed(world, case_id).items[number - 1]
    with world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {item.item_id: Answered(text, missing)})


def state(world: World, case_id: UUID) -> CaseState:
    with world.db.transaction() as tx:
        return tx.get_one(Case, case_id).state


def test_each_item_is_answered_then_all_are_sent(world: World) -> None:
    case_id = asked_for(world, QUESTION, DOCUMENT, STUDY, text="Two things are missing.")
    assert [(one.number, one.kind, one.done) for one in listed(world, case_id).items] == [
        (1, AskedKind.QUESTION, False),
        (2, AskedKind.DOCUMENT, False),
        (3, AskedKind.STUDY, False),
    ]
    with world.db.transaction() as tx:
        case = read.show(tx, world.patient, case_id)
        assert isinstance(case, PatientCase)
        assert asked.lead(case.asked, listed(world, case_id)) == "Two things are missing."
    with pytest.raises(Unprocessable, match="open") as told, world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "Here you are")
    assert "still open: 1, 2, 3" in told.value.safe
    say(world, case_id, 1, " Since Easter ")
    # Words alone are no document.
    say(world, case_id, 2, "It is on its way")
    assert [one.done for one in listed(world, case_id).items] == [True, False, False]
    document = add(world, case_id, papers.pdf("One"), name="Oyelaran.pdf")
    with world.db.transaction() as tx:
        asked.attach(tx, world.patient, case_id, listed(world, case_id).items[1].item_id, document)
    say(world, case_id, 3, "The hospital has burnt down", missing=True)
    assert all(one.done for one in listed(world, case_id).items)
    assert state(world, case_id) is CaseState.NEEDS_INFO
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id)
    assert state(world, case_id) is CaseState.SUBMITTED
    with world.db.transaction() as tx:
        case = read.show(tx, world.coordinator, case_id)
        assert isinstance(case, CoordinatorCase)
        [first, second, third] = case.asked_items.items
        assert (first.answer, second.document, third.missing) == ("Since Easter", "First report: Oyelaran.pdf", True)
        told_in_words = case.notes[-1].text
    assert "1. Since when does it hurt?\nSince Easter" in told_in_words
    assert "2. The first report\nAdded as a document. It is on its way" in told_in_words
    assert "3. The MRI of last year\nI don’t have it. The hospital has burnt down" in told_in_words
    assert "Oyelaran.pdf" not in told_in_words


def test_images_that_come_answer_an_item_that_asks_for_them(world: World) -> None:
    case_id = asked_for(world, STUDY)
    world.settle(world.upload(case_id, dicom=study()))
    assert [one.done for one in listed(world, case_id).items] == [True]


def test_two_windows_are_told_of_each_other(world: World) -> None:
    case_id = asked_for(world, QUESTION)
    before = listed(world, case_id)
    with world.db.transaction() as tx:
        first = {before.items[0].item_id: Answered("Since Easter")}
        edition = asked.keep(tx, world.patient, case_id, first, edition=before.edition)
    with pytest.raises(Conflict, match="meanwhile"), world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {before.items[0].item_id: Answered("")}, edition=before.edition)
    with world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {before.items[0].item_id: Answered("Since May")}, edition=edition)
    assert listed(world, case_id).items[0].answer == "Since May"


def test_what_can_be_no_item_or_answer_is_refused(world: World) -> None:
    case_id = world.submitted("free")
    for bad in ([Wanted(AskedKind.QUESTION, " ")], [Wanted(AskedKind.QUESTION, "x" * 401)], [QUESTION] * 21, []):
        with pytest.raises(Unprocessable), world.db.transaction() as tx:
            intake.ask_info(tx, world.coordinator, case_id, "", bad)
    assert state(world, case_id) is CaseState.SUBMITTED
    with pytest.raises(Conflict), world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {})
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "", [QUESTION])
        intake.ask_info(tx, world.coordinator, case_id, "", [QUESTION])
    [item] = listed(world, case_id).items
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {item.item_id: Answered("x" * 5_001)})
    with pytest.raises(NotFound), world.db.transaction() as tx:
        asked.keep(tx, world.patient, case_id, {uuid4(): Answered("x")})
    for who in (world.other_patient, world.specialist):
        with pytest.raises(NotFound), world.db.transaction() as tx:
            asked.listed(tx, who, case_id)
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        asked.keep(tx, world.coordinator, case_id, {item.item_id: Answered("for them")})
    document = add(world, case_id, papers.pdf("One"))
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        asked.attach(tx, world.patient, case_id, item.item_id, document)
    other = asked_for(world, DOCUMENT)
    with pytest.raises(NotFound), world.db.transaction() as tx:
        asked.attach(tx, world.patient, other, listed(world, other).items[0].item_id, document)


def test_a_coordinator_writes_down_an_answer_that_was_told(world: World) -> None:
    case_id = asked_for(world, QUESTION, DOCUMENT)
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        intake.answer_info(tx, world.coordinator, case_id, "")
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.coordinator, case_id, "By telephone: since Easter, no report")
    assert state(world, case_id) is CaseState.SUBMITTED
    # Plain words, asked later, are no list.
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
    assert not listed(world, case_id).waits
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "The left one")
    assert state(world, case_id) is CaseState.SUBMITTED


def test_a_specialist_s_list_comes_back_without_the_name(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.specialist, case_id, "", [QUESTION])
    say(world, case_id, 1, "Since Easter, says María Ångström-Oyelaran")
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id)
        case = read.show(tx, world.specialist, case_id)
    assert isinstance(case, SpecialistCase)
    assert "Since Easter" in case.asked
    assert "Oyelaran" not in case.asked
    with pytest.raises(Forbidden), world.db.transaction() as tx:
        asked.listed(tx, world.specialist, case_id)


def test_an_erased_case_keeps_no_items(world: World) -> None:
    case_id = asked_for(world, QUESTION, DOCUMENT)
    say(world, case_id, 1, "Since Easter")
    with world.db.transaction() as tx:
        case = tx.get_one(Case, case_id)
        case.state = CaseState.ERASED
        erasure.destroy(tx, case)
        assert tx.scalar(select(func.count()).where(AskedItem.case_id == case_id)) == 0
