"""The report as a PDF/A-3b document (ISO 19005-3): made from the signed words, nothing fetched from anywhere."""

from __future__ import annotations

import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from overread.kit import zones

if TYPE_CHECKING:
    from datetime import datetime

    from cases.report_views import AdditionView, SignatureView
    from cases.views import Answer, ReportView

_TITLES = {"correction": "Second opinion, corrected", "addendum": "Addition to a second opinion"}
_KINDS = {"correction": "a correction", "addendum": "an addition"}

_STYLE = """
@page { size: A4; margin: 22mm 20mm 24mm;
  @bottom-left { content: "REFERENCE"; font: 8pt sans-serif; color: #5a6572 }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt sans-serif; color: #5a6572 } }
body { font: 10.5pt/1.5 "DejaVu Sans", "Liberation Sans", sans-serif; color: #17212b }
header { border-bottom: 2pt solid #1d5c63; padding-bottom: 4mm; margin-bottom: 7mm }
header p { margin: 0; color: #5a6572; font-size: 9pt }
h1 { font-size: 19pt; line-height: 1.2; margin: 1mm 0 0; color: #123f45; string-set: title content() }
h2 { font-size: 11pt; margin: 7mm 0 2mm; color: #1d5c63; break-after: avoid }
dl { display: grid; grid-template-columns: 34mm 1fr; gap: 1.2mm 4mm; margin: 0; font-size: 9.5pt }
dt { color: #5a6572 } dd { margin: 0 }
section.qa { margin-bottom: 5mm; padding-left: 4mm; border-left: 1.5pt solid #cfdcdd }
section.qa h3 { font-size: 10.5pt; margin: 0 0 1mm; break-after: avoid }
p.text { white-space: pre-wrap; margin: 0; overflow-wrap: anywhere }
.text-box { background: #f0f5f5; padding: 4mm 5mm; border-radius: 2mm }
footer { margin-top: 9mm; padding-top: 4mm; border-top: .5pt solid #cfdcdd; font-size: 8.5pt; color: #5a6572;
  break-inside: avoid }
.signed code { font-size: 7.5pt; overflow-wrap: anywhere }
ul { margin: 0; padding-left: 5mm }
.mark { border: 1.5pt solid #9b1c1c; color: #9b1c1c; padding: 3mm 5mm; margin: 0 0 6mm; font-weight: bold }
.signed { margin: 5mm 0 0; padding-left: 4mm; border-left: 1.5pt solid #1d5c63; break-inside: avoid; font-size: 9.5pt }
.signed p { margin: 0 } .signed .soft { color: #5a6572 }
"""


def render(report: ReportView) -> bytes:
    """The PDF of a report. Raises nothing of its own: every text is escaped, no address in it is followed."""
    import weasyprint  # imported here: it loads Pango, which only this function needs

    document = weasyprint.HTML(string=html(report), base_url=None, url_fetcher=_fetch_nothing)
    with warnings.catch_warnings():
        # WeasyPrint leaves its colour profile's file to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        pdf: bytes = document.write_pdf(pdf_variant="pdf/a-3b", pdf_identifier=_identifier(report))
    return pdf


def html(report: ReportView) -> str:
    """The document that the PDF is set from."""
    # A document has one reading for everybody: in the program's zone.
    zone = report.zone
    facts = {
        **({"Patient": report.patient} if report.patient else {}),
        "Reference": report.reference,
        "Version": _version(report),
        "Published": zones.dated(report.published_at, zone) if report.published_at else "Not published",
        **({} if report.signed_at else {"Signed": "Not signed: a draft"}),
    }
    listed = "".join(f"<li>{escape(line)}</li>" for line in report.studies)
    answers = "".join(_answer(answer, zone) for answer in report.answers)
    texts = "".join(_text(one.label, one.text) for one in report.texts if one.text)
    follow_ups = "".join(_answer(answer, zone) for answer in report.follow_ups if answer.answer)
    style = _STYLE.replace(
        "REFERENCE", f"{report.reference}" + (f" · {_mark(report)}".replace(chr(34), "") if report.mark else "")
    )
    change = _text("What was changed, and why", report.change) if report.change else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Second opinion {escape(report.reference)}</title>
<meta name="author" content="{escape(report.signed_by)}"><style>{style}</style></head><body>
{f'<p class="mark">{escape(_mark(report))}</p>' if report.mark else ""}
<header><p>{escape(report.program)}</p><h1>{_TITLES.get(report.kind, "Second opinion")}</h1></header>
<dl>{"".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())}</dl>
{change}
{f"<h2>Your questions</h2>{answers}" if answers else ""}
{texts}
{_signed(report.signature, report.signed_by, report.signed_at, report.digest, zone)}
<h2>Studies read</h2><ul>{listed}</ul>
{"".join(_addition(one, zone) for one in report.additions)}
{f"<h2>Questions about the report</h2>{follow_ups}" if follow_ups else ""}
<footer><p>A second opinion on images that were sent; the specialist did not examine the patient. It complements the
treating physician’s judgement and does not replace it.</p></footer>
</body></html>"""


def _version(report: ReportView) -> str:
    return f"{report.version} ({_KINDS[report.kind]})" if report.kind in _KINDS else str(report.version)


def _mark(report: ReportView) -> str:
    return report.mark.text if report.mark else ""


def _signed(signature: SignatureView | None, name: str, at: datetime | None, digest: str | None, zone: str) -> str:
    """Who signed, as what, where, by which right, when, and the digest of all of it."""
    if at is None:
        return ""
    lines = [signature.qualification, signature.practice, signature.right] if signature else []
    told = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    sealed = f'<p class="soft">SHA-256: <code>{escape(digest)}</code></p>' if digest else ""
    return (
        f'<div class="signed"><p><strong>{escape(name)}</strong></p>{told}'
        f'<p class="soft">Signed {zones.dated(at, zone)}</p>{sealed}</div>'
    )


def _addition(one: AdditionView, zone: str) -> str:
    at = zones.dated(one.published_at, zone) if one.published_at else ""
    heading = f"Addition of {at} (version {one.version})"
    change = f'<p class="text">{escape(one.change)}</p>' if one.change else ""
    signed = _signed(one.signature, one.signature.name, one.signed_at, one.digest, zone)
    return f"{_text(heading, one.text)}{change}{signed}"


def _answer(answer: Answer, zone: str) -> str:
    name = answer.signature.name if answer.signature else ""
    signed = _signed(answer.signature, name, answer.answered_at, answer.digest, zone) if answer.signature else ""
    return (
        f'<section class="qa"><h3>{answer.number}. {escape(answer.question)}</h3>'
        f'<p class="text">{escape(answer.answer)}</p>{signed}</section>'
    )


def _text(label: str, text: str) -> str:
    return f'<h2>{escape(label)}</h2><div class="text-box"><p class="text">{escape(text)}</p></div>'


def _identifier(report: ReportView) -> bytes:
    # The same report gives the same identifier, however often it is set.
    return report.report_id.bytes


def _fetch_nothing(url: str, *_args: Any, **_keywords: Any) -> dict[str, Any]:
    raise ValueError(f"a report fetches nothing: {url[:40]!r}")
