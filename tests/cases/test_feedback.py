"""After the report: how it went, words for the public pages, how the work goes for specialists."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from cases import erasure, surveys
from cases.models import Case, Program
from cases.service import check_ins, reporting, testimonials
from cases.service import surveys as said
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import World, proof

WORDS = "I understood at last what was found."


def read_report(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        reporting.read(tx, world.patient, case_id)


def give(world: World, case_id: UUID, words: str = WORDS, name: str = "M. O.") -> None:
    with world.db.transaction() as tx:
        testimonials.give(tx, world.patient, case_id, words, name, surveys.digest())


def decide(world: World, case_id: UUID, *, approve: bool) -> None:
    with world.db.transaction() as tx:
        one = next(w for w in testimonials.listed(tx, world.coordinator) if w.case_id == case_id)
        testimonials.decide(tx, world.coordinator, case_id, approve=approve, edition=one.edition)


def shown(world: World) -> list[tuple[str, str]]:
    with world.db.transaction() as tx:
        return [(one.text, one.name) for one in testimonials.published(tx)]


# -- how it went -------------------------------------------------------------------------------------------------------


def test_how_it_went_is_said_after_the_report_was_read_and_said_anew(world: World) -> None:
    case_id = world.published()
    with pytest.raises(Conflict, match="was read") as early, world.db.transaction() as tx:
        said.send(tx, world.patient, case_id, {"clear": 4}, "")
    assert early.value.safe == "Please read your report first."
    read_report(world, case_id)
    for scores, words in (({"clear": 4}, ""), ({"clear": 5, "answered": 3}, "Thank you")):
        with world.db.transaction() as tx:
            said.send(tx, world.patient, case_id, scores, words)
    with world.db.transaction() as tx:
        own = said.of_case(tx, world.patient, case_id)
        (listed,) = said.listed(tx, world.coordinator)
    assert own is not None
    assert (own.scores, own.text) == (listed.scores, listed.text) == ({"clear": 5, "answered": 3}, "Thank you")


@pytest.mark.parametrize(
    ("scores", "words", "told"),
    [
        ({}, " \x00", "Please choose an answer, or write something."),
        ({"clear": 6}, "", "Each answer is a number from 1 to 5."),
        ({"other": 3}, "", "Each answer is a number from 1 to 5."),
        ({"clear": 3}, "x" * 4001, "A text is too long: 4000 characters at most."),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(world: World, scores: dict[str, int], words: str, told: str) -> None:
    case_id = world.published()
    read_report(world, case_id)
    with pytest.raises(Unprocessable) as refused, world.db.transaction() as tx:
        said.send(tx, world.patient, case_id, scores, words)
    assert refused.value.safe == told
    with world.db.transaction() as tx:
        assert said.of_case(tx, world.patient, case_id) is None


def test_how_it_went_is_the_patients_to_say_and_the_coordinators_to_read(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    for who in (world.coordinator, world.specialist):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            said.send(tx, who, case_id, {"clear": 1}, "")
    with pytest.raises(NotFound), world.db.transaction() as tx:
        said.send(tx, world.other_patient, case_id, {"clear": 1}, "")
    for who in (world.patient, world.specialist, world.admin):
        with pytest.raises(Forbidden), world.db.transaction() as tx:
            said.listed(tx, who)


# -- words for the public pages ----------------------------------------------------------------------------------------


def test_words_are_shown_once_they_are_approved_and_as_long_as_the_consent_stands(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    assert shown(world) == []
    decide(world, case_id, approve=True)
    assert shown(world) == [(WORDS, "M. O.")]
    with world.db.transaction() as tx:
        testimonials.withdraw(tx, world.patient, case_id)
    assert shown(world) == []
    with world.db.transaction() as tx:
        testimonials.withdraw(tx, world.patient, case_id)
        row = tx.execute(text("SELECT text, name, consent, withdrawn_at FROM cases_testimonial")).one()
    # What was agreed to stays on record; the words don't.
    assert (row.text, row.name, row.consent) == ("", "", str(surveys.CONSENT))
    assert row.withdrawn_at is not None


def test_changed_words_wait_to_be_approved_anew(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    decide(world, case_id, approve=True)
    give(world, case_id)
    assert shown(world) == [(WORDS, "M. O.")], "the same words twice are once"
    give(world, case_id, "Something else entirely.")
    assert shown(world) == []
    decide(world, case_id, approve=False)
    assert shown(world) == []


def test_what_was_not_read_can_t_be_approved(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    with world.db.transaction() as tx:
        (one,) = testimonials.listed(tx, world.coordinator)
    give(world, case_id, "Changed meanwhile.")
    with pytest.raises(Conflict, match="other words"), world.db.transaction() as tx:
        testimonials.decide(tx, world.coordinator, case_id, approve=True, edition=one.edition)
    assert shown(world) == []


def test_words_need_the_consent_that_was_shown(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    with pytest.raises(Conflict, match="another consent"), world.db.transaction() as tx:
        testimonials.give(tx, world.patient, case_id, WORDS, "", "0" * 64)
    for who in (world.patient, world.specialist, world.admin):
        with pytest.raises((Forbidden, NotFound)), world.db.transaction() as tx:
            testimonials.decide(tx, who, case_id, approve=True, edition="0" * 64)


def test_coordinators_hear_of_words_that_wait(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    world.digest()
    assert any("words for the public pages" in mail.replace("\n", " ") for mail in world.mails())
    assert not any(WORDS in mail for mail in world.mails())


def test_words_of_a_program_that_is_closed_are_not_shown(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    decide(world, case_id, approve=True)
    with world.db.transaction() as tx:
        assert [one.program for one in testimonials.published(tx, "free")] == ["free"]
        assert testimonials.published(tx, "msk") == []
        tx.execute(update(Program).where(Program.slug == "free").values(active=False))
    assert shown(world) == []


def test_an_erasure_takes_what_was_said_along(world: World) -> None:
    case_id = world.published()
    read_report(world, case_id)
    give(world, case_id)
    decide(world, case_id, approve=True)
    with world.db.transaction() as tx:
        said.send(tx, world.patient, case_id, {"clear": 5}, "Zqsaid")
    with world.db.transaction() as tx:
        erasure.destroy(tx, tx.get_one(Case, case_id))
    assert shown(world) == []
    with world.db.transaction() as tx:
        for table in ("cases_survey", "cases_testimonial", "cases_visit"):
            assert tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


# -- how the work goes -------------------------------------------------------------------------------------------------


def test_a_specialist_is_asked_after_so_many_reports_once(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(check_in_readings=2))
    world.signed()
    with world.db.transaction() as tx:
        assert check_ins.own(tx, world.specialist) == []
    second = world.signed()
    with world.db.transaction() as tx:
        (asked,) = check_ins.own(tx, world.specialist)
        assert check_ins.own(tx, world.other_specialist) == []
        reporting.send_back(tx, world.coordinator, second, "The side is missing.")
    assert asked.readings == 2
    world.change(second, {"impression": "All is well on the left."}, "")
    with world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, second, proof(world.specialist))
    world.drain()
    with world.db.transaction() as tx:
        assert len(check_ins.own(tx, world.specialist)) == 1
    assert sum("How is the work going" in mail for mail in world.mails()) == 1


def test_how_the_work_goes_is_said_once(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(check_in_readings=1))
    world.signed()
    with world.db.transaction() as tx:
        (asked,) = check_ins.own(tx, world.specialist)
    with pytest.raises(NotFound), world.db.transaction() as tx:
        check_ins.answer(tx, world.other_specialist, asked.check_in_id, 4, "")
    with pytest.raises(Unprocessable), world.db.transaction() as tx:
        check_ins.answer(tx, world.specialist, asked.check_in_id, 0, "")
    for _ in range(2):
        with world.db.transaction() as tx:
            check_ins.answer(tx, world.specialist, asked.check_in_id, 4, "More priors, please")
    with pytest.raises(Conflict, match="answered"), world.db.transaction() as tx:
        check_ins.answer(tx, world.specialist, asked.check_in_id, 1, "")
    with world.db.transaction() as tx:
        assert check_ins.own(tx, world.specialist) == []
        (told,) = check_ins.listed(tx, world.coordinator)
    assert (told.score, told.text, told.specialist) == (4, "More priors, please", "Some Specialist")


def test_a_program_may_ask_nobody(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).values(check_in_readings=0))
    world.signed()
    with world.db.transaction() as tx:
        assert check_ins.own(tx, world.specialist) == []
        assert tx.scalars(select(Program.check_in_readings)).all() == [0, 0]
