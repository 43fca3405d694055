"""Peers that query, fetch and receive: pynetdicom's, of which the tests know every message."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from overread.kit.principals import Principal
from pacs.dimse import peers
from pacs.store.archive import Archive
from pacs.store.ingest import Source, Stored
from tests.conformance.search.archive import part10
from tests.pacs.store.test_ingest import put

PATIENT_FIND, STUDY_FIND = PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelFind
PATIENT_MOVE, STUDY_MOVE = PatientRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelMove
PATIENT_GET, STUDY_GET = PatientRootQueryRetrieveInformationModelGet, StudyRootQueryRetrieveInformationModelGet
PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
CT = "1.2.840.10008.5.1.4.1.1.2"


def principal_of(archive: Archive, title: str) -> Principal:
    with archive.db.transaction() as tx:
        found = peers.principal(tx, title, via="dimse")
    assert found is not None
    return found


def keep(archive: Archive, who: Principal, *instances: Dataset | bytes) -> None:
    """Store instances as one of a principal's."""
    for one in instances:
        data = one if isinstance(one, bytes) else part10(one)
        assert isinstance(put(archive, Source(who, "dimse"), data), Stored)


def ask(level: str, **keywords: Any) -> Dataset:
    """An identifier. A keyword's value may be a list of dicts: a sequence's items."""
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    return ds


@contextmanager
def associated(
    port: int,
    calling: str = "WARD",
    *,
    contexts: Sequence[Any] = (PATIENT_FIND, STUDY_FIND, PATIENT_MOVE, STUDY_MOVE, PATIENT_GET, STUDY_GET),
    syntaxes: Sequence[str] = PLAIN,
    options: bytes = b"",
    storage: Sequence[tuple[str, Sequence[str]]] = (),
    handlers: Sequence[tuple[Any, ...]] = (),
) -> Iterator[Association]:
    """An association; `options` are asked for by extended negotiation, `storage` as SCP."""
    ae = AE(ae_title=calling)
    asked = [build_context(context, list(syntaxes)) for context in contexts]
    asked += [build_context(sop_class, list(of_class)) for sop_class, of_class in storage]
    extra: list[Any] = [build_role(sop_class, scp_role=True) for sop_class in dict(storage)]
    for context in contexts if options else ():
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = context, options
        extra.append(item)
    assoc = ae.associate("127.0.0.1", port, asked, "OVERREAD", ext_neg=extra, evt_handlers=list(handlers))
    assert assoc.is_established
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


@dataclass
class Answers:
    """What a C-FIND gave: identifiers, their statuses, and the final response."""

    found: list[Dataset]
    pending: list[int]
    last: Dataset

    @property
    def status(self) -> int:
        return int(self.last.Status)

    def values(self, keyword: str) -> list[Any]:
        return [one.get(keyword) for one in self.found]


def find(assoc: Association, model: Any, identifier: Dataset) -> Answers:
    found, pending, last = [], [], Dataset()
    for status, one in assoc.send_c_find(identifier, model):
        last = status
        if one is not None:
            found.append(one)
            pending.append(int(status.Status))
    return Answers(found, pending, last)


def find_once(port: int, model: Any, identifier: Dataset, calling: str = "WARD", options: bytes = b"") -> Answers:
    with associated(port, calling, contexts=[model], options=options) as assoc:
        return find(assoc, model, identifier)


@dataclass
class Receiver:
    """A storage SCP on a real socket. `status`: what it answers; `before`: called with each instance's number."""

    status: int = 0
    before: Callable[[int], None] = lambda _number: None
    received: dict[str, bytes] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    syntaxes: dict[str, str] = field(default_factory=dict)
    port: int = 0
    #: The number of the instance at which it closes the connection.
    dies_at: int = 0

    def store(self, event: Any) -> int:
        self.requests.append(event.request)
        if len(self.requests) == self.dies_at:
            event.assoc.abort()
            # Else its own user would wait half a minute for an answer that can't come.
            event.assoc.dimse_timeout = 1
            return 0x0110
        self.before(len(self.requests))
        sop_uid = str(event.request.AffectedSOPInstanceUID)
        self.received[sop_uid] = event.request.DataSet.getvalue()
        self.syntaxes[sop_uid] = str(event.context.transfer_syntax)
        return self.status

    @contextmanager
    def listening(
        self, title: str = "WARD", sop_classes: Sequence[str] | None = None, syntaxes: Sequence[str] | None = None
    ) -> Iterator[Receiver]:
        ae = AE(ae_title=title)
        ae.add_supported_context(Verification)
        for sop_class in sop_classes or [str(cx.abstract_syntax) for cx in AllStoragePresentationContexts]:
            ae.add_supported_context(UID(sop_class), list(syntaxes or ALL_SYNTAXES))
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)])
        assert server is not None
        assert server.socket is not None
        self.port = server.socket.getsockname()[1]
        try:
            yield self
        finally:
            server.shutdown()


ALL_SYNTAXES = [
    *PLAIN,
    *(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201)),
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.99",
]


@dataclass
class Outcome:
    """What a C-MOVE or C-GET said: every response, and the identifier of the last."""

    responses: list[Dataset]
    identifier: Dataset | None

    @property
    def status(self) -> int:
        return int(self.responses[-1].Status)

    def counts(self, place: int = -1) -> tuple[int | None, int, int, int]:
        """Remaining (None where it is not told), completed, failed, with a warning."""
        one = self.responses[place]
        return (
            one.get("NumberOfRemainingSuboperations"),
            one.NumberOfCompletedSuboperations,
            one.NumberOfFailedSuboperations,
            one.NumberOfWarningSuboperations,
        )

    def failed(self) -> list[str]:
        value = self.identifier.get("FailedSOPInstanceUIDList") if self.identifier is not None else None
        return [value] if isinstance(value, str) else [str(uid) for uid in value or []]


def retrieved(responses: Iterator[tuple[Dataset, Dataset | None]]) -> Outcome:
    kept, identifier = [], None
    for status, one in responses:
        kept.append(status)
        identifier = one if one is not None else identifier
    return Outcome(kept, identifier)


def move(port: int, model: Any, identifier: Dataset, destination: str, calling: str = "WARD", **more: Any) -> Outcome:
    with associated(port, calling, contexts=[model], **more) as assoc:
        return retrieved(assoc.send_c_move(identifier, destination, model))


def get(
    port: int,
    model: Any,
    identifier: Dataset,
    receiver: Receiver,
    calling: str = "WARD",
    storage: Sequence[tuple[str, Sequence[str]]] = ((CT, PLAIN),),
    **more: Any,
) -> Outcome:
    handlers = [(evt.EVT_C_STORE, receiver.store)]
    with associated(port, calling, contexts=[model], storage=storage, handlers=handlers, **more) as assoc:
        return retrieved(assoc.send_c_get(identifier, model))


def data_set_of(file: bytes) -> bytes:
    """What stands behind a file's meta information."""
    ds = pydicom.dcmread(io.BytesIO(file), stop_before_pixels=True, specific_tags=["SOPClassUID"])
    assert isinstance(ds.file_meta.FileMetaInformationGroupLength, int)
    return file[144 + ds.file_meta.FileMetaInformationGroupLength :]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
