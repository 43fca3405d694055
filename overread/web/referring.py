"""Referrals: a physician prepares a request for a patient, or a coordinator for a caller, and follows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import programs, referrals
from cases.service.intake import MAX_QUESTIONS
from cases.service.referrals import STATE_LABELS, ReferralState, ReferralView, Referred
from overread.kit import attempts
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, paging, places, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check

_PATH = "/referrals"
_TONES: Mapping[ReferralState, str] = {
    ReferralState.INVITED: "info",
    ReferralState.EXPIRED: "warn",
    ReferralState.TAKEN_BACK: "neutral",
    ReferralState.REFUSED: "neutral",
    ReferralState.REPORTED: "good",
    ReferralState.ENDED: "neutral",
}


def routes(services: Services) -> list[BaseRoute]:
    """The routes of whoever refers patients."""
    desk = Desk(services, Permission.REFERRALS_MAKE)
    one = f"{_PATH}/{{referral}}"
    return [
        desk.get(_PATH, listing),
        desk.get(f"{_PATH}/new", new_page),
        desk.post(f"{_PATH}/new", new, new_page),
        desk.get(one, page),
        desk.post(f"{one}/again", again, page),
        desk.post(f"{one}/end", end, page),
        desk.get(f"{one}/sheet", sheet),
        Desk(services, Permission.REFERRALS_READ_REPORT).get(f"{one}/report.pdf", report),
    ]


def listing(ctx: TxContext) -> Response:
    """The patients who were referred, newest first."""
    found = referrals.listed(ctx.tx, ctx.who, after=ctx.query(paging.AFTER), limit=paging.ROWS)
    return ctx.page(
        "referrals/list.html",
        referrals=[_line(one) for one in found],
        everybodys=ctx.who.role is Role.COORDINATOR,
        new_url=f"{_PATH}/new",
        pager=paging.links(ctx, _PATH, found),
    )


def new_page(ctx: TxContext) -> Response:
    """The form of a referral."""
    offered = programs.on_offer(ctx.tx)
    kinds = [
        {"value": f"{program.slug}/{kind.slug}", "label": f"{program.name}: {kind.name}"}
        for program in offered
        for kind in program.kinds
    ]
    served = programs.places(offered)
    mine = ctx.who.name if ctx.who.role is Role.HOSPITAL else ""
    return ctx.page(
        "referrals/new.html",
        action=f"{_PATH}/new",
        back_url=_PATH,
        for_caller=ctx.who.role is Role.COORDINATOR,
        kinds=kinds,
        places=places.choices(served),
        places_told=places.told(served),
        sexes=labels.options(labels.SEXES),
        subjects=labels.options(labels.SUBJECTS),
        max_questions=MAX_QUESTIONS,
        values=ctx.form.values("subjects", "questions")
        if ctx.form.names()
        else {"physician": mine, "opinion": kinds[0]["value"] if len(kinds) == 1 else ""},
    )


def new(ctx: TxContext) -> Response:
    """Prepare a request for a patient, and invite them."""
    check, form = Check(ctx.form), ctx.form
    known = [f"{program.slug}/{kind.slug}" for program in programs.on_offer(ctx.tx) for kind in program.kinds]
    opinion = check.one_of("opinion", known, gettext("Please choose an opinion."))
    email = check.email("email")
    name = check.text("patient_name", gettext("Please give the patient’s full name."))
    born = check.day("birth_date", gettext("Please give the date of birth as year, month and day."))
    place = check.one_of("place", list(places.NAMES), gettext("Please say where the patient is now."))
    if ctx.who.role is not Role.COORDINATOR:
        check.text("physician", gettext("Please say who you are, as the patient knows you."))
    subjects = [one for one in form.all("subjects") if one in labels.SUBJECTS]
    questions = [one for one in form.all("questions") if one]
    if not subjects:
        check.errors["subjects"] = gettext("Please choose what it is about.")
    if not questions:
        check.errors["questions"] = gettext("Please ask at least one question.")
    check.done()
    assert born is not None
    program, _, kind = opinion.partition("/")
    said = Referred(
        email=email,
        patient_name=name,
        birth_date=born,
        place=place,
        subjects=subjects,
        questions=questions,
        physician=form.text("physician"),
        sex=form.text("sex"),
        phone=form.text("phone"),
        other_subject=form.text("other_subject"),
        history=form.text("history"),
        kind=kind,
    )
    made = referrals.make(ctx.tx, ctx.who, program, said)
    # Nobody's mailbox is filled; and only what would be mailed is counted.
    attempts.spend(ctx.services.db, *attempts.mailing(email))
    return go(f"{_PATH}/{made}", "referred")


def page(ctx: TxContext) -> Response:
    """One referral: its number, how far it is, and what was written."""
    one = referrals.show(ctx.tx, ctx.who, ctx.uuid("referral"))
    url, settings = f"{_PATH}/{one.referral_id}", ctx.services.settings
    return ctx.page(
        "referrals/one.html",
        one=_line(one)
        | {
            "program": one.program,
            "kind": one.kind,
            "email": one.email,
            "place": places.NAMES.get(one.place, one.place),
            "subjects": ", ".join(str(labels.SUBJECTS[key]) for key in one.subjects),
            "other_subject": one.other_subject,
            "questions": one.questions,
            "history": one.history,
            "until": render.moment(one.expires_at) if one.state is ReferralState.INVITED else None,
            "gone": not one.patient_name,
        },
        again_action=f"{url}/again" if one.may_send_again else "",
        end_action=f"{url}/end" if one.may_end else "",
        sheet_url=f"{url}/sheet" if one.patient_name else "",
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        back_url=_PATH,
    )


def again(ctx: TxContext) -> Response:
    """Mail the invitation once more."""
    referral_id = ctx.uuid("referral")
    attempts.spend(ctx.services.db, *attempts.mailing(referrals.show(ctx.tx, ctx.who, referral_id).email))
    referrals.send_again(ctx.tx, ctx.who, referral_id)
    return go(f"{_PATH}/{referral_id}", "referred")


def end(ctx: TxContext) -> Response:
    """Take an invitation back."""
    referrals.end(ctx.tx, ctx.who, ctx.uuid("referral"))
    return go(f"{_PATH}/{ctx.uuid('referral')}", "referral-ended")


def sheet(ctx: TxContext) -> Response:
    """How a hospital sends this patient's images, to print."""
    one = referrals.show(ctx.tx, ctx.who, ctx.uuid("referral"))
    if one.birth_date is None:
        return go(f"{_PATH}/{one.referral_id}")
    settings = ctx.services.settings
    return ctx.page(
        "patient/hospital_instructions.html",
        reference=one.reference,
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        patient={"name": one.patient_name, "birth_date": one.birth_date},
        wanted="",
        back_url=f"{_PATH}/{one.referral_id}",
        back_label=gettext("Back"),
    )


def report(ctx: TxContext) -> Response:
    """The report as a file, while the patient lets it be read."""
    name, content = referrals.report(ctx.tx, ctx.who, ctx.uuid("referral"))
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)


def _line(one: ReferralView) -> dict[str, Any]:
    return {
        "url": f"{_PATH}/{one.referral_id}",
        "reference": one.reference,
        "patient": one.patient_name,
        "born": one.birth_date,
        "by": one.by,
        "physician": one.physician,
        "made": render.moment(one.invited_at),
        "status": render.status(STATE_LABELS[one.state], _TONES.get(one.state, "info")),
        "report_url": f"{_PATH}/{one.referral_id}/report.pdf" if one.may_read_report else "",
    }
