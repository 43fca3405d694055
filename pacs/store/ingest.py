"""The one write path: C-STORE, STOW-RS, folder import and the report writer all come through here.

An instance is streamed to a file aside (`receive`, `Incoming.write`); its header is walked once (`Incoming.read`) and
the bytes are made durable under their digest (`Incoming.keep`); then its rows are committed (`store`). Only after that
may the caller acknowledge. Members of a batch end one by one: `Stored`, `AlreadyStored` or `Refused`.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any
from uuid import UUID

from psycopg import DataError

from overread.kit import audit, log, principals
from overread.kit.blobs import CHUNK, Blob, BlobWriter
from overread.kit.errors import TooLarge, Unavailable
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.dicom import dicomjson, file_meta, json_values, part10
from pacs.dicom.elements import Buffer, Unreadable
from pacs.dicom.status import FailureReason
from pacs.index import columns
from pacs.index.columns import Columns
from pacs.index.scope import ORIGINAL, Scope, sender_of
from pacs.store import rows
from pacs.store.archive import Archive
from pacs.store.same_object import same_object

_logger = log.get(__name__)

#: Seconds after which no further object of a request is compared with the one that has its UID.
COMPARING = 120.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Where instances come from: who sends them and which way (stow, dimse, import).

    `case_id`: the case whose root they were uploaded to. `study_uid`: the only study that is taken (PS3.18 10.5.1),
    `sop_class` and `sop_uid`: the only instance (the one that a C-STORE-RQ names, PS3.7 9.1.1.1). `view`: what the
    sender sees, where they may only send objects made of it (`pacs.views.evidence`). `made_for`: the case for which the
    program itself made the object that `who` is to hold: it is booked as the program's own act.
    """

    who: Principal
    via: str
    case_id: UUID | None = None
    called_ae: str = ""
    study_uid: str | None = None
    sop_class: str | None = None
    sop_uid: str | None = None
    view: Scope | None = None
    made_for: UUID | None = None

    @property
    def actor(self) -> Principal | None:
        """Who acts, for the audit log: None for the program itself."""
        return None if self.made_for else self.who

    @property
    def audited_case(self) -> UUID | None:
        """The case that the audit log names."""
        return self.made_for or self.case_id


@dataclass(frozen=True, slots=True)
class Stored:
    """The instance is durable and found by queries."""

    keys: Columns


@dataclass(frozen=True, slots=True)
class AlreadyStored:
    """The same object was here before; its first bytes are kept."""

    keys: Columns


@dataclass(frozen=True, slots=True)
class Refused:
    """The instance was not stored. `sentence` tells the sender why and what to do; UIDs as far as known."""

    reason: FailureReason
    sentence: str
    sop_class: str = ""
    sop_uid: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Other bytes, of the digest `kept`, have the instance's UID: `decided` finds out if they are its object."""

    keys: Columns
    kept: str


Outcome = Stored | AlreadyStored | Refused


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instance that was read. Its rows may be written as soon as its bytes were kept."""

    keys: Columns
    blob: Blob
    transfer_syntax: str
    metadata: bytes


class Incoming:
    """One instance on its way in. Leaving the `with` block before it was kept leaves nothing behind."""

    def __init__(self, archive: Archive, source: Source, writer: BlobWriter) -> None:
        self._archive = archive
        self._source = source
        self._writer = writer

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes of the Part 10 file. Raises TooLarge above the configured size, StorageFull, Unavailable."""
        if self._writer.size + len(data) > self._archive.max_instance_bytes:
            raise TooLarge(
                f"an instance is larger than {self._archive.max_instance_bytes} bytes",
                safe=gettext(
                    "An instance may have at most %(max_instance_bytes)s bytes.",
                    max_instance_bytes=self._archive.max_instance_bytes,
                ),
            )
        self._writer.write(data)

    def finish(self) -> Prepared | Refused:
        """Read the instance and make its bytes durable, both at once. Raises StorageFull, Unavailable."""
        self._writer.sync()
        prepared = self.read()
        if isinstance(prepared, Prepared):
            self.keep()
        return prepared

    def read(self) -> Prepared | Refused:
        """Walk the header of what was written; what can't be read is refused."""
        buffer = self._writer.buffer()
        try:
            parsed = part10.parse(buffer)
            metadata = dicomjson.to_json(parsed.buf, parsed.elements, bulk_uri=_bulk_path)
            meta = parsed.meta
            keys = columns.of(metadata)
            refused = _check(keys, self._source)
            if refused is not None:
                return refused
            right = file_meta.put_right(meta, keys.sop_class, keys.sop_uid)
            if right is not None:
                self._put_before(right, buffer, meta.dataset_start)
        except Unreadable as error:
            return _refuse(self._source, FailureReason.CANNOT_UNDERSTAND, error.safe)
        finally:
            # The parse may hold views of the map; without them it is closed at once, else with its last one.
            if isinstance(buffer, mmap.mmap):
                parsed = None  # type: ignore[assignment]
                buffer.close()
        blob = Blob(self._writer.digest, self._writer.size)
        return Prepared(keys, blob, meta.transfer_syntax, json_values.deflate(metadata))

    def _put_before(self, meta: bytes, buffer: Buffer, start: int) -> None:
        """Write the instance anew, with another file meta information before its data set."""
        was, self._writer = self._writer, self._archive.blobs.writer()
        try:
            self._writer.write(meta)
            for at in range(start, len(buffer), CHUNK):
                self._writer.write(bytes(buffer[at : at + CHUNK]))
        finally:
            was.__exit__(None, None, None)

    def keep(self) -> None:
        """Make the bytes durable under their digest. Raises StorageFull, Unavailable."""
        self._writer.keep()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def receive(archive: Archive, source: Source) -> Incoming:
    """Begin an instance. Raises StorageFull or Unavailable."""
    return Incoming(archive, source, archive.blobs.writer())


def store(archive: Archive, source: Source, batch: Sequence[Prepared]) -> list[Outcome]:
    """Write the rows of instances whose bytes are durable; outcomes in the order of the batch.

    Raises Unavailable or StorageFull, and then nothing of the batch may be acknowledged: sent again, what was stored is
    found.
    """
    return decided(archive, source, batch, commit(archive, source, batch))


def commit(archive: Archive, source: Source, batch: Sequence[Prepared]) -> list[Outcome | Clash]:
    """The first half of `store`: a transaction that is shared with whoever stores at the same time."""
    return archive.commits.run([(source, one) for one in batch], partial(_store_group, archive))


def decided(
    archive: Archive,
    source: Source,
    batch: Sequence[Prepared],
    committed: Sequence[Outcome | Clash],
    seconds: float = COMPARING,
) -> list[Outcome]:
    """The second half: each clash is found to be the same object or another one.

    That may take its time, so it is nobody's but the sender's: in no transaction, outside of the group's turn, and no
    further comparison begins when `seconds` are over. Raises Unavailable or StorageFull.
    """
    until = time.monotonic() + seconds
    return [
        _decided(archive, source, one, outcome, until) if isinstance(outcome, Clash) else outcome
        for one, outcome in zip(batch, committed, strict=True)
    ]


def _decided(archive: Archive, source: Source, one: Prepared, clash: Clash, until: float) -> Outcome:
    for _ in range(_TRIES):
        if time.monotonic() > until:
            sentence = "It took too long to compare the objects with those that are here already: send fewer at a time."
            return _refuse(source, FailureReason.OUT_OF_RESOURCES, sentence, one.keys)
        try:
            same = same_object(archive.blobs, clash.kept, one.blob.digest)
        except Unavailable as error:
            return _refuse(source, FailureReason.OUT_OF_RESOURCES, error.safe, one.keys)
        if not same:
            return _duplicate(archive, source, one.keys)
        # Sent again, as the bytes that are kept: so whoever sends an object has sent it, in whichever encoding.
        known = replace(one, blob=Blob(clash.kept, one.blob.size))
        outcome: Outcome | Clash
        try:
            outcome = _write(archive, [(source, known)], [row(source, known)], only_known=True)[0]
        except _Gone:
            outcome = commit(archive, source, [one])[0]
        if not isinstance(outcome, Clash):
            return outcome
        clash = outcome
    sentence = "The object is being replaced and deleted again and again: send it later."
    return _refuse(source, FailureReason.OUT_OF_RESOURCES, sentence, one.keys)


class _Gone(Exception):
    """What was known is here no more."""


_Member = tuple[Source, Prepared]


def _store_group(archive: Archive, group: Sequence[_Member]) -> list[Outcome | Clash]:
    try:
        return _store_all(archive, group)
    except DataError as error:
        # The database takes a value of one of them for impossible: that one is refused, the others are stored.
        if len(group) > 1:
            return [outcome for member in group for outcome in _store_group(archive, [member])]
        source, one = group[0]
        _logger.error("instance_not_indexed", reason=str(error), sop_uid=one.keys.sop_uid)
        sentence = "One of the object's attributes holds a value that can't be kept."
        return [_refuse(source, FailureReason.CANNOT_UNDERSTAND, sentence, one.keys)]


def _store_all(archive: Archive, group: Sequence[_Member]) -> list[Outcome | Clash]:
    studies: dict[tuple[str, UUID], list[int]] = {}
    for position, (source, one) in enumerate(group):
        studies.setdefault((one.keys.study_uid, sender_of(source.who)), []).append(position)
    # In one order, so that two groups with studies in common never wait for each other in a circle.
    ordered = sorted(studies)
    batches = [studies[key] for key in ordered]
    batch_rows = [[row(*group[position]) for position in positions] for positions in batches]
    held = [(sender_id, of_study) for (_, sender_id), of_study in zip(ordered, batch_rows, strict=True)]
    added = archive.db.at_once(lambda connection: rows.add(connection, ORIGINAL, held))
    outcomes: dict[int, Outcome | Clash] = {}
    for positions, of_study, written in zip(batches, batch_rows, added, strict=True):
        members = [group[position] for position in positions]
        told = _told(written, members) if written else {}
        left = written.missing(len(members)) if written else list(range(len(members)))
        if left:
            again = _write(archive, [members[n] for n in left], [of_study[n] for n in left])
            told |= {left[n]: outcome for n, outcome in again.items()}
        outcomes |= {positions[n]: outcome for n, outcome in told.items()}
    return [outcomes[position] for position in range(len(group))]


def _write(
    archive: Archive, members: Sequence[_Member], of_study: Sequence[rows.Row], *, only_known: bool = False
) -> dict[int, Outcome | Clash]:
    """Write what a growing study didn't simply get more of. With `only_known`, raises _Gone instead of adding to it."""
    source, one = members[0]
    sender_id = sender_of(source.who)
    with archive.db.transaction() as tx:
        # Asked with every row, here and in `sql.WRITE`: a sender stores nothing from the moment they are locked out.
        if source.made_for is None and principals.locked_out(tx, sender_id):
            sentence = "The sender was locked out."
            return {
                n: _refuse(source, FailureReason.NOT_AUTHORISED, sentence, one.keys)
                for n, (_, one) in enumerate(members)
            }
        written = rows.write(tx, ORIGINAL, sender_id, of_study)
        if only_known and written.inserted:
            raise _Gone
        if written.began_to_grow:
            to = source.audited_case
            audit.record(tx, source.actor, "study.receive", "study", one.keys.study_uid, case_id=to, via=source.via)
    return _told(written, members)


def _told(written: rows.Written, members: Sequence[_Member]) -> dict[int, Outcome | Clash]:
    """What became of each, as far as it is known."""
    missing = written.missing(len(members))
    return {n: _outcome(written, n, *member) for n, member in enumerate(members) if n not in missing}


def row(source: Source, one: Prepared) -> rows.Row:
    """An instance as it is written."""
    return rows.Row(
        one.keys,
        one.blob.digest,
        one.blob.size,
        one.transfer_syntax,
        one.metadata,
        (0, one.blob.size),
        case_id=source.case_id,
        called_ae=source.called_ae,
    )


def _outcome(written: rows.Written, position: int, source: Source, one: Prepared) -> Outcome | Clash:
    if position in written.inserted:
        return Stored(one.keys)
    if position in written.strangers:
        return _refuse(
            source,
            FailureReason.PROCESSING_FAILURE,
            "You sent this study before under another patient's identity. "
            "Check the Patient ID and birth date at the sender, or give the study a new Study Instance UID.",
            one.keys,
        )
    if written.existing[position] == one.blob.digest:
        return AlreadyStored(one.keys)
    return Clash(one.keys, written.existing[position])


def _duplicate(archive: Archive, source: Source, keys: Columns) -> Refused:
    """Refuse other content under a known SOP Instance UID: the first is kept, the attempt audited.

    The other's blob is left to the sweep, which alone knows how to remove one while others store.
    """
    with archive.db.transaction() as tx:
        audit.record(
            tx,
            source.actor,
            "instance.replace",
            "instance",
            keys.sop_uid,
            outcome=audit.REFUSED,
            case_id=source.audited_case,
            via=source.via,
        )
    return _refuse(
        source,
        FailureReason.DUPLICATE,
        "Another object with this SOP Instance UID is stored already; the first one was kept. "
        "A changed object needs a new SOP Instance UID.",
        keys,
    )


def _check(keys: Columns, source: Source) -> Refused | None:
    named = (
        ("Study Instance UID", keys.study_uid),
        ("Series Instance UID", keys.series_uid),
        ("SOP Instance UID", keys.sop_uid),
        ("SOP Class UID", keys.sop_class),
    )
    for what, uid in named:
        if not part10.valid_uid(uid):
            kind = "has no" if not uid else "has an invalid"
            # An invalid UID is never echoed: the answer's own UID attributes must stay valid.
            safe_keys = keys if part10.valid_uid(keys.sop_uid) and part10.valid_uid(keys.sop_class) else None
            return _refuse(source, FailureReason.CANNOT_UNDERSTAND, f"The object {kind} {what}.", safe_keys)
    if source.study_uid is not None and keys.study_uid != source.study_uid:
        return _refuse(
            source,
            FailureReason.MISMATCH,
            "The object belongs to another study than the one in the request's address.",
            keys,
        )
    if source.sop_class is not None and keys.sop_class != source.sop_class:
        # PS3.4 B.2.3: A9xxH, the data set does not match the SOP class.
        return _refuse(
            source,
            FailureReason.MISMATCH,
            "The data set is of another SOP class than the one that the command names.",
            keys,
        )
    if source.sop_uid is not None and keys.sop_uid != source.sop_uid:
        return _refuse(
            source,
            FailureReason.MISMATCH,
            "The data set is another instance than the one that the command names.",
            keys,
        )
    return None


def _refuse(source: Source, reason: FailureReason, sentence: str, keys: Columns | None = None) -> Refused:
    _logger.info(
        "instance_refused",
        reason=reason.name,
        why=sentence,
        sop_uid=keys.sop_uid if keys else None,
        sender=str(source.who.id),
        via=source.via,
    )
    if keys is None:
        return Refused(reason, sentence)
    return Refused(reason, sentence, keys.sop_class, keys.sop_uid)


def _bulk_path(path: tuple[Any, ...]) -> str:
    """A BulkDataURI relative to its instance; whoever serves it puts the instance's address before it."""
    return "bulkdata:" + "/".join(map(str, path))
