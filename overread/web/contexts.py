"""What happens around every page of somebody who is signed in: who asks, one transaction, and forms shown again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cases.service import notifications
from overread.kit import http, zones
from overread.kit.db import Session
from overread.kit.errors import NotFound, NotSignedIn, OverreadError
from overread.kit.permissions import ROLES, Permission
from overread.kit.principals import Principal, Role
from overread.services import Services
from overread.web import forms, render, session, zoned
from overread.web.forms import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One request of somebody: who, with which form, and what was wrong with it.

    It has no transaction: what decodes pixels or hashes a password takes its own, and holds none meanwhile.
    """

    request: Request
    services: Services
    who: Principal
    form: Form = field(default_factory=Form)
    errors: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def transaction(self) -> Iterator[TxContext]:
        """The same in one transaction, which is committed at the end of the block."""
        with self.services.db.transaction() as tx:
            yield TxContext(**{one.name: getattr(self, one.name) for one in fields(self)}, tx=tx)

    def uuid(self, name: str = "case") -> UUID:
        """A path parameter. Raises NotFound where it is no UUID."""
        return http.path_uuid(self.request, name)

    @property
    def address(self) -> str:
        """The network address that asks, for the throttle and the audit log."""
        return session.address(self.request)

    def form_uuid(self, name: str) -> UUID:
        """A field of the form as a UUID. Raises NotFound where it is none: pages send no other."""
        try:
            return UUID(self.form.text(name))
        except ValueError as error:
            raise NotFound(f"{name} is not a UUID") from error

    def query(self, name: str) -> str:
        """A query parameter, without what a database can't hold."""
        return self.request.query_params.get(name, "").replace("\x00", "").strip()[:200]

    def page(self, template: str, **context: Any) -> Response:
        """A page for this person, with the errors of their form."""
        context.setdefault("errors", self.errors)
        return render.page(self.request, self.services, template, who=self.who, **context)


@dataclass(frozen=True, slots=True, kw_only=True)
class TxContext(RequestContext):
    """The same in one transaction."""

    tx: Session

    def page(self, template: str, **context: Any) -> Response:
        """The same, asking nothing in another transaction."""
        context.setdefault("unread", notifications.unread(self.tx, self.who))
        return RequestContext.page(self, template, **context)


Handler = Callable[[TxContext], Response]
Work = Callable[[RequestContext], Response]


def go(path: str, done: str = "", **query: str) -> Response:
    """To another page after a form (POST-redirect-GET); `done` names a sentence of `render.DONE`."""
    if done:
        query["done"] = done
    return RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303)


def in_transaction(handler: Handler) -> Work:
    """A handler that takes its transaction itself."""

    def work(context: RequestContext) -> Response:
        with context.transaction() as ctx:
            return handler(ctx)

    return work


class Desk:
    """Makes routes for one audience: roles, or whoever may do something by theirs.

    Each checks who asks, by session or API token, before anything else.
    """

    def __init__(self, services: Services, *audience: Role | Permission) -> None:
        self._services = services
        self._roles = frozenset(
            role for one in audience for role in (ROLES[one] if isinstance(one, Permission) else (one,))
        )

    def get(self, path: str, handler: Handler) -> Route:
        """A page."""
        return self._got(path, in_transaction(handler), handler.__doc__)

    def get_without_tx(self, path: str, work: Work) -> Route:
        """A page or a picture that takes its own transactions."""
        return self._got(path, work, work.__doc__)

    def post(self, path: str, handler: Handler, again: Handler | None = None) -> Route:
        """An action. Where a rule refuses it, `again` shows the page that it came from, else there is an error page."""
        shown = in_transaction(again) if again else None
        return self._posted(path, in_transaction(handler), shown, handler.__doc__)

    def post_without_tx(self, path: str, work: Work, again: Work, *, files: int = 0) -> Route:
        """An action that takes its own transactions; with its form may come files of so many bytes."""
        return self._posted(path, work, again, work.__doc__, files)

    def _got(self, path: str, work: Work, said: str | None) -> Route:
        def endpoint(request: Request) -> Response:
            context = RequestContext(request=request, services=self._services, who=self._who(request))
            with zones.reading_in(zoned.reader(request, self._services, context.who)):
                return work(context)

        endpoint.__doc__ = said
        return Route(path, endpoint, methods=["GET"])

    def _posted(self, path: str, work: Work, again: Work | None, said: str | None, files: int = 0) -> Route:
        async def endpoint(request: Request) -> Response:
            # Who asks is known before a byte of the body is read.
            try:
                who = await run_in_threadpool(self._who, request)
            except NotSignedIn:
                if files or not forms.is_plain(request):
                    raise
                http.refuse_cross_site(request)
                form = await forms.read(request)
                return await run_in_threadpool(session.sign_in_again, request, self._services, form)
            form = await forms.read(request, files=files)
            context = RequestContext(request=request, services=self._services, who=who, form=form)
            return await run_in_threadpool(_act, context, work, again)

        endpoint.__doc__ = said
        return Route(path, endpoint, methods=["POST"])

    def _who(self, request: Request) -> Principal:
        # Refuses what another site makes the browser send, too.
        who = http.principal(request, self._services.db)
        who.require(*self._roles)
        return who


def _act(context: RequestContext, work: Work, again: Work | None) -> Response:
    with zones.reading_in(zoned.reader(context.request, context.services, context.who)):
        return _acted(context, work, again)


def _acted(context: RequestContext, work: Work, again: Work | None) -> Response:
    try:
        return work(context)
    except OverreadError as error:
        if again is None or not error.may_try_again:
            raise
        problem = error
    # What was begun is undone; the page is made from how things are now.
    response = again(replace(context, errors=forms.errors_of(problem)))
    if 300 <= response.status_code < 400:
        # The form that was sent has no place any more, as after a second tab: the sentence has a page of its own.
        raise problem
    response.status_code = problem.status
    response.headers.update(http.error_headers(problem))
    return response
