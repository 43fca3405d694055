"""What a hostile or broken peer may do: each is refused, the next is served, and nothing is left behind."""

from __future__ import annotations

import resource
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from overread.kit.errors import Unavailable
from pacs.dicom.status import FailureReason
from pacs.dimse import acceptor
from pacs.dimse.association import Served
from pacs.store.archive import Archive
from tests.pacs.dimse import raw
from tests.pacs.dimse.conftest import Listen, eventually, settled, threads
from tests.pacs.dimse.raw import ABORT, REJECT, Peer, pdu, pdv

SOP = "1.2.826.0.1.3680043.8.498.1"
#: A P-DATA-TF with one whole command of C-STORE.
BEGUN = pdu(4, pdv(1, 3, raw.store_command(SOP)))
#: The provider's aborts (PS3.8 Table 9-26): type, then source 2 and the reason.
UNRECOGNISED, UNEXPECTED = (ABORT, b"\0\0\2\1"), (ABORT, b"\0\0\2\2")
BAD_PARAMETER, BAD_VALUE = (ABORT, b"\0\0\2\5"), (ABORT, b"\0\0\2\6")


def items(count: int, uid: bytes) -> bytes:
    """An A-ASSOCIATE-RQ with 128 presentation contexts and `count` transfer syntaxes in all."""
    subs = struct.pack(">BBH", 0x40, 0, len(uid)) + uid
    abstract = struct.pack(">BBH", 0x30, 0, 17) + raw.VERIFICATION.encode()
    context = bytes(4) + abstract + subs * (count // 128)
    body = raw.request()[6:74] + (struct.pack(">BBH", 0x20, 0, len(context) & 0xFFFF) + context) * 128
    return pdu(1, body)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", UNRECOGNISED, id="http"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), UNRECOGNISED, id="tls"),
        pytest.param(b"\0" * 4096, UNRECOGNISED, id="zeros"),
        pytest.param(b"\xff" * 100_000, UNRECOGNISED, id="ones"),
        pytest.param(BEGUN, UNEXPECTED, id="data first"),
        pytest.param(pdu(5, bytes(4)), UNEXPECTED, id="release first"),
        pytest.param(pdu(2, bytes(68)), UNEXPECTED, id="accept first"),
        pytest.param(b"\x01\0\xff\xff\xff\xff", BAD_VALUE, id="request of 4 GB"),
        pytest.param(b"\x01\0\0\0\0\x04abcd", BAD_VALUE, id="request of 4 bytes"),
        pytest.param(raw.request()[:80] + b"\xff" * (len(raw.request()) - 80), BAD_VALUE, id="items beyond the end"),
        pytest.param(items(100_000, b"1.2.840.10008.1.2.1"), BAD_VALUE, id="100,000 items"),
        pytest.param(items(50_000, b""), BAD_VALUE, id="50,000 empty items"),
    ],
)
def test_what_is_no_association_request_is_answered_with_an_abort(
    listen: Listen, archive: Archive, tmp_path: Path, sent: bytes, answer: tuple[int, bytes]
) -> None:
    port = listen()
    with Peer(port) as peer:
        try:
            peer.send(sent)
        except ConnectionError:
            pytest.fail("the connection was reset before the answer could be read")
        assert peer.receive() == answer
        assert threads() == ["dimse acceptor"]
    settled(port, archive, tmp_path / "blobs")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"\x04\0\xff\xff\xff\xf0", BAD_VALUE, id="data of 4 GB"),
        pytest.param(b"\x05\0\x10\0\0\0", BAD_VALUE, id="release of 256 MB"),
        pytest.param(b"\x07\0\xff\xff\xff\xff", BAD_VALUE, id="abort of 4 GB"),
        pytest.param(b"\x2a" * 1000, UNRECOGNISED, id="garbage"),
        pytest.param(raw.request(), (ABORT, b"\0\0\2\0"), id="a second request"),
        pytest.param(b"\x02\0\xff\xff\xff\xff", (ABORT, b"\0\0\2\0"), id="accept of 4 GB"),
        pytest.param(pdu(4, b"\0\0"), BAD_VALUE, id="a cut value"),
        pytest.param(pdu(4, struct.pack(">LBB", 1 << 31, 1, 3)), BAD_VALUE, id="a value of 2 GB"),
        pytest.param(pdu(4, struct.pack(">LBB", 1, 1, 3)), BAD_VALUE, id="a value of one byte"),
        pytest.param(pdu(4, pdv(1, 2, b"data")), BAD_PARAMETER, id="a data set without a command"),
        pytest.param(pdu(4, pdv(99, 3, raw.echo_command())), BAD_PARAMETER, id="a context that was not accepted"),
        pytest.param(BEGUN + pdu(4, pdv(1, 3, b"")), BAD_PARAMETER, id="a command within a data set"),
        pytest.param(BEGUN + pdu(4, pdv(3, 0, b"data")), BAD_PARAMETER, id="another context within a message"),
        pytest.param(pdu(4, pdv(3, 3, raw.store_command(SOP))), BAD_VALUE, id="an instance in verification's context"),
        pytest.param(pdu(4, pdv(1, 3, b"not a command set")), BAD_VALUE, id="no command set"),
        pytest.param(pdu(4, pdv(1, 3, raw.command(raw.number(0x100, 0x7777)))), BAD_VALUE, id="no such command"),
        pytest.param(pdu(4, pdv(1, 3, b"")), BAD_VALUE, id="an empty command set"),
        pytest.param(pdu(4, pdv(1, 1, bytes(16000))) * 5, BAD_VALUE, id="a command that never ends"),
        pytest.param(BEGUN + pdu(4, pdv(1, 0, b"")) * 70, BAD_VALUE, id="empty fragments without end"),
        pytest.param(BEGUN + pdu(4) * 70, BAD_VALUE, id="empty PDUs without end"),
        pytest.param(
            pdu(4, pdv(3, 3, raw.echo_command(data_set=1))) + pdu(4, pdv(3, 0, bytes(500_000))) * 9,
            BAD_VALUE,
            id="a data set in memory without end",
        ),
    ],
)
def test_what_breaks_the_protocol_ends_the_association(
    listen: Listen, archive: Archive, tmp_path: Path, sent: bytes, answer: tuple[int, bytes]
) -> None:
    port = listen()
    before = psutil.Process().memory_info().rss
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.send(sent)
        assert peer.receive() == answer
    assert psutil.Process().memory_info().rss - before < 64 << 20
    settled(port, archive, tmp_path / "blobs")


def reset(peer: Peer) -> None:
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda peer: peer.send(pdu(ABORT, bytes(4))), id="abort"),
        pytest.param(lambda peer: peer.send(pdu(5, bytes(4))), id="release"),
        pytest.param(lambda peer: None, id="close"),
        pytest.param(reset, id="reset"),
        pytest.param(lambda peer: peer.send(pdu(4, pdv(1, 0, bytes(900)))[:500]), id="cut"),
    ],
)
def test_leaving_in_the_middle_of_an_instance_leaves_nothing(
    listen: Listen, archive: Archive, tmp_path: Path, leave: Callable[[Peer], None]
) -> None:
    port = listen()
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.send(BEGUN + pdu(4, pdv(1, 0, bytes(300_000))) * 3)
        eventually(lambda: any(path.stat().st_size > 500_000 for path in (tmp_path / "blobs").rglob("*")))
        leave(peer)
    settled(port, archive, tmp_path / "blobs")


def test_a_message_that_goes_on_too_long_ends_the_association(listen: Listen, archive: Archive, tmp_path: Path) -> None:
    port = listen(dimse_transfer_seconds=0.5)
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.send(BEGUN)
        # Slowly: no limit of size is reached, and it never falls silent.
        while not select.select([peer.socket], [], [], 0.02)[0]:
            peer.send(pdu(4, pdv(1, 0, bytes(1000))))
        assert peer.receive() == (ABORT, b"\0\0\2\0")
    settled(port, archive, tmp_path / "blobs")


def test_silence_within_a_message_and_between_messages_ends_the_association(
    listen: Listen, archive: Archive, tmp_path: Path
) -> None:
    port = listen(dimse_idle_seconds=1)
    with Peer(port) as within, Peer(port) as between:
        assert within.associate()[0] == 2
        within.send(BEGUN + pdu(4, pdv(1, 0, bytes(1000)))[:700])
        assert between.associate()[0] == 2
        assert within.receive() == (ABORT, b"\0\0\2\0")
        assert between.receive() == (ABORT, b"\0\0\0\0")
    settled(port, archive, tmp_path / "blobs")


def test_an_instance_that_is_too_large_is_refused_and_the_next_is_served(
    listen: Listen, archive: Archive, tmp_path: Path
) -> None:
    port = listen(archive=replace(archive, max_instance_bytes=100_000))
    with Peer(port) as peer:
        assert peer.associate()[0] == 2
        peer.store(SOP, bytes(150_000))
        assert peer.status() == (1, FailureReason.OUT_OF_RESOURCES)
        assert peer.echo() == 0
        # What goes on for as long again is not read to its end.
        peer.send(BEGUN + pdu(4, pdv(1, 0, bytes(50_000))) * 5)
        assert peer.receive() == BAD_VALUE
    settled(port, archive, tmp_path / "blobs")


@pytest.mark.parametrize("calling", ["WAR", "WARD1", "ward", "WARD.", "W ARD", "OTHE", "ELSEWHERE"])
def test_a_title_that_is_nearly_right_is_rejected(listen: Listen, calling: str) -> None:
    with Peer(listen()) as peer:
        peer.send(raw.request()[:26] + calling.encode().ljust(16) + raw.request()[42:])
        assert peer.receive() == (REJECT, b"\0\1\1\3")
        assert peer.closed()


@pytest.mark.parametrize("calling", [b"WARD\0", b"\xffWARD", b"\0" * 16, b" " * 16, b"WA\nRD", b"WARD\tX", b"WARD\\"])
def test_a_title_that_is_none_is_not_accepted(listen: Listen, archive: Archive, tmp_path: Path, calling: bytes) -> None:
    port = listen()
    with Peer(port) as peer:
        peer.send(raw.request()[:26] + calling.ljust(16) + raw.request()[42:])
        assert peer.receive()[0] in (REJECT, ABORT)
    settled(port, archive, tmp_path / "blobs")


_SILENT = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60))
    held[-1].sendall(bytes.fromhex(sys.argv[3]))
print("held", flush=True)
sys.stdin.readline()
closed = 0
for one in held:
    closed += one.recv(10) == b""
print(closed, flush=True)
"""


@pytest.mark.parametrize("said", [b"", b"\x01\0\0\0\x01\0half a request"])
def test_500_silent_connections_keep_nobody_waiting(
    listen: Listen, archive: Archive, tmp_path: Path, said: bytes
) -> None:
    port = listen(dimse_artim_seconds=6)
    command = [sys.executable, "-c", _SILENT, str(port), "500", said.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as silent:
        assert silent.stdin
        assert silent.stdout
        assert silent.stdout.readline() == "held\n"
        # Long before the silent ones' time is up.
        with Peer(port, timeout=4) as peer:
            assert peer.associate()[0] == 2
            assert peer.echo() == 0
            assert peer.release() == 6
        # Nobody has a thread who has not asked for an association.
        eventually(lambda: threads() == ["dimse acceptor"])
        silent.stdin.write("\n")
        silent.stdin.flush()
        # Each is closed when its time is up, without a word.
        assert silent.stdout.readline() == "500\n"
    settled(port, archive, tmp_path / "blobs")


def test_one_peer_can_not_take_every_association(listen: Listen) -> None:
    port = listen(dimse_max_per_peer=2)
    busy = (REJECT, b"\0\2\3\2")
    with Peer(port) as first, Peer(port) as second, Peer(port) as third, Peer(port) as other:
        assert first.associate()[0] == second.associate()[0] == 2
        assert third.associate() == busy
        assert other.associate("OTHER")[0] == 2
        assert first.release() == 6
        first.closed()
        eventually(lambda: _accepted(port))


def test_all_peers_together_have_a_limit(listen: Listen) -> None:
    port = listen(dimse_max_associations=2)
    with Peer(port) as first, Peer(port) as second, Peer(port) as third:
        assert first.associate()[0] == second.associate("OTHER")[0] == 2
        assert third.associate("OTHER") == (REJECT, b"\0\2\3\2")
        assert second.release() == 6
        eventually(lambda: _accepted(port))


def _accepted(port: int) -> bool:
    with Peer(port) as peer:
        return peer.associate()[0] == 2


def test_a_flood_of_connections_pushes_the_silent_out(
    listen: Listen, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "PENDING_CONNECTIONS", 3)
    port = listen()
    silent = [Peer(port) for _ in range(6)]
    assert all(peer.closed() for peer in silent[:3])
    assert silent[-1].associate()[0] == 2
    for peer in silent:
        peer.socket.close()
    settled(port, archive, tmp_path / "blobs")


def test_without_a_thread_left_a_peer_is_told_to_try_again(
    listen: Listen, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: Served) -> None:
        raise RuntimeError("can't start new thread")

    port = listen()
    with monkeypatch.context() as poor, Peer(port) as peer:
        poor.setattr(Served, "start", none_left)
        assert peer.associate() == (REJECT, b"\0\2\3\2")
    settled(port, archive, tmp_path / "blobs")


def test_while_the_database_is_away_a_peer_is_told_to_try_again(
    listen: Listen, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("no database")

    port = listen()
    with monkeypatch.context() as gone, Peer(port) as peer, Peer(port) as storing:
        assert storing.associate()[0] == 2
        gone.setattr("pacs.dimse.listener.peers.identify", away)
        assert peer.associate() == (REJECT, b"\0\2\3\2")
        gone.setattr("pacs.dimse.storage.ingest.receive", away)
        storing.store(SOP, bytes(100_000))
        assert storing.status() == (1, FailureReason.OUT_OF_RESOURCES)
        assert storing.echo() == 0
    settled(port, archive, tmp_path / "blobs")


def test_without_a_descriptor_left_the_silent_make_room(listen: Listen, archive: Archive, tmp_path: Path) -> None:
    port = listen()
    door = listen.listeners[0]._acceptor
    assert door is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = [sys.executable, "-c", _SILENT, str(port), "40", ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as silent:
        assert silent.stdin
        assert silent.stdout
        resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 10, hard))
        try:
            assert silent.stdout.readline() == "held\n"
            # Asked of the listener: looking at sockets would take descriptors.
            eventually(lambda: len(door._pending) >= 3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with Peer(port) as peer:
            assert peer.associate()[0] == 2
            assert peer.echo() == 0
        silent.kill()
    settled(port, archive, tmp_path / "blobs")
