"""Kinds of opinion: what each costs, asks and needs holds from the choice to the report."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from cases import consents
from cases.kind_questions import AnswerForm, KindQuestion
from cases.models import CONSENTS
from cases.repository import load_unasked
from cases.service import assignment, intake, kinds, payments, programs, read, reporting
from cases.service.intake import Changes
from cases.service.kinds import Cost, KindFields
from cases.states import ImagesBy, Needed
from cases.views import PatientCase, SpecialistCase
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import BORN, World, proof, study

DIAGNOSIS = KindQuestion("diagnosis", "Which diagnosis were you given?", required=True)
EARLIER = KindQuestion("earlier", "Are there earlier images?", form=AnswerForm.YES_NO)
SIDE = KindQuestion("side", "Which side?", form=AnswerForm.CHOICE, options=("Left", "Right"))
RECORDS = KindFields("Quick read of records", "Without images.", 2, Needed.NONE, asks=(DIAGNOSIS, EARLIER, SIDE))


def records(world: World, *, cost: Cost | None = None, fields: KindFields = RECORDS) -> None:
    with world.db.transaction() as tx:
        kinds.add(tx, world.admin, "msk", "records", fields, cost)


def asked(tx: Session, world: World, **changes: Any) -> UUID:
    given: dict[str, Any] = {"subjects": ["CT"], "place": "US-CA", "birth_date": BORN} | changes
    case_id = intake.create(tx, world.patient, "msk", Changes(**given), kind="records")
    intake.set_questions(tx, world.patient, case_id, ["What should I do?"])
    for kind in CONSENTS:
        intake.consent(tx, world.patient, case_id, kind, version=consents.CURRENT[kind].version)
    return case_id


def test_a_read_of_records_goes_from_the_question_to_the_report_without_an_image(world: World) -> None:
    records(world, cost=Cost(9000, "USD", 4000))
    with world.db.transaction() as tx:
        case_id = asked(tx, world)
        with pytest.raises(Unprocessable, match="refused") as refused:
            intake.submit(tx, world.patient, case_id)
        assert "Please answer: Which diagnosis were you given?" in refused.value.safe
        assert "images" not in refused.value.safe.replace("sharing of images", "")
        intake.update(tx, world.patient, case_id, Changes(answers={"diagnosis": "A torn meniscus", "earlier": "yes"}))
    world.pay(case_id)
    assert world.state(case_id) == "submitted"
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        assert case.due_at is not None
        assert case.submitted_at is not None
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        assert (seen.kind, seen.fee) == ("Quick read of records", 4000)
        assert seen.answers == (
            ("Which diagnosis were you given?", "A torn meniscus"),
            ("Are there earlier images?", "Yes"),
        )
        assignment.accept(tx, world.specialist, case_id, world.gateway)
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        assert (seen.studies, seen.granted_until) == ((), None)
        answers = {str(q.question_id): "Rest." for q in seen.questions}
        reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "Well."}, [])
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        reporting.publish(tx, world.coordinator, case_id)
    world.drain()
    with world.db.transaction() as tx:
        report = reporting.read(tx, world.patient, case_id)
        assert report.studies == ()
        assert reporting.pdf(tx, world.patient, case_id)[1].startswith(b"%PDF-")
        assert read.earned(tx, world.specialist) == {"USD": (1, 4000)}


def test_what_comes_after_the_acceptance_of_a_read_without_images_is_granted(world: World) -> None:
    records(world, fields=KindFields("Read", images=Needed.OPTIONAL))
    with world.db.transaction() as tx:
        case_id = asked(tx, world)
        intake.submit(tx, world.patient, case_id)
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.settle(world.upload(case_id, dicom=study()))
    world.clear(case_id)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        assert len(seen.studies) == 1
        assert seen.granted_until is not None
        # It is here now, so it has to be read.
        answers = {str(q.question_id): "Rest." for q in seen.questions}
        reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "Well."}, [])
        with pytest.raises(Unprocessable, match="refused"):
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))


def test_another_kind_is_chosen_and_the_payment_for_the_first_is_called_off(world: World) -> None:
    records(world, cost=Cost(9000, "USD", 4000))
    assert world.sandbox
    case_id = world.draft("msk", images_by=ImagesBy.HOSPITAL)
    pages = {"success_url": "https://a.example/", "cancel_url": "https://a.example/"}

    def kind() -> str:
        with world.db.transaction() as tx:
            seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        return seen.kind.slug

    with world.db.transaction() as tx:
        first = payments.checkout(tx, world.patient, case_id, world.gateway, **pages)
    assert first
    with world.db.transaction() as tx:
        intake.choose_kind(tx, world.patient, case_id, "records", world.gateway)
        intake.update(tx, world.patient, case_id, Changes(answers={"diagnosis": "Torn"}))
    assert kind() == "records"
    with world.db.transaction() as tx:
        second = payments.checkout(tx, world.patient, case_id, world.gateway, **pages)
    assert second not in (None, first)
    world.look()
    assert world.state(case_id) == "draft", "the page of the first opinion pays for nothing"
    world.sandbox.pay(second or "")
    world.look()
    assert world.state(case_id) == "submitted"
    with world.db.transaction() as tx:
        # 9000 for the records, never the 35000 of the report.
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert seen.paid is not None
        assert seen.paid.amount == 9000
        with pytest.raises(Conflict):
            intake.choose_kind(tx, world.patient, case_id, "report", world.gateway)
        with pytest.raises(NotFound):
            intake.choose_kind(tx, world.other_patient, case_id, "report", world.gateway)


def test_an_answer_is_one_of_those_that_are_asked_for(world: World) -> None:
    records(world)
    with world.db.transaction() as tx:
        case_id = asked(tx, world)
        for bad in ({"nothing": "x"}, {"earlier": "perhaps"}, {"side": "Middle"}, {"diagnosis": "x" * 5_001}):
            with pytest.raises(Unprocessable):
                intake.update(tx, world.patient, case_id, Changes(answers=bad))
        kept = intake.keep(tx, world.patient, case_id, {}, None, {"side": "Left", "earlier": "perhaps"})
        assert set(kept.refused) == {"answer-earlier"}
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert seen.answers == {"side": "Left"}
    # The name of what a form says does not depend on the order in which it was said.
    with world.db.transaction() as tx:
        given = {"side": "Left", "earlier": "no", "diagnosis": "Torn"}
        told = intake.keep(tx, world.patient, case_id, {}, None, given).edition
    with world.db.transaction() as tx:
        assert intake.keep(tx, world.patient, case_id, {}, None, {}, edition=told).edition == told


def test_a_kind_that_is_given_no_more_is_chosen_by_nobody(world: World) -> None:
    records(world)
    with world.db.transaction() as tx:
        case_id = asked(tx, world, answers={"diagnosis": "Torn"})
        kinds.change(tx, world.admin, "msk", "records", KindFields("Quick read", active=False, images=Needed.NONE))
        with pytest.raises(Unprocessable, match="refused") as refused:
            intake.submit(tx, world.patient, case_id)
        assert "given no more" in refused.value.safe
        seen = read.show(tx, world.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert seen.step == "opinion"
        with pytest.raises(Unprocessable):
            asked(tx, world)
        assert [kind.slug for kind in programs.program(tx, "msk").kinds] == ["report"]
        assert [kind.active for kind in kinds.all_of(tx, world.admin, "msk")] == [True, False]


@pytest.mark.parametrize(
    ("slug", "fields", "cost"),
    [
        ("report", KindFields("Twice"), None),
        ("Records", KindFields("Capitals"), None),
        ("a/b", KindFields("A path"), None),
        ("", KindFields("Nothing"), None),
        ("x", KindFields(" "), None),
        ("x", KindFields("x" * 121), None),
        ("x", KindFields("x", reading_days=0), None),
        ("x", KindFields("x"), Cost(0, "USD")),
        ("x", KindFields("x"), Cost(100, "USD", 101)),
        ("x", KindFields("x", asks=(DIAGNOSIS, DIAGNOSIS)), None),
        ("x", KindFields("x", asks=(KindQuestion("a b", "Text"),)), None),
        ("x", KindFields("x", asks=(KindQuestion("a", " "),)), None),
        ("x", KindFields("x", asks=(KindQuestion("a", "Text", form=AnswerForm.CHOICE, options=("One",)),)), None),
        ("x", KindFields("x", asks=tuple(KindQuestion(f"q{n}", "Text") for n in range(31))), None),
    ],
)
def test_what_can_be_no_kind_is_refused(world: World, slug: str, fields: KindFields, cost: Cost | None) -> None:
    with pytest.raises((Unprocessable, Conflict, ValueError)), world.db.transaction() as tx:
        kinds.add(tx, world.admin, "msk", slug, fields, cost)
    with world.db.transaction() as tx:
        assert [kind.slug for kind in kinds.all_of(tx, world.admin, "msk")] == ["report"]
        with pytest.raises(Forbidden):
            kinds.add(tx, world.coordinator, "msk", "y", KindFields("y"))


def test_a_patient_who_looks_around_leaves_no_empty_requests(world: World) -> None:
    records(world)
    with world.db.transaction() as tx:
        first = intake.start(tx, world.patient, "msk", "report", Changes())
        assert intake.start(tx, world.patient, "msk", "records", Changes()) == first
        assert intake.start(tx, world.other_patient, "msk", "records", Changes()) != first
        intake.update(tx, world.patient, first, Changes(symptoms="Pain"))
        assert intake.start(tx, world.patient, "msk", "records", Changes()) != first
