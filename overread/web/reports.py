"""A report and its versions as templates take them, whoever reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from cases.service import versions
from cases.views import REPORT_KINDS, ReportEvent, ReportKind, ReportState, ReportView, SignatureView, VersionView
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.web import render
from overread.web.contexts import TxContext

_TONES: Mapping[str, str] = {
    ReportState.DRAFT: "info",
    ReportState.SIGNED: "warn",
    ReportState.PUBLISHED: "good",
    ReportState.RECALLED: "bad",
}
#: On whose pages a version stands, by role, and to which page of the case it goes back.
HOMES: Mapping[Role, tuple[str, str]] = {
    Role.PATIENT: ("/cases", "/report"),
    Role.COORDINATOR: ("/queue", ""),
    Role.SPECIALIST: ("/reading", ""),
}
_WAYS: Mapping[str, str] = {"pages": Phrase("on the pages"), "archive": Phrase("in the archive")}


def shown(found: ReportView) -> dict[str, Any]:
    """A version with all that stands in and under it."""
    return {
        "title": REPORT_KINDS[ReportKind(found.kind)],
        "reference": found.reference,
        "version": found.version,
        "mark": found.mark.text if found.mark else "",
        "change": found.change,
        "answers": [
            {"question": a.question, "answer": a.answer or gettext("Not answered yet.")} for a in found.answers
        ],
        "texts": [{"label": t.patient_label, "text": t.text} for t in found.texts if t.text],
        "studies": found.studies,
        "signed": signed(found.signature, found.signed_at, found.digest),
        "published_at": render.moment(found.published_at),
        "additions": [
            {
                "version": one.version,
                "text": one.text,
                "change": one.change,
                "at": render.moment(one.published_at),
                "signed": signed(one.signature, one.signed_at, one.digest),
            }
            for one in found.additions
        ],
        "follow_ups": [
            {
                "question": a.question,
                "answer": a.answer or gettext("Not answered yet."),
                "signed": signed(a.signature, a.answered_at, a.digest),
            }
            for a in found.follow_ups
        ],
    }


def signed(signature: SignatureView | None, at: datetime | None, digest: str | None) -> dict[str, Any] | None:
    """What stands under a signature; None where nothing is signed."""
    if signature is None:
        return None
    lines = [line for line in (signature.qualification, signature.practice, signature.right) if line]
    return {"name": signature.name, "lines": lines, "at": render.moment(at), "digest": digest or ""}


def listed(ctx: TxContext, case_id: UUID) -> list[dict[str, Any]]:
    """The versions that somebody may know of, newest first, with what they may do with each."""
    return lines(ctx, case_id, versions.listed(ctx.tx, ctx.who, case_id))


def lines(ctx: TxContext, case_id: UUID, known: Sequence[VersionView]) -> list[dict[str, Any]]:
    """The same of versions that were read already."""
    return [_line(ctx, case_id, one) for one in known]


def taken_back(versions_: Sequence[dict[str, Any]]) -> bool:
    """Whether what was given to the patient was recalled, and nothing is in force in its place."""
    states = [one["state"] for one in versions_ if one["main"]]
    return ReportState.RECALLED in states and ReportState.PUBLISHED not in states


def _line(ctx: TxContext, case_id: UUID, one: VersionView) -> dict[str, Any]:
    url = f"{HOMES[ctx.who.role][0]}/{case_id}/reports/{one.number}"
    coordinates = ctx.who.role is Role.COORDINATOR

    def action(event: ReportEvent, path: str) -> str:
        return f"{url}/{path}" if coordinates and event in one.actions else ""

    return {
        "number": one.number,
        "kind": one.kind_label,
        "main": one.kind != ReportKind.ADDENDUM,
        "state": one.state,
        "status": {"label": one.status, "tone": _TONES.get(one.state, "neutral")},
        # What the state says already is not said twice.
        "mark": "" if one.mark == one.status else one.mark,
        "change": one.change,
        "reason": one.reason,
        "signed": signed(one.signature, one.signed_at, None),
        "published_at": render.moment(one.published_at),
        "read_at": render.moment(one.first_read_at) if coordinates else None,
        "url": url if one.readable and one.state != ReportState.DRAFT else "",
        "pdf_url": f"/cases/{case_id}/reports/{one.number}.pdf" if one.readable and one.signed_at else "",
        "discardable": ReportEvent.DISCARD in one.actions,
        "recall_action": action(ReportEvent.RECALL, "recall"),
        "restore_action": action(ReportEvent.RESTORE, "restore"),
        "readers": _readers(ctx, case_id, one.number) if coordinates and one.state == ReportState.RECALLED else [],
    }


def _readers(ctx: TxContext, case_id: UUID, number: int) -> list[dict[str, Any]]:
    return [
        {
            "who": f"{one.name}, {one.role}",
            "way": _WAYS[one.way],
            "first": render.moment(one.first),
            "last": render.moment(one.last),
        }
        for one in versions.readers(ctx.tx, ctx.who, case_id, number)
    ]
