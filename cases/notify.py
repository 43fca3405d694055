"""Mails: templates without health data, kept in the transaction that causes them and sent by a job after it.

A mail says that something waits behind a sign-in, and by when: no name, no body part, no finding, no image. The facts
that a template may use are those of `_facts` and nothing else. How it reads in the end, `cases.mail_rendering` makes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from cases import delegations, events, owners
from cases.models import Case, Message
from overread.kit import jobs, principals, zones
from overread.kit.principals import PrincipalRow, Role

#: The one mail to an account's owner that goes to an address which nobody has confirmed.
CONFIRMATION = "confirm_address"
#: Its link lets whoever reads the address's mail act for somebody, once they have signed in.
INVITATION = "delegate_invited"
#: Its link shows whoever has signed in what was prepared for them, once they have said the birth date.
REFERRAL = "referral_invited"
#: Its link shows whoever has the code, which no mail holds, a patient's report.
PHYSICIAN = "physician_link"
#: What every coordinator hears of, whoever looks after the case.
_FOR_ALL = frozenset(("incident", "recall_incident", "due_passed"))


def queue(tx: Session, case: Case | None, recipient_id: UUID, template: str, **facts: Any) -> None:
    """Keep a mail and have it sent once this transaction is committed; who has no address gets none."""
    person = tx.get(PrincipalRow, recipient_id)
    if person is None or not person.active or not person.email:
        return
    message = Message(
        case_id=case.id if case else None,
        recipient_id=recipient_id,
        template=template,
        facts=_facts(case, facts, zone_of(person, case)),
    )
    _keep(tx, message)


def queue_patient(tx: Session, case: Case, template: str, **facts: Any) -> None:
    """The same to a case's patient, and to those who represent them."""
    for recipient_id in (case.patient_id, *delegations.representatives(tx, case.patient_id)):
        queue(tx, case, recipient_id, template, **facts)


def queue_confirmation(tx: Session, recipient_id: UUID, address: str) -> None:
    """Have a link sent to the address that a person typed and has not confirmed, unless they change it before.

    The link is made when it is sent and is nowhere but in the mail, so a copy of the database confirms nothing.
    """
    _keep(tx, Message(recipient_id=recipient_id, template=CONFIRMATION, facts={"to": address}))


def queue_invitation(
    tx: Session, template: str, invited_id: UUID, address: str, case: Case | None = None, **facts: Any
) -> None:
    """Have the link of an invitation sent, which is made when it is sent, as that of a confirmation is."""
    queue_address(tx, address, template, case, invited=str(invited_id), **facts)


def queue_address(tx: Session, address: str, template: str, case: Case | None = None, **facts: Any) -> None:
    """Keep a mail to an address that is nobody's account, and that asked for it or was named by a patient."""
    _keep(tx, Message(case_id=case.id if case else None, template=template, facts={"to": address, **facts}))


def _keep(tx: Session, message: Message) -> None:
    tx.add(message)
    tx.flush()
    jobs.emit(tx, events.MailQueued(str(message.id)))


def queue_coordinators(tx: Session, case: Case | None, template: str, **facts: Any) -> None:
    """The same to the coordinator who looks after a case, at once: of what can wait `cases.digest` tells.

    To all of them where nobody does, and of what may not wait until one person is back.
    """
    if case is None or template in _FOR_ALL:
        people = principals.with_role(tx, Role.COORDINATOR)
    else:
        people = owners.hear(tx, case)
    for person in people:
        queue(tx, case, person.id, template, **facts)


def queue_admins(tx: Session, case: Case | None, template: str, **facts: Any) -> None:
    """The same to every admin."""
    for person in principals.with_role(tx, Role.ADMIN):
        queue(tx, case, person.id, template, **facts)


def zone_of(person: PrincipalRow, case: Case | None = None) -> str:
    """The zone that somebody's mails are written in: their own, else that of the case's program."""
    return person.zone or (case.program.zone if case else zones.DEFAULT)


def moment(at: datetime, zone: str) -> dict[str, str]:
    """A moment as a mail's facts keep it: it is written out once the mail's language is known."""
    return {"at": at.isoformat(), "zone": zone}


def _facts(case: Case | None, more: dict[str, Any], zone: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if case is not None:
        facts = {"reference": case.reference, "due": moment(case.due_at, zone) if case.due_at else None}
    return facts | {k: moment(v, zone) if isinstance(v, datetime) else v for k, v in more.items()}
