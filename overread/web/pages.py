"""The portal's pages, one module an audience."""

from __future__ import annotations

from starlette.routing import BaseRoute

from overread.services import Services
from overread.web import (
    audit_log,
    board,
    coordinator,
    eligibility,
    erasures,
    hospital,
    hours,
    inbox,
    licensing,
    patient,
    pixels,
    profiles,
    public,
    series_groups,
    sign_up,
    specialist,
    staff,
    start,
)

_AUDIENCES = (
    public,
    eligibility,
    sign_up,
    start,
    patient,
    coordinator,
    board,
    inbox,
    pixels,
    series_groups,
    specialist,
    hospital,
    inbox,
    staff,
    hours,
    licensing,
    profiles,
    erasures,
    audit_log,
)


def routes(services: Services) -> list[BaseRoute]:
    """Every page."""
    return [route for audience in _AUDIENCES for route in audience.routes(services)]
