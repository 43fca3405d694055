"""A hospital's page: what it sent, what became of it, and how to send."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.routing import BaseRoute

from cases import imaging
from cases.models import Case, CaseStudy, InboxStudy
from cases.states import StudyState
from overread.kit.principals import Role
from overread.services import Services
from overread.web import labels, paging, render
from overread.web.visits import Desk, Visit
from pacs.index import query
from pacs.index.models import Peer
from pacs.index.scope import originals


def routes(services: Services) -> list[BaseRoute]:
    """The hospital's routes."""
    return [Desk(services, Role.HOSPITAL).get("/sent", sent)]


def sent(visit: Visit) -> Response:
    """Every study that the hospital sent, newest first."""
    settings = visit.services.settings
    found = query.summary_page(visit.tx, originals(visit.who), visit.query(paging.AFTER), paging.ROWS)
    states = _states(visit.tx, [study.pk for study in found])
    own = visit.tx.scalars(select(Peer).where(Peer.principal_id == visit.who.id).order_by(Peer.ae_title))
    return visit.page(
        "hospital/studies.html",
        studies=[
            {
                "title": labels.title(study.modalities, study.description),
                "date": render.day(study.study_date),
                "patient": render.person(study.patient_name),
                "accession": study.accession,
                "instances": study.instances,
                "received": render.moment(study.received_at),
                "state": states.get(study.pk, render.status("Arriving", "info")),
            }
            for study in found
        ],
        pager=paging.links(visit, "/sent", found),
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        peers=[{"ae_title": peer.ae_title, "address": f"{peer.host}:{peer.port}"} for peer in own],
    )


def _states(tx: Session, study_pks: list[int]) -> dict[int, dict[str, str]]:
    """What became of a hospital's own studies. That another's study is in a case is not told."""
    waiting = tx.scalars(
        select(InboxStudy.study_pk).where(InboxStudy.study_pk.in_(study_pks), InboxStudy.matched_case_id.is_(None))
    )
    states = {study_pk: render.status("Not matched yet", "warn") for study_pk in waiting}
    used = {key: own for own in study_pks for key in (own, *imaging.made_of(tx, own))}
    matched = tx.execute(
        select(CaseStudy.study_pk, CaseStudy.state, Case.reference)
        .join(Case, Case.id == CaseStudy.case_id)
        .where(CaseStudy.study_pk.in_(used))
        .order_by(CaseStudy.id)
    )
    for key, state, reference in matched:
        own = used[key]
        if state is StudyState.REVOKED:
            # In the inbox again, unless somebody has matched it since.
            states.setdefault(own, render.status(f"Taken out of {reference}", "neutral"))
        elif state in (StudyState.RECEIVING, StudyState.QUARANTINED):
            states[own] = render.status(f"Being compared ({reference})", "info")
        elif state is StudyState.UNREADABLE:
            states[own] = render.status(f"Can’t be read ({reference})", "bad")
        elif state is StudyState.MISMATCH:
            # Whose name differs is the coordinator's to find out.
            states[own] = render.status(f"Being checked ({reference})", "warn")
        else:
            states[own] = render.status(f"Matched to {reference}", "good")
    return states
