"""Search of data sets that are kept as JSON (PS3.4 C.2.2.2, CC.2.8): matching in the database, on any attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from pydicom.datadict import dictionary_VR
from sqlalchemy import ColumnElement, func, literal, or_, true
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import InstrumentedAttribute

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.dicom import tags
from pacs.index import matching, moments, nested
from pacs.index.keys import TIMEZONE

#: A key: the tags from the data set downwards, joined by dots.
Keys = Mapping[str, str]
_Column = InstrumentedAttribute[str]
#: Transaction UID: who knows it may change the work item, so nobody may find it out (PS3.4 CC.2.8).
_TRANSACTION = tags.TransactionUID.key
_RANGES = frozenset(("DA", "DT", "TM"))
_NUMBERS = frozenset(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"))
_UNMATCHED = frozenset(("SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN"))


def supported(path: str) -> bool:
    """Whether a key is matched: not a whole sequence, not bytes, no range within a sequence, no Transaction UID."""
    tags = path.split(".")
    vr = vr_of(tags[-1])
    return vr not in _UNMATCHED and _TRANSACTION not in tags and (len(tags) == 1 or vr not in _RANGES)


def vr_of(tag: str) -> str:
    """The value representation that the dictionary has; UN for tags that it doesn't know."""
    try:
        return dictionary_VR(int(tag, 16)).split(" ")[0]
    except KeyError:
        return "UN"


def matches(keys: Keys, held: ColumnElement[Any], columns: Mapping[str, _Column]) -> list[ColumnElement[bool]]:
    """The conditions on a row that holds a data set, in JSON (`held`) and by tag in `columns`. Raises BadInput."""
    given = dict(keys)
    # It is no key: it says what the times of the others are meant at (CC.2.8.1.3.1).
    asked = given.pop(TIMEZONE, "").strip(" ")
    zone = matching.offset(asked) if asked else None
    inside = {tuple(path.split(".")): _checked(text) for path, text in given.items() if "." in path}
    found = [_match(path, _checked(text), held, columns, zone) for path, text in given.items() if "." not in path]
    # All keys of one sequence must match in one of its items (C.2.2.2.6).
    return found + nested.matches(held, inside, every=False, empty=False)


def _checked(text: str) -> str:
    if "\0" in text:
        raise BadInput("NUL in a key", safe=gettext("A search key holds a NUL character."))
    return text.strip(" ")


def _match(
    tag: str, text: str, held: ColumnElement[Any], columns: Mapping[str, _Column], zone: timedelta | None
) -> ColumnElement[bool]:
    if text in ("", "*"):
        return true()  # universal matching, PS3.4 C.2.2.2.3
    vr = vr_of(tag)
    if (column := columns.get(tag)) is not None:
        return column.in_([one for one in re.split(r"[\\,]", text) if one])  # a list of UIDs, C.2.2.2.2
    if vr in _RANGES:
        return moments.within(vr, text, held, tag, zone)
    if vr == "PN" or "*" in text or "?" in text:
        return _pattern(tag, text, vr, held)
    wanted: list[Any] = [one for one in re.split(r"[\\,]", text) if one] if vr == "UI" else [text]
    if vr in _NUMBERS:
        try:
            wanted += [int(text)]
        except ValueError:
            wanted += [float(text)] if re.fullmatch(r"[+-]?\d{1,16}\.\d{0,16}", text) else []
    return or_(*(held.contains({tag: {"Value": [one]}}) for one in wanted))


def _pattern(tag: str, text: str, vr: str, held: ColumnElement[Any]) -> ColumnElement[bool]:
    """Wildcards (C.2.2.2.4); a name in any of its groups, whatever the case, without empty components at its end."""
    escaped = re.sub(
        r"[^\w\s]", lambda found: "\\" + found[0], text.rstrip("^") if vr == "PN" else text, flags=re.ASCII
    )
    regex = "^" + escaped.replace("\\*", ".*").replace("\\?", ".") + ("\\^*$" if vr == "PN" else "$")
    path = f'$."{tag}"."Value"[*]' + (".*" if vr == "PN" else "")
    flag = ' flag "i"' if vr == "PN" else ""
    jsonpath = f'{path} ? (@.type() == "string" && @ like_regex {orjson.dumps(regex).decode()}{flag})'
    return func.jsonb_path_exists(held, literal(jsonpath, JSONPATH()))
