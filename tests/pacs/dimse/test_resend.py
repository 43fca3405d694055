"""C-STORE of an object that is here, in another encoding; and of a data set that is not what its command names."""

from __future__ import annotations

import copy
import io

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom import AE
from sqlalchemy import select

from overread.kit.audit import AuditRow
from pacs.dicom.part10 import read_meta
from pacs.dicom.status import FailureReason
from pacs.serve import retrieve
from pacs.store.archive import Archive
from tests.pacs.dimse.conftest import Listen
from tests.pacs.dimse.raw import Peer, pdu, pdv, store_command
from tests.pacs.dimse.test_listener import ALL

DATA_SET_LAST = 2


def sample() -> pydicom.Dataset:
    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    ds.pop(0xFFFCFFFC, None)
    return ds


def send(port: int, ds: pydicom.Dataset, syntax: UID, calling: str = "WARD") -> int:
    """The status of a C-STORE by pynetdicom, in a transfer syntax."""
    sent = copy.deepcopy(ds)
    if syntax == RLELossless:
        sent.compress(RLELossless, generate_instance_uid=False)
    else:
        sent.file_meta.TransferSyntaxUID = syntax
        out = io.BytesIO()
        sent.save_as(out, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
        sent = pydicom.dcmread(io.BytesIO(out.getvalue()))
    ae = AE(ae_title=calling)
    ae.add_requested_context(sent.SOPClassUID, syntax)
    assoc = ae.associate("127.0.0.1", port, ae_title="OVERREAD")
    assert assoc.is_established
    try:
        return int(assoc.send_c_store(sent).Status)
    finally:
        assoc.release()


def kept(archive: Archive, ds: pydicom.Dataset) -> list[bytes]:
    with archive.db.transaction() as tx:
        located = retrieve.locate(tx, ALL, ds.StudyInstanceUID)
    return [b"".join(retrieve.stream(archive.blobs, one.parts)) for one in located]


def attempts(archive: Archive) -> int:
    with archive.db.transaction() as tx:
        return len(tx.scalars(select(AuditRow.id).where(AuditRow.action == "instance.replace")).all())


@pytest.mark.parametrize("first", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
def test_a_queue_that_sends_again_in_any_encoding_comes_to_its_end(
    listen: Listen, archive: Archive, first: UID
) -> None:
    port, ds = listen(), sample()
    assert send(port, ds, first) == 0
    before = kept(archive, ds)
    for syntax in (ImplicitVRLittleEndian, RLELossless, ExplicitVRLittleEndian):
        assert send(port, ds, syntax) == 0
    assert send(port, ds, ImplicitVRLittleEndian, "OTHER") == 0
    assert kept(archive, ds) == before
    assert attempts(archive) == 0
    changed = copy.deepcopy(ds)
    changed.PatientComments = "changed"
    for number, syntax in enumerate((ImplicitVRLittleEndian, RLELossless), 1):
        assert send(port, changed, syntax) == int(FailureReason.DUPLICATE)
        assert attempts(archive) == number
    assert kept(archive, ds) == before


def data_of(ds: pydicom.Dataset) -> bytes:
    """The bare data set in Explicit VR, which is what the raw peer proposes."""
    out = pydicom.filebase.DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    pydicom.filewriter.write_dataset(out, ds)
    return bytes(out.getvalue())


def test_a_data_set_of_another_class_or_instance_than_the_command_names_is_refused(
    listen: Listen, archive: Archive
) -> None:
    port, ds = listen(), sample()
    other = copy.deepcopy(ds)
    other.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    with Peer(port) as peer:
        peer.associate()
        for sop_uid, sent in (("1.2.3", ds), (ds.SOPInstanceUID, other)):
            peer.store(sop_uid, data_of(sent))
            assert peer.status()[1] == int(FailureReason.MISMATCH)
        # The next one is served.
        peer.store(ds.SOPInstanceUID, data_of(ds))
        assert peer.status()[1] == 0
    [found] = kept(archive, ds)
    meta = read_meta(found)
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (CTImageStorage, ds.SOPInstanceUID)


def test_a_command_of_another_class_than_its_presentation_context_ends_the_association(listen: Listen) -> None:
    """PS3.7 9.3.1.1: so nothing is ever kept in a transfer syntax that was negotiated for something else."""
    port, ds = listen(), sample()
    with Peer(port) as peer:
        peer.associate()
        command = store_command(ds.SOPInstanceUID, sop_class="1.2.840.10008.5.1.4.1.1.4")
        peer.send(pdu(4, pdv(1, 3, command)) + pdu(4, pdv(1, DATA_SET_LAST, data_of(ds)[:100])))
        kind, _ = peer.receive()
        assert kind == 7
    with Peer(port) as peer:
        peer.associate()
        assert peer.echo() == 0
