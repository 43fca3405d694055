"""Matching keys of searches on whole data sets: paths of keywords or tags (PS3.18 8.3.4.1)."""

from __future__ import annotations

import re

from pydicom.datadict import tag_for_keyword
from starlette.requests import Request

from overread.kit.errors import BadInput
from pacs.ups import search

_OPTIONS = frozenset(("limit", "offset", "includefield", "fuzzymatching", "accept", "emptyvaluematching"))
_MAX_KEYS, _MAX_PATH = 64, 8


def path_keys(parameters: list[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Matching keys by their path of tags, and what the answer must warn of (8.3.4.1). Raises BadInput."""
    if len(parameters) > _MAX_KEYS:
        raise BadInput("too many query parameters", safe=f"A search takes at most {_MAX_KEYS} parameters.")
    keys: dict[str, str] = {}
    warnings: list[str] = []
    for name, value in parameters:
        if name in _OPTIONS:
            continue
        tags = [_tag(part) for part in name.split(".", _MAX_PATH)]
        known = len(tags) <= _MAX_PATH and None not in tags
        path = ".".join(map(str, tags))
        if not known:
            warnings.append(ignored(name))
        elif search.supported(path):
            keys[path] = value
        else:
            warnings.append(f"Matching on {path} is not supported; it was ignored.")
    return keys, warnings


def ignored(name: str) -> str:
    """What the answer says of a parameter that names nothing; only a plain name is repeated in a header."""
    what = name if re.fullmatch(r"[\w.]{1,64}", name, re.ASCII) else "A parameter"
    return f"{what} is neither a parameter of this search nor an attribute; it was ignored."


def _tag(text: str) -> str | None:
    if re.fullmatch(r"[0-9A-Fa-f]{8}", text):
        return text.upper()
    tag = tag_for_keyword(text)
    return f"{int(tag):08X}" if tag is not None else None


def number(request: Request, name: str, default: int, *, digits: int = 9) -> int:
    """A whole number of the query, of so many digits at most. Raises BadInput."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if len(text) > digits or not re.fullmatch(r"\d+", text, re.ASCII):
        raise BadInput(f"{name} is not a number", safe=f"{name} must be a whole number that is not negative.")
    return int(text)
