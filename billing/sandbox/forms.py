"""Stripe's form encoding: `metadata[k]=v`, `line_items[0][price_data][currency]=usd`, `expand[]=a`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from billing.sandbox.errors import invalid, missing

Form = dict[str, Any]

_KEY = re.compile(r"^[^\[\]]+(\[[^\[\]]*\])*$")


def decode(raw: str) -> Form:
    """The nested form of an encoded body or query; numbered keys become lists.

    Raises ApiError (400) where a key's brackets don't match.
    """
    root: Form = {}
    for key, value in parse_qsl(raw, keep_blank_values=True):
        if not _KEY.match(key):
            raise invalid(f"Invalid parameter name: {key}", param=key)
        head, *rest = re.split(r"\]?\[", key.rstrip("]"))
        node, name = root, head
        for part in rest:
            inner = node.setdefault(name, {})
            if not isinstance(inner, dict):
                raise invalid("Invalid hash", param=head)
            node, name = inner, part or str(len(inner))
        node[name] = value
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    value = {key: _listed(inner) for key, inner in value.items()}
    if value and all(key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


def whole(form: Form, name: str, *, least: int = 0) -> int | None:
    """An integer parameter; None where it did not come. Raises ApiError (400) for anything else."""
    if name not in form:
        return None
    text = form[name]
    if not isinstance(text, str) or not re.fullmatch(r"-?\d{1,12}", text):
        raise invalid(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    if int(text) < least:
        raise invalid(f"This value must be greater than or equal to {least}.", param=name)
    return int(text)


def required(form: Form, name: str) -> str:
    """A text parameter that must have come. Raises ApiError (400) where it did not."""
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise missing(name)
    return value


def choice(form: Form, name: str, values: tuple[str, ...], default: str) -> str:
    """A parameter with a fixed set of values. Raises ApiError (400) for any other."""
    value = form.get(name, default)
    if value not in values:
        raise invalid(f"Invalid {name}: must be one of {', '.join(values)}", param=name)
    return str(value)


def flag(form: Form, name: str) -> bool:
    """A boolean parameter, false where it did not come."""
    return choice(form, name, ("true", "false"), "false") == "true"
