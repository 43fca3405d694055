"""UIDs in a resource's path."""

from __future__ import annotations

from starlette.requests import Request

from overread.kit.errors import BadInput
from overread.kit.language import gettext
from pacs.dicom.part10 import valid_uid


def path_uid(request: Request, name: str) -> str | None:
    """The UID of a path parameter, None where the resource has none. Raises BadInput where it is no UID."""
    uid = request.path_params.get(name)
    if uid is None:
        return None
    if not valid_uid(uid):
        raise BadInput(
            f"the {name} in the path is not a UID",
            safe=gettext("The %(name)s in the address is not a valid UID.", name=name),
        )
    return str(uid)


def need_uid(request: Request, name: str) -> str:
    """The UID of a path parameter that the resource always has."""
    uid = path_uid(request, name)
    assert uid is not None
    return uid
