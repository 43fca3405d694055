"""What is done with work items (PS3.4 CC.2), by whoever may: see `subscriptions.visible`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from overread.kit import audit, clock, permissions
from overread.kit.errors import BadInput, Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, PrincipalRow, Role
from pacs.dicom import tags
from pacs.dicom.dicomjson import JsonDataset
from pacs.index.datasets import Keys
from pacs.index.models import Study
from pacs.index.scope import ORIGINAL
from pacs.ups import attributes, search, subscriptions
from pacs.ups.attributes import PROGRESS, PUSH, SOP_CLASS, SOP_INSTANCE, STATE
from pacs.ups.models import Workitem
from pacs.ups.states import FINAL, NotPossible, StepRefusal, StepState, check_update, next_state
from pacs.ups.subscriptions import Event, visible

MOST = 1000
#: How long a finished work item is kept where nobody holds it by a deletion lock (PS3.4 CC.2.1.3).
KEPT = timedelta(days=90)


def create(tx: Session, who: Principal, uid: str | None, dataset: JsonDataset) -> str:
    """Make a work item (CC.2.5) and give its UID, a new one where neither request nor data set names it.

    Raises Forbidden, BadInput, and Conflict where the UID is taken.
    """
    permissions.require(who, Permission.WORKLIST_SCHEDULE)
    named = attributes.value(dataset, SOP_INSTANCE)
    if uid is not None and named is not None and named != uid:
        raise BadInput("two UIDs", safe=gettext("The SOP Instance UID of the data set is not the one of the request."))
    uid = uid or (str(named) if named is not None else f"2.25.{uuid.uuid4().int}")
    kept = attributes.created(dataset)
    if tx.scalar(select(Workitem.pk).where(Workitem.uid == uid)) is not None:
        raise Conflict(f"work item {uid} exists", safe=gettext("A work item with this UID exists."))
    assignee = _assignee(tx, kept)
    _check_names_nobody(tx, kept, assignee)
    item = Workitem(uid=uid, attributes=kept, assignee_id=assignee)
    put(tx, item)
    audit.record(tx, who, "workitem.create", "workitem", uid)
    return uid


def put(tx: Session, item: Workitem) -> None:
    """Add a work item and tell those who watch."""
    tx.add(item)
    tx.flush()
    subscriptions.enrol(tx, item)
    if _is_assigned(item.attributes):
        subscriptions.tell(tx, item, Event.ASSIGNED)


def retrieve(tx: Session, who: Principal, uid: str) -> JsonDataset:
    """A work item without its Transaction UID, which is a lock (CC.2.7.3). Raises NotFound."""
    return to_dataset(find(tx, who, uid))


def to_dataset(item: Workitem) -> JsonDataset:
    """A work item as a data set."""
    own = {
        SOP_CLASS: {"vr": "UI", "Value": [PUSH]},
        SOP_INSTANCE: {"vr": "UI", "Value": [item.uid]},
        STATE: {"vr": "CS", "Value": [item.state]},
    }
    return {**item.attributes, **own}


def update(tx: Session, who: Principal, uid: str, changes: JsonDataset, transaction: str | None) -> None:
    """Set attributes (CC.2.6): of a SCHEDULED item by who schedules, of one IN PROGRESS by who holds its lock.

    Raises NotFound, Forbidden, BadInput, NotPossible.
    """
    item = find(tx, who, uid, lock=True)
    _not_following(item)
    check_update(StepState(item.state), item.transaction_uid, transaction)
    if item.state == StepState.SCHEDULED and not permissions.has(who, Permission.WORKLIST_SCHEDULE):
        raise Forbidden(
            f"{who.role} changed a scheduled work item", safe=gettext("Only who schedules changes what is planned.")
        )
    before = item.attributes
    item.attributes = attributes.updated(before, changes)
    assigned = _assignee(tx, item.attributes)
    if assigned != item.assignee_id and not permissions.has(who, Permission.WORKLIST_SCHEDULE):
        raise Forbidden(f"{who.role} reassigned a work item", safe=gettext("Only who schedules says who performs."))
    _check_names_nobody(tx, item.attributes, assigned)
    if assigned != item.assignee_id:
        item.assignee_id = assigned
        tx.flush()
        subscriptions.enrol(tx, item)
    tx.flush()
    if PROGRESS in changes:
        subscriptions.tell(tx, item, Event.PROGRESS)
    if {attributes.HUMANS, attributes.STATION_NAME} & set(changes):
        subscriptions.tell(tx, item, Event.ASSIGNED)
    if attributes.value(before, attributes.READINESS) != attributes.value(item.attributes, attributes.READINESS):
        subscriptions.tell(tx, item, Event.STATE)
    audit.record(tx, who, "workitem.update", "workitem", uid)


def change_state(
    tx: Session, who: Principal, uid: str, requested: StepState, transaction: str | None
) -> StepRefusal | None:
    """Claim, complete or cancel a work item (CC.2.1); a warning where it is in that state already.

    Raises NotFound, NotPossible.
    """
    item = find(tx, who, uid, lock=True)
    _not_following(item)
    found = next_state(StepState(item.state), requested, item.transaction_uid, transaction)
    if isinstance(found, StepRefusal):
        return found
    if found in FINAL and (missing := attributes.missing_for(item.attributes, found)):
        raise NotPossible(StepRefusal.NOT_MET, f"Set {missing} first.")
    if found is StepState.IN_PROGRESS:
        item.transaction_uid = transaction
    move(tx, item, found)
    audit.record(tx, who, f"workitem.{found.value.lower().replace(' ', '_')}", "workitem", uid)
    return None


def move(tx: Session, item: Workitem, state: StepState) -> None:
    """Put a work item into a state that its present one leads to, and tell its subscribers."""
    item.state = state.value
    tx.flush()
    subscriptions.tell(tx, item, Event.STATE)


def request_cancel(tx: Session, who: Principal, uid: str, request: Mapping[str, Any]) -> StepRefusal | None:
    """Ask for a work item to be canceled (CC.2.2): a scheduled one is, who performs it is told otherwise.

    A warning where it is canceled already. Raises NotFound, NotPossible.
    """
    item = find(tx, who, uid, lock=True)
    state = StepState(item.state)
    if state is StepState.CANCELED:
        return StepRefusal.ALREADY_CANCELED
    if state is StepState.COMPLETED:
        raise NotPossible(StepRefusal.COMPLETED)
    if item.subject is not None:
        raise NotPossible(StepRefusal.NOT_CANCELED, "This reading follows its case: end it there.")
    if state is StepState.SCHEDULED:
        if not permissions.has(who, Permission.WORKLIST_SCHEDULE):
            raise Forbidden(
                f"{who.role} canceled a scheduled work item",
                safe=gettext("Only who schedules cancels what is planned."),
            )
        cancel(tx, item, request)
    elif not subscriptions.tell(tx, item, Event.CANCEL_REQUESTED, _cancel_request(who, request)):
        raise NotPossible(StepRefusal.UNREACHABLE, "Nobody has subscribed to this work item.")
    audit.record(tx, who, "workitem.cancel_request", "workitem", uid)
    return None


def cancel(tx: Session, item: Workitem, request: Mapping[str, Any]) -> None:
    """Cancel an item that is not finished, by the server itself: first IN PROGRESS, then CANCELED (CC.2.2.3)."""
    if item.state == StepState.SCHEDULED:
        item.transaction_uid = f"2.25.{uuid.uuid4().int}"
        move(tx, item, StepState.IN_PROGRESS)
    item.attributes = attributes.canceled(item.attributes, request)
    move(tx, item, StepState.CANCELED)


def find_all(
    tx: Session, who: Principal, keys: Keys, limit: int = 100, offset: int = 0
) -> tuple[list[JsonDataset], bool]:
    """The work items that match, oldest first, and whether there are more."""
    limit = max(0, min(limit, MOST))
    statement = select(Workitem).where(visible(who), *search.matches(keys)).order_by(Workitem.pk)
    found = tx.scalars(statement.offset(offset).limit(limit + 1)).all()
    return [to_dataset(item) for item in found[:limit]], len(found) > limit


def find(tx: Session, who: Principal, uid: str, *, lock: bool = False) -> Workitem:
    """A work item that a principal may see; `lock` holds its row until the commit. Raises NotFound."""
    statement = select(Workitem).where(visible(who), Workitem.uid == uid)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found = tx.scalars(statement).one_or_none()
    if found is None:
        raise NotFound(f"no work item {uid} for {who.role} {who.id}", safe=gettext("There is no such work item here."))
    return found


def expire(tx: Session) -> None:
    """Forget finished work items that were kept long enough and that no deletion lock holds."""
    tx.execute(
        delete(Workitem).where(
            Workitem.state.in_([state.value for state in FINAL]),
            Workitem.changed_at < clock.now() - KEPT,
            ~subscriptions.locked(Workitem.pk),
        )
    )


def _assignee(tx: Session, dataset: JsonDataset) -> UUID | None:
    """The specialist whom the Scheduled Human Performers Sequence names. Raises BadInput for anybody else."""
    named = attributes.performers(dataset)
    if not named:
        return None
    person = tx.get(PrincipalRow, named[0])
    if len(named) > 1 or person is None or person.role != Role.SPECIALIST or not person.active:
        raise BadInput(
            "not one specialist", safe=gettext("A work item can be scheduled for one specialist of this server.")
        )
    return person.id


def _check_names_nobody(tx: Session, dataset: JsonDataset, assignee: UUID | None) -> None:
    """What a specialist sees must not say who the patient is. Raises Unprocessable where an attribute does."""
    if assignee is None:
        return
    if telling := attributes.identifying(dataset):
        raise Unprocessable(
            "an identified work item for a specialist",
            safe=gettext(
                "A work item for a specialist may not say who the patient is: leave out %(telling)s.", telling=telling
            ),
        )
    named = attributes.uids(dataset)
    if named and tx.scalar(select(Study.pk).where(Study.view_id == ORIGINAL, Study.study_uid.in_(named)).limit(1)):
        raise Unprocessable(
            "an original in a work item for a specialist",
            safe=gettext("A work item for a specialist may not name original studies, only those of a case's view."),
        )


def _is_assigned(dataset: JsonDataset) -> bool:
    return any(dataset.get(tag, {}).get("Value") for tag in (attributes.HUMANS, attributes.STATION_NAME))


def _not_following(item: Workitem) -> None:
    if item.subject is not None:
        raise Conflict(
            "the work item follows a case",
            safe=gettext("This reading follows its case: accept, sign or refuse it there."),
        )


def _cancel_request(who: Principal, request: Mapping[str, Any]) -> dict[str, Any]:
    """What the performer is told of who asks (CC.2.4-1)."""
    told = {tag: request[tag] for tag in (attributes.REASON, attributes.DISCONTINUATION) if tag in request}
    contact = request.get(tags.ContactDisplayName.key) or {"vr": "LO", "Value": [who.name[:64]]}
    return {
        **told,
        tags.ContactDisplayName.key: contact,
        **({tags.ContactURI.key: request[tags.ContactURI.key]} if tags.ContactURI.key in request else {}),
    }
