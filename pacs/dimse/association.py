"""One association: pynetdicom's negotiation and services, in one thread that never polls.

`Served` is one that a peer asked for; those that this server asks for are in `pacs.dimse.calling`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from overread.kit import log
from overread.kit.principals import Principal
from pacs.dimse import negotiation, wire
from pacs.dimse.base import BaseAssociation
from pacs.dimse.limits import Limits
from pacs.dimse.messages import Messages, Opener, Streamed, discard
from pacs.dimse.upper import UpperLayer
from pacs.dimse.wire import Channel

_logger = log.get(__name__)

#: Result, source and diagnostic of a rejection (PS3.8 Table 9-21).
Rejection = tuple[int, int, int]
#: Answers a request that came in a presentation context.
Service = Callable[["Served", Any, PresentationContext], None]


class Linked(BaseAssociation):
    """An association over our upper layer, of either side."""

    dul: UpperLayer
    dimse: Messages
    #: Set where this server ends it.
    stopping = False

    def __init__(self, ae: AE, mode: str, channel: Channel, limits: Limits, open_sink: Opener) -> None:
        super().__init__(ae, mode)
        self.limits = limits
        self.dul = UpperLayer(self, channel, limits)
        self.dimse = Messages(self, open_sink)
        ours = self.acceptor if mode == "acceptor" else self.requestor
        ours.maximum_length = limits.pdu_bytes
        ours.ae_title = ae.ae_title
        ours.implementation_class_uid = ae.implementation_class_uid
        ours.implementation_version_name = ae.implementation_version_name

    @property
    def peer(self) -> str:
        """The other side's AE title, as far as it is known."""
        raise NotImplementedError

    @property
    def open(self) -> bool:
        """Whether messages can be sent: it is established, and nobody has asked for its end."""
        return bool(self.is_established) and self.dul.state_machine.current_state == "Sta6"

    def kill(self) -> None:
        """End it: nothing more is sent or received."""
        self.end()
        self.is_established = False
        self.dul.stop_dul()


class Served(Linked):
    """An association in which this server is the acceptor.

    `admit` decides by the peer's request whether it may be; it sets `principal`, or says how to reject it. `services`
    answer requests by their type; all others are pynetdicom's.
    """

    principal: Principal

    def __init__(
        self,
        ae: AE,
        channel: Channel,
        remote: tuple[Any, ...],
        limits: Limits,
        *,
        contexts: list[PresentationContext],
        handlers: Sequence[tuple[Any, ...]],
        services: Mapping[type, Service],
        admit: Callable[[Served], Rejection | None],
        open_sink: Opener,
    ) -> None:
        super().__init__(ae, "acceptor", channel, limits, open_sink)
        self.name = f"dimse {remote[0]}:{remote[1]}"
        # Shared by all associations: negotiation only reads them, and a copy of 10,000 objects takes long.
        self.acceptor.supported_contexts = contexts
        self.requestor.address_info = AddressInformation.from_tuple(remote)
        for event, handler in handlers:
            self.bind(event, handler)
        self._services = services
        self._admit = admit
        #: The association that this one's request is carried out over, as long as it is.
        self.beside: Linked | None = None
        self._request = b""
        #: How many requests of each kind were served, for the log; and since when it has been.
        self.served: Counter[str] = Counter()
        self.began = time.monotonic()
        self._ended: Callable[[Served], None] = lambda _assoc: None

    @property
    def peer(self) -> str:
        """The peer's AE title, as far as it is known."""
        return self.calling

    @property
    def calling(self) -> str:
        """The peer's AE title, as far as it is known."""
        request = self.requestor.primitive
        return request.calling_ae_title.strip() if request is not None else ""

    @property
    def called(self) -> str:
        """The AE title that the peer calls us by."""
        request = self.requestor.primitive
        return request.called_ae_title.strip() if request is not None else ""

    def serve(self, request: bytes, ended: Callable[[Served], None]) -> None:
        """Begin, with the A-ASSOCIATE-RQ that came; `ended` is called at the end by the association's thread."""
        self._request, self._ended = request, ended
        self.start()

    def stop(self) -> None:
        """Abort as soon as what is being done is done; for other threads."""
        self.stopping = True
        self.dul.channel.wake()
        beside = self.beside
        if beside is not None:
            beside.stopping = True
            beside.dul.channel.wake()

    def run_reactor(self) -> None:
        """The whole life of the association; the thread's function."""
        try:
            self._negotiate()
            if self.is_established:
                self._answer_requests()
        except wire.ProtocolError as error:
            self.dul.fail(str(error), error.reason)
        except Exception:
            _logger.exception("association_failed", calling=self.calling)
            self.dul.fail("a failure of our own")
        finally:
            self.dimse.discard()
            self.dul.finish()
            self._ended(self)

    def _negotiate(self) -> None:
        self.dul.begin(self._request)
        self._request = b""
        primitive = self.dul.receive_pdu()
        if not isinstance(primitive, A_ASSOCIATE):
            return
        self.requestor.primitive = primitive
        rejection = self._admit(self)
        if rejection is not None:
            self.acse.send_reject(*rejection)
            evt.trigger(self, evt.EVT_REJECTED, {})
            return
        negotiation.prefer_compressed(primitive.presentation_context_definition_list)
        evt.trigger(self, evt.EVT_REQUESTED, {})
        if not self.is_aborted and not self.is_rejected:
            self.acse.negotiate_association()

    def _answer_requests(self) -> None:
        """Serve requests until the peer releases or aborts, falls silent, or the server stops."""
        while self.is_established and not self.ending:
            context_id, message = self.dimse.get_msg()
            if message is not None:
                self._serve(message, context_id)
            elif self.acse.is_release_requested():
                self.acse.send_release(is_response=True)
                self.is_released, self.is_established = True, False
                evt.trigger(self, evt.EVT_RELEASED, {})
            elif self.acse.is_aborted():
                self.dul.receive_pdu()  # tells EVT_ACSE_RECV
                self.is_aborted, self.is_established = True, False
                evt.trigger(self, evt.EVT_ABORTED, {})
            elif not self.dul.pump():
                _logger.warning("association_aborted", calling=self.calling, why="idle")
                self.abort()

    def _serve(self, message: Any, context_id: int) -> None:
        """Answer a request. Raises ProtocolError for what is none: pynetdicom would ignore it, and the peer wait."""
        self.served[type(message).__name__.replace("_", "-")] += 1
        try:
            nameless = isinstance(message, C_STORE) and message.AffectedSOPInstanceUID is None
            if nameless and isinstance(message.DataSet, Streamed):
                self._answer_nameless(message, message.DataSet, context_id)
                return
            if not message.is_valid_request:
                raise wire.ProtocolError(f"a {message.msg_type} message is incomplete, or answers nothing")
            service = self._services.get(type(message))
            if service is None:
                self.answer(message, context_id)
                return
            # What was to be cancelled before is not this request.
            self.dimse.cancel_req.clear()
            service(self, message, self.accepted[context_id])
        finally:
            discard(message)

    def _answer_nameless(self, request: C_STORE, data: Streamed, context_id: int) -> None:
        """Say the status of an instance whose UID is none: pynetdicom can't repeat it in its answer."""
        response = C_STORE()
        response.MessageIDBeingRespondedTo = request.MessageID
        response.AffectedSOPClassUID = request.AffectedSOPClassUID
        response.Status = data.sink.finish()
        self.dimse.send_msg(response, context_id)
