"""C-MOVE and C-GET as SCP, Patient Root and Study Root (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pynetdicom import AE
from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from overread.kit import audit, log
from overread.kit.db import Session
from overread.kit.errors import OverreadError
from pacs.dimse import identifiers, levels, peers, sending
from pacs.dimse.access import Access, Accesses, Selected, locate, look
from pacs.dimse.answering import Counts, Failed, Status, failure, respond
from pacs.dimse.association import Linked, Served
from pacs.dimse.calling import Target, Unreachable
from pacs.dimse.commands import Originator
from pacs.dimse.limits import Limits
from pacs.dimse.negotiation import options
from pacs.dimse.push import MOST, Outcomes, Push, stored, warns, witness
from pacs.index import patients, selection
from pacs.index.attributes import Level
from pacs.index.query import Query
from pacs.store.archive import Archive

_logger = log.get(__name__)


class Retrieval:
    """The retrieval service of one listener."""

    def __init__(self, archive: Archive, ae: AE, limits: Limits, accesses: Accesses) -> None:
        self._archive = archive
        self._ae = ae
        self._limits = limits
        self._accesses = accesses
        self._lock = threading.Lock()
        self._moving: Counter[str] = Counter()

    def get(self, assoc: Served, request: C_GET, context: PresentationContext) -> None:
        """Answer a C-GET-RQ: the instances come over the same association (PS3.7 9.1.3)."""
        try:
            wanted = self._select(assoc, request, context)
            self._witness(assoc, wanted, assoc.calling)
        except OverreadError as error:
            self._refuse(assoc, request, error)
            return
        self._carry_out(assoc, request, context, wanted, self._give(assoc, wanted))

    def move(self, assoc: Served, request: C_MOVE, context: PresentationContext) -> None:
        """Answer a C-MOVE-RQ: the instances go to a registered peer of the same principal (PS3.7 9.1.4)."""
        try:
            wanted = self._select(assoc, request, context)
            target = self._target(assoc, request)
            with self._turn(assoc.calling):
                self._witness(assoc, wanted, target.ae_title)
                self._carry_out(assoc, request, context, wanted, self._push(assoc, request, target).send(wanted))
        except OverreadError as error:
            self._refuse(assoc, request, error)

    def _refuse(self, assoc: Served, request: Any, error: OverreadError) -> None:
        failed = failure(error, Status.UNABLE_TO_COUNT)
        _logger.warning("retrieval_refused", calling=assoc.calling, status=f"{failed.code:04X}", reason=str(error))
        respond(assoc, request, failed.code, failed=failed)

    def _select(self, assoc: Served, request: Any, context: PresentationContext) -> list[Selected]:
        """What an identifier names, in all that the principal may see. Raises Failed, Unreadable, BadInput."""
        sop_class = str(context.abstract_syntax)
        if request.AffectedSOPClassUID != sop_class:
            raise Failed(Status.NO_SUCH_SOP_CLASS, "This is not the presentation context's SOP class.")
        asked = identifiers.read(request.Identifier.getvalue(), str(context.transfer_syntax[0]))
        relational = options(assoc, sop_class).relational
        level = levels.checked(asked)
        model = levels.model(level, sop_class)
        keys = {tag: text for tag in levels.UNIQUE.values() if (text := asked.keys.get(tag, "").strip())}
        own = levels.UNIQUE[level]
        # C.4.2.1.4.1: at the level one patient, or a list of UIDs; nothing is retrieved by wild cards.
        if not keys.get(own) or "*" in keys[own] or "?" in keys[own] or (level == "PATIENT" and "\\" in keys[own]):
            raise Failed(Status.MISMATCH, "The unique key of the level must have a value.", [int(own, 16)])
        upper = [levels.UNIQUE[one] for one in levels.above(level, model)]
        if not relational:
            levels.unique_above(asked, level, model)
        chosen = {tag: text for tag, text in keys.items() if tag in (*upper, own)}
        if levels.UNIQUE["PATIENT"] in chosen:
            # Nothing of another person who has the same ID: by its issuer, or by all that tells people apart.
            apart = patients.APART if level == "PATIENT" else patients.ISSUER
            chosen |= {tag: text for tag in apart if (text := asked.keys.get(tag, "").strip())}
        found: list[Selected] = []
        with self._archive.db.transaction() as tx:
            for access in self._accesses(tx, assoc.principal, None):
                named = selection.instances(tx, access.scope, chosen, MOST + 1)
                found += [Selected(access, one) for one in named]
                if len(found) > MOST:
                    raise Failed(Status.UNABLE_TO_COUNT, f"More than {MOST} instances: ask for fewer at once.")
            if model != sop_class and found:
                _check_is_one_person(tx, {one.access for one in found}, chosen)
        if not relational and levels.UNIQUE["STUDY"] in upper and levels.UNIQUE["STUDY"] not in chosen:
            _check_is_one_study(level, found)
        return found

    def _target(self, assoc: Served, request: C_MOVE) -> Target:
        """The destination. Raises Failed where none is registered, or for somebody else, which is not told apart."""
        title = str(request.MoveDestination or "").strip()
        with self._archive.db.transaction() as tx:
            target = peers.target(tx, title, assoc.principal)
            if target is None:
                audit.record(
                    tx, assoc.principal, "instances.read", "peer", title or "-", outcome=audit.REFUSED, via="C-MOVE"
                )
        if target is None:
            raise Failed(Status.MOVE_DESTINATION_UNKNOWN, "No such destination is registered for you.")
        return target

    def _witness(self, assoc: Served, wanted: Sequence[Selected], destination: str) -> None:
        with self._archive.db.transaction() as tx:
            witness(tx, assoc.principal, wanted, destination)

    @contextmanager
    def _turn(self, calling: str) -> Iterator[None]:
        """One of the C-MOVEs that are carried out at once. Raises Failed where they are too many."""
        with self._lock:
            full = self._moving.total() >= self._limits.outgoing
            if full or self._moving[calling] >= self._limits.outgoing_per_peer:
                raise Failed(Status.UNABLE_TO_PERFORM, "Too many retrievals at once: try again later.")
            self._moving[calling] += 1
        try:
            yield
        finally:
            with self._lock:
                self._moving[calling] -= 1

    def _push(self, assoc: Served, request: C_MOVE, target: Target) -> Push:
        def attend(beside: Linked | None) -> None:
            assoc.beside = beside

        return Push(
            self._archive,
            self._ae,
            self._limits,
            self._accesses,
            assoc.principal,
            target,
            Originator(assoc.calling, int(request.MessageID or 0)),
            lambda: not assoc.stopping and _goes_on(assoc, request),
            attend,
        )

    def _give(self, assoc: Served, wanted: Sequence[Selected]) -> Outcomes:
        """The sub-operations of a C-GET, over its own association."""
        for number, one in enumerate(wanted):
            status = None
            try:
                located = locate(self._archive, self._accesses, assoc.principal, one)
                again = partial(look, self._archive, self._accesses, assoc.principal, one, located)
                status = sending.send(self._archive, assoc, located, number % 0xFFFF + 1, look=again)
            except OverreadError as error:
                _logger.warning("get_failed", calling=assoc.calling, reason=str(error))
            yield one, status

    def _carry_out(
        self,
        assoc: Served,
        request: Any,
        context: PresentationContext,
        wanted: Sequence[Selected],
        outcomes: Outcomes,
    ) -> None:
        """Tell of each sub-operation, and at the end how all went (PS3.4 Tables C.4-2, C.4-3)."""
        completed = warning = done = 0
        failed: list[str] = []
        syntax = str(context.transfer_syntax[0])
        cancelled = False
        try:
            for one, status in outcomes:
                done += 1
                if status is None or not stored(status):
                    failed.append(one.named.sop_uid)
                elif warns(status):
                    warning += 1
                else:
                    completed += 1
                counts = Counts(len(wanted) - done, completed, len(failed), warning)
                if done < len(wanted):
                    respond(assoc, request, Status.PENDING, counts=counts)
                if not assoc.open:
                    return
                if not _goes_on(assoc, request) and done < len(wanted):
                    cancelled = True
                    break
        except Unreachable as error:
            _logger.warning("move_failed", calling=assoc.calling, reason=str(error))
            failed += [one.named.sop_uid for one in wanted[done:]]
        finally:
            outcomes.close()
        left = identifiers.failed_uids(failed, syntax)
        counts = Counts(len(wanted) - done if cancelled else None, completed, len(failed), warning)
        if cancelled:
            respond(assoc, request, Status.CANCELLED, identifier=left, counts=counts)
        elif failed and not completed and not warning:
            comment = Failed(Status.UNABLE_TO_PERFORM, "No instance could be stored.")
            respond(assoc, request, Status.UNABLE_TO_PERFORM, identifier=left, failed=comment, counts=counts)
        else:
            status = Status.SOME_FAILED if failed or warning else Status.SUCCESS
            respond(assoc, request, status, identifier=left, counts=counts)


def _check_is_one_person(tx: Session, accesses: Iterable[Access], chosen: Mapping[str, str]) -> None:
    """See that what was asked for against the model, by a Patient ID alone, is one person's. Raises Failed."""
    keys = Query(Level.STUDY, chosen)
    people = [one.name for access in accesses for one in patients.search(tx, access.scope, keys, patients.FIRST, 2)]
    if len(people) > 1:
        tag = int(levels.UNIQUE["PATIENT"], 16)
        raise Failed(Status.MISMATCH, "Several people have this Patient ID: name its issuer too.", [tag])


def _check_is_one_study(level: str, found: Iterable[Selected]) -> None:
    """See that each UID that was given without its study's is of one study. Raises Failed."""
    studies: dict[str, set[str]] = {}
    for one in found:
        uid = one.named.series_uid if level == "SERIES" else one.named.sop_uid
        studies.setdefault(uid, set()).add(one.named.study_uid)
    if any(len(several) > 1 for several in studies.values()):
        tag = int(levels.UNIQUE["STUDY"], 16)
        raise Failed(Status.MISMATCH, "This is in several studies: name the study too.", [tag])


def _goes_on(assoc: Served, request: Any) -> bool:
    """Whether the peer still wants the rest: it is there, and has not cancelled (PS3.7 9.3.2.3)."""
    while assoc.open and assoc.dul.channel.readable():
        assoc.dul.pump()
    return assoc.open and request.MessageID not in assoc.dimse.cancel_req
