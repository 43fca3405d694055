"""The upper layer in ordinary life: stopping, sharing a port, operations sent ahead, large objects, TLS."""

from __future__ import annotations

import ssl
import struct
import subprocess
import threading
from io import BytesIO
from pathlib import Path

import psutil
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from overread.kit.errors import OverreadError
from overread.kit.settings import Settings
from pacs.dicom.status import FailureReason
from pacs.dimse import commands, tls
from pacs.store.archive import Archive
from tests.live.server import PROGRAM, clean_environment, free_port
from tests.pacs.dimse import raw
from tests.pacs.dimse.conftest import Listen, eventually, settled, threads
from tests.pacs.dimse.raw import ABORT, Peer, pdu, pdv
from tests.pacs.dimse.test_listener import count


def slice_of(sop_uid: str, pixels: int = 0) -> bytes:
    """The data set of a small CT image, in explicit VR little endian; `pixels` bytes of pixel data, or its own."""
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    ds = pydicom.dcmread(path)
    ds.SOPInstanceUID = sop_uid
    if pixels:
        del ds.PixelData
    kept = BytesIO()
    ds.save_as(kept, implicit_vr=False, little_endian=True)
    whole = kept.getvalue()
    start = 144 + int.from_bytes(whole[140:144], "little")
    head = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, pixels) if pixels else b""
    # Elements behind the pixel data (padding, signatures) would have to follow it.
    return whole[start : whole.index(b"\xfc\xff\xfc\xff")] + head if pixels else whole[start:]


def test_stopping_aborts_what_is_open_and_leaves_nothing(listen: Listen, archive: Archive, tmp_path: Path) -> None:
    port = listen()
    (listener,) = listen.listeners
    with Peer(port) as idle, Peer(port) as storing, Peer(port) as silent:
        assert idle.associate()[0] == storing.associate()[0] == 2
        storing.send(pdu(4, pdv(1, 3, raw.store_command("1.2.3"))) + pdu(4, pdv(1, 0, bytes(5000))))
        eventually(lambda: len(threads()) == 3)
        listener.stop()
        for peer in (idle, storing):
            assert peer.receive() in ((ABORT, b"\0\0\2\0"), (0, b""))
        assert silent.closed()
    eventually(lambda: threads() == [])
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_listeners_share_a_port(listen: Listen, archive: Archive, tmp_path: Path) -> None:
    port = listen(dimse_processes=2)
    listen(port=port, dimse_processes=2)
    for _ in range(8):
        with Peer(port) as peer:
            assert peer.associate()[0] == 2
            assert peer.echo() == 0
    eventually(lambda: threads() == ["dimse acceptor"] * 2)


def test_a_taken_port_is_an_error(listen: Listen) -> None:
    port = listen()
    with pytest.raises(OSError, match="in use"):
        listen(port=port)


def test_operations_sent_ahead_are_answered_in_order(listen: Listen, archive: Archive) -> None:
    sent = {number: generate_uid() for number in range(1, 6)}
    with Peer(listen()) as peer:
        kind, body = peer.associate()
        assert kind == 2
        # One operation at a time is what is agreed to (PS3.7 D.3.3.3.2).
        assert struct.pack(">BBHHH", 0x53, 0, 4, 1, 1) in body
        for number, sop_uid in sent.items():
            peer.store(sop_uid, slice_of(sop_uid), message_id=number)
        assert [peer.status() for _ in sent] == [(number, 0) for number in sent]
        assert peer.release() == 6
        assert peer.closed()
    assert count(archive) == 5


def test_pynetdicom_s_async_window_is_answered(listen: Listen) -> None:
    ae = AE(ae_title="WARD")
    ae.add_requested_context(Verification)
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    assoc = ae.associate("127.0.0.1", listen(), ext_neg=[window])
    assert assoc.is_established
    assert assoc.acceptor.asynchronous_operations == (1, 1)
    assert assoc.send_c_echo().Status == 0
    assoc.release()
    assert assoc.is_released


@pytest.mark.parametrize("size", [1, 7, 1000, 16000])
def test_fragments_of_any_size_make_the_same_instance(listen: Listen, archive: Archive, size: int) -> None:
    sop_uid = generate_uid()
    data = slice_of(sop_uid)
    with Peer(listen()) as peer:
        assert peer.associate()[0] == 2
        peer.send(b"".join(_byte_by_byte(raw.store_command(sop_uid), 3)))
        # Several values a PDU, and values that no PDU's end cuts.
        values = [pdv(1, 2 if at + size >= len(data) else 0, data[at : at + size]) for at in range(0, len(data), size)]
        for at in range(0, len(values), 50):
            peer.send(pdu(4, b"".join(values[at : at + 50])))
        assert peer.status() == (1, 0)
    assert count(archive) == 1


def _byte_by_byte(command: bytes, last: int) -> list[bytes]:
    return [pdu(4, pdv(1, last if at == len(command) - 1 else 1, command[at : at + 1])) for at in range(len(command))]


def test_a_large_object_arrives_in_constant_memory(listen: Listen, archive: Archive) -> None:
    sop_uid, megabytes = generate_uid(), 300
    head = slice_of(sop_uid, pixels=megabytes << 20)
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], process.memory_info().rss - process.memory_info().shared)

    with Peer(listen(), timeout=60) as peer:
        assert peer.associate()[0] == 2
        before = process.memory_info().rss - process.memory_info().shared
        watcher = threading.Thread(target=watch)
        watcher.start()
        peer.send(pdu(4, pdv(1, 3, raw.store_command(sop_uid))) + pdu(4, pdv(1, 0, head)))
        block = pdu(4, pdv(1, 0, bytes(1 << 19)))
        for _ in range(2 * megabytes):
            peer.send(block)
        peer.send(pdu(4, pdv(1, 2, b"")))
        assert peer.status() == (1, 0)
        done.set()
        watcher.join()
    assert peak[0] - before < 24 << 20
    assert count(archive) == 1


def test_a_store_without_a_data_set_is_refused(listen: Listen) -> None:
    command = raw.command(
        raw.uid(0x0002, raw.CT), raw.number(0x0100, 1), raw.number(0x0110, 9), raw.number(0x0700, 0),
        raw.number(0x0800, 0x0101), raw.uid(0x1000, "1.2.3"),
    )  # fmt: skip
    with Peer(listen()) as peer:
        assert peer.associate()[0] == 2
        peer.send(pdu(4, pdv(1, 3, command)))
        assert peer.status() == (9, FailureReason.CANNOT_UNDERSTAND)
        assert peer.echo() == 0


@pytest.mark.parametrize("sop_uid", ["../../etc/passwd", "1.2.3/4", "1" * 65, "1.2.\N{DEGREE SIGN}", ""])
def test_an_instance_uid_that_is_none_is_refused(
    listen: Listen, archive: Archive, tmp_path: Path, sop_uid: str
) -> None:
    port = listen()
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.store(sop_uid, slice_of("1.2.3"))
        assert peer.status() == (1, FailureReason.CANNOT_UNDERSTAND)
        assert peer.echo() == 0
    settled(port, archive, tmp_path / "blobs")


def test_the_short_way_says_what_pynetdicom_says() -> None:
    request = commands.read_store(raw.store_command("1.2.3.4", 77), 5)
    assert request is not None
    assert (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID) == (CTImageStorage, "1.2.3.4")
    assert (request.MessageID, request.Priority, request._context_id) == (77, 0, 5)
    response = C_STORE()
    response.MessageIDBeingRespondedTo, response.Status = 77, 0xA700
    response.AffectedSOPClassUID, response.AffectedSOPInstanceUID = CTImageStorage, "1.2.3.4"
    assert commands.write_store_response(response, 5) == _pynetdicom_s(response, 5)
    setattr(response, "ErrorComment", "why")  # noqa: B010  pynetdicom gives it the type None
    assert commands.write_store_response(response, 5) is None


def _pynetdicom_s(response: C_STORE, context_id: int) -> bytes:
    from pynetdicom.dimse_messages import C_STORE_RSP
    from pynetdicom.pdu import P_DATA_TF

    message = C_STORE_RSP()
    message.primitive_to_message(response)
    (primitive,) = message.encode_msg(context_id, 16384)
    return bytes(P_DATA_TF(primitive).encode())


@pytest.mark.parametrize(
    "changed", [raw.echo_command(), b"", b"\0" * 7, raw.store_command("1.2") + b"\x08\0\x18\0\0\0\0\0"]
)
def test_what_is_no_plain_store_is_left_to_pynetdicom(changed: bytes) -> None:
    assert commands.read_store(changed, 1) is None


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """server.pem, client.pem (key and certificate of ca.pem), stranger.pem (of its own)."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-days", "2")
    for name in ("ca", "stranger"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")
    for name in ("server", "client"):
        openssl(*new, "-subj", "/CN=localhost", "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", f"{name}.key",
                "-out", f"{name}.crt")  # fmt: skip
    for name in ("server", "client", "stranger"):
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    return folder


def trusting(certificates: Path, client: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if client:
        context.load_cert_chain(certificates / f"{client}.pem")
    return context


def test_tls_carries_instances(listen: Listen, archive: Archive, certificates: Path) -> None:
    port = listen(dimse_tls_certificate=certificates / "server.pem")
    ae = AE(ae_title="WARD")
    ae.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    assoc = ae.associate("127.0.0.1", port, tls_args=(trusting(certificates), "localhost"))
    assert assoc.is_established
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    assert assoc.send_c_store(path).Status == 0
    assoc.release()
    assert count(archive) == 1
    # A peer without TLS gets no association, and does not keep the next one from it.
    with Peer(port) as plain:
        plain.send(raw.request())
        kind, _ = plain.receive()
        assert kind != 2


def test_tls_speaks_with_dcmtk(listen: Listen, archive: Archive, certificates: Path) -> None:
    port = listen(dimse_tls_certificate=certificates / "server.crt", dimse_tls_key=certificates / "server.key")
    command = ["echoscu", "-aet", "WARD", "+tla", "+cf", "ca.crt", "127.0.0.1", str(port)]
    done = subprocess.run(command, cwd=certificates, capture_output=True, text=True, check=False, timeout=30)
    if "unknown option" in done.stderr:
        pytest.skip("this DCMTK was built without TLS")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("client", "taken"), [("client", True), ("stranger", False), (None, False)])
def test_a_client_ca_decides_who_may_connect(
    listen: Listen, certificates: Path, client: str | None, *, taken: bool
) -> None:
    port = listen(dimse_tls_certificate=certificates / "server.pem", dimse_tls_client_ca=certificates / "ca.crt")
    with Peer(port) as peer:
        try:
            peer.socket = trusting(certificates, client).wrap_socket(peer.socket, server_hostname="localhost")
            kind = peer.associate()[0]
        except ssl.SSLError:
            assert not taken
        else:
            assert (kind == 2) is taken


def test_old_tls_is_refused(listen: Listen, certificates: Path) -> None:
    port = listen(dimse_tls_certificate=certificates / "server.pem")
    context = trusting(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Peer(port) as peer, pytest.raises(ssl.SSLError):
        context.wrap_socket(peer.socket, server_hostname="localhost")


def test_tls_files_that_do_not_do_are_an_error(certificates: Path) -> None:
    for chosen in (
        {"dimse_tls_key": certificates / "server.key"},
        {"dimse_tls_certificate": certificates / "absent.pem"},
        {"dimse_tls_certificate": certificates / "ca.crt"},
    ):
        with pytest.raises(OverreadError):
            tls.context(Settings.model_validate(chosen))


def test_a_failure_of_our_own_ends_one_association_only(
    listen: Listen, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listen()
    with monkeypatch.context() as broken, Peer(port) as peer:
        assert peer.associate()[0] == 2
        broken.setattr("pacs.dimse.storage.ingest.receive", lambda *_: 1 / 0)
        peer.send(pdu(4, pdv(1, 3, raw.store_command("1.2.3"))))
        assert peer.receive() == (ABORT, b"\0\0\2\0")
    settled(port, archive, tmp_path / "blobs")


def test_events_of_pynetdicom_are_told(listen: Listen, archive: Archive) -> None:
    seen: list[str] = []
    port = listen()
    (listener,) = listen.listeners
    told = (evt.EVT_REQUESTED, evt.EVT_ESTABLISHED, evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_RELEASED)
    listener._handlers += tuple((event, lambda event: seen.append(event.event.name)) for event in told)  # type: ignore[assignment]
    sop_uid = generate_uid()
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.store(sop_uid, slice_of(sop_uid))
        assert peer.status() == (1, 0)
        assert peer.release() == 6
        assert peer.closed()
    assert seen == [event.name for event in told]


def test_processes_share_the_port_and_stop_together(
    archive: Archive, registered: None, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    chosen = {
        "OVERREAD_DATABASE_URL": database_url,
        "OVERREAD_DATA_DIR": str(tmp_path),
        "OVERREAD_DICOM": f"127.0.0.1:{port}",
        "OVERREAD_DIMSE_PROCESSES": "2",
    }
    with subprocess.Popen([*PROGRAM, "dimse"], env={**clean_environment(), **chosen}) as program:
        eventually(lambda: _listening(program.pid, port) == 2, seconds=60)
        for _ in range(6):
            with Peer(port) as peer:
                assert peer.associate()[0] == 2
                assert peer.echo() == 0
        program.terminate()
        assert program.wait(20) == 0
    with pytest.raises(ConnectionRefusedError):
        Peer(port)


def _listening(pid: int, port: int) -> int:
    """How many processes below this one listen at the port."""
    below = psutil.Process(pid).children(recursive=True)
    return sum(
        any(one.laddr.port == port and one.status == "LISTEN" for one in process.net_connections("tcp"))
        for process in below
    )
