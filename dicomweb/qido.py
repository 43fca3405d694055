"""QIDO-RS: search for studies, series and instances (PS3.18 10.6)."""

from __future__ import annotations

import re
from uuid import UUID

import orjson
from pydicom.datadict import tag_for_keyword
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.media import DICOM_JSON, MediaRange, accepted, choose
from dicomweb.uids import path_uid
from overread.kit import audit
from overread.kit.errors import BadInput
from pacs import query
from pacs.query import Level, Query

_OFFERS = [MediaRange(DICOM_JSON), MediaRange("application/json")]
_OPTIONS = frozenset(("limit", "offset", "includefield", "fuzzymatching", "accept", "emptyvaluematching"))
_MAX_KEYS = 64
DEFAULT_LIMIT = 100


def search(context: Context, level: Level, request: Request) -> Response:
    """Answer one of the search transactions: 200 with the matches, also where there are none (10.6.3.1)."""
    who, scope = context.authorise(request)
    choose(accepted(request.headers.get("accept"), request.query_params.get("accept")), _OFFERS, "Search results")
    asked, warnings = read_query(request, level)
    with context.archive.db.transaction() as tx:
        results, more = query.search(tx, scope, asked)
        case = request.path_params.get("case")
        audit.record_once(
            tx, who, "studies.search", level.value, asked.study_uid or "all", UUID(case) if case else None
        )
    root = context.root(request)
    if more:
        # PS3.18 8.3.4.4: the server's own limit, or the client's, left matches out.
        warnings.append("There are more results; ask with a larger offset for the rest.")
    headers = {"Warning": ", ".join(f'299 overread "{text}"' for text in warnings)} if warnings else {}
    body = orjson.dumps([_with_url(result, root) for result in results])
    return Response(body, headers=headers, media_type=DICOM_JSON)


def read_query(request: Request, level: Level) -> tuple[Query, list[str]]:
    """A query from the request's parameters, and what the answer must warn of. Raises BadInput."""
    keys: dict[str, str] = {}
    include: set[str] = set()
    include_all = False
    warnings: list[str] = []
    parameters = request.query_params.multi_items()
    if len(parameters) > _MAX_KEYS:
        raise BadInput("too many query parameters", safe=f"A search takes at most {_MAX_KEYS} parameters.")
    for name, value in parameters:
        if name == "includefield":
            for field in value.split(","):
                if field.lower() == "all":
                    include_all = True
                elif tag := _tag(field):
                    include.add(tag)
                else:
                    raise BadInput(
                        "unknown includefield", safe="An includefield is neither a keyword of an attribute nor a tag."
                    )
        elif name not in _OPTIONS:
            tag = _tag(name)
            if tag is None:
                raise BadInput(
                    "unknown search key", safe="A search key is neither a keyword of an attribute nor a tag."
                )
            if query.supported(tag):
                keys[tag] = value
            else:
                # PS3.18 8.3.4.1: keys that are not supported are ignored, and the answer says so.
                warnings.append(f"Matching on {tag} is not supported; it was ignored.")
    if request.query_params.get("fuzzymatching", "").lower() == "true":
        warnings.append("Fuzzy matching is not supported; names were matched literally.")  # 8.3.4.2
    return (
        Query(
            level,
            keys,
            study_uid=path_uid(request, "study"),
            series_uid=path_uid(request, "series"),
            include=frozenset(include),
            include_all=include_all,
            limit=_number(request, "limit", DEFAULT_LIMIT),
            offset=_number(request, "offset", 0),
        ),
        warnings,
    )


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,9}", text):
        raise BadInput(f"{name} is not a number", safe=f"{name} must be a whole number that is not negative.")
    return int(text)


def _tag(text: str) -> str | None:
    """Eight hexadecimal digits of a tag or of a keyword (PS3.18 8.3.4.1); of a path in sequences the last counts."""
    last = text.rsplit(".", 1)[-1].strip()
    if re.fullmatch(r"[0-9A-Fa-f]{8}", last):
        return last.upper()
    tag = tag_for_keyword(last)
    return f"{int(tag):08X}" if tag is not None else None


def _with_url(result: query.Result, root: str) -> dict[str, object]:
    url = f"{root}/studies/{result.study_uid}"
    if result.series_uid:
        url += f"/series/{result.series_uid}"
    if result.sop_uid:
        url += f"/instances/{result.sop_uid}"
    # Retrieve URL, PS3.18 Table 10.6.3-3
    return {**result.attributes, "00081190": {"vr": "UR", "Value": [url]}}
