"""The admin's pages: people and DICOM peers; and everybody's own password."""

from __future__ import annotations

from uuid import UUID, uuid4

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import admin_accounts as accounts
from cases.service import peers
from cases.service.admin_accounts import AccountView
from overread.kit import passwords, principals, proofs, zones
from overread.kit.errors import Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import paging, permissions, render, session
from overread.web.contexts import Desk, RequestContext, TxContext, go, in_transaction
from overread.web.forms import Check, FieldErrors

_PEER_ROLES = (Role.HOSPITAL.value, Role.SPECIALIST.value)


def routes(services: Services) -> list[BaseRoute]:
    """The admin's routes, and the account's."""
    desk, anybody = Desk(services, Permission.PEOPLE_MANAGE), Desk(services, *Role)
    return [
        desk.get("/people", people_page),
        desk.post_without_tx("/people", add_person, in_transaction(people_page)),
        desk.post("/people/{person}/lock", lock, people_page),
        desk.post("/people/{person}/unlock", unlock, people_page),
        desk.get("/peers", peers_page),
        desk.post("/peers", add_peer, peers_page),
        anybody.get("/account", account_page),
        anybody.post_without_tx("/account", change_password, in_transaction(account_page)),
        anybody.post("/account/sign-out", sign_out_everywhere, account_page),
    ]


def people_page(ctx: TxContext) -> Response:
    """Everybody with an account, and who may do what."""
    return _people(ctx)


def add_person(context: RequestContext) -> Response:
    """Make an account. Its first password is shown once, here, for the admin to hand over."""
    check = Check(context.form)
    name = check.text("name", gettext("Please give a name."), 120)
    email = check.email("email")
    role = check.one_of("role", [role.value for role in Role], gettext("Please choose a role."))
    check.done()
    # The number makes a form that is sent twice one account; the second answer, the one that is seen, shows a password.
    wish = context.form.text("wish")[:64]
    made = accounts.create(context.services.db, context.who, role=Role(role), name=name, email=email, request_id=wish)
    with context.transaction() as ctx:
        return _people(ctx, made={"name": name, "password": made.password})


def lock(ctx: TxContext) -> Response:
    """Lock somebody out at once: whatever they have open ends, for good."""
    accounts.lock(ctx.tx, ctx.who, ctx.uuid("person"))
    return go("/people", "changed", **_where(ctx))


def unlock(ctx: TxContext) -> Response:
    """Let somebody in again, who then has to sign in anew."""
    accounts.unlock(ctx.tx, ctx.who, ctx.uuid("person"))
    return go("/people", "changed", **_where(ctx))


def peers_page(ctx: TxContext) -> Response:
    """The DICOM peers that may call us."""
    settings = ctx.services.settings
    return ctx.page(
        "admin/peers.html",
        peers=[
            {
                "ae_title": peer.ae_title,
                "host": peer.host,
                "port": peer.port,
                "role": peer.role,
                "owner": peer.owner,
            }
            for peer in peers.listed(ctx.tx, ctx.who)
        ],
        owners=_owners(ctx),
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        action="/peers",
        values=ctx.form.values(),
    )


def add_peer(ctx: TxContext) -> Response:
    """Register a peer, or change its address; it acts for a specialist or a hospital that is known, or for itself."""
    check = Check(ctx.form)
    title = check.text("ae_title", gettext("Please give the AE title."), 16)
    host = check.text("host", gettext("Please give the host’s name or address."), 253)
    port = check.number("port", 1, 65535, gettext("A port is a number from 1 to 65535."))
    role = check.one_of("role", _PEER_ROLES, gettext("Please choose a role."))
    owners = [one["value"] for one in _owners(ctx)]
    owner = check.one_of("owner", ["", *owners], gettext("Please choose whose it is."))
    check.done()
    owner_id = UUID(owner) if owner else None
    peers.register(ctx.tx, ctx.who, title, host, port, Role(role), owner_id=owner_id)
    return go("/peers", "saved")


def _owners(ctx: TxContext) -> list[dict[str, str]]:
    """The specialists and hospitals that a peer may act for."""
    found = [row for role in _PEER_ROLES for row in principals.with_role(ctx.tx, Role(role))]
    return [
        {"value": str(row.id), "label": gettext("%(name)s (%(role)s)", name=row.name, role=row.role)} for row in found
    ]


def account_page(ctx: TxContext) -> Response:
    """One's own password, and the end of whatever is open in one's name."""
    return ctx.page(
        "public/form.html",
        title=gettext("Change your password"),
        text=gettext("You are signed in as %(name)s.", name=ctx.who.name),
        action="/account",
        submit_label=gettext("Change it"),
        fields=[
            {
                "name": "password",
                "label": gettext("Password now"),
                "type": "password",
                "autocomplete": "current-password",
            },
            {
                "name": "new_password",
                "label": gettext("New password"),
                "type": "password",
                "autocomplete": "new-password",
                "hint": gettext("At least %(shortest)s letters.", shortest=passwords.SHORTEST),
            },
        ],
        hidden={},
        back_url=render.HOMES[ctx.who.role],
        more=[
            {
                "title": gettext("Your time zone"),
                "text": gettext("Times are written in %(zone)s.", zone=zones.current()),
                "href": "/account/zone",
                "label": gettext("Choose another"),
            },
            {
                "title": gettext("The language of your mails"),
                "text": gettext("Mails are written in it as far as the program has worded them."),
                "href": "/account/language",
                "label": gettext("Choose a language"),
            },
            {
                "title": gettext("Sign out everywhere"),
                "text": gettext(
                    "Ends this session and every other one, and every viewer and token that you opened. "
                    "Use it if you left a browser signed in somewhere, or lost a device."
                ),
                "action": "/account/sign-out",
                "label": gettext("Sign out everywhere"),
                "hidden": {"everywhere": "yes"},
            },
        ],
    )


def change_password(context: RequestContext) -> Response:
    """Change it; every other session of this person ends, and whatever was opened in any."""
    try:
        proof = proofs.by_password(context.services.db, context.who, context.form.text("password"), context.address)
    except Unprocessable as error:
        raise FieldErrors({"password": error.safe}) from error
    try:
        hashed = passwords.hashed(context.form.text("new_password"))
    except Unprocessable as error:
        raise FieldErrors({"new_password": error.safe}) from error
    with context.transaction() as ctx:
        # Alone, before it is looked at: of two changes at once one finds the other.
        principals.lock(ctx.tx, ctx.who.id)
        proof.require(ctx.tx, ctx.who)
        session.set_password(ctx.tx, ctx.who, hashed)
        return session.renewed(ctx.services, ctx.tx, ctx.who, go("/account", "changed"))


def sign_out_everywhere(ctx: TxContext) -> Response:
    """End everything that this person has open, this session too."""
    check = Check(ctx.form)
    check.one_of("everywhere", ["yes"], gettext("Please use the button."))
    check.done()
    return session.sign_out_everywhere(ctx.services, ctx.tx, ctx.who)


def _people(ctx: TxContext, made: dict[str, str] | None = None) -> Response:
    search, role = ctx.query("q"), ctx.query("role")
    after = "" if made else ctx.query(paging.AFTER)
    page = accounts.everybody(ctx.tx, ctx.who, search, role, after, paging.ROWS)
    roles = [{"value": role.value, "label": role.value.capitalize()} for role in Role]
    return ctx.page(
        "admin/people.html",
        people=[
            {
                "name": person.name,
                "email": person.email,
                "role": person.role,
                "active": person.active,
                "last_seen": render.moment(person.last_seen),
                "toggle_action": _toggle(ctx, person) if person.principal_id != ctx.who.id else "",
            }
            for person in page
        ],
        count=accounts.count(ctx.tx, ctx.who, search, role),
        filter={"q": search, "role": role},
        pager=paging.links(ctx, "/people", page, q=search, role=role),
        made=made,
        roles=roles,
        action="/people",
        wish=str(uuid4()),
        permissions={"roles": permissions.ROLES, "rows": permissions.ROWS},
        values={} if made else ctx.form.values(),
    )


def _toggle(ctx: TxContext, person: AccountView) -> str:
    # Each says what it does: of two clicks on "Lock" the second does not open again.
    return paging.address(f"/people/{person.principal_id}/{'lock' if person.active else 'unlock'}", **_where(ctx))


def _where(ctx: TxContext) -> dict[str, str]:
    """The place in the list that a form stood in."""
    return {name: ctx.query(name) for name in ("q", "role", paging.AFTER) if ctx.query(name)}
