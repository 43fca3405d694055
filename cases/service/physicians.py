"""The report for a treating physician without an account: a link by mail, a code by another way, and an end."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import consents, notify, parts, report_pdf, version_move
from cases.models import Case
from cases.physician_models import PhysicianLink
from cases.repository import load, load_unasked, reports_of
from cases.service import presentation, reporting
from cases.states import DELIVERED, Actor
from cases.views import ReportView
from overread.kit import addresses, audit, clock
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import fitting, one_line
from overread.kit.tokens import digest_of

#: The text of the consent, as pages show it.
CONSENT = consents.REPORT_TO_PHYSICIAN
#: The days that a link can be good for, and how many may stand for one case.
LONGEST_DAYS, MOST = 90, 10
#: Said of every link that opens nothing with a code: which of the two is wrong, or has ended, is nobody's business.
NOTHING = Phrase(
    "This link and this code open nothing. Look at both again; if they are right, the link has ended: ask the patient "
    "for a new one."
)
#: Without letters and digits that are taken for each other: 31 to the power of 8 codes.
_LETTERS, _LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
_MOST_NAME, _MOST_WISH = 200, 2_000


@dataclass(frozen=True, slots=True)
class Handed:
    """A link that was made, and its code, which nothing tells again."""

    link_id: UUID
    code: str


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link, as the patient's side and coordinators see it. `by`: who made it; `wish`: how the patient asked for it.

    `opened_at`, `last_opened_at`: when the physician read by it first and last.
    """

    link_id: UUID
    name: str
    email: str
    by: str
    wish: str
    made_at: datetime
    ends_at: datetime
    stands: bool
    opened_at: datetime | None
    last_opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class SharedReport:
    """What a link and its code open: the report in force; None where it was recalled, and must not be used."""

    reference: str
    physician: str
    ends_at: datetime
    report: ReportView | None


def hand(
    tx: Session,
    who: Principal,
    case_id: UUID,
    name: str,
    email: str,
    days: int,
    *,
    version: str,
    digest: str,
    wish: str = "",
    address: str = "",
) -> Handed:
    """Let a physician read the report for some days: they get a link by mail, and the code is the patient's to give.

    One link stands for an address: a new one takes the place of the one before, and has another code. A coordinator
    says how the patient asked for it (`wish`). Raises NotFound, Forbidden, Unprocessable; Conflict where no report is
    in force, where too many links stand or another text was shown.
    """
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_HAND_OVER, case_id)
    name, wish = fitting(one_line(name), _MOST_NAME), fitting(wish, _MOST_WISH)
    email = email.strip().lower()
    _require(name, email, days, wish, by_coordinator=actor is Actor.COORDINATOR)
    consents.require_shown(CONSENT, version, digest)
    if case.state not in DELIVERED or version_move.in_force(reports_of(tx, case.id)) is None:
        raise Conflict("no report in force", safe=gettext("There is no report that could be shared now."))
    standing = [one for one in _links(tx, case.id) if one.stands]
    before = [one for one in standing if one.email == email]
    if len(standing) - len(before) >= MOST:
        raise Conflict(
            f"{MOST} links of case {case_id}",
            safe=gettext("%(most)s physicians can read at once. End one of these first.", most=MOST),
        )
    for one in before:
        _end(tx, one, who)
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    made = PhysicianLink(
        id=clock.uuid7(),
        case_id=case.id,
        name=name,
        email=email,
        ends_at=clock.now() + timedelta(days=days),
        version=version,
        text_digest=digest,
        given_by=who.id,
        address=address[:64],
        wish=wish if actor is Actor.COORDINATOR else "",
    )
    made.code_digest = made.digest_of_code(code)
    tx.add(made)
    tx.flush()
    audit.record(tx, who, "report.hand_over", "physician_link", made.id, case_id=case.id, days=days, version=version)
    expires = notify.moment(made.ends_at, case.program.zone)
    notify.queue_invitation(tx, notify.PHYSICIAN, made.id, email, case, reference=case.reference, expires=expires)
    if actor is Actor.COORDINATOR:
        notify.queue_patient(tx, case, "physician_handed")
    return Handed(made.id, f"{code[:4]}-{code[4:]}")


def listed(tx: Session, who: Principal, case_id: UUID) -> list[LinkView]:
    """Every link of a case, the newest first, with when it was opened. Raises NotFound, Forbidden."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.REPORT_HAND_OVER, case_id)
    return [_view(tx, one) for one in _links(tx, case.id)]


def end(tx: Session, who: Principal, case_id: UUID, link_id: UUID) -> None:
    """End a link, from now on. The same again finds it done. Raises NotFound, Forbidden."""
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.REPORT_HAND_OVER, case_id)
    row = next((one for one in _links(tx, case.id) if one.id == link_id), None)
    if row is None:
        raise NotFound(f"physician's link {link_id} of case {case_id}")
    if row.ended_at is None:
        _end(tx, row, who)


def opened(tx: Session, token: str, code: str) -> SharedReport | None:
    """What a link opens with its code; None for a wrong link, a wrong code, and one that has ended.

    Callers spend `attempts.opening_by_code` first, and commit either way: a wrong code is in the audit log.
    """
    found = _opened(tx, token, code)
    if found is None:
        return None
    row, case = found
    report = version_move.in_force(reports_of(tx, case.id))
    shown = None if report is None else reporting.document(tx, case, report)
    return SharedReport(case.reference, row.name, row.ends_at, shown)


def pdf(tx: Session, token: str, code: str) -> tuple[str, bytes] | None:
    """The same as PDF/A, with its file's name. Raises NotFound where the report was recalled."""
    shown = opened(tx, token, code)
    if shown is None:
        return None
    if shown.report is None:
        raise NotFound(
            "a recalled report was asked for by a link",
            safe=gettext("This report was taken back: it must not be used."),
        )
    return f"second-opinion-{shown.reference}.pdf", report_pdf.render(shown.report)


def _opened(tx: Session, token: str, code: str) -> tuple[PhysicianLink, Case] | None:
    row = tx.scalars(
        select(PhysicianLink).where(PhysicianLink.digest == digest_of(token)).with_for_update()
    ).one_or_none()
    if row is None:
        return None
    case = load_unasked(tx, row.case_id)
    typed = "".join(one for one in code[:100].upper() if one.isalnum())
    good = hmac.compare_digest(row.code_digest, row.digest_of_code(typed))
    if not good or not row.stands or case is None or case.state not in DELIVERED:
        audit.record(
            tx,
            None,
            "report.open_by_link",
            "physician_link",
            row.id,
            outcome=audit.REFUSED,
            case_id=row.case_id,
            physician=row.name,
        )
        return None
    row.last_opened_at = clock.now()
    row.accepted_at = row.accepted_at or row.last_opened_at
    tx.flush()
    reports = reports_of(tx, case.id)
    report = version_move.in_force(reports)
    for one in version_move.whole(reports, report) if report is not None else ():
        audit.record(tx, None, "report.read", "report", one.id, case_id=case.id, physician=row.name)
    return row, case


def _require(name: str, email: str, days: int, wish: str, *, by_coordinator: bool) -> None:
    wrong = (
        (not name, gettext("Please give the physician’s name.")),
        (not addresses.is_address(email), gettext("Please give an e-mail address, such as jane@example.org.")),
        (
            not 1 <= days <= LONGEST_DAYS,
            gettext("A link is good for 1 to %(longest)s days.", longest=LONGEST_DAYS),
        ),
        (by_coordinator and not wish, gettext("Please write how and when the patient asked for it.")),
    )
    for bad, safe in wrong:
        if bad:
            raise Unprocessable("a physician's link that lacks something", safe=safe)


def _end(tx: Session, row: PhysicianLink, who: Principal) -> None:
    # Its digest stays: a try with it is told from a guess in the audit log.
    row.ended_at, row.ended_by = clock.now(), who.id
    tx.flush()
    audit.record(tx, who, "report.end_hand_over", "physician_link", row.id, case_id=row.case_id)


def _links(tx: Session, case_id: UUID) -> Sequence[PhysicianLink]:
    query = select(PhysicianLink).where(PhysicianLink.case_id == case_id).order_by(PhysicianLink.id.desc())
    return tx.scalars(query).all()


def _view(tx: Session, row: PhysicianLink) -> LinkView:
    return LinkView(
        link_id=row.id,
        name=row.name,
        email=row.email,
        by=presentation.name_of(tx, row.given_by),
        wish=row.wish,
        made_at=row.invited_at,
        ends_at=row.ended_at or row.ends_at,
        stands=row.stands,
        opened_at=row.accepted_at,
        last_opened_at=row.last_opened_at,
    )
