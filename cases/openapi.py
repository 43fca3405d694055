"""The API's description (OpenAPI 3.1) made of the same table that its routes are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import TypeAdapter

from cases.operations import AFTER, Operation

_REF = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["title", "status", "detail"],
}


def document(operations: Sequence[Operation], version: str, server: str) -> dict[str, Any]:
    """The whole document as JSON-ready values."""
    kinds = [kind for op in operations for kind in (op.body, op.result) if kind is not None and kind is not bytes]
    mode: Literal["validation"] = "validation"
    inputs = [(index, mode, TypeAdapter(kind)) for index, kind in enumerate(kinds)]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REF)
    schemas = {id(kind): found[index, mode] for index, kind in enumerate(kinds)}
    paths: dict[str, dict[str, Any]] = {}
    for op in operations:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Overread case API", "version": version},
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **definitions.get("$defs", {})},
        },
    }


def _operation(op: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    good: dict[str, Any] = {"description": "Done"}
    if op.result is bytes:
        good["content"] = {op.media_type: {}}
    elif op.result is not None:
        good["content"] = {"application/json": {"schema": schemas[id(op.result)]}}
    described: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "tags": [op.tag],
        "responses": {str(op.status): good, "default": {"description": "A problem", "content": problem}},
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", op.path)
    ]
    for one in op.parameters:
        schema = {"type": "string", **({"enum": list(one.choices)} if one.choices else {})}
        parameters.append({"name": one.name, "in": "query", "description": one.about, "schema": schema})
    if parameters:
        described["parameters"] = parameters
    if AFTER in op.parameters:
        link = "The page behind this one, as rel=next (RFC 8288); none at the end of the list"
        good["headers"] = {"Link": {"description": link, "schema": {"type": "string"}}}
    if op.raw:
        described["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    elif op.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[id(op.body)]}},
        }
    if op.public:
        described["security"] = []
    return described
