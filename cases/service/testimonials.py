"""A patient's words for the public pages: given with a consent that is kept, approved by a coordinator, taken back.

Shown is only what was approved as it stands, while the consent stands. Changed words wait to be approved anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import digest, parts, surveys
from cases.feedback_models import Testimonial, TestimonialState
from cases.models import Case, Program
from cases.repository import load
from cases.service.surveys import was_read
from overread.kit import audit, clock, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import one_line

_MOST, _MOST_NAME = 2_000, 80
#: Words that the public list gives at most.
MOST_SHOWN = 100
_WAITING_FIRST = Keyset(Testimonial.state == TestimonialState.WAITING, Testimonial.case_id, descending=True)
LABELS = {
    TestimonialState.WAITING: Phrase("Waits for us to look at it"),
    TestimonialState.APPROVED: Phrase("Shown on the public pages"),
    TestimonialState.REFUSED: Phrase("Not shown"),
    TestimonialState.WITHDRAWN: Phrase("Taken back"),
}


@dataclass(frozen=True, slots=True)
class Consent:
    """What is agreed to, as it is shown now, and its SHA-256."""

    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Words as everybody may read them; `name` is what the patient wanted under them, or empty."""

    text: str
    name: str
    program: str
    program_name: str


@dataclass(frozen=True, slots=True)
class TestimonialView:
    """Words as their patient and coordinators see them. `edition` names text and name; `consent` as it was given."""

    case_id: UUID
    reference: str
    program: str
    text: str
    name: str
    state: str
    status: str
    consent: str
    given_at: datetime
    edition: str


def consent() -> Consent:
    """What is agreed to where words may be shown."""
    return Consent(str(surveys.CONSENT), surveys.digest())


def published(tx: Session, program: str = "") -> list[Shown]:
    """What everybody may read, newest first: approved, and not taken back; of one program by its short name, or all."""
    query = (
        select(Testimonial, Program)
        .join(Case, Case.id == Testimonial.case_id)
        .join(Program, Program.id == Case.program_id)
        .where(Testimonial.state == TestimonialState.APPROVED, Program.active)
        .order_by(Testimonial.decided_at.desc(), Testimonial.case_id)
        .limit(MOST_SHOWN)
    )
    if program:
        query = query.where(Program.slug == program)
    return [Shown(one.text, one.name, of.slug, of.name) for one, of in tx.execute(query)]


def of_case(tx: Session, who: Principal, case_id: UUID) -> TestimonialView | None:
    """The words of a case so far. Raises NotFound, Forbidden for all but its patient."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_FEEDBACK, case_id)
    found = tx.get(Testimonial, case_id)
    return _view(found, case) if found else None


def give(tx: Session, who: Principal, case_id: UUID, text: str, name: str, consent_digest: str) -> None:
    """Give words, and the consent to show them; given again they take the place of those before, and wait anew.

    `consent_digest`: SHA-256 of the consent that was shown. Raises NotFound, Forbidden, Conflict before the report was
    read or where another text is agreed to by now, Unprocessable.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_FEEDBACK, case_id)
    if not was_read(tx, who, case_id):
        raise Conflict(f"no report of case {case_id} was read", safe=gettext("Please read your report first."))
    if consent_digest != surveys.digest():
        raise Conflict("another consent", safe=gettext("The text that you agree to has changed. Please read it again."))
    text, name = (one_line(one) for one in (text, name))
    if not text:
        raise Unprocessable("no words", safe=gettext("Please write what we may show."))
    if len(text) > _MOST or len(name) > _MOST_NAME:
        raise Unprocessable("too long", safe=gettext("A text is too long: %(most)s characters at most.", most=_MOST))
    found = tx.get(Testimonial, case_id)
    if found is not None and found.state is not TestimonialState.WITHDRAWN and (found.text, found.name) == (text, name):
        return
    found = found or Testimonial(case_id=case.id)
    found.text, found.name, found.state = text, name, TestimonialState.WAITING
    found.consent, found.given_by, found.given_at = str(surveys.CONSENT), who.id, clock.now()
    found.decided_by = found.decided_at = found.withdrawn_at = None
    tx.add(found)
    tx.flush()
    audit.record(tx, who, "testimonial.give", "case", case_id, case_id=case_id, consent=consent_digest)
    digest.note(tx, "testimonial", case)


def withdraw(tx: Session, who: Principal, case_id: UUID) -> None:
    """Take the consent back: the words are shown no more, and kept no longer. Idempotent; raises NotFound."""
    _, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_FEEDBACK, case_id)
    found = tx.get(Testimonial, case_id)
    if found is None:
        raise NotFound(f"no words of case {case_id}")
    if found.state is TestimonialState.WITHDRAWN:
        return
    found.state, found.withdrawn_at, found.text, found.name = TestimonialState.WITHDRAWN, clock.now(), "", ""
    tx.flush()
    audit.record(tx, who, "testimonial.withdraw", "case", case_id, case_id=case_id)


def decide(tx: Session, who: Principal, case_id: UUID, *, approve: bool, edition: str) -> None:
    """A coordinator has words shown, or not shown (any more). `edition`: of the words that they have read.

    Raises Forbidden, NotFound, Conflict where the words were changed or taken back since.
    """
    load(tx, who, case_id, lock=True)
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    found = tx.get(Testimonial, case_id)
    if found is None:
        raise NotFound(f"no words of case {case_id}")
    if found.state is TestimonialState.WITHDRAWN or edition != _edition(found):
        raise Conflict(
            f"other words of case {case_id}",
            safe=gettext("These words were changed or taken back meanwhile. Look at the list again."),
        )
    state = TestimonialState.APPROVED if approve else TestimonialState.REFUSED
    if found.state is state:
        return
    found.state, found.decided_by, found.decided_at = state, who.id, clock.now()
    tx.flush()
    audit.record(tx, who, "testimonial.approve" if approve else "testimonial.refuse", "case", case_id, case_id=case_id)


def listed(tx: Session, who: Principal, *, after: str = "", limit: int = 200) -> Page[TestimonialView]:
    """Patients' words for coordinators, those that wait first, but what was taken back. Raises Forbidden."""
    permissions.require(who, Permission.AFTERCARE_MANAGE)
    standing = select(Testimonial).where(Testimonial.state != TestimonialState.WITHDRAWN)
    page = _WAITING_FIRST.page(tx, standing, after, limit)
    cases = {c.id: c for c in tx.scalars(select(Case).where(Case.id.in_([one.case_id for one in page])))}
    return page.of([_view(one, cases[one.case_id]) for one in page])


def _edition(found: Testimonial) -> str:
    return hashlib.sha256(f"{found.text}\n{found.name}".encode()).hexdigest()


def _view(found: Testimonial, case: Case) -> TestimonialView:
    return TestimonialView(
        case.id,
        case.reference,
        case.program.name,
        found.text,
        found.name,
        found.state.value,
        str(LABELS[found.state]),
        found.consent,
        found.given_at,
        _edition(found),
    )
