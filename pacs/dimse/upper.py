"""The upper layer's service provider (PS3.8 clause 9), without a thread of its own and without polling.

pynetdicom's state machine decides. What differs is the way in and out: whoever wants to receive calls `pump`, which
blocks in the socket; a primitive is sent when it is handed over; and P-DATA goes piece by piece to the message that
it belongs to, so no PDU of a data set is ever whole in memory. pynetdicom's EVT_DATA_RECV and EVT_PDU_RECV therefore
tell of every PDU but P-DATA-TF.
"""

from __future__ import annotations

import queue
import time
from struct import Struct
from typing import Any, cast

from pynetdicom import evt
from pynetdicom.fsm import TRANSITION_TABLE, InvalidEventError
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, A_RELEASE

from overread.kit import log
from pacs.dimse import wire
from pacs.dimse.base import ServiceProvider
from pacs.dimse.limits import EMPTY_FRAGMENTS, REQUEST_BYTES, Limits
from pacs.dimse.linked import Linked
from pacs.dimse.wire import Channel, Closed, ProtocolError

_logger = log.get(__name__)
_pdv_header = Struct(">LBB").unpack
#: Release and abort have four bytes (PS3.8 9.3.6 to 9.3.8).
_SHORT = (wire.RELEASE_RQ, wire.RELEASE_RP, wire.ABORT)
#: Nothing is read of these where none is due: they mean the end (PS3.8 Table 9-10).
_UNEXPECTED = {wire.ASSOCIATE_RQ: "Evt6", wire.ASSOCIATE_AC: "Evt3", wire.ASSOCIATE_RJ: "Evt4"}

#: What answers a request for an association.
_ANSWERS = (wire.ASSOCIATE_AC, wire.ASSOCIATE_RJ)


class UpperLayer(ServiceProvider):
    """One association's. Every method is called by the association's thread, `channel.wake` alone by others."""

    def __init__(self, assoc: Linked, channel: Channel, limits: Limits) -> None:
        super().__init__(assoc)
        self.channel = channel
        # pynetdicom's state machine asks of its socket only to be closed.
        self.socket = cast(Any, channel)
        self._limits = limits
        self._linked = assoc
        self._empty = 0

    def is_alive(self) -> bool:
        """Whether the connection lives. (pynetdicom asks that of the thread that it reads in.)"""
        return not self.ended

    def stop_dul(self) -> bool:
        """End it: there is no thread to wait for."""
        self.end()
        return True

    def begin(self, request: bytes) -> None:
        """Take a connection over which this whole A-ASSOCIATE-RQ came: Evt5, then Evt6 (PS3.8 Table 9-10)."""
        self._happen("Evt5")
        self._receive(request)

    def ask(self, request: A_ASSOCIATE) -> None:
        """Ask for an association over a connection that stands: Evt1 and Evt2 (PS3.8 Table 9-10)."""
        self.state_machine.current_state = "Sta5"
        self.transmit(A_ASSOCIATE_RQ(request))

    @property
    def asking(self) -> bool:
        """Whether an association was asked for and not answered."""
        return bool(self.state_machine.current_state == "Sta5")

    def pump(self, timeout: float | None = None) -> bool:
        """Receive one PDU and do what it asks for; False where none begins within `timeout` seconds.

        Without a time-out that is the limit for silence. A broken connection or protocol ends the association, which
        then is no longer established.
        """
        try:
            self.channel.patience = self._limits.idle if timeout is None else max(timeout, 0.001)
            try:
                header = self.channel.take(1)
            except TimeoutError:
                # In the middle of a message silence is a failure; between messages the caller decides.
                if self._linked.dimse.receiving and timeout is None:
                    raise
                return False
            finally:
                self.channel.patience = self._limits.idle
            kind, length = wire.pdu_header(header + self.channel.take(wire.HEADER - 1))
            if kind == wire.P_DATA:
                self._data(length)
            elif kind in _SHORT:
                if length != 4:
                    raise ProtocolError(f"a PDU of type {kind} says it has {length} bytes")
                self._receive(header + length.to_bytes(5, "big") + self.channel.take(length))
            elif self.asking and kind in _ANSWERS:
                if length > REQUEST_BYTES:
                    raise ProtocolError(f"a PDU of type {kind} says it has {length} bytes")
                self._receive(header + bytes(1) + length.to_bytes(4, "big") + self.channel.take(length))
            elif kind in _UNEXPECTED:
                self._happen(_UNEXPECTED[kind])
            else:
                raise ProtocolError(f"there is no PDU type {kind}", wire.UNRECOGNISED_PDU)
        except ProtocolError as error:
            self.fail(str(error), error.reason)
        except TimeoutError as error:
            self.fail(str(error) or "the peer fell silent in the middle of a message")
        except Closed:
            if self._linked.stopping:
                self.fail("the server stops")
            else:
                self._happen("Evt17")
        return True

    def fail(self, why: str, reason: int = wire.NOT_SPECIFIED) -> None:
        """Abort as the service provider (PS3.8 9.3.8)."""
        _logger.warning("association_aborted", calling=self._linked.peer, why=why)
        if self.state_machine.current_state == "Sta2":
            self._happen("Evt19")
        elif self.state_machine.current_state not in ("Sta1", "Sta13"):
            self._linked.acse.send_ap_abort(reason)
        self._linked.is_aborted = True
        self._linked.is_established = False
        evt.trigger(self.assoc, evt.EVT_ABORTED, {})

    def finish(self) -> Channel:
        """Bring the state machine to its end; the connection is left open for whoever waits for the peer's close."""
        self.socket = None
        if self.state_machine.current_state == "Sta13":
            self._happen("Evt17")
        self.end()
        return self.channel

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:
        """The next primitive of association control, as in pynetdicom; receives until there is one."""
        end = None if timeout is None else time.monotonic() + timeout
        while wait and self.to_user_queue.empty() and self.is_alive():
            left = None if end is None else end - time.monotonic()
            if (left is not None and left <= 0) or not self.pump(left):
                break
        return super().receive_pdu(wait=False)

    def send_pdu(self, primitive: Any) -> None:
        """Send a primitive now. One that the state no longer allows, as an answer to a peer that left, is dropped."""
        if isinstance(primitive, (A_ASSOCIATE, A_RELEASE, A_ABORT, A_P_ABORT)):
            evt.trigger(self.assoc, evt.EVT_ACSE_SENT, {"primitive": primitive})
        if isinstance(primitive, A_ASSOCIATE) and primitive.result is None:
            self.ask(primitive)
            return
        self.to_provider_queue.put(primitive)
        self.take_primitive()
        if (self.event_queue.queue[-1], self.state_machine.current_state) not in TRANSITION_TABLE:
            self.event_queue.get_nowait()
            self.to_provider_queue.get_nowait()
            return
        self._react()

    def send_data(self, pdu: bytes | bytearray) -> bool:
        """Send an encoded P-DATA-TF: DT-1 and AR-7, without a primitive (EVT_PDU_SENT does not tell of it).

        False where the association has ended.
        """
        if self.state_machine.current_state in ("Sta6", "Sta8"):
            try:
                self.channel.send(pdu)
            except Closed:
                self._happen("Evt17")
            else:
                return True
        return False

    def transmit(self, pdu: Any) -> None:
        """Send a PDU now."""
        try:
            self.channel.send(pdu.encode())
        except Closed:
            self.event_queue.put("Evt17")
        else:
            evt.trigger(self.assoc, evt.EVT_PDU_SENT, {"pdu": pdu})

    def _receive(self, data: bytes) -> None:
        """Decode a PDU, but of P-DATA, and let the state machine act on it."""
        try:
            pdu, event = self.decode(data)
        except Exception as error:  # pynetdicom's decoders raise whatever bad bytes make them raise
            raise ProtocolError(f"a PDU of type {data[0]} can't be decoded: {error!r}") from error
        self.put_received(pdu)
        self._happen(event)

    def _happen(self, event: str) -> None:
        self.event_queue.put(event)
        self._react()

    def _react(self) -> None:
        """Let the state machine act on what happened, and on what that leads to."""
        while True:
            try:
                event = self.event_queue.get_nowait()
            except queue.Empty:
                return
            try:
                self.state_machine.do_action(event)
            except InvalidEventError:
                # Table 9-10 has no such cell: the connection ended while something was to be sent.
                self.end()
            except Exception as error:  # noqa: BLE001  a PDU that was decoded and yet can't be understood
                _logger.warning("association_aborted", calling=self._linked.peer, why=repr(error))
                self._linked.is_aborted, self._linked.is_established = True, False
                self.state_machine.current_state = "Sta13"
                self.end()
                self._abort_bluntly()

    def _abort_bluntly(self) -> None:
        try:
            self.channel.send(wire.abort_pdu(wire.INVALID_PARAMETER))
        except Closed:
            self.channel.close()

    def _data(self, length: int) -> None:
        """Hand the presentation data values of one P-DATA-TF on (PS3.8 9.3.5). This is DT-2 and AR-6."""
        if self.state_machine.current_state not in ("Sta6", "Sta7"):
            self._happen("Evt10")
            return
        if length > self._limits.pdu_bytes:
            raise ProtocolError(f"a P-DATA-TF says it has {length} bytes; {self._limits.pdu_bytes} are the most")
        messages, channel = self._linked.dimse, self.channel
        if not messages.receiving:
            self._empty = 0
            channel.deadline = time.monotonic() + self._limits.transfer
        if not length:
            self._count_empty()
        while length:
            if length < 6:
                raise ProtocolError("a presentation data value is cut off")
            size, context_id, control = _pdv_header(channel.take(6))
            length -= 4 + size
            if size < 2 or length < 0:
                raise ProtocolError(f"a presentation data value says it has {size} bytes")
            if size == 2:
                self._count_empty()
            messages.begin(context_id, control)
            for piece in channel.pieces(size - 2):
                messages.piece(piece)
            messages.end()
        if not messages.receiving:
            channel.deadline = None

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > EMPTY_FRAGMENTS:
            raise ProtocolError(f"a message has more than {EMPTY_FRAGMENTS} fragments without a byte")
