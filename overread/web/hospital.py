"""A hospital's page: what it sent, what became of it, and how to send."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.service import for_hospital, peers
from cases.service.for_hospital import Fate, SentStudy
from overread.kit.language import Phrase
from overread.kit.permissions import Permission
from overread.services import Services
from overread.web import labels, paging, render
from overread.web.contexts import Desk, TxContext

_FATES: Mapping[Fate, tuple[str, str]] = {
    Fate.ARRIVING: (Phrase("Arriving"), "info"),
    Fate.UNMATCHED: (Phrase("Not matched yet"), "warn"),
    Fate.COMPARED: (Phrase("Being compared ({})"), "info"),
    Fate.CHECKED: (Phrase("Being checked ({})"), "warn"),
    Fate.UNREADABLE: (Phrase("Can’t be read ({})"), "bad"),
    Fate.MATCHED: (Phrase("Matched to {}"), "good"),
    Fate.TAKEN_OUT: (Phrase("Taken out of {}"), "neutral"),
}


def routes(services: Services) -> list[BaseRoute]:
    """The hospital's routes."""
    return [Desk(services, Permission.IMAGES_SENT).get("/sent", sent)]


def sent(ctx: TxContext) -> Response:
    """Every study that the hospital sent, newest first."""
    settings = ctx.services.settings
    found = for_hospital.sent(ctx.tx, ctx.who, after=ctx.query(paging.AFTER), limit=paging.ROWS)
    return ctx.page(
        "hospital/studies.html",
        studies=[
            {
                "title": labels.title(study.modalities, study.description),
                "date": render.day(study.study_date),
                "patient": render.person(study.patient_name),
                "accession": study.accession,
                "instances": study.instances,
                "received": render.moment(study.received_at),
                "state": _status(one),
            }
            for one in found
            for study in (one.study,)
        ],
        referral_url="/referrals/new",
        pager=paging.links(ctx, "/sent", found),
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        peers=[
            {"ae_title": peer.ae_title, "address": f"{peer.host}:{peer.port}"} for peer in peers.own(ctx.tx, ctx.who)
        ],
    )


def _status(one: SentStudy) -> dict[str, str]:
    words, tone = _FATES[one.fate]
    return render.status(words.format(one.reference), tone)
