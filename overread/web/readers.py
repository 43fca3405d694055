"""How specialists read: the page of one's own, and everybody's, where an admin confirms what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import programs, readers
from cases.service.readers import Confirmed, Leave, Profile, ReaderView
from cases.views import LANGUAGES, SUBSPECIALTIES
from overread.kit import zones
from overread.kit.errors import Unprocessable
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission, has
from overread.services import Services
from overread.web import labels, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors

_SUBSPECIALTIES: Mapping[str, str] = {key: one.label for key, one in SUBSPECIALTIES.items()}
_SUBJECTS: Mapping[str, str] = {key: labels.SUBJECTS[key] for key in readers.READABLE}
_BOXES = ("subspecialties", "subjects", "languages")
_LEAVE = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s*(?:-|–|to|until|\s)\s*(\d{4}-\d\d-\d\d))?", re.ASCII)
_CONFIRMED = render.status(Phrase("Confirmed"), "good")
_WAITS = render.status(Phrase("Waits to be confirmed"), "warn")


def routes(services: Services) -> list[BaseRoute]:
    """The routes of specialists' profiles."""
    own, staff = Desk(services, Permission.READER_CHANGE), Desk(services, Permission.READERS_READ)
    admin, manages = Desk(services, Permission.READERS_CONFIRM), Desk(services, Permission.PROGRAMS_MANAGE)
    return [
        own.get("/reader", own_page),
        own.post("/reader", save, own_page),
        staff.get("/readers", listing),
        manages.post("/readers/next", set_next, listing),
        admin.post("/readers/{specialist}/confirm", confirm, listing),
        admin.post("/readers/{specialist}/decline", decline, listing),
    ]


def own_page(ctx: TxContext) -> Response:
    """What one reads, how much, and when not."""
    shown = readers.own(ctx.tx, ctx.who)
    return ctx.page(
        "specialist/reader.html",
        action="/reader",
        subspecialties=labels.options(_SUBSPECIALTIES),
        subjects=labels.options(_SUBJECTS),
        languages=labels.options(LANGUAGES),
        mark=_status(shown),
        confirmed=_confirmed(shown.confirmed) if shown.waits else [],
        zone=str(zones.current()),
        practice=shown.practice,
        values=ctx.form.values(*_BOXES) if ctx.form.names() else _values(shown.profile),
    )


def save(ctx: TxContext) -> Response:
    """Say it."""
    check = Check(ctx.form)
    most_open, most_week = _limit(check, ctx, "most_open"), _limit(check, ctx, "most_week")
    leave = _leave(check, ctx.form.text("leave"))
    check.done()
    subspecialties, subjects, languages = (tuple(filter(None, ctx.form.all(name))) for name in _BOXES)
    practices = tuple(ctx.form.text("practices").splitlines())
    said = Profile(subjects, subspecialties, practices, languages, most_open, most_week, leave)
    try:
        readers.change(ctx.tx, ctx.who, said)
    except Unprocessable as error:
        raise FieldErrors({"form": error.safe}) from error
    return go("/reader", "reader")


def listing(ctx: TxContext) -> Response:
    """Every specialist, and which programs ask the next one by themselves."""
    confirms, manages = has(ctx.who, Permission.READERS_CONFIRM), has(ctx.who, Permission.PROGRAMS_MANAGE)
    return ctx.page(
        "admin/readers.html",
        readers=[_line(one, confirms=confirms) for one in readers.listed(ctx.tx, ctx.who)],
        programs=[
            {
                "name": one.name,
                "slug": one.slug,
                "by_itself": readers.asked_by_itself(ctx.tx, ctx.who, one.slug),
            }
            for one in programs.readers(ctx.tx, ctx.who)
        ],
        next_action="/readers/next" if manages else "",
    )


def confirm(ctx: TxContext) -> Response:
    """A profile is as its holder entered it."""
    readers.settle(ctx.tx, ctx.who, ctx.uuid("specialist"), good=True)
    return go("/readers", "reader-confirmed")


def decline(ctx: TxContext) -> Response:
    """It is not."""
    readers.settle(ctx.tx, ctx.who, ctx.uuid("specialist"), good=False)
    return go("/readers", "reader-declined")


def set_next(ctx: TxContext) -> Response:
    """Have a program ask the next specialist by itself, or not."""
    check = Check(ctx.form)
    wanted = check.one_of("wanted", ("yes", "no"), gettext("Please use the button."))
    check.done()
    readers.set_next(ctx.tx, ctx.who, ctx.form.text("program"), wanted=wanted == "yes")
    return go("/readers", "changed")


def _line(one: ReaderView, *, confirms: bool) -> dict[str, Any]:
    profile, url = one.profile, f"/readers/{one.specialist_id}"
    return {
        "name": one.name,
        "status": _status(one),
        "facts": [
            (gettext("Signs as of"), one.practice),
            *_confirmed(Confirmed(profile.subjects, profile.subspecialties, profile.practices)),
            (gettext("Languages"), _named(profile.languages, LANGUAGES)),
            (gettext("Limits"), _limits(profile)),
            (gettext("Leave"), "; ".join(_leave_told(day) for day in profile.leave)),
        ],
        "before": _confirmed(one.confirmed) if one.waits else [],
        "confirm_action": f"{url}/confirm" if confirms and one.waits else "",
        "decline_action": f"{url}/decline" if confirms and one.waits else "",
    }


def _status(one: ReaderView) -> dict[str, str] | None:
    if one.waits:
        return _WAITS
    return _CONFIRMED if any((one.confirmed.subjects, one.confirmed.subspecialties, one.confirmed.practices)) else None


def _confirmed(one: Confirmed) -> list[tuple[str, str]]:
    return [
        (gettext("Subspecialties"), _named(one.subspecialties, _SUBSPECIALTIES)),
        (gettext("Reads"), _named(one.subjects, _SUBJECTS)),
        (gettext("Practises also at"), "; ".join(one.practices)),
    ]


def _named(keys: Iterable[str], names: Mapping[str, str]) -> str:
    return ", ".join(str(names[key]) for key in keys)


def _limits(profile: Profile) -> str:
    found = []
    if profile.most_open is not None:
        found.append(gettext("%(most)s open at once", most=profile.most_open))
    if profile.most_week is not None:
        found.append(gettext("%(most)s in seven days", most=profile.most_week))
    return ", ".join(found)


def _leave_told(one: Leave) -> str:
    first, last = (f"{day:%-d %b %Y}" for day in (one.first, one.last))
    return gettext("%(first)s to %(last)s", first=first, last=last)


def _values(profile: Profile) -> dict[str, Any]:
    """A profile as the form has it."""
    return {
        "subspecialties": list(profile.subspecialties),
        "subjects": list(profile.subjects),
        "languages": list(profile.languages),
        "practices": "\n".join(profile.practices),
        "most_open": "" if profile.most_open is None else profile.most_open,
        "most_week": "" if profile.most_week is None else profile.most_week,
        "leave": "\n".join(f"{one.first} to {one.last}" for one in profile.leave),
    }


def _limit(check: Check, ctx: TxContext, name: str) -> int | None:
    if not ctx.form.text(name):
        return None
    most = readers.MOST_CASES
    return check.number(name, 0, most, gettext("Please give a number from 0 to %(most)s, or nothing.", most=most))


def _leave(check: Check, text: str) -> tuple[Leave, ...]:
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        days = _LEAVE.fullmatch(line)
        try:
            first, last = days.groups() if days else (line, None)
            found.append(Leave(date.fromisoformat(first), date.fromisoformat(last or first)))
        except ValueError:
            check.errors["leave"] = gettext(
                "This line is not two days such as 2026-12-24 to 2027-01-02: %(line)s", line=line[:60]
            )
    return tuple(found)
