"""A request, step by step: the question, the images, consent and price, the payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from cases.service import intake, payments, programs, read
from cases.service.intake import MAX_QUESTIONS, Changes
from cases.service.presentation import STEPS
from cases.states import CaseState, ImagesBy
from cases.views import PatientCase, PaymentState, ProgramView
from overread.kit import addresses, principals
from overread.kit.errors import Conflict, NotFound
from overread.kit.language import Phrase, gettext
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, places, render
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check, FieldErrors

_STEPS = (
    (Phrase("Your question"), "question"),
    (Phrase("Your images"), "images"),
    (Phrase("Consent and price"), "consent"),
    (Phrase("Payment"), ""),
)
#: What a payment's state means to the page that waits for it.
_PAYMENT_PAGES: Mapping[str, str] = {
    PaymentState.NONE: "pending",
    PaymentState.METHOD_SAVED: "saved",
    PaymentState.REQUIRES_ACTION: "action",
    PaymentState.AUTHORISED: "authorised",
    PaymentState.CAPTURING: "authorised",
    PaymentState.FAILED: "failed",
    PaymentState.EXPIRED: "failed",
    PaymentState.VOIDED: "failed",
    PaymentState.CAPTURED: "authorised",
    PaymentState.PARTLY_REFUNDED: "authorised",
    PaymentState.WON: "authorised",
}


def routes(services: Services) -> list[BaseRoute]:
    """The steps' routes."""
    desk = Desk(services, Role.PATIENT)
    return [
        desk.get("/start", new_page),
        desk.post("/start", new, new_page),
        desk.get("/cases/{case}/question", question_page),
        desk.post("/cases/{case}/question", question, question_page),
        desk.get("/cases/{case}/images", images_page),
        desk.post("/cases/{case}/images", images, images_page),
        desk.get("/cases/{case}/sheet", sheet),
        desk.get("/cases/{case}/consent", consent_page),
        desk.post("/cases/{case}/consent", consent, consent_page),
        desk.get("/cases/{case}/payment", payment_page),
        desk.post("/cases/{case}/pay", pay),
    ]


def own(ctx: TxContext) -> PatientCase:
    """The visitor's own case. Raises NotFound."""
    case = read.show(ctx.tx, ctx.who, ctx.uuid())
    if not isinstance(case, PatientCase):
        raise NotFound(f"case {ctx.uuid()} is shown to {ctx.who.role} elsewhere")
    return case


def new_page(ctx: TxContext) -> Response:
    """Step 1 for a request that does not exist yet."""
    offered = programs.on_offer(ctx.tx)
    chosen = ctx.query("kind")
    values = (
        ctx.form.values("questions")
        if ctx.form.names()
        else {
            "kind": chosen or (offered[0].slug if len(offered) == 1 else ""),
            # As they were answered before there was an account.
            "subject": ctx.query("subject"),
            "place": ctx.query("place"),
            "phone": principals.get(ctx.tx, ctx.who.id).phone or "",
        }
    )
    return _question_form(ctx, "/start", None, offered, values)


def new(ctx: TxContext) -> Response:
    """Open a draft."""
    slug, changes, questions = _story(ctx, programs.on_offer(ctx.tx), None)
    case_id = intake.create(ctx.tx, ctx.who, slug, changes)
    intake.set_questions(ctx.tx, ctx.who, case_id, questions)
    return go(f"/cases/{case_id}/images")


def question_page(ctx: TxContext) -> Response:
    """Step 1 of a draft."""
    case = own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    for_other = case.patient_name != ctx.who.name
    typed = ctx.form.values("questions") if ctx.form.names() else None
    values = typed or {
        "subject": case.subject,
        "questions": [q.text for q in case.questions],
        "symptoms": case.symptoms,
        "history": case.history,
        "for_other": "yes" if for_other else "",
        "patient_name": case.patient_name if for_other else "",
        "birth_date": case.birth_date.isoformat() if case.birth_date else "",
        "sex": case.sex,
        "phone": principals.get(ctx.tx, ctx.who.id).phone or "",
        "place": case.place,
        "kind": case.program_slug,
    }
    program = programs.program(ctx.tx, case.program_slug)
    return _question_form(ctx, f"/cases/{case.case_id}/question", case, [program], values)


def question(ctx: TxContext) -> Response:
    """Change a draft."""
    case = own(ctx)
    _, changes, questions = _story(ctx, [programs.program(ctx.tx, case.program_slug)], case)
    intake.update(ctx.tx, ctx.who, case.case_id, changes, edition=ctx.form.given("edition"))
    intake.set_questions(ctx.tx, ctx.who, case.case_id, questions)
    return go(f"/cases/{case.case_id}/images")


def images_page(ctx: TxContext) -> Response:
    """Step 2, and later the place where more images are added."""
    case = own(ctx)
    if case.birth_date is None or (_is_got(ctx) and _is_before(case.step, "images")):
        return go(f"/cases/{case.case_id}/question")
    if not case.may_upload:
        return go(f"/cases/{case.case_id}")
    settings = ctx.services.settings
    return ctx.page(
        "patient/start_images.html",
        steps=_trail(case.case_id, 1),
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
            }
            for study in case.studies
            if study.known
        ],
        # What is still being looked at is here as well, though its pictures are not shown yet.
        here=case.images_here,
        by_hospital=case.images_by == ImagesBy.HOSPITAL,
        action=f"/cases/{case.case_id}/images",
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        instructions_url=f"/cases/{case.case_id}/sheet",
        documents_action="",
        documents=[],
    )


def images(ctx: TxContext) -> Response:
    """The images are here, or a hospital will send them."""
    case = own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    by = Check(ctx.form).one_of("images", ("uploaded", "hospital"), "")
    if by not in ("uploaded", "hospital"):
        raise FieldErrors({"images": gettext("Please choose how the images come: press one of the two buttons.")})
    if by == "uploaded" and not case.images_here:
        raise FieldErrors({"images": gettext("No image has arrived yet. Choose a CD, a folder or files first.")})
    chosen = ImagesBy.HOSPITAL if by == "hospital" else ImagesBy.UPLOAD
    intake.update(ctx.tx, ctx.who, case.case_id, Changes(images_by=chosen))
    return go(f"/cases/{case.case_id}/consent")


def sheet(ctx: TxContext) -> Response:
    """What a hospital has to know, to print."""
    case = own(ctx)
    if case.birth_date is None:
        return go(f"/cases/{case.case_id}/question")
    settings = ctx.services.settings
    return ctx.page(
        "patient/hospital_instructions.html",
        reference=case.reference,
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        patient={"name": case.patient_name, "birth_date": case.birth_date},
        wanted="" if case.subject == "other" else f"{labels.SUBJECTS[case.subject]}, with earlier ones to compare",
        back_url=f"/cases/{case.case_id}",
    )


def consent_page(ctx: TxContext) -> Response:
    """Step 3: everything to check, the total, the consents, one button."""
    case = own(ctx)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    if _is_got(ctx) and _is_before(case.step, "consent"):
        # Whoever agrees and pays here could not be sent on.
        return go(f"/cases/{case.case_id}/{case.step}")
    program = programs.program(ctx.tx, case.program_slug)
    total = render.money(program.price, program.currency)
    found = [study.known for study in case.studies if study.known]
    pictures, series = sum(f.instances for f in found), sum(f.series for f in found)
    here = (
        gettext("%(pictures)s in %(series)s series", pictures=format(pictures, ","), series=series)
        if found
        else "none yet"
    )
    return ctx.page(
        "patient/start_consent.html",
        steps=_trail(case.case_id, 2),
        action=f"/cases/{case.case_id}/consent",
        consents=[
            {"name": c.name, "label": c.label, "version": c.version, "url": c.words.path} for c in intake.CONSENTS
        ],
        lines=[{"label": program.name, "amount": total}],
        total=total,
        free=program.price_key is None,
        days=program.reading_days,
        policy=(
            gettext(
                "You can withdraw until the report is signed. Until a specialist has taken your case you get "
                "everything back, afterwards %(late_refund_percent)s %%.",
                late_refund_percent=program.late_refund_percent,
            )
        ),
        summary=[
            (gettext("Patient"), case.patient_name),
            (gettext("About"), labels.SUBJECTS[case.subject]),
            (gettext("Questions"), str(len(case.questions))),
            (gettext("Images"), "your hospital sends them" if case.images_by == ImagesBy.HOSPITAL else here),
            (gettext("Where"), places.name(case.place)),
        ],
        back_url=f"/cases/{case.case_id}/question",
        # A text that has become another one is not agreed to, whatever was ticked.
        values={name: text for name, text in ctx.form.values().items() if name not in _outdated(ctx)}
        or dict.fromkeys(case.consents, "yes"),
    )


def consent(ctx: TxContext) -> Response:
    """Record the consents; then to the payment page, or, in a free program, send the request."""
    case = own(ctx)
    program = programs.program(ctx.tx, case.program_slug)
    free = program.price_key is None
    if outdated := _outdated(ctx):
        raise Conflict(
            f"consent to other texts: {', '.join(outdated)}",
            safe="What you agree to has a new version since you opened this page: "
            + ", ".join(f"“{c.words.headline}”, version {c.version}" for c in intake.CONSENTS if c.name in outdated)
            + ". Please read it, then agree again.",
        )
    missing = {
        c.name: gettext("Please agree: %(label)s", label=c.label) for c in intake.CONSENTS if not ctx.form.text(c.name)
    }
    if not free and not ctx.form.text("charge"):
        missing["charge"] = gettext("Please confirm that you understand the charge.")
    if missing:
        raise FieldErrors(missing)
    client = ctx.request.client
    for one in intake.CONSENTS:
        intake.consent(
            ctx.tx,
            ctx.who,
            case.case_id,
            one.name,
            version=one.version,
            digest=one.digest,
            address=client.host if client else "",
        )
    if free:
        intake.submit(ctx.tx, ctx.who, case.case_id)
        return go(f"/cases/{case.case_id}")
    return _to_payment_page(ctx, case.case_id)


def pay(ctx: TxContext) -> Response:
    """To the payment page again: the bank asked for something, or the hold has ended."""
    case = own(ctx)
    if _is_before(case.step, "payment"):
        return go(f"/cases/{case.case_id}/{case.step}")
    return _to_payment_page(ctx, case.case_id)


def payment_page(ctx: TxContext) -> Response:
    """Back from the payment page: asks the provider what it says, and sends the request once the price is held.

    Nothing is believed of the address; the payment's own state alone counts.
    """
    case = own(ctx)
    case_url = f"/cases/{case.case_id}"
    if case.paid is None:
        return go(f"{case_url}/consent" if case.state == CaseState.DRAFT else case_url)
    payments.look_again(ctx.tx, ctx.who, case.case_id, ctx.services.gateway)
    now = own(ctx)
    payment = now.paid
    assert payment is not None
    state = _PAYMENT_PAGES.get(payment.state)
    if state is None:
        return go(case_url)
    if now.state == CaseState.DRAFT and _is_before(now.step, "payment"):
        # Something else is missing by now: its page asks for it.
        return go(f"{case_url}/{now.step}")
    if state == "saved" and now.state == CaseState.DRAFT:
        # The images were to come from a hospital, and are here by now: the saved card alone sends nothing.
        state = "hold"
    return ctx.page(
        "patient/payment.html",
        state=state,
        refresh_url=f"{case_url}/payment",
        case_url=case_url,
        pay_action=f"{case_url}/pay",
        reason=payment.failure,
        due=render.moment(now.due_at),
        total=render.money(payment.amount, payment.currency),
    )


def _to_payment_page(ctx: TxContext, case_id: UUID) -> Response:
    back = f"{ctx.services.settings.base_url}/cases/{case_id}"
    url = payments.checkout(
        ctx.tx,
        ctx.who,
        case_id,
        ctx.services.gateway,
        success_url=f"{back}/payment",
        cancel_url=f"{back}/consent",
    )
    # None: it is held or taken already, which the next page finds out for itself.
    return RedirectResponse(url, 303) if url else go(f"/cases/{case_id}/payment")


def _is_got(ctx: TxContext) -> bool:
    # A form that was refused is shown again as it is: its sentence says what is wrong.
    return ctx.request.method in ("GET", "HEAD")


def _is_before(step: str, than: str) -> bool:
    """Whether a draft still needs something that an earlier step asks for."""
    return step != "" and STEPS.index(step) < STEPS.index(than)


def _outdated(ctx: TxContext) -> list[str]:
    """The consents of the form whose text was another one when the page was opened."""
    form = ctx.form
    return [c.name for c in intake.CONSENTS if form.text(c.name) and form.given(f"{c.name}-version") != c.version]


def _story(ctx: TxContext, offered: Sequence[ProgramView], case: PatientCase | None) -> tuple[str, Changes, list[str]]:
    form, check_form = ctx.form, Check(ctx.form)
    slugs = [program.slug for program in offered]
    subject = check_form.one_of("subject", list(labels.SUBJECTS), gettext("Please choose what it is about."))
    questions = [text for text in form.all("questions") if text]
    if not questions:
        check_form.errors["questions"] = gettext("Please ask at least one question.")
    born = check_form.day("birth_date", gettext("Please give the date of birth."))
    sex = check_form.one_of("sex", list(labels.SEXES), gettext("Please choose the patient’s sex."))
    place = form.text("place")
    slug = check_form.one_of("kind", slugs, gettext("Please choose an opinion."))
    name = ctx.who.name
    if form.text("for_other"):
        name = check_form.text("patient_name", gettext("Please give the patient’s full name."))
    if not place:
        check_form.errors["place"] = gettext("Please say where the patient is now.")
    elif place not in programs.places([program for program in offered if program.slug == slug or not slug]):
        there = f"in {places.name(place)}" if place in places.NAMES else "there"
        check_form.errors["place"] = gettext("We can’t give opinions to people who are %(there)s.", there=there)
    if case is not None and case.emergency and not form.text("no_emergency"):
        check_form.errors["no_emergency"] = gettext(
            "In an emergency, call your local emergency number. An opinion takes days."
        )
    check_form.done()
    phone = form.given("phone")
    if phone is not None:
        principals.get(ctx.tx, ctx.who.id).phone = phone[:40] or None
    changes = Changes(
        subject=subject,
        symptoms=form.given("symptoms"),
        history=form.given("history"),
        emergency=False if form.text("no_emergency") else None,
        place=place,
        patient_name=name,
        birth_date=born,
        sex=sex,
    )
    return slug, changes, questions


def _question_form(
    ctx: TxContext,
    action: str,
    case: PatientCase | None,
    offered: Sequence[ProgramView],
    values: dict[str, Any],
) -> Response:
    kinds = []
    served = programs.places(offered)
    for program in offered:
        # A free program shows no sum, rather than one of nothing.
        cost = render.money(program.price, program.currency) if program.price_key else None
        kinds.append({"value": program.slug, "label": program.name, "hint": program.tagline, "amount": cost})
    return ctx.page(
        "patient/start_question.html",
        steps=_trail(case.case_id if case else None, 0),
        action=action,
        subjects=labels.options(labels.SUBJECTS),
        kinds=kinds,
        places=places.choices(served),
        places_told=places.told(served),
        max_questions=MAX_QUESTIONS,
        edition=case.edition if case else "",
        emergency=case is not None and case.emergency,
        missing=_missing(ctx, case),
        saved_url=f"/cases/{case.case_id}/question" if case and ctx.errors else "",
        values=values,
    )


def _missing(ctx: TxContext, case: PatientCase | None) -> list[str]:
    """What the first step of a draft still needs, told where nothing else is wrong with the form."""
    if case is None or ctx.errors or case.step != "question":
        return []
    with_steps = intake.missing(ctx.tx, ctx.who, case.case_id)
    return [text for step, text in with_steps if step == "question"]


def _trail(case_id: UUID | None, current: int) -> list[dict[str, str | None]]:
    return [
        {
            "label": label,
            "state": "done" if i < current else "current" if i == current else "todo",
            "href": f"/cases/{case_id}/{path}" if case_id and path else None,
        }
        for i, (label, path) in enumerate(_STEPS)
    ]
