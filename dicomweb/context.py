"""What every DICOMweb resource needs: the archive, and how a request becomes a scope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request

from overread.kit import standing
from overread.kit.db import Session
from overread.kit.errors import Forbidden
from overread.kit.hosts import Origin
from overread.kit.http import asked_again, principal
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.index.scope import Scope
from pacs.store.archive import Archive
from pacs.views.batch import Allowance

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
#: Raises Forbidden where the caller may not delete here, Conflict where the scope's study (by its UID) is still needed.
MayDelete = Callable[[Session, Principal, Scope, str], None]


def nobody_deletes(_tx: Session, who: Principal, _scope: Scope, _study_uid: str) -> None:
    """Refuse: what a case shows is deleted where the originals are."""
    raise Forbidden(f"{who.role} {who.id} asked to delete", safe=gettext("Nothing is deleted here."))


@dataclass(frozen=True)
class Context:
    """One root of DICOMweb resources: `/dicomweb`, or a case's."""

    archive: Archive
    scope_of: ScopeOf
    upload_to: UploadTo
    #: What is made for its address by the settings may be kept.
    origin: Origin
    #: The longest that one upload may take.
    max_request_seconds: float = 3600
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
        return root.startswith(self.origin.base_url + "/")

    def root(self, request: Request) -> str:
        """The address of this root as the client sees it, without a slash at the end."""
        path = request.url.path
        return self.origin.of(request) + path[: path.find("/dicomweb") + len("/dicomweb")]
