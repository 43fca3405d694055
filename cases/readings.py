"""A case's readings as work items (PS3.4 CC): each offer has one, which follows it from the offer to the report.

What it shows comes from the case's view, never from the originals: a specialist sees it before they accept.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import imaging
from cases.models import Case, Offer
from cases.repository import offers_of, reports_of
from cases.service.presentation import title
from cases.states import DELIVERED, ENDED, OfferOutcome
from overread.kit.principals import PrincipalRow
from pacs.ups.reading import Reading, follow
from pacs.ups.states import StepState


def bring_up_to_date(tx: Session, case: Case) -> None:
    """Have the work item of every offer say what became of it; idempotent. The caller holds the case's row lock."""
    for offer in reversed(offers_of(tx, case.id)):
        follow(tx, _reading(tx, case, offer), _state(case, offer))


def _state(case: Case, offer: Offer) -> StepState:
    if offer.outcome is OfferOutcome.OPEN:
        return StepState.SCHEDULED
    if offer.outcome is not OfferOutcome.ACCEPTED or case.state in ENDED - DELIVERED:
        return StepState.CANCELED
    return StepState.COMPLETED if case.state in DELIVERED else StepState.IN_PROGRESS


def _reading(tx: Session, case: Case, offer: Offer) -> Reading:
    studies = list(imaging.released(tx, case.view_id).values()) if case.view_id else []
    signed = next((one.signed_at for one in reversed(reports_of(tx, case.id)) if one.signed_at and not one.about), None)
    specialist = tx.get_one(PrincipalRow, offer.specialist_id)
    return Reading(
        subject=offer.id,
        specialist_id=specialist.id,
        specialist=specialist.name,
        label=title(case),
        patient_name=studies[0].patient_name if studies else "",
        patient_id=studies[0].patient_id if studies else "",
        studies=sorted(one.study_uid for one in studies),
        start=offer.offered_at,
        due=case.due_at,
        expires=offer.expires_at,
        accepted=offer.answered_at,
        finished=signed if case.state in DELIVERED else None,
    )
