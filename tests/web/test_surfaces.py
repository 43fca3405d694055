"""One planted study goes through a whole case, and every surface that a specialist has is swept for its strings.

The surfaces come from the routers and the table of roles: a route that is not asked here fails the test.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, generate_uid
from sqlalchemy import text as text_of

from cases import report_pdf
from cases.repository import load_unasked
from cases.service import intake, reporting, versions
from dicomweb.routes import routes as dicomweb_routes
from overread.app import case_context, portal_app
from overread.kit import log, passwords, principals, tokens
from overread.kit.hosts import Origin
from overread.kit.principals import Role
from overread.services import Services
from pacs.store.non_patient import CATEGORIES
from tests.architecture.test_roles import OHIF
from tests.cases.planting import leaks, offer, planted
from tests.cases.world import DICOM_BORN, DICOM_NAME, EMAIL, World
from tests.pacs.deid.planted import EXPLICIT, SERIES, SOP, STUDY
from tests.web.sweep import Sweep, fill
from viewer_bridge.site import viewer_app

ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
_INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


def report(study_uid: str) -> tuple[bytes, set[bytes]]:
    """A structured report on the planted study, with words in it that may not be read; and those words."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = UID(ENHANCED_SR), generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = study_uid, generate_uid(), "SR"
    ds.PatientName, ds.PatientBirthDate = DICOM_NAME, DICOM_BORN
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code("121060", "DCM", "History")]
    ds.ContentSequence = []
    for kind, keyword, value in (
        ("TEXT", "TextValue", f"Zqstory of {DICOM_NAME}, seen by Dr Zqreader"),
        ("PNAME", "PersonName", "Zqobserver^Anna"),
        ("DATE", "Date", DICOM_BORN),
        ("UIDREF", "UID", SOP),
    ):
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", kind
        item.ConceptNameCodeSequence = [_code("121060", "DCM", "History")]
        setattr(item, keyword, value)
        ds.ContentSequence.append(item)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    ds.file_meta.MediaStorageSOPClassUID = UID(ENHANCED_SR)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    own = {ds.SOPInstanceUID.encode(), ds.SeriesInstanceUID.encode()}
    return out.getvalue(), own | {b"Zqstory", b"Zqreader", b"Zqobserver"}


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def uris(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("BulkDataURI"), str):
            yield found["BulkDataURI"]
        for value in found.values():
            yield from uris(value)
    elif isinstance(found, list):
        for value in found:
            yield from uris(value)


#: What a specialist reads and is refused whatever they name, or what is not there in this case's life. Whatever is not
#: listed here must have been answered well, or nothing of it was looked at.
REFUSED = {
    "/api/v1/people",
    "/api/v1/peers",
    "/api/v1/prices",
    "/api/v1/programs/readers",
    "/api/v1/readers",
    "/api/v1/delegates",
    "/api/v1/referrals",
    "/api/v1/referrals/{referral}",
    "/api/v1/referrals/{referral}/report.pdf",
    "/api/v1/cases/{case}/referral",
    "/api/v1/cases/{case}/physicians",
    "/api/v1/programs/{program}/kinds",
    "/api/v1/programs/hours",
    "/api/v1/deadlines",
    "/api/v1/programs/after-report",
    "/api/v1/surveys",
    "/api/v1/testimonials/given",
    "/api/v1/visits",
    "/api/v1/check-ins/answered",
    "/api/v1/figures",
    "/api/v1/cases/{case}/survey",
    "/api/v1/cases/{case}/testimonial",
    "/api/v1/cases/{case}/visits",
    "/api/v1/coordinators",
    "/api/v1/tags",
    "/api/v1/programs/{program}/kinds/{kind}/checklist",
    "/api/v1/programs/{program}/replies",
    "/api/v1/mails",
    "/api/v1/mails/{mail}",
    "/api/v1/mail-sender",
    "/api/v1/mail-words/{language}",
    "/api/v1/undelivered",
    "/api/v1/programs/{program}/eligibility",
    "/api/v1/cases/{case}/accesses",
    "/api/v1/cases/{case}/asked",
    "/api/v1/cases/{case}/documents",
    "/api/v1/cases/{case}/documents/{document}/file",
    "/api/v1/cases/{case}/documents/{document}/pages/{page}",
    "/api/v1/cases/{case}/reports/{number}/readers",
    "/api/v1/cases/{case}/specialists",
    # A coordinator decides on the pictures.
    *(
        f"/api/v1/cases/{{case}}/studies/{{study}}/{pictures}"
        for pictures in (
            "series-groups",
            "pictures",
            *(f"pictures/{{instance}}{one}" for one in ("", "/minimum", "/maximum", "/suggestions")),
        )
    ),
    "/api/v1/inbox",
    "/api/v1/licence-rules",
    # The files of the viewer and of the front end are the same for everybody; these names are of none.
    "/static/{path:path}",
    "viewer:/{path:path}",
    # A mailed link that nobody was mailed.
    "/confirm/{token}",
    # A channel is opened by a WebSocket.
    "/dicomweb/subscribers/{aetitle}",
    # Nothing that belongs to no patient is stored here.
    *(f"/dicomweb/{category}/{{instance}}" for category in CATEGORIES),
}


@pytest.fixture
def sweep(world: World, services: Services) -> Iterator[Sweep]:
    """The specialist at both origins."""
    viewer = viewer_app(services.settings, services.db, dicomweb_routes(case_context(services, Origin("http://test"))))
    with world.db.transaction() as tx:
        token = tokens.issue(tx, world.specialist.id)
    found = Sweep({"": portal_app(services), "viewer:": viewer}, Role.SPECIALIST, token)
    yield found
    found.close()


def test_no_surface_shows_anything_that_was_planted(
    world: World,
    sweep: Sweep,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The words that the PDF is set from: in the file they are glyphs.
    monkeypatch.setattr(report_pdf, "render", lambda view: report_pdf.html(view).encode())
    before = logging.getLogger().handlers[:]
    log.configure("DEBUG")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's own client, which names what it searches for
    logging.getLogger("asyncio").setLevel(logging.INFO)
    logging.getLogger().addHandler(caplog.handler)
    try:
        uids, words = _life(world, sweep)
    finally:
        logging.getLogger().handlers[:] = before
    _, needles, names = planted()
    needles, swept = needles | words, sweep.answers
    written = capfd.readouterr()
    swept["log"] = (caplog.text + written.err + written.out).encode()
    with world.db.transaction() as tx:
        lines = tx.execute(text_of("SELECT CAST(kit_audit AS text) FROM kit_audit WHERE role <> 'patient'")).scalars()
        swept["audit"] = "\n".join(lines).encode()
    for number, mail in enumerate(world.mails()):
        swept[f"mail {number}"] = mail.encode()
    assert len(swept) > 500
    # The audit log says of which study by its UID; no specialist reads it.
    audit = {"audit": swept.pop("audit")}
    assert leaks(swept, needles, names) | leaks(audit, needles - uids, names) == {}

    unasked = sorted(f"{method} {path}" for method, path in sweep.routes if not sweep.statuses[method, path])
    assert unasked == [], (
        "Nobody looks whether these routes, which a specialist may call, show a patient's string. "
        f"Ask them in _life() of tests/web/test_surfaces.py: {unasked}"
    )
    never = {
        path
        for method, path in sweep.routes
        if method == "GET" and min(sweep.statuses[method, path]) >= 400 and path not in OHIF
    }
    assert never == REFUSED, (
        "Of the first of these routes, which a specialist may call, no answer was looked at: ask them in _life() of "
        f"tests/web/test_surfaces.py, or list them as refused. {sorted(never - REFUSED)}; {sorted(REFUSED - never)}"
    )


def _life(world: World, sweep: Sweep) -> tuple[set[bytes], set[bytes]]:
    """The case's life, asked for at every step. Gives the originals' UIDs, and the words of the report."""
    case_id = world.draft("free", symptoms=f"I am {DICOM_NAME}, and my knee hurts.", history=f"{DICOM_BORN}: Zqnobody")
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, [f"Is it torn? Maria Oyelaran, {EMAIL}"])
    uid = world.upload(case_id, dicom=planted()[0])
    written, words = report(uid)
    world.upload(case_id, dicom=written)
    offer(world, case_id, uid)
    names = _names(world, case_id)
    sweep.everything(names, "offered")

    def post(path: str, **more: Any) -> Any:
        answer = sweep.ask("POST", fill(path, names), "text/html, application/json", **more)
        assert answer.status_code < 400, (path, answer.text[:500])
        world.drain()
        return answer

    post("/offers/{case}/accept")
    _read(sweep, f"/cases/{case_id}/dicomweb", names)
    for path in ("/reading/{case}/viewer", "/reading/{case}/token", "/api/v1/cases/{case}/launch"):
        post(path)
    link = sweep.ask("POST", f"/api/v1/cases/{case_id}/launch").json()["url"]
    sweep.ask("POST", "/launch", prefix="viewer:", json={"code": link.partition("#")[2]})
    sweep.everything(names, "in review")
    _wrong(sweep, f"/cases/{case_id}/dicomweb", names, uid)
    post("/reading/{case}/info", data={"text": "Since when?"})
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, f"Since June, says {DICOM_NAME}")
    sweep.pages(names, "answered")
    post("/api/v1/cases/{case}/ask-info", json={"text": "And before?"})
    with world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "No")
    _worklist(sweep, names)
    draft = {f"answer-{names['question']}": "No.", "impression": "All is well.", "studies": names["study"]}
    post("/reading/{case}/report", data=draft)
    body = {"answers": {names["question"]: "No."}, "texts": {"impression": "All is well."}, "studies": [names["study"]]}
    assert sweep.ask("PUT", f"/api/v1/cases/{case_id}/report", json=body).status_code == 204
    sweep.ask("GET", f"/reading/{case_id}/report?step=preview", "text/html", note="preview: ")
    sweep.ask("POST", f"/reading/{case_id}/sign", "text/html", data={"confirm": "1", "password": "wrong"})
    hashed = passwords.hashed("three words together")
    with world.db.transaction() as tx:
        principals.get(tx, world.specialist.id).password_hash = hashed
    post("/api/v1/cases/{case}/report/sign", json={"password": "three words together"})
    sweep.pages(names, "signed")
    with world.db.transaction() as tx:
        reporting.publish(tx, world.coordinator, case_id)
    world.drain()
    with world.db.transaction() as tx:
        for asked in (f"May {DICOM_NAME} swim?", "And run?"):
            intake.follow_up(tx, world.patient, case_id, asked)
        first, second = (str(q.id) for q in load_unasked(tx, case_id).questions if q.follow_up)  # type: ignore[union-attr]
    world.drain()
    post(f"/reading/{case_id}/follow-ups/{first}", data={"text": "Yes.", "password": "three words together"})
    post(
        f"/api/v1/cases/{case_id}/follow-ups/{second}/answer", json={"text": "Yes.", "password": "three words together"}
    )
    with world.db.transaction() as tx:
        versions.ask_change(tx, world.coordinator, case_id, f"{DICOM_NAME} asks about the left side")
    for path in ("/reading/{case}/versions", "/api/v1/cases/{case}/reports"):
        post(path, **({"data": {"kind": "addendum"}} if "api" not in path else {"json": {"kind": "addendum"}}))
    sweep.pages(names, "an addition")
    for path in ("/reading/{case}/discard", "/api/v1/cases/{case}/report/discard"):
        post(path)
    signature = {"qualification": "Radiologist", "practice": "Here"}
    post("/signature", data=signature)
    assert sweep.ask("PUT", "/api/v1/signature", json=signature).status_code == 204
    sweep.pages(names, "published")
    sweep.nonsense({**names, "question": first})
    for path in ("/sign-out", "/offers/{case}/decline"):
        sweep.ask("POST", fill(path, names))
    own = {word for word in words if not word.startswith(b"Zq")}
    return {uid.encode(), STUDY.encode(), SERIES.encode(), SOP.encode()} | own, words


def _names(world: World, case_id: UUID) -> dict[str, str]:
    """What the parameters of paths are: of the case's view where it has such a thing, else of nothing."""
    with world.db.transaction() as tx:
        question = load_unasked(tx, case_id).questions[0].id  # type: ignore[union-attr]
        workitem: str = tx.execute(text_of("SELECT uid FROM pacs_workitem")).scalars().one()
        told = tx.execute(
            text_of("SELECT id FROM cases_message WHERE recipient_id = :who"), {"who": world.specialist.id}
        )
        notification = str(told.scalars().first())
    nothing = str(uuid4())
    return {
        "case": str(case_id),
        "question": str(question),
        "specialist": str(world.specialist.id),
        "workitem": workitem,
        "transaction": "1.2.3",
        "aetitle": "SWEEPER",
        "study": "1.2.3",
        "series": "1.2.3.4",
        "instance": "1.2.3.4.5",
        "frames": "1",
        "number": "1",
        "path": "00104000",
        "token": "nothing",
        "page": "1",
        "notification": notification,
        "mail": "offer",
        "language": "en",
        **dict.fromkeys(
            (
                "delegation",
                "document",
                "referral",
                "person",
                "program",
                "kind",
                "item",
                "sender",
                "licence",
                "title",
                "visit",
                "check_in",
                "message",
                "reply",
                "link",
            ),
            nothing,
        ),
    }


def _read(sweep: Sweep, root: str, names: dict[str, str]) -> None:
    """Every instance of the case, found as a viewer finds it; `names` are then those of the planted image."""
    found = sweep.ask("GET", f"{root}/instances?includefield=all", "application/dicom+json").json()
    assert len(found) == 2
    for instance in sorted(found, key=lambda one: one["00080060"]["Value"][0] == "CT"):
        study, series, sop = (instance[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        names |= {"study": study, "series": series, "instance": sop}
        address = f"{root}/studies/{study}/series/{series}/instances/{sop}"
        note = f"{instance['00080060']['Value'][0]}: "
        metadata = sweep.ask("GET", f"{address}/metadata", "application/dicom+json", note=note)
        assert metadata.status_code == 200
        for uri in uris(metadata.json()):
            names["path"] = uri.partition("/bulkdata/")[2] or names["path"]
            assert sweep.ask("GET", uri, "application/octet-stream", note=note).status_code == 200
        for accept in ("text/html", "text/plain", "image/png", "application/pdf"):
            sweep.ask("GET", f"{address}/rendered", accept, note=note)
        for accept in ("*/*", "application/zip"):
            sweep.ask("GET", address, accept, note=note, headers={"Range": "bytes=0-2047"})
        query = f"requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={sop}"
        for kind in ("application/dicom", "image/jpeg", "text/html"):
            for path in (f"{root}/wado", f"{root}/"):
                for prefix in ("", "viewer:"):
                    sweep.ask("GET", f"{path}?{query}&contentType={kind}", note=note, prefix=prefix)
    assert b"DICOMDIR" in sweep.ask("GET", f"{root}/studies/{names['study']}", "application/zip").content
    report = f"SR: GET /cases/{{case}}/dicomweb{_INSTANCE}/rendered as text/"
    assert {f"{report}html: 200", f"{report}plain: 200"} <= sweep.answers.keys()


def _wrong(sweep: Sweep, root: str, names: dict[str, str], original: str) -> None:
    """Searches for what was planted find nothing; what is not there, or not like that, is refused."""
    dicom_json = "application/dicom+json"
    for query in (
        "PatientName=ANGSTROM*",
        f"PatientBirthDate={DICOM_BORN}",
        "PatientID=Zq*",
        f"StudyInstanceUID={original}",
    ):
        answer = sweep.ask("GET", f"{root}/studies?{query}", dicom_json)
        assert answer.status_code == 204 or answer.json() == []
    at = fill(_INSTANCE, names)
    for path, status in (
        (f"{root}{at}/frames/99", 404),
        (f"{root}{at}/frames/x", 400),
        (f"{root}{at}/bulkdata/00104000", 404),
        (f"{root}/studies/{original}", 404),
        (f"{root}/studies/{original}/metadata", 404),
        (f"/dicomweb/studies/{original}", 403),
    ):
        # The log says which address was asked, and it was the client who put the original's UID into it.
        logging.disable()
        assert sweep.ask("GET", path, note="wrong: ").status_code == status, path
        logging.disable(logging.NOTSET)


def _worklist(sweep: Sweep, names: dict[str, str]) -> None:
    """The reading's work item, from the search to its subscription."""
    found = sweep.ask("GET", "/dicomweb/workitems?includefield=all", "application/dicom+json").json()
    assert [item["00080018"]["Value"][0] for item in found] == [names["workitem"]]
    item = f"/dicomweb/workitems/{names['workitem']}"
    assert sweep.ask("POST", f"{item}/subscribers/SWEEPER").status_code == 201
    # A reading that was begun is not canceled by its work item; the answer says so.
    assert sweep.ask("POST", f"{item}/cancelrequest").status_code == 409
    assert sweep.ask("DELETE", f"{item}/subscribers/SWEEPER").status_code == 200
