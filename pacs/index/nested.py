"""Keys that have no column: matched in the attributes that a study or series keeps as DICOM JSON.

Those inside sequences, too: all keys of one sequence must match in one item (PS3.4 C.2.2.2.6).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, cast, column, exists, false, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import Text

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.dicom.dictionary import public_vr
from pacs.index import matching
from pacs.index.folding import fold_name

Condition = ColumnElement[bool]
#: Tags (eight hexadecimal digits each) from the outermost sequence to the attribute.
Path = tuple[str, ...]

MAX_DEPTH = 4
_DECIMALS = frozenset(("DS", "FL", "FD"))
_NUMBERS = _DECIMALS | frozenset(("IS", "SL", "SS", "SV", "UL", "US", "UV"))
_DATES = frozenset(("DA", "TM", "DT"))
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def matches(attributes: Any, keys: Mapping[Path, str], *, every: bool, empty: bool) -> list[Condition]:
    """The conditions of keys, by path, on a column of DICOM JSON. Raises BadInput.

    `every`: of several values each must be there (C.2.2.2.8); `empty`: "" asks for what has no value (C.2.2.2.7).
    """
    return _all(attributes, keys, (every, empty), itertools.count())


def _all(data_set: Any, keys: Mapping[Path, str], options: tuple[bool, bool], names: Any) -> list[Condition]:
    inner: dict[str, dict[Path, str]] = {}
    found: list[Condition] = []
    for path, text in keys.items():
        if len(path) > 1:
            inner.setdefault(path[0], {})[path[1:]] = text
        elif not matching.is_universal(text):
            found.append(_leaf(data_set, path[0], text, options, names))
    for tag, of_item in inner.items():
        asked = {path: text for path, text in of_item.items() if not matching.is_universal(text)}
        if not asked:
            continue
        exact = {path: _exact(path[-1], text) for path, text in asked.items()}
        if None not in exact.values():
            item: dict[str, Any] = {}
            for path, value in exact.items():
                _put(item, path, value)
            # Said as what an index holds: the sequence contains an item that contains these.
            contained = (data_set.op("->")(tag)).bool_op("@>")(_json({"Value": [item]}))
            found.append(and_(data_set.bool_op("?")(tag), contained))
            continue
        items = func.jsonb_array_elements(_values(data_set, tag)).column_valued(f"item{next(names)}")
        condition: Condition = exists(select(items).where(*_all(items, asked, options, names)))
        if options[1] and all(text == '""' for text in asked.values()):
            condition = or_(condition, _values(data_set, tag).is_(None))
        found.append(condition)
    return found


def _exact(tag: str, text: str) -> Any:
    """The one value in JSON that matches, None where there may be several."""
    vr = _vr(tag)
    if vr in _NUMBERS:
        return _number(vr, text)
    plain = vr not in ("PN", "SQ", *_DATES) and not matching.has_wildcard(text) and text != '""' and "\\" not in text
    return text if plain and not (vr == "UI" and len(matching.uids(text)) > 1) else None


def _number(vr: str, text: str) -> float:
    return (
        float(text)
        if vr in _DECIMALS and re.fullmatch(r"[+-]?[0-9]{1,15}\.[0-9]{1,15}", text)
        else matching.number(text)
    )


def _put(item: dict[str, Any], path: Path, value: Any) -> None:
    for tag in path[:-1]:
        item = item.setdefault(tag, {"Value": [{}]})["Value"][0]
    item[path[-1]] = {"Value": [value]}


def _leaf(data_set: Any, tag: str, text: str, options: tuple[bool, bool], names: Any) -> Condition:
    every, empty = options
    vr = _vr(tag)
    if vr == "SQ":
        raise BadInput(
            "a key is a sequence", safe=gettext("A sequence is matched by its attributes: Sequence.Attribute=value.")
        )
    inside = _values(data_set, tag)
    if empty and text == '""':
        return and_(inside.is_(None))

    def some(one: str) -> Condition:
        values = func.jsonb_array_elements(inside).column_valued(f"value{next(names)}")
        return exists(select(values).where(_value(cast(values, JSONB), vr, one)))

    if every and "\\" in text and vr in ("AE", "AS", "CS", "LO", "PN", "SH", "UC"):
        return and_(*(some(one) for one in matching.values(text)))
    return some(text)


def _value(value: Any, vr: str, text: str) -> Condition:
    if vr == "PN":
        asked = dict(zip(_GROUPS, fold_name(text).split("="), strict=False))
        if len(asked) == 1:
            return or_(*(matching.string(_group(value, group), fold_name(text)) for group in _GROUPS))
        return and_(*(matching.string(_group(value, group), one) for group, one in asked.items() if one))
    if vr in _NUMBERS:
        return and_(value.bool_op("=")(_json(_number(vr, text))))
    plain = value.op("#>>", return_type=Text())(literal([], ARRAY(Text)))
    if vr in _DATES:
        first, dash, last = (part.strip(" ") for part in text.partition("-"))
        if vr == "DA":
            matching.dates(text)
        low, high = first, last if dash else first
        # As texts: what is written shorter is all of the hour or the day.
        return and_(
            plain >= low if low else not_(false()), func.left(plain, len(high)) <= high if high else not_(false())
        )
    return matching.uid(plain, text) if vr == "UI" else matching.string(plain, text)


def _group(name: Any, group: str) -> Any:
    """A group of a name as `pacs.index.folding.fold_name` has it, in the database's words: without case and accents."""
    text = name.op("->>", return_type=Text())(group)
    marks = literal("[\u0300-\u036f]")
    bare = func.regexp_replace(func.normalize(text, column("NFKD", is_literal=True)), marks, literal(""), literal("g"))
    return func.rtrim(func.lower(bare), literal("^"))


def _values(data_set: Any, tag: str) -> Any:
    return data_set.op("->")(tag).op("->")("Value")


def _json(value: Any) -> Any:
    return cast(literal(orjson.dumps(value).decode()), JSONB)


def _vr(tag: str) -> str:
    return public_vr(int(tag, 16)) or "UN"
