"""QIDO-RS: search for studies, series and instances (PS3.18 10.6)."""

from __future__ import annotations

import re
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.keys import ignored, tag, unknown, unsupported
from dicomweb.media import DICOM_JSON, MediaRange, accepts, choose
from dicomweb.uids import path_uid
from overread.kit.audit_looks import record_look
from overread.kit.db import Connection
from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.dicom import tags
from pacs.index import bounds, query
from pacs.index.nested import MAX_DEPTH
from pacs.index.query import Level, Query

_OFFERS = [MediaRange(DICOM_JSON), MediaRange("application/json")]
#: What is neither a key nor an includefield (PS3.18 8.3.4, 8.3.3.1).
_OPTIONS = frozenset(
    ("limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "accept", "charset")
)
_MAX_PARAMETERS = 64
DEFAULT_LIMIT = 100


def search(context: Context, level: Level, request: Request) -> Response:
    """Answer one of the search transactions: 200 with the matches, also where there are none (10.6.3.1)."""
    who, scope = context.authorise(request)
    choose(accepts(request), _OFFERS, "Search results")
    asked, warnings = read_query(request, level)
    case = request.path_params.get("case")
    looked = ("studies.search", level.value, asked.study_uid or "all")
    case_id = UUID(case) if case else None

    def find(connection: Connection) -> tuple[list[query.Result], bool]:
        found = query.search(connection, scope, asked)
        record_look(connection, who, *looked, case_id=case_id)
        return found

    results, more = context.archive.db.at_once(find, bounds.SETTINGS)
    root = context.root(request)
    if more:
        # PS3.18 8.3.4.4: the server's own limit, or the client's, left matches out.
        warnings.append("There are more results; ask with a larger offset for the rest.")
    headers = {"Warning": ", ".join(f'299 overread "{text}"' for text in warnings)} if warnings else {}
    body = orjson.dumps([_with_url(result, root) for result in results])
    return Response(body, headers=headers, media_type=DICOM_JSON)


def read_query(request: Request, level: Level) -> tuple[Query, list[str]]:
    """A query from the request's parameters, and what the answer must warn of. Raises BadInput."""
    parameters = request.query_params.multi_items()
    if len(parameters) > _MAX_PARAMETERS:
        raise BadInput(
            "too many query parameters",
            safe=gettext("A search takes at most %(max_parameters)s parameters.", max_parameters=_MAX_PARAMETERS),
        )
    options: dict[str, str] = {}
    keys: dict[str, str] = {}
    fields: list[str] = []
    warnings: list[str] = []
    for name, value in parameters:
        if name == "includefield":
            fields += [field.strip() for field in value.split(",") if field.strip()]
        elif name in _OPTIONS:
            if name in options:
                raise BadInput(f"{name} twice", safe=gettext("%(name)s may be given once only.", name=name))
            options[name] = value
        else:
            _add_key(keys, _known(name, warnings), value, warnings)
    include = {_known(field, warnings) for field in fields if field.lower() != "all"}
    asked = Query(
        level,
        keys,
        study_uid=path_uid(request, "study"),
        series_uid=path_uid(request, "series"),
        include=frozenset(include - {""}),
        include_all=any(field.lower() == "all" for field in fields),
        limit=_number(options, "limit", DEFAULT_LIMIT),
        offset=_number(options, "offset", 0),
        fuzzy=_flag(options, "fuzzymatching"),
        empty_values=_flag(options, "emptyvaluematching"),
        multiple_values=_flag(options, "multiplevaluematching"),
    )
    return asked, warnings


def _known(name: str, warnings: list[str]) -> str:
    """The path that a name stands for; where it names none, nothing and a warning: it is ignored (PS3.18 8.3.4.1)."""
    path = _path(name)
    if path is None:
        warnings.append(ignored(unknown(name)))
    return path or ""


def _add_key(keys: dict[str, str], key: str, value: str, warnings: list[str]) -> None:
    if not key:
        return
    if not query.supported(key):
        # PS3.18 8.3.4.1: keys that are not supported are ignored, and the answer says so.
        warnings.append(ignored(unsupported(key)))
    elif key not in keys:
        keys[key] = value
    elif query.takes_list(key):
        keys[key] += "," + value
    else:
        # 8.3.4.1: a key is given once, but where lists of UIDs match.
        raise BadInput("a search key twice", safe=gettext("A search key may be given once only, but for UIDs."))


def _flag(options: dict[str, str], name: str) -> bool:
    text = options.get(name, "false").lower()
    if text not in ("true", "false"):
        raise BadInput(f"{name} is neither true nor false", safe=gettext("%(name)s must be true or false.", name=name))
    return text == "true"


def _number(options: dict[str, str], name: str, default: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise BadInput(
            f"{name} is not a number", safe=gettext("%(name)s must be a whole number that is not negative.", name=name)
        )
    return int(text)


def _path(text: str) -> str | None:
    """The tags that tags and keywords with dots between them name (PS3.18 8.3.4.1); None where they name none."""
    tags = [tag(part.strip()) for part in text.split(".")[: MAX_DEPTH + 1]]
    return None if None in tags else ".".join(one for one in tags if one)


def _with_url(result: query.Result, root: str) -> dict[str, object]:
    url = f"{root}/studies/{result.study_uid}"
    if result.series_uid:
        url += f"/series/{result.series_uid}"
    if result.sop_uid:
        url += f"/instances/{result.sop_uid}"
    # Retrieve URL, PS3.18 Tables 10.6.3-3 to 10.6.3-5
    found = {**result.attributes, tags.RetrieveURL.key: {"vr": "UR", "Value": [url]}}
    return dict(sorted(found.items()))  # F.2.2
