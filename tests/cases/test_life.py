"""A case's life from draft to report, with real images, a real payment and real mails."""

from __future__ import annotations

from cases.service import read, reporting
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from tests.cases.world import World


def test_from_draft_to_report(world: World) -> None:
    case_id = world.published("msk")
    with world.db.transaction() as tx:
        report = reporting.read(tx, world.patient, case_id)
        patient = read.show(tx, world.patient, case_id)
        coordinator = read.show(tx, world.coordinator, case_id)
        specialist = read.show(tx, world.specialist, case_id)
    assert [a.answer for a in report.answers] == ["Answer 1", "Answer 2"]
    assert report.intact
    assert report.signed_by == "Some Specialist"
    assert isinstance(patient, PatientCase)
    assert patient.paid is not None
    assert (patient.paid.state, patient.paid.amount) == ("captured", 35000)
    assert patient.has_report
    assert isinstance(coordinator, CoordinatorCase)
    assert [s.event for s in coordinator.steps if s.study_uid is None] == [
        "submit",
        "mark_ready",
        "offer",
        "accept",
        "sign",
        "publish",
    ]
    assert isinstance(specialist, SpecialistCase)
    assert specialist.granted_until is not None
    subjects = "\n".join(world.mails())
    for words in ("received your request", "begun", "report is ready"):
        assert words in subjects
