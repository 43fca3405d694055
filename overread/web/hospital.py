"""A hospital's page: what it sent, what became of it, and how to send."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.routing import BaseRoute

from cases.models import Case, CaseStudy, InboxStudy
from cases.states import StudyState
from overread.kit.principals import Principal, Role
from overread.services import Services
from overread.web import labels, render
from overread.web.visits import Desk, Visit
from pacs import query
from pacs.models import Peer
from pacs.scope import originals


def routes(services: Services) -> list[BaseRoute]:
    """The hospital's routes."""
    return [Desk(services, Role.HOSPITAL).get("/sent", sent)]


def sent(visit: Visit) -> Response:
    """Every study that the hospital sent, newest first."""
    settings = visit.services.settings
    found = query.summaries(visit.tx, originals(visit.who))
    states = _states(visit.tx, visit.who, [study.study_uid for study in found])
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
                "state": states.get(study.study_uid, render.status("Arriving", "info")),
            }
            for study in found
        ],
        ae_title=settings.ae_title,
        dicom_address=render.dicom_address(settings),
        stow_url=f"{settings.base_url}/dicomweb/studies",
        peers=[{"ae_title": peer.ae_title, "address": f"{peer.host}:{peer.port}"} for peer in own],
    )


def _states(tx: Session, who: Principal, uids: list[str]) -> dict[str, dict[str, str]]:
    """What became of a hospital's own studies. That another's study is in a case is not told."""
    waiting = tx.scalars(
        select(InboxStudy.study_uid).where(
            InboxStudy.study_uid.in_(uids), InboxStudy.holder_id == who.id, InboxStudy.matched_case_id.is_(None)
        )
    )
    states = {uid: render.status("Not matched yet", "warn") for uid in waiting}
    matched = tx.execute(
        select(CaseStudy.study_uid, CaseStudy.state, Case.reference)
        .join(Case, Case.id == CaseStudy.case_id)
        .where(CaseStudy.study_uid.in_(uids), CaseStudy.holder_id == who.id)
        .order_by(CaseStudy.id)
    )
    for uid, state, reference in matched:
        if state is StudyState.REVOKED:
            states[uid] = render.status(f"Taken out of {reference}", "neutral")
        elif state in (StudyState.RECEIVING, StudyState.QUARANTINED):
            states[uid] = render.status(f"Being compared ({reference})", "info")
        elif state is StudyState.UNREADABLE:
            states[uid] = render.status(f"Can’t be read ({reference})", "bad")
        elif state is StudyState.MISMATCH:
            # Whose name differs is the coordinator's to find out.
            states[uid] = render.status(f"Being checked ({reference})", "warn")
        else:
            states[uid] = render.status(f"Matched to {reference}", "good")
    return states
