"""Where specialists may give opinions: the places' rules, kept by admins, and licences, kept by admins and holders."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import people, programs
from cases.states import LicenceRequirement
from cases.views import LicenceView
from overread.kit import clock, principals
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import places
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_KINDS: Mapping[LicenceRequirement, tuple[str, str]] = {
    LicenceRequirement.LICENSED: (Phrase("A licence of the place"), "info"),
    LicenceRequirement.DIRECT: (Phrase("Nothing: an opinion may be given directly"), "good"),
    LicenceRequirement.LOCAL_PHYSICIAN: (Phrase("A local physician takes part"), "warn"),
    LicenceRequirement.BLOCKED: (Phrase("Not allowed"), "bad"),
    LicenceRequirement.UNKNOWN: (Phrase("Not known: blocked"), "neutral"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of licences and rules."""
    both, admin = Desk(services, Permission.LICENCE_SET), Desk(services, Permission.PLACE_RULES_SET)
    return [
        both.get("/licences", licences_page),
        both.post("/licences", add_licence, licences_page),
        admin.post("/licences/rules", add_rule, licences_page),
        admin.post("/licences/readers", set_reader, licences_page),
        admin.post("/licences/{licence}/verify", verify, licences_page),
        admin.post("/licences/{licence}/decline", decline, licences_page),
    ]


def licences_page(ctx: TxContext) -> Response:
    """Everybody's licences and the rules for an admin, one's own for a specialist."""
    admin = ctx.who.role is Role.ADMIN
    who = principals.with_role(ctx.tx, Role.SPECIALIST) if admin else [principals.get(ctx.tx, ctx.who.id)]
    today = clock.now().date()
    held = [(person, licence) for person in who for licence in people.licences_of(ctx.tx, ctx.who, person.id)]
    # A licence that is renewed is filled in as it is recorded.
    renewed = next((one for _, one in held if str(one.licence_id) == ctx.query("licence")), None)
    return ctx.page(
        "admin/licences.html",
        rules=[
            {
                "place": places.name(rule.place),
                "rule": _KINDS[rule.rule][0],
                "tone": _KINDS[rule.rule][1],
                "source": rule.source,
                "since": rule.valid_from,
            }
            for rule in people.rules(ctx.tx, ctx.who)
        ]
        if admin
        else None,
        kinds=[{"value": kind.value, "label": label} for kind, (label, _) in _KINDS.items()],
        places=places.everywhere(),
        rule_action="/licences/rules" if admin else "",
        licences=[
            {
                "name": person.name,
                "place": places.name(licence.place),
                "number": licence.number,
                "until": licence.expires_on,
                "expired": licence.expires_on < today,
                "verified": licence.verified,
                "asked_until": licence.asked_until,
                "verify_action": f"/licences/{licence.licence_id}/verify" if admin and _waits(licence) else "",
                "decline_action": f"/licences/{licence.licence_id}/decline" if admin and _waits(licence) else "",
                "renew_url": f"/licences?licence={licence.licence_id}#record",
            }
            for person, licence in held
        ],
        people=[{"value": str(person.id), "label": person.name} for person in who],
        programs=[
            {
                "name": program.name,
                "slug": program.slug,
                "readers": [
                    {"id": str(person.id), "name": person.name, "reads": person.id in program.specialists}
                    for person in who
                ],
            }
            for program in programs.readers(ctx.tx, ctx.who)
        ]
        if admin
        else None,
        reader_action="/licences/readers" if admin else "",
        licence_action="/licences",
        values=ctx.form.values() if ctx.form.names() or renewed is None else _values(renewed),
    )


def _waits(licence: LicenceView) -> bool:
    return not licence.verified or licence.asked_until is not None


def _values(licence: LicenceView) -> dict[str, str]:
    """A licence as the form has it."""
    return {
        "specialist": str(licence.specialist_id),
        "licence_place": licence.place,
        "number": licence.number,
        "expires_on": licence.expires_on.isoformat(),
    }


def add_licence(ctx: TxContext) -> Response:
    """Record or renew a licence; a specialist's own alone."""
    own = [str(person.id) for person in principals.with_role(ctx.tx, Role.SPECIALIST)]
    check = Check(ctx.form)
    specialist = check.one_of("specialist", own, gettext("Please choose a specialist."))
    place = check.one_of("licence_place", list(places.NAMES), gettext("Please choose a place."))
    until = check.day("expires_on", gettext("Please give the day on which it ends."))
    number = ctx.form.given("number")
    if number is not None and len(number) > 64:
        check.errors["number"] = gettext("This is too long: 64 characters at most.")
    check.done()
    assert until is not None
    people.set_licence(ctx.tx, ctx.who, UUID(specialist), place, until, number)
    return go("/licences", "saved")


def verify(ctx: TxContext) -> Response:
    """Say that a licence is as its holder entered it: it counts from now on."""
    people.verify_licence(ctx.tx, ctx.who, ctx.uuid("licence"))
    return go("/licences", "verified")


def decline(ctx: TxContext) -> Response:
    """Say that a licence is not as its holder entered it."""
    people.decline_licence(ctx.tx, ctx.who, ctx.uuid("licence"))
    return go("/licences", "licence-declined")


def set_reader(ctx: TxContext) -> Response:
    """Let a specialist read for a program, or no more."""
    reads = ctx.form.text("reads") == "yes"
    programs.set_reader(ctx.tx, ctx.who, ctx.form.text("program"), ctx.form_uuid("specialist"), reads=reads)
    return go("/licences", "saved")


def add_rule(ctx: TxContext) -> Response:
    """Record what a place asks; earlier rules stay on record."""
    check = Check(ctx.form)
    place = check.one_of("place", list(places.NAMES), gettext("Please choose a place."))
    rule = check.one_of("rule", [kind.value for kind in LicenceRequirement], gettext("Please choose what it asks."))
    source = check.text("source", gettext("Please say where the rule is written."), 2000)
    since = check.day("valid_from", gettext("Please give a day.")) if ctx.form.text("valid_from") else None
    check.done()
    people.add_rule(ctx.tx, ctx.who, place, LicenceRequirement(rule), source, since)
    return go("/licences", "saved")
