"""The Native DICOM Model in XML (PS3.19 annex A.1), made of the DICOM JSON model: the two say the same."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pacs.dicom.dicomjson import JsonDataset
from pacs.dicom.dictionary import keyword

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"

_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
#: Characters that XML 1.0 (clause 2.2) has no way to write.
_unwritable = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xml(dataset: JsonDataset) -> bytes:
    """Write a data set of the JSON model as one XML document in UTF-8.

    Characters that XML can't hold become U+FFFD. Bulk data keeps its URI, binary values stay base64.
    """
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n', f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">']
    _attributes(out, dataset)
    out.append("</NativeDicomModel>\n")
    return "".join(out).encode()


def _attributes(out: list[str], dataset: JsonDataset) -> None:
    for key, attribute in sorted(dataset.items()):
        tag = int(key, 16)
        out.append(f'<DicomAttribute tag="{key}" vr="{attribute["vr"]}"')
        if word := keyword(tag):
            out.append(f' keyword="{word}"')
        if creator := _private_creator(dataset, tag):
            out.append(f" privateCreator={quoteattr(_clean(creator))}")
        out.append(">")
        if "BulkDataURI" in attribute:
            out.append(f"<BulkData uri={quoteattr(_clean(attribute['BulkDataURI']))}/>")
        elif "InlineBinary" in attribute:
            out.append(f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>")
        else:
            for number, value in enumerate(attribute.get("Value", ()), 1):
                _value(out, attribute["vr"], number, value)
        out.append("</DicomAttribute>")


def _value(out: list[str], vr: str, number: int, value: Any) -> None:
    """Write one value; an empty one among others shows only by its missing number."""
    if vr == "SQ":
        out.append(f'<Item number="{number}">')
        _attributes(out, value)
        out.append("</Item>")
    elif value is None:
        return
    elif vr == "PN":
        out.append(f'<PersonName number="{number}">')
        for group, name in value.items():
            parts = zip(_NAME_PARTS, name.split("^", 4), strict=False)
            written = "".join(f"<{part}>{escape(_clean(text))}</{part}>" for part, text in parts if text)
            out.append(f"<{group}>{written}</{group}>")
        out.append("</PersonName>")
    else:
        out.append(f'<Value number="{number}">{escape(_clean(str(value)))}</Value>')


def _private_creator(dataset: JsonDataset, tag: int) -> str:
    """Give the private creator of a private element (PS3.5 7.8.1); empty for all others."""
    if not tag >> 16 & 1 or not tag & 0xFF00:
        return ""
    values = dataset.get(f"{tag >> 16:04X}{tag >> 8 & 0xFF:04X}", {}).get("Value")
    return str(values[0]) if values and values[0] is not None else ""


def _clean(text: str) -> str:
    return _unwritable.sub("�", text)
