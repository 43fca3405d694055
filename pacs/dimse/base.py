"""All that is used of pynetdicom's insides, each private name once and under a name of ours.

Written and tested with pynetdicom 3.0; pyproject.toml says below which version it stays. A test finds private names of
pynetdicom's anywhere else (tests/architecture/test_private_names.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pynetdicom import _config, evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.presentation import PresentationContext

# pynetdicom's own handlers format every message for a debug log that we don't keep.
_config.LOG_HANDLER_LEVEL = "none"


class ServiceProvider(DULServiceProvider):
    """The upper layer's state machine, without the thread that pynetdicom reads in."""

    def __init__(self, assoc: Any) -> None:
        super().__init__(assoc)
        # Silence is measured where the connection is read.
        self._idle_timer.timeout = None

    @property
    def ended(self) -> bool:
        """Whether nothing is sent or received any more."""
        return bool(self._kill_thread)

    def end(self) -> None:
        """Send and receive nothing any more."""
        self._kill_thread = True

    def decode(self, data: bytes) -> tuple[Any, str]:
        """A PDU, and the event (PS3.8 Table 9-10) that it is. Raises what bad bytes make pynetdicom raise."""
        return self._decode_pdu(bytearray(data))

    def put_received(self, pdu: Any) -> None:
        """Lay a decoded PDU where the state machine's next action finds it."""
        self._recv_pdu.put(pdu)

    def take_primitive(self) -> None:
        """Make an event of the primitive that is to be sent."""
        self._process_recv_primitive()

    def transmit(self, pdu: Any) -> None:
        """Send a PDU, which a subclass does."""
        raise NotImplementedError

    def _send(self, pdu: Any) -> None:
        self.transmit(pdu)


class BaseAssociation(Association):
    """An association whose own thread does everything."""

    def __init__(self, ae: Any, mode: str) -> None:
        super().__init__(ae, mode)
        # Nothing runs beside this association's own thread, so nothing has to be kept from reading.
        self._is_paused = True

    @property
    def accepted(self) -> Mapping[int, PresentationContext]:
        """The presentation contexts that both sides agreed on, by their IDs."""
        return self._accepted_cx

    def accept(self, contexts: dict[int, PresentationContext]) -> None:
        """Say which presentation contexts both sides agreed on."""
        self._accepted_cx = contexts

    def end(self) -> None:
        """Have the thread's function return."""
        self._kill = True

    def _abort_blocking(self, block: bool = True) -> None:  # noqa: ARG002  pynetdicom's signature
        # pynetdicom's own waits for its reading thread.
        if not self._sent_abort and not self.is_released:
            self._sent_abort = True
            self.acse.send_abort(0x00)
            evt.trigger(self, evt.EVT_ABORTED, {})

    @property
    def ending(self) -> bool:
        """Whether the thread's function is to return."""
        return bool(self._kill)

    def answer(self, request: Any, context_id: int) -> None:
        """Answer a request by pynetdicom's own service for it."""
        self._serve_request(request, context_id)


def context_of(request: Any) -> int:
    """The presentation context that a request came in."""
    return request._context_id  # type: ignore[no-any-return]


def set_context(request: Any, context_id: int) -> None:
    """Say in which presentation context a request came."""
    request._context_id = context_id
