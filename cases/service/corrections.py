"""What a case says of its patient is mended: name, birth date, sex. Everything that is made later says it as it is now.

Once the report is published nothing is mended here: it keeps what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from cases import notify, parts
from cases.models import Step
from cases.patient_fields import require_birth_date, require_sex
from cases.repository import load
from cases.service import studies
from cases.states import LABELS, OPEN, Actor, CaseState, RecordEvent
from overread.kit import audit
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import one_line, trimmed

_MOST_NAME, _MOST_REASON = 200, 2_000


@dataclass(frozen=True, slots=True)
class Identity:
    """What a case says of its patient. `sex` is F, M, O or empty (PS3.3 C.2.2.2)."""

    name: str
    birth_date: date | None
    sex: str


def correct(
    tx: Session, who: Principal, case_id: UUID, now: Identity, reason: str, *, instead_of: Identity | None = None
) -> None:
    """Say who the patient is, with the reason; the studies are compared anew, and copies of another name are remade.

    `instead_of`: what `who` was shown. The same again changes nothing. Raises Forbidden, NotFound, Unprocessable;
    Conflict where the case is not under way, its report is published, or somebody corrected it meanwhile.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_CORRECT, case_id)
    now, reason = _checked(now), trimmed(reason)
    before = Identity(case.patient_name, case.birth_date, case.sex)
    told = _told(before, now, reason)
    if now == before:
        return
    # A published report says who its patient is: it is corrected by another version, not under its reader's eyes.
    if case.state not in OPEN - {CaseState.PUBLISHED}:
        raise Conflict(
            f"correction of case {case_id}, which is {case.state}",
            safe=gettext("This is not possible while the case is “%(state)s”.", state=LABELS[case.state]),
        )
    if instead_of is not None and instead_of != before:
        raise Conflict(
            f"another identity of case {case_id}",
            safe=gettext("Somebody has corrected this meanwhile. Look at what it says now, then decide again."),
        )
    if not reason or len(reason) > _MOST_REASON:
        raise Unprocessable("no reason", safe=gettext("Please give a reason."))
    case.patient_name, case.birth_date, case.sex = now.name, now.birth_date, now.sex
    tx.add(
        Step(
            case_id=case.id,
            actor_id=who.id,
            actor=Actor.COORDINATOR.value,
            event=RecordEvent.CORRECT.value,
            source=case.state.value,
            target=case.state.value,
            reason=told,
        )
    )
    tx.flush()
    # Neither the names nor the reason: the audit log knows nobody's.
    audit.record(tx, who, "case.correct", "case", case.id, case_id=case.id)
    studies.recheck(tx, who, case, renamed=now.name != before.name)
    notify.queue_patient(tx, case, "corrected")


def _checked(now: Identity) -> Identity:
    name = one_line(now.name)
    if not name or len(name) > _MOST_NAME:
        raise Unprocessable("name", safe=gettext("Please give the patient’s full name."))
    require_birth_date(now.birth_date)
    require_sex(now.sex)
    return Identity(name, now.birth_date, now.sex)


def _told(before: Identity, now: Identity, reason: str) -> str:
    """What was changed and why, for the history."""
    pairs = (
        (gettext("Name"), before.name, now.name),
        (gettext("Birth date"), f"{before.birth_date or '–'}", f"{now.birth_date or '–'}"),
        (gettext("Sex"), before.sex or "–", now.sex or "–"),
    )
    changed = [f"{label}: {old} → {new}." for label, old, new in pairs if old != new]
    return " ".join([*changed, reason])
