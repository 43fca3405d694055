"""What coordinators are to look at, gathered into one mail a coordinator and period.

What happens leaves a notice in its own transaction (`note`). Once the oldest is as old as the period, the worker takes
all of them away and queues the mails in one transaction more (`send`), so that each is told once, whoever dies when.
Told is how things stand then: what somebody has done meanwhile is left out, and where nothing is left no mail goes.
What can't wait (an incident, damage, money) is a mail of its own (`notify.queue_coordinators`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Uuid, any_, delete, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from cases import notify, owners
from cases.models import Case, CaseStudy, InboxStudy, Notice
from cases.repository import same_number, waits
from cases.states import ENDED, OPEN, CaseState, StudyState
from overread.kit import clock, principals, zones
from overread.kit.principals import Role
from overread.kit.words import counted

#: A line of a mail, and the page that it points to.
Entry = tuple[str, str]
#: Cases that one mail names; of the others it says how many they are.
MOST_CASES = 20
#: Notices of the inbox, which name one of its studies.
ITEMS = ("unmatched", "apart")
#: Notices of a case, while it stands where it stood then, and in words.
_CASES: Mapping[str, tuple[CaseState | None, str]] = {
    "new_case": (CaseState.SUBMITTED, "a new request{due}"),
    "offer_refused": (CaseState.READY, "the offer was declined or has run out: choose another specialist"),
    "next_asked": (CaseState.OFFERED, "the offer was declined or has run out: the next specialist was asked"),
    "nobody_left": (CaseState.READY, "nobody else can be asked: the reasons stand beside the names"),
    "signed": (CaseState.SIGNED, "the report is signed: publish it"),
    "version_signed": (None, "a correction or addition is signed: publish it"),
    "new_message": (None, "a message from the patient"),
    "visit_asked": (None, "the patient asks for a visit: answer under Aftercare"),
    "testimonial": (None, "words for the public pages: decide under Aftercare"),
    "mail_failed": (None, "a mail did not arrive"),
}
#: Notices of studies of a case, while some are in this state.
_STUDIES: Mapping[str, tuple[StudyState, str, str]] = {
    "mismatch": (StudyState.MISMATCH, "study of another identity: decide", "studies of another identity: decide"),
    "unreadable": (StudyState.UNREADABLE, "study that can't be read", "studies that can't be read"),
    "deid_review": (StudyState.DEID_REVIEW, "study to check and release", "studies to check and release"),
}
KINDS = frozenset((*ITEMS, *_CASES, *_STUDIES))


@dataclass(frozen=True, slots=True)
class Line:
    """What is told of a case, with a place for its due time in the reader's zone."""

    case_id: UUID
    text: str
    due_at: datetime | None


#: Two workers don't send at once.
_LOCK = func.pg_try_advisory_xact_lock(func.hashtextextended("digest", 0))


def note(tx: Session, kind: str, case: Case | None = None, item: InboxStudy | None = None) -> None:
    """Have the coordinators' next mail tell of a case, or of a study in the inbox."""
    assert kind in KINDS, kind
    tx.add(Notice(kind=kind, case_id=case.id if case else None, item_id=item.id if item else None))


def send(tx: Session, period: timedelta) -> bool:
    """Queue a mail to each coordinator where something has waited for `period` to be told; whether one was queued."""
    if not tx.scalar(select(_LOCK)):
        return False
    oldest = tx.scalar(select(func.min(Notice.created_at)))
    # What is dated in the future is of a clock that ran ahead: nobody waits for that to come true.
    if oldest is None or timedelta(0) <= clock.now() - oldest < period:
        return False
    taken = tx.execute(delete(Notice).returning(Notice.kind, Notice.case_id, Notice.item_id)).all()
    studies, of_inbox = _inbox(tx, {item_id for _, _, item_id in taken if item_id})
    lines = _cases(tx, [(case_id, kind) for kind, case_id, item_id in taken if case_id and not item_id])
    owner = owners.reached(tx, [line.case_id for line in lines])
    queued = False
    for person in principals.with_role(tx, Role.COORDINATOR):
        # A case is told to who looks after it; to all where nobody does.
        theirs = [line for line in lines if owner.get(line.case_id, person.id) == person.id]
        what = [
            *([counted(len(theirs), "case", "cases")] if theirs else []),
            *([counted(studies, "study in the inbox", "studies in the inbox")] if studies else []),
        ]
        if what:
            entries = [*of_inbox, *_written(theirs, notify.zone_of(person))]
            notify.queue(tx, None, person.id, "digest", subject=f"{' and '.join(what)} to look at", entries=entries)
            queued = True
    return queued


def _written(lines: Sequence[Line], zone: str) -> list[Entry]:
    """The first lines as a reader in this zone reads them, and how many there are more."""
    written = []
    for line in lines[:MOST_CASES]:
        due = f", due by {zones.sentence(line.due_at, zone)}" if line.due_at else ""
        written.append((line.text.format(due=due), f"/queue/{line.case_id}"))
    more = len(lines) - MOST_CASES
    rest = [(f"{counted(more, 'more case', 'more cases')}. All of them:", "/queue")]
    return [*written, *(rest if more > 0 else [])]


def _inbox(tx: Session, item_ids: Collection[UUID]) -> tuple[int, list[Entry]]:
    """How many of these studies wait still; an entry for those in no case, and one for those that are kept apart."""
    # As the inbox tells it: also what names no case, where one has a study of the same number.
    same = exists().where(same_number(), Case.id == CaseStudy.case_id, Case.state.in_(OPEN))
    apart = or_(InboxStudy.reason != "", same)
    of_these = select(apart.label("apart"), func.count()).where(InboxStudy.id == any_(_array(item_ids)), waits())
    found = {kept: count for kept, count in tx.execute(of_these.group_by("apart"))}  # noqa: C416  typed rows
    words = {
        False: ("study without a request: match it, or dismiss it", "studies without a request: match or dismiss them"),
        True: ("study is kept apart from its request", "studies are kept apart from their requests"),
    }
    return sum(found.values()), [(counted(found[kept], *words[kept]), "/inbox") for kept in words if kept in found]


def _cases(tx: Session, told: Sequence[tuple[UUID, str]]) -> list[Line]:
    """A line for each of these cases that has still what was told of it, those due first at the top."""
    kinds: dict[UUID, set[str]] = {}
    for case_id, kind in told:
        kinds.setdefault(case_id, set()).add(kind)
    in_state: dict[tuple[UUID, StudyState], int] = {
        (case_id, state): count
        for case_id, state, count in tx.execute(
            select(CaseStudy.case_id, CaseStudy.state, func.count())
            .where(CaseStudy.case_id == any_(_array(kinds)))
            .group_by(CaseStudy.case_id, CaseStudy.state)
        )
    }
    rows = tx.execute(
        select(Case.id, Case.reference, Case.state, Case.due_at)
        .where(Case.id == any_(_array(kinds)))
        .order_by(Case.due_at.asc().nulls_last(), Case.id)
    )
    lines: list[Line] = []
    for case_id, reference, state, due_at in rows:
        said = [text for kind, (where, text) in _CASES.items() if kind in kinds[case_id] and where in (None, state)]
        for kind, (where, *words) in _STUDIES.items():
            count = in_state.get((case_id, where), 0) if kind in kinds[case_id] and state not in ENDED else 0
            if count:
                said.append(counted(count, *words))
        if said:
            lines.append(Line(case_id, f"{reference}: {'; '.join(said)}", due_at))
    return lines


def _array(ids: Collection[UUID]) -> BindParameter[Any]:
    """Keys as one parameter, of which a statement may have 65,535."""
    return literal(list(ids), ARRAY(Uuid))
