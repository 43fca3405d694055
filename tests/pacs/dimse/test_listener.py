"""The DICOM listener with DCMTK's tools as peers: who may connect, what is stored, what is refused."""

from __future__ import annotations

import queue
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom import AE

from overread.kit.errors import Conflict, Unprocessable
from overread.kit.principals import Role
from overread.kit.settings import Settings
from pacs.dicom import transfer_syntaxes
from pacs.dimse import listener as listening
from pacs.dimse import peers
from pacs.dimse.listener import Listener
from pacs.index import query
from pacs.index.query import Level, Query
from pacs.index.scope import ORIGINAL, Scope
from pacs.serve import retrieve
from pacs.store.archive import Archive
from tests.live.server import free_port

ALL = Scope(ORIGINAL, unreleased=True)


IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, JPEG_LS = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"
CT, STUDY_ROOT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"


@pytest.fixture
def port(bare_port: int) -> int:
    if shutil.which("storescu") is None:
        pytest.skip("DCMTK is not installed: `make test` installs it")
    return bare_port


@pytest.fixture
def bare_port(archive: Archive, tmp_path: Path) -> Iterator[int]:
    number = free_port()
    listener = Listener(archive, Settings(data_dir=tmp_path, dicom=f"127.0.0.1:{number}"))
    with archive.db.transaction() as tx:
        peers.register(tx, "WARD", "127.0.0.1", 104, Role.HOSPITAL)
        peers.register(tx, "READER", "127.0.0.1", 104, Role.SPECIALIST)
        peers.register(tx, "ELSEWHERE", "192.0.2.1", 104, Role.HOSPITAL)
    listener.start()
    yield number
    listener.stop()


def file(name: str = "CT_small.dcm") -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


def send(
    port: int, *paths: Path, calling: str = "WARD", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = ["storescu", "-v", "-aet", calling, "-aec", "OVERREAD", *options, "127.0.0.1", str(port)]
    return subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=False, timeout=60)


def count(archive: Archive) -> int:
    with archive.db.transaction() as tx:
        return len(query.search(tx, ALL, Query(Level.INSTANCE))[0])


def test_echo(port: int) -> None:
    done = subprocess.run(["echoscu", "-aet", "WARD", "127.0.0.1", str(port)], check=False, timeout=30)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CT_small.dcm", ()),
        ("MR_small.dcm", ("-xi",)),
        ("examples_ybr_color.dcm", ("-xy",)),
        ("examples_jpeg2k.dcm", ("-xv",)),
        ("SC_rgb_rle.dcm", ("-xr",)),
    ],
)
def test_an_instance_arrives_with_its_pixels_and_its_transfer_syntax(
    port: int, archive: Archive, name: str, options: tuple[str, ...]
) -> None:
    done = send(port, file(name), options=options)
    assert done.returncode == 0, done.stderr
    sent = pydicom.dcmread(file(name))
    with archive.db.transaction() as tx:
        located = retrieve.locate(tx, ALL, sent.StudyInstanceUID)[0]
    kept = pydicom.dcmread(BytesIO(b"".join(retrieve.stream(archive.blobs, located.parts))))
    assert kept.PixelData == sent.PixelData
    assert kept.file_meta.SourceApplicationEntityTitle == "WARD"


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        # What dcmsend proposes for a compressed file: it would unpack it for whoever takes another (DCMTK 3.6.7).
        *(([stored, EXPLICIT, BIG, IMPLICIT], stored) for stored in (JPEG, JPEG_LS, RLE, DEFLATED)),
        # Where both are bare: that which keeps the VR of private elements.
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([BIG, IMPLICIT, EXPLICIT], EXPLICIT),
        ([BIG, IMPLICIT], IMPLICIT),
        ([EXPLICIT, JPEG], EXPLICIT),
        ([IMPLICIT, DEFLATED, JPEG_LS], IMPLICIT),
        # All that STOW-RS takes, retired processes too.
        *(([one], one) for one in transfer_syntaxes.TABLE),
        (["1.2.840.10008.1.2.6.2"], None),
        (["1.2.3.4", JPEG], JPEG),
    ],
)
def test_of_several_transfer_syntaxes_the_peer_s_own_is_taken_where_it_is_compressed(
    bare_port: int, proposed: list[str], taken: str | None
) -> None:
    requestor = AE("WARD")
    requestor.add_requested_context(CT, proposed)
    # Of queries there is nothing to unpack.
    requestor.add_requested_context(STUDY_ROOT, [DEFLATED, IMPLICIT, EXPLICIT])
    assoc = requestor.associate("127.0.0.1", bare_port, ae_title="OVERREAD")
    assert assoc.is_established
    found = {str(one.abstract_syntax): str(one.transfer_syntax[0]) for one in assoc.accepted_contexts}
    assoc.release()
    assert found.pop(STUDY_ROOT) == EXPLICIT
    assert found == ({CT: taken} if taken else {})


@pytest.mark.skipif(shutil.which("dcmsend") is None, reason="DCMTK is not installed: `make test` installs it")
def test_dcmsend_sends_what_is_compressed_as_it_is(port: int, archive: Archive) -> None:
    name = file("SC_rgb_rle.dcm")
    command = ["dcmsend", "-aet", "WARD", "-aec", "OVERREAD", "127.0.0.1", str(port), str(name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    with archive.db.transaction() as tx:
        [located] = retrieve.locate(tx, ALL, pydicom.dcmread(name).StudyInstanceUID)
    assert located.transfer_syntax == RLE


@pytest.mark.parametrize("calling", ["STRANGER", "ward", "WARD7", "ELSEWHERE"])
def test_a_peer_that_is_not_registered_or_calls_from_elsewhere_is_rejected(
    port: int, archive: Archive, calling: str
) -> None:
    done = send(port, file(), calling=calling)
    assert done.returncode != 0
    assert "Calling AE Title Not Recognized" in done.stderr + done.stdout
    assert count(archive) == 0


def test_a_specialist_s_peer_may_not_store(port: int, archive: Archive) -> None:
    assert send(port, file(), calling="READER").returncode != 0
    assert count(archive) == 0


def test_other_content_under_a_known_uid_is_refused_and_the_association_goes_on(
    port: int, archive: Archive, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(file())
    ds.PatientComments = "changed"
    ds.save_as(tmp_path / "changed.dcm")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(tmp_path / "other.dcm")
    assert send(port, file()).returncode == 0
    # storescu ends an association at the first refusal unless it is told not to.
    done = send(port, tmp_path / "changed.dcm", tmp_path / "other.dcm", options=("--no-halt",))
    assert "0x111" in done.stderr + done.stdout
    assert count(archive) == 2
    with archive.db.transaction() as tx:
        first = retrieve.locate(tx, ALL, ds.StudyInstanceUID, sop_uid=pydicom.dcmread(file()).SOPInstanceUID)[0]
    kept = pydicom.dcmread(BytesIO(b"".join(retrieve.stream(archive.blobs, first.parts))))
    assert "PatientComments" not in kept


def test_registering_checks_what_is_given(archive: Archive) -> None:
    with archive.db.transaction() as tx:
        peers.register(tx, "WARD", "127.0.0.1", 104, Role.HOSPITAL)
        assert peers.register(tx, "WARD", "127.0.0.2", 105, Role.HOSPITAL).port == 105
        with pytest.raises(Conflict):
            peers.register(tx, "WARD", "127.0.0.1", 104, Role.SPECIALIST)
        for title, host, port, role in (
            ("", "h", 104, Role.HOSPITAL),
            ("A" * 17, "h", 104, Role.HOSPITAL),
            ("BACK\\SLASH", "h", 104, Role.HOSPITAL),
            ("ÄE", "h", 104, Role.HOSPITAL),
            ("OK", "", 104, Role.HOSPITAL),
            ("OK", "h", 0, Role.HOSPITAL),
            ("OK", "h", 104, Role.PATIENT),
        ):
            with pytest.raises(Unprocessable):
                peers.register(tx, title, host, port, role)


def test_an_association_is_one_line_that_says_what_was_served(
    bare_port: int, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: queue.Queue[dict[str, Any]] = queue.Queue()

    class Logger:
        def info(self, event: str, **facts: Any) -> None:
            lines.put({"event": event, **facts})

        warning = error = info

    monkeypatch.setattr(listening, "_logger", Logger())
    ae = AE(ae_title="WARD")
    ae.add_requested_context(CT, EXPLICIT)
    ae.add_requested_context("1.2.840.10008.1.1")
    ds = pydicom.dcmread(file())
    assoc = ae.associate("127.0.0.1", bare_port, ae_title="OVERREAD")
    for _ in range(2):
        assert assoc.send_c_store(ds).Status == 0
    assert assoc.send_c_echo().Status == 0
    assoc.release()
    line = lines.get(timeout=60)
    facts = {name: line[name] for name in ("event", "role", "calling", "address", "served", "released")}
    assert facts == {
        "event": "association", "role": "hospital", "calling": "WARD", "address": "127.0.0.1",
        "served": {"C-STORE": 2, "C-ECHO": 1}, "released": True,
    }  # fmt: skip
    assert str(ds.StudyInstanceUID) not in repr(line)
    assoc = ae.associate("127.0.0.1", bare_port, ae_title="OVERREAD")
    assoc.abort()
    assert lines.get(timeout=60)["released"] is False
    assert lines.empty()
