"""One planted study goes through a whole case, and every surface that a specialist has is swept for its strings."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from cases.repository import studies_of
from cases.service import assignment, intake, studies
from cases.states import StudyState
from overread.kit import log, tokens
from pacs.deid.profile import SECOND_OPINION
from tests.cases.world import DICOM_BORN, DICOM_NAME, World
from tests.pacs.deid.planted import EXPLICIT, SERIES, SOP, STUDY, El, nest, part10, plant, skeleton, text
from tests.pacs.deid.test_rows import may_stay

Browser = Callable[..., TestClient]


def planted() -> tuple[bytes, set[bytes], set[bytes]]:
    """A file with a marker in every row of E.1-1, at root and in a sequence; the markers; and the words of its name."""
    root, inside = plant(0), plant(3)
    own = {0x00100010: text(0x00100010, "PN", DICOM_NAME), 0x00100030: text(0x00100030, "DA", DICOM_BORN)}
    marks = [e for one in root for e in one.elements if e.tag not in own and e.tag != 0x00082218]
    taken = {e.tag for e in marks} | set(own)
    elements = [
        *(e for e in skeleton() if e.tag not in taken),
        *marks,
        *own.values(),
        *nest([e for one in inside for e in one.elements], 1),
        text(0x00090010, "LO", "ACME"),
        El(0x00091001, "LO", b"ZQPRIVATE"),
    ]
    needles = {
        one.needle
        for one in (*root, *inside)
        if not may_stay(one, SECOND_OPINION) and one.vr not in ("AS", "US") and one.tag not in own
    }
    names = {word.encode() for word in DICOM_NAME.replace("^", " ").split()}
    needles |= {b"ZQPRIVATE", STUDY.encode(), SERIES.encode(), SOP.encode()}
    return part10(elements, EXPLICIT), needles, names


def shows(body: bytes, needle: bytes) -> bool:
    """Whether a marker is there; one of digits not as the middle of a longer number, which it may be by chance."""
    return needle in body if not needle.isdigit() else bool(re.search(rb"(?<!\d)" + needle, body))


def uris(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("BulkDataURI"), str):
            yield found["BulkDataURI"]
        for value in found.values():
            yield from uris(value)
    elif isinstance(found, list):
        for value in found:
            yield from uris(value)


def test_no_surface_shows_anything_that_was_planted(
    world: World, browser: Browser, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger().handlers[:]
    log.configure("DEBUG")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's own client, which names what it searches for
    logging.getLogger().addHandler(caplog.handler)
    try:
        swept = _sweep(world, browser)
    finally:
        logging.getLogger().handlers[:] = before
    needles, names = planted()[1:]
    written = capfd.readouterr()
    swept["log"] = (caplog.text + written.err + written.out).encode()
    for number, mail in enumerate(world.mails()):
        swept[f"mail {number}"] = mail.encode()
    assert len(swept) > 25
    leaks = {
        # A mail to the patient has their account's name, which is none of the file's.
        name: [n for n in needles | (set() if name.startswith("mail") else names) if shows(body.lower(), n.lower())]
        for name, body in swept.items()
    }
    assert {name: found for name, found in leaks.items() if found} == {}


def _sweep(world: World, browser: Browser) -> dict[str, bytes]:
    """What a specialist is given: addresses without UIDs -> head and body."""
    data = planted()[0]
    case_id = world.draft("free")
    uid = world.upload(case_id, dicom=data)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    with world.db.transaction() as tx:
        if studies_of(tx, case_id)[0].state is StudyState.MISMATCH:
            studies.confirm(tx, world.coordinator, case_id, uid, "It is she.")
    world.drain()
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    world.drain()
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
        bearer = {"Authorization": f"Bearer {tokens.issue(tx, world.specialist.id)}"}
    world.drain()
    client = browser()
    root = f"/cases/{case_id}/dicomweb"
    swept: dict[str, bytes] = {}

    def get(name: str, path: str, accept: str = "*/*", status: int = 200) -> Any:
        answer = client.get(path, headers={**bearer, "Accept": accept})
        assert answer.status_code == status, (name, answer.status_code, answer.text[:300])
        swept[name] = str(answer.headers).encode() + answer.content
        return answer

    dicom_json = "application/dicom+json"
    (study,) = get("QIDO studies", f"{root}/studies?includefield=all", dicom_json).json()
    (series,) = get("QIDO series", f"{root}/series?includefield=all", dicom_json).json()
    (instance,) = get("QIDO instances", f"{root}/instances?includefield=all", dicom_json).json()
    at_study = f"{root}/studies/{study['0020000D']['Value'][0]}"
    at_series = f"{at_study}/series/{series['0020000E']['Value'][0]}"
    at_instance = f"{at_series}/instances/{instance['00080018']['Value'][0]}"
    for name, path in (("study", at_study), ("series", at_series), ("instance", at_instance)):
        metadata = get(f"metadata of the {name}", f"{path}/metadata", dicom_json).json()
        get(f"{name} as DICOM", path, 'multipart/related; type="application/dicom"')
        get(f"{name} rendered", f"{path}/rendered")
        get(f"{name}'s thumbnail", f"{path}/thumbnail", "image/jpeg")
    for number, uri in enumerate(uris(metadata)):
        get(f"bulk data {number}", uri, "application/octet-stream")
    get("frame", f"{at_instance}/frames/1", "application/octet-stream")
    get("frame rendered", f"{at_instance}/frames/1/rendered", "image/png")
    for number, query in enumerate(("PatientName=ANGSTROM*", f"PatientBirthDate={DICOM_BORN}", "PatientID=Zq*")):
        answer = client.get(f"{root}/studies?{query}", headers={**bearer, "Accept": dicom_json})
        assert answer.status_code == 204 or answer.json() == []
        swept[f"search {number}"] = answer.content
    get("no such frame", f"{at_instance}/frames/99", status=404)
    get("no such bulk data", f"{at_instance}/bulkdata/00104000", status=404)
    get("a bad frame list", f"{at_instance}/frames/x", status=400)
    get("an impossible media type", f"{at_instance}/frames/1", "text/csv", status=406)
    get("originals", "/dicomweb/studies", status=403)
    get("a study that is not there", f"{root}/studies/1.2.3/metadata", status=404)
    get("case API", f"/api/v1/cases/{case_id}", "application/json")
    get("audit of the case", "/api/v1/cases", "application/json")
    return swept
