"""A case's pictures and documents: looked at, blanked, released or redacted by its coordinator, by nobody else."""

from __future__ import annotations

import io
from collections.abc import Callable
from uuid import UUID, uuid4

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    VideoEndoscopicImageStorage,
    generate_uid,
)
from sqlalchemy import select, text

from cases import access
from cases.imaging import SeriesGroup
from cases.repository import studies_of
from cases.service import approval, assignment, pixels, studies
from cases.service.approval import PictureLook, SeriesGroupLook
from overread.kit import audit
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Principal
from pacs.index import query
from pacs.index.models import Instance
from pacs.index.query import Level, Query
from pacs.serve import retrieve
from tests.cases.world import DICOM_BORN, DICOM_NAME, World, study

BOXES = [(10, 5, 40, 12), (60, 60, 20, 20)]
PDF = b"%PDF-1.7 a finding of nobody in particular"


def pictures(count: int = 1, *, size: int = 96) -> list[bytes]:
    """Secondary captures of one series, which wait for review because nobody knows what is written on them."""
    series, uid, kind = generate_uid(), generate_uid(), SecondaryCaptureImageStorage
    made = []
    for number in range(count):
        ds = pydicom.dcmread(io.BytesIO(study()))
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = kind
        ds.Modality, ds.ConversionType, ds.InstanceNumber = "OT", "WSD", number + 1
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uid, series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.Rows = ds.Columns = size
        ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 0, 500, 1000
        levels = np.random.default_rng(number).integers(200, 900, (size, size), np.int16)
        ds.PixelData = levels.tobytes()
        made.append(written(ds))
    return made


def with_clean(files: list[bytes]) -> list[bytes]:
    """The same files and a slice of a scanner in the same study, which no rule holds."""
    ds, first = pydicom.dcmread(io.BytesIO(study())), pydicom.dcmread(io.BytesIO(files[0]))
    ds.StudyInstanceUID = first.StudyInstanceUID
    ds.SeriesInstanceUID = generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return [*files, written(ds)]


def document() -> bytes:
    ds = pydicom.dcmread(io.BytesIO(study()))
    for element in [e for e in ds if e.tag.group == 0x0028 or e.tag == 0x7FE00010]:
        del ds[element.tag]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    ds.Modality, ds.ConversionType, ds.BurnedInAnnotation = "DOC", "WSD", "YES"
    ds.EncapsulatedDocument = b"%PDF-1.7 of Maria Oyelaran"
    ds.EncapsulatedDocumentLength = len(ds.EncapsulatedDocument)
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return written(ds)


def video() -> bytes:
    """A stream that nobody here can decode."""
    ds = pydicom.dcmread(io.BytesIO(pictures()[0]))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = VideoEndoscopicImageStorage
    ds.Modality, ds.NumberOfFrames, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "ES", 50, 8, 8, 7
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([b"\0\0\0\x18ftypmp42" + bytes(64)])
    ds["PixelData"].is_undefined_length = True
    return written(ds)


def written(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def pending(world: World, *files: bytes) -> tuple[UUID, str, list[str]]:
    """A submitted case with a study of these files: the case, the study's UID, and the UIDs of what waits."""
    case_id = world.submitted("free")
    uids = {world.upload(case_id, dicom=data) for data in files}
    assert len(uids) == 1
    uid = uids.pop()
    world.settle(uid)
    with world.db.transaction() as tx:
        found = pixels.check(tx, world.coordinator, case_id, uid)
    assert found.open
    assert {p.state for p in found.pictures} == {"pending_review"}
    return case_id, uid, [p.sop_uid for p in found.pictures]


def count_pending(world: World, case_id: UUID, uid: str) -> int:
    with world.db.transaction() as tx:
        return next(s.pending for s in studies_of(tx, case_id) if s.study_uid == uid)


def shown(world: World, case_id: UUID, sop_uid: str) -> pydicom.Dataset:
    """An instance as it stands in the case's view, whole."""
    with world.db.transaction() as tx:
        scope = access.scope(tx, world.coordinator, case_id)
        for found in query.search(tx, scope, Query(Level.STUDY))[0]:
            try:
                located = retrieve.locate(tx, scope, found.study_uid, sop_uid=sop_uid)[0]
            except NotFound:
                continue
            return pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(world.archive.blobs, located.parts))))
    raise AssertionError(f"{sop_uid} is not shown")


def digest_of(world: World, case_id: UUID, uid: str, sop_uid: str) -> str:
    with world.db.transaction() as tx:
        found = pixels.check(tx, world.coordinator, case_id, uid).pictures
    return next(p.digest for p in found if p.sop_uid == sop_uid)


def approve(world: World, case_id: UUID, uid: str, sop_uid: str, boxes: pixels.Boxes = ()) -> None:
    digest = digest_of(world, case_id, uid, sop_uid)
    with world.db.transaction() as tx:
        approval.record(tx, world.coordinator, case_id, PictureLook(uid, sop_uid, boxes, digest), "approved")


def test_a_picture_is_blanked_looked_at_approved_and_released(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    before = shown(world, case_id, sop_uid).pixel_array
    assert pixels.mask(world.archive, world.coordinator, case_id, uid, [sop_uid], BOXES) == {}
    assert count_pending(world, case_id, uid) == 1
    after = Image.open(io.BytesIO(pixels.composite(world.archive, world.coordinator, case_id, uid, sop_uid).maximum))
    outside = np.ones((96, 96), bool)
    for left, top, width, height in BOXES:
        assert not np.asarray(after)[top : top + height, left : left + width].any()
        outside[top : top + height, left : left + width] = False
    assert np.array_equal(before[outside], shown(world, case_id, sop_uid).pixel_array[outside])
    with pytest.raises(Conflict), world.db.transaction() as tx:
        studies.release(tx, world.coordinator, case_id, uid)
    approve(world, case_id, uid, sop_uid, BOXES)
    assert count_pending(world, case_id, uid) == 0
    with world.db.transaction() as tx:
        studies.release(tx, world.coordinator, case_id, uid)
    blanked = shown(world, case_id, sop_uid).pixel_array
    assert not blanked[5:17, 10:50].any()
    assert blanked[outside].all()
    with world.db.transaction() as tx:
        lines = audit.read(tx, world.auditor, case_id=case_id)
    (line,) = [line for line in lines if line.action == "pixels.mask"]
    assert (line.object_id, line.detail) == (uid, {"pictures": 1, "masks": 2})


def test_the_same_boxes_in_a_whole_series(world: World) -> None:
    case_id, uid, uids = pending(world, *pictures(3))
    assert pixels.mask(world.archive, world.coordinator, case_id, uid, uids, BOXES) == {}
    with world.db.transaction() as tx:
        assert [p.boxes for p in pixels.check(tx, world.coordinator, case_id, uid).pictures] == [tuple(BOXES)] * 3
    # A box outside is refused with the sentence why, and changes nothing.
    refused = pixels.mask(world.archive, world.coordinator, case_id, uid, uids, [(96, 0, 1, 1)])
    assert set(refused) == set(uids)
    assert all("96 × 96" in sentence for sentence in refused.values())
    with world.db.transaction() as tx:
        assert [p.boxes for p in pixels.check(tx, world.coordinator, case_id, uid).pictures] == [tuple(BOXES)] * 3
    for many in ([], [f"1.2.{number}" for number in range(pixels.MOST_AT_ONCE + 1)]):
        with pytest.raises(Unprocessable):
            pixels.mask(world.archive, world.coordinator, case_id, uid, many, BOXES)


def test_nothing_is_approved_that_was_not_looked_at(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    stale = digest_of(world, case_id, uid, sop_uid)
    with pytest.raises(Conflict, match="not in force"):
        approve(world, case_id, uid, sop_uid, BOXES)
    pixels.mask(world.archive, world.coordinator, case_id, uid, [sop_uid], BOXES)
    with pytest.raises(Conflict, match="not in force"):
        approve(world, case_id, uid, sop_uid)
    with world.db.transaction() as tx, pytest.raises(Conflict, match="another picture"):
        approval.record(tx, world.coordinator, case_id, PictureLook(uid, sop_uid, BOXES, stale), "approved")
    with world.db.transaction() as tx:
        # Withholding is always safe.
        approval.record(tx, world.coordinator, case_id, PictureLook(uid, sop_uid, (), stale), "withheld")
    assert count_pending(world, case_id, uid) == 0


def test_what_is_blanked_after_the_release_is_hidden_until_it_is_approved(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    approve(world, case_id, uid, sop_uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)

    def seen() -> int:
        with world.db.transaction() as tx:
            return len(query.search(tx, access.scope(tx, world.specialist, case_id), Query(Level.INSTANCE))[0])

    assert seen() == 2
    pixels.mask(world.archive, world.coordinator, case_id, uid, [sop_uid], BOXES)
    assert seen() == 1
    assert count_pending(world, case_id, uid) == 1
    approve(world, case_id, uid, sop_uid, BOXES)
    assert seen() == 2


@pytest.mark.parametrize("redacted", [None, PDF])
def test_a_document_is_released_or_redacted_and_approved(world: World, redacted: bytes | None) -> None:
    case_id, uid, (sop_uid,) = pending(world, document())
    with world.db.transaction() as tx:
        (found,) = pixels.check(tx, world.coordinator, case_id, uid).pictures
    assert (found.is_pdf, found.document, found.rows) == (True, "", 0)
    assert found.source_sop_uid != sop_uid
    with pytest.raises(Conflict, match="left out"):
        approve(world, case_id, uid, sop_uid)
    with pytest.raises(Unprocessable):
        pixels.release_document(world.archive, world.coordinator, case_id, uid, sop_uid, b"MZ not a PDF")
    pixels.release_document(world.archive, world.coordinator, case_id, uid, sop_uid, redacted)
    assert count_pending(world, case_id, uid) == 1
    approve(world, case_id, uid, sop_uid)
    ds = shown(world, case_id, sop_uid)
    expected = redacted or b"%PDF-1.7 of Maria Oyelaran"
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == expected
    with world.db.transaction() as tx:
        actions = {line.action for line in audit.read(tx, world.auditor, case_id=case_id)}
    assert ("document.released" if redacted is None else "document.redacted") in actions


def test_a_picture_takes_no_document(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    for redacted in (None, PDF):
        with pytest.raises(Unprocessable):
            pixels.release_document(world.archive, world.coordinator, case_id, uid, sop_uid, redacted)
    assert count_pending(world, case_id, uid) == 1


def series_of(world: World, case_id: UUID, uid: str) -> list[SeriesGroup]:
    with world.db.transaction() as tx:
        return list(pixels.overview(tx, world.coordinator, case_id, uid).series_groups)


def test_a_clean_series_is_blanked_as_a_whole_and_approved_after_one_look(world: World) -> None:
    case_id, uid, _ = pending(world, *with_clean(pictures(3)))
    clean = next(s for s in series_of(world, case_id, uid) if not s.pending)
    series_group_ = next(s for s in series_of(world, case_id, uid) if s.pending)
    assert (clean.pictures, series_group_.pictures, series_group_.pending, series_group_.frames) == (1, 3, 3, 3)
    where = (case_id, uid, series_group_.series_uid, (96, 96))
    with world.db.transaction() as tx:
        found = pixels.series_group(tx, world.coordinator, *where)
    assert series_group_.middle == found.pictures[1].sop_uid
    assert (found.boxes, found.frames, found.wholly_seen) == ((), 3, True)
    composite = pixels.composite_of(world.archive, world.coordinator, *where)
    lowest = np.asarray(Image.open(io.BytesIO(composite.minimum)))
    raw = np.min([shown(world, case_id, p.sop_uid).pixel_array for p in found.pictures], axis=0)
    assert composite.frames == 3
    order = np.argsort(raw, axis=None, kind="stable")
    assert (np.diff(lowest.ravel()[order].astype(int)) >= 0).all()
    assert lowest.min() == 0
    with world.db.transaction() as tx, pytest.raises(Conflict, match="not in force"):
        approval.record(tx, world.coordinator, case_id, SeriesGroupLook(*where[1:], BOXES, found.digest), "approved")
    assert pixels.mask(world.archive, world.coordinator, case_id, uid, [p.sop_uid for p in found.pictures], BOXES) == {}
    with world.db.transaction() as tx, pytest.raises(Conflict, match="other pictures"):
        approval.record(tx, world.coordinator, case_id, SeriesGroupLook(*where[1:], BOXES, found.digest), "approved")
    with world.db.transaction() as tx:
        now = pixels.series_group(tx, world.coordinator, *where)
        assert now.boxes == tuple(BOXES)
        approval.record(tx, world.coordinator, case_id, SeriesGroupLook(*where[1:], BOXES, now.digest), "approved")
    assert count_pending(world, case_id, uid) == 0
    with world.db.transaction() as tx, pytest.raises(Conflict, match="nothing is pending"):
        approval.record(tx, world.coordinator, case_id, SeriesGroupLook(*where[1:], BOXES, now.digest), "approved")
    with world.db.transaction() as tx:
        approval.record(tx, world.coordinator, case_id, SeriesGroupLook(*where[1:], (), ""), "withheld")
    assert next(s for s in series_of(world, case_id, uid) if s.series_uid == series_group_.series_uid).withheld == 3


def test_what_a_window_hides_is_seen_in_the_composite(world: World) -> None:
    ds = pydicom.dcmread(io.BytesIO(pictures(1)[0]))
    levels = np.random.default_rng(1).integers(600, 900, (96, 96), np.int16)
    # Air, and something written in it that is hardly less dark: black on black in the header's own window.
    levels[:20, :60], levels[8:12, 10:50] = -1000, -980
    ds.PixelData, ds.WindowCenter, ds.WindowWidth = levels.tobytes(), 700, 200
    case_id, uid, [sop] = pending(world, written(ds))
    composite = pixels.composite(world.archive, world.coordinator, case_id, uid, sop)
    for picture in (composite.minimum, composite.maximum):
        seen = np.asarray(Image.open(io.BytesIO(picture))).astype(int)
        assert seen[9, 30] - seen[2, 30] >= 20


def test_a_clean_picture_is_blanked_or_withheld_too(world: World) -> None:
    case_id, uid, _ = pending(world, *with_clean(pictures(1)))
    clean = next(s for s in series_of(world, case_id, uid) if not s.pending)
    before = pixels.composite(world.archive, world.coordinator, case_id, uid, clean.middle)
    assert pixels.mask(world.archive, world.coordinator, case_id, uid, [clean.middle], [(1, 1, 5, 5)]) == {}
    assert count_pending(world, case_id, uid) == 2
    after = pixels.composite(world.archive, world.coordinator, case_id, uid, clean.middle)
    assert before.maximum != after.maximum
    approve(world, case_id, uid, clean.middle, [(1, 1, 5, 5)])
    with world.db.transaction() as tx:
        approval.record(tx, world.coordinator, case_id, PictureLook(uid, clean.middle, (), ""), "withheld")
    assert next(s for s in series_of(world, case_id, uid) if s.series_uid == clean.series_uid).withheld == 1


def test_sizes_of_one_series_are_told_apart(world: World) -> None:
    small, large = pictures(1), pictures(1, size=128)
    ds, other = pydicom.dcmread(io.BytesIO(small[0])), pydicom.dcmread(io.BytesIO(large[0]))
    other.StudyInstanceUID, other.SeriesInstanceUID = ds.StudyInstanceUID, ds.SeriesInstanceUID
    case_id, uid, _ = pending(world, small[0], written(other))
    sizes = {(s.rows, s.columns): s.pictures for s in series_of(world, case_id, uid) if s.pending}
    assert sizes == {(96, 96): 1, (128, 128): 1}
    series = next(s.series_uid for s in series_of(world, case_id, uid) if s.pending)
    with world.db.transaction() as tx:
        assert len(pixels.series_group(tx, world.coordinator, case_id, uid, series, (128, 128)).pictures) == 1
        for wrong in ((series, (0, 0)), (series, (96, 97)), ("1.2.3", (96, 96)), ("../..", (96, 96))):
            with pytest.raises(NotFound):
                pixels.series_group(tx, world.coordinator, case_id, uid, *wrong)


#: Everything that is done with a picture: (world, who, case, study, instance).
ACTIONS: dict[str, Callable[[World, Principal, UUID, str, str], object]] = {
    "check": lambda w, p, c, s, i: _in_transaction(w, lambda tx: pixels.check(tx, p, c, s)),
    "composite": lambda w, p, c, s, i: pixels.composite(w.archive, p, c, s, i),
    "picture": lambda w, p, c, s, i: _in_transaction(w, lambda tx: pixels.picture(tx, p, c, s, i)),
    "suggest": lambda w, p, c, s, i: pixels.suggest(w.archive, p, c, s, i),
    "mask": lambda w, p, c, s, i: pixels.mask(w.archive, p, c, s, [i], BOXES),
    "document": lambda w, p, c, s, i: pixels.release_document(w.archive, p, c, s, i),
    "withhold": lambda w, p, c, s, i: _in_transaction(
        w, lambda tx: approval.record(tx, p, c, PictureLook(s, i, (), ""), "withheld")
    ),
}


#: The same for a series: (world, who, case, study).
OF_SERIES: dict[str, Callable[[World, Principal, UUID, str], object]] = {
    "overview": lambda w, p, c, s: _in_transaction(w, lambda tx: pixels.overview(tx, p, c, s)),
    "piled": lambda w, p, c, s: _in_transaction(w, lambda tx: pixels.series_group(tx, p, c, s, "1.2", (96, 96))),
    "composite_of": lambda w, p, c, s: pixels.composite_of(w.archive, p, c, s, "1.2", (96, 96)),
    "decide_piled": lambda w, p, c, s: _in_transaction(
        w, lambda tx: approval.record(tx, p, c, SeriesGroupLook(s, "1.2", (96, 96), (), ""), "withheld")
    ),
}


def _in_transaction(world: World, act: Callable[..., object]) -> object:
    with world.db.transaction() as tx:
        return act(tx)


def test_only_a_coordinator_looks_at_pending_pictures_or_changes_them(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    for role, expected in {
        "patient": Forbidden,
        "other_patient": NotFound,
        "specialist": NotFound,
        "hospital": NotFound,
        "admin": NotFound,
        "auditor": NotFound,
    }.items():
        for name, action in ACTIONS.items():
            with pytest.raises(expected):
                action(world, world.who[role], case_id, uid, sop_uid)
            assert name
        for of_series in OF_SERIES.values():
            with pytest.raises(expected):
                of_series(world, world.who[role], case_id, uid)
    with world.db.transaction() as tx:
        (found,) = pixels.check(tx, world.coordinator, case_id, uid).pictures
    assert (found.state, found.boxes) == ("pending_review", ())


def test_a_picture_of_another_case_is_not_found(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    other, other_uid, (other_sop,) = pending(world, *pictures())
    for name, action in ACTIONS.items():
        for wrong in (
            (uuid4(), uid, sop_uid),
            (other, uid, sop_uid),
            (case_id, "1.2.3", sop_uid),
            (case_id, "../../etc", sop_uid),
            *([] if name == "check" else [(case_id, uid, other_sop), (case_id, uid, "\x00"), (case_id, uid, "'--")]),
        ):
            with pytest.raises(NotFound):
                action(world, world.coordinator, *wrong)
    assert count_pending(world, other, other_uid) == 1


def test_nothing_is_changed_once_the_case_has_ended_or_the_study_was_taken_out(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    with world.db.transaction() as tx:
        studies.reject(tx, world.coordinator, case_id, uid, "another patient's")
    ended, ended_uid, (ended_sop,) = pending(world, *pictures())
    with world.db.transaction() as tx:
        assignment.decline(tx, world.coordinator, ended, "no")
    for case, study_uid, instance in ((case_id, uid, sop_uid), (ended, ended_uid, ended_sop)):
        for name in ("mask", "document", "withhold"):
            with pytest.raises(Conflict):
                ACTIONS[name](world, world.coordinator, case, study_uid, instance)
        with world.db.transaction() as tx:
            assert not pixels.check(tx, world.coordinator, case, study_uid).open


def test_a_picture_that_can_t_be_drawn_or_masked_says_so(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, document())
    for name in ("composite", "suggest"):
        with pytest.raises((NotFound, Unprocessable)):
            ACTIONS[name](world, world.coordinator, case_id, uid, sop_uid)
    refused = pixels.mask(world.archive, world.coordinator, case_id, uid, [sop_uid], BOXES)
    assert set(refused) == {sop_uid}
    assert count_pending(world, case_id, uid) == 1


def test_what_the_case_knows_of_the_patient_is_in_no_copy_that_was_made_again(world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    pixels.mask(world.archive, world.coordinator, case_id, uid, [sop_uid], BOXES)
    with world.db.transaction() as tx:
        row = tx.scalars(select(Instance).where(Instance.sop_uid == sop_uid)).one()
        blob = b"".join(retrieve.stream(world.archive.blobs, retrieve.parts_of(row)))
        assert tx.scalar(text("SELECT count(*) FROM pacs_device_mask")) == 1
    for word in (*DICOM_NAME.replace("^", " ").split(), DICOM_BORN, uid):
        assert word.encode() not in blob
