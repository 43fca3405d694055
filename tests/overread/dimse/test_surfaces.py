"""One planted study goes through a whole case, and all that a specialist's AE is sent is swept for its strings.

The bytes are swept as they come over the wire, and each identifier and data set once more, put together.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydicom.dataset import Dataset

from cases.repository import studies_of
from overread.dimse import accesses
from overread.kit import log
from overread.kit.settings import Settings
from pacs.dimse import peers, push
from tests.cases.planting import granted, leaks, planted
from tests.cases.world import DICOM_BORN, World
from tests.pacs.deid.planted import SERIES, SOP, STUDY
from tests.pacs.dimse.querying import (
    ALL_SYNTAXES,
    PATIENT_FIND,
    PATIENT_GET,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Answers,
    Receiver,
    ask,
    find_once,
    get,
    move,
)
from tests.pacs.dimse.tee import Tee

#: Every keyword that an answer could hold, asked for at every level.
RETURNED = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "OtherPatientNames", "PatientComments", "EthnicGroup", "AccessionNumber", "StudyID", "StudyDescription",
    "ReferringPhysicianName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord", "AdmittingDiagnosesDescription",
    "Occupation", "StudyDate", "StudyTime", "SeriesDescription", "InstitutionName", "InstitutionAddress",
    "StationName", "InstitutionalDepartmentName", "PerformingPhysicianName", "OperatorsName", "ProtocolName",
    "ManufacturerModelName", "DeviceSerialNumber", "RequestAttributesSequence", "ImageComments", "ContentDate",
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "SourceImageSequence",
    "OriginalAttributesSequence", "PerformedProcedureStepDescription", "DeidentificationMethod", "TextString",
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def everything(level: str, **keys: Any) -> Dataset:
    return ask(level, **{**dict.fromkeys(RETURNED, None), **keys})


def test_no_dimse_surface_shows_anything_that_was_planted(
    world: World, port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger().handlers[:]
    log.configure("DEBUG")
    for name in ("pynetdicom", "pydicom"):  # the test's own peers, which name what they search for
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger().addHandler(caplog.handler)
    try:
        swept = _sweep(world, port)
    finally:
        logging.getLogger().handlers[:] = before
    written = capfd.readouterr()
    swept["log"] = (caplog.text + written.err + written.out).encode()
    assert len(swept) > 20
    assert all(swept.values())
    data, needles, names = planted()
    assert leaks(swept, needles, names) == {}
    assert set(leaks({"original": data}, needles, names)["original"]) > names  # the search finds what is there


def _sweep(world: World, port: int) -> dict[str, bytes]:
    """What a specialist's AE is given, by what it asked for."""
    case_id = granted(world)
    with world.db.transaction() as tx:
        uid = studies_of(tx, case_id)[0].view_study_uid
    swept: dict[str, bytes] = {}
    with Tee(port).standing() as wire:
        _find(swept, wire.port, str(uid))
        mine = Receiver()
        storage = [("1.2.840.10008.5.1.4.1.1.7", ALL_SYNTAXES), ("1.2.840.10008.5.1.4.1.1.2", ALL_SYNTAXES)]
        done = get(wire.port, STUDY_GET, ask("STUDY", StudyInstanceUID=uid), mine, "READER", storage=storage)
        _keep(swept, "C-GET", done.responses, mine)
        refused = get(wire.port, STUDY_GET, ask("STUDY", StudyInstanceUID=uid), Receiver(0xC000), "READER", storage)
        _keep(swept, "C-GET that fails", [*refused.responses, refused.identifier])
        wrong = get(wire.port, PATIENT_GET, ask("SERIES", SeriesInstanceUID=SERIES), Receiver(), "READER", storage)
        _keep(swept, "C-GET of nothing", wrong.responses)
        for title, status in (("SHELF", 0), ("BAD", 0xA700)):
            _keep(swept, f"C-MOVE to {title}", *_move(world, wire.port, title, status, str(uid)))
        unknown = move(wire.port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=STUDY), "NOBODY", "READER")
        _keep(swept, "C-MOVE to nobody", unknown.responses)
    swept["answers' wire"] = bytes(wire.down)
    swept |= _push(world)
    return swept


def _find(swept: dict[str, bytes], port: int, uid: str) -> None:
    def found(name: str, model: Any, identifier: Dataset, options: bytes = b"\1\1\1\1\0\1\1") -> Answers:
        answers = find_once(port, model, identifier, "READER", options)
        _keep(swept, f"C-FIND {name}", [*answers.found, answers.last])
        return answers

    for level in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert len(found(level, PATIENT_FIND, everything(level)).found) == 1
    assert len(found("hierarchical", STUDY_FIND, everything("SERIES", StudyInstanceUID=uid), b"").found) == 1
    searches = (
        {"PatientName": "ANGSTROM*"}, {"PatientBirthDate": DICOM_BORN}, {"PatientID": "Zq*"}, {"AccessionNumber": "Z*"},
        {"StudyInstanceUID": STUDY}, {"SOPInstanceUID": SOP}, {"OtherPatientNames": "*ZQ*"},
    )  # fmt: skip
    for keys in searches:
        assert found(f"by {next(iter(keys))}", STUDY_FIND, ask("IMAGE", **keys)).found == []
    for name, keys in (("a bad date", {"StudyDate": "ANGSTROM"}), ("a bad UID", {"StudyInstanceUID": "ANGSTROM"})):
        answers = found(name, STUDY_FIND, ask("STUDY", **keys))
        assert answers.status == 0xA900
        assert answers.last.ErrorComment
    # Of what was made for the case nothing has the original's UID.
    assert found("without the key above", STUDY_FIND, ask("SERIES", SeriesInstanceUID=SERIES), b"").found == []
    found("at no level", STUDY_FIND, ask("ANGSTROM"))


def _move(world: World, port: int, title: str, status: int, uid: str) -> tuple[list[Any], Receiver, Tee]:
    receiver = Receiver(status)
    with receiver.listening(title), Tee(receiver.port).standing() as wire:
        with world.db.transaction() as tx:
            owner = world.specialist
            peers.register(tx, title, "127.0.0.1", wire.port, owner.role, owner_id=owner.id)
        done = move(port, STUDY_MOVE, ask("STUDY", StudyInstanceUID=uid), title, "READER")
    assert len(receiver.received) == 1
    return [*done.responses, *([done.identifier] if done.identifier else [])], receiver, wire


def _push(world: World) -> dict[str, bytes]:
    receiver = Receiver()
    settings = Settings.model_validate({"data_dir": world.folder})
    with receiver.listening("DESK"), Tee(receiver.port).standing() as wire:
        with world.db.transaction() as tx:
            peers.register(tx, "DESK", "127.0.0.1", wire.port, world.specialist.role, owner_id=world.specialist.id)
        pushed = push.push(world.archive, settings, accesses, "DESK", [])
    assert (pushed.completed, pushed.failed) == (1, 0)
    return {"push's wire": bytes(wire.up), "push": b"".join(receiver.received.values())}


def _keep(
    swept: dict[str, bytes], name: str, messages: list[Any], receiver: Receiver | None = None, wire: Tee | None = None
) -> None:
    swept[name] = "\n".join(map(str, messages)).encode()
    if receiver is not None:
        assert len(receiver.received) == 1
        swept[f"{name}: data set"] = b"".join(receiver.received.values())
        swept[f"{name}: requests"] = "\n".join(_command(request) for request in receiver.requests).encode()
    if wire is not None:
        swept[f"{name}: wire"] = bytes(wire.up)


def _command(request: Any) -> str:
    return f"{request.AffectedSOPInstanceUID} {request.MoveOriginatorApplicationEntityTitle}"
