"""Sample contexts for every page: what the comment at the top of each template asks for, with invented people."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace as Is
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime.now(ZONE).replace(second=0, microsecond=0)
PICTURE = "/static/mark.svg"


def at(hours: float) -> datetime:
    """A moment this many hours from now."""
    return NOW + timedelta(hours=hours)


def eur(minor: int) -> Is:
    return Is(minor=minor, currency="EUR")


def state(label: str, tone: str) -> Is:
    return Is(label=label, tone=tone)


def link(label: str, href: str = "#", *, current: bool = False, **more: Any) -> Is:
    return Is(label=label, href=href, current=current, **more)


def options(*labels: str) -> list[Is]:
    return [Is(value=label.lower(), label=label) for label in labels]


SITE = Is(
    name="Overread", base_url="https://overread.example", phone="+49 30 555 0100", phone_uri="tel:+49305550100",
    email="help@overread.example", links=[link("Privacy"), link("Terms"), link("For physicians")],
)  # fmt: skip


def base(role: str = "", name: str = "", nav: tuple[str, ...] = ()) -> dict[str, Any]:
    """What base.html needs, as nobody or as somebody with a role."""
    user = Is(name=name, role=role, home="#") if role else None
    links = [link(label, current=index == 0) for index, label in enumerate(nav)]
    return {
        "site": SITE, "user": user, "nav": links, "sign_in_url": "#", "sign_out_action": "#", "values": {}, "errors": {},
    }  # fmt: skip


VISITOR = base() | {"nav": [link("How it works"), link("Price"), link("Questions")]}
PATIENT = base("Patient", "Jane Doe", ("My cases",))
COORDINATOR = base("Coordinator", "Ruth Amsel", ("Queue", "Inbox", "Audit"))
SPECIALIST = base("Specialist", "Dr. Imre Nagy", ("Offers", "Earnings"))
HOSPITAL = base("Hospital", "City Hospital", ("Studies sent",))
ADMIN = base("Admin", "Noor Haddad", ("People", "Peers", "Prices"))
AUDITOR = base("Auditor", "Per Lund", ("Audit log",))

QUESTIONS = ["Is the meniscus torn, and does it need surgery?", "Has it changed since the first MRI in 2024?"]
ANSWERS = [
    Is(question=QUESTIONS[0], answer="There is a small tear in the inner meniscus. It is stable. At your age and with these "
       "pictures surgery brings no advantage over exercise therapy in the first three months."),
    Is(question=QUESTIONS[1], answer="No. The tear has the same length (6 mm) as in March 2024. The fluid in the joint is less."),
]  # fmt: skip
IMPRESSION = (
    "Stable oblique tear of the posterior horn of the medial meniscus, 6 mm, unchanged since 3/2024.\n"
    "No loose body. Cartilage grade 1. Recommend conservative treatment, control in 12 months."
)


def steps(current: int) -> list[Is]:
    labels = ("Your question", "Your images", "Consent and price", "Payment")
    states = ["done" if i < current else "current" if i == current else "todo" for i in range(len(labels))]
    return [Is(label=label, state=s, href="#") for label, s in zip(labels, states, strict=True)]


MESSAGES = [
    Is(sender="Ruth Amsel", at=at(-20), text="Your images are complete. Thank you!", mine=False),
    Is(sender="Jane Doe", at=at(-19), text="Good. Do you need the X-ray of 2019 too?", mine=True),
]
TIMELINE = [
    Is(at=at(-2), title="A specialist reads your images", tone="info"),
    Is(at=at(-19), title="Images checked", text="Both studies are yours and readable.", tone="good"),
    Is(at=at(-26), title="120 images arrived", tone="good"),
    Is(at=at(-27), title="Case sent, payment held", tone="good"),
]
PEOPLE_ROLES = ["Patient", "Hospital", "Coordinator", "Specialist", "Admin", "Auditor"]


def preview(number: int, label: str, tone: str, reason: str = "") -> Is:
    return Is(src=PICTURE, label=f"Series 2, image {number}", sop_instance_uid=f"1.2.3.{number}",
              state=state(label, tone), held=tone == "warn", reason=reason)  # fmt: skip


def identity(name: str, born: str) -> list[Is]:
    rows = (("Name", "Jane Doe", name), ("Born", "3 May 1970", born), ("Sex", "Female", "Female"))
    return [Is(label=label, claimed=typed, found=found, equal=typed == found) for label, typed, found in rows]


def study(title: str, **more: Any) -> Is:
    plain = {
        "uid": "1.2.840.113619.2.1", "title": title, "date": date(2026, 11, 12), "series": 6, "instances": 120,
        "state": state("Released", "good"), "received": "from CITY_PACS, 21 Nov 2026 09:12", "viewer_url": "#",
        "identity": identity("Jane Doe", "3 May 1970"), "reasons": [], "previews": [], "previews_more": 0,
        "review_action": "#", "review_all_action": "", "match_action": "", "mismatch_action": "", "release_action": "",
        "revoke_action": "#",
    }  # fmt: skip
    return Is(**(plain | more))


COORDINATOR_CASE = COORDINATOR | {
    "case": Is(
        reference="7KX4-2M9P", title="MRI of the left knee", status=state("Submitted", "info"), due=at(43), kind="Written report",
        questions=QUESTIONS, symptoms="Pain on stairs since August.", history="None", place="Germany",
        paid="390.00 EUR held until 27 Nov", delegate="",
        patient=Is(name="Jane Doe", birth_date=date(1970, 5, 3), sex="Female", email="jane@example.org", phone="+49 30 555 0177"),
    ),
    "studies": [
        study("MR left knee", reasons=["2 pictures may show burned-in text: decide below"], state=state("Held for review", "warn"),
              previews=[preview(1, "Held", "warn", "Text found at the top left"), preview(2, "Held", "warn", "Ultrasound: always checked"),
                        preview(3, "Clean", "good"), preview(4, "Clean", "good")],
              previews_more=3, release_action="#", review_all_action="#", revoke_action=""),
        study("CR chest", state=state("Mismatch", "bad"), identity=identity("John Doe", "9 Jan 1951"), match_action="#",
              mismatch_action="#", revoke_action="", reasons=["Name and birth date differ from the case"], instances=2, series=1),
    ],
    "specialists": [
        Is(id="1", name="Dr. Imre Nagy", subspecialty="musculoskeletal", eligible=True, load="2 open, answers in 19 h", fee=eur(18000),
           reasons=["Licence in Germany until 31 Dec 2027", "No conflict of interest"]),
        Is(id="2", name="Dr. Ana Ruiz", subspecialty="chest", eligible=False, load="0 open", fee=eur(16000),
           reasons=["No licence in Germany"]),
    ],
    "assign_action": "#", "publish_action": "#", "decline_action": "#", "info_action": "#", "refund_action": "#",
    "extend_action": "#", "messages": MESSAGES, "message_action": "#", "audit_url": "#",
    "report": Is(signed_by="Dr. Imre Nagy", signed_at=at(-1), answers=ANSWERS, impression=IMPRESSION),
    "audit": [Is(at=at(-1), who="Dr. Imre Nagy", what="Signed the report", detail="digest 4be1…"),
              Is(at=at(-9), who="Ruth Amsel", what="Opened the case", detail="")],
}  # fmt: skip

SPECIALIST_CASE = SPECIALIST | {
    "case": Is(reference="7KX4-2M9P", title="MRI of the left knee", status=state("In review", "info"), due=at(27), answer_by=at(5),
               questions=QUESTIONS, symptoms="Pain on stairs since August.", history="", patient="Woman, 56", fee=eur(18000)),
    "studies": [
        Is(title="MR left knee", date=date(2024, 3, 2), series=5, instances=98, late=False, thumbnail=PICTURE, viewer_url="#"),
        Is(title="MR left knee", date=date(2026, 11, 12), series=6, instances=120, late=True, thumbnail=PICTURE, viewer_url="#"),
    ],
    "viewer_url": "#",
    "access": Is(dicomweb_url="https://overread.example/cases/0193-7a/dicomweb", token="or_9x8w7v6u5t4s3r2q1p", token_action="#",
                 expires=at(600), zip_url="#", push_action="#", peers=options("NAGY_WS")),
    "accept_action": "", "decline_action": "", "licence": "", "acknowledge_action": "#", "report_url": "#", "info_action": "#",
    "messages": [], "message_action": "#",
}  # fmt: skip

SPECIALIST_REPORT = SPECIALIST | {
    "case": SPECIALIST_CASE["case"], "questions": [Is(id="1", text=QUESTIONS[0]), Is(id="2", text=QUESTIONS[1])],
    "studies": [Is(uid="1.2", label="MR left knee, 12 Nov 2026, 120 images")], "action": "#",
    "templates": [Is(label="Knee, normal", text="Normal menisci and ligaments.")], "preview": None, "viewer_url": "#",
    "case_url": "#", "saved_at": at(-0.2), "values": {"answer-1": ANSWERS[0].answer, "studies": ["1.2"]},
    "errors": {"answer-2": "Question 2 has no answer yet."},
}  # fmt: skip

PATIENT_CASE = PATIENT | {
    "case": Is(reference="7KX4-2M9P", title="MRI of the left knee", status=state("Being read", "info"), due=at(27),
               next_title="A specialist is reading your images", next_text="You don’t have to do anything. We write to you when the report is here.",
               questions=QUESTIONS, paid="Charged: 390.00 EUR"),
    "todo": None, "timeline": TIMELINE, "messages": MESSAGES, "message_action": "#", "report_url": "", "add_images_url": "#",
    "studies": [Is(description="left knee", modality="MRI", date=date(2026, 11, 12), instances=120, state=state("Checked", "good"), viewer_url="#"),
                Is(description="left knee, first", modality="MRI", date=date(2024, 3, 2), instances=98, state=state("Checked", "good"), viewer_url="#")],
    "accesses": [Is(at=at(-2), who="A specialist (Dr. Imre Nagy)", what="Opened the images, without your name"),
                 Is(at=at(-19), who="Ruth Amsel, coordinator", what="Compared name and birth date")],
    "withdraw_url": "#", "export_url": "#", "erase_url": "#",
}  # fmt: skip

START_IMAGES = PATIENT | {
    "steps": steps(1), "reference": "7KX4-2M9P", "dicomweb_root": "/cases/0193-7a/dicomweb",
    "patient": Is(name="Jane Doe", birth_date=date(1970, 5, 3)), "stored": [], "action": "#", "ae_title": "OVERREAD",
    "dicom_address": "dicom.overread.example:11112", "instructions_url": "#", "documents_action": "#",
    "documents": [Is(name="first-report.pdf", size="210 KB")],
}  # fmt: skip

PAYMENT = PATIENT | {
    "state": "authorised", "refresh_url": "#", "case_url": "#", "pay_url": "#", "reason": "The card has expired.", "due": at(48),
    "total": eur(39000),
}  # fmt: skip

#: (template, name of the written page, context)
PAGES: list[tuple[str, str, dict[str, Any]]] = [
    ("public/landing.html", "landing", VISITOR | {
        "page": Is(title="A second opinion on your scan – Overread", path="/", headline="A second pair of eyes on your scan",
                   description="A specialist radiologist reads your MRI, CT, X-ray or mammogram again and answers your questions in plain words. Fixed price, exact due time.",
                   lede="A radiologist who knows your part of the body reads your images again and answers your own questions, in writing, within 48 hours."),
        "start_url": "#", "physicians_url": "#",
        "prices": [Is(label="Written report", text="All your studies compared, every question answered, signed PDF.", amount=eur(39000), hours=48),
                   Is(label="Quick read", text="One study, one question.", amount=eur(19000), hours=24)],
        "suitable": ["An operation or a strong medicine hangs on one scan", "Two physicians read the same pictures differently",
                     "Your report leaves your question open", "A rare finding, far from a specialist"],
        "unsuitable": ["Emergencies: call your emergency number", "Pictures without any report or question",
                       "A physical examination or a prescription"],
        "faq": [Is(question="Do I need my physician’s permission?", answer="No. The images are yours, and every hospital has to give you a copy."),
                Is(question="What if you can’t read my images?", answer="Then you pay nothing: the hold on your card is released."),
                Is(question="Who reads my images?", answer="A radiologist with a licence where you are, for the part of the body in question.")]}),
    ("public/page.html", "page", VISITOR | {
        "page": Is(title="How to get your images – Overread", description="How to ask a hospital for your scan.", path="/guides/images",
                   headline="How to get your images from a hospital", lede="It takes one call.",
                   sections=[Is(heading="Ask for DICOM", paragraphs=["Ask the radiology department for your original images on a CD or as a download."],
                                points=["Name and birth date", "Which examinations"])]),
        "start_url": "#", "download": link("Checklist (PDF)")}),
    ("public/sign_in.html", "sign_in", VISITOR | {"action": "#", "next_url": "", "sign_up_url": "#", "reset_url": "#",
        "values": {"email": "jane@example.org"}, "errors": {"form": "E-mail address and password don’t fit together. Please try again."}}),
    ("public/sign_up.html", "sign_up", VISITOR | {"action": "#", "next_url": "/start", "values": {"name": "Jane Doe"},
        "errors": {"password": "This password has 7 letters; it takes 12."}}),
    ("public/notice.html", "notice", VISITOR | {"title": "This page is not here", "text": "The address may be wrong, or the case may not be yours.",
        "advice": ["Check the address", "Sign in, if you have an account"], "links": [link("Home"), link("Sign in")], "request_id": "01J9-4T"}),
    ("public/form.html", "form", VISITOR | {"title": "Your second key", "text": "Open your authenticator and type the six digits.", "action": "#",
        "submit_label": "Go on", "hidden": {}, "fields": [Is(name="code", label="Code", type="text", inputmode="numeric", autocomplete="one-time-code")]}),
    ("patient/cases.html", "patient_cases", PATIENT | {"start_url": "#", "cases": [
        Is(reference="7KX4-2M9P", title="MRI of the left knee", status=state("Being read", "info"), url="#", updated=at(-2),
           next_step="A specialist is reading your images.", due=at(27), patient_name=""),
        Is(reference="3QA8-77TN", title="Mammogram", status=state("Draft", "neutral"), url="#", updated=at(-60),
           next_step="Go on with your images.", due=None, patient_name="Ada Doe")]}),
    ("patient/start_question.html", "patient_start_question", PATIENT | {"steps": steps(0), "action": "#", "max_questions": 5,
        "subjects": options("Mammogram", "MRI", "CT", "X-ray", "PET", "Ultrasound", "Pathology", "Other"),
        "kinds": [Is(value="written", label="Written report", hint="All studies compared, every question answered, within 48 hours", amount=eur(39000)),
                  Is(value="quick", label="Quick read", hint="One study, one question, within 24 hours", amount=eur(19000))],
        "places": options("Germany", "Austria", "Hungary"), "excluded_places": "the United States",
        "values": {"subject": "mri", "kind": "written", "questions": QUESTIONS}, "errors": {"birth_date": "Please give the date of birth."}}),
    ("patient/start_images.html", "patient_start_images", START_IMAGES),
    ("patient/hospital_instructions.html", "patient_hospital_instructions", START_IMAGES | {"wanted": "All MRI studies of the left knee since 2024", "back_url": "#"}),
    ("patient/start_consent.html", "patient_start_consent", PATIENT | {"steps": steps(2), "action": "#", "total": eur(39000), "free": False, "hours": 48,
        "consents": [Is(name="terms", label="I accept the terms of use.", version="3", url="#"),
                     Is(name="privacy", label="I agree that my health data is handled as the privacy statement says.", version="5", url="#"),
                     Is(name="share", label="I may share these images, and want them shown to the specialist.", version="2", url="#")],
        "lines": [Is(label="Written report", amount=eur(39000))], "policy": "Full refund until a specialist has taken your case.",
        "summary": [("About", "MRI"), ("Questions", "2"), ("Images", "120 in 6 series")], "back_url": "#"}),
    ("patient/payment.html", "patient_payment", PAYMENT),
    ("patient/payment.html", "patient_payment_pending", PAYMENT | {"state": "pending"}),
    ("patient/payment.html", "patient_payment_failed", PAYMENT | {"state": "failed"}),
    ("patient/case.html", "patient_case", PATIENT_CASE),
    ("patient/report.html", "patient_report", PATIENT | {
        "report": Is(title="MRI of the left knee", answers=ANSWERS, impression=IMPRESSION, signed_by="Dr. Imre Nagy, radiologist", signed_at=at(-5),
                     version=2, studies=["MR left knee, 12 Nov 2026, 120 images"], addenda=[Is(at=at(-1), text="The X-ray of 2019 was looked at too.")]),
        "pdf_url": "#", "case_url": "#", "follow_up": Is(action="#", left=3), "survey_url": "#"}),
    ("patient/survey.html", "patient_survey", PATIENT | {"action": "#"}),
    ("coordinator/queue.html", "coordinator_queue", COORDINATOR | {"query": "", "search_action": "#", "new_url": "#", "inbox": Is(count=2, url="#"),
        "filters": [link("All open", current=True, count=14), link("Waits for us", count=3), link("Late", count=1)],
        "cases": [Is(reference="7KX4-2M9P", url="#", title="MRI of the left knee", patient="Jane Doe", status=state("Submitted", "info"), due=at(-3), late=True,
                     assigned="", images="2 studies, 1 held", note="Two pictures wait for your decision"),
                  Is(reference="3QA8-77TN", url="#", title="Mammogram", patient="Ada Doe", status=state("Needs information", "warn"), due=None, late=False,
                     assigned="", images="none", note=""),
                  Is(reference="9WD1-0C5B", url="#", title="CT of the chest", patient="Søren Åkesson", status=state("In review", "info"), due=at(30), late=False,
                     assigned="Dr. Ana Ruiz", images="3 studies", note="")]}),
    ("coordinator/case.html", "coordinator_case", COORDINATOR_CASE),
    ("coordinator/inbox.html", "coordinator_inbox", COORDINATOR | {"studies": [
        Is(uid="1.2.3", title="CT chest", date=date(2026, 11, 20), instances=412, patient="Søren Åkesson", birth_date=date(1948, 2, 1), patient_id="44-1",
           accession="A1009", from_="CITY_PACS", received=at(-4), match_action="#", discard_action="#",
           suggestions=[Is(reference="9WD1-0C5B", label="Same name and birth date")])]}),
    ("specialist/offers.html", "specialist_offers", SPECIALIST | {"earned": Is(label="November", amount=eur(126000), count=7),
        "offers": [Is(reference="7KX4-2M9P", url="#", title="MRI of the left knee", summary="Woman, 56. Two questions about a meniscus tear and its course.",
                      studies="2 MR; 218 images", fee=eur(18000), answer_by=at(5), due=at(48))],
        "cases": [Is(reference="9WD1-0C5B", url="#", title="CT of the chest", status=state("In review", "info"), due=at(30), fee=eur(16000))]}),
    ("specialist/case.html", "specialist_case", SPECIALIST_CASE),
    ("specialist/case.html", "specialist_case_offered", SPECIALIST_CASE | {"viewer_url": "", "access": None, "accept_action": "#", "decline_action": "#",
        "licence": "Germany, until 31 Dec 2027", "acknowledge_action": "", "report_url": "", "info_action": ""}),
    ("specialist/report.html", "specialist_report", SPECIALIST_REPORT),
    ("specialist/report.html", "specialist_report_sign", SPECIALIST_REPORT | {"errors": {}, "values": {},
        "preview": Is(answers=ANSWERS, impression=IMPRESSION, studies=["MR left knee, 12 Nov 2026"], digest="4be1c90d77aa01", sign_action="#")}),
    ("hospital/studies.html", "hospital_studies", HOSPITAL | {"ae_title": "OVERREAD", "dicom_address": "dicom.overread.example:11112",
        "stow_url": "https://overread.example/dicomweb/studies", "referral_url": "#",
        "peer": Is(ae_title="CITY_PACS", address="10.1.2.3:104", last_seen=at(-1), test_action="#", result="Answered in 12 ms."),
        "studies": [Is(title="MR left knee", date=date(2026, 11, 12), patient="Jane Doe", accession="7KX42M9P", instances=120, received=at(-26),
                       state=state("Matched to 7KX4-2M9P", "good")),
                    Is(title="CT chest", date=None, patient="Søren Åkesson", accession="", instances=412, received=at(-4), state=state("Not matched yet", "warn"))]}),
    ("admin/people.html", "admin_people", ADMIN | {"action": "#", "roles": options("Coordinator", "Specialist", "Hospital", "Admin", "Auditor"),
        "people": [Is(name="Ruth Amsel", email="ruth@overread.example", role="Coordinator", active=True, last_seen=at(-1), toggle_action="#"),
                   Is(name="Dr. Ana Ruiz", email="ana@overread.example", role="Specialist", active=False, last_seen=None, toggle_action="#")],
        "permissions": Is(roles=PEOPLE_ROLES, rows=[Is(action="See identified images", cells=["own", "what it sent", "yes", "–", "break-glass", "–"]),
                                                    Is(action="See de-identified images", cells=["–", "–", "yes", "granted", "–", "–"])])}),
    ("admin/peers.html", "admin_peers", ADMIN | {"action": "#", "ae_title": "OVERREAD", "dicom_address": "dicom.overread.example:11112",
        "peers": [Is(ae_title="CITY_PACS", host="10.1.2.3", port=104, role="hospital", last_seen=at(-1), test_action="#", remove_action="#", result="")]}),
    ("admin/prices.html", "admin_prices", ADMIN | {"action": "#", "currencies": options("EUR", "USD"), "programs": options("Radiology"),
        "prices": [Is(program="Radiology", label="Written report", amount=eur(39000), fee=eur(18000), hours=48, active=True, since=date(2026, 1, 1), retire_action="#")]}),
    ("auditor/audit.html", "auditor_audit", AUDITOR | {"action": "#", "filter": {}, "kinds": options("Login", "Access"), "export_url": "#", "next_url": "#",
        "integrity": Is(ok=True, text="The chain of 48,112 entries is whole."),
        "events": [Is(at=at(-1), who="Dr. Imre Nagy", role="specialist", what="Read 120 images", object="case 7KX4-2M9P", address="203.0.113.9", outcome=state("Allowed", "good")),
                   Is(at=at(-2), who="unknown", role="", what="Login", object="ana@overread.example", address="198.51.100.7", outcome=state("Refused", "bad"))]}),
]  # fmt: skip
