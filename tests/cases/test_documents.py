"""Documents of a case: what they become, who adds and opens them, and what a specialist gets of them."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pydicom
import pytest
from PIL import Image
from sqlalchemy import text

from cases import allowance, guards, imaging
from cases.document_models import Document
from cases.repository import document_count, document_of, load_unasked, studies_of
from cases.service import assignment, documents, erasure, intake, read, reporting, studies
from cases.service.pixels import check, mask, release_document
from cases.states import DocumentKind, StudyState
from cases.views import DocumentView, PatientCase, SpecialistCase
from overread.kit import addresses
from overread.kit.errors import Conflict, Forbidden, NotFound, StorageFull, TooLarge, Unprocessable
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from pacs.index.models import Review
from pacs.index.scope import ORIGINAL, Scope
from pacs.pixels import pages
from pacs.serve import retrieve
from pacs.store import ingest
from tests.cases.world import BORN, DICOM_BORN, NAME, World, study
from tests.fakes import papers

REPORT = DocumentKind.FIRST_REPORT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path})


def add(
    world: World,
    case_id: UUID,
    data: bytes,
    *,
    who: Principal | None = None,
    kind: DocumentKind = REPORT,
    name: str = "Oyelaran_Report.pdf",
    **limits: int,
) -> UUID:
    settings = Settings.model_validate({"data_dir": world.folder, **limits})
    return documents.add(world.archive, settings, who or world.patient, case_id, data, kind, name)


def arrived(world: World, case_id: UUID, document_id: UUID, who: Principal | None = None) -> DocumentView:
    """The document as `who` sees it, a coordinator else, once its study was matched and its copy made."""
    with world.db.transaction() as tx:
        paper = tx.get_one(Document, document_id)
        uid = paper.study_uid
    world.settle(uid)
    with world.db.transaction() as tx:
        return documents.show(tx, who or world.coordinator, case_id, document_id)


def submitted(world: World) -> UUID:
    """A case that was sent, with images."""
    return world.submitted("free")


def originals(world: World, study_uid: str) -> list[pydicom.Dataset]:
    with world.db.transaction() as tx:
        scope = Scope(ORIGINAL, study_uids=frozenset((study_uid,)), unreleased=True)
        found = retrieve.locate(tx, scope, study_uid)
    return [pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(world.archive.blobs, one.parts)))) for one in found]


def test_a_pdf_becomes_its_pages_and_itself(world: World) -> None:
    case_id = submitted(world)
    data = papers.pdf("First page", "Second page")
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, add(world, case_id, data)).study_uid
    first, second, file = originals(world, uid)
    for number, page in enumerate((first, second), 1):
        assert page.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
        assert page.InstanceNumber == number
        # pydicom and its JPEG decoder are the oracle: the page is black on white, and as large as it says.
        pixels = page.pixel_array
        assert pixels.shape == (2339, 1653, 3)
        assert (pixels.min(), pixels.max()) <= (60, 255)
        assert page.LossyImageCompression == "01"
    assert file.SOPClassUID == pydicom.uid.EncapsulatedPDFStorage
    assert file.EncapsulatedDocument[: file.EncapsulatedDocumentLength] == data
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
    assert case is not None
    for ds in (first, second, file):
        assert (ds.PatientName, ds.PatientBirthDate, ds.PatientSex) == (NAME, f"{BORN:%Y%m%d}", "F")
        assert (ds.StudyInstanceUID, ds.Modality, ds.AccessionNumber) == (uid, "DOC", case.reference)
        assert ds.StudyDescription == "First report 1"
        assert ds.BurnedInAnnotation == "YES"
        # The day on which it was added tells by how many days the copy's dates are moved.
        assert [e.keyword for e in ds.iterall() if e.VR in ("DA", "TM", "DT") and e.value] == ["PatientBirthDate"]
        assert "Oyelaran_Report" not in str(ds)


def test_a_photo_has_no_file_beside_it(world: World) -> None:
    case_id = submitted(world)
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, add(world, case_id, papers.HEIC, kind=DocumentKind.PHOTO, name="a.heic")).study_uid
    [page] = originals(world, uid)
    assert (page.Rows, page.Columns, page.StudyDescription) == (64, 48, "Photo 1")
    assert b"ZqPhone" not in page.PixelData


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy is not here (Debian: dicom3tools)")
@pytest.mark.parametrize(
    "data", [papers.pdf("One", "Two"), papers.photo(), papers.scan(2)], ids=["pdf", "jpeg", "tiff"]
)
def test_what_is_made_is_valid(world: World, data: bytes, tmp_path: Path) -> None:
    case_id = submitted(world)
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, add(world, case_id, data)).study_uid
    for number, ds in enumerate(originals(world, uid)):
        path = tmp_path / f"{number}.dcm"
        ds.save_as(path)
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_the_same_file_is_the_same_document(world: World) -> None:
    case_id = submitted(world)
    data = papers.pdf("Report")
    first = add(world, case_id, data)
    assert add(world, case_id, data, name="again.pdf", kind=DocumentKind.LETTER) == first
    # In another case it is another one.
    assert add(world, submitted(world), data) != first
    with world.db.transaction() as tx:
        assert [one.name for one in documents.listed(tx, world.patient, case_id)] == ["Oyelaran_Report.pdf"]
        assert (
            tx.execute(text("SELECT count(*) FROM cases_document WHERE case_id = :id"), {"id": case_id}).scalar() == 1
        )


def test_a_try_that_died_is_made_whole_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = submitted(world)
    data = papers.pdf("One", "Two")
    with monkeypatch.context() as patched:
        patched.setattr(documents, "Document", None)  # it dies behind what it stored
        with pytest.raises(TypeError):
            add(world, case_id, data)
    first = add(world, case_id, data)
    with world.db.transaction() as tx:
        assert document_count(tx, case_id) == 1
        uid = tx.get_one(Document, first).study_uid
    assert len(originals(world, uid)) == 3
    assert _used(world, case_id) == _held(world, uid, case_id)


def test_it_goes_the_way_of_the_images(world: World) -> None:
    case_id = submitted(world)
    world.clear(case_id)
    document_id = add(world, case_id, papers.pdf("Anna Oyelaran", "Second"))
    paper = arrived(world, case_id, document_id)
    # What we wrote matches; every page waits for a look, and the file itself is withheld without asking anybody.
    assert paper.state == StudyState.DEID_REVIEW
    with world.db.transaction() as tx:
        found = check(tx, world.coordinator, case_id, paper.study_uid)
        states = [(one.is_pdf, one.state) for one in found.pictures]
        assert states == [(False, Review.PENDING_REVIEW), (False, Review.PENDING_REVIEW), (True, Review.WITHHELD)]
        study = next(s for s in studies_of(tx, case_id) if s.study_uid == paper.study_uid)
        assert study.pending == 2
        case = load_unasked(tx, case_id)
        assert case is not None
        assert case.view_id is not None
        with pytest.raises(Conflict):
            studies.release(tx, world.coordinator, case_id, paper.study_uid)
    # A name is blanked on a page, as on any picture.
    page = found.pictures[0]
    assert not mask(world.archive, world.coordinator, case_id, paper.study_uid, [page.sop_uid], [(180, 300, 600, 120)])
    with world.db.transaction() as tx:
        scope = Scope(case.view_id, unreleased=True)
        [made] = retrieve.locate(tx, scope, found.view_study_uid, sop_uid=page.sop_uid)
    ds = pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(world.archive.blobs, made.parts))))
    assert ds.pixel_array[310:410, 190:760].max() < 20
    assert ds.pixel_array[600:, :].min() > 200
    world.clear(case_id)
    with world.db.transaction() as tx:
        assert documents.show(tx, world.patient, case_id, document_id).state == StudyState.RELEASED


def test_a_specialist_reads_the_pages_and_no_name(world: World) -> None:
    case_id = submitted(world)
    arrived(world, case_id, add(world, case_id, papers.pdf("One", "Two")))
    arrived(world, case_id, add(world, case_id, papers.photo(), kind=DocumentKind.LETTER, name="Oyelaran.jpg"))
    world.clear(case_id)
    _accept(world, case_id)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        titles = [one.title for one in seen.studies]
        # Titles are made of kind and number; of the file's name nothing is left anywhere.
        assert titles[1:] == ["First report 1, 2 pages", "Letter 2, 1 page"]
        assert "oyelaran" not in str(seen).lower()
        case = load_unasked(tx, case_id)
        assert case is not None
        assert case.view_id is not None
        view = Scope(case.view_id)
        kinds: Counter[str] = Counter()
        for one in seen.studies[1:]:
            for located in retrieve.locate(tx, view, one.study_uid):
                raw = b"".join(retrieve.stream(world.archive.blobs, located.parts))
                assert b"oyelaran" not in raw.lower()
                assert case.reference.encode() not in raw
                kinds[pydicom.dcmread(io.BytesIO(raw)).SOPClassUID] += 1
        assert kinds == {pydicom.uid.SecondaryCaptureImageStorage: 3}
        with pytest.raises(Forbidden):
            documents.listed(tx, world.specialist, case_id)


def test_a_coordinator_may_let_the_file_itself_in(world: World) -> None:
    case_id = submitted(world)
    paper = arrived(world, case_id, add(world, case_id, papers.pdf("Report")))
    with world.db.transaction() as tx:
        file = check(tx, world.coordinator, case_id, paper.study_uid).pictures[-1]
    redacted = papers.pdf("Redacted")
    release_document(world.archive, world.coordinator, case_id, paper.study_uid, file.sop_uid, redacted)
    with world.db.transaction() as tx:
        [_, now] = check(tx, world.coordinator, case_id, paper.study_uid).pictures
        assert (now.state, now.document) == (Review.PENDING_REVIEW, "redacted")


def test_a_corrected_name_holds_no_document_up(world: World) -> None:
    case_id = world.draft("free")
    document_id = add(world, case_id, papers.pdf("Report"))
    with world.db.transaction() as tx:
        intake.update(tx, world.patient, case_id, intake.Changes(patient_name="Maria Angstrom Oyelaran-Smith"))
    # The objects say another name than the case does now. It is ours: the pages say whose they are.
    assert arrived(world, case_id, document_id, world.patient).state == StudyState.DEID_REVIEW


def test_what_else_is_sent_under_a_document_is_compared(world: World) -> None:
    case_id = submitted(world)
    paper = arrived(world, case_id, add(world, case_id, papers.pdf("Report")))
    other = study("SOMEBODY^ELSE", DICOM_BORN, StudyInstanceUID=paper.study_uid, PatientID="")
    world.upload(case_id, dicom=other)
    assert arrived(world, case_id, paper.document_id).state == StudyState.MISMATCH


def test_documents_are_no_images(world: World) -> None:
    case_id = world.draft("free")
    arrived_id = add(world, case_id, papers.pdf("Report"))
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        assert not guards.images_here(tx, case)
        shown = read.show(tx, world.patient, case_id)
        assert isinstance(shown, PatientCase)
        assert (shown.studies, shown.images_here) == ((), False)
        assert document_count(tx, case_id) == 1
        uid = tx.get_one(Document, arrived_id).study_uid
    world.settle(uid)
    with world.db.transaction() as tx:
        shown = read.show(tx, world.patient, case_id)
        assert isinstance(shown, PatientCase)
        assert (shown.studies, shown.images_here) == ((), False)


def test_patient_and_coordinator_open_them(world: World) -> None:
    case_id = submitted(world)
    data = papers.pdf("One", "Two")
    pdf, scan = add(world, case_id, data), add(world, case_id, papers.scan(2), name="fax/2\\Arzt‮brief.tiff")
    for who in (world.patient, world.coordinator):
        opened = documents.file(world.archive, who, case_id, pdf)
        assert (opened.name, opened.media_type, opened.content) == ("Oyelaran_Report.pdf", "application/pdf", data)
        opened = documents.file(world.archive, who, case_id, scan)
        # No folder, and nothing that turns the writing round.
        assert (opened.name, opened.media_type) == ("Arzt brief.jpg", "image/jpeg")
        second = Image.open(io.BytesIO(documents.page(world.archive, who, case_id, pdf, 2)))
        assert second.size == (1653, 2339)
        for number in (0, 3):
            with pytest.raises(NotFound):
                documents.page(world.archive, who, case_id, pdf, number)
    with world.db.transaction() as tx:
        looks = tx.execute(
            text("SELECT actor, object_id FROM kit_audit WHERE action = 'document.read' AND case_id = :id"),
            {"id": case_id},
        ).all()
    assert {(one.object_id) for one in looks} == {str(pdf), str(scan)}
    assert len(looks) == 4


def test_strangers_have_no_documents(world: World, settings: Settings) -> None:
    case_id = submitted(world)
    mine = add(world, case_id, papers.pdf("Report"))
    for key in ("other_patient", "specialist", "hospital", "admin", "auditor"):
        who = world.who[key]
        with pytest.raises((NotFound, Forbidden)):
            documents.add(world.archive, settings, who, case_id, papers.pdf("Other"), REPORT, "a.pdf")
        with pytest.raises((NotFound, Forbidden)):
            documents.file(world.archive, who, case_id, mine)
        with pytest.raises((NotFound, Forbidden)):
            documents.page(world.archive, who, case_id, mine, 1)
        with world.db.transaction() as tx, pytest.raises((NotFound, Forbidden)):
            documents.listed(tx, who, case_id)
        with world.db.transaction() as tx, pytest.raises((NotFound, Forbidden)):
            documents.take_out(tx, who, case_id, mine)
    # A document of one case is in no other of the same patient.
    with world.db.transaction() as tx, pytest.raises(NotFound):
        documents.show(tx, world.patient, submitted(world), mine)


def test_what_the_program_added_is_the_patients_once_it_is_known_to_be_theirs(world: World) -> None:
    case_id = submitted(world)
    posted = add(world, case_id, papers.photo(), who=world.coordinator, name="post.jpg")
    with world.db.transaction() as tx:
        assert documents.listed(tx, world.patient, case_id) == []
        [seen] = documents.listed(tx, world.coordinator, case_id)
        assert seen.own
    with pytest.raises(NotFound):
        documents.page(world.archive, world.patient, case_id, posted, 1)
    paper = arrived(world, case_id, posted)
    with world.db.transaction() as tx:
        [seen] = documents.listed(tx, world.patient, case_id)
        # From the program, not from one of its people.
        assert (seen.sender, seen.own) == ("Free reading", False)
        studies.reject(tx, world.coordinator, case_id, paper.study_uid, "Another patient's letter.")
    with world.db.transaction() as tx:
        assert documents.listed(tx, world.patient, case_id) == []
        assert documents.show(tx, world.coordinator, case_id, posted).state == StudyState.REVOKED
        assert document_count(tx, case_id) == 0


def test_one_is_taken_out_of_a_draft(world: World) -> None:
    case_id = world.draft("free")
    first, second = add(world, case_id, papers.pdf("One")), add(world, case_id, papers.pdf("Two"))
    before = _used(world, case_id)
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, first).study_uid
        view = documents.show(tx, world.patient, case_id, first)
        assert view.may_take_out
    world.settle(uid)
    with world.db.transaction() as tx:
        documents.take_out(tx, world.patient, case_id, first)
    with world.db.transaction() as tx:
        documents.take_out(tx, world.patient, case_id, first)  # pressed twice
        assert [one.document_id for one in documents.listed(tx, world.patient, case_id)] == [second]
        assert tx.execute(text("SELECT count(*) FROM pacs_study WHERE study_uid = :uid"), {"uid": uid}).scalar() == 0
        assert [s.study_uid for s in studies_of(tx, case_id) if s.study_uid == uid] == []
        copies = text("SELECT count(*) FROM pacs_study WHERE source_uid = :uid")
        assert tx.execute(copies, {"uid": uid}).scalar() == 0
    assert _used(world, case_id)[0] < before[0]
    # It may be added again, with a number of its own.
    again = add(world, case_id, papers.pdf("One"))
    with world.db.transaction() as tx:
        assert [one.number for one in documents.listed(tx, world.patient, case_id)] == [2, 3]
        assert again != first
        uid = tx.get_one(Document, again).study_uid
    assert len(originals(world, uid)) == 2


def test_nothing_is_taken_out_while_its_copy_is_made(world: World) -> None:
    case_id = world.draft("free")
    document_id = add(world, case_id, papers.pdf("One"))
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, document_id).study_uid
    world.settle(uid)
    with world.db.transaction() as tx:
        tx.execute(text("UPDATE cases_study SET state = 'matched' WHERE study_uid = :uid"), {"uid": uid})
    with world.db.transaction() as tx, pytest.raises(Conflict) as told:
        documents.take_out(tx, world.patient, case_id, document_id)
    assert "again in a minute" in told.value.safe


def test_nothing_is_taken_out_of_what_was_sent(world: World) -> None:
    case_id = submitted(world)
    document_id = add(world, case_id, papers.pdf("One"))
    with world.db.transaction() as tx:
        for who in (world.patient, world.coordinator):
            with pytest.raises(Conflict) as told:
                documents.take_out(tx, who, case_id, document_id)
            assert "write us a message" in told.value.safe


def test_a_signed_case_takes_no_more(world: World) -> None:
    case_id = world.signed("free")
    for who in (world.patient, world.coordinator):
        with pytest.raises(Conflict) as told:
            add(world, case_id, papers.pdf("One"), who=who)
        assert told.value.safe == "This request takes no more documents."


def test_it_needs_to_be_known_whose_it_is(world: World) -> None:
    case_id = world.draft("free", birth_date=None)
    with pytest.raises(Unprocessable) as told:
        add(world, case_id, papers.pdf("One"))
    assert "name and birth date first" in told.value.safe


def test_an_address_has_to_be_confirmed(world: World) -> None:
    case_id = world.draft("free")
    with world.db.transaction() as tx:
        tx.execute(
            text("UPDATE kit_principal SET pending_email = 'new@example.org', email = NULL WHERE id = :id"),
            {"id": world.patient.id},
        )
        assert addresses.unconfirmed(tx, world.patient.id)
    with pytest.raises(Forbidden):
        add(world, case_id, papers.pdf("One"))


def test_they_count_as_what_a_patient_may_store(world: World) -> None:
    case_id = world.draft("free")
    with pytest.raises(TooLarge) as told:
        add(world, case_id, papers.pdf("One"), max_draft_bytes=1 << 20, max_draft_instances=1)
    assert isinstance(told.value, allowance.Full)
    assert _used(world, case_id) == (0, 0)
    with world.db.transaction() as tx:
        assert document_count(tx, case_id) == 0
    document_id = add(world, case_id, papers.pdf("One"))
    with world.db.transaction() as tx:
        uid = tx.get_one(Document, document_id).study_uid
    assert _used(world, case_id) == _held(world, uid, case_id)


def test_staff_is_not_counted(world: World) -> None:
    case_id = submitted(world)
    before = _used(world, case_id)
    add(world, case_id, papers.pdf("One"), who=world.coordinator, max_case_bytes=1)
    assert _used(world, case_id) == before


def test_a_case_holds_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST", 2)
    case_id = submitted(world)
    first = add(world, case_id, papers.photo(size=(10, 10)))
    add(world, case_id, papers.photo(size=(11, 10)))
    with pytest.raises(Conflict) as told:
        add(world, case_id, papers.photo(size=(12, 10)))
    assert "2 documents at most" in told.value.safe
    # What is there already is no further one.
    assert add(world, case_id, papers.photo(size=(10, 10))) == first


def test_what_became_too_late_meanwhile_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.draft("free")
    made = pages.pages

    def slowly(*asked: object) -> object:
        with world.db.transaction() as tx:
            intake.withdraw(tx, world.patient, case_id, "")
        return made(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(pages, "pages", slowly)
    with pytest.raises(Conflict):
        add(world, case_id, papers.pdf("One"))
    assert _used(world, case_id) == (0, 0)
    with world.db.transaction() as tx:
        assert imaging.uploaded(tx, case_id) == {}


def test_a_full_disk_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.draft("free")

    def full(*_: object) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(ingest, "store", full)
        with pytest.raises(StorageFull):
            add(world, case_id, papers.pdf("One"))
    assert _used(world, case_id) == (0, 0)
    with world.db.transaction() as tx:
        assert document_count(tx, case_id) == 0


def test_an_erased_case_keeps_none(world: World) -> None:
    case_id = submitted(world)
    paper = arrived(world, case_id, add(world, case_id, papers.pdf("One")))
    posted = arrived(world, case_id, add(world, case_id, papers.photo(), who=world.coordinator))
    with world.db.transaction() as tx:
        erasure.ask(tx, world.patient, case_id, "")
    with world.db.transaction() as tx:
        erasure.start(tx, world.admin, case_id)
    with world.db.transaction() as tx:
        erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
    world.drain()
    with world.db.transaction() as tx:
        assert (
            tx.execute(text("SELECT count(*) FROM cases_document WHERE case_id = :id"), {"id": case_id}).scalar() == 0
        )
        for uid in (paper.study_uid, posted.study_uid):
            assert tx.execute(text("SELECT count(*) FROM pacs_study WHERE study_uid = :u"), {"u": uid}).scalar() == 0
            assert document_of(tx, case_id, uid) is None


def test_the_report_names_them(world: World) -> None:
    case_id = submitted(world)
    arrived(world, case_id, add(world, case_id, papers.pdf("One")))
    world.clear(case_id)
    _accept(world, case_id)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.specialist, case_id)
        assert isinstance(seen, SpecialistCase)
        answers = {str(q.question_id): "Yes" for q in seen.questions}
        uids = [s.study_uid for s in seen.studies]
        reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "All is well."}, uids)
        assert "First report 1, 1 page" in reporting.read(tx, world.specialist, case_id).studies


def test_nobody_has_a_document_that_is_none(world: World) -> None:
    case_id = submitted(world)
    with world.db.transaction() as tx, pytest.raises(NotFound):
        documents.show(tx, world.patient, case_id, uuid4())
    with pytest.raises(NotFound):
        documents.file(world.archive, world.patient, case_id, uuid4())


def _accept(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    world.drain()


def _used(world: World, case_id: UUID) -> tuple[int, int]:
    """Bytes and instances that are counted as the patient's."""
    with world.db.transaction() as tx:
        row = tx.execute(
            text("SELECT bytes, instances FROM cases_allowance WHERE case_id = :id"), {"id": case_id}
        ).one_or_none()
    return (row.bytes, row.instances) if row else (0, 0)


def _held(world: World, study_uid: str, case_id: UUID) -> tuple[int, int]:
    with world.db.transaction() as tx:
        rows = tx.execute(
            text(
                "SELECT coalesce(sum(i.blob_size), 0) AS bytes, count(*) AS n FROM pacs_instance i "
                "JOIN pacs_study s ON s.pk = i.study_pk WHERE s.study_uid = :uid AND s.view_id = :view"
            ),
            {"uid": study_uid, "view": ORIGINAL},
        ).one()
    return int(rows.bytes), rows.n
