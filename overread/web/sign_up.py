"""Patients make their own accounts, and confirm their address by the link that is mailed to it.

Nothing that is answered here depends on whether an address has an account (docs/decisions/0030).
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cases.service import accounts
from overread.kit import addresses, attempts, http, passwords, principals, proofs
from overread.kit.errors import Busy, NotFound, OverreadError, TooManyRequests
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import forms, session
from overread.web.contexts import Desk, TxContext, go
from overread.web.errors import local_path
from overread.web.forms import Check, FieldErrors, Form, errors_of
from overread.web.render import page

_ADDRESS = "/account/address"
_WAIT_MAIL = Phrase("We have sent several mails to this address already; look into its spam folder, too.")


def routes(services: Services) -> list[BaseRoute]:
    """Signing up, for everybody; the address, for its account; and the link that is mailed."""
    desk = Desk(services, Role.PATIENT)

    def confirm_page(request: Request) -> Response:
        """What the link in the mail opens; nothing happens before its button is pressed."""
        return _confirm_page(request, services, {})

    async def confirm(request: Request) -> Response:
        """Confirm the e-mail address: in the session that it belongs to, or with its account's password."""
        form = await forms.read(request)
        return await run_in_threadpool(_confirm, request, services, form)

    return [
        Route("/confirm/{token}", confirm_page, methods=["GET"]),
        Route("/confirm/{token}", confirm, methods=["POST"]),
        desk.get(_ADDRESS, address_page),
        desk.post(_ADDRESS, change_address, address_page),
        desk.post(f"{_ADDRESS}/again", send_again, address_page),
    ]


def sign_up_page(request: Request, services: Services) -> Response:
    """The form."""
    return _form(request, services, request.query_params.get("next", ""), {}, {})


def sign_up(request: Request, services: Services, form: Form) -> Response:
    """Make a patient's account and sign in to it; the other roles are made by an admin."""
    http.refuse_cross_site(request)
    check = Check(form)
    name = check.text("name", gettext("Please give your name."), 120)
    email = check.email("email")
    password = form.text("password")
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        check.errors["password"] = passwords.TOO_SHORT
    try:
        check.done()
        budget = attempts.signing_up(session.address(request), services.settings.max_sign_ups_per_hour)
        attempts.spend(services.db, *budget, safe=gettext("Too many accounts were made from your network."))
        try:
            hashed = passwords.hashed(password)
        except Busy:
            attempts.give_back(services.db, *budget)
            raise
        mail = _may_mail(services, email)
        with services.db.transaction() as tx:
            made = accounts.sign_up(tx, name=name, email=email, password_hash=hashed, mail=mail)
            return session.open_session(request, services, tx, made, form.text("next") or "/start")
    except OverreadError as error:
        if not session.told_by_form(error):
            raise
        shown = _form(request, services, form.text("next"), form.values(), errors_of(error), error.status)
        shown.headers.update(http.error_headers(error))
        return shown


def address_page(ctx: TxContext) -> Response:
    """Which address waits for its confirmation; another mail, or another address."""
    typed = addresses.unconfirmed(ctx.tx, ctx.who.id)
    if typed is None:
        return go("/account")
    return ctx.page(
        "patient/address.html",
        typed=typed,
        again_action=f"{_ADDRESS}/again",
        action=_ADDRESS,
        back_url="/cases",
        values=ctx.form.values() or {"email": typed},
    )


def change_address(ctx: TxContext) -> Response:
    """The address was mistyped: here is the right one, and a mail goes there."""
    check = Check(ctx.form)
    email = check.email("email")
    check.done()
    if not _may_mail(ctx.services, email):
        raise FieldErrors({"email": _WAIT_MAIL})
    accounts.ask(ctx.tx, accounts.change(ctx.tx, ctx.who, email))
    return go(_ADDRESS, "mailed")


def send_again(ctx: TxContext) -> Response:
    """The same mail once more."""
    typed = addresses.unconfirmed(ctx.tx, ctx.who.id)
    if typed is None:
        # The link was opened meanwhile, perhaps on another device.
        return go("/cases", "address-confirmed")
    if not _may_mail(ctx.services, typed):
        raise FieldErrors({"form": _WAIT_MAIL})
    accounts.ask(ctx.tx, principals.get(ctx.tx, ctx.who.id))
    return go(_ADDRESS, "mailed")


def _may_mail(services: Services, email: str) -> bool:
    """Whether one more mail may go to an address: strangers fill nobody's mailbox."""
    try:
        attempts.spend(services.db, *attempts.mailing(email))
    except TooManyRequests:
        return False
    return True


def _confirm_page(request: Request, services: Services, errors: dict[str, str], status: int = 200) -> Response:
    """What the mailed link opens. Mail programs open links, too: nothing happens before a button is pressed."""
    who = session.visitor(request, services)
    with services.db.transaction() as tx:
        person = addresses.of_link(tx, _token(request), who.id if who else None)
        done = person.email is not None
    return page(
        request,
        services,
        "public/confirm.html",
        who=who,
        status=status,
        email=person.email or person.pending_email,
        done=done,
        ask_password=who is None or who.id != person.id,
        action=request.url.path,
        home_url="/home",
        errors=errors,
    )


def _confirm(request: Request, services: Services, form: Form) -> Response:
    """Confirm the address: signed in to its account, or with its password, on whatever device."""
    http.refuse_cross_site(request)
    who = session.visitor(request, services)
    with services.db.transaction() as tx:
        person = addresses.of_link(tx, _token(request), who.id if who else None)
    try:
        if who is None or who.id != person.id:
            return _confirm_by_password(request, services, form.text("password"))
        with services.db.transaction() as tx:
            addresses.confirm(tx, _token(request), who.id)
        return go("/cases", "address-confirmed")
    except NotFound:
        raise
    except OverreadError as error:
        if not session.told_by_form(error):
            raise
        shown = _confirm_page(request, services, errors_of(error), error.status)
        shown.headers.update(http.error_headers(error))
        return shown


def _confirm_by_password(request: Request, services: Services, password: str) -> Response:
    """Whoever opens the link knows the mailbox; only who knows the password, too, is who made the account.

    Without it a stranger could make an account with somebody's address, and have them confirm it.
    """
    where = session.address(request)
    with services.db.transaction() as tx:
        person = addresses.of_link(tx, _token(request))
    email = person.pending_email or person.email or ""
    known = proofs.authenticate(
        services.db,
        attempts.signing_in(f"{person.id}", where),
        lambda tx: principals.get(tx, person.id),
        password,
        lambda tx: session.record_refusal(tx, email, where),
    )
    if known is None:
        raise FieldErrors({"password": gettext("This is not the password that you chose when you made the account.")})
    with services.db.transaction() as tx:
        known.account(tx)
        return session.open_session(
            request, services, tx, addresses.confirm(tx, _token(request)), "/cases?done=address-confirmed"
        )


def _token(request: Request) -> str:
    return str(request.path_params["token"])[:100]


def _form(
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
        min_password=passwords.SHORTEST,
        values=values,
        errors=errors,
    )
