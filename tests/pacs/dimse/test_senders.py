"""Every transfer syntax of pydicom's own files, sent by DCMTK's storescu and dcmsend and by pynetdicom."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from pacs.dicom.part10 import read_meta
from pacs.serve import retrieve
from pacs.store.archive import Archive
from tests.pacs.dimse.conftest import Listen
from tests.pacs.dimse.test_listener import ALL

#: One file of each transfer syntax, and how storescu proposes that.
FILES = {
    "MR_small_implicit.dcm": "-xi",
    "CT_small.dcm": "-xe",
    "MR_small_bigendian.dcm": "-xb",
    "image_dfl.dcm": "-xd",
    "SC_rgb_dcmtk_+eb+cr.dcm": "-xy",
    "JPGExtended.dcm": "-xx",
    "SC_rgb_jpeg_gdcm.dcm": "-xs",
    "MR_small_jpeg_ls_lossless.dcm": "-xt",
    "MR_small_jp2klossless.dcm": "-xv",
    "JPEG2000.dcm": "-xw",
    "MR_small_RLE.dcm": "-xr",
}
#: The one that no whole file of pydicom's has: its pixel data is made up, and nobody decodes it here.
NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"


def path_of(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


@pytest.fixture
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of that name; where none is named, one in JPEG-LS near-lossless."""
    if request.param:
        return path_of(request.param)
    ds = pydicom.dcmread(path_of("MR_small_jpeg_ls_lossless.dcm"))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.file_meta.TransferSyntaxUID = UID(NEAR_LOSSLESS)
    ds.save_as(tmp_path / "near.dcm")
    return tmp_path / "near.dcm"


def run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip("DCMTK is not installed: `make test` installs it")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def by_storescu(port: int, path: Path) -> None:
    option = FILES.get(path.name, "-xu")
    run("storescu", "-R", option, "-aet", "WARD", "-aec", "OVERREAD", "127.0.0.1", str(port), str(path))


def by_dcmsend(port: int, path: Path) -> None:
    run("dcmsend", "-dn", "-nuc", "-aet", "WARD", "-aec", "OVERREAD", "127.0.0.1", str(port), str(path))


def by_pynetdicom(port: int, path: Path) -> None:
    ds = pydicom.dcmread(path)
    ae = AE(ae_title="WARD")
    ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", port)
    assert assoc.is_established
    assert assoc.send_c_store(ds).Status == 0
    assoc.release()


@pytest.mark.parametrize("sender", [by_storescu, by_dcmsend, by_pynetdicom])
@pytest.mark.parametrize("instance", [*FILES, ""], indirect=True)
def test_every_transfer_syntax_arrives(
    listen: Listen, archive: Archive, instance: Path, sender: Callable[[int, Path], None]
) -> None:
    sent = pydicom.dcmread(instance)
    sender(listen(), instance)
    with archive.db.transaction() as tx:
        (located,) = retrieve.locate(tx, ALL, sent.StudyInstanceUID)
    kept = b"".join(retrieve.stream(archive.blobs, located.parts))
    # dcmsend offers every uncompressed syntax in one context, of which explicit little endian is taken.
    syntax = sent.file_meta.TransferSyntaxUID
    offered_all = sender is by_dcmsend and not (syntax.is_compressed or syntax.is_deflated)
    expected = ExplicitVRLittleEndian if offered_all else syntax
    assert read_meta(kept).transfer_syntax == expected
    again = pydicom.dcmread(BytesIO(kept))
    assert again.SOPInstanceUID == sent.SOPInstanceUID
    if syntax == ExplicitVRBigEndian:
        assert (again.pixel_array == sent.pixel_array).all()
    else:
        assert again.PixelData == sent.PixelData
