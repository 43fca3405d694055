"""Delete studies, series and instances.

PS3.18 has no such transaction; `DELETE` on the resources of Table 10.1-1 is what archives have agreed on.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dicomweb.context import Context
from dicomweb.uids import need_uid, path_uid
from pacs.store import deletion


def delete(context: Context, request: Request) -> Response:
    """Remove what the path names: 204, or 409 with the reason where a case still needs it."""
    who, scope = context.authorise(request)
    study = need_uid(request, "study")
    series, sop = path_uid(request, "series"), path_uid(request, "instance")
    with context.archive.db.transaction() as tx:
        context.may_delete(tx, who, scope, study)
        deleted = deletion.remove(tx, who, scope, study, series, sop)
    context.archive.drop_thumbnails(deleted.blobs)
    return Response(status_code=204)
