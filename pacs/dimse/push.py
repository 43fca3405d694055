"""Sending to registered peers: C-STORE as SCU, for C-MOVE and of our own accord; C-ECHO as SCU (PS3.4 A, B)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from overread.kit import log
from overread.kit.audit_looks import record_look
from overread.kit.db import Session
from overread.kit.errors import NotFound, OverreadError, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal
from overread.kit.settings import Settings
from pacs.dicom import tags
from pacs.dimse import peers, sending
from pacs.dimse.access import Accesses, Selected, locate, look
from pacs.dimse.association import Linked
from pacs.dimse.calling import Calling, Target, Unreachable, called
from pacs.dimse.commands import Originator
from pacs.dimse.limits import Limits
from pacs.dimse.sending import Lost, Watch
from pacs.dimse.wire import ProtocolError
from pacs.index import selection
from pacs.store.archive import Archive

_logger = log.get(__name__)
#: Presentation contexts of one association (PS3.8 9.3.2.2).
_CONTEXTS = 128
#: Associations that may fail in a row before the rest is given up.
_LOSSES = 3
#: Instances of one retrieval: the numbers of sub-operations have 16 bits (PS3.7 9.3.4.2).
MOST = 0xFFFF

#: Of each instance the peer's status, or None where it could not be sent.
Outcomes = Generator[tuple[Selected, int | None], None, None]
#: Tells which association is at work now, and None at the end.
Attend = Callable[[Linked | None], None]


@dataclass(frozen=True)
class Push:
    """Sends what was found to one peer, for `who`, looking each time whether they may still see it."""

    archive: Archive
    ae: AE
    limits: Limits
    accesses: Accesses
    who: Principal
    target: Target
    originator: Originator | None = None
    watch: Watch | None = None
    attend: Attend = field(default=lambda _assoc: None)

    def send(self, wanted: Sequence[Selected]) -> Outcomes:
        """Send instances, one after the other.

        An association is opened for as many as one can be negotiated for, and anew where one is lost. Raises
        Unreachable where none can be had.
        """
        for batch in _batches(wanted):
            yield from self._send_batch(batch)

    def _send_batch(self, batch: Sequence[Selected]) -> Outcomes:
        kinds = [(one.named.sop_class, one.named.transfer_syntax) for one in batch]
        losses, done = 0, 0
        while done < len(batch) and losses < _LOSSES:
            with called(self.ae, self.target, self.limits, sending.proposals(kinds)) as assoc:
                self.attend(assoc)
                try:
                    while done < len(batch) and assoc.open:
                        status = self._send_one(assoc, batch[done], done % 0xFFFF + 1)
                        losses = losses if status is None else 0
                        yield batch[done], status
                        done += 1
                finally:
                    self.attend(None)
            losses += 1
        yield from ((one, None) for one in batch[done:])

    def _send_one(self, assoc: Calling, one: Selected, message_id: int) -> int | None:
        try:
            located = locate(self.archive, self.accesses, self.who, one)
            return sending.send(
                self.archive,
                assoc,
                located,
                message_id,
                originator=self.originator,
                watch=self.watch,
                look=partial(look, self.archive, self.accesses, self.who, one, located),
            )
        except ProtocolError as error:
            assoc.abort()
            _logger.warning("push_failed", peer=self.target.ae_title, reason=str(error))
        except OverreadError as error:
            _logger.warning("push_failed", peer=self.target.ae_title, reason=str(error))
        return None


def _batches(wanted: Sequence[Selected]) -> Iterator[Sequence[Selected]]:
    """Runs of instances whose kinds fit into the presentation contexts of one association."""
    start, kinds = 0, set[tuple[str, str]]()
    for place, one in enumerate(wanted):
        kind = (one.named.sop_class, one.named.transfer_syntax)
        more = kinds | {kind}
        if len(more) + len({sop_class for sop_class, _ in more}) > _CONTEXTS:
            yield wanted[start:place]
            start, more = place, {kind}
        kinds = more
    if start < len(wanted):
        yield wanted[start:]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push: numbers of instances."""

    completed: int
    failed: int


def push(archive: Archive, settings: Settings, accesses: Accesses, ae_title: str, study_uids: Sequence[str]) -> Pushed:
    """Send studies to a registered peer: of what its own principal may see, these; all of it where none is named.

    Raises NotFound, Unprocessable, Unreachable.
    """
    with archive.db.transaction() as tx:
        who, target = _registered(tx, ae_title)
        keys = {tags.StudyInstanceUID.key: "\\".join(study_uids)} if study_uids else {}
        wanted = [
            Selected(access, named)
            for access in accesses(tx, who, None)
            for named in selection.instances(tx, access.scope, keys, MOST + 1)
        ]
        if not wanted:
            raise NotFound(
                f"there is no such study that {ae_title} may see",
                safe=gettext("There is no such study that %(ae_title)s may see.", ae_title=ae_title),
            )
        if len(wanted) > MOST:
            raise Unprocessable(
                "too much to push",
                safe=gettext("These are more than %(most)s instances. Name fewer studies.", most=MOST),
            )
        witness(tx, who, wanted, ae_title)
    ae = AE(ae_title=settings.ae_title)
    completed = 0
    try:
        for _, status in Push(archive, ae, Limits.of(settings), accesses, who, target).send(wanted):
            completed += status is not None and stored(status)
    except Unreachable:
        if not completed:
            raise
    return Pushed(completed, len(wanted) - completed)


def _registered(tx: Session, ae_title: str) -> tuple[Principal, Target]:
    """Whom a peer acts for, and where it is. Raises NotFound where there is no such peer, or it is locked out."""
    who = peers.principal(tx, ae_title, via="push")
    target = peers.target(tx, ae_title, who) if who is not None else None
    if who is None or target is None:
        raise NotFound(
            f"no peer {ae_title} is registered", safe=gettext("No peer %(ae_title)s is registered.", ae_title=ae_title)
        )
    return who, target


def stored(status: int) -> bool:
    """Whether the peer has the instance: success, or a warning (PS3.4 Table B.2-1)."""
    return status == 0x0000 or warns(status)


def warns(status: int) -> bool:
    """Whether a C-STORE's status is a warning (PS3.7 C.4, PS3.4 B.2.3)."""
    return status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116)


def witness(tx: Session, who: Principal, wanted: Sequence[Selected], destination: str) -> None:
    """Have the audit log tell how many instances of each study are given."""
    found = Counter((one.named.study_uid, one.access.case_id) for one in wanted)
    # In one order, so that two that give the same studies never wait for each other in a circle.
    for study_uid, case_id in sorted(found, key=str):
        count = found[study_uid, case_id]
        record_look(
            tx,
            who,
            "instances.read",
            "study",
            study_uid,
            instances=count,
            case_id=case_id,
            destination=destination,
        )


def echo(archive: Archive, settings: Settings, ae_title: str) -> int:
    """Ask a registered peer whether it answers (C-ECHO); the status. Raises NotFound, Unreachable."""
    with archive.db.transaction() as tx:
        _, target = _registered(tx, ae_title)
    contexts = [sending.context(str(Verification), sending.PLAIN)]
    with called(AE(ae_title=settings.ae_title), target, Limits.of(settings), contexts) as assoc:
        request = C_ECHO()
        request.MessageID = 1
        request.AffectedSOPClassUID = Verification
        if not assoc.accepted:
            raise Unreachable(f"{ae_title} does not accept Verification")
        assoc.dimse.send_msg(request, 1)
        _, answer = assoc.dimse.get_msg(block=True)
        if not isinstance(answer, C_ECHO) or answer.Status is None:
            raise Lost(f"{ae_title} gave no answer to a C-ECHO")
        return int(answer.Status)
