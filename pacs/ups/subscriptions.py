"""Who is told of a work item: PS3.4 CC.2.3 (subscribe) and CC.2.4 (report an event).

A subscriber is an AE title of one principal. What a principal may not see is not reported to them, also where they
subscribed while they could. Reports wait in the database until the subscriber's channel takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from overread.kit import clock, permissions
from overread.kit.errors import NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role
from pacs.dicom import tags
from pacs.index.datasets import Keys
from pacs.ups import attributes, search
from pacs.ups.attributes import CANCELED_AT, DISCONTINUATION, PROGRESS, READINESS, REASON, STATE, value
from pacs.ups.models import Report, Subscription, Watch, Workitem

#: The well-known UIDs that stand for all work items, and for those that a filter lets through (CC.2.3.1, CC.3.1).
GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"
#: How long a report waits for its subscriber.
KEPT = timedelta(days=7)


class Event(IntEnum):
    """Event Type ID (0000,1002): PS3.4 Table CC.2.4-1."""

    STATE = 1
    CANCEL_REQUESTED = 2
    PROGRESS = 3
    ASSIGNED = 5


def visible(who: Principal) -> ColumnElement[bool]:
    """The work items that a principal may see: all for coordinators and admins, a specialist's own.

    Raises Forbidden for everybody else, and for viewers' tokens.
    """
    permissions.require(who, Permission.WORKLIST_SUBSCRIBE)
    return Workitem.assignee_id == who.id if who.role is Role.SPECIALIST else true()


def _sees() -> ColumnElement[bool]:
    """The same as a condition on a principal's row joined to a work item's."""
    return and_(
        PrincipalRow.active,
        or_(
            PrincipalRow.role.in_((Role.COORDINATOR.value, Role.ADMIN.value)),
            and_(PrincipalRow.role == Role.SPECIALIST.value, Workitem.assignee_id == PrincipalRow.id),
        ),
    )


def subscribe(tx: Session, who: Principal, subscriber: str, item: Workitem, *, deletion_lock: bool) -> None:
    """Tell a subscriber of one work item from now on, and of its present state (CC.2.3.3)."""
    _put(tx, item, [(who.id, subscriber, deletion_lock)])
    _report(tx, item, [(who.id, subscriber)], Event.STATE, _state(item))


def watch(tx: Session, who: Principal, subscriber: str, keys: Keys, *, deletion_lock: bool) -> None:
    """Tell a subscriber of every work item, or of those that keys match, whenever they are made (CC.2.3.3)."""
    values = {"deletion_lock": deletion_lock, "keys": dict(keys)}
    tx.execute(
        insert(Watch)
        .values(principal_id=who.id, subscriber=subscriber, **values)
        .on_conflict_do_update(index_elements=[Watch.principal_id, Watch.subscriber], set_=values)
    )
    for item in tx.scalars(select(Workitem).where(visible(who), *search.matches(keys)).order_by(Workitem.pk)):
        subscribe(tx, who, subscriber, item, deletion_lock=deletion_lock)


def unwatch(tx: Session, who: Principal, subscriber: str) -> None:
    """Subscribe to nothing new; what is subscribed to stays (suspend, CC.2.3.3). Raises NotFound."""
    permissions.require(who, Permission.WORKLIST_SUBSCRIBE)
    gone = tx.execute(
        delete(Watch).where(Watch.principal_id == who.id, Watch.subscriber == subscriber).returning(Watch.subscriber)
    ).all()
    if not gone:
        raise NotFound("no global subscription", safe=gettext("This AE title has no global subscription of yours."))


def unsubscribe(tx: Session, who: Principal, subscriber: str, item: Workitem | None) -> None:
    """Tell a subscriber no more: of one work item, or of any (None). Raises NotFound where it was told of none."""
    permissions.require(who, Permission.WORKLIST_SUBSCRIBE)
    statement = delete(Subscription).where(Subscription.principal_id == who.id, Subscription.subscriber == subscriber)
    if item is not None:
        statement = statement.where(Subscription.workitem_pk == item.pk)
    gone = len(tx.execute(statement.returning(Subscription.pk)).all())
    if item is None:
        mine = delete(Watch).where(Watch.principal_id == who.id, Watch.subscriber == subscriber)
        gone += len(tx.execute(mine.returning(Watch.subscriber)).all())
    if not gone:
        raise NotFound("no subscription", safe=gettext("This AE title has no such subscription of yours."))


def enrol(tx: Session, item: Workitem) -> None:
    """Subscribe the global subscribers who may see a work item that is new, or newly theirs, and report its state."""
    seen = (
        select(Watch).join(PrincipalRow, PrincipalRow.id == Watch.principal_id).where(Workitem.pk == item.pk, _sees())
    )
    new: list[tuple[Any, str]] = []
    for one in tx.scalars(seen.order_by(Watch.principal_id, Watch.subscriber)).all():
        fits = select(Workitem.pk).where(Workitem.pk == item.pk, *search.matches(one.keys))
        if tx.scalar(fits) is None:
            continue
        new += _put(tx, item, [(one.principal_id, one.subscriber, one.deletion_lock)])
    _report(tx, item, new, Event.STATE, _state(item))


def tell(tx: Session, item: Workitem, event: Event, more: Mapping[str, Any] | None = None) -> int:
    """Report an event of a work item to its subscribers; returns how many there are."""
    told = tx.execute(
        select(Subscription.principal_id, Subscription.subscriber)
        .join(Workitem, Workitem.pk == Subscription.workitem_pk)
        .join(PrincipalRow, PrincipalRow.id == Subscription.principal_id)
        .where(Workitem.pk == item.pk, _sees())
        .order_by(Subscription.pk)
    ).all()
    bodies = {
        Event.STATE: _state(item),
        Event.PROGRESS: {PROGRESS: item.attributes[PROGRESS]} if PROGRESS in item.attributes else {},
        Event.ASSIGNED: {
            tag: item.attributes[tag]
            for tag in (attributes.STATION_NAME, attributes.HUMANS)
            if item.attributes.get(tag, {}).get("Value")
        },
    }
    _report(
        tx, item, [(row.principal_id, row.subscriber) for row in told], event, {**bodies.get(event, {}), **(more or {})}
    )
    return len(told)


def locked(item: Any) -> ColumnElement[bool]:
    """Whether a deletion lock is on a work item."""
    return select(Subscription.pk).where(Subscription.workitem_pk == item, Subscription.deletion_lock).exists()


def pending(tx: Session, who: Principal, subscriber: str, limit: int = 100) -> list[tuple[int, dict[str, Any]]]:
    """The reports that wait for a subscriber, oldest first, with the keys by which they are taken away."""
    permissions.require(who, Permission.WORKLIST_SUBSCRIBE)
    rows = tx.execute(
        select(Report.pk, Report.payload)
        .where(Report.principal_id == who.id, Report.subscriber == subscriber)
        .order_by(Report.pk)
        .limit(limit)
    )
    return [(pk, payload) for pk, payload in rows]


def delivered(tx: Session, who: Principal, pks: Sequence[int]) -> None:
    """A subscriber has these reports."""
    tx.execute(delete(Report).where(Report.pk.in_(pks), Report.principal_id == who.id))


def expire(tx: Session) -> None:
    """Forget reports that nobody came for."""
    tx.execute(delete(Report).where(Report.at < clock.now() - KEPT))


def _put(tx: Session, item: Workitem, subscribers: Sequence[tuple[Any, str, bool]]) -> list[tuple[Any, str]]:
    """Subscribe; a deletion lock is put on or taken off where the subscription exists. Returns those that are new."""
    new = []
    for principal_id, subscriber, lock in subscribers:
        before = tx.scalars(
            select(Subscription).where(
                Subscription.workitem_pk == item.pk,
                Subscription.principal_id == principal_id,
                Subscription.subscriber == subscriber,
            )
        ).one_or_none()
        if before is not None:
            before.deletion_lock = lock
            continue
        tx.execute(
            insert(Subscription)
            .values(workitem_pk=item.pk, principal_id=principal_id, subscriber=subscriber, deletion_lock=lock)
            .on_conflict_do_nothing()
        )
        new.append((principal_id, subscriber))
    return new


def _state(item: Workitem) -> dict[str, Any]:
    """A UPS State Report's attributes."""
    found = {STATE: {"vr": "CS", "Value": [item.state]}}
    if (readiness := value(item.attributes, READINESS)) is not None:
        found[READINESS] = {"vr": "CS", "Value": [readiness]}
    for progress in attributes.items(item.attributes, PROGRESS):
        found |= {tag: progress[tag] for tag in (REASON, DISCONTINUATION, CANCELED_AT) if tag in progress}
    return found


def _report(
    tx: Session, item: Workitem, subscribers: Sequence[tuple[Any, str]], event: Event, body: Mapping[str, Any]
) -> None:
    if not subscribers:
        return
    # PS3.7 Table 10.3-1; PS3.18 8.10.5
    payload = {
        tags.AffectedSOPClassUID.key: {"vr": "UI", "Value": [attributes.EVENT]},
        tags.CommandField.key: {"vr": "US", "Value": [0x0100]},
        tags.CommandDataSetType.key: {"vr": "US", "Value": [0]},
        tags.AffectedSOPInstanceUID.key: {"vr": "UI", "Value": [item.uid]},
        tags.EventTypeID.key: {"vr": "US", "Value": [int(event)]},
        **body,
    }
    tx.execute(
        insert(Report), [{"principal_id": who, "subscriber": name, "payload": payload} for who, name in subscribers]
    )
