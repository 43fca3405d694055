"""The API's part about time: a case's clock, the board by due time, a program's hours, and one's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field

from cases import bodies
from cases.bodies import Body
from cases.operations import Call, Operation
from cases.service import accounts, board, deadlines, hours
from cases.service.board import Due
from cases.service.hours import DayOff, ProgramHours
from overread.kit import zones

_CASE, _PROGRAMS, _ZONE = "/api/v1/cases/{case}", "/api/v1/programs", "/api/v1/account/zone"
_Wall = Annotated[str, Field(pattern=r"^[0-2]\d:[0-5]\d$")]
_Zone = Annotated[str, Field(min_length=1, max_length=zones.LONGEST)]


class NewPromise(Body):
    """By when the patient hears now, and why, which they read. `instead_of`: the due time that this one replaces."""

    due_at: AwareDatetime
    reason: bodies.Text
    instead_of: AwareDatetime | None = None


class NewDayOff(Body):
    """A day on which a program is closed."""

    day: date
    name: Annotated[str, Field(max_length=hours.LONGEST_NAME)] = ""


class Opening(Body):
    """When a program is open, by its wall clock: from and until for each day, Monday first, null where it is closed.

    "00:00" as an end is midnight. `warn_hours`: how many open hours before a due time coordinator and specialist hear.
    """

    zone: _Zone
    week: Annotated[list[tuple[_Wall, _Wall] | None], Field(min_length=7, max_length=7)]
    days_off: Annotated[list[NewDayOff], Field(max_length=1_000)]
    warn_hours: Annotated[list[int], Field(max_length=20)]


class OwnZone(Body):
    """A time zone by its name in the IANA database."""

    zone: _Zone


@dataclass(frozen=True, slots=True)
class ZoneNow:
    """The time zone of an account; "" where it is not known."""

    zone: str


def _promise(c: Call) -> None:
    b = c.body
    deadlines.promise(c.tx, c.who, c.case_id, b.due_at, b.reason, instead_of=b.instead_of)


def _board(c: Call) -> list[Due]:
    return [due for lane in board.board(c.tx, c.who).cases.values() for due in lane]


def _set_hours(c: Call) -> None:
    b = c.body
    days = [DayOff(one.day, one.name) for one in b.days_off]
    hours.set_hours(c.tx, c.who, c.path["program"], zone=b.zone, week=b.week, days_off=days, warn_hours=b.warn_hours)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", f"{_CASE}/promise", "cases", "Give the patient a new due time, with the reason", _promise,
              NewPromise, None, 204),
    Operation("POST", f"{_CASE}/pause", "cases", "Stop the clock, with a reason for the patient",
              lambda c: deadlines.pause(c.tx, c.who, c.case_id, c.body.reason), bodies.ReasonGiven, None, 204),
    Operation("POST", f"{_CASE}/resume", "cases", "Have the clock go on",
              lambda c: deadlines.resume(c.tx, c.who, c.case_id), None, None, 204),
    Operation("GET", "/api/v1/deadlines", "cases", "What is due when: the first 50 of each lane", _board,
              result=list[Due]),
    Operation("GET", f"{_PROGRAMS}/hours", "administration", "When programs are open",
              lambda c: hours.listed(c.tx, c.who), result=list[ProgramHours]),
    Operation("PUT", f"{_PROGRAMS}/{{program}}/hours", "administration", "Say when a program is open", _set_hours,
              Opening, None, 204),
    Operation("GET", _ZONE, "account", "The time zone of one's own account", lambda c: ZoneNow(c.who.zone),
              result=ZoneNow),
    Operation("PUT", _ZONE, "account", "Choose it", lambda c: accounts.set_zone(c.tx, c.who, c.body.zone),
              OwnZone, None, 204),
)
# fmt: on
