"""The step of a request that brings the images: by upload in the page, or sent by a hospital."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import intake, studies
from cases.service.intake import Changes
from cases.states import CaseState, ImagesBy, Needed
from cases.views import PatientCase
from overread.kit import addresses
from overread.kit.language import gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, render, steps
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import FieldErrors


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the step."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/cases/{case}/images", images_page),
        desk.post("/cases/{case}/images", images, images_page),
        desk.post("/cases/{case}/images/take-out", take_out, images_page),
        desk.get("/cases/{case}/sheet", sheet),
    ]


def images_page(ctx: TxContext) -> Response:
    """Step 2, and later the place where more images are added."""
    case = steps.own(ctx)
    if case.kind.images == Needed.NONE and case.state == CaseState.DRAFT:
        return go(steps.after(case, "patient"))
    if case.birth_date is None or (steps.is_got(ctx) and steps.is_before(case.step, "images")):
        return go(f"/cases/{case.case_id}/{case.step or 'patient'}")
    if not case.may_upload:
        return go(f"/cases/{case.case_id}")
    settings = ctx.services.settings
    return ctx.page(
        "patient/start_images.html",
        steps=steps.trail(case, "images"),
        sent=case.state != CaseState.DRAFT,
        case_url=f"/cases/{case.case_id}",
        reference=case.reference,
        dicomweb_root=f"/cases/{case.case_id}/dicomweb",
        unconfirmed=addresses.unconfirmed(ctx.tx, ctx.who.id) or "",
        address_url="/account/address",
        patient={"name": case.patient_name, "birth_date": case.birth_date},
        stored=[
            {
                "description": study.known.description,
                "modality": labels.modality(study.known.modalities),
                "date": render.day(study.known.study_date),
                "instances": study.known.instances,
                "series": study.known.series,
                "uid": study.study_uid,
            }
            for study in case.studies
            if study.known
        ],
        # What is still being looked at is here as well, though its pictures are not shown yet.
        here=case.images_here,
        take_out_action=f"/cases/{case.case_id}/images/take-out" if case.state == CaseState.DRAFT else "",
        by_hospital=case.images_by == ImagesBy.HOSPITAL,
        action=f"/cases/{case.case_id}/images",
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        instructions_url=f"/cases/{case.case_id}/sheet",
        optional=case.kind.images == Needed.OPTIONAL,
    )


def images(ctx: TxContext) -> Response:
    """The images are here, or a hospital will send them."""
    case = steps.own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    by = ctx.form.text("images")
    if by == "none" and case.kind.images != Needed.REQUIRED:
        return go(steps.after(case, "images"))
    if by not in ("uploaded", "hospital"):
        raise FieldErrors({"images": gettext("Please choose how the images come: press one of the two buttons.")})
    if by == "uploaded" and not case.images_here:
        raise FieldErrors({"images": gettext("No image has arrived yet. Choose a CD, a folder or files first.")})
    chosen = ImagesBy.HOSPITAL if by == "hospital" else ImagesBy.UPLOAD
    intake.update(ctx.tx, ctx.who, case.case_id, Changes(images_by=chosen))
    return go(steps.after(case, "images"))


def take_out(ctx: TxContext) -> Response:
    """Take a study out of a draft: it was somebody else's, or chosen by mistake."""
    studies.take_out(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("study"))
    return go(f"/cases/{ctx.uuid()}/images", "study-out")


def sheet(ctx: TxContext) -> Response:
    """What a hospital has to know, to print."""
    case = steps.own(ctx)
    if case.birth_date is None:
        return go(f"/cases/{case.case_id}/patient")
    settings = ctx.services.settings
    return ctx.page(
        "patient/hospital_instructions.html",
        reference=case.reference,
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        patient={"name": case.patient_name, "birth_date": case.birth_date},
        wanted=_wanted(case),
        back_url=f"/cases/{case.case_id}",
    )


def _wanted(case: PatientCase) -> str:
    """What a hospital is asked for."""
    told = [str(labels.SUBJECTS[one]) for one in case.subjects if one != "other"]
    return gettext("%(images)s, with earlier ones to compare", images=", ".join(told)) if told else ""
