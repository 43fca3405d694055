"""The report as a PDF/A-3b document (ISO 19005-3): made from the signed words, nothing fetched from anywhere."""

from __future__ import annotations

import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from overread.kit import zones

if TYPE_CHECKING:
    from cases.views import Answer, ReportView

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
footer code { font-size: 7.5pt; overflow-wrap: anywhere }
ul { margin: 0; padding-left: 5mm }
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
    signed = f"{report.signed_by}, {zones.dated(report.signed_at, zone)}" if report.signed_at else "Not signed: a draft"
    facts = {
        **({"Patient": report.patient} if report.patient else {}),
        "Reference": report.reference,
        "Version": str(report.version),
        "Published": zones.dated(report.published_at, zone) if report.published_at else "Not published",
        "Signed": signed,
    }
    listed = "".join(f"<li>{escape(line)}</li>" for line in report.studies)
    answers = "".join(_answer(answer) for answer in report.answers)
    texts = "".join(_text(one.label, one.text) for one in report.texts if one.text)
    follow_ups = "".join(_answer(answer) for answer in report.follow_ups if answer.answer)
    style = _STYLE.replace("REFERENCE", f"{report.reference}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Second opinion {escape(report.reference)}</title>
<meta name="author" content="{escape(report.signed_by)}"><style>{style}</style></head><body>
<header><p>{escape(report.program)}</p><h1>Second opinion</h1></header>
<dl>{"".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())}</dl>
<h2>Your questions</h2>{answers}
{texts}
<h2>Studies read</h2><ul>{listed}</ul>
{f"<h2>Questions about the report</h2>{follow_ups}" if follow_ups else ""}
<footer><p>A second opinion on images that were sent; the specialist did not examine the patient. It complements the
treating physician’s judgement and does not replace it.</p>
<p>SHA-256 of the signed words: <code>{escape(report.digest or "none")}</code></p></footer>
</body></html>"""


def _answer(answer: Answer) -> str:
    return (
        f'<section class="qa"><h3>{answer.number}. {escape(answer.question)}</h3>'
        f'<p class="text">{escape(answer.answer)}</p></section>'
    )


def _text(label: str, text: str) -> str:
    return f'<h2>{escape(label)}</h2><div class="text-box"><p class="text">{escape(text)}</p></div>'


def _identifier(report: ReportView) -> bytes:
    # The same report gives the same identifier, however often it is set.
    return report.report_id.bytes


def _fetch_nothing(url: str, *_args: Any, **_keywords: Any) -> dict[str, Any]:
    raise ValueError(f"a report fetches nothing: {url[:40]!r}")
