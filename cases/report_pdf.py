"""The report as a PDF/A-3b document (ISO 19005-3): made from the signed words, nothing fetched from anywhere.

It is set in every script that the fonts have (`cases.typesetting`), and carries its words as plain text.
"""

from __future__ import annotations

import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from cases import report_plain, typesetting
from cases.report_plain import CHANGED, DISCLAIMER
from cases.typesetting import STYLE, attributes, inline, paragraphs
from overread.kit import zones

if TYPE_CHECKING:
    from datetime import datetime

    from cases.report_views import AdditionView, SignatureView
    from cases.views import Answer, ReportView

_STYLE = """
@page { size: A4; margin: 22mm 20mm 24mm; font-size: 8pt; color: #5a6572;
  @bottom-left { content: "REFERENCE" }
  @bottom-right { content: "Page " counter(page) " of " counter(pages) } }
body { font-size: 10.5pt; line-height: 1.55; color: #17212b; margin: 0 }
header { border-bottom: 2pt solid #1d5c63; padding-bottom: 4mm; margin-bottom: 7mm }
header p { margin: 0; color: #5a6572; font-size: 9pt }
h1 { font-size: 19pt; line-height: 1.2; margin: 1mm 0 0; color: #123f45 }
h2 { font-size: 11pt; margin: 7mm 0 2mm; color: #1d5c63; break-after: avoid }
dl { display: grid; grid-template-columns: 34mm 1fr; gap: 1.2mm 4mm; margin: 0; font-size: 9.5pt }
dt { color: #5a6572 } dd { margin: 0 }
section.qa { margin-bottom: 5mm; padding-left: 4mm; border-left: 1.5pt solid #cfdcdd }
section.qa[dir=rtl] { padding: 0 4mm 0 0; border-left: 0; border-right: 1.5pt solid #cfdcdd }
section.qa h3 { font-size: 10.5pt; margin: 0 0 1mm; break-after: avoid; overflow-wrap: anywhere }
p.text { white-space: pre-wrap; margin: 0; overflow-wrap: anywhere }
p.gap { margin-top: 3mm }
.text-box { background: #f0f5f5; padding: 4mm 5mm; border-radius: 2mm }
footer { margin-top: 9mm; padding-top: 4mm; border-top: .5pt solid #cfdcdd; font-size: 8.5pt; color: #5a6572;
  break-inside: avoid }
.signed code { font-family: inherit; font-size: 7.5pt; overflow-wrap: anywhere }
ul { margin: 0; padding-left: 5mm }
.mark { border: 1.5pt solid #9b1c1c; color: #9b1c1c; padding: 3mm 5mm; margin: 0 0 6mm; font-weight: bold }
.signed { direction: ltr; margin: 5mm 0 0; padding-left: 4mm; border-left: 1.5pt solid #1d5c63; break-inside: avoid;
  font-size: 9.5pt }
.signed p { margin: 0 } .signed .soft { color: #5a6572 }
"""


def render(report: ReportView) -> bytes:
    """The PDF of a report. Raises nothing of its own: every text is escaped, no address in it is followed."""
    import weasyprint  # imported here: it loads Pango, which only this function needs

    words = report_plain.plain(report)
    moment = report.published_at or report.signed_at
    copy = weasyprint.Attachment(
        string=words,
        name=f"second-opinion-{report.reference}.txt",
        description="The words of this document as plain text (UTF-8)",
        created=moment,
        modified=moment,
        # ISO 19005-3, 6.8: what the file is to the document.
        relationship="Alternative",
    )
    document = weasyprint.HTML(string=html(report), base_url=None, url_fetcher=_fetch_nothing)
    with warnings.catch_warnings():
        # WeasyPrint leaves its colour profile's file to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        pdf: bytes = document.write_pdf(
            # Not 3u: WeasyPrint gives no Unicode for some of the glyphs of Indic clusters; the plain text has them all.
            pdf_variant="pdf/a-3b",
            pdf_tags=True,
            pdf_identifier=_identifier(report),
            attachments=[copy],
        )
    return pdf


def html(report: ReportView) -> str:
    """The document that the PDF is set from."""
    zone = report.zone
    chinese = typesetting.han(report_plain.plain(report))
    facts = "".join(
        f"<dt>{key}</dt><dd>{inline(value, chinese)}</dd>" for key, value in report_plain.facts(report).items()
    )
    listed = "".join(f"<li>{inline(line, chinese)}</li>" for line in report.studies)
    answers = "".join(_answer(answer, zone, chinese) for answer in report.answers)
    texts = "".join(_text(one.label, one.text, chinese) for one in report.texts if one.text)
    additions = "".join(_addition(one, zone, chinese) for one in report.additions)
    follow_ups = "".join(_answer(answer, zone, chinese) for answer in report.follow_ups if answer.answer)
    mark = report.mark.text if report.mark else ""
    style = STYLE + _STYLE.replace("REFERENCE", report.reference + (f" · {mark}".replace(chr(34), "") if mark else ""))
    title = report_plain.title(report)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} {escape(report.reference)}</title>
<meta name="author" content="{escape(report.signed_by)}">
<meta name="description" content="{escape(report.program)}"><style>{style}</style></head><body>
{f'<p class="mark">{inline(mark, chinese)}</p>' if mark else ""}
<header><p>{inline(report.program, chinese)}</p><h1>{title}</h1></header>
<dl>{facts}</dl>
{_text(CHANGED, report.change, chinese) if report.change else ""}
{f"<h2>Your questions</h2>{answers}" if answers else ""}
{texts}
{_signed(report.signature, report.signed_by, report.signed_at, report.digest, zone, chinese)}
<h2>Studies read</h2><ul>{listed}</ul>
{additions}
{f"<h2>Questions about the report</h2>{follow_ups}" if follow_ups else ""}
<footer><p>{DISCLAIMER}</p></footer>
</body></html>"""


def _signed(
    signature: SignatureView | None, name: str, at: datetime | None, digest: str | None, zone: str, chinese: str
) -> str:
    """Who signed, as what, where, by which right, when, and the digest of all of it."""
    if at is None:
        return ""
    lines = [signature.qualification, signature.practice, signature.right] if signature else []
    told = "".join(f"<p>{inline(line, chinese)}</p>" for line in lines if line)
    sealed = f'<p class="soft">SHA-256: <code>{escape(digest)}</code></p>' if digest else ""
    return (
        f'<div class="signed"><p><strong>{inline(name, chinese)}</strong></p>{told}'
        f'<p class="soft">Signed {zones.dated(at, zone)}</p>{sealed}</div>'
    )


def _addition(one: AdditionView, zone: str, chinese: str) -> str:
    at = zones.dated(one.published_at, zone) if one.published_at else ""
    heading = f"Addition of {at} (version {one.version})"
    signed = _signed(one.signature, one.signature.name, one.signed_at, one.digest, zone, chinese)
    change = _text(CHANGED, one.change, chinese) if one.change else ""
    return f"{_text(heading, one.text, chinese)}{change}{signed}"


def _answer(answer: Answer, zone: str, chinese: str) -> str:
    name = answer.signature.name if answer.signature else ""
    signed = (
        _signed(answer.signature, name, answer.answered_at, answer.digest, zone, chinese) if answer.signature else ""
    )
    asked = attributes(answer.question, chinese)
    return (
        f'<section class="qa"{asked}><h3>{answer.number}. {inline(answer.question, chinese)}</h3>'
        f"{paragraphs(answer.answer, chinese)}{signed}</section>"
    )


def _text(label: str, text: str, chinese: str) -> str:
    return f'<h2>{inline(label, chinese)}</h2><div class="text-box">{paragraphs(text, chinese)}</div>'


def _identifier(report: ReportView) -> bytes:
    # The same report gives the same identifier, however often it is set.
    return report.report_id.bytes


def _fetch_nothing(url: str, *_args: Any, **_keywords: Any) -> dict[str, Any]:
    raise ValueError(f"a report fetches nothing: {url[:40]!r}")
