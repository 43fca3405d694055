"""The step of a request that tells of the patient: who they are, where, and how they are reached."""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import authority, programs
from cases.states import Actor, Relation
from cases.views import PatientCase
from overread.kit import principals
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import half_forms, labels, places, steps
from overread.web.contexts import Desk, TxContext
from overread.web.forms import Form
from overread.web.half_forms import HalfForm, Step

_TEXTS = ("address", "language", "physician", "physician_contact")
_BOXES = ("interpreter", "inform_physician")


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the step."""
    return half_forms.routes(Desk(services, Role.PATIENT), Step("patient", _page, _typed, _wanting))


def _typed(ctx: TxContext, case: PatientCase) -> HalfForm:
    form = ctx.form
    half = HalfForm({name: text for name in _TEXTS if (text := form.given(name)) is not None})
    half.fields.update({name: "yes" in form.all(name) for name in _BOXES if form.given(name) is not None})
    if form.given("for_other") is not None:
        other = "yes" in form.all("for_other")
        half.fields["patient_name"] = form.text("patient_name") if other else case.account_name
        relation = Relation(form.text("relation")) if form.text("relation") in list(Relation) else None
        if relation or not other:
            authority.say(ctx.tx, ctx.who, case.case_id, relation if other else None, form.text("authority"))
    if (born := form.given("birth_date")) is not None:
        try:
            half.fields["birth_date"] = date.fromisoformat(born) if born else None
        except ValueError:
            half.errors["birth_date"] = gettext("Please give the date of birth as year, month and day.")
    if form.text("sex") in labels.SEXES:
        half.fields["sex"] = form.text("sex")
    if place := form.text("place"):
        served = programs.program(ctx.tx, case.program_slug).places
        if place in served:
            half.fields["place"] = place
        else:
            there = gettext("in %(place)s", place=places.name(place)) if place in places.NAMES else gettext("there")
            half.errors["place"] = gettext("We can’t give opinions to people who are %(there)s.", there=there)
    if (phone := form.given("phone")) is not None:
        principals.get(ctx.tx, ctx.who.id).phone = phone[:40] or None
    return half


def _wanting(case: PatientCase, _form: Form) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not case.patient_name:
        errors["patient_name"] = gettext("Please give the patient’s full name.")
    if case.patient_name != case.account_name and case.authority is None:
        errors["relation"] = gettext("Please say who you are to the patient.")
    if case.birth_date is None:
        errors["birth_date"] = gettext("Please give the date of birth.")
    if not case.sex:
        errors["sex"] = gettext("Please choose the patient’s sex.")
    if not case.place:
        errors["place"] = gettext("Please say where the patient is now.")
    if case.inform_physician and not (case.physician and case.physician_contact):
        errors["physician"] = gettext("Please say who the physician is and how we reach them.")
    return errors


def _page(ctx: TxContext, case: PatientCase, values: dict[str, Any]) -> Response:
    served = programs.program(ctx.tx, case.program_slug).places
    for_other = case.patient_name != case.account_name
    return ctx.page(
        "patient/start_patient.html",
        steps=steps.trail(case, "patient"),
        action=f"/cases/{case.case_id}/patient",
        relations=labels.options(labels.RELATIONS),
        authority_url=f"/cases/{case.case_id}/authority" if case.authority else "",
        acting_for="" if case.part == Actor.PATIENT else case.account_name,
        places=places.choices(served),
        places_told=places.told(served),
        edition=case.edition,
        missing=steps.missing(ctx, case, "patient") if case.birth_date or case.sex else [],
        values=values
        or {
            "for_other": "yes" if for_other else "",
            "patient_name": case.patient_name if for_other else "",
            "relation": case.authority.relation if case.authority else "",
            "authority": case.authority.text if case.authority else "",
            "birth_date": case.birth_date.isoformat() if case.birth_date else "",
            "sex": case.sex,
            "phone": principals.get(ctx.tx, ctx.who.id).phone or "",
            "address": case.address,
            "place": case.place,
            "language": case.language,
            "interpreter": "yes" if case.interpreter else "",
            "physician": case.physician,
            "physician_contact": case.physician_contact,
            "inform_physician": "yes" if case.inform_physician else "",
        },
    )
