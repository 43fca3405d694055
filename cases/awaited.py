"""A patient whose hospital is to send the images, and sends nothing: reminded until they are here."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import events, notify
from cases.guards import waits_for_images
from cases.models import Case, Message
from cases.states import CaseState
from overread.kit import clock, jobs

#: Days after a request was sent at which its patient is reminded that the hospital was asked.
REMINDERS = (3, 7)
_TEMPLATE = "images_awaited"


def ask(tx: Session, case: Case) -> None:
    """A request was sent without the images that it needs: ask for the reminders."""
    for days in REMINDERS:
        jobs.emit(tx, events.ImagesAwaited(str(case.id), days), after=timedelta(days=days))


def remind(tx: Session, case: Case | None, event: events.ImagesAwaited) -> None:
    """Tell the patient, once, that nothing has come; nothing where it came, or where the case went on or ended.

    One that fires so late that the next one's moment has come leaves it to that one.
    """
    if case is None or case.submitted_at is None or case.due_at is not None:
        return
    if case.state not in (CaseState.SUBMITTED, CaseState.NEEDS_INFO) or not waits_for_images(tx, case):
        return
    if any(clock.now() >= case.submitted_at + timedelta(days=later) for later in REMINDERS if later > event.days):
        return
    told = select(Message.facts).where(Message.case_id == case.id, Message.template == _TEMPLATE)
    if all(facts["days"] != event.days for facts in tx.scalars(told)):
        notify.queue_patient(tx, case, _TEMPLATE, days=event.days)
