"""The DICOM listener: Verification and Storage as SCP (PS3.4 A, B; PS3.7 9.1.1, 9.1.5)."""

from __future__ import annotations

from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from overread.kit import log
from overread.kit.errors import OverreadError, TooLarge, Unavailable
from overread.kit.principals import Role
from overread.kit.settings import Settings, address
from pacs import ingest, part10
from pacs.archive import Archive
from pacs.dimse import peers
from pacs.ingest import Prepared, Refused, Source
from pacs.status import Reason

_logger = log.get(__name__)
_SUCCESS = 0x0000
#: PS3.8 9.3.4: rejected permanently, by the service user, calling AE title not recognised.
_REJECT_CALLING = (0x01, 0x01, 0x03)
_MAX_ASSOCIATIONS = 64
_CHUNK = 1 << 20


class Listener:
    """Accepts associations of registered peers and hands their instances to `pacs.ingest`."""

    def __init__(self, archive: Archive, settings: Settings) -> None:
        self._archive = archive
        self._settings = settings
        self._server: Any = None
        self._ae = AE(ae_title=settings.ae_title)
        self._ae.maximum_associations = _MAX_ASSOCIATIONS
        # Large PDUs save a sender round trips; a limit keeps one of them from filling the memory (PS3.8 D.1).
        self._ae.maximum_pdu_size = 1 << 20
        self._ae.acse_timeout = 30
        self._ae.dimse_timeout = 60
        self._ae.network_timeout = 60
        self._ae.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)

    def start(self) -> None:
        """Listen, in threads of pynetdicom's. Raises OSError where the address can't be bound."""
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda _event: _SUCCESS),
        ]
        self._server = self._ae.start_server(address(self._settings.dicom), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Stop listening and abort what is open."""
        if self._server is not None:
            self._server.shutdown()
        self._ae.shutdown()

    def _requested(self, event: Any) -> None:
        """Refuse a peer that is not registered, or calls from another address than the one it was given."""
        assoc = event.assoc
        calling, peer_address = assoc.requestor.primitive.calling_ae_title.strip(), assoc.requestor.address
        try:
            with self._archive.db.transaction() as tx:
                who = peers.identify(tx, calling, _plain(peer_address))
        except OverreadError as error:
            _logger.error("association_refused", calling=calling, address=peer_address, reason=str(error))
            # Rejected transiently, by the presentation layer's provider, local limit exceeded: try again later.
            assoc.acse.send_reject(0x02, 0x03, 0x02)
            assoc.kill()
            return
        if who is None:
            _logger.warning("association_refused", calling=calling, address=peer_address, reason="not registered")
            assoc.acse.send_reject(*_REJECT_CALLING)
            assoc.kill()
            return
        assoc.overread_principal = who
        _logger.info("association", calling=calling, address=peer_address, principal=str(who.id))

    def _store(self, event: Any) -> int:
        """Store one instance; the status is sent only when it is durable and its rows are committed."""
        who = event.assoc.overread_principal
        if who.role is not Role.HOSPITAL:
            return int(Reason.NOT_AUTHORISED)
        request = event.request
        source = Source(
            who,
            "dimse",
            called_ae=event.assoc.requestor.primitive.called_ae_title.strip(),
            sop_uid=str(request.AffectedSOPInstanceUID),
        )
        meta = part10.write_meta(
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            str(event.context.transfer_syntax),
            source_ae=event.assoc.requestor.primitive.calling_ae_title.strip(),
        )
        try:
            return self._ingest(source, meta, request)
        except (Unavailable, TooLarge) as error:
            _logger.error("store_refused", reason=str(error))
            return int(Reason.OUT_OF_RESOURCES)

    def _ingest(self, source: Source, meta: bytes, request: Any) -> int:
        with ingest.receive(self._archive, source) as incoming:
            incoming.write(meta)
            data = request.DataSet.getbuffer()
            for start in range(0, len(data), _CHUNK):
                incoming.write(data[start : start + _CHUNK])
            outcome: Prepared | ingest.Outcome = incoming.finish()
        if isinstance(outcome, Prepared):
            outcome = ingest.store(self._archive, source, [outcome])[0]
        return int(outcome.reason) if isinstance(outcome, Refused) else _SUCCESS


def _plain(peer_address: str) -> str:
    """An IPv4 address also where it came through an IPv6 socket."""
    return peer_address.removeprefix("::ffff:")
