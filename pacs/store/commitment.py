"""Storage commitment (PS3.4 J): an instance is safe when its blob was read again and is what its digest says.

The same examination serves the web (PS3.18 13) and DIMSE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import audit, clock, jobs, log, principals
from overread.kit.blobs import BlobStore
from overread.kit.db import Base
from overread.kit.errors import Conflict, NotFound, OverreadError
from overread.kit.language import gettext
from overread.kit.principals import Principal, PrincipalRow
from pacs.index import visibility
from pacs.index.models import Instance, Series, Study
from pacs.index.scope import Scope, originals
from pacs.store import damage
from pacs.store.archive import Archive

#: How long a result is kept for whoever asked.
KEPT = timedelta(days=30)
#: More than that is examined in a job while the caller waits for the result elsewhere.
_AT_ONCE, _AT_ONCE_BYTES = 64, 64 << 20
_CHUNK = 200
_logger = log.get(__name__)


class Failure(IntEnum):
    """Why storage is not committed: PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance for which commitment is asked; study and series where the request names them."""

    sop_class: str
    sop_uid: str
    study_uid: str = ""
    series_uid: str = ""


class Commitment(Base):
    """One request. `failures` has a reason or None for each reference that was examined so far."""

    __tablename__ = "pacs_commitment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("kit_principal.id"))
    transaction_uid: Mapped[str] = mapped_column(String(64))
    references: Mapped[list[Any]] = mapped_column()
    failures: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)

    # Of two clients that choose the same UID neither learns of the other.
    __table_args__ = (UniqueConstraint("owner_id", "transaction_uid"),)


@dataclass(frozen=True)
class CommitmentRequested(jobs.Event):
    """A request is too large to be examined while its sender waits; told again until all is examined."""

    name = "pacs.commitment_requested"

    commitment_id: str


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked, and for each reference why it is not committed; `failures` is None while it is examined."""

    references: list[Reference]
    failures: list[Failure | None] | None


def request(archive: Archive, who: Principal, transaction_uid: str, references: Sequence[Reference]) -> Result:
    """Examine what a principal asks about, now or in a job. Raises Forbidden, Conflict where the UID is in use."""
    scope = originals(who)
    with archive.db.transaction() as tx:
        if _find(tx, who, transaction_uid) is not None:
            raise Conflict(
                "the transaction UID is in use",
                safe=gettext("This Transaction UID was used before. Choose another one."),
            )
        later = len(references) > _AT_ONCE or _bytes(tx, scope, references) > _AT_ONCE_BYTES
        if later:
            row = _add(tx, who, transaction_uid, references, [])
            jobs.emit(tx, CommitmentRequested(str(row.id)))
            return Result(list(references), None)
    failures = examine(archive, scope, references)
    with archive.db.transaction() as tx:
        _add(tx, who, transaction_uid, references, failures)
    return Result(list(references), failures)


def result(tx: Session, who: Principal, transaction_uid: str) -> Result:
    """What came of a request of the principal's own. Raises NotFound."""
    originals(who)
    row = _find(tx, who, transaction_uid)
    if row is None:
        raise NotFound(
            "no such commitment request", safe=gettext("There is no request of yours with this Transaction UID.")
        )
    done = len(row.failures) == len(row.references)
    return Result([Reference(**one) for one in row.references], _failures(row.failures) if done else None)


def on_requested(archive: Archive, event: CommitmentRequested) -> None:
    """Examine some more of what a request names, as its sender may see it now; other jobs get their turn between."""
    with archive.db.transaction() as tx:
        row = tx.get(Commitment, UUID(event.commitment_id))
        if row is None:
            return
        owner = tx.get_one(PrincipalRow, row.owner_id)
        done = len(row.failures)
        references = [Reference(**one) for one in row.references[done : done + _CHUNK]]
    if owner.active:
        failures = examine(archive, originals(owner.as_principal(via="job")), references)
    else:
        failures = [Failure.PROCESSING_FAILURE] * len(references)
    with archive.db.transaction() as tx:
        row = tx.get(Commitment, UUID(event.commitment_id), with_for_update=True)
        # A job whose worker died is run again, perhaps beside itself.
        if row is not None and len(row.failures) == done:
            row.failures = [*row.failures, *_kept(failures)]
            if len(row.failures) < len(row.references):
                jobs.emit(tx, event)


def expire(tx: Session) -> None:
    """Forget results that were kept long enough."""
    tx.execute(delete(Commitment).where(Commitment.created_at < clock.now() - KEPT))


def examine(archive: Archive, scope: Scope, references: Sequence[Reference]) -> list[Failure | None]:
    """For each reference why it is not committed, or None. Every blob is read again, whole."""
    failures: list[Failure | None] = []
    for start in range(0, len(references), _CHUNK):
        chunk = references[start : start + _CHUNK]
        with archive.db.transaction() as tx:
            rows = _rows(tx, scope, [one.sop_uid for one in chunk])
        failures += [_examine(archive, _meant(rows.get(one.sop_uid, []), one), one) for one in chunk]
    return failures


def _meant(rows: Sequence[Any], asked: Reference) -> Any:
    """The instance that a reference names, of those of several senders with its UID; None where there is none."""

    def agrees(row: Any) -> tuple[bool, bool]:
        named = (row.study_uid, row.series_uid) == (asked.study_uid, asked.series_uid)
        return named or not asked.study_uid, row.sop_class == asked.sop_class

    # Of equals the first that came.
    return max(rows, key=agrees, default=None)


def _examine(archive: Archive, row: Any, asked: Reference) -> Failure | None:
    if row is None:
        return Failure.NO_SUCH_OBJECT_INSTANCE
    if asked.study_uid and (asked.study_uid, asked.series_uid) != (row.study_uid, row.series_uid):
        return Failure.NO_SUCH_OBJECT_INSTANCE
    if asked.sop_class != row.sop_class:
        return Failure.CLASS_INSTANCE_CONFLICT
    if _intact(archive.blobs, row.blob, row.blob_size):
        return None
    damage.report(archive, {row.blob: asked.sop_uid})
    return Failure.PROCESSING_FAILURE


def _intact(blobs: BlobStore, digest: str, size: int) -> bool:
    found = hashlib.sha256()
    try:
        for chunk in blobs.stream(digest, 0, size):
            found.update(chunk)
    # Whatever keeps a blob from being read keeps it from being committed.
    except (OverreadError, OSError) as error:
        _logger.error("blob_not_readable", blob=digest, reason=str(error))
        return False
    return found.hexdigest() == digest


def _rows(tx: Session, scope: Scope, sop_uids: Sequence[str]) -> dict[str, list[Any]]:
    statement = (
        select(
            Instance.sop_uid, Instance.sop_class, Instance.blob, Instance.blob_size, Study.study_uid, Series.series_uid
        )
        .join(Study, Study.pk == Instance.study_pk)
        .join(Series, Series.pk == Instance.series_pk)
        .where(visibility.studies(scope), visibility.instances(scope), Instance.sop_uid.in_(sop_uids))
        .order_by(Instance.pk)
    )
    found: dict[str, list[Any]] = {}
    for row in tx.execute(statement):
        found.setdefault(row.sop_uid, []).append(row)
    return found


def _bytes(tx: Session, scope: Scope, references: Sequence[Reference]) -> int:
    uids = [one.sop_uid for one in references]
    statement = (
        select(func.coalesce(func.sum(Instance.blob_size), 0))
        .join(Study, Study.pk == Instance.study_pk)
        .where(visibility.studies(scope), visibility.instances(scope), Instance.sop_uid.in_(uids))
    )
    return int(tx.scalar(statement) or 0)


def _find(tx: Session, who: Principal, transaction_uid: str) -> Commitment | None:
    return tx.scalars(
        select(Commitment).where(Commitment.owner_id == who.id, Commitment.transaction_uid == transaction_uid)
    ).one_or_none()


def _add(
    tx: Session,
    who: Principal,
    transaction_uid: str,
    references: Sequence[Reference],
    failures: Sequence[Failure | None],
) -> Commitment:
    # Asked at the same time from two places, the second is told so.
    principals.lock(tx, who.id)
    if _find(tx, who, transaction_uid) is not None:
        raise Conflict(
            "the transaction UID is in use", safe=gettext("This Transaction UID was used before. Choose another one.")
        )
    row = Commitment(
        owner_id=who.id,
        transaction_uid=transaction_uid,
        references=[asdict(one) for one in references],
        failures=_kept(failures),
    )
    tx.add(row)
    tx.flush()
    audit.record(tx, who, "commitment.request", "transaction", transaction_uid, instances=len(references))
    return row


def _kept(failures: Sequence[Failure | None]) -> list[int | None]:
    return [None if one is None else int(one) for one in failures]


def _failures(kept: Sequence[Any]) -> list[Failure | None]:
    return [None if one is None else Failure(one) for one in kept]


def committed(found: Result) -> Iterator[tuple[Reference, Failure | None]]:
    """Each reference with its failure. The result must be there."""
    assert found.failures is not None
    yield from zip(found.references, found.failures, strict=True)
