"""DIMSE messages (PS3.7 6.3), put together from fragments as they come; the data set of a C-STORE is streamed.

pynetdicom makes the primitives and sends the answers. A C-STORE's request is known before its data set arrives: a
`Sink` is opened for it then, and every piece is written to that. `request.DataSet` is a `Streamed` with that sink.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol, cast

from pynetdicom import evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL, C_STORE
from pynetdicom.pdu_primitives import P_DATA

from pacs.dimse import commands, wire
from pacs.dimse.limits import COMMAND_BYTES, IDENTIFIER_BYTES
from pacs.dimse.linked import Linked
from pacs.dimse.wire import ProtocolError

#: C-CANCEL requests that are remembered of one operation, as in pynetdicom.
_CANCELS = 10
_PENDING = (0xFF00, 0xFF01)  # PS3.7 C.1.3


class Sink(Protocol):
    """Where the data set of one C-STORE goes."""

    def finish(self) -> int:
        """All of it came: the status to answer."""

    def write(self, data: memoryview) -> None:
        """Take a piece, valid during the call only. Raises ProtocolError where the association must end."""

    def discard(self) -> None:
        """Forget all of it: it will not be completed. After completion this does nothing."""


Opener = Callable[[Any, C_STORE, int], Sink]


class Streamed(BytesIO):
    """The DataSet of a C-STORE request. It holds no bytes: they were written to `sink`."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self.sink = sink


def discard(request: object) -> None:
    """Forget the data set of a request that nobody answered; one that was completed stays."""
    data = getattr(request, "DataSet", None)
    if isinstance(data, Streamed):
        data.sink.discard()


class Messages(DIMSEServiceProvider):
    """One association's messages."""

    def __init__(self, assoc: Linked, open_sink: Opener) -> None:
        super().__init__(cast(Any, assoc))
        self._linked = assoc
        self._open_sink = open_sink
        self._command = bytearray()
        self._context_id = 0
        self._control = 0
        #: The C-STORE that is arriving, with its sink.
        self._store: C_STORE | None = None
        self._sink: Sink | None = None
        #: Another message whose data set is arriving.
        self._waiting: DIMSEMessage | None = None
        self._data = BytesIO()

    @property
    def receiving(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._command) or self._expects_data

    @property
    def _expects_data(self) -> bool:
        return self._sink is not None or self._waiting is not None

    def begin(self, context_id: int, control: int) -> None:
        """A fragment with this message control header (PS3.8 E.2) begins. Raises ProtocolError."""
        is_command = bool(control & 1)
        if is_command == self._expects_data:
            raise ProtocolError(
                f"a fragment of a {'command' if is_command else 'data set'} where none is due",
                wire.UNEXPECTED_PARAMETER,
            )
        if context_id not in self._linked.accepted:
            raise ProtocolError(f"presentation context {context_id} was not accepted", wire.UNEXPECTED_PARAMETER)
        if self.receiving and context_id != self._context_id:
            # PS3.8 E.1: the fragments of a message all have its presentation context.
            raise ProtocolError("a message changes its presentation context", wire.UNEXPECTED_PARAMETER)
        self._context_id, self._control = context_id, control

    def piece(self, data: memoryview) -> None:
        """Bytes of the fragment. Raises ProtocolError."""
        if self._sink is not None:
            self._sink.write(data)
        elif self._waiting is not None:
            if self._data.tell() + len(data) > IDENTIFIER_BYTES:
                raise ProtocolError(f"a data set that is not stored has more than {IDENTIFIER_BYTES} bytes")
            self._data.write(data)
        else:
            if len(self._command) + len(data) > COMMAND_BYTES:
                raise ProtocolError(f"a command set has more than {COMMAND_BYTES} bytes")
            self._command += data

    def end(self) -> None:
        """The fragment ends; with the last one of a message the message is there."""
        if not self._control & 2:
            return
        if self._sink is not None:
            assert self._store is not None
            self._store.DataSet = Streamed(self._sink)
            request, self._store, self._sink = self._store, None, None
            self.msg_queue.put((self._context_id, request))
        elif self._waiting is not None:
            message, self._waiting = self._waiting, None
            message.data_set, self._data = self._data, BytesIO()
            self._arrived(message)
        else:
            self._commanded()

    def discard(self) -> None:
        """Forget what is incomplete or was not looked at; nothing of it stays."""
        if self._sink is not None:
            self._sink.discard()
            self._sink = self._store = None
        self._waiting = None
        while not self.msg_queue.empty():
            discard(self.msg_queue.get_nowait()[1])

    def get_msg(self, block: bool = False) -> Any:
        """The next message, as in pynetdicom; with `block` receives until there is one, or the peer is silent."""
        while block and self.msg_queue.empty() and self.dul.is_alive():
            if not self._linked.dul.pump(self.dimse_timeout):
                break
        return super().get_msg(block=False)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a message now; after a pending answer look whether the peer cancels (PS3.7 9.3.2.3)."""
        if not (isinstance(primitive, C_STORE) and self._send_stored(primitive, context_id)):
            super().send_msg(primitive, context_id)
        if getattr(primitive, "Status", None) in _PENDING:
            upper = self._linked.dul
            while upper.is_alive() and self._linked.is_established and upper.channel.readable():
                upper.pump()

    def _send_stored(self, response: C_STORE, context_id: int) -> bool:
        """Send the answer to a C-STORE the short way, where that says everything to everybody."""
        if response.MessageIDBeingRespondedTo is None or self._watched(evt.EVT_DIMSE_SENT):
            return False
        pdu = commands.write_store_response(response, context_id)
        if pdu is None or 0 < self.maximum_pdu_size < len(pdu) - wire.HEADER:
            return False
        self._linked.dul.send_data(pdu)
        return True

    def _watched(self, event: evt.NotificationEvent) -> bool:
        return bool(self._linked.get_handlers(event))

    def _begin_store(self, request: C_STORE) -> None:
        self._sink = self._open_sink(self._linked, request, self._context_id)
        self._store = request

    def _commanded(self) -> None:
        """A whole command set is there."""
        if not self._watched(evt.EVT_DIMSE_RECV):
            request = commands.read_store(self._command, self._context_id)
            if request is not None:
                self._command.clear()
                self._begin_store(request)
                return
        message = DIMSEMessage()
        pdata = P_DATA()
        pdata.presentation_data_value_list.append((self._context_id, b"\x03" + bytes(self._command)))
        self._command.clear()
        try:
            complete = message.decode_msg(pdata)
        except Exception as error:  # pynetdicom raises whatever bad bytes make it raise
            raise ProtocolError(f"a command set can't be decoded: {error!r}") from error
        if complete:
            self._arrived(message)
        elif isinstance(message, C_STORE_RQ):
            self._begin_store(self._primitive(message))
        else:
            self._waiting = message

    def _arrived(self, message: DIMSEMessage) -> None:
        primitive = self._primitive(message)
        if isinstance(primitive, C_CANCEL):
            if len(self.cancel_req) < _CANCELS and primitive.MessageIDBeingRespondedTo is not None:
                self.cancel_req[primitive.MessageIDBeingRespondedTo] = primitive
            return
        self.msg_queue.put((self._context_id, primitive))

    def _primitive(self, message: DIMSEMessage) -> Any:
        evt.trigger(self.assoc, evt.EVT_DIMSE_RECV, {"message": message})
        try:
            return message.message_to_primitive()
        except Exception as error:  # as above
            raise ProtocolError(f"a command set has a bad value: {error!r}") from error
