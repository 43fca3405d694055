"""C-STORE as SCP (PS3.4 B.2, PS3.7 9.1.1): a data set is streamed to `pacs.store.ingest` while it arrives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pynetdicom.dimse_primitives import C_STORE

from overread.kit import log, principals
from overread.kit.errors import NotSignedIn, TooLarge, Unavailable
from overread.kit.looks import Every
from overread.kit.principals import Role
from pacs.dicom import part10
from pacs.dicom.status import FailureReason
from pacs.dimse.access import Takes
from pacs.dimse.association import Served
from pacs.dimse.messages import Streamed
from pacs.dimse.wire import ProtocolError
from pacs.store import ingest
from pacs.store.archive import Archive
from pacs.store.ingest import Incoming, Prepared, Refused, Source
from pacs.views import evidence

_logger = log.get(__name__)
_SUCCESS = 0x0000


class Reception:
    """One instance on its way in. It may be refused at any byte; the rest is read and dropped then.

    The sender learns the status only after its last byte (PS3.7 9.3.1), so what follows a refusal has to be read; as
    much again as an instance may have, and the association ends.
    """

    def __init__(
        self, archive: Archive, takes: Takes, source: Source, request: C_STORE, syntax: str, calling: str
    ) -> None:
        self._archive = archive
        self._takes = takes
        self._source = source
        self._incoming: Incoming | None = None
        self._refused: FailureReason | None = None
        self._dropped = 0
        self._look = Every(self._stands)
        if source.who.role not in (Role.HOSPITAL, Role.SPECIALIST):
            self._refused = FailureReason.NOT_AUTHORISED
            return
        sop_class, sop_uid = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if not (part10.valid_uid(sop_class) and part10.valid_uid(sop_uid)):
            self._refused = FailureReason.CANNOT_UNDERSTAND
            return
        try:
            self._incoming = ingest.receive(archive, source)
        except Unavailable as error:
            self._refuse(error)
            return
        meta = part10.write_meta(sop_class, sop_uid, syntax, source_ae=calling)
        self.write(memoryview(meta))

    def write(self, data: memoryview) -> None:
        """Take a piece of the data set. Raises ProtocolError where a refused one goes on, or the sender is ended."""
        try:
            self._look()
        except NotSignedIn as error:
            self.discard()
            raise ProtocolError(str(error)) from error
        except Unavailable as error:
            self._refuse(error)
        if self._incoming is None:
            self._dropped += len(data)
            if self._dropped > self._archive.max_instance_bytes:
                raise ProtocolError("a data set goes on long after it was refused")
            return
        try:
            self._incoming.write(data)
        except (Unavailable, TooLarge) as error:
            self._refuse(error)

    def finish(self) -> int:
        """Make the instance durable and commit its rows; the status to answer (PS3.4 Table B.2-1)."""
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            assert self._refused is not None
            return int(self._refused)
        try:
            with incoming:
                outcome: Prepared | ingest.Outcome = incoming.finish()
            if isinstance(outcome, Prepared):
                outcome = self._store(outcome)
        except Unavailable as error:
            _logger.error("store_refused", reason=str(error))
            return int(FailureReason.OUT_OF_RESOURCES)
        return int(outcome.reason) if isinstance(outcome, Refused) else _SUCCESS

    def _store(self, one: Prepared) -> ingest.Outcome:
        """A hospital's images go to the archive, what a specialist made of a case's images to the case."""
        if self._source.who.role is not Role.SPECIALIST:
            return ingest.store(self._archive, self._source, [one])[0]
        try:
            self._stands()
        except NotSignedIn:
            return Refused(FailureReason.NOT_AUTHORISED, "The sender was locked out.")
        with self._archive.db.transaction() as tx:
            access = self._takes(tx, self._source.who, one.keys.study_uid)
        if access is None:
            return Refused(FailureReason.NOT_AUTHORISED, "The object is of no study of a case that is read just now.")
        source = replace(self._source, view=access.scope, case_id=access.case_id)
        return evidence.store(self._archive, source, [one])[0]

    def _stands(self) -> None:
        """Raises NotSignedIn where the sender was locked out since the association was opened."""
        who = self._source.who.id
        if not self._archive.db.at_once(lambda connection: principals.stands(connection, who)):
            raise NotSignedIn("the sender was locked out")

    def discard(self) -> None:
        """Leave nothing of what came; after `finish` this does nothing."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.__exit__(None, None, None)

    def _refuse(self, error: Unavailable | TooLarge) -> None:
        _logger.error("store_refused", reason=str(error))
        self._refused = FailureReason.OUT_OF_RESOURCES
        self.discard()


class Storage:
    """The storage service of one listener."""

    def __init__(self, archive: Archive, takes: Takes) -> None:
        self._archive = archive
        self._takes = takes

    def open_sink(self, assoc: Served, request: C_STORE, context_id: int) -> Reception:
        """A C-STORE begins. Raises ProtocolError where its SOP class is not its presentation context's."""
        context = assoc.accepted[context_id]
        if request.AffectedSOPClassUID != context.abstract_syntax:
            # PS3.7 9.3.1.1: the context is the one that was negotiated for the SOP class.
            raise ProtocolError("a C-STORE names another SOP class than its presentation context")
        if not context.as_scp:
            raise ProtocolError("a C-STORE in a presentation context in which the peer chose to be the SCP")
        named = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        source = Source(assoc.principal, "dimse", called_ae=assoc.called, sop_class=named[0], sop_uid=named[1])
        return Reception(self._archive, self._takes, source, request, str(context.transfer_syntax[0]), assoc.calling)

    def store(self, event: Any) -> int:
        """Answer a C-STORE whose last byte is here (EVT_C_STORE)."""
        data = event.request.DataSet
        # A command that says it has no data set: PS3.7 9.3.1.1 requires one.
        return data.sink.finish() if isinstance(data, Streamed) else int(FailureReason.CANNOT_UNDERSTAND)
