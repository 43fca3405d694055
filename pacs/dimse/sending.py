"""C-STORE as SCU (PS3.4 B.2): one instance, from blobs and view parts, over an association of either side.

The data set is sent while it is read: memory holds a PDU, whatever the object's size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from struct import pack

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from overread.kit.errors import OverreadError
from overread.kit.looks import Every, Look
from pacs.dicom import part10
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from pacs.dimse import commands, wire
from pacs.dimse.association import Linked
from pacs.dimse.commands import Originator
from pacs.serve import retrieve, transcoded
from pacs.serve.retrieve import BlobRange, Located
from pacs.store import damage
from pacs.store.archive import Archive

#: Largest P-DATA-TF that is made, also for peers that take any.
_PDU_BYTES = 256 << 10
#: Below that, what a peer takes is more header than data.
_LEAST_PDU_BYTES = 128
#: What every receiver takes.
PLAIN = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)
#: Seconds between looks at whoever waits for the outcome.
_LOOK = 0.5

#: Says whether to go on; called while a peer is waited for.
Watch = Callable[[], bool]


class NoContext(OverreadError):
    """No presentation context was accepted that the instance can be sent in."""


class Lost(OverreadError):
    """The association ended before the answer came; it was aborted if it still stood."""


def send(
    archive: Archive,
    assoc: Linked,
    located: Located,
    message_id: int,
    *,
    originator: Originator | None = None,
    watch: Watch | None = None,
    look: Look | None = None,
) -> int:
    """Send one instance and wait for the answer; its status.

    `look` is called every second while it is sent, and raises where it may not be seen any more. Raises NoContext,
    Lost; NotFound, Unreadable or CannotDecode before a byte is sent where nothing of it can be read: the next instance
    may still be sent then.
    """
    damage.here(archive, [located])
    context_id, syntax = _choose(archive, assoc, located)
    chunks = data_set(archive, located, syntax)
    first = next(chunks)
    request = commands.write_store_request(located.sop_class, located.sop_uid, message_id, context_id, originator)
    try:
        whole = assoc.dul.send_data(request) and _send_data(
            assoc, context_id, chain([first], chunks), Every(look) if look else None
        )
    except Exception:
        # The half of a data set can't be taken back (PS3.7 6.3.2), whatever kept the rest from being read.
        assoc.abort()
        raise
    if not whole:
        assoc.abort()
        raise Lost(f"{assoc.peer} took only a part of an instance")
    return _answered(assoc, message_id, watch)


def _choose(archive: Archive, assoc: Linked, located: Located) -> tuple[int, str]:
    """The presentation context to send in: that of the stored transfer syntax, else one that can be made of it."""
    found = {
        str(context.transfer_syntax[0]): number
        for number, context in sorted(assoc.accepted.items(), reverse=True)
        if context.as_scu and context.abstract_syntax == located.sop_class
    }
    if located.transfer_syntax in found:
        return found[located.transfer_syntax], located.transfer_syntax
    possible = transcoded.sendable(archive, located) if found else frozenset()
    for syntax in (*PLAIN, *sorted(found)):
        if syntax in found and syntax in possible:
            return found[syntax], syntax
    raise NoContext(f"{assoc.peer} takes {located.sop_class} in no transfer syntax that it can be given in")


def proposals(kinds: Iterable[tuple[str, str]]) -> list[PresentationContext]:
    """What to ask for, to send instances of these SOP classes and transfer syntaxes: each as it is, and plain."""
    wanted = sorted(set(kinds))
    as_it_is = [context(sop_class, [syntax]) for sop_class, syntax in wanted]
    # PS3.5 10.1: the default transfer syntax is offered always.
    return as_it_is + [context(sop_class, PLAIN) for sop_class in sorted({sop_class for sop_class, _ in wanted})]


def context(abstract_syntax: str, transfer_syntaxes: Sequence[str]) -> PresentationContext:
    """A presentation context to ask for."""
    made = PresentationContext()
    made.abstract_syntax = UID(abstract_syntax)
    made.transfer_syntax = [UID(syntax) for syntax in transfer_syntaxes]
    return made


def data_set(archive: Archive, located: Located, syntax: str) -> Iterator[bytes]:
    """The bytes behind the file meta information, which is the receiver's to make (PS3.10 7.1)."""
    if syntax != located.transfer_syntax:
        chunks = transcoded.stream(archive, located, syntax)
        first = next(chunks)
        yield first[part10.read_meta(first).dataset_start :]
        yield from chunks
        return
    parts = located.parts
    if isinstance(parts[0], bytes):
        parts[0] = parts[0][part10.read_meta(parts[0]).dataset_start :]
    else:
        with archive.blobs.mapped(located.blob) as buffer:
            start = part10.read_meta(buffer).dataset_start
        parts[0] = BlobRange(parts[0].digest, start, parts[0].length - start)
    yield from retrieve.stream(archive.blobs, parts)


def _send_data(assoc: Linked, context_id: int, chunks: Iterator[bytes], look: Every | None) -> bool:
    """Send a data set in fragments, each of an even length (PS3.8 E.1); False where the association ended."""
    most = assoc.dimse.maximum_pdu_size or _PDU_BYTES
    if most < _LEAST_PDU_BYTES:
        raise Lost(f"{assoc.peer} takes PDUs of {most} bytes only")
    size = (min(most, _PDU_BYTES) - 6) // 2 * 2
    deadline = time.monotonic() + assoc.limits.transfer
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        start = 0
        # What may be the last fragment is kept back: only it says so.
        while len(rest) - start > size:
            if time.monotonic() > deadline:
                raise Lost(f"{assoc.peer} takes an instance too slowly")
            if look is not None:
                look()
            if not _send_fragment(assoc, context_id, 0, rest[start : start + size]):
                return False
            start += size
        del rest[:start]
    rest += bytes(len(rest) % 2)
    if look is not None:
        look()
    return _send_fragment(assoc, context_id, 2, rest)


def _send_fragment(assoc: Linked, context_id: int, control: int, data: bytearray) -> bool:
    head = pack(">BBLLBB", wire.P_DATA, 0, len(data) + 6, len(data) + 2, context_id, control)
    return assoc.dul.send_data(head + data)


def _answered(assoc: Linked, message_id: int, watch: Watch | None) -> int:
    deadline = time.monotonic() + assoc.limits.idle
    while assoc.open:
        _, message = assoc.dimse.get_msg()
        if message is not None:
            is_answer = isinstance(message, C_STORE) and message.MessageIDBeingRespondedTo == message_id
            if not is_answer or message.Status is None:
                raise wire.ProtocolError("a message came where the answer to a C-STORE is due")
            return int(message.Status)
        left = deadline - time.monotonic()
        came = left > 0 and assoc.dul.pump(min(left, _LOOK))
        if left <= 0 or not (came or watch is None or watch()):
            assoc.abort()
    raise Lost(f"{assoc.peer} gave no answer to a C-STORE")
