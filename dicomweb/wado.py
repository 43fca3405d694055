"""WADO-RS: what every retrieval begins with (PS3.18 10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request

from dicomweb.context import Context
from dicomweb.uids import need_uid, path_uid
from overread.kit import standing
from overread.kit.audit_looks import record_look
from overread.kit.db import Connection
from overread.kit.errors import BadInput, NotFound
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.index.scope import Scope
from pacs.serve import retrieve
from pacs.serve.retrieve import Located

#: Frames of one request; a viewer asks for one or a few, and whole objects have a resource of their own.
MAX_FRAMES = 1000


def locate(context: Context, request: Request, what: str) -> tuple[Principal, Scope, list[Located]]:
    """The instances that the request's path names, with a line in the audit log for what is read.

    Raises NotFound. Whether their files are here is found where they are opened (`pacs.serve.retrieve.opened`), or
    asked of `dicomweb.partial.here` where they are sent unopened.
    """
    who, scope = context.authorise(request)

    def found(connection: Connection) -> list[Located]:
        located = retrieve.locate(connection, scope, *path(request))
        witness(connection, request, who, what, len(located))
        return located

    located = context.archive.db.at_once(found)
    watch(context, request, located)
    return who, scope, located


def watch(context: Context, request: Request, located: Sequence[Located]) -> None:
    """Have it asked again, as long as they are sent, whether every one of these instances is still to be seen."""

    def look() -> None:
        scope = context.again(request)
        if not context.archive.db.at_once(lambda connection: retrieve.holds(connection, scope, located)):
            raise NotFound("an instance that is being sent was taken out of sight")

    standing.watch(request, look)


def path(request: Request) -> tuple[str, str | None, str | None]:
    """The UIDs of study, series and instance in the path, as far as it has them. Raises BadInput."""
    return need_uid(request, "study"), path_uid(request, "series"), path_uid(request, "instance")


def witness(tx: Connection, request: Request, who: Principal, what: str, count: int) -> None:
    """Have the audit log tell of it: how many instances were given, or that pixels were. HEAD reads nothing."""
    if request.method == "HEAD":
        return
    case = request.path_params.get("case")
    record_given(tx, who, need_uid(request, "study"), UUID(case) if case else None, what, count)


def record_given(tx: Connection, who: Principal, study_uid: str, case_id: UUID | None, what: str, count: int) -> None:
    """The same, of what the path does not name. What of a picture its pixels are in tells no number of instances."""
    instances = None if what == "pixels" else count
    record_look(tx, who, f"{what}.read", "study", study_uid, instances=instances, case_id=case_id)


def address(root: str, one: Located) -> str:
    """The address of an instance below a root."""
    return f"{root}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_uid}"


def frame_list(text: str) -> list[int]:
    """Frame numbers, counted from 1 (PS3.18 10.4.1.1.6). Raises BadInput."""
    members = text.split(",", MAX_FRAMES)
    if len(members) > MAX_FRAMES:
        raise BadInput(
            "a giant frame list",
            safe=gettext("At most %(max_frames)s frames are given at once: ask for fewer.", max_frames=MAX_FRAMES),
        )
    if not all(member.isascii() and member.isdigit() and len(member) < 10 and int(member) for member in members):
        raise BadInput(
            "a bad frame list", safe=gettext("Frames are named by numbers from 1, parted by commas: /frames/1,3,5")
        )
    return [int(member) for member in members]
