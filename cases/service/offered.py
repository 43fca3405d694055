"""What a specialist is told of the images and documents before they accept: what is there, and what is not.

All of it is read from the de-identified view, which they may not open yet, or said in words that name nobody.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from cases import asked_items, imaging, written
from cases.models import Case
from cases.redact import redacted
from cases.repository import studies_of
from cases.service.reporting import sentence
from cases.states import KNOWN_THEIRS, Needed, StudyState
from cases.views import OfferedStudy
from overread.kit.language import gettext
from overread.kit.words import counted
from pacs.index.scope import Scope


def studies(tx: Session, case: Case) -> tuple[OfferedStudy, ...]:
    """The released studies, newest first, documents last. Dates are the view's."""
    released = {
        s.view_study_uid: s for s in studies_of(tx, case.id) if s.state is StudyState.RELEASED and s.view_study_uid
    }
    if case.view_id is None or not released:
        return ()
    scope = Scope(case.view_id, study_uids=frozenset(released))
    known, shown = imaging.summaries(tx, scope), imaging.body_parts(tx, scope)
    newest = max((one.study_date for uid, one in known.items() if not released[uid].is_document), default="")
    found = [
        OfferedStudy(
            sentence(one),
            one.description,
            tuple(one.modalities),
            tuple(shown.get(uid, ())),
            one.study_date,
            one.series,
            one.instances,
            # Without a date nobody knows.
            earlier=not released[uid].is_document and "" < one.study_date < newest,
            document=released[uid].is_document,
        )
        for uid, one in known.items()
    ]
    return tuple(
        sorted(sorted(found, key=lambda one: one.study_date, reverse=True), key=lambda one: one.document),
    )


def missing(tx: Session, case: Case) -> tuple[str, ...]:
    """What the kind of opinion could have, or the patient was asked for, and is not there: a sentence each."""
    known = studies_of(tx, case.id)
    released = [s for s in known if s.state is StudyState.RELEASED]
    told = []
    if case.kind.images is not Needed.NONE and all(s.is_document for s in released):
        told.append(gettext("There are no images."))
    if case.kind.documents is not Needed.NONE and not any(s.is_document for s in released):
        told.append(gettext("There are no documents."))
    if case.first_report_by and not written.first_report(tx, case):
        told.append(gettext("There was a first report; it is not here."))
    waiting = sum(s.state in KNOWN_THEIRS - {StudyState.RELEASED} for s in known)
    if waiting:
        told.append(gettext("Still being checked: %(studies)s.", studies=counted(waiting, "study", "studies")))
    lacking = (redacted(case, one.text) for one in asked_items.rows(tx, case) if one.missing)
    told.extend(gettext("The patient does not have: %(item)s", item=item) for item in lacking)
    return tuple(told)
