"""Everything that a draft says, to be checked before it is sent: each line with the step where it is changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cases.states import ImagesBy, Needed
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from overread.kit import principals
from overread.kit.language import gettext
from overread.web import labels, places
from overread.web.contexts import TxContext


def sections(ctx: TxContext, case: PatientCase, papers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The sections, each with .title, .url (where it is changed) and .facts (label, value); empty ones say so.

    `papers` are the documents.
    """
    found = [
        ("opinion", gettext("The opinion"), [(gettext("Opinion"), case.kind.name)]),
        ("question", gettext("Your question"), _question(case)),
        ("patient", gettext("The patient"), _patient(ctx, case)),
    ]
    if case.kind.images != Needed.NONE:
        found.append(("images", gettext("Your images"), _images(case)))
    if case.kind.documents != Needed.NONE:
        found.append(("documents", gettext("Documents"), papers or [(gettext("Documents"), gettext("none"))]))
    return [
        {"title": title, "url": f"/cases/{case.case_id}/{step}", "facts": [one for one in facts if one[1]]}
        for step, title, facts in found
    ]


def subjects(chosen: Iterable[str], other: str) -> str:
    """What an opinion is about, as people read it."""
    named = [str(labels.SUBJECTS[one]) for one in chosen if one != "other" or not other]
    return ", ".join([*named, other] if other and "other" in chosen else named)


def story(case: CoordinatorCase | SpecialistCase) -> list[tuple[str, str]]:
    """What the patient told besides their questions, as (label, value); what was not said is left out."""
    told = [
        (gettext("About"), subjects(case.subjects, case.other_subject)),
        (gettext("Symptoms"), case.symptoms),
        (gettext("History"), case.history),
        (gettext("What else matters"), case.additional),
        *case.answers,
    ]
    return [one for one in told if one[1]]


def language(spoken: str, *, interpreter: bool) -> str:
    """In which language a patient wants to be spoken to."""
    return ", ".join(one for one in (spoken, gettext("An interpreter is needed") if interpreter else "") if one)


def physician(case: PatientCase | CoordinatorCase) -> str:
    """The treating physician, and whether they are to have the report."""
    told = ", ".join(one for one in (case.physician, " ".join(case.physician_contact.split())) if one)
    wanted = case.inform_physician and told
    return gettext("%(physician)s: is to have the report, too", physician=told) if wanted else told


def _question(case: PatientCase) -> list[tuple[str, str]]:
    asked = [
        (gettext("Question %(number)s", number=number), q.text) for number, q in enumerate(case.questions, start=1)
    ]
    return [
        (gettext("About"), subjects(case.subjects, case.other_subject)),
        *asked,
        (gettext("Symptoms"), case.symptoms),
        (gettext("Illnesses, operations, medicines"), case.history),
        (gettext("First report by"), case.first_report_by),
        (gettext("What else matters"), case.additional),
        *case.answered,
    ]


def _patient(ctx: TxContext, case: PatientCase) -> list[tuple[str, str]]:
    return [
        (gettext("Name"), case.patient_name),
        (gettext("You are"), labels.RELATIONS[case.authority.relation] if case.authority else ""),
        (gettext("Why you may act for them"), case.authority.text if case.authority else ""),
        (gettext("Date of birth"), f"{case.birth_date:%-d %b %Y}" if case.birth_date else ""),
        (gettext("Sex"), labels.SEXES.get(case.sex, "")),
        (gettext("Telephone"), principals.get(ctx.tx, ctx.who.id).phone or ""),
        (gettext("Address"), case.address),
        (gettext("Where the patient is"), places.name(case.place) if case.place else ""),
        (gettext("Language"), language(case.language, interpreter=case.interpreter)),
        (gettext("Treating physician"), physician(case)),
    ]


def _images(case: PatientCase) -> list[tuple[str, str]]:
    found = [study.known for study in case.studies if study.known]
    if not found and case.images_by == ImagesBy.HOSPITAL:
        return [(gettext("Images"), gettext("your hospital sends them"))]
    if not found:
        return [(gettext("Images"), gettext("on their way") if case.images_here else gettext("none"))]
    return [
        (
            one.description or labels.modality(one.modalities),
            gettext("%(images)s images in %(series)s series", images=format(one.instances, ","), series=one.series),
        )
        for one in found
    ]
