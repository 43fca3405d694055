"""Data sets in the bodies of requests and answers: DICOM JSON or XML (PS3.18 8.6, 8.7.3, F; PS3.19 A.1)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb import media
from dicomweb.media import DICOM_JSON, DICOM_XML, MULTIPART, MediaRange, accepts, choose
from dicomweb.stow.xml import BadXml, from_xml
from overread.kit.errors import BadInput, TooLarge, UnsupportedMedia
from overread.kit.language import gettext
from pacs.dicom.dicomjson import JsonDataset
from pacs.dicom.dicomxml import to_xml
from pacs.dicom.elements import MAX_DEPTH

JSON_TYPES = (DICOM_JSON, "application/json")
XML_TYPES = (DICOM_XML, "application/xml", "text/xml")
OFFERS = [MediaRange(DICOM_JSON), MediaRange("application/json"), MediaRange(DICOM_XML), MediaRange("application/xml")]
#: The largest data set that a request may carry, in bytes.
MOST_BYTES = 4 << 20
_MAX_NODES = 200_000
_KEY = re.compile(r"[0-9A-F]{8}")
_VR = re.compile(r"[A-Z]{2}")
_MEMBERS = frozenset(("vr", "Value", "InlineBinary", "BulkDataURI"))


def dataset(request: Request, body: bytes, *, empty: bool = False) -> JsonDataset:
    """The one data set of a body, checked; `empty` lets there be none. Raises UnsupportedMedia, BadInput, TooLarge."""
    if not body.strip() and empty:
        return {}
    kind = media.parse(request.headers.get("content-type") or "application/octet-stream").type
    if kind not in (*JSON_TYPES, *XML_TYPES):
        raise UnsupportedMedia(
            f"a data set as {kind}",
            safe=gettext(
                "Send the data set as %(dicom_json)s or %(dicom_xml)s.", dicom_json=DICOM_JSON, dicom_xml=DICOM_XML
            ),
        )
    nodes = body.count(b"<") if kind in XML_TYPES else body.count(b"{") + body.count(b"[")
    if nodes > _MAX_NODES:
        raise TooLarge("a data set of too many nodes", safe=gettext("The data set has too many values."))
    try:
        found = from_xml(body) if kind in XML_TYPES else orjson.loads(body)
    except BadXml as error:
        raise BadInput(str(error), safe=str(error)) from error
    except orjson.JSONDecodeError as error:
        raise BadInput(f"no JSON: {error}"[:200], safe=gettext("The body is not JSON, or is too deep.")) from error
    if isinstance(found, list):
        if len(found) != 1:
            raise BadInput(f"{len(found)} data sets", safe=gettext("The body must hold exactly one data set."))
        found = found[0]
    _check(found, 0)
    return dict(found)


def _check(level: Any, depth: int) -> None:
    if not isinstance(level, dict):
        raise _bad("A data set must be an object whose members are attributes.")
    if depth > MAX_DEPTH:
        raise _bad("The sequences of the data set are nested too deep.")
    for key, attribute in level.items():
        if not _KEY.fullmatch(key):
            raise _bad("An attribute's name must be its tag, as eight hexadecimal digits in upper case.")
        if not isinstance(attribute, dict) or not set(attribute) <= _MEMBERS:
            raise _bad(f"The attribute {key} must be an object with a vr and its Value.")
        if not isinstance(attribute.get("vr"), str) or not _VR.fullmatch(attribute["vr"]):
            raise _bad(f"The attribute {key} has no value representation (vr).")
        values = attribute.get("Value", [])
        if not isinstance(values, list):
            raise _bad(f"The Value of {key} must be a list.")
        for value in values:
            _check_value(key, attribute["vr"], value, depth)


def _check_value(key: str, vr: str, value: Any, depth: int) -> None:
    if vr == "SQ":
        _check(value, depth + 1)
    elif vr == "PN":
        if value is not None and not (isinstance(value, dict) and all(isinstance(v, str) for v in value.values())):
            raise _bad(f"A person's name in {key} must be an object of its groups.")
    elif isinstance(value, dict | list):
        raise _bad(f"A value of {key} must be a text or a number.")
    # PostgreSQL keeps no NUL, and DICOM's texts have none (PS3.5 6.1.3).
    if "\0" in (str(value) if vr != "SQ" else ""):
        raise _bad(f"A value of {key} holds a NUL character.")


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, safe=sentence)


def negotiated(request: Request) -> str:
    """The media type of the answer. Raises NotAcceptable, before anything is done."""
    ranges = accepts(request)
    return choose(ranges, OFFERS, "The answer")[1].type


def answer(
    kind: str, datasets: Sequence[Mapping[str, Any]], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Data sets as an array of JSON objects, or a part of XML each (PS3.18 8.7.4.1, 8.7.4.2)."""
    if kind in XML_TYPES:
        boundary = secrets.token_hex(16)
        part = f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode()
        body = b"".join(part + to_xml(dict(one)) + b"\r\n" for one in datasets) + f"--{boundary}--\r\n".encode()
        media_type = f'{MULTIPART}; type="{kind}"; boundary={boundary}'
        return Response(body, status, headers=dict(headers or {}), media_type=media_type)
    return Response(to_json(list(datasets)), status, headers=dict(headers or {}), media_type=kind)


def single_dataset(
    kind: str, found: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """One data set by itself."""
    content = to_xml(dict(found)) if kind in XML_TYPES else to_json(found)
    return Response(content, status, headers=dict(headers or {}), media_type=kind)


def to_json(found: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> bytes:
    """Data sets as DICOM JSON, their attributes in ascending order of tags at every depth (PS3.18 F.2.2)."""
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def ui(uid: str) -> dict[str, Any]:
    """An attribute of one UID."""
    return {"vr": "UI", "Value": [uid]}


def sq(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A sequence."""
    return {"vr": "SQ", "Value": [dict(one) for one in items]}
