"""The DICOM listener's processes, and what a peer's principal may see."""

from __future__ import annotations

import signal
from functools import partial
from uuid import UUID

from cases import access
from overread.kit import principals
from overread.kit.db import Session
from overread.kit.errors import Conflict
from overread.kit.principals import Principal
from overread.processes import Child, Supervisor, announce_ready, raise_descriptors
from overread.services import Services
from pacs.dimse.access import Access, sent_by
from pacs.dimse.listener import Listener
from pacs.index import query
from pacs.index.query import Level, Query

_DESCRIPTORS = 4096


def children(services: Services) -> list[Child]:
    """The processes that share the listener's port: the kernel gives each connection to one of them."""
    count = services.settings.dimse_processes
    return [Child(f"dimse {number + 1}", partial(listen, services)) for number in range(count)]


def run(services: Services) -> None:
    """Listen until SIGTERM, in as many processes as the settings say."""
    if services.settings.dimse_processes == 1:
        listen(services)
        return
    supervisor = Supervisor(children(services))
    try:
        supervisor.start()
        announce_ready()
        supervisor.watch()
    finally:
        supervisor.stop()


def listen(services: Services) -> None:
    """Listen in this process until SIGTERM."""
    raise_descriptors(_DESCRIPTORS)
    stop = {signal.SIGTERM, signal.SIGINT}
    # Blocked before any thread starts, so that the signal waits for this thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    listener = Listener(services.archive, services.settings, accesses, takes)
    listener.start()
    announce_ready()
    try:
        signal.sigwait(stop)
    finally:
        listener.stop()
        services.db.close()


def accesses(tx: Session, who: Principal, case_id: UUID | None) -> list[Access]:
    """What a peer may query, fetch and be sent: a hospital what it sent, a specialist the cases granted to them.

    With a case, of these that one.
    """
    if not principals.get(tx, who.id).active:
        return []  # locked out while an association stands
    granted = access.granted(tx, who, case_id)
    return [*sent_by(tx, who, case_id), *(Access(scope, its_case) for its_case, scope in granted.items())]


def takes(tx: Session, who: Principal, study_uid: str) -> Access | None:
    """Where objects go that a specialist made of a study: the case that shows it, until its report is signed."""
    asked = Query(Level.STUDY, study_uid=study_uid, limit=1)
    for found in accesses(tx, who, None):
        if found.case_id is not None and query.search(tx, found.scope, asked)[0]:
            try:
                scope = access.may_upload(tx, who, found.case_id)
            except Conflict:
                return None
            return Access(scope, found.case_id) if scope is not None else None
    return None
