"""The portal's pages, one module an audience."""

from __future__ import annotations

from starlette.routing import BaseRoute

from overread.services import Services
from overread.web import (
    about_patient,
    acting,
    asked,
    audit_log,
    board,
    consenting,
    coordinator,
    correcting,
    desk,
    documents,
    eligibility,
    erasures,
    hospital,
    hours,
    inbox,
    kinds,
    licensing,
    mails,
    notifications,
    patient,
    pixels,
    prices,
    profiles,
    public,
    question,
    queue,
    readers,
    replies,
    report_versions,
    series_groups,
    sign_up,
    specialist,
    staff,
    start,
    start_images,
    undelivered,
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
    asked,
    queue,
    coordinator,
    correcting,
    desk,
    replies,
    board,
    inbox,
    undelivered,
    pixels,
    series_groups,
    specialist,
    report_versions,
    hospital,
    staff,
    notifications,
    prices,
    kinds,
    hours,
    mails,
    licensing,
    readers,
    profiles,
    erasures,
    audit_log,
)


def routes(services: Services) -> list[BaseRoute]:
    """Every page."""
    return [route for audience in _AUDIENCES for route in audience.routes(services)]
