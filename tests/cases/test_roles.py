"""Who may do what: every action as every role, and what a specialist's eyes never meet."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import delete

from cases import access, imaging
from cases.licence_models import Licence
from cases.report_states import ReportKind
from cases.service import assignment, intake, payments, people, read, reporting, studies, versions, viewing
from cases.service.intake import Changes
from cases.states import ImagesBy, LicenceRequirement
from cases.views import SpecialistCase
from overread.kit import audit, clock, tokens
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, OverreadError, Unprocessable
from overread.kit.principals import Principal
from pacs.index.scope import ORIGINAL
from tests.cases.world import BORN, DICOM_NAME, EMAIL, NAME, World, proof, study
from viewer_bridge import grants, launch

Action = Callable[[World, Session, Principal, UUID], Any]
ROLES = ("patient", "other_patient", "hospital", "coordinator", "specialist", "other_specialist", "admin", "auditor")
STRANGERS = frozenset(ROLES) - {"patient", "coordinator", "specialist"}

#: Action -> who may, in the state named; the others in the case get Forbidden, strangers NotFound.
TABLE: dict[str, tuple[str, set[str], Action]] = {
    "update": ("draft", {"patient"}, lambda w, tx, p, c: intake.update(tx, p, c, Changes(symptoms="x"))),
    "questions": ("draft", {"patient"}, lambda w, tx, p, c: intake.set_questions(tx, p, c, ["Why?"])),
    "consent": ("draft", {"patient"}, lambda w, tx, p, c: intake.consent(tx, p, c, "terms", version="1")),
    "checkout": (
        "draft",
        {"patient"},
        lambda w, tx, p, c: payments.checkout(tx, p, c, w.gateway, success_url="https://a/", cancel_url="https://a/"),
    ),
    "see the case": ("offered", {"patient", "coordinator", "specialist"}, lambda w, tx, p, c: read.show(tx, p, c)),
    "ask info": ("submitted", {"coordinator"}, lambda w, tx, p, c: intake.ask_info(tx, p, c, "Which knee?")),
    "write a message": (
        "offered",
        {"patient", "coordinator"},
        lambda w, tx, p, c: intake.write_note(tx, p, c, "Hello"),
    ),
    "withdraw": ("offered", {"patient"}, lambda w, tx, p, c: intake.withdraw(tx, p, c)),
    "upload": ("offered", {"patient", "coordinator"}, lambda w, tx, p, c: access.may_upload(tx, p, c)),
    "review masks": ("offered", {"coordinator"}, lambda w, tx, p, c: studies.review(tx, p, c)),
    "reject a study": ("offered", {"coordinator"}, lambda w, tx, p, c: studies.reject(tx, p, c, w.first(c), "wrong")),
    "see specialists": (
        "offered",
        {"coordinator"},
        lambda w, tx, p, c: assignment.eligible_specialists(tx, p, c),
    ),
    "record an exception": (
        "offered",
        {"coordinator"},
        lambda w, tx, p, c: assignment.record_exception(tx, p, c, w.specialist.id, "because"),
    ),
    "mark ready": ("released", {"coordinator"}, lambda w, tx, p, c: assignment.mark_ready(tx, p, c)),
    "offer": ("ready", {"coordinator"}, lambda w, tx, p, c: assignment.offer(tx, p, c, w.specialist.id)),
    "take back": ("offered", {"coordinator"}, lambda w, tx, p, c: assignment.take_back(tx, p, c, "late")),
    "decline": ("offered", {"coordinator"}, lambda w, tx, p, c: assignment.decline(tx, p, c, "no")),
    "accept": ("offered", {"specialist"}, lambda w, tx, p, c: assignment.accept(tx, p, c, w.gateway)),
    "refuse": ("offered", {"specialist"}, lambda w, tx, p, c: assignment.refuse(tx, p, c, "busy")),
    "write the report": (
        "in_review",
        {"specialist"},
        lambda w, tx, p, c: reporting.save_draft(tx, p, c, {}, {"impression": "x"}, []),
    ),
    "sign": ("written", {"specialist"}, lambda w, tx, p, c: reporting.sign(tx, p, c, proof(p))),
    "publish": ("signed", {"coordinator"}, lambda w, tx, p, c: reporting.publish(tx, p, c)),
    "read the report": (
        "published",
        {"patient", "coordinator", "specialist"},
        lambda w, tx, p, c: reporting.read(tx, p, c),
    ),
    "send back": ("signed", {"coordinator"}, lambda w, tx, p, c: reporting.send_back(tx, p, c, "Which side?")),
    "list the versions": (
        "published",
        {"patient", "coordinator", "specialist"},
        lambda w, tx, p, c: versions.listed(tx, p, c),
    ),
    "begin a correction": (
        "published",
        {"specialist"},
        lambda w, tx, p, c: versions.open_version(tx, p, c, ReportKind.CORRECTION),
    ),
    "ask for a correction": ("published", {"coordinator"}, lambda w, tx, p, c: versions.ask_change(tx, p, c, "Why?")),
    "recall": ("published", {"coordinator"}, lambda w, tx, p, c: versions.recall(tx, p, c, 1, "Another patient's")),
    "who has read it": ("published", {"coordinator"}, lambda w, tx, p, c: versions.readers(tx, p, c, 1)),
    "follow up": ("published", {"patient"}, lambda w, tx, p, c: intake.follow_up(tx, p, c, "May I swim?")),
    "close": ("published", {"coordinator"}, lambda w, tx, p, c: reporting.close(tx, p, c)),
    "who accessed": ("in_review", {"patient", "coordinator"}, lambda w, tx, p, c: people.who_accessed(tx, p, c)),
}


class Undo(Exception):
    """Thrown to undo what a test's action did."""


@pytest.mark.parametrize("state", ["draft", "submitted", "released", "ready", "offered", "in_review", "written",
                                   "signed", "published"])  # fmt: skip
def test_the_roles_table(world: World, state: str) -> None:
    # Nobody pays for a draft that misses something: a hospital is to send the images.
    case_id: UUID = (
        world.draft("msk", images_by=ImagesBy.HOSPITAL) if state == "draft" else getattr(world, state)("free")
    )
    for name, (wanted, allowed, action) in TABLE.items():
        if wanted != state:
            continue
        for role in ROLES:
            # Before the offer the specialist is a stranger, too, and a draft is nobody's but its patient's.
            early = state in ("draft", "submitted", "released", "ready")
            strange = (
                STRANGERS | ({"specialist"} if early else set()) | ({"coordinator"} if state == "draft" else set())
            )
            refusal = NotFound if role in strange else Forbidden
            outcome: OverreadError | None = None
            try:
                with world.db.transaction() as tx:
                    action(world, tx, world.who[role], case_id)
                    raise Undo
            except Undo:
                pass
            except OverreadError as error:
                outcome = error
            if role in allowed:
                assert outcome is None, (name, role, outcome)
            elif name in ("read the report",):
                assert isinstance(outcome, NotFound), (name, role, outcome)
            else:
                assert type(outcome) is refusal, (name, role, outcome)


def test_wrong_moments_are_conflicts(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        actions: tuple[Callable[[], object], ...] = (
            lambda: intake.update(tx, world.patient, case_id, Changes(symptoms="x")),
            lambda: intake.follow_up(tx, world.patient, case_id, "?"),
            lambda: intake.answer_info(tx, world.patient, case_id, "left"),
            lambda: reporting.publish(tx, world.coordinator, case_id),
            lambda: assignment.offer(tx, world.coordinator, case_id, world.specialist.id),
            lambda: assignment.take_back(tx, world.coordinator, case_id, "x"),
        )
        for action in actions:
            with pytest.raises(Conflict):
                action()
        with pytest.raises(NotFound):
            reporting.read(tx, world.patient, case_id)


def test_nobody_sees_a_case_that_is_not_theirs_in_a_list(world: World) -> None:
    case_id = world.offered()
    draft = world.draft("free")
    with world.db.transaction() as tx:
        seen = {
            role: [line.case_id for line in read.listing(tx, world.who[role])]
            for role in ("patient", "other_patient", "coordinator", "specialist", "other_specialist")
        }
        for role in ("hospital", "admin", "auditor"):
            with pytest.raises(Forbidden):
                read.listing(tx, world.who[role])
        counts = read.counts(tx, world.patient, read.Show.ALL, read.Show.OPEN, read.Show.OFFERED, read.Show.ENDED)
        assert list(counts.values()) == [2, 1, 1, 0]
    assert seen["patient"] == [case_id, draft]
    assert seen["coordinator"] == seen["specialist"] == [case_id]
    assert seen["other_patient"] == seen["other_specialist"] == []


def test_a_specialist_sees_nothing_of_who_the_patient_is(world: World) -> None:
    """Every string of every view, list, report and mail of the specialist, searched for everything that identifies."""
    story = f"I am {NAME}, born 9 March 1971. Call +1 415 555 0123 or {EMAIL}. My knee hurts."
    case_id = world.draft("free", symptoms=story, history=f"María was seen by Dr. Okafor on {BORN:%d.%m.%Y}.")
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, ["Is Maria Oyelaran's knee torn?"])
    dicom = study(PatientID="MRN-0815-4711", AccessionNumber="ACC-99-8877", StudyDescription="KNEE ANGSTROM")
    uid = world.upload(case_id, dicom=dicom)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    seen = []
    for step in ("offered", "in_review", "written"):
        with world.db.transaction() as tx:
            if step == "in_review":
                assignment.accept(tx, world.specialist, case_id, world.gateway)
            view = read.show(tx, world.specialist, case_id)
            assert isinstance(view, SpecialistCase)
            assert view.patient == "Woman, 55" or view.patient.startswith("Woman, ")
            assert bool(view.studies) == (step != "offered")
            if step == "written":
                answers = {str(q.question_id): "No." for q in view.questions}
                reporting.save_draft(
                    tx, world.specialist, case_id, answers, {"impression": "Fine."}, [s.study_uid for s in view.studies]
                )
                seen.append(orjson.dumps(reporting.read(tx, world.specialist, case_id)).decode())
            seen.append(orjson.dumps(view).decode())
            seen.append(orjson.dumps(read.listing(tx, world.specialist)).decode())
    text = json.dumps(json.loads("[" + ",".join(seen) + "]"), ensure_ascii=False).lower()
    assert "my knee hurts" in text
    secrets = ["maría", "maria", "ångström", "angstrom", "oyelaran", "555 0123", EMAIL, "mrn-0815", "acc-99"]
    secrets += [uid, str(world.patient.id), DICOM_NAME.lower(), "19710309"]
    for secret in secrets:
        assert secret.lower() not in text, secret
    # As a number of its own: identifiers are made of random digits.
    assert not re.search(r"(?<![0-9a-f-])1971(?![0-9a-f])", text)
    fields = {f.name for f in dataclasses.fields(SpecialistCase)}
    assert not fields & {"patient_name", "patient_id", "birth_date", "email", "phone", "view_id"}


def test_mails_hold_no_health_data_and_no_name(world: World) -> None:
    case_id = world.published("msk")
    with world.db.transaction() as tx:
        intake.write_note(tx, world.coordinator, case_id, "Your meniscus is torn.")
    world.digest()
    world.drain(later=True)
    mails = world.mails()
    assert len(mails) >= 6
    for mail in mails:
        body = mail.partition("\n\n")[2].lower()
        for word in ("knee", "meniscus", "maría", "oyelaran", "angstrom", "answer 1", "all is well", "=c3=", " ct "):
            assert word not in body
        assert "https://overread.example/" in mail
        assert "Auto-Submitted: auto-generated" in mail
    assert sum(f"To: {EMAIL}" in mail for mail in mails) >= 4


def test_who_may_see_which_images(world: World) -> None:
    case_id = world.offered()
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        for role in (*STRANGERS, "specialist"):
            with pytest.raises(NotFound):
                access.scope(tx, world.who[role], case_id)
        own = access.scope(tx, world.patient, case_id)
        assert (own.view_id, own.studies) == (ORIGINAL, frozenset({imaging.sent(tx, world.patient.id, uid)}))
        checked = access.scope(tx, world.coordinator, case_id)
        assert checked.view_id != ORIGINAL
        assert checked.unreleased
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    with world.db.transaction() as tx:
        granted = access.scope(tx, world.specialist, case_id)
        assert (granted.view_id, granted.unreleased, granted.study_uids) == (checked.view_id, False, None)
        assert uid not in viewing.view_studies(tx, world.specialist, case_id)
        code = viewing.open_viewer(tx, world.specialist, case_id)
    with world.db.transaction() as tx:
        viewer = tokens.verify(tx, launch.redeem(tx, code).token, tokens.VIEWER)
        assert access.scope(tx, viewer, case_id).view_id == checked.view_id
        with pytest.raises(Forbidden):
            read.show(tx, viewer, case_id)
        # What they made of the images, and nothing else: see test_reidentify.
        assert access.may_upload(tx, viewer, case_id) == access.scope(tx, viewer, case_id)
        with pytest.raises(NotFound):
            access.scope(tx, viewer, uuid4())
        with pytest.raises(NotFound):
            access.scope(tx, viewer, world.submitted("free"))
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.patient, case_id)
    with world.db.transaction() as tx:
        with pytest.raises(NotFound):
            access.scope(tx, viewer, case_id)
        with pytest.raises(OverreadError):
            tokens.verify(tx, "gone", tokens.VIEWER)
        with pytest.raises(Conflict):
            access.may_upload(tx, world.patient, case_id)
        assert grants.active(tx, case_id) == []


def test_the_patient_is_told_of_every_look(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        read.show(tx, world.coordinator, case_id)
        read.show(tx, world.specialist, case_id)
        for _ in range(300):
            audit.record(tx, world.admin, "instances.read", "study", world.first(case_id))
        audit.record(tx, world.admin, "instances.read", "study", "1.2.3")
        tx.flush()
        found = list(people.who_accessed(tx, world.patient, case_id))
    told = {(line.role, line.what) for line in found}
    assert ("coordinator", "opened your request") in told
    assert ("specialist", "opened your request") in told
    assert [line.who for line in found if line.what == "looked at images"] == ["Some Admin"]
    assert found == sorted(found, key=lambda line: line.at, reverse=True)


def test_licences_decide_who_may_read(world: World) -> None:
    with world.db.transaction() as tx:
        people.add_rule(tx, world.admin, "US-TX", LicenceRequirement.LICENSED, "a statute", world.today())
        # The one who could read there when it was sent can no more.
        people.set_licence(tx, world.admin, world.other_specialist.id, "US-TX", world.today())
    case_id = world.ready(place="US-TX")
    with world.db.transaction() as tx:
        tx.execute(delete(Licence).where(Licence.place == "US-TX"))
        found = assignment.eligible_specialists(tx, world.coordinator, case_id)
        assert [e.eligible for e in found] == [False, False]
        assert found[0].reasons == ("No licence for US-TX.",)
        with pytest.raises(Unprocessable):
            assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.record_exception(tx, world.coordinator, case_id, world.specialist.id, "the board's letter")
        found = assignment.eligible_specialists(tx, world.coordinator, case_id)
        assert (found[0].specialist_id, found[0].eligible) == (world.specialist.id, True)
        assert not found[1].eligible
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "conflict")
    with world.db.transaction() as tx:
        found = assignment.eligible_specialists(tx, world.coordinator, case_id)
        refused = next(e for e in found if e.specialist_id == world.specialist.id)
        assert refused.reasons == ("Declined this case before.",)


def test_a_licence_that_ran_out_meanwhile_stops_acceptance_and_signing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = world.offered()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)  # no day ends while it is looked at
    yesterday = world.today() - timedelta(days=1)
    with world.db.transaction() as tx:
        people.set_licence(tx, world.admin, world.specialist.id, "US-CA", yesterday)
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match=r"refused by its guards"):
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    with world.db.transaction() as tx:
        people.set_licence(tx, world.specialist, world.specialist.id, "US-CA", world.today())
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match=r"refused by its guards"):
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    with world.db.transaction() as tx:
        [licence] = people.licences_of(tx, world.specialist)
        people.verify_licence(tx, world.admin, licence.licence_id)
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "in_review"
