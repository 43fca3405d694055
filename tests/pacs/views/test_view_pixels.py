"""What a view gives of its pixels, by every way: no byte of the original that is none of them."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from overread.kit.db import Database
from overread.kit.principals import Role
from pacs.index.scope import Scope
from pacs.serve import bulk, retrieve, transcoded
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from pacs.views import views
from tests.pacs.deid.compressed import J2K, item
from tests.pacs.store.test_ingest import changed, put, sample
from tests.pacs.views.test_views import LEADING, person, view_of

MARK = b"ZQANNA GARDNER 19700101 "


def derived(archive: Archive, data: bytes) -> retrieve.Located:
    """The one instance of the view of a study of this file."""
    assert isinstance(put(archive, Source(person(archive.db, Role.HOSPITAL), "stow"), data), Stored)
    view = view_of(archive)
    made = views.deidentify(archive, view, LEADING, str(pydicom.dcmread(io.BytesIO(data)).StudyInstanceUID))
    assert (made.instances, made.pending) == (1, 0)
    with archive.db.transaction() as tx:
        [one] = retrieve.locate(tx, Scope(view, unreleased=True), made.study_uid)
    return one


def every_way(archive: Archive, one: retrieve.Located) -> list[bytes]:
    """The instance, its bulk data, its frames, and the instance in all other transfer syntaxes."""
    found = [b"".join(retrieve.stream(archive.blobs, one.parts))]
    with retrieve.opened(archive, one) as instance:
        found.append(b"".join(retrieve.stream(archive.blobs, bulk.find_bulk(instance, ["7FE00010"]).parts)))
        found += [instance.frame(number) for number in range(one.frames)]
    targets = transcoded.targets(archive, one) | transcoded.sendable(archive, one)
    found += [b"".join(transcoded.stream(archive, one, target)) for target in targets - {one.transfer_syntax}]
    return found


def native(syntax: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(changed(sample(), SOPInstanceUID=generate_uid())))
    ds.PixelData += MARK
    ds.DataSetTrailingPadding = MARK
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return out.getvalue()


def test_what_stands_behind_the_last_native_frame_is_given_in_no_way(archive: Archive, database: Database) -> None:
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        one = derived(archive, native(syntax))
        given = every_way(archive, one)
        assert len(given) > 3
        assert not any(MARK in way for way in given)
        assert pydicom.dcmread(io.BytesIO(given[0])).PixelData == given[1] == given[2]


@pytest.mark.parametrize("places", [(True, False), (False, True), (True, True)])
def test_what_stands_in_compressed_pixel_data_is_given_in_no_way(
    archive: Archive, database: Database, places: tuple[bool, bool]
) -> None:
    """In the offset table, behind the codestream, and in both."""
    ds = pydicom.dcmread(io.BytesIO(changed(sample("MR_small_jp2klossless.dcm"), SOPInstanceUID=generate_uid())))
    pixels, [frame] = ds.pixel_array, list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    in_table, behind = places
    value = encapsulate([frame + MARK * behind], has_bot=False)
    ds.PixelData = item(MARK) + value[8:] if in_table else value
    out = io.BytesIO()
    ds.save_as(out)
    one = derived(archive, out.getvalue())
    given = every_way(archive, one)
    assert not any(MARK in way for way in given)
    after = pydicom.dcmread(io.BytesIO(given[0]))
    assert after.file_meta.TransferSyntaxUID == JPEG2000Lossless == J2K
    assert (after.pixel_array == pixels).all()
    plain = pydicom.dcmread(io.BytesIO(b"".join(transcoded.stream(archive, one, ExplicitVRLittleEndian))))
    assert (plain.pixel_array == pixels).all()
