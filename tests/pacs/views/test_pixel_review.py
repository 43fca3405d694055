"""Held pictures: looked at, masked, approved; documents released or redacted; and who may do it."""

from __future__ import annotations

import io
import uuid
from struct import pack

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw
from pydicom.uid import generate_uid
from sqlalchemy import select

from overread.kit.db import Database
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Role
from pacs.deid.identifiers import Identifiers
from pacs.deid.masks import Box
from pacs.deid.suggest import outside_regions, text_like
from pacs.index import query
from pacs.index.models import Instance, Review
from pacs.index.query import Level, Query
from pacs.index.scope import Scope
from pacs.serve import bulk, retrieve
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from pacs.views import composites, pixel_review, views
from tests.pacs.deid.planted import EXPLICIT, El, part10, skeleton, text
from tests.pacs.store.test_damage import DAMAGES
from tests.pacs.store.test_ingest import put
from tests.pacs.views.test_views import LEADING, person, stored_study, view_of

BOXES = [(10, 5, 40, 12)]
NOBODY = Identifiers()


def pending_view(archive: Archive, count: int = 1) -> tuple[uuid.UUID, str, list[str]]:
    """A view of a colour study: its id, the original's UID, and the UIDs of the instances to review."""
    study_uid, _ = stored_study(archive, "examples_rgb_color.dcm", count=count)
    view = view_of(archive)
    views.deidentify(archive, view, LEADING, study_uid)
    with archive.db.transaction() as tx:
        return view, study_uid, [item.view_sop_uid for item in views.review(tx, view)[0].items]


def decoded_of(archive: Archive, view: uuid.UUID, sop_uid: str) -> np.ndarray:
    with archive.db.transaction() as tx:
        study = query.search(tx, Scope(view, unreleased=True), Query(Level.STUDY))[0][0].study_uid
        located = retrieve.locate(tx, Scope(view, unreleased=True), study, sop_uid=sop_uid)[0]
    return pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts)))).pixel_array


def pixels_of(archive: Archive, view: uuid.UUID, sop_uid: str) -> np.ndarray:
    with archive.db.transaction() as tx:
        study = query.search(tx, Scope(view, unreleased=True), Query(Level.STUDY))[0][0].study_uid
        located = retrieve.locate(tx, Scope(view, unreleased=True), study, sop_uid=sop_uid)[0]
    whole = pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts))))
    with retrieve.opened(archive, located) as instance:
        assert instance.frame(0) == whole.PixelData[: len(instance.frame(0))]
        assert b"".join(retrieve.stream(archive.blobs, bulk.find_bulk(instance, ["7FE00010"]).parts)) == whole.PixelData
    return whole.pixel_array


def test_a_masked_picture_is_blank_there_and_the_same_elsewhere(archive: Archive, database: Database) -> None:
    view, study_uid, (uid,) = pending_view(archive)
    coordinator = person(database, Role.COORDINATOR)
    before = pixels_of(archive, view, uid)
    pixel_review.mask(archive, coordinator, view, [uid], BOXES, NOBODY)
    after = pixels_of(archive, view, uid)
    inside = np.zeros(before.shape[:2], bool)
    inside[5:17, 10:50] = True
    assert not after[inside].any()
    assert np.array_equal(before[~inside], after[~inside])
    with database.transaction() as tx:
        item = pixel_review.pending(tx, coordinator, view)[0].items[0]
        assert item.state == Review.PENDING_REVIEW
        assert any("Masks" in reason for reason in item.reasons)
        views.set_review(tx, coordinator, view, [uid], Review.APPROVED)
        views.release(tx, coordinator, view, study_uid)
    with database.transaction() as tx:
        assert len(query.search(tx, Scope(view), Query(Level.INSTANCE))[0]) == 1
    pixel_review.mask(archive, coordinator, view, [uid], [(0, 0, 4, 4)], NOBODY)
    with database.transaction() as tx:
        # What was approved was another picture: it is hidden until somebody looks again.
        assert query.search(tx, Scope(view), Query(Level.INSTANCE))[0] == []
    assert np.array_equal(pixels_of(archive, view, uid)[10:15, 20:30], before[10:15, 20:30])
    pixel_review.mask(archive, coordinator, view, [uid], [], NOBODY)
    assert np.array_equal(pixels_of(archive, view, uid), before)


@pytest.mark.parametrize(
    "name",
    [
        "ExplVR_BigEnd.dcm",  # turned round on its way in
        "image_dfl.dcm",  # unpacked on its way in
        "SC_rgb_rle.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "JPEG2000.dcm",
        "examples_jpeg2k.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_whatever_came_in_only_the_boxes_are_blank(archive: Archive, database: Database, name: str) -> None:
    study_uid, _ = stored_study(archive, name, count=1)
    view, coordinator = view_of(archive), person(database, Role.COORDINATOR)
    views.deidentify(archive, view, LEADING, study_uid)
    with database.transaction() as tx:
        (stack,) = pixel_review.series_groups(tx, coordinator, view, study_uid)
    uid = stack.middle
    before = decoded_of(archive, view, uid)
    left, top, width, height = stack.columns // 4, stack.rows // 4, stack.columns // 3, stack.rows // 3
    assert pixel_review.mask(archive, coordinator, view, [uid], [(left, top, width, height)], NOBODY) == {}
    after = decoded_of(archive, view, uid)
    assert before.shape == after.shape
    shape = (stack.frames // stack.pictures, stack.rows, stack.columns, -1)
    before, after = before.reshape(shape), after.reshape(shape)
    # Of baseline JPEG whole blocks are blanked.
    unit, more = (16, 2) if "jpeg_dcmtk" in name else (1, 0)
    differs = before != after
    bottom, right = -(-(top + height) // unit) * unit + more, -(-(left + width) // unit) * unit + more
    differs[:, max(0, top // unit * unit - more) : bottom, max(0, left // unit * unit - more) : right] = False
    assert not differs.any()
    inside = after[:, top : top + height, left : left + width].reshape(-1, after.shape[3])
    assert (inside.max(axis=0) - inside.min(axis=0)).max() <= (2 if more else 0)


def test_only_a_coordinator_looks_and_masks(archive: Archive, database: Database) -> None:
    view, _, (uid,) = pending_view(archive)
    for role in (Role.SPECIALIST, Role.PATIENT, Role.HOSPITAL, Role.AUDITOR):
        who = person(database, role)
        with pytest.raises(Forbidden):
            composites.composite(archive, who, view, [uid])
        with pytest.raises(Forbidden):
            composites.suggest(archive, who, view, uid)
        with pytest.raises(Forbidden):
            pixel_review.mask(archive, who, view, [uid], BOXES, NOBODY)
        with pytest.raises(Forbidden):
            pixel_review.release_document(archive, who, view, uid, NOBODY)
        with database.transaction() as tx, pytest.raises(Forbidden):
            pixel_review.pending(tx, who, view)


def test_what_is_not_in_the_view_is_not_found(archive: Archive, database: Database) -> None:
    view, _, (uid,) = pending_view(archive)
    coordinator = person(database, Role.COORDINATOR)
    with pytest.raises(NotFound):
        composites.composite(archive, coordinator, view, ["1.2.3"])
    with pytest.raises(NotFound):
        pixel_review.mask(archive, coordinator, view_of(archive), [uid], BOXES, NOBODY)
    refused = pixel_review.mask(archive, coordinator, view, [uid], [(5000, 0, 3, 3)], NOBODY)
    assert list(refused) == [uid]
    assert "outside of the picture" in refused[uid]


def test_a_composite_has_the_lowest_and_highest_levels_of_all_frames(archive: Archive, database: Database) -> None:
    frames = np.zeros((3, 16, 16), np.uint16)
    frames[0, 2, 3], frames[1, 8, 9], frames[:, 0, 0] = 4095, 4095, 4095
    elements = [e for e in skeleton() if e.tag not in (0x00280010, 0x00280011, 0x7FE00010, 0x00080060)]
    elements += [El(tag, "US", pack("<H", 16)) for tag in (0x00280010, 0x00280011)]
    elements += [text(0x00280008, "IS", "3"), El(0x7FE00010, "OW", frames.tobytes()), text(0x00080060, "CS", "US")]
    # A mark of an overlay lies over the picture, whatever the values below it.
    marks = np.zeros((16, 16), np.uint8)
    marks[5, 6] = 1
    elements += [El(tag, "US", pack("<H", 16)) for tag in (0x60000010, 0x60000011)]
    elements += [El(0x60003000, "OW", np.packbits(marks, bitorder="little").tobytes())]
    assert isinstance(put(archive, Source(person(database, Role.HOSPITAL), "stow"), part10(elements, EXPLICIT)), Stored)
    view = view_of(archive)
    with archive.db.transaction() as tx:
        study_uid = query.search(tx, Scope(uuid.UUID(int=0), unreleased=True), Query(Level.STUDY))[0][0].study_uid
    views.deidentify(archive, view, LEADING, study_uid)
    coordinator = person(database, Role.COORDINATOR)
    with archive.db.transaction() as tx:
        uid = views.review(tx, view)[0].items[0].view_sop_uid
    found = composites.composite(archive, coordinator, view, [uid])
    low, high = (np.asarray(Image.open(io.BytesIO(png))) for png in (found.minimum, found.maximum))
    assert (found.rows, found.columns, found.frames) == (16, 16, 3)
    assert {tuple(map(int, place)) for place in np.argwhere(high)} == {(0, 0), (2, 3), (5, 6), (8, 9)}
    assert {tuple(map(int, place)) for place in np.argwhere(low)} == {(0, 0)}


def test_what_was_masked_is_suggested_for_the_same_device(archive: Archive, database: Database) -> None:
    view, _, uids = pending_view(archive, count=2)
    coordinator = person(database, Role.COORDINATOR)
    assert not [s for s in composites.suggest(archive, coordinator, view, uids[1]) if s.source == "device"]
    pixel_review.mask(archive, coordinator, view, uids[:1], BOXES, NOBODY)
    pixel_review.mask(archive, coordinator, view, uids[:1], [*BOXES, (1, 2, 3, 4)], NOBODY)
    (device,) = [s for s in composites.suggest(archive, coordinator, view, uids[1]) if s.source == "device"]
    assert device.boxes == (Box(*BOXES[0]), Box(1, 2, 3, 4))


def test_strips_around_the_ultrasound_regions_are_suggested() -> None:
    ds = pydicom.Dataset()
    ds.Rows, ds.Columns = 100, 200
    assert outside_regions(ds) == ()
    region = pydicom.Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 20, 30
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 179, 89
    ds.SequenceOfUltrasoundRegions = [region]
    found = outside_regions(ds)
    assert found == (Box(0, 0, 200, 30), Box(0, 90, 200, 10), Box(0, 30, 20, 60), Box(180, 30, 20, 60))


def test_text_is_suggested_and_a_smooth_picture_is_not() -> None:
    y, x = np.mgrid[:240, :320]
    smooth = (100 + 60 * np.sin(x / 40) * np.cos(y / 30)).astype(np.uint8)
    assert text_like(smooth, smooth) == ()
    image = Image.fromarray(smooth)
    ImageDraw.Draw(image).text((40, 20), "DOE MARIGOLD 04.07.1951", fill=255)
    written = np.asarray(image)
    found = text_like(written, written)
    letters = np.argwhere(written != smooth)
    covered = [any(b.left <= x < b.left + b.width and b.top <= y < b.top + b.height for b in found) for y, x in letters]
    assert np.mean(covered) > 0.95
    assert sum(box.width * box.height for box in found) < smooth.size / 8


def document(number: int) -> bytes:
    elements = [e for e in skeleton() if e.tag >> 16 != 0x0028 and e.tag not in (0x7FE00010, 0x00080016, 0x00080018)]
    elements += [
        text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.104.1"),
        text(0x00080018, "UI", generate_uid()),
        text(0x00200013, "IS", str(number)),
        El(0x00420011, "OB", b"%PDF-1.7 of Okonkwo"),
        text(0x00420012, "LO", "application/pdf"),
        El(0x00420015, "UL", pack("<I", 19)),
    ]
    return part10(elements, EXPLICIT)


@pytest.mark.parametrize(("redacted", "seen"), [(None, b"%PDF-1.7 of Okonkwo"), (b"%PDF-1.7 of --", b"%PDF-1.7 of --")])
def test_a_document_is_left_out_until_a_person_releases_or_redacts_it(
    archive: Archive, database: Database, redacted: bytes | None, seen: bytes
) -> None:
    coordinator = person(database, Role.COORDINATOR)
    assert isinstance(put(archive, Source(person(database, Role.HOSPITAL), "stow"), document(1)), Stored)
    view = view_of(archive)
    with archive.db.transaction() as tx:
        study_uid = query.search(tx, Scope(uuid.UUID(int=0), unreleased=True), Query(Level.STUDY))[0][0].study_uid
    view_study = views.deidentify(archive, view, LEADING, study_uid).study_uid
    with archive.db.transaction() as tx:
        (item,) = views.review(tx, view)[0].items
        located = retrieve.locate(tx, Scope(view, unreleased=True), view_study)[0]
    assert b"PDF" not in b"".join(retrieve.stream(archive.blobs, located.parts))
    # Nobody approves an empty document, from whatever page.
    assert item.left_out
    with pytest.raises(Conflict, match="left out"), archive.db.transaction() as tx:
        views.set_review(tx, coordinator, view, [item.view_sop_uid], Review.APPROVED)
    pixel_review.release_document(archive, coordinator, view, item.view_sop_uid, NOBODY, redacted)
    with archive.db.transaction() as tx:
        review = views.review(tx, view)[0]
        assert (review.pending, review.items[0].left_out) == (1, False)
        located = retrieve.locate(tx, Scope(view, unreleased=True), view_study)[0]
        views.set_review(tx, coordinator, view, [item.view_sop_uid], Review.APPROVED)
    ds = pydicom.dcmread(io.BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts))))
    assert ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength] == seen
    assert ds.PatientIdentityRemoved == "YES"
    with pytest.raises(Unprocessable):
        pixel_review.release_document(archive, coordinator, view, item.view_sop_uid, NOBODY, b"")


def test_a_picture_is_no_document(archive: Archive, database: Database) -> None:
    view, _, (uid,) = pending_view(archive)
    with pytest.raises(Unprocessable):
        pixel_review.release_document(archive, person(database, Role.COORDINATOR), view, uid, NOBODY)


def test_a_mask_is_laid_over_the_others_where_an_original_is_missing(archive: Archive, database: Database) -> None:
    view, _, uids = pending_view(archive, 3)
    with database.transaction() as tx:
        source_pk = tx.scalars(select(Instance.source_pk).where(Instance.sop_uid == uids[1])).one()
        original = tx.get_one(Instance, source_pk).sop_uid
    DAMAGES["missing"](archive, original)
    coordinator = person(database, Role.COORDINATOR)
    refused = pixel_review.mask(archive, coordinator, view, uids, BOXES, NOBODY)
    assert list(refused) == [uids[1]]
    assert "missing or damaged" in refused[uids[1]]
    for uid in (uids[0], uids[2]):
        assert not pixels_of(archive, view, uid)[5:17, 10:50].any()
