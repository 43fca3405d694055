"""Signing in and out: the browser's session is a token in a cookie that scripts can't read."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from overread.kit import attempts, audit, http, language, principals, proofs, tokens
from overread.kit.db import Session
from overread.kit.errors import Busy, NotSignedIn, OverreadError
from overread.kit.language import Phrase
from overread.kit.principals import Principal, PrincipalRow
from overread.services import Services
from overread.web import carried, zoned
from overread.web.errors import local_path
from overread.web.forms import Form, errors_of
from overread.web.render import HOMES, page

_WRONG = Phrase("E-mail address and password don’t fit together. Please try again.")
#: Tells a browser that has signed in before; it opens nothing, and goes to the sign-in page alone.
DEVICE_COOKIE = "overread_device"


def visitor(request: Request, services: Services) -> Principal | None:
    """Who is signed in on a page that everybody may see, or None."""
    try:
        return http.principal(request, services.db)
    except NotSignedIn:
        return None


def who_looks(request: Request, services: Services, error: OverreadError) -> Principal | None:
    """In whose look the page of an error is shown: that of whoever is signed in, as far as it can be known.

    A failure of ours asks nothing more of the database.
    """
    who: Principal | None = getattr(request.state, "principal", None)
    if who is None and error.status not in (401, 403) and error.status < 500:
        try:
            who = visitor(request, services)
        except OverreadError:
            return None
    # A token is no session: who sends one is no reader of pages.
    return who if who is not None and who.via == tokens.SESSION else None


def sign_in_page(request: Request, services: Services) -> Response:
    """The form."""
    return _sign_in_form(request, services, request.query_params.get("next", ""), {}, {})


def sign_in_again(request: Request, services: Services, form: Form) -> Response:
    """Somebody sent a form and their session had ended: sign in, and the form is there to be sent.

    Raises NotSignedIn where it can't be carried.
    """
    kept = carried.packed(form)
    if not kept:
        raise NotSignedIn("a form without a session")
    values = {"carried": kept, "carried_to": local_path(request.url.path, "/")}
    return _sign_in_form(request, services, "", values, {}, 401)


def sign_in(request: Request, services: Services, form: Form) -> Response:
    """Check a password, slowly for everybody and throttled for those who guess."""
    http.refuse_cross_site(request)
    email, password, where = form.text("email"), form.text("password"), address(request)
    budgets = attempts.signing_in(email, where, _device(request, services, email))
    try:
        # In the same words and after the same time, whether there is such an account or not.
        known = proofs.authenticate(
            services.db,
            budgets,
            lambda tx: principals.by_email(tx, email),
            password,
            lambda tx: record_refusal(tx, email, where),
        )
        if known is None:
            return _sign_in_form(request, services, form.text("next"), form.values(), {"form": _WRONG}, 422)
        with services.db.transaction() as tx:
            person = known.account(tx)
            return open_session(
                request, services, tx, person, form.text("next"), _carry_on(request, services, form, person)
            )
    except OverreadError as error:
        if not told_by_form(error):
            raise
        shown = _sign_in_form(request, services, form.text("next"), form.values(), errors_of(error), error.status)
        shown.headers.update(http.error_headers(error))
        return shown


def sign_out(request: Request, services: Services, _form: Form) -> Response:
    """End the session here and in the database, with the viewers opened in it; a second click does no harm."""
    http.refuse_cross_site(request)
    token = request.cookies.get(http.SESSION_COOKIE)
    if token:
        with services.db.transaction() as tx:
            try:
                who = tokens.verify(tx, token, tokens.SESSION)
            except NotSignedIn:
                who = None
            if who is not None:
                audit.record(tx, who, "session.end", "principal", who.id)
            tokens.revoke(tx, token)
    return _without_cookie(services, RedirectResponse("/", 303))


def sign_out_everywhere(services: Services, tx: Session, who: Principal) -> Response:
    """End every session, viewer, code and token of a person, wherever they are."""
    audit.record(tx, who, "session.end_all", "principal", who.id, ended=tokens.revoke_all(tx, who.id))
    return _without_cookie(services, RedirectResponse("/sign-in", 303))


def told_by_form(error: OverreadError) -> bool:
    """Whether an error is said above the form that was sent: not where the server itself has failed."""
    return error.status < 500 or isinstance(error, Busy)


def record_refusal(tx: Session, email: str, where: str) -> None:
    """A wrong password in the audit log: for equal addresses equal, but without the address."""
    audit.record(tx, None, "session.refused", "account", _digest(email), outcome=audit.REFUSED, address=where)


def set_password(tx: Session, who: Principal, hashed: str) -> None:
    """Give somebody a new password, by its hash; what was opened with the old one ends."""
    tokens.change_password(tx, who.id, hashed)
    audit.record(tx, who, "account.password", "principal", who.id)


def renewed(services: Services, tx: Session, who: Principal, response: Response) -> Response:
    """The same answer with a new session."""
    return _with_cookie(services, response, tokens.issue(tx, who.id, tokens.SESSION, lasts=tokens.SESSION_LENGTH))


def open_session(
    request: Request,
    services: Services,
    tx: Session,
    person: PrincipalRow,
    target: str,
    shown: Response | None = None,
) -> Response:
    """Sign somebody in who has proved who they are, and go to a page of this site; or show them one."""
    who = person.as_principal(via=tokens.SESSION)
    # Always a new token, and the old one ends: a session that a stranger put here is worth nothing (fixation).
    before = request.cookies.get(http.SESSION_COOKIE)
    if before:
        tokens.revoke(tx, before)
    # What the browser tells is right until somebody chooses.
    person.zone = person.zone or zoned.told(request) or None
    if asked := request.headers.get("accept-language"):
        person.language = person.language or language.preferred(asked[:200], language.WRITTEN)
    token = tokens.issue(tx, person.id, tokens.SESSION, lasts=tokens.SESSION_LENGTH)
    audit.record(tx, who, "session.start", "principal", person.id, address=address(request))
    response = _with_cookie(services, shown or RedirectResponse(local_path(target, HOMES[who.role]), 303), token)
    known = request.cookies.get(DEVICE_COOKIE)
    if known is None or tokens.device(tx, known, person.id) is None:
        made = tokens.issue(tx, person.id, tokens.DEVICE, lasts=tokens.DEVICE_LENGTH)
        _set_cookie(services, response, DEVICE_COOKIE, made, tokens.DEVICE_LENGTH, "/sign-in")
    return response


def _carry_on(request: Request, services: Services, form: Form, person: PrincipalRow) -> Response | None:
    """The page from which a form is sent that came along; None where none did."""
    target, pairs = carried.unpacked(form)
    if not target:
        return None
    who = person.as_principal(via=tokens.SESSION)
    return page(request, services, "public/carried.html", who=who, action=target, pairs=pairs)


def _device(request: Request, services: Services, email: str) -> UUID | None:
    """The token of this browser, where it has signed in to this account before."""
    known = request.cookies.get(DEVICE_COOKIE)
    if known is None:
        return None
    with services.db.transaction() as tx:
        person = principals.by_email(tx, email)
        return tokens.device(tx, known, person.id) if person is not None else None


def _with_cookie(services: Services, response: Response, token: str) -> Response:
    return _set_cookie(services, response, http.SESSION_COOKIE, token, tokens.SESSION_LENGTH, "/")


def _set_cookie(services: Services, response: Response, name: str, token: str, lasts: timedelta, path: str) -> Response:
    response.set_cookie(
        name,
        token,
        max_age=int(lasts.total_seconds()),
        path=path,
        secure=_secure(services),
        httponly=True,
        samesite="lax",
    )
    return response


def _without_cookie(services: Services, response: Response) -> Response:
    response.delete_cookie(http.SESSION_COOKIE, path="/", secure=_secure(services), httponly=True, samesite="lax")
    return response


def _sign_in_form(
    request: Request,
    services: Services,
    target: str,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response:
    target = local_path(target, "")
    return page(
        request,
        services,
        "public/sign_in.html",
        status=status,
        action="/sign-in",
        next_url=target,
        sign_up_url="/sign-up" + (f"?next={quote(target, safe='/')}" if target else ""),
        reset_url="",
        carried={name: values[name] for name in ("carried", "carried_to") if values.get(name)},
        values=values,
        errors=errors,
    )


def _secure(services: Services) -> bool:
    return services.settings.base_url.startswith("https://")


def address(request: Request) -> str:
    """The network address of a request, for the throttle and the audit log."""
    return request.client.host if request.client else "unknown"


def _digest(email: str) -> str:
    # Whose account was tried: equal for equal addresses, but no address in the log.
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()[:32]
