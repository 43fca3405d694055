"""Structured reports as text that people read: HTML and plain (PS3.18 8.7.4; PS3.3 C.17.3; PS3.16).

A content item becomes a line or, where it has items below it, a section. All of a report's texts are a stranger's:
they are escaped, and nothing of them becomes a link or an image.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom import Dataset

from pacs.pixels.attributes import items, phrase

#: Content items and levels that are shown at most.
_MAX_ITEMS, _MAX_DEPTH = 20_000, 64

_HEADER = (
    ("PatientName", "Patient"),
    ("PatientID", "Patient ID"),
    ("PatientBirthDate", "Born"),
    ("PatientSex", "Sex"),
    ("StudyDate", "Study date"),
    ("StudyDescription", "Study"),
    ("ContentDate", "Report date"),
    ("CompletionFlag", "Completion"),
    ("VerificationFlag", "Verification"),
)
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse}th{text-align:left;padding-right:1.5rem;font-weight:600}"
    "section{margin-left:1rem;border-left:2px solid #d5d9de;padding-left:1rem}h1{font-size:1.5rem}"
    "h2{font-size:1.1rem;margin:1rem 0 .25rem}p{margin:.25rem 0;white-space:pre-wrap}b{font-weight:600}"
)


@dataclass(slots=True)
class Item:
    """A content item: what it is called, its value as text, and the items below it."""

    name: str
    value: str = ""
    below: list[Item] = field(default_factory=list)


def read(ds: Dataset) -> Item:
    """Read a report's content tree; its root is named by the document's title."""
    budget = [_MAX_ITEMS]
    root = _item(ds, 0, budget)
    root.name = root.name or "Structured report"
    if budget[0] <= 0:
        root.below.append(Item("", "The report is longer than what is shown here."))
    return root


def as_html(ds: Dataset) -> str:
    """The report as a page of its own: well-formed XHTML 5 without script, link or image."""
    root = read(ds)
    rows = "".join(f"<tr><th>{_safe(label)}</th><td>{_safe(text)}</td></tr>" for label, text in _header(ds))
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>'
        f"<title>{_safe(root.name)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_safe(root.name)}</h1><table>{rows}</table>{''.join(map(_section, root.below))}</body></html>\n"
    )


def as_text(ds: Dataset) -> str:
    """The report as plain text, indented by level."""
    root = read(ds)
    lines = [root.name, "=" * len(root.name), *(f"{label}: {text}" for label, text in _header(ds)), ""]
    for one in root.below:
        lines += _lines(one, 0)
    return _plain("\n".join(lines) + "\n")


def _header(ds: Dataset) -> Iterator[tuple[str, str]]:
    for keyword, label in _HEADER:
        if text := phrase(ds, keyword):
            yield label, _date(text) if keyword.endswith("Date") else text.replace("^", " ").strip()


def _item(ds: Dataset, depth: int, budget: list[int]) -> Item:
    budget[0] -= 1
    found = Item(_coded(ds, "ConceptNameCodeSequence"), _value(ds))
    if depth < _MAX_DEPTH:
        for below in items(ds, "ContentSequence"):
            if budget[0] <= 0:
                break
            found.below.append(_item(below, depth + 1, budget))
    return found


def _value(ds: Dataset) -> str:
    """An item's value by its Value Type (PS3.3 Table C.17.3-7)."""
    kind = phrase(ds, "ValueType")
    if kind == "NUM":
        return _measured(ds)
    if kind == "CODE":
        return _coded(ds, "ConceptCodeSequence")
    if kind == "PNAME":
        return phrase(ds, "PersonName").replace("^", " ").strip()
    if kind in ("DATE", "TIME", "DATETIME"):
        text = phrase(ds, {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime"}[kind])
        return (
            _date(text) if kind == "DATE" else _time(text) if kind == "TIME" else f"{_date(text[:8])} {_time(text[8:])}"
        )
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        referenced = [phrase(one, "ReferencedSOPInstanceUID") for one in items(ds, "ReferencedSOPSequence")]
        return f"{kind.lower()} {', '.join(filter(None, referenced))}".strip()
    if kind in ("SCOORD", "SCOORD3D"):
        return f"{phrase(ds, 'GraphicType').lower()} {phrase(ds, 'GraphicData').replace(chr(92), ' ')}".strip()
    if kind == "TCOORD":
        return phrase(ds, "TemporalRangeType").lower()
    return phrase(ds, "UID") if kind == "UIDREF" else phrase(ds, "TextValue")


def _measured(ds: Dataset) -> str:
    for one in items(ds, "MeasuredValueSequence")[:1]:
        units = items(one, "MeasurementUnitsCodeSequence")
        unit = phrase(units[0], "CodeValue") if units else ""
        # UCUM writes "no unit" as 1, and remarks in braces.
        shown = "" if unit == "1" else re.sub(r"^\{(.*)\}$", r"\1", unit)
        return f"{phrase(one, 'NumericValue')} {shown}".strip()
    return _coded(ds, "NumericValueQualifierCodeSequence") or "no value"


def _coded(ds: Dataset, keyword: str) -> str:
    """A code's meaning, else the code itself."""
    for code in items(ds, keyword)[:1]:
        return next(filter(None, (phrase(code, k) for k in ("CodeMeaning", "CodeValue", "LongCodeValue"))), "")
    return ""


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if re.fullmatch(r"\d{8}", text) else text


def _time(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if re.match(r"\d{4}", text) else text


def _section(one: Item) -> str:
    line = f"<b>{_safe(one.name)}:</b> {_safe(one.value)}" if one.name and one.value else _safe(one.value)
    if not one.below:
        return f"<p>{line or f'<b>{_safe(one.name)}</b>'}</p>"
    head = f"<p>{line}</p>" if one.value else f"<h2>{_safe(one.name)}</h2>" if one.name else ""
    return f"{head}<section>{''.join(map(_section, one.below))}</section>"


def _lines(one: Item, depth: int) -> Iterator[str]:
    pad = "  " * depth
    line = f"{one.name}: {one.value}" if one.name and one.value else one.name or one.value
    yield pad + line.replace("\r\n", "\n").replace("\r", "\n").replace("\n", f"\n{pad}  ")
    for below in one.below:
        yield from _lines(below, depth + 1)


def _safe(text: str) -> str:
    return html.escape(_plain(text))


def _plain(text: str) -> str:
    """Without what neither XML nor a terminal may be given: control characters, surrogates, and turns of direction."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]", "", text)
