"""Responses of the Query/Retrieve service (PS3.7 9.1.2 to 9.1.4), and how failures become statuses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from io import BytesIO
from typing import Any, NamedTuple

from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE

from overread.kit.errors import BadInput, OverreadError, Unavailable
from pacs.dicom.elements import Unreadable
from pacs.dimse.association import Linked
from pacs.dimse.base import context_of
from pacs.index.bounds import TooSlow

Request = C_FIND | C_GET | C_MOVE
#: Characters of an Error Comment (PS3.7 C.1; LO).
_COMMENT = 64


class Status(IntEnum):
    """Statuses of C-FIND, C-MOVE and C-GET (PS3.4 Tables C.4-1, C.4-2, C.4-3; PS3.7 C.5)."""

    SUCCESS = 0x0000
    #: No such SOP class (PS3.7 C.5.21): the message names another one than its presentation context.
    NO_SUCH_SOP_CLASS = 0x0122
    #: C-FIND: out of resources.
    OUT_OF_RESOURCES = 0xA700
    #: Out of resources: unable to calculate the number of matches.
    UNABLE_TO_COUNT = 0xA701
    #: Out of resources: unable to perform sub-operations.
    UNABLE_TO_PERFORM = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    #: The identifier does not match the SOP class.
    MISMATCH = 0xA900
    #: One or more sub-operations failed or gave a warning.
    SOME_FAILED = 0xB000
    UNABLE_TO_PROCESS = 0xC000
    CANCELLED = 0xFE00
    PENDING = 0xFF00
    #: Pending; one or more optional keys are not supported.
    PENDING_UNSUPPORTED = 0xFF01


class Failed(OverreadError):
    """A request ends with this status; `safe` becomes its Error Comment."""

    def __init__(self, status: Status, safe: str, offending: Sequence[int] = ()) -> None:
        super().__init__(safe, safe=safe)
        self.code, self.offending = status, tuple(offending)


class Counts(NamedTuple):
    """Sub-operations of a retrieval (PS3.7 9.1.3.1.6 to 9.1.3.1.9); `remaining` is told while there may be some."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


def failure(error: OverreadError, out_of_resources: Status) -> Failed:
    """The status of an error that ended a request."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, (Unavailable, TooSlow)):
        return Failed(out_of_resources, error.safe)
    if isinstance(error, Unreadable):
        return Failed(Status.UNABLE_TO_PROCESS, "The identifier can't be read.")
    if isinstance(error, BadInput):
        return Failed(Status.MISMATCH, error.safe)
    return Failed(Status.UNABLE_TO_PROCESS, "The request can't be processed.")


def respond(
    assoc: Linked,
    request: Any,
    status: Status,
    *,
    identifier: bytes = b"",
    failed: Failed | None = None,
    counts: Counts | None = None,
) -> None:
    """Answer a request of the Query/Retrieve service, with what came of it so far."""
    response: Any = type(request)()
    response.MessageIDBeingRespondedTo = request.MessageID
    response.AffectedSOPClassUID = request.AffectedSOPClassUID
    response.Status = int(status)
    if identifier:
        response.Identifier = BytesIO(identifier)
    if failed is not None:
        response.ErrorComment = _comment(failed.safe)
        response.OffendingElement = list(failed.offending) or None
    if counts is not None:
        response.NumberOfRemainingSuboperations = counts.remaining
        response.NumberOfCompletedSuboperations = counts.completed
        response.NumberOfFailedSuboperations = counts.failed
        response.NumberOfWarningSuboperations = counts.warning
    assoc.dimse.send_msg(response, context_of(request))


def _comment(text: str) -> str:
    """As many whole words of a sentence as an Error Comment takes, in the default repertoire."""
    text = text.encode("ascii", "replace").decode().replace("\\", "/")
    if len(text) <= _COMMENT:
        return text
    return text[: _COMMENT - 3].rpartition(" ")[0] + "..."
