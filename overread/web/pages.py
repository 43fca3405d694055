"""The portal's pages, one module an audience."""

from __future__ import annotations

from starlette.routing import BaseRoute

from overread.services import Services
from overread.web import (
    about_patient,
    acting,
    after_report,
    aftercare,
    audit_log,
    board,
    consenting,
    coordinator,
    correcting,
    documents,
    eligibility,
    erasures,
    feedback,
    figures,
    hospital,
    hours,
    inbox,
    kinds,
    licensing,
    patient,
    pixels,
    prices,
    profiles,
    public,
    question,
    report_versions,
    series_groups,
    sign_up,
    specialist,
    staff,
    start,
    start_images,
)

_AUDIENCES = (
    public,
    eligibility,
    sign_up,
    start,
    question,
    about_patient,
    start_images,
    documents,
    consenting,
    acting,
    patient,
    feedback,
    coordinator,
    aftercare,
    figures,
    correcting,
    board,
    inbox,
    pixels,
    series_groups,
    specialist,
    report_versions,
    hospital,
    staff,
    prices,
    kinds,
    hours,
    after_report,
    licensing,
    profiles,
    erasures,
    audit_log,
)


def routes(services: Services) -> list[BaseRoute]:
    """Every page."""
    return [route for audience in _AUDIENCES for route in audience.routes(services)]
