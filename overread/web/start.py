"""A request, step by step: the question, the images, consent and price, the payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from billing import service as billing
from billing.states import TAKEN, State
from cases import money
from cases.machine import check
from cases.models import ImagesBy, Program
from cases.move import Move
from cases.repository import load
from cases.service import intake, payments, read
from cases.service.intake import MAX_QUESTIONS, Changes
from cases.states import CaseEvent, CaseState
from cases.views import PatientCase
from overread.kit import addresses, principals
from overread.kit.errors import Conflict, NotFound, Unavailable, Unprocessable
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, places, render
from overread.web.forms import Check, FieldErrors
from overread.web.texts import CONSENTS
from overread.web.visits import Desk, Visit, go

_STEPS = (("Your question", "question"), ("Your images", "images"), ("Consent and price", "consent"), ("Payment", ""))
#: What a payment's state means to the page that waits for it.
_PAYMENT_PAGES: Mapping[str, str] = {
    State.NONE: "pending",
    State.METHOD_SAVED: "saved",
    State.REQUIRES_ACTION: "action",
    State.AUTHORISED: "authorised",
    State.CAPTURING: "authorised",
    State.FAILED: "failed",
    State.EXPIRED: "failed",
    State.VOIDED: "failed",
    **dict.fromkeys(TAKEN, "authorised"),
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


def own(visit: Visit) -> PatientCase:
    """The visitor's own case. Raises NotFound."""
    case = read.show(visit.tx, visit.who, visit.uuid())
    if not isinstance(case, PatientCase):
        raise NotFound(f"case {visit.uuid()} is shown to {visit.who.role} elsewhere")
    return case


def new_page(visit: Visit) -> Response:
    """Step 1 for a request that does not exist yet."""
    programs = list(intake.programs(visit.tx))
    chosen = visit.query("program")
    values = visit.form.values("questions") or {"kind": chosen or (programs[0].slug if len(programs) == 1 else "")}
    return _question_form(visit, "/start", None, programs, values)


def new(visit: Visit) -> Response:
    """Open a draft."""
    slug, changes, questions = _story(visit, [p.slug for p in intake.programs(visit.tx)])
    case_id = intake.create(visit.tx, visit.who, slug, changes)
    intake.set_questions(visit.tx, visit.who, case_id, questions)
    return go(f"/cases/{case_id}/images")


def question_page(visit: Visit) -> Response:
    """Step 1 of a draft."""
    case = own(visit)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    for_other = case.patient_name != visit.who.name
    values = visit.form.values("questions") or {
        "subject": case.subject,
        "questions": [q.text for q in case.questions],
        "symptoms": case.symptoms,
        "history": case.history,
        "for_other": "yes" if for_other else "",
        "patient_name": case.patient_name if for_other else "",
        "birth_date": case.birth_date.isoformat() if case.birth_date else "",
        "sex": case.sex,
        "phone": principals.get(visit.tx, visit.who.id).phone or "",
        "place": case.place,
        "kind": case.program_slug,
    }
    program = intake.program(visit.tx, case.program_slug)
    return _question_form(visit, f"/cases/{case.case_id}/question", case, [program], values)


def question(visit: Visit) -> Response:
    """Change a draft."""
    case = own(visit)
    _, changes, questions = _story(visit, [case.program_slug])
    intake.update(visit.tx, visit.who, case.case_id, changes)
    intake.set_questions(visit.tx, visit.who, case.case_id, questions)
    return go(f"/cases/{case.case_id}/images")


def images_page(visit: Visit) -> Response:
    """Step 2, and later the place where more images are added."""
    case = own(visit)
    if case.birth_date is None:
        return go(f"/cases/{case.case_id}/question")
    if not case.may_upload:
        return go(f"/cases/{case.case_id}")
    settings = visit.services.settings
    return visit.page(
        "patient/start_images.html",
        steps=_trail(case.case_id, 1),
        reference=case.reference,
        dicomweb_root=f"/cases/{case.case_id}/dicomweb",
        unconfirmed=addresses.unconfirmed(visit.tx, visit.who.id) or "",
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
        action=f"/cases/{case.case_id}/images",
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        instructions_url=f"/cases/{case.case_id}/sheet",
        documents_action="",
        documents=[],
    )


def images(visit: Visit) -> Response:
    """The images are here, or a hospital will send them."""
    case = own(visit)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    by = Check(visit.form).one_of("images", ("uploaded", "hospital"), "")
    if by == "uploaded" and not case.studies:
        raise FieldErrors({"images": "No image has arrived yet. Choose a CD, a folder or files first."})
    chosen = ImagesBy.HOSPITAL if by == "hospital" else ImagesBy.UPLOAD
    intake.update(visit.tx, visit.who, case.case_id, Changes(images_by=chosen))
    return go(f"/cases/{case.case_id}/consent")


def sheet(visit: Visit) -> Response:
    """What a hospital has to know, to print."""
    case = own(visit)
    if case.birth_date is None:
        return go(f"/cases/{case.case_id}/question")
    settings = visit.services.settings
    return visit.page(
        "patient/hospital_instructions.html",
        reference=case.reference,
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        patient={"name": case.patient_name, "birth_date": case.birth_date},
        wanted="" if case.subject == "other" else f"{labels.SUBJECTS[case.subject]}, with earlier ones to compare",
        back_url=f"/cases/{case.case_id}",
    )


def consent_page(visit: Visit) -> Response:
    """Step 3: everything to check, the total, the consents, one button."""
    case = own(visit)
    if case.state != CaseState.DRAFT:
        return go(f"/cases/{case.case_id}")
    program = intake.program(visit.tx, case.program_slug)
    amount, currency, _ = money.price(visit.tx, program)
    total = render.money(amount, currency)
    found = [study.known for study in case.studies if study.known]
    pictures, series = sum(f.instances for f in found), sum(f.series for f in found)
    here = f"{pictures:,} in {series} series" if found else "none yet"
    return visit.page(
        "patient/start_consent.html",
        steps=_trail(case.case_id, 2),
        action=f"/cases/{case.case_id}/consent",
        consents=[{"name": c.name, "label": c.label, "version": c.version, "url": c.words.path} for c in CONSENTS],
        lines=[{"label": program.name, "amount": total}],
        total=total,
        free=program.price_key is None,
        days=program.reading_days,
        policy=(
            "You can withdraw until the report is signed. Until a specialist has taken your case you get everything "
            f"back, afterwards {program.late_refund_percent} %."
        ),
        summary=[
            ("Patient", case.patient_name),
            ("About", labels.SUBJECTS[case.subject]),
            ("Questions", str(len(case.questions))),
            ("Images", "your hospital sends them" if case.images_by == ImagesBy.HOSPITAL else here),
            ("Where", places.name(case.place)),
        ],
        back_url=f"/cases/{case.case_id}/question",
        values=visit.form.values() or dict.fromkeys(case.consents, "yes"),
    )


def consent(visit: Visit) -> Response:
    """Record the consents; then to the payment page, or, in a free program, send the request."""
    case = own(visit)
    program = intake.program(visit.tx, case.program_slug)
    free = program.price_key is None
    missing = {c.name: f"Please agree: {c.label}" for c in CONSENTS if not visit.form.text(c.name)}
    if not free and not visit.form.text("charge"):
        missing["charge"] = "Please confirm that you understand the charge."
    if missing:
        raise FieldErrors(missing)
    client = visit.request.client
    for one in CONSENTS:
        intake.consent(
            visit.tx,
            visit.who,
            case.case_id,
            one.name,
            version=one.version,
            text=one.words.plain(),
            address=client.host if client else "",
        )
    if free:
        intake.submit(visit.tx, visit.who, case.case_id)
        return go(f"/cases/{case.case_id}")
    # Nobody pays for a request that could not be sent.
    held, actor = load(visit.tx, visit.who, case.case_id, lock=True)
    check(Move(visit.tx, held, CaseEvent.SUBMIT, actor, visit.who), leaving_out=frozenset({"paid_or_free"}))
    return _to_payment_page(visit, case.case_id)


def pay(visit: Visit) -> Response:
    """To the payment page again: the bank asked for something, or the hold has ended."""
    return _to_payment_page(visit, own(visit).case_id)


def payment_page(visit: Visit) -> Response:
    """Back from the payment page: asks the provider what it says, and sends the request once the price is held.

    Nothing is believed of the address; the payment's own state alone counts.
    """
    case = own(visit)
    case_url = f"/cases/{case.case_id}"
    if case.paid is None:
        return go(f"{case_url}/consent" if case.state == CaseState.DRAFT else case_url)
    # The case before its payment, as whoever pays, accepts or ends it locks them.
    load(visit.tx, visit.who, case.case_id, lock=True)
    _look_again(visit, case.case_id)
    _submit(visit, case)
    now, payment = own(visit), billing.find(visit.tx, str(case.case_id))
    assert payment is not None
    state = _PAYMENT_PAGES.get(payment.state)
    if state is None:
        return go(case_url)
    if state in ("authorised", "saved") and now.state == CaseState.DRAFT:
        # Held, but something else is missing by now: its page says what.
        return go(case_url)
    return visit.page(
        "patient/payment.html",
        state=state,
        refresh_url=f"{case_url}/payment",
        case_url=case_url,
        pay_action=f"{case_url}/pay",
        reason=payment.failure_text or "",
        due=render.moment(now.due_at),
        total=render.money(payment.amount, payment.currency),
    )


def _to_payment_page(visit: Visit, case_id: UUID) -> Response:
    back = f"{visit.services.settings.base_url}/cases/{case_id}"
    url = payments.checkout(
        visit.tx,
        visit.who,
        case_id,
        visit.services.gateway,
        success_url=f"{back}/payment",
        cancel_url=f"{back}/consent",
    )
    # None: it is held or taken already, which the next page finds out for itself.
    return RedirectResponse(url, 303) if url else go(f"/cases/{case_id}/payment")


def _look_again(visit: Visit, case_id: UUID) -> None:
    payment = billing.find(visit.tx, str(case_id))
    if payment is None or visit.services.gateway is None:
        return
    try:
        billing.sync(visit.tx, visit.services.gateway, payment.id)
    except Unavailable:
        # The provider is silent: the page says that it waits, and asks again by itself.
        return


def _submit(visit: Visit, case: PatientCase) -> None:
    if case.state != CaseState.DRAFT:
        return
    try:
        intake.submit(visit.tx, visit.who, case.case_id)
    except (Unprocessable, Conflict):
        # Not held yet, or the worker that heard of the payment was faster. A refused move changes nothing.
        return


def _story(visit: Visit, slugs: list[str]) -> tuple[str, Changes, list[str]]:
    form, check_form = visit.form, Check(visit.form)
    subject = check_form.one_of("subject", list(labels.SUBJECTS), "Please choose what it is about.")
    questions = [text for text in form.all("questions") if text]
    if not questions:
        check_form.errors["questions"] = "Please ask at least one question."
    born = check_form.day("birth_date", "Please give the date of birth.")
    sex = check_form.one_of("sex", list(labels.SEXES), "Please choose.")
    place = check_form.one_of("place", list(places.NAMES), "Please say where the patient is now.")
    slug = check_form.one_of("kind", slugs, "Please choose an opinion.")
    name = visit.who.name
    if form.text("for_other"):
        name = check_form.text("patient_name", "Please give the patient’s full name.")
    if place in places.NAMES and slug in slugs and not intake.is_eligible(visit.tx, slug, place):
        check_form.errors["place"] = f"We can’t give opinions to people who are in {places.name(place)}."
    check_form.done()
    if phone := form.text("phone"):
        principals.get(visit.tx, visit.who.id).phone = phone[:40]
    changes = Changes(
        subject=subject,
        symptoms=form.text("symptoms"),
        history=form.text("history"),
        place=place,
        patient_name=name,
        birth_date=born,
        sex=sex,
    )
    return slug, changes, questions


def _question_form(
    visit: Visit, action: str, case: PatientCase | None, programs: list[Program], values: dict[str, Any]
) -> Response:
    kinds = []
    for program in programs:
        amount, currency, _ = money.price(visit.tx, program)
        # A free program shows no sum, rather than one of nothing.
        cost = render.money(amount, currency) if program.price_key else None
        kinds.append({"value": program.slug, "label": program.name, "hint": program.tagline, "amount": cost})
    return visit.page(
        "patient/start_question.html",
        steps=_trail(case.case_id if case else None, 0),
        action=action,
        subjects=labels.options(labels.SUBJECTS),
        kinds=kinds,
        places=places.OPTIONS,
        excluded_places=places.excluded(visit.tx, programs),
        max_questions=MAX_QUESTIONS,
        values=values,
    )


def _trail(case_id: UUID | None, current: int) -> list[dict[str, str | None]]:
    return [
        {
            "label": label,
            "state": "done" if i < current else "current" if i == current else "todo",
            "href": f"/cases/{case_id}/{path}" if case_id and path else None,
        }
        for i, (label, path) in enumerate(_STEPS)
    ]
