"""Structured reports as text that people read: HTML and plain (PS3.18 8.7.4; PS3.3 C.17.3; PS3.16).

A content item becomes a line or, where it has items below it, a section. All of a report's texts are a stranger's:
they are escaped, and nothing of them becomes a link or an image. Links lead to what the archive says is there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
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
    ("CompletionFlag", "Report"),
    ("VerificationFlag", "Verification"),
)
#: Words of the header that are codes, and what they mean to a reader.
_WORDS = {
    "PatientSex": {"F": "female", "M": "male", "O": "other"},
    "CompletionFlag": {"COMPLETE": "complete", "PARTIAL": "not complete"},
    "VerificationFlag": {"VERIFIED": "verified", "UNVERIFIED": "not verified"},
}
#: Units that UCUM writes otherwise than people.
_UNITS = {
    "1": "", "[hnsf'U]": "HU", "mm2": "mm²", "mm3": "mm³", "cm2": "cm²", "cm3": "cm³", "um": "µm", "ug": "µg",
    "Cel": "°C", "deg": "°", "m2": "m²", "g/ml{SUVbw}": "g/ml (SUV)", "[in_i]": "in", "[lb_av]": "lb",
    "{H.B.}/min": "/min",
}  # fmt: skip
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff;"
    "overflow-wrap:anywhere}table{border-collapse:collapse;margin-bottom:1.5rem}"
    "th{text-align:left;vertical-align:top;padding-right:1.5rem;font-weight:600;overflow-wrap:normal}"
    "section{margin-left:.25rem;border-left:2px solid #d5d9de;padding-left:1rem}h1{font-size:1.5rem;line-height:1.25}"
    "h2{font-size:1.1rem;margin:1rem 0 .25rem}p{margin:.25rem 0;white-space:pre-wrap}b{font-weight:600}"
    "small{color:#5b6470}a{color:#0b57d0}"
    "@media(max-width:30rem){body{margin:1rem auto}th{padding-right:.75rem}section{padding-left:.625rem}}"
)

#: Gives the address of a referenced instance, or of a frame of it, by its UID; None where it is not here.
Links = Callable[[str, str], str | None]


@dataclass(slots=True)
class Item:
    """A content item: what it is called, its value as text, what may be said beside it, and the items below it."""

    name: str
    value: str = ""
    #: The code that the value stands for, or the identifier of what is referred to.
    aside: str = ""
    #: The instance that is referred to, and its first frame where one is named.
    reference: tuple[str, str] | None = None
    below: list[Item] = field(default_factory=list)


def read(ds: Dataset) -> Item:
    """Read a report's content tree; its root is named by the document's title."""
    budget = [_MAX_ITEMS]
    root = _item(ds, 0, budget)
    root.name = root.name or "Structured report"
    if budget[0] <= 0:
        root.below.append(Item("", "The report is longer than what is shown here."))
    return root


def as_html(ds: Dataset, links: Links | None = None) -> str:
    """The report as a page of its own: well-formed XHTML 5 without script or image; `links` makes references links."""
    root = read(ds)
    rows = "".join(f"<tr><th>{_safe(label)}</th><td>{_safe(text)}</td></tr>" for label, text in _header(ds))
    below = "".join(_section(one, links) for one in root.below)
    return (
        '<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>'
        f"<title>{_safe(root.name)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_safe(root.name)}</h1><table>{rows}</table>{below}</body></html>\n"
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
        text = phrase(ds, keyword)
        if keyword == "ContentDate":
            text = f"{_date(text)} {_time(phrase(ds, 'ContentTime'))}".strip()
        if text:
            text = _date(text) if keyword.endswith("Date") else _person(text) if keyword == "PatientName" else text
            yield label, _WORDS.get(keyword, {}).get(text, text)
    for observer in items(ds, "VerifyingObserverSequence"):
        who = (_person(phrase(observer, "VerifyingObserverName")), phrase(observer, "VerifyingOrganization"))
        when = phrase(observer, "VerificationDateTime")
        yield "Verified by", ", ".join(filter(None, (*who, f"{_date(when[:8])} {_time(when[8:])}".strip())))


def _item(ds: Dataset, depth: int, budget: list[int]) -> Item:
    budget[0] -= 1
    found = Item(_coded(ds, "ConceptNameCodeSequence"), _value(ds))
    kind = phrase(ds, "ValueType")
    if kind == "CODE":
        found.aside = _code(ds, "ConceptCodeSequence")
    for one in items(ds, "ReferencedSOPSequence")[:1] if kind in ("IMAGE", "COMPOSITE", "WAVEFORM") else []:
        frame = phrase(one, "ReferencedFrameNumber").split(chr(92))[0]
        found.reference = phrase(one, "ReferencedSOPInstanceUID"), frame
        found.aside = found.reference[0]
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
        return _person(phrase(ds, "PersonName"))
    if kind in ("DATE", "TIME", "DATETIME"):
        text = phrase(ds, {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime"}[kind])
        return (
            _date(text) if kind == "DATE" else _time(text) if kind == "TIME" else f"{_date(text[:8])} {_time(text[8:])}"
        )
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        frames = phrase(next(iter(items(ds, "ReferencedSOPSequence")), Dataset()), "ReferencedFrameNumber")
        word = "object" if kind == "COMPOSITE" else kind.lower()
        return f"{word}, frame {frames.replace(chr(92), ', ')}" if frames else word
    if kind in ("SCOORD", "SCOORD3D"):
        return _outlined(ds, 3 if kind == "SCOORD3D" else 2)
    if kind == "TCOORD":
        return phrase(ds, "TemporalRangeType").lower()
    return phrase(ds, "UID") if kind == "UIDREF" else phrase(ds, "TextValue")


def _measured(ds: Dataset) -> str:
    for one in items(ds, "MeasuredValueSequence")[:1]:
        units = items(one, "MeasurementUnitsCodeSequence")
        unit = phrase(units[0], "CodeValue") if units else ""
        # UCUM writes "no unit" as 1, and remarks in braces.
        shown = _UNITS.get(unit, re.sub(r"^\{(.*)\}$", r"\1", unit))
        return f"{phrase(one, 'NumericValue')} {shown}".strip()
    return _coded(ds, "NumericValueQualifierCodeSequence") or "no value"


def _coded(ds: Dataset, keyword: str) -> str:
    """A code's meaning, else the code itself."""
    for code in items(ds, keyword)[:1]:
        return next(filter(None, (phrase(code, k) for k in ("CodeMeaning", "CodeValue", "LongCodeValue"))), "")
    return ""


def _code(ds: Dataset, keyword: str) -> str:
    """A code itself, behind the designator of its scheme; nothing where it is its own meaning."""
    for code in items(ds, keyword)[:1]:
        value = phrase(code, "CodeValue") or phrase(code, "LongCodeValue")
        return f"{phrase(code, 'CodingSchemeDesignator')} {value}".strip() if phrase(code, "CodeMeaning") else ""
    return ""


def _outlined(ds: Dataset, dimensions: int) -> str:
    """A region's kind with its points, or with their number where they are many."""
    flat = phrase(ds, "GraphicData").split(chr(92))
    points = [", ".join(flat[start : start + dimensions]) for start in range(0, len(flat), dimensions) if flat[0]]
    shown = " ".join(f"({point})" for point in points) if len(points) <= 4 else f"of {len(points)} points"
    return f"{phrase(ds, 'GraphicType').lower()} {shown}".strip()


def _person(name: str) -> str:
    """A name (PN) as people write it in lists: the family name first, and behind it as ideographs."""
    groups = name.split("=")
    family, *given = (part.strip() for part in groups[0].split("^")[:3])
    latin = ", ".join(filter(None, (family, " ".join(filter(None, given)))))
    written = groups[1].replace("^", " ").strip() if len(groups) > 1 else ""
    return f"{latin} ({written})" if latin and written else latin or written


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if re.fullmatch(r"\d{8}", text) else text


def _time(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if re.match(r"\d{4}", text) else text


def _section(one: Item, links: Links | None) -> str:
    shown = _shown(one, links)
    line = f"<b>{_safe(one.name)}:</b> {shown}" if one.name and shown else shown
    if not one.below:
        return f"<p>{line or f'<b>{_safe(one.name)}</b>'}</p>"
    head = f"<p>{line}</p>" if one.value else f"<h2>{_safe(one.name)}</h2>" if one.name else ""
    return f"{head}<section>{''.join(_section(below, links) for below in one.below)}</section>"


def _shown(one: Item, links: Links | None) -> str:
    """A value with its link, or with what may be said beside it."""
    value, aside = _safe(one.value), _safe(one.aside)
    href = links(*one.reference) if links is not None and one.reference is not None else None
    if href is not None:
        return f'<a href="{html.escape(href)}" title="{aside}">{value}</a>'
    return f"{value} <small>{aside}</small>" if aside else value


def _lines(one: Item, depth: int) -> Iterator[str]:
    pad = "  " * depth
    value = f"{one.value} ({one.aside})" if one.aside else one.value
    line = f"{one.name}: {value}" if one.name and value else one.name or value
    yield pad + line.replace("\r\n", "\n").replace("\r", "\n").replace("\n", f"\n{pad}  ")
    for below in one.below:
        yield from _lines(below, depth + 1)


def _safe(text: str) -> str:
    return html.escape(_plain(text))


def _plain(text: str) -> str:
    """Without what neither XML nor a terminal may be given: control characters, surrogates, and turns of direction."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]", "", text)
