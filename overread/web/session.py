"""Signing in, out and up: the browser's session is a token in a cookie that scripts can't read."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from overread.kit import audit, clock, http, principals, proofs, tokens
from overread.kit.db import Session
from overread.kit.errors import Conflict, NotSignedIn, OverreadError, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role, TokenRow
from overread.services import Services
from overread.web.errors import local_path
from overread.web.forms import Check, FieldErrors, Form, errors_of
from overread.web.render import HOMES, page

_WRONG = "E-mail address and password don’t fit together. Please try again."
_TAKEN = "We can’t make an account with this address. If it is yours and has one already, sign in instead."
#: Longer passwords are refused before they are hashed: argon2 takes as long as it is given to read.
_MAX_PASSWORD = 1000


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


def sign_in(request: Request, services: Services, form: Form) -> Response:
    """Check a password, slowly for everybody and throttled for those who guess."""
    http.refuse_cross_site(request)
    email, password, where = form.text("email"), form.text("password"), address(request)
    try:
        with services.db.transaction() as tx:
            tokens.check_attempts(tx, email, where)
            known = tokens.sign_in(tx, email, password[:_MAX_PASSWORD])
            if known is not None:
                return _open(request, services, tx, known, form.text("next"))
            # In the same words and after the same time, whether there is such an account or not.
            tokens.record_failure(tx, email, where)
            audit.record(tx, None, "session.refused", "account", _digest(email), outcome=audit.REFUSED, address=where)
    except OverreadError as error:
        if error.status >= 500:
            raise
        return _sign_in_form(request, services, form.text("next"), form.values(), errors_of(error), error.status)
    return _sign_in_form(request, services, form.text("next"), form.values(), {"form": _WRONG}, 422)


def sign_out(request: Request, services: Services, _form: Form) -> Response:
    """End the session here and in the database; a second click does no harm."""
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
    response = RedirectResponse("/", 303)
    response.delete_cookie(http.SESSION_COOKIE, path="/", secure=_secure(services), httponly=True, samesite="lax")
    return response


def sign_up_page(request: Request, services: Services) -> Response:
    """The form."""
    return _sign_up_form(request, services, request.query_params.get("next", ""), {}, {})


def sign_up(request: Request, services: Services, form: Form) -> Response:
    """Make a patient's account and sign in; the other roles are made by an admin."""
    http.refuse_cross_site(request)
    where = address(request)
    check = Check(form)
    name = check.text("name", "Please give your name.", 120)
    email = check.email("email")
    password = form.text("password")
    if not tokens.MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        check.errors["password"] = f"Choose a password of at least {tokens.MIN_PASSWORD} characters."
    try:
        check.done()
        with services.db.transaction() as tx:
            tokens.check_attempts(tx, email, where)
        hashed = tokens.hash_password(password)
        with services.db.transaction() as tx:
            made = principals.create(tx, role=Role.PATIENT, name=name, email=email, password_hash=hashed)
            who = made.as_principal(via=tokens.SESSION)
            audit.record(tx, who, "account.create", "principal", made.id, address=where)
            return _open(request, services, tx, made, form.text("next") or "/start")
    except (Conflict, IntegrityError):
        # Each try counts as a failed sign-in, so that nobody can ask for many addresses.
        with services.db.transaction() as tx:
            tokens.record_failure(tx, email, where)
        problem: OverreadError = FieldErrors({"email": _TAKEN})
    except OverreadError as error:
        if error.status >= 500:
            raise
        problem = error
    return _sign_up_form(request, services, form.text("next"), form.values(), errors_of(problem), problem.status)


def is_password_of(services: Services, who: Principal, password: str, where: str) -> bool:
    """Whether a password is this person's own; throttled like signing in. Raises TooManyRequests."""
    try:
        proofs.by_password(services.db, who, password, where)
    except Unprocessable:
        return False
    return True


def set_password(tx: Session, who: Principal, password: str) -> None:
    """Give somebody a new password; what was opened with the old one ends. Raises Unprocessable."""
    if not tokens.MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise FieldErrors({"new_password": f"Choose a password of at least {tokens.MIN_PASSWORD} characters."})
    principals.get(tx, who.id).password_hash = tokens.hash_password(password)
    tx.execute(
        update(TokenRow)
        .where(TokenRow.principal_id == who.id, TokenRow.kind == tokens.SESSION, TokenRow.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
    audit.record(tx, who, "account.password", "principal", who.id)


def renewed(services: Services, tx: Session, who: Principal, response: Response) -> Response:
    """The same answer with a new session."""
    return _with_cookie(services, response, tokens.issue(tx, who.id, tokens.SESSION, lasts=tokens.SESSION_LENGTH))


def _open(request: Request, services: Services, tx: Session, person: PrincipalRow, target: str) -> Response:
    who = person.as_principal(via=tokens.SESSION)
    # Always a new token, and the old one ends: a session that a stranger put here is worth nothing (fixation).
    before = request.cookies.get(http.SESSION_COOKIE)
    if before:
        tokens.revoke(tx, before)
    token = tokens.issue(tx, person.id, tokens.SESSION, lasts=tokens.SESSION_LENGTH)
    audit.record(tx, who, "session.start", "principal", person.id, address=address(request))
    return _with_cookie(services, RedirectResponse(local_path(target, HOMES[who.role]), 303), token)


def _with_cookie(services: Services, response: Response, token: str) -> Response:
    response.set_cookie(
        http.SESSION_COOKIE,
        token,
        max_age=int(tokens.SESSION_LENGTH.total_seconds()),
        path="/",
        secure=_secure(services),
        httponly=True,
        samesite="lax",
    )
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
        values=values,
        errors=errors,
    )


def _sign_up_form(
    request: Request,
    services: Services,
    target: str,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response:
    return page(
        request,
        services,
        "public/sign_up.html",
        status=status,
        action="/sign-up",
        next_url=local_path(target, ""),
        min_password=tokens.MIN_PASSWORD,
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
