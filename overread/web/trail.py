"""The audit log as a page and as a file, with filters; reading it is recorded in it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import Select, or_, select
from starlette.responses import Response
from starlette.routing import BaseRoute

from overread.kit import audit
from overread.kit.audit import AuditRow
from overread.kit.principals import Role
from overread.services import Services
from overread.web import render
from overread.web.visits import Desk, Visit

_PAGE, _MOST_EXPORTED = 100, 50_000
_FILTERS = ("person", "object", "what", "since", "until")
_KINDS = {
    "session.": "Signing in and out",
    "account.": "Accounts",
    "case.": "Cases",
    "study.": "Studies",
    "pixels.": "Decisions on pictures",
    "images.": "Images read",
    "report.": "Reports",
    "grant.": "Access of specialists",
    "viewer.": "Viewers",
    "audit.": "This log",
}
_TONES = {audit.SUCCESS: "good", audit.REFUSED: "warn", audit.FAILED: "bad"}


def routes(services: Services) -> list[BaseRoute]:
    """The log's routes, for auditors and admins."""
    desk = Desk(services, Role.AUDITOR, Role.ADMIN)
    return [desk.get("/audit", log_page), desk.get("/audit.csv", export)]


def log_page(visit: Visit) -> Response:
    """A page of the log, newest first."""
    chosen = {name: visit.query(name) for name in _FILTERS if visit.query(name)}
    query = _filtered(chosen).limit(_PAGE + 1)
    before = _uuid(visit.query("before"))
    if before is not None:
        # Ids are UUIDv7: in the order of their making.
        query = query.where(AuditRow.id < before)
    rows = list(visit.tx.scalars(query))
    audit.record(visit.tx, visit.who, "audit.read", "audit", "log")
    more = len(rows) > _PAGE
    rows = rows[:_PAGE]
    older = {**chosen, "before": str(rows[-1].id)} if more else {}
    return visit.page(
        "auditor/audit.html",
        events=[_event(row) for row in rows],
        filter=chosen,
        kinds=[{"value": value, "label": label} for value, label in _KINDS.items()],
        action="/audit",
        export_url="/audit.csv" + (f"?{urlencode(chosen)}" if chosen else ""),
        next_url=f"/audit?{urlencode(older)}" if more else "",
        integrity=None,
    )


def export(visit: Visit) -> Response:
    """The filtered log as CSV (RFC 4180)."""
    chosen = {name: visit.query(name) for name in _FILTERS if visit.query(name)}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["at", "actor", "role", "action", "object_kind", "object_id", "case_id", "outcome", "detail"])
    for row in visit.tx.scalars(_filtered(chosen).limit(_MOST_EXPORTED)):
        values = (row.actor, row.role, row.action, row.object_kind, row.object_id, row.case_id or "", row.outcome)
        writer.writerow([row.at.astimezone(UTC).isoformat(), *map(_cell, values), _cell(_details(row))])
    audit.record(visit.tx, visit.who, "audit.export", "audit", "log")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


def _filtered(chosen: dict[str, str]) -> Select[AuditRow]:
    query = select(AuditRow).order_by(AuditRow.id.desc())
    if person := chosen.get("person"):
        query = query.where(AuditRow.actor.icontains(person, autoescape=True))
    if thing := chosen.get("object"):
        case_id = _uuid(thing)
        own = AuditRow.object_id == thing
        query = query.where(or_(own, AuditRow.case_id == case_id) if case_id else own)
    if chosen.get("what") in _KINDS:
        query = query.where(AuditRow.action.startswith(chosen["what"], autoescape=True))
    if since := _day(chosen.get("since")):
        query = query.where(AuditRow.at >= since)
    if until := _day(chosen.get("until")):
        query = query.where(AuditRow.at < until + timedelta(days=1))
    return query


def _event(row: AuditRow) -> dict[str, Any]:
    return {
        "at": render.moment(row.at),
        "who": row.actor,
        "role": row.role,
        "what": row.action,
        "object": f"{row.object_kind} {row.object_id}",
        "address": str(row.detail.get("address", "")),
        "outcome": render.status(row.outcome.capitalize(), _TONES.get(row.outcome, "neutral")),
    }


def _details(row: AuditRow) -> str:
    return "; ".join(f"{key}={value}" for key, value in row.detail.items())


def _cell(value: object) -> str:
    # A spreadsheet takes a cell that begins so for a formula, and runs it.
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _day(text: str | None) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text or ""), time.min, UTC)
    except ValueError:
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
