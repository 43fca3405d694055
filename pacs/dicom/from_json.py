"""The attributes of DICOM JSON (PS3.18 F.2) written as elements, in little endian."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from struct import error, pack
from typing import Any

from pacs.dicom.encode import item, put

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}


def written(tag: str, element: Mapping[str, Any], codec: str, explicit: bool) -> bytes:
    """An element's bytes. A value that is none of its VR is left empty. Raises UnicodeEncodeError."""
    vr, values = element["vr"], element.get("Value") or []
    if vr == "SQ":
        items = (sorted(one.items()) for one in values if isinstance(one, dict))
        bodies = (b"".join(written(inner, found, codec, explicit) for inner, found in one) for one in items)
        return put(int(tag, 16), vr, b"".join(map(item, bodies)), explicit)
    try:
        value = _value(vr, element, values, codec)
    except UnicodeEncodeError:
        raise
    except (ValueError, TypeError, error):
        value = b""
    return put(int(tag, 16), vr, value, explicit)


def text(values: Sequence[Any]) -> str:
    """Values as one string, joined by backslashes; names with their groups (PS3.5 6.2.1.2)."""
    return "\\".join(_name(one) if isinstance(one, dict) else "" if one is None else str(one) for one in values)


def _value(vr: str, element: Mapping[str, Any], values: list[Any], codec: str) -> bytes:
    if "InlineBinary" in element:
        return base64.b64decode(element["InlineBinary"])
    if vr in _BINARY:
        return pack(f"<{len(values)}{_BINARY[vr]}", *values)
    if vr == "AT":
        return b"".join(pack("<HH", int(one[:4], 16), int(one[4:], 16)) for one in values)
    return text(values).encode(codec)


def _name(value: Mapping[str, str]) -> str:
    return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")
