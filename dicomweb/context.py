"""What every DICOMweb resource needs: the archive, and how a request becomes a scope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request

from overread.kit import standing
from overread.kit.db import Session
from overread.kit.errors import Forbidden
from overread.kit.http import asked_again, principal
from overread.kit.principals import Principal
from pacs.archive import Archive
from pacs.batch import Allowance
from pacs.scope import Scope

#: Gives what the caller may see of the resource's view just now, or raises NotFound or Forbidden.
ScopeOf = Callable[[Principal, Request], Scope]


@dataclass(frozen=True, slots=True)
class Upload:
    """Where an upload goes: the case that it is meant for, if any, and the view that only derived objects go to.

    `allowance`: how much the sender may still store there; None where they are not counted.
    """

    case_id: UUID | None = None
    view: Scope | None = None
    allowance: Allowance | None = None


#: Gives where an upload goes, or raises Forbidden where the caller may not upload here.
UploadTo = Callable[[Session, Principal, Request], Upload]
#: Raises Forbidden where the caller may not delete here, Conflict where the study (by its UID) is still needed.
MayDelete = Callable[[Session, Principal, str], None]


def nobody_deletes(_tx: Session, who: Principal, _study_uid: str) -> None:
    """Refuse: what a case shows is deleted where the originals are."""
    raise Forbidden(f"{who.role} {who.id} asked to delete", safe="Nothing is deleted here.")


@dataclass(frozen=True)
class Context:
    """One root of DICOMweb resources: `/dicomweb`, or a case's."""

    archive: Archive
    scope_of: ScopeOf
    upload_to: UploadTo
    public_url: str | None = None
    #: The longest that one upload may take.
    max_request_seconds: float = 3600
    #: This origin's address by the settings: what is made for it may be kept. A Host header may say anything.
    base_url: str | None = None
    may_delete: MayDelete = nobody_deletes

    def authorise(self, request: Request) -> tuple[Principal, Scope]:
        """Who asks and what they may see. Raises NotSignedIn, Forbidden, NotFound.

        Both are asked again as long as the request is answered.
        """
        who = principal(request, self.archive.db)
        scope = self.scope_of(who, request)
        standing.watch(request, lambda: self.again(request))
        return who, scope

    def again(self, request: Request) -> Scope:
        """What they may see now, of a request that is being answered. Raises NotSignedIn, Forbidden, NotFound."""
        return self.scope_of(asked_again(request, self.archive.db), request)

    def owns(self, root: str) -> bool:
        """Whether a root is at this origin's address by the settings."""
        return self.base_url is not None and root.startswith(self.base_url + "/")

    def root(self, request: Request) -> str:
        """The address of this root as the client sees it, without a slash at the end.

        The configured public address; without one what the request was sent to. Some clients (dicomweb-client) leave
        the port out of Host: of a host that is ours by the settings it is known.
        """
        path = request.url.path
        marker = path.find("/dicomweb")
        base = self.public_url
        if base is None:
            asked = request.url
            base = f"{asked.scheme}://{asked.netloc}"
            if asked.port is None and self.base_url and urlsplit(self.base_url).hostname == asked.hostname:
                base = self.base_url
        return base.rstrip("/") + path[: marker + len("/dicomweb")]
