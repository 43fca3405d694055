"""Requests that somebody else prepares: the invitation, whose it becomes, images by its number, and who reads."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import consents, invitations
from cases.erasure import destroy
from cases.models import CONSENTS, Message
from cases.referral_models import Referral, ReportShare
from cases.repository import load_unasked, studies_of
from cases.service import assignment, inboxes, intake, people, read, referrals, referred, reporting, versions
from cases.service.referrals import ReferralState, ReferralView, Referred
from cases.service.referred import SHARING
from cases.states import StudyState
from cases.views import PatientCase
from overread.kit import audit, clock
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal
from tests.cases.conftest import MovedClock
from tests.cases.test_routes import Api
from tests.cases.world import BORN, EMAIL, NAME, World, proof, study

SAID = Referred(
    email=EMAIL,
    patient_name=NAME,
    birth_date=BORN,
    place="us-ca",
    subjects=["CT"],
    questions=["Is it torn?", " ", "Does it need surgery?"],
    physician="Dr. Ruth Lindqvist",
    sex="F",
    phone="+1 555 0100",
    history="Fell from a ladder.",
)


def mailed(world: World) -> list[tuple[str, str, str]]:
    """Every mail: to whom, its subject, its text."""
    world.drain()
    files = sorted((world.folder / "mail").glob("*.eml"))
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
    return [(str(m["To"]), str(m["Subject"]), str(m.get_body(("plain",)).get_content())) for m in found]  # type: ignore[union-attr]


def token(world: World, to: str = EMAIL) -> str:
    """The secret of the newest invitation's link, which is in the mail alone."""
    links = [re.findall(r"/referred/([\w-]+)", text) for who, _, text in mailed(world) if who == to]
    return str([link for several in links for link in several][-1])


def make(world: World, who: Principal | None = None, program: str = "free", **other: Any) -> UUID:
    with world.db.transaction() as tx:
        return referrals.make(tx, who or world.hospital, program, replace(SAID, **other))


def show(world: World, referral_id: UUID, who: Principal | None = None) -> ReferralView:
    with world.db.transaction() as tx:
        return referrals.show(tx, who or world.hospital, referral_id)


def take_up(world: World, secret: str, who: Principal | None = None, born: date = BORN) -> UUID:
    with world.db.transaction() as tx:
        return referred.take_up(tx, who or world.patient, secret, born)


def submit(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        for kind in CONSENTS:
            intake.consent(tx, world.patient, case_id, kind, version=consents.CURRENT[kind].version)
        intake.submit(tx, world.patient, case_id)
    world.drain()


def share(world: World, case_id: UUID, who: Principal | None = None) -> None:
    with world.db.transaction() as tx:
        referred.share(
            tx, who or world.patient, case_id, version=SHARING.version, digest=SHARING.digest, address="192.0.2.1"
        )


def report_of(world: World, case_id: UUID) -> None:
    """The case goes on to its published report."""
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.drain()
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        answers = {str(q.question_id): "No" for q in seen.questions}
        uids = [s.study_uid for s in seen.studies]
        reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "All is well."}, uids)
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
    world.drain()


def test_a_referral_becomes_the_patients_own_request(world: World) -> None:
    made = make(world)
    view = show(world, made)
    assert (view.state, view.place, view.questions) == (
        ReferralState.INVITED, "US-CA", ("Is it torn?", "Does it need surgery?"),
    )  # fmt: skip
    to, subject, text = next(mail for mail in mailed(world) if "/referred/" in mail[2])
    assert to == EMAIL
    assert view.reference in subject
    for word in ("Oyelaran", "Lindqvist", "ladder", "torn", "CT", "opinion", "physician"):
        assert word not in subject + text, "the mail names nobody and says nothing of health"
    secret = token(world)
    with world.db.transaction() as tx:
        asked = referred.asked(tx, world.patient, secret)
        assert (asked.by, asked.physician, asked.case_id, asked.to_another) == (
            world.hospital.name, "Dr. Ruth Lindqvist", None, False,
        )  # fmt: skip
        assert referred.asked(tx, world.other_patient, secret).to_another
    case_id = take_up(world, secret)
    assert take_up(world, secret) == case_id, "a second click comes to the same request"
    with world.db.transaction() as tx:
        case = read.show(tx, world.patient, case_id)
        assert isinstance(case, PatientCase)
        assert (case.reference, case.state, case.patient_name, case.place) == (view.reference, "draft", NAME, "US-CA")
        assert ([q.text for q in case.questions], case.history) == (list(view.questions), SAID.history)
        assert case.images_by == "hospital", "it goes on without images at hand"
        with pytest.raises(Unprocessable):
            intake.submit(tx, world.patient, case_id)
    assert show(world, made).state is ReferralState.TAKEN_UP
    assert any(to == "hospital@example.org" and view.reference in subject for to, subject, _ in mailed(world))
    submit(world, case_id)
    assert world.state(case_id) == "submitted"
    assert show(world, made).state is ReferralState.SENT


def test_another_person_learns_nothing_and_takes_nothing_up(world: World) -> None:
    make(world)
    secret = token(world)
    with pytest.raises(Unprocessable):
        take_up(world, secret, world.other_patient, BORN + timedelta(days=1))
    for who in (world.coordinator, world.specialist, world.hospital, world.admin, world.auditor):
        with world.db.transaction() as tx:
            for call in (
                lambda tx=tx, who=who: referred.asked(tx, who, secret),
                lambda tx=tx, who=who: referred.take_up(tx, who, secret, BORN),
                lambda tx=tx, who=who: referred.refuse(tx, who, secret),
            ):
                with pytest.raises(Forbidden, match=r"patient's invitation") as refused:
                    call()
                assert "Sign out" in refused.value.safe
    take_up(world, secret)
    with world.db.transaction() as tx, pytest.raises(Conflict) as taken:
        referred.asked(tx, world.other_patient, secret)
    assert "another account" in taken.value.safe
    with pytest.raises(Conflict):
        take_up(world, secret, world.other_patient)
    with world.db.transaction() as tx, pytest.raises(NotFound):
        referred.asked(tx, world.patient, "nonsense")


def test_an_invitation_expires_is_mailed_again_and_is_forgotten(world: World, moved: MovedClock) -> None:
    made, began = make(world), clock.now()
    first = token(world)
    moved.to(began + invitations.INVITED_FOR + timedelta(hours=1))
    assert show(world, made).state is ReferralState.EXPIRED
    with world.db.transaction() as tx, pytest.raises(NotFound) as late:
        referred.asked(tx, world.patient, first)
    assert "too old" in late.value.safe
    with world.db.transaction() as tx:
        referrals.send_again(tx, world.hospital, made)
    second = token(world)
    assert first != second
    with world.db.transaction() as tx:
        with pytest.raises(NotFound):
            referred.asked(tx, world.patient, first)
        assert referred.asked(tx, world.patient, second).case_id is None
        assert referrals.sweep(tx, 10) == 0
    moved.to(clock.now() + 2 * invitations.INVITED_FOR + timedelta(hours=1))
    with world.db.transaction() as tx:
        assert (referrals.sweep(tx, 10), referrals.sweep(tx, 10)) == (1, 0)
        with pytest.raises(Conflict):
            referrals.send_again(tx, world.hospital, made)
    view = show(world, made)
    assert (view.state, view.patient_name, view.email, view.questions, view.may_send_again) == (
        ReferralState.EXPIRED, "", "", (), False,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["taken back", "refused"])
def test_what_ends_before_it_is_taken_up_is_not_kept(world: World, how: str) -> None:
    made = make(world)
    secret = token(world)
    with world.db.transaction() as tx:
        if how == "refused":
            referred.refuse(tx, world.patient, secret)
        else:
            referrals.end(tx, world.hospital, made)
            referrals.end(tx, world.hospital, made)
    with pytest.raises(NotFound):
        take_up(world, secret)
    view = show(world, made)
    assert view.state is (ReferralState.REFUSED if how == "refused" else ReferralState.TAKEN_BACK)
    assert (view.patient_name, view.birth_date, view.history, view.may_end) == ("", None, "", False)
    told = [to for to, subject, _ in mailed(world) if "declined" in subject]
    assert told == (["hospital@example.org"] if how == "refused" else [])


def test_what_was_taken_up_is_the_patients_to_end(world: World) -> None:
    made = make(world)
    secret = token(world)
    case_id = take_up(world, secret)
    with world.db.transaction() as tx:
        for call in (referrals.end, referrals.send_again):
            with pytest.raises(Conflict):
                call(tx, world.hospital, made)
        with pytest.raises(Conflict):
            referred.refuse(tx, world.patient, secret)
        intake.withdraw(tx, world.patient, case_id)
    assert show(world, made).state is ReferralState.ENDED


def test_the_same_twice_makes_one_invitation(world: World) -> None:
    made = make(world)
    assert make(world) == made
    assert make(world, questions=["Another one?"]) != made
    assert sum("/referred/" in text for _, _, text in mailed(world)) == 2
    with world.db.transaction() as tx:
        kind, by = tx.get_one(Referral, made).kind, world.hospital.id
        numbers = [f"OV-{n:04}-2222" for n in range(referrals.MOST)]
        tx.add_all(Referral(reference=number, kind=kind, referred_by=by, email="a") for number in numbers)
    with pytest.raises(Conflict):
        make(world, questions=["A third one?"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "XX"},
        {"place": "nowhere at all"},
        {"subjects": []},
        {"subjects": ["moon"]},
        {"subjects": ["other"]},
        {"questions": [" "]},
        {"questions": ["?"] * 21},
        {"birth_date": date(1700, 1, 1)},
        {"sex": "Q"},
        {"email": "nobody"},
        {"patient_name": " "},
        {"physician": ""},
        {"history": "x" * 20_001},
        {"kind": "none"},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_what_makes_no_sense_is_refused_with_a_sentence(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable) as refused:
        make(world, **wrong)
    assert refused.value.safe.endswith(".")
    with world.db.transaction() as tx:
        assert tx.scalars(select(Referral)).all() == []


def test_only_hospitals_and_coordinators_refer_and_each_hospital_sees_its_own(world: World) -> None:
    for who in (world.patient, world.specialist, world.admin, world.auditor):
        with pytest.raises(Forbidden):
            make(world, who)
    by_hospital, by_coordinator = make(world), make(world, world.coordinator, physician="")
    with world.db.transaction() as tx:
        assert [one.referral_id for one in referrals.listed(tx, world.hospital)] == [by_hospital]
        everybodys = referrals.listed(tx, world.coordinator).rows
        assert [(one.referral_id, one.by) for one in everybodys] == [
            (by_coordinator, world.coordinator.name), (by_hospital, world.hospital.name),
        ]  # fmt: skip
        for call in (referrals.show, referrals.end, referrals.send_again, referrals.report):
            with pytest.raises(NotFound):
                call(tx, world.hospital, by_coordinator)


def test_a_parent_takes_it_up_for_a_child_and_says_so(world: World) -> None:
    make(world, patient_name="Ida Oyelaran", birth_date=date(2019, 5, 1))
    case_id = take_up(world, token(world), born=date(2019, 5, 1))
    with world.db.transaction() as tx:
        assert any("what you are to the patient" in text for _, text in intake.missing(tx, world.patient, case_id))


@pytest.mark.parametrize("first", ["images", "patient"])
def test_images_find_the_case_by_the_number_before_and_after_the_patient_agrees(world: World, first: str) -> None:
    made = make(world)
    number = show(world, made).reference
    dicom = study(AccessionNumber=number.replace("-", " ").lower())
    secret = token(world)
    if first == "images":
        world.settle(world.upload(None, who=world.hospital, dicom=dicom))
        with world.db.transaction() as tx:
            assert [one.referral for one in inboxes.listed(tx, world.coordinator)] == [number]
        case_id = take_up(world, secret)
        world.drain()
    else:
        case_id = take_up(world, secret)
        submit(world, case_id)
        world.settle(world.upload(None, who=world.hospital, dicom=dicom))
    with world.db.transaction() as tx:
        assert [s.state for s in studies_of(tx, case_id)] == [StudyState.DEID_REVIEW]
        case = load_unasked(tx, case_id)
        assert case is not None
        assert (case.due_at is not None) == (first == "patient"), "the clock waits for the request, and for its images"


def test_the_report_goes_back_only_while_the_patient_wants_that(world: World) -> None:
    made = make(world)
    number = show(world, made).reference
    case_id = take_up(world, token(world))
    submit(world, case_id)
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=number)))
    report_of(world, case_id)
    assert show(world, made).state is ReferralState.REPORTED
    with world.db.transaction() as tx:
        with pytest.raises(NotFound):
            referrals.report(tx, world.hospital, made)
        with pytest.raises(Conflict):
            referred.share(tx, world.patient, case_id, version="0", digest=SHARING.digest)
        for who in (world.coordinator, world.specialist):
            with pytest.raises(Forbidden):
                referred.share(tx, who, case_id, version=SHARING.version, digest=SHARING.digest)
        with pytest.raises(NotFound):
            referred.share(tx, world.other_patient, case_id, version=SHARING.version, digest=SHARING.digest)
    share(world, case_id)
    share(world, case_id)
    assert sum("something to read" in subject for _, subject, _ in mailed(world)) == 1
    assert show(world, made).may_read_report
    assert not show(world, made, world.coordinator).may_read_report
    with world.db.transaction() as tx:
        name, pdf = referrals.report(tx, world.hospital, made)
        assert (name, pdf[:5]) == (f"second-opinion-{number}.pdf", b"%PDF-")
        with pytest.raises(Forbidden):
            referrals.report(tx, world.coordinator, made)
    with world.db.transaction() as tx:
        seen = people.who_accessed(tx, world.patient, case_id, others=True)
        assert any(one.who == world.hospital.name for one in seen), "the patient sees who read it"
        referred.stop_sharing(tx, world.patient, case_id)
        referred.stop_sharing(tx, world.patient, case_id)
        with pytest.raises(NotFound):
            referrals.report(tx, world.hospital, made)
        kept = tx.scalars(select(ReportShare)).all()
        assert [(one.text_digest, one.given_by, one.withdrawn_by) for one in kept] == [
            (SHARING.digest, world.patient.id, world.patient.id)
        ]
    share(world, case_id)
    with world.db.transaction() as tx:
        assert referrals.report(tx, world.hospital, made)[1]


def test_who_shared_before_the_report_has_it_told_when_it_is_there(world: World) -> None:
    made = make(world)
    case_id = take_up(world, token(world))
    share(world, case_id)
    submit(world, case_id)
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=show(world, made).reference)))
    assert not any("something to read" in subject for _, subject, _ in mailed(world))
    report_of(world, case_id)
    assert sum("something to read" in subject for _, subject, _ in mailed(world)) == 1


def test_who_read_a_report_that_is_recalled_hears_it_and_reads_it_no_more(world: World) -> None:
    made = make(world)
    case_id = take_up(world, token(world))
    share(world, case_id)
    submit(world, case_id)
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=show(world, made).reference)))
    report_of(world, case_id)
    with world.db.transaction() as tx:
        referrals.report(tx, world.hospital, made)
        referred.stop_sharing(tx, world.patient, case_id)
        versions.recall(tx, world.coordinator, case_id, 1, "It is another patient's")
    told = [to for to, subject, _ in mailed(world) if "don't use what you read" in subject]
    assert told == ["hospital@example.org"]
    share(world, case_id)
    assert not show(world, made).may_read_report
    with world.db.transaction() as tx, pytest.raises(NotFound, match="no report") as gone:
        referrals.report(tx, world.hospital, made)
    assert "taken back" in gone.value.safe
    assert sum("something to read" in subject for _, subject, _ in mailed(world)) == 1


def test_a_coordinator_starts_for_a_caller_and_is_named_where_it_was_typed(world: World) -> None:
    made = make(world, world.coordinator, physician="")
    case_id = take_up(world, token(world))
    with world.db.transaction() as tx:
        told = referred.of_case(tx, world.patient, case_id)
        assert told is not None
        assert (told.by, told.shares) == (world.coordinator.name, False)
        with pytest.raises(Unprocessable):
            referred.share(tx, world.patient, case_id, version=SHARING.version, digest=SHARING.digest)
        with pytest.raises(NotFound):
            referred.of_case(tx, world.coordinator, case_id)
    submit(world, case_id)
    with world.db.transaction() as tx:
        assert referred.of_case(tx, world.coordinator, case_id) == told
        lines = audit.read(tx, world.auditor).rows
        assert [(line.actor, line.object_id) for line in lines if line.action == "referral.create"] == [
            (world.coordinator.name, str(made))
        ]


def test_the_specialist_learns_nothing_of_who_referred(world: World) -> None:
    case_id = take_up(world, (make(world), token(world))[1])
    submit(world, case_id)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    world.settle(world.upload(None, who=world.hospital, dicom=study(AccessionNumber=number)))
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    with world.db.transaction() as tx:
        assert "Lindqvist" not in repr(read.show(tx, world.specialist, case_id))
        with pytest.raises(Forbidden):
            referred.of_case(tx, world.specialist, case_id)


def test_an_erasure_takes_the_referral_along(world: World) -> None:
    made = make(world)
    case_id = take_up(world, token(world))
    share(world, case_id)
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id, lock=True)
        assert case is not None
        destroy(tx, case)
    with world.db.transaction() as tx:
        for table in (Referral, ReportShare):
            assert tx.scalars(select(table)).all() == []
        assert [m for m in tx.scalars(select(Message)) if m.facts.get("invited") == str(made)] == []


def test_a_referral_over_http(world: World) -> None:
    api = Api(world)
    said = {
        "program": "free",
        "email": EMAIL,
        "physician": "Dr. Ruth Lindqvist",
        "patient_name": NAME,
        "birth_date": BORN.isoformat(),
        "place": "US-CA",
        "subjects": ["CT"],
        "questions": ["Is it torn?"],
    }
    status, text = api.call("hospital", "POST", "/referrals", said)
    assert status == 201, text
    made = json.loads(text)
    assert api.call("hospital", "POST", "/referrals", said | {"place": "XX"})[0] == 422
    assert api.call("patient", "POST", "/referrals", said)[0] == 403
    one = f"/referrals/{made['referral_id']}"
    assert json.loads(api.call("hospital", "GET", one)[1])["state"] == "invited"
    assert [line["reference"] for line in json.loads(api.call("coordinator", "GET", "/referrals")[1])] == [
        made["reference"]
    ]
    assert api.call("hospital", "POST", f"{one}/invitation")[0] == 204
    body = {"token": token(world), "birth_date": "1971-03-10"}
    assert api.call("patient", "POST", "/referrals/take-up", body)[0] == 422
    status, text = api.call("patient", "POST", "/referrals/take-up", body | {"birth_date": BORN.isoformat()})
    assert status == 201, text
    assert api.call("patient", "POST", "/referrals/refuse", {"token": body["token"]})[0] == 409
    assert api.call("hospital", "DELETE", one)[0] == 409
    case = f"/cases/{json.loads(text)['case_id']}/referral"
    shown = json.loads(api.call("patient", "GET", case)[1])
    agreed = {"version": shown["version"], "digest": shown["digest"]}
    assert api.call("patient", "PUT", f"{case}/report", agreed | {"digest": "0" * 64})[0] == 409
    assert api.call("patient", "PUT", f"{case}/report", agreed)[0] == 204
    assert json.loads(api.call("patient", "GET", case)[1])["referral"]["shared_at"]
    assert api.call("patient", "DELETE", f"{case}/report")[0] == 204
    assert api.call("hospital", "GET", case)[0] == 404
    assert api.call("hospital", "GET", f"{one}/report.pdf")[0] == 404
