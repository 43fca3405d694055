"""Matching keys of searches on whole data sets: paths of keywords or tags (PS3.18 8.3.4.1)."""

from __future__ import annotations

import re

from pydicom.datadict import tag_for_keyword
from starlette.requests import Request

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.index import datasets

_OPTIONS = frozenset(("limit", "offset", "includefield", "fuzzymatching", "accept", "emptyvaluematching"))
_MAX_KEYS, _MAX_PATH = 64, 8


def path_keys(parameters: list[tuple[str, str]], *, strict: bool = False) -> tuple[dict[str, str], list[str]]:
    """Matching keys by their path of tags, and what the answer must warn of (8.3.4.1).

    Raises BadInput; where it is `strict`, also for what would be ignored.
    """
    if len(parameters) > _MAX_KEYS:
        raise BadInput(
            "too many query parameters",
            safe=gettext("A search takes at most %(max_keys)s parameters.", max_keys=_MAX_KEYS),
        )
    keys: dict[str, str] = {}
    unheeded: list[str] = []
    for name, value in parameters:
        if name in _OPTIONS:
            continue
        tags = [tag(part) for part in name.split(".", _MAX_PATH)]
        path = ".".join(map(str, tags))
        if len(tags) > _MAX_PATH or None in tags:
            unheeded.append(unknown(name))
        elif datasets.supported(path):
            keys[path] = value
        else:
            unheeded.append(unsupported(path))
    if strict and unheeded:
        raise BadInput("a key that can't be heeded", safe=f"{unheeded[0]}.")
    return keys, [ignored(sentence) for sentence in unheeded]


def unknown(name: str) -> str:
    """What is said of a parameter that names nothing; only a plain name is repeated in a header."""
    what = name if re.fullmatch(r"[\w.]{1,64}", name, re.ASCII) else "A parameter"
    return f"{what} is neither a parameter of this search nor an attribute"


def unsupported(path: str) -> str:
    """What is said of a key that is none of this search's."""
    return f"Matching on {path} is not supported"


def ignored(sentence: str) -> str:
    """What the answer warns of."""
    return f"{sentence}; it was ignored."


def tag(text: str) -> str | None:
    """The tag that a keyword or a tag of eight hexadecimal digits names, if any."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", text):
        return text.upper()
    found = tag_for_keyword(text) if text else None  # retired elements have no keyword
    return f"{int(found):08X}" if found is not None else None


def number(request: Request, name: str, default: int, *, digits: int = 9) -> int:
    """A whole number of the query, of so many digits at most. Raises BadInput."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if len(text) > digits or not re.fullmatch(r"\d+", text, re.ASCII):
        raise BadInput(
            f"{name} is not a number", safe=gettext("%(name)s must be a whole number that is not negative.", name=name)
        )
    return int(text)
