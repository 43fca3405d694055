"""The API's part for the links by which a treating physician reads a report, and for the physician who has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field

from cases.bodies import Body, Digest
from cases.operations import Call, Operation
from cases.service import physicians
from cases.service.physicians import CONSENT, NOTHING, Handed, LinkView, SharedReport
from overread.kit import attempts
from overread.kit.errors import NotFound
from overread.kit.language import gettext

_LINKS, _SHARED = "/api/v1/cases/{case}/physicians", "/api/v1/shared-report"
_T = TypeVar("_T")


class NewLink(Body):
    """Who reads, for how many days, and the text that was agreed to; `wish`: how the patient asked a coordinator."""

    name: Annotated[str, Field(max_length=400)]
    email: Annotated[str, Field(max_length=320)]
    days: int
    version: Annotated[str, Field(min_length=1, max_length=32)]
    digest: Digest
    wish: Annotated[str, Field(max_length=4_000)] = ""


class LinkAndCode(Body):
    """The secret of a mailed link, and the code that the patient gave."""

    token: Annotated[str, Field(max_length=100)]
    code: Annotated[str, Field(max_length=100)]


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a case, and the text by which another one is made."""

    links: list[LinkView]
    version: str
    digest: str
    words: str


def _listed(c: Call) -> Links:
    return Links(physicians.listed(c.tx, c.who, c.case_id), CONSENT.version, CONSENT.digest, CONSENT.text)


def _hand(c: Call) -> Handed:
    b = c.body
    said = {"version": b.version, "digest": b.digest, "wish": b.wish, "address": c.address}
    made = physicians.hand(c.tx, c.who, c.case_id, b.name, b.email, b.days, **said)
    # Nobody's mailbox is filled; and only what would be mailed is counted.
    attempts.spend(c.archive.db, *attempts.mailing(b.email))
    return made


def _report(c: Call) -> SharedReport:
    budgets = _spent(c)
    with c.archive.db.transaction() as tx:
        found = physicians.opened(tx, c.body.token, c.body.code)
    return _good(c, budgets, found)


def _pdf(c: Call) -> bytes:
    budgets = _spent(c)
    with c.archive.db.transaction() as tx:
        found = physicians.pdf(tx, c.body.token, c.body.code)
    return _good(c, budgets, found)[1]


def _spent(c: Call) -> tuple[attempts.Budget, ...]:
    budgets = attempts.opening_by_code(c.body.token, c.address)
    attempts.spend(c.archive.db, *budgets, safe=gettext("Too many codes were tried."))
    return budgets


def _good(c: Call, budgets: tuple[attempts.Budget, ...], found: _T | None) -> _T:
    if found is None:
        raise NotFound("a link and a code that open nothing", safe=gettext(NOTHING))
    attempts.give_back(c.archive.db, *budgets)
    return found


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _LINKS, "report", "The physicians who can read the report by a link, and when they did", _listed,
              result=Links),
    Operation("POST", _LINKS, "report", "Let a physician read the report by a link; its code is told once", _hand,
              NewLink, Handed, 201),
    Operation("DELETE", f"{_LINKS}/{{link}}", "report", "End a physician's link",
              lambda c: physicians.end(c.tx, c.who, c.case_id, c.uuid("link")), None, None, 204),
    Operation("POST", _SHARED, "report", "Read a report by a mailed link and its code", _report, LinkAndCode,
              SharedReport, public=True, apart=True),
    Operation("POST", f"{_SHARED}/pdf", "report", "The same as PDF", _pdf, LinkAndCode, bytes,
              media_type="application/pdf", public=True, apart=True),
)
# fmt: on
