"""How specialists read: what they say of themselves, what an admin confirms of it, and who is asked by itself.

Languages, limits and leave count as they are said. What makes somebody fit for a case (subjects, subspecialties) counts
once it is confirmed; a practice, which keeps them from cases, counts at once, and goes only when that is confirmed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import finding, notify
from cases.finding_models import Reader
from cases.models import SUBJECTS
from cases.repository import active_program
from cases.subspecialties import SUBSPECIALTIES
from cases.tongues import LANGUAGES
from cases.version_models import Signer
from overread.kit import audit, permissions, principals
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.texts import one_line

MOST_PRACTICES, LONGEST_PRACTICE, MOST_LEAVE, MOST_CASES = 10, 200, 40, 500
#: The longest leave, in days: somebody who is away for longer does not read.
LONGEST_LEAVE = 366
#: Subjects that a specialist can say they read: "other" says nothing.
READABLE = tuple(one for one in SUBJECTS if one != "other")


@dataclass(frozen=True, slots=True)
class Leave:
    """Days of leave by the specialist's own calendar, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Profile:
    """What a specialist says of themself, as `Reader` keeps it. A limit that is None is none."""

    subjects: tuple[str, ...] = ()
    subspecialties: tuple[str, ...] = ()
    practices: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    most_open: int | None = None
    most_week: int | None = None
    leave: tuple[Leave, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What an admin has confirmed of a profile."""

    subjects: tuple[str, ...] = ()
    subspecialties: tuple[str, ...] = ()
    practices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderView:
    """A specialist's profile, how much of it is confirmed, and whether something waits for that.

    `practice`: where they practise as their signature says (`service.signers`); what the profile names comes besides.
    """

    specialist_id: UUID
    name: str
    practice: str
    profile: Profile
    confirmed: Confirmed
    waits: bool


def own(tx: Session, who: Principal) -> ReaderView:
    """A specialist's own profile. Raises Forbidden."""
    permissions.require(who, Permission.READER_CHANGE)
    return _view(who.id, who.name, tx.get(Reader, who.id), tx.get(Signer, who.id))


def listed(tx: Session, who: Principal) -> list[ReaderView]:
    """Every active specialist's, by name. Raises Forbidden."""
    permissions.require(who, Permission.READERS_READ)
    rows = {row.specialist_id: row for row in tx.scalars(select(Reader))}
    signers = {row.specialist_id: row for row in tx.scalars(select(Signer))}
    people = principals.with_role(tx, Role.SPECIALIST)
    return [_view(one.id, one.name, rows.get(one.id), signers.get(one.id)) for one in people]


def change(tx: Session, who: Principal, said: Profile) -> None:
    """Say how one reads, the whole of it. Raises Forbidden, Unprocessable with a sentence for what can't be."""
    permissions.require(who, Permission.READER_CHANGE)
    practices = tuple(dict.fromkeys(one_line(one) for one in said.practices))
    practices = tuple(one for one in practices if one)
    _require_known(said.subjects, READABLE, gettext("Please choose what you read from the list."))
    _require_known(said.subspecialties, SUBSPECIALTIES, gettext("Please choose subspecialties from the list."))
    _require_known(said.languages, LANGUAGES, gettext("Please choose languages from the list."))
    if len(practices) > MOST_PRACTICES or any(len(one) > LONGEST_PRACTICE for one in practices):
        safe = gettext(
            "There can be %(count)s practices at most, of %(most)s letters each.",
            count=MOST_PRACTICES,
            most=LONGEST_PRACTICE,
        )
        raise Unprocessable("practices", safe=safe)
    if any(limit is not None and not 0 <= limit <= MOST_CASES for limit in (said.most_open, said.most_week)):
        raise Unprocessable("a limit", safe=gettext("A limit is a number from 0 to %(most)s.", most=MOST_CASES))
    leave = _leave(said.leave)
    # Whoever never said anything has no row to lock.
    principals.lock(tx, who.id)
    row = tx.get(Reader, who.id) or Reader(specialist_id=who.id, said={}, confirmed={})
    waited = finding.waits(row)
    row.said = {
        "subjects": _in_order(said.subjects, READABLE),
        "subspecialties": _in_order(said.subspecialties, SUBSPECIALTIES),
        "practices": list(practices),
    }
    row.languages = _in_order(said.languages, LANGUAGES)
    row.most_open, row.most_week, row.leave = said.most_open, said.most_week, leave
    tx.add(row)
    tx.flush()
    audit.record(tx, who, "reader.change", "principal", who.id)
    if finding.waits(row) and not waited:
        notify.queue_admins(tx, None, "profile_entered")


def settle(tx: Session, who: Principal, specialist_id: UUID, *, good: bool) -> None:
    """Say that a profile is as its holder entered it, or not: then what was confirmed before stands. Idempotent.

    Raises Forbidden, NotFound; Conflict where something is declined and nothing waits.
    """
    permissions.require(who, Permission.READERS_CONFIRM)
    row = tx.get(Reader, specialist_id, with_for_update=True)
    if row is None:
        raise NotFound(f"reader {specialist_id}", safe=gettext("This specialist has entered no profile."))
    if not finding.waits(row):
        if good:
            return
        raise Conflict("nothing waits", safe=gettext("This profile is confirmed already."))
    if good:
        row.confirmed = dict(row.said)
    else:
        row.said = {name: list(row.confirmed.get(name, ())) for name in finding.FIELDS}
    tx.flush()
    audit.record(tx, who, "reader.confirm" if good else "reader.decline", "principal", specialist_id)
    notify.queue(tx, None, specialist_id, "profile_confirmed" if good else "profile_declined")


def asked_by_itself(tx: Session, who: Principal, slug: str) -> bool:
    """Whether a program has the next specialist asked by itself. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.PROGRAMS_READ)
    return active_program(tx, slug).next_by_itself


def set_next(tx: Session, who: Principal, slug: str, *, wanted: bool) -> None:
    """Have the next specialist asked by itself after a refusal or an offer that has run out, or no more. Idempotent.

    Raises Forbidden, NotFound.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, slug, lock=True)
    if program.next_by_itself == wanted:
        return
    program.next_by_itself = wanted
    tx.flush()
    audit.record(tx, who, "program.next_specialist", "program", program.id, wanted=wanted)


def _view(specialist_id: UUID, name: str, row: Reader | None, signer: Signer | None) -> ReaderView:
    practice = signer.practice if signer else ""
    if row is None:
        return ReaderView(specialist_id, name, practice, Profile(), Confirmed(), waits=False)
    said, confirmed = _half(row.said), _half(row.confirmed)
    profile = Profile(
        said.subjects,
        said.subspecialties,
        said.practices,
        tuple(row.languages),
        row.most_open,
        row.most_week,
        tuple(Leave(first, last) for first, last in finding.leave_of(row.leave)),
    )
    return ReaderView(specialist_id, name, practice, profile, confirmed, finding.waits(row))


def _half(kept: Mapping[str, Sequence[str]]) -> Confirmed:
    return Confirmed(**{field: tuple(kept.get(field, ())) for field in finding.FIELDS})


def _require_known(chosen: Iterable[str], known: Collection[str], sentence: str) -> None:
    if not set(chosen) <= set(known):
        raise Unprocessable("not on the list", safe=sentence)


def _in_order(chosen: Collection[str], known: Iterable[str]) -> list[str]:
    return [one for one in known if one in chosen]


def _leave(days: Collection[Leave]) -> list[dict[str, str]]:
    if len(days) > MOST_LEAVE:
        raise Unprocessable("leave", safe=gettext("There can be %(most)s lines of leave at most.", most=MOST_LEAVE))
    for one in days:
        if not 0 <= (one.last - one.first).days < LONGEST_LEAVE:
            safe = gettext(
                "Leave ends on the day that it begins or later, and lasts %(most)s days at most.", most=LONGEST_LEAVE
            )
            raise Unprocessable("leave", safe=safe)
    ordered = sorted(set(days), key=lambda one: (one.first, one.last))
    return [{"first": one.first.isoformat(), "last": one.last.isoformat()} for one in ordered]
