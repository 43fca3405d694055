"""What the layers of an association want of each other: the upper layer (PS3.8) and the messages (PS3.7) above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pynetdicom import evt

from pacs.dimse.wire import Channel


class Fragments(Protocol):
    """What takes the fragments of messages as they arrive."""

    @property
    def receiving(self) -> bool:
        """Whether a message has begun and not ended."""

    def begin(self, context_id: int, control: int) -> None:
        """A fragment with this message control header (PS3.8 E.2) begins. Raises ProtocolError."""

    def piece(self, data: memoryview) -> None:
        """Bytes of the fragment. Raises ProtocolError."""

    def end(self) -> None:
        """The fragment is whole. Raises ProtocolError."""


class Transport(Protocol):
    """What messages are sent by and received from."""

    channel: Channel

    def is_alive(self) -> bool:
        """Whether the connection lives."""

    def pump(self, timeout: float | None = None) -> bool:
        """Receive one PDU, and act on it; False where the association has ended, or nothing came in time."""

    def send_data(self, pdu: bytes) -> bool:
        """Send a P-DATA-TF."""


class Linked(Protocol):
    """The association that both belong to."""

    stopping: bool
    is_aborted: bool
    is_established: bool
    acse: Any

    @property
    def peer(self) -> str:
        """The other side's AE title, as far as it is known."""

    @property
    def accepted(self) -> Mapping[int, Any]:
        """The presentation contexts that both sides agreed on, by their IDs."""

    @property
    def dul(self) -> Transport: ...  # noqa: D102

    @property
    def dimse(self) -> Fragments: ...  # noqa: D102

    def get_handlers(self, event: evt.EventType) -> Any:
        """Who listens to an event of pynetdicom's."""
