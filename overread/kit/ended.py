"""What was ended for good: kept in the database, and in files beside the keys, which never go back in time.

A database that is restored is an older one. It holds what was erased since, and knows nothing of it: the files do.
Each is named by its row, so whoever finds a file without its row knows what to end again (`overread.again`).

Nothing in them names anybody. A case is its identifier. An instance is its row's key and the microsecond in which it
was received: what comes back with an older database has the same, what is sent anew has another. (docs/decisions/0031)
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import clock, db, sealed
from overread.kit.atomic_file import write_once
from overread.kit.db import Base, Database
from overread.kit.errors import OverreadError, StorageFull
from overread.kit.language import gettext

#: How the files' names end.
SUFFIX = ".ended"
_ours = re.compile("[0-9a-f]{32}").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 500

#: An instance's row: its key, and when it was received, in microseconds since 1970.
Row = tuple[int, int]


class EndedRow(Base):
    """Something that was ended; `what` is an `Ended`."""

    __tablename__ = "kit_ended"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    what: Mapped[dict[str, Any]] = mapped_column()


@dataclass(frozen=True, slots=True)
class Ended:
    """What one act ended: cases and instances that were erased, instances that were removed, accounts locked or not."""

    cases: Collection[str] = ()
    erased: Collection[Row] = ()
    removed: Collection[Row] = ()
    locked: Collection[str] = ()
    unlocked: Collection[str] = ()

    def stored(self) -> dict[str, Any]:
        """As JSON, without what is empty."""
        return {name: list(value) for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, what: dict[str, Any]) -> Ended:
        """From JSON. Kinds that this program does not know are left out."""
        known = {one.name for one in fields(cls)}
        found = {name: value for name, value in what.items() if name in known}
        return cls(
            **found | {name: [(one[0], one[1]) for one in found.get(name, ())] for name in ("erased", "removed")}
        )


def microseconds(moment: datetime) -> int:
    """An aware moment as microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def record(tx: Session, ended: Ended) -> None:
    """Remember what this transaction ends. Once it is committed, and before its block is left, the file is written."""
    row = EndedRow(what=ended.stored())
    tx.add(row)
    tx.flush()
    db.after_commit(tx, _writes_down, row.id)


def _writes_down(database: Database, names: Collection[UUID]) -> None:
    if database.ended is not None:
        write_down(database, database.ended, names)


def write_down(database: Database, folder: Path, names: Collection[UUID] | None = None) -> None:
    """Write the file of each of these rows, or of all, that has none, and destroy the keys of the cases among them.

    Raises StorageFull where a file can't be written: what was ended is ended, and the worker tries again.
    """
    if names is None:
        with database.transaction() as tx:
            names = set(tx.scalars(select(EndedRow.id))) - set(written(folder))
    for chunk in _chunks(sorted(names)):
        with database.transaction() as tx:
            rows = tx.scalars(select(EndedRow).where(EndedRow.id.in_(chunk))).all()
        for row in rows:
            try:
                for case in Ended.of(row.what).cases:
                    sealed.destroy(folder, UUID(case))
                content = json.dumps({"at": row.at.isoformat(), **row.what}, sort_keys=True)
                write_once(folder / f"{row.id.hex}{SUFFIX}", content.encode())
            except OSError as error:
                raise StorageFull(
                    f"what was ended can't be remembered: {error}",
                    safe=gettext(
                        "This was done, but it could not be noted outside of the database: the disk may be full. "
                        "That is tried again by itself."
                    ),
                ) from error


def written(folder: Path) -> list[UUID]:
    """The names of the files in a folder, oldest first."""
    return sorted(UUID(hex=path.stem) for path in folder.glob(f"*{SUFFIX}") if _ours(path.stem))


def unknown(database: Database, folder: Path) -> list[UUID]:
    """The files whose row the database does not have, oldest first: it is an older one than they are of."""
    names = written(folder)
    with database.transaction() as tx:
        known = set(tx.scalars(select(EndedRow.id))) if names else set()
    return [name for name in names if name not in known]


def read(folder: Path, name: UUID) -> tuple[datetime, Ended]:
    """A file's content: when it was, and what was ended. Raises OverreadError where it is damaged."""
    path = folder / f"{name.hex}{SUFFIX}"
    try:
        what = json.loads(path.read_bytes())
        return datetime.fromisoformat(what["at"]), Ended.of(what)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise OverreadError(f"{path} is damaged: bring it back from a copy of the folder") from error


def accept(tx: Session, name: UUID, at: datetime, ended: Ended) -> None:
    """Give a file its row: what it tells of was ended again."""
    tx.add(EndedRow(id=name, at=at, what=ended.stored()))


def _chunks(names: list[UUID]) -> list[list[UUID]]:
    return [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
