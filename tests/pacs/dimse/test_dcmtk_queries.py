"""Queries, retrievals and pushes with DCMTK's tools as peers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pydicom
import pytest

from overread.dimse import accesses
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from pacs.dimse import peers, push
from pacs.store.archive import Archive
from tests.live.server import free_port
from tests.pacs.dimse.conftest import Listen, eventually
from tests.pacs.dimse.querying import keep, principal_of
from tests.pacs.store.test_ingest import sample

CT = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"  # CT_small.dcm's study
FILES = ("CT_small.dcm", "MR_small.dcm", "examples_jpeg2k.dcm")


@pytest.fixture
def port(listen: Listen, archive: Archive) -> int:
    if shutil.which("findscu") is None:
        pytest.skip("DCMTK is not installed: `make test` installs it")
    keep(archive, principal_of(archive, "WARD"), *map(sample, FILES))
    return listen()


def run(tool: str, port: int, *options: str) -> str:
    command = [tool, "-v", "-aet", "WARD", "-aec", "OVERREAD", *options, "127.0.0.1", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def storescp(archive: Archive, folder: Path, title: str = "SHELF", *options: str) -> Iterator[Path]:
    """DCMTK's receiver, registered as the hospital's own."""
    folder.mkdir()
    number = free_port()
    with archive.db.transaction() as tx:
        owner = _owner(archive)
        peers.register(tx, title, "127.0.0.1", number, owner.role, owner_id=owner.id)
    command = ["storescp", "-aet", title, "-od", str(folder), "+uf", *options, str(number)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _listens(process.pid, number))
            yield folder
        finally:
            process.kill()


def _listens(pid: int, port: int) -> bool:
    opened = psutil.Process(pid).net_connections("tcp")
    return any(one.laddr.port == port and one.status == "LISTEN" for one in opened)


def _owner(archive: Archive) -> Principal:
    return principal_of(archive, "WARD")


def received(folder: Path) -> dict[str, pydicom.Dataset]:
    found = [pydicom.dcmread(path) for path in folder.iterdir()]
    return {str(ds.SOPInstanceUID): ds for ds in found}


def test_findscu_at_every_level_of_both_roots(port: int) -> None:
    study = run("findscu", port, "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=CompressedSamples^*",
                "-k", "StudyInstanceUID", "-k", "ModalitiesInStudy")  # fmt: skip
    assert study.count("(Pending)") == 3
    assert CT in study
    keys = ("-k", "QueryRetrieveLevel=PATIENT", "-k", "PatientID=1CT1", "-k", "PatientName")
    patient = run("findscu", port, "-P", *keys)
    assert "CompressedSamples^CT1" in patient
    assert "OVERREAD" in patient
    series = run("findscu", port, "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={CT}", "-k",
                 "Modality", "-k", "SeriesInstanceUID")  # fmt: skip
    assert "CT" in series
    nothing = run("findscu", port, "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "SeriesInstanceUID")
    assert "DoesNotMatchSOPClass" in nothing


def test_what_orthanc_asks(port: int, archive: Archive, tmp_path: Path) -> None:
    """The requests of Orthanc 1.12.7: patients in the Study Root, series and instances by their own UIDs alone."""
    empty = ("-k", "AccessionNumber=", "-k", "StudyInstanceUID=")
    ct = pydicom.dcmread(tmp_path_file(tmp_path, "CT_small.dcm"))
    asked = {
        "PATIENT": ("-k", "PatientID=1CT1"),
        "SERIES": ("-k", f"SeriesInstanceUID={ct.SeriesInstanceUID}"),
        "IMAGE": ("-k", f"SOPInstanceUID={ct.SOPInstanceUID}"),
    }
    for level, keys in asked.items():
        said = run("findscu", port, "-S", "-k", f"QueryRetrieveLevel={level}", *keys, *empty)
        assert said.count("(Pending") == 1, said
        with storescp(archive, tmp_path / level, f"SHELF{level[0]}", "+xa") as folder:
            run("movescu", port, "-S", "-aem", f"SHELF{level[0]}", "-k", f"QueryRetrieveLevel={level}", *keys)
            assert list(received(folder)) == [ct.SOPInstanceUID]


def test_movescu_to_storescp(port: int, archive: Archive, tmp_path: Path) -> None:
    with storescp(archive, tmp_path / "got", "SHELF", "+xa") as folder:
        for name in FILES:
            uid = pydicom.dcmread(tmp_path_file(tmp_path, name)).StudyInstanceUID
            keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
            run("movescu", port, "-S", "-aem", "SHELF", *keys)
        found = received(folder)
    for name in FILES:
        sent = pydicom.dcmread(tmp_path_file(tmp_path, name))
        kept = found[str(sent.SOPInstanceUID)]
        assert kept.PixelData == sent.PixelData
        assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def tmp_path_file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(sample(name))
    return path


def test_getscu(port: int, tmp_path: Path) -> None:
    folder = tmp_path / "got"
    folder.mkdir()
    run("getscu", port, "-S", "-od", str(folder), "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={CT}")
    [kept] = received(folder).values()
    assert kept.PixelData == pydicom.dcmread(tmp_path_file(tmp_path, "CT_small.dcm")).PixelData


def test_a_push_to_storescp_that_takes_the_default_transfer_syntax_alone(
    port: int, archive: Archive, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    with storescp(archive, tmp_path / "got", "SHELF", "+xi") as folder:
        assert push.echo(archive, settings, "SHELF") == 0
        pushed = push.push(archive, settings, accesses, "SHELF", [])
        found = received(folder)
    assert (pushed.completed, pushed.failed, len(found)) == (3, 0, 3)
    for name in FILES:
        sent = pydicom.dcmread(tmp_path_file(tmp_path, name))
        kept = found[str(sent.SOPInstanceUID)]
        assert kept.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        assert kept.pixel_array.shape == sent.pixel_array.shape
        if name != "examples_jpeg2k.dcm":
            assert hashlib.sha256(kept.PixelData).digest() == hashlib.sha256(sent.PixelData).digest()
