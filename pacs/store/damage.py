"""Blobs that are missing or damaged: what is given without them, and the alarm that somebody hears.

A look at the folder tells before anything is sent whether a blob is there and has its size; whether its bytes are still
those of its name is told by reading it whole, which `overread verify`, a storage commitment and the hourly look again
do. What was found is kept until it is whole again, counted in /metrics, and told by mail (docs/decisions/0032).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import String, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from overread.kit import clock, jobs, log
from overread.kit.db import Base
from overread.kit.errors import NotFound
from overread.kit.language import Phrase, gettext
from pacs.index.events import BlobsDamaged
from pacs.index.models import Instance
from pacs.store.archive import Archive

#: Whoever was told is not told again of what is found so soon after: a disk that dies takes many.
_QUIET = timedelta(hours=1)
_CHUNK = 500
_logger = log.get(__name__)


class DamagedBlob(Base):
    """A blob that an instance names, and that was found missing or damaged."""

    __tablename__ = "pacs_damaged_blob"

    blob: Mapped[str] = mapped_column(String(64), primary_key=True)
    found_at: Mapped[datetime] = mapped_column(default=clock.now)


class Lost(NotFound):
    """Nothing of what was asked for can be given: its files are missing or damaged."""

    title = Phrase("The image's file is missing")
    default_safe = Phrase("The image's file is missing or damaged on our side. Whoever runs this server is told.")


class Kept(Protocol):
    """What is made of a blob: an instance, located or as its row."""

    @property
    def sop_uid(self) -> str: ...  # noqa: D102
    @property
    def blob(self) -> str: ...  # noqa: D102
    @property
    def blob_size(self) -> int: ...  # noqa: D102


_K = TypeVar("_K", bound=Kept)


def is_here(archive: Archive, one: Kept) -> bool:
    """Whether an instance's blob is there and has its size; a look that costs next to nothing."""
    return archive.blobs.has(one.blob, one.blob_size)


def here(archive: Archive, found: Sequence[_K]) -> list[_K]:
    """Those of some instances whose blobs are here; the others are reported.

    Raises Lost where none is left, NotFound where they went meanwhile.
    """
    left = [one for one in found if is_here(archive, one)]
    if len(left) < len(found):
        damaged = report(archive, {one.blob: one.sop_uid for one in found if not is_here(archive, one)})
        if not left and not damaged:
            raise NotFound(
                "the instances went meanwhile", safe=gettext("There is no such study, series or instance here.")
            )
        if not left:
            raise Lost(f"the blobs of {len(found)} instances are missing or damaged")
    return left


def report(archive: Archive, blobs: Mapping[str, str]) -> set[str]:
    """Keep, log and tell that blobs (with the SOP Instance UID of an instance of each) are missing or damaged.

    What is being erased is no damage: only blobs that an instance still names count, and are given back.
    """
    with archive.db.transaction() as tx:
        named = set(tx.scalars(select(Instance.blob).where(Instance.blob.in_(blobs)).distinct()))
        if not named:
            return named
        last = tx.scalar(select(func.max(DamagedBlob.found_at)))
        values = [{"blob": blob, "found_at": clock.now()} for blob in sorted(named)]
        new = tx.scalars(insert(DamagedBlob).values(values).on_conflict_do_nothing().returning(DamagedBlob.blob)).all()
        if new and (last is None or last < clock.now() - _QUIET):
            jobs.emit(tx, BlobsDamaged(len(new)))
    for blob in sorted(named):
        _logger.error("blob_damaged", blob=blob, instance=blobs[blob])
    return named


def look_again(archive: Archive) -> int:
    """Forget blobs that are whole again, or that no instance names any more; how many are left."""
    with archive.db.transaction() as tx:
        known = list(tx.scalars(select(DamagedBlob.blob).order_by(DamagedBlob.blob)))
    left = len(known)
    for start in range(0, len(known), _CHUNK):
        chunk = known[start : start + _CHUNK]
        with archive.db.transaction() as tx:
            named = set(tx.scalars(select(Instance.blob).where(Instance.blob.in_(chunk)).distinct()))
        over = [blob for blob in chunk if blob not in named or archive.blobs.is_whole(blob)]
        with archive.db.transaction() as tx:
            tx.execute(delete(DamagedBlob).where(DamagedBlob.blob.in_(over)))
        left -= len(over)
    return left
