"""The errors of the sandbox's API, shaped as https://docs.stripe.com/api/errors tells."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer of the form `{"error": {...}}` with its HTTP status."""

    def __init__(self, status: int, kind: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **{k: v for k, v in fields.items() if v is not None}}


def invalid(message: str, **fields: Any) -> ApiError:
    """400 invalid_request_error."""
    return ApiError(400, "invalid_request_error", message, **fields)


def missing(param: str) -> ApiError:
    """400 for a required parameter that did not come."""
    return invalid(f"Missing required param: {param}.", code="parameter_missing", param=param)


def no_such(kind: str, object_id: str, param: str = "id") -> ApiError:
    """404 resource_missing."""
    return ApiError(
        404, "invalid_request_error", f"No such {kind}: '{object_id}'", code="resource_missing", param=param
    )
