"""Pages from templates: the Jinja environment, what every page is given, and values as people read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from cases.service import notifications
from overread.kit import clock, language, zones
from overread.kit.dates import parse_da
from overread.kit.language import Phrase
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings, address
from overread.services import Services

WEB = Path(__file__).parent
STATIC = WEB / "static"
SITE_NAME = Phrase("Overread")

#: Where each role begins, and what its navigation shows.
HOMES: Mapping[Role, str] = {
    Role.PATIENT: "/cases",
    Role.COORDINATOR: "/queue",
    Role.SPECIALIST: "/offers",
    Role.HOSPITAL: "/sent",
    Role.ADMIN: "/people",
    Role.AUDITOR: "/audit",
}
NAV: Mapping[Role | None, tuple[tuple[str, str], ...]] = {
    None: ((Phrase("How it works"), "/#how"), (Phrase("Price"), "/#price"), (Phrase("Questions"), "/#faq")),
    Role.PATIENT: ((Phrase("My cases"), "/cases"),),
    Role.COORDINATOR: (
        (Phrase("Queue"), "/queue"),
        (Phrase("Due"), "/due"),
        (Phrase("Inbox"), "/inbox"),
        (Phrase("Aftercare"), "/aftercare"),
        (Phrase("Figures"), "/figures"),
        (Phrase("Referrals"), "/referrals"),
        (Phrase("Specialists"), "/readers"),
        (Phrase("Undelivered"), "/undelivered"),
        (Phrase("Erasures"), "/erasures"),
    ),
    Role.SPECIALIST: (
        (Phrase("Offers"), "/offers"),
        (Phrase("Reading"), "/reading"),
        (Phrase("Profile"), "/reader"),
        (Phrase("Licences"), "/licences"),
        (Phrase("Signature"), "/signature"),
    ),
    Role.HOSPITAL: ((Phrase("Studies sent"), "/sent"), (Phrase("Referrals"), "/referrals")),
    Role.ADMIN: (
        (Phrase("People"), "/people"),
        (Phrase("Licences"), "/licences"),
        (Phrase("Opinions"), "/kinds"),
        (Phrase("Prices"), "/prices"),
        (Phrase("Hours"), "/hours"),
        (Phrase("After the report"), "/after-report"),
        (Phrase("Figures"), "/figures"),
        (Phrase("Mails"), "/mails"),
        (Phrase("De-identification"), "/profiles"),
        (Phrase("Peers"), "/peers"),
        (Phrase("Erasures"), "/erasures"),
        (Phrase("Audit"), "/audit"),
    ),
    Role.AUDITOR: ((Phrase("Audit log"), "/audit"), (Phrase("Erasures"), "/erasures")),
}

#: What an action says afterwards: the redirect names the sentence, so that no text ever travels in an address.
DONE: Mapping[str, str] = {
    "saved": Phrase("Saved."),
    "taken": Phrase("You look after this case now."),
    "given": Phrase("The case was given away."),
    "noted": Phrase("The note was added. Only coordinators see it."),
    "unread": Phrase("The case is marked as new again."),
    "asked-document": Phrase("Added. Send your answers when each point is done."),
    "corrected": Phrase("Corrected. The studies are compared anew, and the patient is told."),
    "invited": Phrase("The invitation is on its way. You see here when it was accepted."),
    "delegate-ended": Phrase("It is ended: nothing more can be done by it."),
    "acting": Phrase("You act for them from now on. Their requests stand in your list."),
    "referred": Phrase("The invitation is on its way. The reference number is good from now on."),
    "referral-ended": Phrase("The invitation is taken back. Its link opens nothing any more."),
    "referral-refused": Phrase("You said no. Nothing of what was written is kept."),
    "taken-up": Phrase("It is your request now. Nothing is sent or charged before you agree to it."),
    "hand-over-ended": Phrase("The link opens nothing any more."),
    "shared": Phrase("They may read your report from now on, once it is there."),
    "shared-no-more": Phrase("They can’t read your report any more."),
    "document-added": Phrase("Added. A coordinator looks at every page before a specialist sees it."),
    "study-out": Phrase("The images were taken out. You can send them again if that was a mistake."),
    "document-out": Phrase("The document was taken out."),
    "kept": Phrase("What you wrote is saved. Go on whenever you like."),
    "sent": Phrase("Your message was sent."),
    "asked": Phrase("The question was sent. The clock stands still until the answer is here."),
    "promised": Phrase("The patient has been told the new time, and the reason."),
    "paused": Phrase("The clock stands still. The patient has been told why."),
    "resumed": Phrase("The clock goes on. The patient has been told the new time."),
    "answered": Phrase("Your answer was sent. The clock goes on."),
    "late-seen": Phrase("Thank you. You can sign without ticking them."),
    "follow-up-answered": Phrase("Your answer is signed and with the patient."),
    "withdrawn": Phrase("Your request is withdrawn."),
    "decided": Phrase("Your decision is recorded."),
    "masked": Phrase("The boxes are blanked. Look at the result, then approve it."),
    "unmasked": Phrase("No box is blanked any more. Look at the picture again before you decide."),
    "document": Phrase("The copy holds the document now. Approve it to show it to the specialist."),
    "confirmed": Phrase("The study is the patient’s. Its de-identified copy is being made."),
    "revoked": Phrase("The study was taken out of the case."),
    "released": Phrase("The study was released to the specialist."),
    "released-all": Phrase("The studies were released to the specialist."),
    "ready": Phrase("The case is ready to be offered."),
    "offered": Phrase("The case was offered."),
    "taken-back": Phrase("The offer was taken back."),
    "declined": Phrase("The case was declined."),
    "published": Phrase("The report was published."),
    "closed": Phrase("The case was closed."),
    "matched": Phrase("The study was matched. Its identity is being compared."),
    "dismissed": Phrase(
        "The study was dismissed: it is in no case. It can be put back from the list of dismissed ones."
    ),
    "restored": Phrase("The study waits in the inbox again."),
    "accepted": Phrase("The case is yours. The images are open for you."),
    "refused": Phrase("You declined the offer."),
    "signed": Phrase("The report is signed."),
    "sent-back": Phrase("The report was sent back. The specialist was told why, and writes a new version."),
    "change-asked": Phrase("The specialist was asked. The images are open for them."),
    "recalled": Phrase("The version was recalled: nobody but coordinators can read it. See below who has read it."),
    "restored-report": Phrase("The recall is taken back: the version is in force again."),
    "given-up": Phrase("The correction or addition was given up. Nothing of it was published."),
    "added": Phrase("Added."),
    "changed": Phrase("Changed."),
    "profile": Phrase("Saved. Cases whose images are de-identified from now on follow it."),
    "exception": Phrase("The exception was recorded."),
    "erasure-asked": Phrase(
        "Your wish is recorded. Two of our people carry it out, and you get a mail when it is done."
    ),
    "erasure-recorded": Phrase("The patient’s wish is recorded. An admin begins the erasure."),
    "held": Phrase("The case is under legal hold."),
    "lifted": Phrase("The legal hold is lifted."),
    "begun": Phrase("The erasure has begun. A second person has to carry it out."),
    "erased": Phrase("The case is erased."),
    "mailed": Phrase("The mail is on its way. It can take a few minutes; look into the spam folder, too."),
    "said": Phrase("Thank you. What you said was sent."),
    "words-given": Phrase("Thank you. We look at your words before they are shown."),
    "words-taken-back": Phrase("Your words are shown no more, and were deleted."),
    "visit-asked": Phrase("Your wish was sent. The clinic answers you here, and you get a mail."),
    "visit-answered": Phrase("The answer is with the patient."),
    "reset": Phrase("The mail says what it said before."),
    "mail-again": Phrase("The mail is sent again."),
    "mail-settled": Phrase("The mail is off the list."),
    "address-corrected": Phrase("A link is on its way to that address. Once the patient has opened it, send again."),
    "tested": Phrase("A test mail is on its way to your own address, with sample values."),
    "waiting": Phrase("Thank you. You get one mail when we can help where you are."),
    "reader": Phrase("Saved. What has to be confirmed counts once the program has looked at it."),
    "reader-confirmed": Phrase("Confirmed. It counts from now on, and the specialist is told."),
    "reader-declined": Phrase("Not confirmed: what was confirmed before stands, and the specialist is told."),
    "verified": Phrase("The licence counts from now on."),
    "licence-declined": Phrase("The licence was not verified; its holder is told."),
    "address-confirmed": Phrase("Your e-mail address is confirmed. Your images can be stored now."),
}


@dataclass(frozen=True, slots=True)
class Site:
    """What base.html shows of the whole site."""

    name: str
    base_url: str
    links: tuple[Mapping[str, str], ...] = field(
        default=(
            {"label": Phrase("Privacy"), "href": "/privacy"},
            {"label": Phrase("Terms"), "href": "/terms"},
            {"label": Phrase("Getting your images"), "href": "/guides/images"},
            {"label": Phrase("For physicians"), "href": "/for-physicians"},
        )
    )


@cache
def environment() -> Environment:
    """The templates. Everything is escaped; a variable that a handler forgot is an error, not an empty place."""
    made = Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # One environment for all languages: what a message is, is asked when the page is made.
    made.install_gettext_callables(  # type: ignore[attr-defined]
        language.gettext, language.ngettext, newstyle=True
    )
    made.policies["ext.i18n.trimmed"] = True
    made.filters["zone"] = zones.short
    # What has passed is never shown as if it were still to come.
    made.tests["ahead"] = lambda at: at > clock.now()
    return made


@cache
def static_version() -> str:
    """A name that changes whenever a static file does, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def base_context(path: str, base_url: str, who: Principal | None) -> dict[str, Any]:
    """What base.html needs of every page."""
    role = who.role if who else None
    return {
        "site": Site(SITE_NAME, base_url),
        "user": {"name": who.name, "role": who.role.value.capitalize(), "home": HOMES[who.role]} if who else None,
        "nav": [
            {"label": label, "href": href, "current": path == href or path.startswith(href + "/")}
            for label, href in NAV[role]
        ],
        "sign_in_url": "/sign-in",
        "sign_out_action": "/sign-out",
        "language": language.current(),
        "static_version": static_version(),
        "unread": 0,
        "values": {},
        "errors": {},
    }


def page(
    request: Request,
    services: Services,
    template: str,
    *,
    who: Principal | None = None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page for `who` (None: a visitor). `context` is what the comment at the template's top asks for."""
    everything = base_context(request.url.path, services.settings.base_url, who) | context
    if who is not None and "unread" not in context:
        with services.db.transaction() as tx:
            everything["unread"] = notifications.unread(tx, who)
    said = DONE.get(request.query_params.get("done", ""))
    if said and request.method == "GET":
        everything["flash"] = [{"tone": "good", "text": said}, *everything.get("flash", [])]
    response = HTMLResponse(environment().get_template(template).render(everything), status)
    if who is not None:
        # Nothing of a person's stays in a shared computer's cache after they have signed out.
        response.headers["Cache-Control"] = "no-store"
    return response


def moment(at: datetime | None) -> datetime | None:
    """A moment in the zone of whoever reads the page."""
    return zones.local(at) if at else None


def day(dicom_date: str) -> date | None:
    """A DICOM date (DA, YYYYMMDD) as a date; None where it is empty or broken."""
    return parse_da(dicom_date)


def person(dicom_name: str) -> str:
    """A PersonName (PS3.5 6.2.1) as people write it: "DOE^JANE^^DR" -> "DR JANE DOE"."""
    group = next((g for g in dicom_name.split("=") if g.strip("^ ")), "")
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)


def money(minor: int, currency: str) -> dict[str, Any]:
    """An amount as templates take it: minor units and an ISO 4217 code in capitals."""
    return {"minor": minor, "currency": currency.upper()}


def status(label: str, tone: str) -> dict[str, str]:
    """A state as templates take it."""
    return {"label": label, "tone": tone}


def dicom_address(settings: Settings) -> str:
    """Where hospitals send to by DIMSE, as they see it: the site's host and the listener's port."""
    host, port = address(settings.dicom)
    if settings.public_url or host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        host = urlsplit(settings.base_url).hostname or host
    return f"{host}:{port}"
