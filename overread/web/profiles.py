"""The admin's pages of the de-identification profiles: the options of PS3.15 Annex E in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import profiles
from cases.service.profiles import HIGHEST_AGE_CAP, LOWEST_AGE_CAP, SECOND_OPINION, TABLE_EDITION
from cases.views import Profile
from overread.kit.language import Phrase, gettext
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web.contexts import Desk, TxContext, go
from overread.web.forms import Check


@dataclass(frozen=True, slots=True)
class _Option:
    """An option of the standard; `name` is the profile's field."""

    name: str
    section: str
    label: str
    effect: str


_KEPT = (
    _Option(
        "patient_characteristics",
        "E.3.7",
        Phrase("Keep sex, age, size and weight"),
        Phrase("A second opinion needs them, and so do measurements in PET. Without this they are taken out."),
    ),
    _Option(
        "device_identity",
        "E.3.8",
        Phrase("Keep which device it was"),
        Phrase("Serial numbers, station names and identifiers of devices stay. They tell where the images were made."),
    ),
    _Option(
        "institution_identity",
        "E.3.11",
        Phrase("Keep the institution"),
        Phrase(
            "Name, department and address of the hospital stay. Few people were there on one day: keep it for "
            "good reasons "
            "only."
        ),
    ),
    _Option(
        "safe_private",
        "E.3.10",
        Phrase("Keep safe private attributes"),
        Phrase(
            "Makers’ own attributes stay where the standard lists them as safe: diffusion and PET values among them. "
            "All other private attributes go, with or without this."
        ),
    ),
)
_CLEANED = (
    _Option(
        "clean_descriptors",
        "E.3.5",
        Phrase("Clean descriptions"),
        Phrase(
            "Study and series descriptions keep words of anatomy, sequence and contrast, and lose all others. "
            "Without this "
            "they go whole, and series are harder to tell apart."
        ),
    ),
    _Option(
        "clean_structured_content",
        "E.3.4",
        Phrase("Clean structured reports"),
        Phrase("Measurements and codes stay, names and free text go. Without this the content goes whole."),
    ),
    _Option(
        "clean_graphics",
        "E.3.3",
        Phrase("Clean annotations"),
        Phrase(
            "Shapes that were drawn on images stay, their text is cleaned; marks of overlays stay after a look. "
            "Without "
            "this they go whole. Curves go in any case."
        ),
    ),
)
_DATES: Mapping[str, tuple[str, str, str]] = {
    "moved": (
        "E.3.6",
        Phrase("Move the dates"),
        Phrase(
            "Every date of a case moves by the same number of days, which only the server knows. Intervals stay exact."
        ),
    ),
    "none": (
        "",
        Phrase("Take the dates out"),
        Phrase("Dates are emptied or replaced. Intervals between studies can’t be seen any more."),
    ),
    "full": (
        "E.3.6",
        Phrase("Keep the dates"),
        Phrase("Dates stay as they are. Together with little else they can name a person."),
    ),
}
_NOT_OFFERED = (
    (
        Phrase("Clean pixel data"),
        "E.3.1",
        Phrase(
            "Always on: pictures that may hold burned-in text, and documents, wait until a coordinator has "
            "looked at them."
        ),
    ),
    (
        Phrase("Retain UIDs"),
        "E.3.9",
        Phrase("Each case has identifiers of its own. With the original ones a study in two cases could be joined."),
    ),
    (
        Phrase("Clean recognizable visual features"),
        "E.3.2",
        Phrase(
            "Faces in CT and MRI of the head are not removed: it would change the pixels that the opinion is about."
        ),
    ),
)


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the profiles."""
    desk = Desk(services, Permission.PROFILES_CHANGE)
    one = "/profiles/{program}"
    return [desk.get("/profiles", listing), desk.get(one, form), desk.post(one, save, form)]


def listing(ctx: TxContext) -> Response:
    """How the images of each program are de-identified."""
    return ctx.page(
        "admin/profiles.html",
        programs=[
            {
                "name": program.name,
                "url": f"/profiles/{program.id}",
                "default": profile == SECOND_OPINION,
                "options": [meaning.removesuffix(" Option") for _, meaning in profile.codes()[1:]],
            }
            for program, profile in profiles.listed(ctx.tx, ctx.who)
        ],
        edition=TABLE_EDITION,
    )


def form(ctx: TxContext) -> Response:
    """The options of one program."""
    program, profile = profiles.read(ctx.tx, ctx.who, ctx.uuid("program"))
    values = ctx.form.values() if ctx.form.names() else _values(profile)
    return ctx.page(
        "admin/profile.html",
        program=program.name,
        action=f"/profiles/{program.id}",
        dates=[
            {"value": value, "label": label, "hint": effect, "section": section, "default": value == "moved"}
            for value, (section, label, effect) in _DATES.items()
        ],
        groups=[
            {"legend": gettext("What stays"), "options": [_shown(one, values) for one in _KEPT]},
            {"legend": gettext("What is cleaned"), "options": [_shown(one, values) for one in _CLEANED]},
        ],
        ages={"low": LOWEST_AGE_CAP, "high": HIGHEST_AGE_CAP, "default": SECOND_OPINION.age_cap},
        not_offered=[{"label": label, "section": section, "why": why} for label, section, why in _NOT_OFFERED],
        edition=TABLE_EDITION,
        values=values,
    )


def save(ctx: TxContext) -> Response:
    """Choose the options for cases whose images are de-identified from now on."""
    check = Check(ctx.form)
    dates = check.one_of("dates", list(_DATES), gettext("Please choose what becomes of dates."))
    years = gettext(
        "Please give a whole number of years from %(lowest_age_cap)s to %(highest_age_cap)s.",
        lowest_age_cap=LOWEST_AGE_CAP,
        highest_age_cap=HIGHEST_AGE_CAP,
    )
    age_cap = check.number("age_cap", LOWEST_AGE_CAP, HIGHEST_AGE_CAP, years)
    check.done()
    options: dict[str, Any] = {one.name: bool(ctx.form.text(one.name)) for one in (*_KEPT, *_CLEANED)}
    options |= {"modified_dates": dates == "moved", "full_dates": dates == "full", "age_cap": age_cap}
    program_id = ctx.uuid("program")
    profiles.change(ctx.tx, ctx.who, program_id, options)
    return go(f"/profiles/{program_id}", "profile")


def _values(profile: Profile) -> dict[str, Any]:
    """A profile as the form has it."""
    chosen = {one.name: "yes" for one in (*_KEPT, *_CLEANED) if getattr(profile, one.name)}
    dates = "moved" if profile.modified_dates else "full" if profile.full_dates else "none"
    return {**chosen, "dates": dates, "age_cap": str(profile.age_cap)}


def _shown(one: _Option, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one.name,
        "section": one.section,
        "label": one.label,
        "effect": one.effect,
        "default": bool(getattr(SECOND_OPINION, one.name)),
        "on": bool(values.get(one.name)),
    }
