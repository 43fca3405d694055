"""The audit log: who did or tried what, to which object, when, and how it ended. Rows are only ever added.

Two things change in lines that are there: a look's goes on until it is over (`overread.kit.audit_looks`), and an erased
case's lines stay without whose it was (`forget`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, CursorResult, Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from overread.kit import clock
from overread.kit.db import Base, Connection, reading
from overread.kit.paging import Keyset, Page
from overread.kit.principals import Principal, Role

SUCCESS, REFUSED, FAILED = "success", "refused", "failed"


class AuditRow(Base):
    """One line of the audit log. `object_id` is a UID or UUID, `detail` holds no name of a patient."""

    __tablename__ = "kit_audit"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=clock.uuid7)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    actor_id: Mapped[UUID | None] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    object_kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(200), index=True)
    outcome: Mapped[str] = mapped_column(String(16))
    case_id: Mapped[UUID | None] = mapped_column(index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: Of looks: when they ended, or were last seen going on.
    until: Mapped[datetime | None] = mapped_column()
    #: Of looks: how many instances were given in them, one that was given twice counted twice.
    instances: Mapped[int | None] = mapped_column()
    #: Of a look that may go on: a digest of all that makes a request belong to it.
    look: Mapped[bytes | None] = mapped_column(unique=True)

    # The order of lists (`NEWEST`): a page is read from where it begins, however long the log is.
    __table_args__ = (Index("ix_kit_audit_at_id", "at", "id"),)


_SYSTEM = (None, "system", "system")
_ADD = """
INSERT INTO kit_audit (id, at, actor_id, actor, role, action, object_kind, object_id, outcome, case_id, detail)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def record(
    tx: Session | Connection,
    who: Principal | None,
    action: str,
    object_kind: str,
    object_id: object,
    *,
    outcome: str = SUCCESS,
    case_id: UUID | None = None,
    physician: str = "",
    **detail: Any,
) -> None:
    """Add a line. `who` is None for the system itself and for strangers; `physician`: one's name who has no account."""
    actor = (who.id, who.name, who.role.value) if who else (None, physician, "physician") if physician else _SYSTEM
    what = (action, object_kind, str(object_id)[:200], outcome, case_id, Jsonb(detail))
    reading(tx).execute(_ADD, (clock.uuid7(), clock.now(), *actor, *what))


#: A treating physician, who has no account, tells of the patient too.
_NO_PERSON = """
UPDATE kit_audit SET actor = 'a ' || role, actor_id = NULL, look = NULL
WHERE case_id = %(case)s AND role IN ('patient', 'physician')
"""
_NO_OBJECT = """
UPDATE kit_audit SET object_id = 'erased', detail = '{}', instances = NULL, look = NULL
WHERE (case_id = %(case)s AND object_kind IN ('study', 'series', 'instance'))
   OR (object_kind IN ('study', 'series', 'instance') AND object_id = ANY(%(uids)s))
"""
_NO_DETAIL = """
UPDATE kit_audit SET detail = '{}' WHERE case_id = %(case)s AND action NOT LIKE 'case.%%' AND detail <> '{}'
"""


def forget(tx: Session, case_id: UUID, uids: Collection[str]) -> None:
    """Take out of a case's lines who its patient was and which studies they were; what was done, and when, stays.

    `uids` are of the case's studies and instances, whose lines may name no case.
    """
    for statement in (_NO_PERSON, _NO_OBJECT, _NO_DETAIL):
        reading(tx).execute(statement, {"case": case_id, "uids": sorted(uids)})


def sweep(tx: Session, lasts: timedelta, goes: ColumnElement[bool], most: int) -> int:
    """Delete some of the lines, oldest first, that tell of nothing younger than `lasts` and that `goes` means."""
    before = clock.now() - lasts
    # What a look's line tells ends later than it begins, by half a day at most.
    old = select(AuditRow.id).where(AuditRow.at < before, func.coalesce(AuditRow.until, AuditRow.at) < before, goes)
    gone = tx.execute(delete(AuditRow).where(AuditRow.id.in_(old.order_by(AuditRow.at, AuditRow.id).limit(most))))
    return cast(CursorResult[Any], gone).rowcount


#: Of lists, newest first: two lines of one moment are told apart by their ids.
NEWEST = Keyset(AuditRow.at, AuditRow.id, descending=True)


def read(
    tx: Session, who: Principal, *, case_id: UUID | None = None, after: str = "", limit: int = 200
) -> Page[AuditRow]:
    """The newest lines first: all for auditors and admins, a case's for coordinators, else the caller's own."""
    query = select(AuditRow)
    if who.role not in (Role.ADMIN, Role.AUDITOR) and not (who.role is Role.COORDINATOR and case_id is not None):
        query = query.where(AuditRow.actor_id == who.id)
    if case_id is not None:
        query = query.where(AuditRow.case_id == case_id)
    return NEWEST.page(tx, query, after, limit)
