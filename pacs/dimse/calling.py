"""Associations that this server asks for, over the same upper layer; the thread that asks carries them out."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, negotiate_as_requestor
from pynetdicom.transport import AddressInformation

from overread.kit.errors import Unavailable
from pacs.dimse import wire
from pacs.dimse.association import Linked
from pacs.dimse.limits import Limits
from pacs.dimse.messages import Sink
from pacs.dimse.wire import Channel

#: Seconds to connect: a host that does not answer is not waited for as long as one that is silent.
_CONNECT = 10.0


class Target(NamedTuple):
    """A registered peer as it is called."""

    ae_title: str
    host: str
    port: int


class Unreachable(Unavailable):
    """A peer can't be reached, or refuses the association."""


class Calling(Linked):
    """An association in which this server is the requestor."""

    def __init__(
        self,
        ae: AE,
        target: Target,
        channel: Channel,
        remote: tuple[Any, ...],
        limits: Limits,
        contexts: Sequence[PresentationContext],
    ) -> None:
        super().__init__(ae, "requestor", channel, limits, _nothing_is_stored)
        self._target = target
        self.acceptor.ae_title = target.ae_title
        self.acceptor.address_info = AddressInformation.from_tuple(remote)
        self.requestor.address_info = AddressInformation("", 0)
        for number, context in enumerate(contexts):
            context.context_id = 2 * number + 1  # PS3.8 9.3.2.2: odd
        self.requestor.requested_contexts = list(contexts)

    @property
    def peer(self) -> str:
        """The AE title that is called."""
        return self._target.ae_title

    def negotiate(self) -> None:
        """Ask for the association and wait for the answer. Raises Unreachable."""
        self.acse.send_request()
        answer = self.dul.receive_pdu(wait=True, timeout=self.limits.first)
        if not isinstance(answer, A_ASSOCIATE):
            self.dul.fail("the called peer gave no answer to a request for an association")
            raise Unreachable(f"{self.peer} gave no answer to a request for an association")
        if answer.result != 0x00:
            raise Unreachable(
                f"{self.peer} rejected the association: result {answer.result}, source {answer.result_source},"
                f" reason {answer.diagnostic}"
            )
        self.acceptor.primitive = answer
        contexts = negotiate_as_requestor(
            self.requestor.requested_contexts, answer.presentation_context_definition_results_list
        )
        self.accept({cx.context_id: cx for cx in contexts if cx.result == 0x00 and cx.context_id is not None})
        self.is_established = True


@contextmanager
def called(ae: AE, target: Target, limits: Limits, contexts: Sequence[PresentationContext]) -> Iterator[Calling]:
    """An association with a peer, released at the block's end, or aborted where that ends by an exception.

    Raises Unreachable.
    """
    try:
        sock = socket.create_connection((target.host, target.port), timeout=min(_CONNECT, limits.first))
        remote = sock.getpeername()
    except (OSError, UnicodeError) as error:  # a name that no host can have
        raise Unreachable(f"{target.ae_title} can't be reached: {error}") from error
    assoc = Calling(ae, target, Channel(sock, limits.idle), remote, limits, contexts)
    try:
        try:
            assoc.negotiate()
        except wire.ProtocolError as error:
            raise Unreachable(f"{target.ae_title} gave an answer that is none: {error}") from error
        yield assoc
        if assoc.open:
            assoc.acse.negotiate_release()
    finally:
        if assoc.open:
            assoc.abort()
        assoc.dul.finish().close()


def _nothing_is_stored(assoc: Any, request: C_STORE, context_id: int) -> Sink:  # noqa: ARG001  an `Opener`
    raise wire.ProtocolError("a peer that was called sends a C-STORE of its own")
