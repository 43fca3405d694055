"""Identifiers of queries and retrievals (PS3.4 C.4.1.1.3, C.4.2.1.4): read by the archive's own reader, and written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from overread.kit.errors import BadInput
from pacs.dicom import charset, elements, from_json, tags
from pacs.dicom.dicomjson import to_json
from pacs.dicom.encode import put
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN
from pacs.dimse.answering import Failed, Status
from pacs.index.nested import MAX_DEPTH

CHARACTER_SET = tags.SpecificCharacterSet.key
LEVEL = tags.QueryRetrieveLevel.key
UTF_8 = "ISO_IR 192"
#: Elements of an identifier, those in sequences included. A real one has some dozens.
_MAX_ELEMENTS = 1024
#: What one element's 16-bit length takes, of a list of UIDs (PS3.5 7.1.2).
_SHORT = 0xFFFE


@dataclass(frozen=True, slots=True)
class Identifier:
    """What was asked: the level, and the text of each key by its path, "" where every value matches.

    A path is tags of eight hexadecimal digits, those inside sequences with dots between, as in
    `pacs.index.query.Query`.
    """

    level: str
    keys: Mapping[str, str]
    character_set: str = ""


def read(data: bytes, transfer_syntax: str) -> Identifier:
    """Read an identifier. Raises Unreadable, Failed."""
    walked = elements.walk(
        data, 0, len(data), explicit=transfer_syntax == EXPLICIT_LITTLE_ENDIAN, max_nodes=_MAX_ELEMENTS
    )
    keys = dict(_keys(to_json(data, walked), ()))
    level = keys.pop(LEVEL, "").strip()
    return Identifier(level, keys, keys.pop(CHARACTER_SET, "").strip())


def _keys(data_set: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for tag, element in data_set.items():
        if tag.startswith("0000"):
            continue
        items = element.get("Value", [])
        here = (*path, tag)
        if element["vr"] != "SQ":
            yield ".".join(here), from_json.text(items)
        elif len(items) > 1:
            # C.2.2.2.6: one item.
            raise Failed(Status.MISMATCH, "A sequence to match has one item.", [int(here[0], 16)])
        elif not items or not items[0]:
            yield ".".join(here), ""
        elif len(here) >= MAX_DEPTH:
            raise Failed(Status.MISMATCH, "Sequences are matched less deep.", [int(here[0], 16)])
        else:
            yield from _keys(items[0], here)


def write(attributes: Mapping[str, Any], transfer_syntax: str, asked: str = "") -> bytes:
    """Write attributes (DICOM JSON) as an identifier, in the character set that was asked for if they fit, or UTF-8.

    What can't be written, because its value is none of its VR, is left empty.
    """
    explicit = transfer_syntax == EXPLICIT_LITTLE_ENDIAN
    for name in (asked, UTF_8):
        codec = _codec(name)
        if codec is None:
            continue
        try:
            body = {tag: from_json.written(tag, one, codec, explicit) for tag, one in attributes.items()}
        except UnicodeEncodeError:
            continue
        if name:
            body[CHARACTER_SET] = put(int(CHARACTER_SET, 16), "CS", name.encode(), explicit)
        return b"".join(body[tag] for tag in sorted(body))
    raise BadInput("attributes that UTF-8 can't hold")


def _codec(name: str) -> str | None:
    """The codec to write a character set with; None for those that are not written here."""
    if name in ("", "ISO_IR 6"):
        return "ascii"  # PS3.5 6.1.2.1
    codecs = charset.codecs_of(name.encode("ascii", "replace"))
    known = len(codecs) == 1 and charset.is_known(name.upper())
    return codecs[0] if known and re.match("latin_1|iso8859|utf_8|gb", codecs[0]) else None


def failed_uids(uids: list[str], transfer_syntax: str) -> bytes:
    """The Failed SOP Instance UID List (PS3.4 C.4.2.1.4.2), as long as one element may be."""
    while sum(map(len, uids)) + len(uids) > _SHORT:
        uids = uids[: len(uids) // 2]
    return (
        write({tags.FailedSOPInstanceUIDList.key: {"vr": "UI", "Value": list(uids)}}, transfer_syntax) if uids else b""
    )
