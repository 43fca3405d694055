"""Who acts for a patient: how far, until when, and with what on file; both sides see who did what."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from cases import access, consents
from cases.erasure import destroy
from cases.repository import load, steps_of
from cases.service import assignment, authority, delegates, intake, people, read, reporting
from cases.service.intake import Changes
from cases.states import DelegateScope, ImagesBy, Relation
from cases.views import PatientCase
from overread.kit import clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable, UnsupportedMedia
from overread.kit.principals import Principal
from tests.cases.world import World, study

HELP, REPRESENT = DelegateScope.HELP, DelegateScope.REPRESENT


def token(world: World) -> str:
    """The secret of the newest invitation's link, which is in the mail alone."""
    world.drain()
    found: list[str] = re.findall(r"/acting/([\w=\n-]+?)\s*\n\n", "\n".join(world.mails()).replace("=\n", ""))
    return found[-1]


def acting(world: World, scope: DelegateScope, who: Principal | None = None) -> UUID:
    """Somebody acts for the patient of the world."""
    other = who or world.other_patient
    with world.db.transaction() as tx:
        made = delegates.invite(tx, world.patient, "other@example.net", Relation.SPOUSE, scope, None)
    secret = token(world)
    with world.db.transaction() as tx:
        delegates.accept(tx, other, secret)
    return made


def seen(world: World, who: Principal, case_id: UUID) -> PatientCase:
    with world.db.transaction() as tx:
        found = read.show(tx, who, case_id)
    assert isinstance(found, PatientCase)
    return found


def test_an_invitation_is_taken_up_once_by_whoever_has_its_link(world: World) -> None:
    made = acting(world, HELP)
    assert "Oyelaran" not in "".join(world.mails()), "the mail names nobody"
    secret = token(world)
    with world.db.transaction() as tx:
        delegates.accept(tx, world.other_patient, secret)
        with pytest.raises(Conflict):
            delegates.accept(tx, world.patient, secret)
        for who in (world.specialist, world.coordinator, world.hospital):
            with pytest.raises(Forbidden):
                delegates.accept(tx, who, secret)
        with pytest.raises(NotFound):
            delegates.invitation(tx, world.other_patient, "nonsense")
        mine, theirs = delegates.listed(tx, world.patient)[0], delegates.listed(tx, world.other_patient)[1]
        assert [(one.delegation_id, one.state, one.name) for one in mine] == [(made, "stands", "Some Other_Patient")]
        assert [one.delegation_id for one in theirs] == [made]
        delegates.end(tx, world.other_patient, made)
        delegates.end(tx, world.other_patient, made)
        with pytest.raises(NotFound):
            delegates.accept(tx, world.other_patient, secret)


@pytest.mark.parametrize("bad", ["own", "past", "many"])
def test_an_invitation_that_makes_no_sense_is_refused(world: World, bad: str) -> None:
    with world.db.transaction() as tx:
        if bad == "many":
            for number in range(delegates.MOST):
                delegates.invite(tx, world.patient, f"a{number}@example.net", Relation.CHILD, HELP, None)
            one = delegates.invite(tx, world.patient, "a1@example.net", Relation.CHILD, HELP, None)
            assert one in {view.delegation_id for view in delegates.listed(tx, world.patient)[0]}
        email = "maria.oyelaran@example.org" if bad == "own" else "b@example.net"
        ends = world.today() if bad == "past" else None
        with pytest.raises((Unprocessable, Conflict)):
            delegates.invite(tx, world.patient, email, Relation.CHILD, HELP, ends)


def test_a_helper_writes_and_sends_and_no_more(world: World) -> None:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with pytest.raises(NotFound):
        seen(world, world.other_patient, case_id)
    acting(world, HELP)
    view = seen(world, world.other_patient, case_id)
    assert (view.part, view.account_name) == ("helper", world.patient.name)
    with world.db.transaction() as tx:
        intake.update(tx, world.other_patient, case_id, Changes(history="An operation"))
        intake.write_note(tx, world.other_patient, case_id, "Hello")
        for step in (
            lambda: intake.submit(tx, world.other_patient, case_id),
            lambda: intake.consent(tx, world.other_patient, case_id, "terms", version="1"),
            lambda: intake.withdraw(tx, world.other_patient, case_id),
            lambda: people.who_accessed(tx, world.other_patient, case_id),
        ):
            with pytest.raises(Forbidden):
                step()
        intake.submit(tx, world.patient, case_id)
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
        intake.answer_info(tx, world.other_patient, case_id, "The left one")
        shown = read.show(tx, world.patient, case_id)
    assert isinstance(shown, PatientCase)
    assert any("Some Other_Patient" in entry.text for entry in shown.timeline)


def test_a_helper_sees_only_what_they_sent_and_the_patient_sees_it_too(world: World) -> None:
    case_id = world.submitted("free")
    acting(world, HELP)
    with world.db.transaction() as tx:
        theirs = access.scope(tx, world.other_patient, case_id)
        assert access.released(tx, case_id, theirs) == []
        assert access.may_upload(tx, world.other_patient, case_id) is None
    uid = world.upload(case_id, who=world.other_patient, dicom=study())
    for who, number in ((world.other_patient, 1), (world.patient, 2)):
        assert len({s.study_uid for s in seen(world, who, case_id).studies}) == number
    world.settle(uid)
    assert len(seen(world, world.patient, case_id).studies) == 2


def test_a_representative_does_what_the_patient_may_until_the_end(world: World) -> None:
    made = acting(world, REPRESENT)
    with world.db.transaction() as tx:
        case_id = intake.create(
            tx,
            world.other_patient,
            "free",
            Changes(subjects=["CT"], place="DE", birth_date=world.today(), images_by=ImagesBy.HOSPITAL),
            patient_id=world.patient.id,
        )
        intake.set_questions(tx, world.other_patient, case_id, ["Is it torn?"])
        for kind in ("terms", "privacy", "authority_to_share"):
            intake.consent(tx, world.other_patient, case_id, kind, version=consents.CURRENT[kind].version)
        intake.submit(tx, world.other_patient, case_id)
    assert seen(world, world.patient, case_id).patient_name == world.patient.name
    published = world.published("free")
    with world.db.transaction() as tx:
        assert reporting.read(tx, world.other_patient, published).answers
        intake.follow_up(tx, world.other_patient, published, "And now?")
        accesses = people.who_accessed(tx, world.patient, published, others=True)
        assert any(one.who.startswith("Some Other_Patient") for one in accesses)
        assert {line.case_id for line in read.listing(tx, world.other_patient)} == {case_id, published}
        delegates.end(tx, world.patient, made)
        assert not read.listing(tx, world.other_patient).rows
        for one in (case_id, published):
            with pytest.raises(NotFound):
                read.show(tx, world.other_patient, one)
            with pytest.raises(NotFound):
                access.scope(tx, world.other_patient, one)
        with pytest.raises(Forbidden):
            intake.create(tx, world.other_patient, "free", patient_id=world.patient.id)


def test_an_agreement_ends_on_its_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.draft("free")
    with world.db.transaction() as tx:
        last = world.today() + timedelta(days=2)
        delegates.invite(tx, world.patient, "other@example.net", Relation.CHILD, REPRESENT, last)
    secret = token(world)
    with world.db.transaction() as tx:
        delegates.accept(tx, world.other_patient, secret)
    assert seen(world, world.other_patient, case_id).part == "representative"
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=3))
    with pytest.raises(NotFound):
        seen(world, world.other_patient, case_id)


def test_an_invitation_ends_after_two_weeks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.db.transaction() as tx:
        delegates.invite(tx, world.patient, "other@example.net", Relation.CHILD, REPRESENT, None)
    secret = token(world)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=15))
    with world.db.transaction() as tx:
        with pytest.raises(NotFound):
            delegates.accept(tx, world.other_patient, secret)
        assert [one.state for one in delegates.listed(tx, world.patient)[0]] == ["ended"]


def test_whoever_asks_for_somebody_else_says_why_and_is_checked_before_a_specialist_is_asked(world: World) -> None:
    case_id = world.draft("free", patient_name="Emil Oyelaran", images_by=ImagesBy.UPLOAD)
    uid = world.upload(case_id, dicom=study("OYELARAN^EMIL"))
    with world.db.transaction() as tx:
        with pytest.raises(Unprocessable, match="refused") as refused:
            intake.submit(tx, world.patient, case_id)
        assert "what you are to the patient" in refused.value.safe
        with pytest.raises(Unprocessable):
            authority.prove(tx, world.patient, case_id, b"%PDF-1.7")
        authority.say(tx, world.patient, case_id, Relation.PARENT, "He is my son, nine years old.")
        for paper in (b"", b"MZ\x90", b"<html>", b"%PDF-" + bytes(authority.MOST_PROOF)):
            with pytest.raises(UnsupportedMedia):
                authority.prove(tx, world.patient, case_id, paper)
        authority.prove(tx, world.patient, case_id, b"%PDF-1.7 a certificate")
        with pytest.raises(NotFound):
            authority.say(tx, world.other_patient, case_id, None, "")
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        with pytest.raises(Unprocessable, match="refused"):
            assignment.mark_ready(tx, world.coordinator, case_id)
        assert authority.proof(tx, world.coordinator, case_id) == ("application/pdf", b"%PDF-1.7 a certificate")
        for who in (world.patient, world.other_patient, world.specialist):
            with pytest.raises((Forbidden, NotFound)):
                authority.proof(tx, who, case_id)
        with pytest.raises(Unprocessable):
            authority.check(tx, world.coordinator, case_id, " ")
        authority.check(tx, world.coordinator, case_id, "Birth certificate seen")
        authority.check(tx, world.coordinator, case_id, "again")
        with pytest.raises(Conflict):
            authority.prove(tx, world.patient, case_id, b"%PDF-1.7 another")
        assignment.mark_ready(tx, world.coordinator, case_id)
    known = seen(world, world.patient, case_id).authority
    assert known is not None
    assert (known.note, known.checked_at is not None) == ("Birth certificate seen", True)


def test_what_is_said_anew_is_checked_anew(world: World) -> None:
    case_id = world.draft("free", patient_name="Emil Oyelaran")
    with world.db.transaction() as tx:
        authority.say(tx, world.patient, case_id, Relation.PARENT, "My son")
        authority.say(tx, world.patient, case_id, Relation.PARENT, "My son")
        authority.say(tx, world.patient, case_id, None, "")
        authority.say(tx, world.patient, case_id, None, "")
    assert seen(world, world.patient, case_id).authority is None


def test_an_erasure_leaves_no_trace_of_who_acted_for_the_patient(world: World) -> None:
    acting(world, REPRESENT)
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.other_patient, case_id)
        assert world.other_patient.id in {step.actor_id for step in steps_of(tx, case_id)}
        destroy(tx, load(tx, world.coordinator, case_id, lock=True)[0])
        assert not {world.other_patient.id, world.patient.id} & {step.actor_id for step in steps_of(tx, case_id)}
