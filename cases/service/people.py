"""People around cases: specialists' licences, the places' rules, programs, and who saw a patient's data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Bundle, Session

from cases import notify, parts
from cases.licence_models import Licence, LicenceRule
from cases.place_codes import norm_place
from cases.repository import load, studies_of
from cases.states import KNOWN_THEIRS, LicenceRequirement
from cases.views import LicenceView
from overread.kit import audit, clock, permissions, principals
from overread.kit.audit import AuditRow
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.paging import Keyset, Page
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.words import counted

#: The audit log's actions as a patient reads them; the rest is bookkeeping that touches none of their data.
_SENTENCES = {
    "case.read": Phrase("opened your request"),
    "case.message": Phrase("wrote a message"),
    "case.licence_exception": Phrase("recorded a licence exception"),
    "case.fit_exception": Phrase("recorded an exception for a specialist"),
    "case.accept": Phrase("accepted your request and got access to the images without your name"),
    "document.add": Phrase("added a document"),
    "document.read": Phrase("opened a document of yours"),
    "report.read": Phrase("read your report"),
    "report.save": Phrase("worked on your report"),
    "report.sign": Phrase("signed your report"),
    "report.publish": Phrase("published your report"),
    "report.recall": Phrase("took your report back"),
    "report.restore": Phrase("gave your report back"),
    "study.confirm": Phrase("confirmed that a study is yours"),
    "study.release": Phrase("released a study for the specialist"),
    "study.revoke": Phrase("took a study out"),
    "instances.read": Phrase("looked at images"),
    "metadata.read": Phrase("looked at images"),
    "pixels.read": Phrase("looked at images"),
    "viewer.opened": Phrase("opened the viewer"),
    "viewer.token": Phrase("made an access for a viewer of their own"),
    "grant.made": Phrase("set up the specialist's access to the images without your name"),
    "grant.revoked": Phrase("ended a specialist's access"),
}


#: A viewer reads a study in hundreds of requests: within this time they are one look.
_ONE_LOOK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Access:
    """One look at, or one step with, a patient's data: from `since` to `at`, its newest moment.

    `images`: how many were given in it, one that was given twice counted twice; None where nothing counts them.
    """

    since: datetime
    at: datetime
    who: str
    role: str
    what: str
    images: int | None


def who_accessed(
    tx: Session, who: Principal, case_id: UUID, *, others: bool = False, after: str = "", limit: int = 200
) -> Page[Access]:
    """Who did what with a case's data, newest first; for its patient, and for coordinators.

    Also what was done with its studies outside the case: an admin's look at an original is in it. `others`: without
    what they did themselves. Raises BadInput for a cursor that is none.
    """
    _, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_ACCESS_LOG, case_id)
    theirs = [s for s in studies_of(tx, case_id) if s.state in KNOWN_THEIRS]
    uids = [uid for s in theirs for uid in (s.study_uid, s.view_study_uid) if uid]
    of_study = and_(AuditRow.object_kind == "study", AuditRow.object_id.in_(uids), AuditRow.case_id.is_(None))
    conditions = [or_(AuditRow.case_id == case_id, of_study), AuditRow.action.in_(_SENTENCES)]
    if others:
        conditions.append(or_(AuditRow.actor_id.is_(None), AuditRow.actor_id != who.id))
    looks = _looks(conditions)
    query: Select[Any] = select(Bundle("look", *looks.c))
    page = Keyset(looks.c.at, looks.c.id, descending=True).page(tx, query, after, limit)
    return page.of([_access(look) for look in page])


def _looks(conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """The lines of the log that are so, joined to looks: those of one person that say the same, no hour apart."""
    what = case(_SENTENCES, value=AuditRow.action).label("what")
    ended = func.coalesce(AuditRow.until, AuditRow.at).label("ended")
    lines = select(AuditRow, what, ended).where(*conditions).subquery()
    same, order = (lines.c.actor_id, lines.c.what), (lines.c.at, lines.c.id)
    before = func.max(lines.c.ended).over(partition_by=same, order_by=order, rows=(None, -1))
    begins = case((lines.c.at - before <= _ONE_LOOK, 0), else_=1).label("begins")
    marked = select(*lines.c, begins).subquery()
    same, order = (marked.c.actor_id, marked.c.what), (marked.c.at, marked.c.id)
    number = func.sum(marked.c.begins).over(partition_by=same, order_by=order).label("number")
    line = select(*marked.c, number).subquery().c

    def newest(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.array_agg(aggregate_order_by(column, line.ended.desc(), line.id.desc()))[1].label(column.key)

    def given(action: str) -> ColumnElement[Any]:
        return func.sum(line.instances).filter(line.action == action)

    return (
        select(
            func.min(line.at).label("since"),
            func.max(line.ended).label("at"),
            *(newest(column) for column in (line.id, line.actor, line.role)),
            line.what,
            # A viewer that asks for an image's header and for the image shows one image.
            func.greatest(given("instances.read"), given("metadata.read")).label("images"),
        )
        .group_by(line.actor_id, line.what, line.number)
        .subquery()
    )


def _access(look: Any) -> Access:
    images = None if look.images is None else int(look.images)
    seen = gettext("looked at %(images)s", images=counted(images, "image", "images")) if images else ""
    what = seen or gettext(look.what)
    return Access(look.since, look.at, look.actor, look.role, what, images)


def roles_of(asked: Iterable[Permission]) -> frozenset[Role]:
    """The roles of those who have one of these permissions, by the role itself or by a part in a case."""
    return frozenset().union(*(parts.roles(one) for one in asked))


def licences_of(tx: Session, who: Principal, specialist_id: UUID | None = None) -> list[LicenceView]:
    """A specialist's licences: their own, or anybody's for coordinators and admins."""
    permissions.require(who, Permission.LICENCE_READ)
    if who.role is Role.SPECIALIST and specialist_id not in (None, who.id):
        raise Forbidden("a specialist asked for another's licences")
    rows = tx.scalars(select(Licence).where(Licence.specialist_id == (specialist_id or who.id)).order_by(Licence.place))
    return [_licence(row) for row in rows]


def _licence(row: Licence) -> LicenceView:
    return LicenceView(
        row.id,
        row.specialist_id,
        row.place,
        row.number,
        row.expires_on,
        row.verified_at is not None,
        row.asked_until,
    )


def set_licence(
    tx: Session, who: Principal, specialist_id: UUID, place: str, expires_on: date, number: str | None = None
) -> None:
    """Record or renew a licence: an admin for anybody, a specialist for their own profile.

    An admin's counts at once. A specialist's waits until an admin has verified it; until then one that was verified
    before counts as it is. Without a `number` the one that is recorded stays.
    """
    permissions.require(who, Permission.LICENCE_SET)
    if who.role is Role.SPECIALIST and specialist_id != who.id:
        raise Forbidden("a specialist set another's licence")
    if principals.get(tx, specialist_id).role != Role.SPECIALIST:
        raise Unprocessable("no specialist", safe=gettext("Only specialists have licences."))
    place = norm_place(place)
    found = tx.scalars(
        select(Licence).where(Licence.specialist_id == specialist_id, Licence.place == place).with_for_update()
    ).one_or_none()
    verifies = permissions.has(who, Permission.LICENCE_VERIFY)
    if found is None:
        found = Licence(specialist_id=specialist_id, place=place, number=number or "", expires_on=expires_on)
        tx.add(found)
    elif verifies or found.verified_at is None:
        found.expires_on = expires_on
        found.number = found.number if number is None else number
    else:
        found.asked_until, found.asked_number = expires_on, number
    if verifies:
        found.verified_at, found.asked_until, found.asked_number = clock.now(), None, None
    tx.flush()
    audit.record(tx, who, "licence.set", "principal", specialist_id, place=place, expires=expires_on.isoformat())
    if not verifies:
        notify.queue_admins(tx, None, "licence_entered")


def verify_licence(tx: Session, who: Principal, licence_id: UUID) -> None:
    """Say that a licence is as its holder entered it, or was renewed so: from now on it counts. Idempotent.

    Raises Forbidden, NotFound.
    """
    row = _locked_licence(tx, who, licence_id)
    if row.verified_at is not None and row.asked_until is None:
        return
    row.expires_on = row.asked_until or row.expires_on
    row.number = row.number if row.asked_number is None else row.asked_number
    row.verified_at, row.asked_until, row.asked_number = clock.now(), None, None
    tx.flush()
    audit.record(tx, who, "licence.verify", "principal", row.specialist_id, place=row.place)
    notify.queue(tx, None, row.specialist_id, "licence_verified")


def decline_licence(tx: Session, who: Principal, licence_id: UUID) -> None:
    """Say that a licence is not as its holder entered it: what was verified before stays, the rest goes.

    Raises Forbidden, NotFound, Conflict where nothing waits.
    """
    row = _locked_licence(tx, who, licence_id)
    if row.verified_at is not None and row.asked_until is None:
        raise Conflict("nothing waits", safe=gettext("This licence is verified already."))
    specialist_id, place = row.specialist_id, row.place
    if row.verified_at is None:
        tx.delete(row)
    else:
        row.asked_until = row.asked_number = None
    tx.flush()
    audit.record(tx, who, "licence.decline", "principal", specialist_id, place=place)
    notify.queue(tx, None, specialist_id, "licence_declined")


def _locked_licence(tx: Session, who: Principal, licence_id: UUID) -> Licence:
    permissions.require(who, Permission.LICENCE_VERIFY)
    row = tx.scalars(select(Licence).where(Licence.id == licence_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"licence {licence_id}", safe=gettext("There is no such licence any more."))
    return row


def rules(tx: Session, who: Principal) -> Sequence[LicenceRule]:
    """Every rule of every place, the newest of a place first."""
    permissions.require(who, Permission.PLACE_RULES_READ)
    return tx.scalars(select(LicenceRule).order_by(LicenceRule.place, LicenceRule.valid_from.desc())).all()


def add_rule(
    tx: Session, who: Principal, place: str, rule: LicenceRequirement, source: str, valid_from: date | None = None
) -> None:
    """Record what a place asks from a day on (today), and where that is written. Earlier rules stay on record."""
    permissions.require(who, Permission.PLACE_RULES_SET)
    if not source.strip():
        raise Unprocessable("no source", safe=gettext("Please say where the rule is written."))
    place = norm_place(place)
    tx.add(
        LicenceRule(
            place=place,
            rule=rule,
            source=source.strip(),
            valid_from=valid_from or clock.now().date(),
            created_by=who.id,
        )
    )
    tx.flush()
    audit.record(tx, who, "licence_rule.add", "place", place, rule=rule.value)
