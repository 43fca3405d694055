"""A peer that says exactly the bytes that a test wants: one association over a plain socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
REJECT, RELEASED, ABORT = 3, 6, 7


def request(
    calling: str = "WARD", contexts: Sequence[tuple[str, str]] = ((CT, EXPLICIT), (VERIFICATION, EXPLICIT))
) -> bytes:
    """An A-ASSOCIATE-RQ; the contexts (abstract syntax, transfer syntax) have the identifiers 1, 3, 5 and so on."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID("1.2.840.10008.3.1.1.1")
    primitive.calling_ae_title, primitive.called_ae_title = calling, "OVERREAD"
    made = [build_context(*context) for context in contexts]
    for number, context in enumerate(made):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = made
    length, name = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    name.implementation_class_uid = UID("1.2.3.4")
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 8
    primitive.user_information = [length, name, window]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def pdu(kind: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBL", kind, 0, len(body)) + body


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value


def uid(number: int, value: str) -> bytes:
    return element(number, value.encode() + b"\0" * (len(value) % 2))


def command(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return element(0, struct.pack("<L", len(body))) + body


def number(tag: int, value: int) -> bytes:
    return element(tag, struct.pack("<H", value))


def store_command(sop_uid: str, message_id: int = 1, sop_class: str = CT) -> bytes:
    return command(
        uid(0x0002, sop_class),
        number(0x0100, 0x0001),
        number(0x0110, message_id),
        number(0x0700, 0),
        number(0x0800, 0x0001),
        uid(0x1000, sop_uid),
    )


def echo_command(data_set: int = 0x0101) -> bytes:
    return command(uid(0x0002, VERIFICATION), number(0x0100, 0x0030), number(0x0110, 1), number(0x0800, data_set))


class Peer:
    """A connection to the listener; `with` closes it. `timeout` bounds every wait, in seconds."""

    def __init__(self, port: int, timeout: float = 60) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def associate(self, calling: str = "WARD") -> tuple[int, bytes]:
        self.send(request(calling))
        return self.receive()

    def receive(self) -> tuple[int, bytes]:
        """Type and body of the next PDU; type 0 where the connection was closed."""
        try:
            header = self._exactly(6)
            kind, length = struct.unpack(">BxL", header)
            return kind, self._exactly(length)
        except (EOFError, ConnectionError):
            return 0, b""

    def closed(self) -> bool:
        """Wait until the other side closes; whether nothing came before that."""
        return self.receive() == (0, b"")

    def store(self, sop_uid: str, data: bytes, *, message_id: int = 1, size: int = 16000) -> None:
        """Send a C-STORE of a data set, in fragments of `size`; the answer is for `status`."""
        self.send(pdu(4, pdv(1, 3, store_command(sop_uid, message_id))))
        for start in range(0, len(data), size):
            last = 2 if start + size >= len(data) else 0
            self.send(pdu(4, pdv(1, last, data[start : start + size])))

    def status(self) -> tuple[int, int]:
        """Message ID and status of the next response."""
        kind, body = self.receive()
        assert kind == 4, (kind, body)
        values, start = {}, 6
        while start < len(body):
            _, tag, length = struct.unpack_from("<HHL", body, start)
            values[tag] = body[start + 8 : start + 8 + length]
            start += 8 + length
        return int.from_bytes(values[0x0120], "little"), int.from_bytes(values[0x0900], "little")

    def echo(self) -> int:
        self.send(pdu(4, pdv(3, 3, echo_command())))
        return self.status()[1]

    def release(self) -> int:
        self.send(pdu(5, bytes(4)))
        return self.receive()[0]

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
