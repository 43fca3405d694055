"""The audit log as a page and as a file, with filters; reading it is recorded in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from overread.kit import audit, zones
from overread.kit.audit import AuditRow
from overread.kit.audit_looks import LONGEST
from overread.kit.db import Database
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, paging, render
from overread.web.contexts import Desk, RequestContext, TxContext

_ROWS, _BATCH = 100, 1_000
_FILTERS = ("person", "object", "what", "since", "until")
_HEAD = (
    "at", "actor", "role", "action", "object_kind", "object_id", "case_id", "outcome", "detail", "until", "instances",
)  # fmt: skip
_KINDS = {
    "session.": Phrase("Signing in and out"),
    "account.": Phrase("Accounts"),
    "case.": Phrase("Cases"),
    "study.": Phrase("Studies"),
    "pixels.": Phrase("Decisions on pictures"),
    "images.": Phrase("Images read"),
    "report.": Phrase("Reports"),
    "grant.": Phrase("Access of specialists"),
    "viewer.": Phrase("Viewers"),
    "audit.": Phrase("This log"),
}
_TONES = {audit.SUCCESS: "good", audit.REFUSED: "warn", audit.FAILED: "bad"}


def routes(services: Services) -> list[BaseRoute]:
    """The log's routes, for auditors and admins."""
    desk = Desk(services, Permission.AUDIT_READ)
    return [desk.get("/audit", log_page), desk.get_without_tx("/audit.csv", export)]


def log_page(ctx: TxContext) -> Response:
    """A page of the log, newest first."""
    chosen = _chosen(ctx)
    page = audit.NEWEST.page(ctx.tx, _filtered(chosen, zones.current()), ctx.query(paging.AFTER), _ROWS)
    audit.record(ctx.tx, ctx.who, "audit.read", "audit", "log")
    return ctx.page(
        "auditor/audit.html",
        events=[_event(row) for row in page],
        filter=chosen,
        kinds=[{"value": value, "label": label} for value, label in _KINDS.items()],
        action="/audit",
        export_url=paging.address("/audit.csv", **chosen),
        pager=paging.links(ctx, "/audit", page, **chosen),
        integrity=None,
    )


def export(context: RequestContext) -> Response:
    """The filtered log as CSV (RFC 4180), all of it, newest first."""
    with context.services.db.transaction() as tx:
        audit.record(tx, context.who, "audit.export", "audit", "log")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"}
    lines = _lines(context.services.db, _chosen(context), zones.current())
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


def _chosen(context: RequestContext) -> dict[str, str]:
    return {name: context.query(name) for name in _FILTERS if context.query(name)}


def _lines(db: Database, chosen: dict[str, str], zone: tzinfo) -> Iterator[bytes]:
    """The log's lines, some at a time: no connection waits, and nothing is held, while a slow reader takes them."""
    after, text = "", io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEAD)
    while True:
        with db.transaction() as tx:
            page = audit.NEWEST.page(tx, _filtered(chosen, zone), after, _BATCH)
            tx.expunge_all()
        for row in page:
            values = (row.actor, row.role, row.action, row.object_kind, row.object_id, row.case_id or "", row.outcome)
            ends = row.until.astimezone(UTC).isoformat() if row.until else ""
            given = "" if row.instances is None else row.instances
            writer.writerow(
                [row.at.astimezone(UTC).isoformat(), *map(_cell, values), _cell(_details(row)), ends, given]
            )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
        after = page.next
        if not after:
            return


def _filtered(chosen: dict[str, str], zone: tzinfo) -> Select[AuditRow]:
    query = select(AuditRow)
    if person := chosen.get("person"):
        query = query.where(AuditRow.actor.icontains(person, autoescape=True))
    if thing := chosen.get("object"):
        case_id = _uuid(thing)
        own = AuditRow.object_id == thing
        query = query.where(or_(own, AuditRow.case_id == case_id) if case_id else own)
    if chosen.get("what") in _KINDS:
        query = query.where(AuditRow.action.startswith(chosen["what"], autoescape=True))
    if since := _day(chosen.get("since"), zone):
        # A look that began before may have gone on until then; the first condition is what the index answers.
        query = query.where(AuditRow.at >= since - LONGEST, func.coalesce(AuditRow.until, AuditRow.at) >= since)
    if until := _day(chosen.get("until"), zone):
        query = query.where(AuditRow.at < until + timedelta(days=1))
    return query


def _event(row: AuditRow) -> dict[str, Any]:
    return {
        "at": render.moment(row.at),
        "who": row.actor,
        "role": row.role,
        "what": row.action,
        "look": labels.look(row.at, row.until, row.instances),
        "object": gettext("%(object_kind)s %(object_id)s", object_kind=row.object_kind, object_id=row.object_id),
        "address": str(row.detail.get("address", "")),
        "outcome": render.status(row.outcome.capitalize(), _TONES.get(row.outcome, "neutral")),
    }


def _details(row: AuditRow) -> str:
    return "; ".join(f"{key}={value}" for key, value in row.detail.items())


def _cell(value: object) -> str:
    # A spreadsheet takes a cell that begins so for a formula, and runs it.
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _day(text: str | None, zone: tzinfo) -> datetime | None:
    """A day as the reader lives it begins here."""
    try:
        return datetime.combine(date.fromisoformat(text or ""), time.min, zone)
    except ValueError:
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
