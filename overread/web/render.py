"""Pages from templates: the Jinja environment, what every page is given, and values as people read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from overread.kit.dates import parse_da
from overread.kit.principals import Principal, Role
from overread.kit.settings import Settings, address
from overread.services import Services

WEB = Path(__file__).parent
STATIC = WEB / "static"
SITE_NAME = "Overread"

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
    None: (("How it works", "/#how"), ("Price", "/#price"), ("Questions", "/#faq")),
    Role.PATIENT: (("My cases", "/cases"),),
    Role.COORDINATOR: (("Queue", "/queue"), ("Inbox", "/inbox"), ("Erasures", "/erasures")),
    Role.SPECIALIST: (("Offers", "/offers"), ("Reading", "/reading"), ("Licences", "/licences")),
    Role.HOSPITAL: (("Studies sent", "/sent"),),
    Role.ADMIN: (
        ("People", "/people"),
        ("Licences", "/licences"),
        ("Prices", "/prices"),
        ("De-identification", "/profiles"),
        ("Peers", "/peers"),
        ("Erasures", "/erasures"),
        ("Audit", "/audit"),
    ),
    Role.AUDITOR: (("Audit log", "/audit"), ("Erasures", "/erasures")),
}

#: What an action says afterwards: the redirect names the sentence, so that no text ever travels in an address.
DONE: Mapping[str, str] = {
    "saved": "Saved.",
    "sent": "Your message was sent.",
    "asked": "The question was sent. The clock stands still until the answer is here.",
    "answered": "Your answer was sent. The clock goes on.",
    "withdrawn": "Your request is withdrawn.",
    "decided": "Your decision is recorded.",
    "masked": "The boxes are blanked. Look at the result, then approve it.",
    "unmasked": "No box is blanked any more. Look at the picture again before you decide.",
    "document": "The copy holds the document now. Approve it to show it to the specialist.",
    "confirmed": "The study is the patient’s. Its de-identified copy is being made.",
    "revoked": "The study was taken out of the case.",
    "released": "The study was released to the specialist.",
    "released-all": "The studies were released to the specialist.",
    "ready": "The case is ready to be offered.",
    "offered": "The case was offered.",
    "taken-back": "The offer was taken back.",
    "declined": "The case was declined.",
    "published": "The report was published.",
    "closed": "The case was closed.",
    "matched": "The study was matched. Its identity is being compared.",
    "dismissed": "The study was dismissed: it is in no case. It can be put back from the list of dismissed ones.",
    "restored": "The study waits in the inbox again.",
    "accepted": "The case is yours. The images are open for you.",
    "refused": "You declined the offer.",
    "signed": "The report is signed.",
    "added": "Added.",
    "changed": "Changed.",
    "profile": "Saved. Cases whose images are de-identified from now on follow it.",
    "exception": "The exception was recorded.",
    "erasure-asked": "Your wish is recorded. Two of our people carry it out, and you get a mail when it is done.",
    "erasure-recorded": "The patient’s wish is recorded. An admin begins the erasure.",
    "held": "The case is under legal hold.",
    "lifted": "The legal hold is lifted.",
    "begun": "The erasure has begun. A second person has to carry it out.",
    "erased": "The case is erased.",
    "mailed": "The mail is on its way. It can take a few minutes; look into the spam folder, too.",
    "address-confirmed": "Your e-mail address is confirmed. Your images can be stored now.",
}


@dataclass(frozen=True, slots=True)
class Site:
    """What base.html shows of the whole site."""

    name: str
    base_url: str
    links: tuple[Mapping[str, str], ...] = field(
        default=(
            {"label": "Privacy", "href": "/privacy"},
            {"label": "Terms", "href": "/terms"},
            {"label": "Getting your images", "href": "/guides/images"},
            {"label": "For physicians", "href": "/for-physicians"},
        )
    )


@cache
def environment() -> Environment:
    """The templates. Everything is escaped; a variable that a handler forgot is an error, not an empty place."""
    return Environment(
        loader=FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


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
        "static_version": static_version(),
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
    said = DONE.get(request.query_params.get("done", ""))
    if said and request.method == "GET":
        everything["flash"] = [{"tone": "good", "text": said}, *everything.get("flash", [])]
    response = HTMLResponse(environment().get_template(template).render(everything), status)
    if who is not None:
        # Nothing of a person's stays in a shared computer's cache after they have signed out.
        response.headers["Cache-Control"] = "no-store"
    return response


def moment(at: datetime | None) -> datetime | None:
    """A moment in the zone that pages show."""
    return at.astimezone(UTC) if at else None


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
