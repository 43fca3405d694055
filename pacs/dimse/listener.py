"""The DICOM listener: Verification, Storage and Query/Retrieve as SCP (PS3.4 A, B, C; PS3.7 9.1)."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from overread.kit import log
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings, address
from pacs.dimse import negotiation, peers, tls, wire
from pacs.dimse.acceptor import Acceptor
from pacs.dimse.access import Accesses, Takes, nothing, sent_by
from pacs.dimse.association import Rejection, Served, Service
from pacs.dimse.find import Find
from pacs.dimse.limits import Limits
from pacs.dimse.retrieval import Retrieval
from pacs.dimse.sending import PLAIN
from pacs.dimse.storage import Storage
from pacs.dimse.wire import Channel
from pacs.store.archive import Archive

_logger = log.get(__name__)
_SUCCESS = 0x0000
#: PS3.8 9.3.4: rejected permanently, by the service user, calling AE title not recognised.
_STRANGER: Rejection = (0x01, 0x01, 0x03)
#: Rejected transiently, by the presentation layer's provider, local limit exceeded: try again later.
_BUSY: Rejection = (0x02, 0x03, 0x02)
#: Seconds that associations get to end when the server stops.
_STOP_SECONDS = 5.0


class Listener:
    """Accepts associations of registered peers, hands instances to `pacs.store.ingest`, and answers queries.

    `accesses` says what a peer's principal may see, `takes` where objects go that they made of it.
    """

    def __init__(
        self, archive: Archive, settings: Settings, accesses: Accesses = sent_by, takes: Takes = nothing
    ) -> None:
        self._archive = archive
        self._settings = settings
        self._limits = Limits.of(settings)
        self._storage = Storage(archive, takes)
        self._acceptor: Acceptor | None = None
        self._lock = threading.Lock()
        self._live: set[Served] = set()
        self._by_peer: Counter[str] = Counter()
        self._stopping = False
        self._ae = AE(ae_title=settings.ae_title)
        # Associations are counted here; pynetdicom would look through all threads.
        self._ae.maximum_associations = 1 << 30
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = self._limits.idle
        self._ae.add_supported_context(Verification)
        for sop_class in negotiation.STORAGE:
            # Both roles: a peer that fetches by C-GET is the SCP of what it is given (PS3.4 C.5.3).
            self._ae.add_supported_context(sop_class, negotiation.SYNTAXES, scu_role=True, scp_role=True)
        for sop_class in (*negotiation.FIND, *negotiation.MOVE, *negotiation.GET):
            self._ae.add_supported_context(sop_class, list(PLAIN))
        self._contexts = self._ae.supported_contexts
        self._handlers = (
            (evt.EVT_C_STORE, self._storage.store),
            (evt.EVT_C_ECHO, lambda _event: _SUCCESS),
            # Taken, but one operation at a time (PS3.7 D.3.3.3): what a peer sends ahead waits in the socket.
            (evt.EVT_ASYNC_OPS, lambda _event: (1, 1)),
            (evt.EVT_SOP_EXTENDED, negotiation.answers),
        )
        retrieval = Retrieval(archive, self._ae, self._limits, accesses)
        find = Find(archive, settings.ae_title, accesses)
        self._services: dict[type, Service] = {C_FIND: find.serve, C_GET: retrieval.get, C_MOVE: retrieval.move}

    def start(self) -> None:
        """Listen, in threads. Raises OSError where the address can't be bound, OverreadError for bad TLS files."""
        share = self._settings.dimse_processes > 1
        where = address(self._settings.dicom)
        self._acceptor = Acceptor(where, self._limits, tls.context(self._settings), self._connected, share=share)
        self._acceptor.start()

    def stop(self) -> None:
        """Stop listening; end every association when what it is doing is done, at most five seconds later."""
        if self._acceptor is None:
            return
        with self._lock:
            self._stopping = True
            live = list(self._live)
        for assoc in live:
            assoc.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for assoc in live:
            assoc.join(max(0.0, deadline - time.monotonic()))
        self._acceptor.stop()

    def _connected(self, sock: socket.socket, remote: tuple[Any, ...], request: bytes) -> None:
        """Begin an association; called by the acceptor's thread."""
        assert self._acceptor is not None
        with self._lock:
            full = self._stopping or len(self._live) >= self._limits.associations
        if full:
            _logger.warning("association_refused", address=remote[0], reason="too many associations")
            self._acceptor.refuse(sock, wire.reject_pdu(*_BUSY))
            return
        assoc = Served(
            self._ae,
            Channel(sock, self._limits.idle),
            remote,
            self._limits,
            contexts=self._contexts,
            handlers=self._handlers,
            services=self._services,
            admit=self._admit,
            open_sink=self._storage.open_sink,
        )
        with self._lock:
            self._live.add(assoc)
        try:
            assoc.serve(request, self._ended)
        except RuntimeError as error:  # the machine has no thread left
            _logger.error("association_refused", address=remote[0], reason=str(error))
            with self._lock:
                self._live.discard(assoc)
            self._acceptor.refuse(sock, wire.reject_pdu(*_BUSY))

    def _admit(self, assoc: Served) -> Rejection | None:
        """Refuse a peer that is not registered, calls from another address than its own, or has too many."""
        peer_address = _plain(assoc.requestor.address)
        facts = {"calling": assoc.calling, "address": peer_address}
        try:
            with self._archive.db.transaction() as tx:
                who = peers.identify(tx, assoc.calling, peer_address)
        except OverreadError as error:
            _logger.error("association_refused", reason=str(error), **facts)
            return _BUSY
        if who is None:
            _logger.warning("association_refused", reason="not registered", **facts)
            return _STRANGER
        with self._lock:
            if self._by_peer[assoc.calling] >= self._limits.per_peer:
                _logger.warning("association_refused", reason="too many of this peer", **facts)
                return _BUSY
            self._by_peer[assoc.calling] += 1
        assoc.principal = who
        return None

    def _ended(self, assoc: Served) -> None:
        """Let the peer close its connection; called by the association's thread."""
        assert self._acceptor is not None
        with self._lock:
            self._live.discard(assoc)
            if hasattr(assoc, "principal"):
                self._by_peer[assoc.calling] -= 1
                if not self._by_peer[assoc.calling]:
                    del self._by_peer[assoc.calling]
        if hasattr(assoc, "principal"):
            _logger.info(
                "association",
                principal=str(assoc.principal.id),
                role=assoc.principal.role.value,
                calling=assoc.calling,
                address=_plain(assoc.requestor.address),
                # How many of each, and nothing of what was asked for.
                served=dict(assoc.served),
                released=bool(assoc.is_released),
                seconds=round(time.monotonic() - assoc.began, 3),
            )
        sock = assoc.dul.channel.release()
        if sock is not None:
            self._acceptor.linger(sock)


def _plain(peer_address: str) -> str:
    """An IPv4 address also where it came through an IPv6 socket."""
    return peer_address.removeprefix("::ffff:")
