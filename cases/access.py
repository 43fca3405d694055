"""Who sees which images of a case: the scope of `/cases/{case}/dicomweb`, asked for at every request.

| who | sees |
|---|---|
| specialist with a grant that stands | the released studies of the case's de-identified view |
| coordinator | the case's de-identified view, with what is not released yet |
| patient, representative | the originals that they sent to the case or that were matched to it |
| helper | the originals that they sent to the case themselves |
| anybody else | nothing: NotFound |
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import delegations, imaging, parts
from cases.models import Case, CaseStudy
from cases.repository import actor_in, load_unasked, studies_of
from cases.service.accounts import require_confirmed
from cases.states import ENDED, KNOWN_THEIRS, SELVES, UPLOADABLE, Actor, CaseState, StudyState
from overread.kit.db import Connection, reading
from overread.kit.errors import Conflict, Forbidden, NotFound
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal, Role
from overread.kit.words import counted
from pacs.index.scope import ORIGINAL, Scope
from viewer_bridge import grants

#: Asked for every picture that a viewer takes: in PostgreSQL's own words, which costs a fifth of the time.
_ASSIGNED = "SELECT 1 FROM cases_case WHERE id = %s AND specialist_id = %s"
#: Cases that an error names; of the others it says how many they are.
_MOST_NAMED = 5


def scope(tx: Session, who: Principal, case_id: UUID) -> Scope:
    """What `who` may see of a case's images. A viewer's token opens its own case alone. Raises NotFound."""
    if who.role is Role.SPECIALIST:
        return of_specialist(tx, who, case_id)
    case, actor = _part(tx, who, case_id)
    if actor in SELVES:
        return _of_patient(tx, case)
    if actor is Actor.HELPER:
        return imaging.scope_of(case.id, (), imaging.uploaded(tx, case.id, [who.id]))
    if actor is Actor.COORDINATOR and case.view_id is not None:
        return Scope(case.view_id, unreleased=True)
    raise NotFound(f"no images of case {case_id} for {who.role} {who.id}")


def _of_patient(tx: Session, case: Case) -> Scope:
    """What was matched, and what they or who acts for them sent to this case.

    Also while it still arrives, so that an upload can go on.

    What anybody else sent and nobody matched stays hidden. Of one Study Instance UID the matched study is shown.
    """
    matched = [s for s in studies_of(tx, case.id) if s.state in KNOWN_THEIRS]
    side = delegations.side(tx, case.patient_id)
    others = {s.study_uid for s in matched if s.whole or s.sender_id not in side}
    own = [pk for pk, uid in imaging.uploaded(tx, case.id, side).items() if uid not in others]
    return imaging.scope_of(case.id, matched, own)


def of_specialist(tx: Session | Connection, who: Principal, case_id: UUID) -> Scope:
    """What a specialist may see of a case's images: what a grant of now names, and nothing that is not released.

    An open offer shows no image. Raises NotFound.
    """
    view_id = None
    if who.role is Role.SPECIALIST and who.case_id in (None, case_id):
        assigned = reading(tx).execute(_ASSIGNED, (case_id, who.id)).fetchone()
        view_id = grants.view(tx, who.id, case_id) if assigned else None
    if view_id is None:
        raise NotFound(f"no images of case {case_id} for {who.role} {who.id}")
    return Scope(view_id, unreleased=False)


def granted(tx: Session, who: Principal, case_id: UUID | None = None) -> dict[UUID, Scope]:
    """What a specialist may see now, by case: of each the same as `scope` gives. Nothing for anybody else.

    With a case, of that alone.
    """
    if who.role is not Role.SPECIALIST or who.case_id is not None:
        return {}
    found: dict[UUID, Scope] = {}
    for one in [case_id] if case_id is not None else [grant.case_id for grant in grants.held(tx, who.id)]:
        # The case has its say, too: a grant alone opens nothing.
        with suppress(NotFound):
            found[one] = of_specialist(tx, who, one)
    return found


def may_upload(tx: Session, who: Principal, case_id: UUID) -> Scope | None:
    """Raises unless `who` may send to a case now, which goes on until the report is signed.

    Its patient and coordinators send images: None. The specialist, with a viewer's token too, sends what they made of
    the images that they see: the scope of those. NotFound for strangers and without a grant, Forbidden for other
    viewers' tokens, while a case is only offered and for a patient whose address is not confirmed, Conflict once it is
    too late.
    """
    case, actor = _part(tx, who, case_id)
    if actor is Actor.ASSIGNED:
        if case.state not in (CaseState.IN_REVIEW, CaseState.NEEDS_INFO):
            safe = gettext("The report is signed: nothing more is taken.")
            raise Conflict(f"object for a case that is {case.state}", safe=safe)
        return of_specialist(tx, who, case_id)
    if who.case_id is not None:
        raise Forbidden(f"a viewer's token sent images to case {case_id}")
    parts.require(actor, Permission.CASE_IMAGES_SEND, case_id)
    require_confirmed(tx, who)
    if case.state not in UPLOADABLE:
        raise Conflict(f"upload to a case that is {case.state}", safe=gettext("This request takes no more images."))
    return None


def unneeded(tx: Session, within: Scope, study_uid: str) -> None:
    """Raises Conflict while a case that has not ended uses a study of the originals, or one that loses images with it.

    What another sender has under its UID, and the cases that use that, keep nothing from being deleted.
    """
    here = imaging.parts(tx, within, study_uid)
    used = tx.scalars(
        select(Case.reference)
        .join(CaseStudy, CaseStudy.case_id == Case.id)
        .where(CaseStudy.study_pk.in_(here), CaseStudy.state != StudyState.REVOKED, Case.state.not_in(ENDED))
        .order_by(Case.reference)
    ).all()
    if used:
        raise Conflict(
            f"study {study_uid} is used by {len(used)} cases",
            safe=gettext("%(used_by)s this study. Take the study out first.", used_by=_used_by(used)),
        )


def _used_by(references: Sequence[str]) -> str:
    if len(references) == 1:
        return gettext("Case %(reference)s uses", reference=references[0])
    more = len(references) - _MOST_NAMED
    rest = f" and {counted(more, 'other', 'others')}" if more > 0 else ""
    return gettext("Cases %(names)s%(rest)s use", names=", ".join(references[:_MOST_NAMED]), rest=rest)


def released(tx: Session, case_id: UUID, within: Scope) -> list[str]:
    """The studies of a scope that a viewer can open, as UIDs of its view, oldest first."""
    studies = studies_of(tx, case_id)
    if within.view_id == ORIGINAL:
        return [s.study_uid for s in studies if s.study_pk in (within.studies or frozenset())]
    return [
        s.view_study_uid
        for s in studies
        if s.view_study_uid
        and (s.state is StudyState.RELEASED or (within.unreleased and s.state is StudyState.DEID_REVIEW))
    ]


def _part(tx: Session, who: Principal, case_id: UUID) -> tuple[Case, Actor]:
    case = load_unasked(tx, case_id)
    actor = actor_in(tx, who, case) if case is not None and who.case_id in (None, case_id) else None
    if case is None or actor is None:
        raise NotFound(f"case {case_id} for {who.role} {who.id}")
    return case, actor
