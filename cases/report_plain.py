"""The report as plain text, for machines and for whoever can't read a PDF; and what stands at its head."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from overread.kit import zones

if TYPE_CHECKING:
    from cases.report_views import SignatureView
    from cases.views import ReportView

_TITLES = {"correction": "Second opinion, corrected", "addendum": "Addition to a second opinion"}
_KINDS = {"correction": "a correction", "addendum": "an addition"}
CHANGED = "What was changed, and why"
DISCLAIMER = (
    "A second opinion on images that were sent; the specialist did not examine the patient. It complements the "
    "treating physician’s judgement and does not replace it."
)


def title(report: ReportView) -> str:
    """What a version is."""
    return _TITLES.get(report.kind, "Second opinion")


def facts(report: ReportView) -> dict[str, str]:
    """What stands at the head of a version. A document has one reading for everybody: in the program's zone."""
    version = f"{report.version} ({_KINDS[report.kind]})" if report.kind in _KINDS else str(report.version)
    return {
        **({"Patient": report.patient} if report.patient else {}),
        "Reference": report.reference,
        "Version": version,
        "Published": zones.dated(report.published_at, report.zone) if report.published_at else "Not published",
        **({} if report.signed_at else {"Signed": "Not signed: a draft"}),
    }


def plain(report: ReportView) -> str:
    """Every word of the document; headings in capitals would be no words in most scripts, so they are underlined."""
    zone = report.zone
    blocks = [report.mark.text] if report.mark else []
    blocks += [report.program, _heading(title(report)), "\n".join(f"{key}: {v}" for key, v in facts(report).items())]
    if report.change:
        blocks += [_heading(CHANGED), report.change]
    for answer in report.answers:
        blocks += [_heading(f"{answer.number}. {answer.question}"), answer.answer]
    for text in report.texts:
        blocks += [_heading(text.label), text.text] if text.text else []
    blocks.append(_signed(report.signature, report.signed_by, report.signed_at, report.digest, zone))
    blocks += [_heading("Studies read"), "\n".join(report.studies)]
    for one in report.additions:
        blocks += [_heading(f"Addition (version {one.version})"), one.text]
        blocks += [_heading(CHANGED), one.change] if one.change else []
        blocks.append(_signed(one.signature, one.signature.name, one.signed_at, one.digest, zone))
    for answer in (one for one in report.follow_ups if one.answer):
        blocks += [_heading(f"{answer.number}. {answer.question}"), answer.answer]
        name = answer.signature.name if answer.signature else ""
        blocks.append(_signed(answer.signature, name, answer.answered_at, answer.digest, zone))
    blocks.append(DISCLAIMER)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(text: str) -> str:
    return f"{text}\n{'-' * min(len(text), 72)}"


def _signed(signature: SignatureView | None, name: str, at: datetime | None, digest: str | None, zone: str) -> str:
    if at is None:
        return ""
    told = [signature.qualification, signature.practice, signature.right] if signature else []
    lines = [name, *told, f"Signed {zones.dated(at, zone)}", f"SHA-256: {digest}" if digest else ""]
    return "\n".join(line for line in lines if line)
