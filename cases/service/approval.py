"""Decisions on pictures, with one question before an approval: something in them is still suggested to be blanked.

A suggestion may be wrong, so it forbids nothing; but nobody approves past it without having been told. What looks at
pixels takes the archive and works in transactions of its own, as in `cases.service.pixels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from cases import imaging, parts
from cases.imaging import Archive, Box, Review
from cases.repository import load, study_of
from cases.service import pixels
from cases.service.looked_at import InstancesLook, LookedAt, PictureLook, Question, SeriesGroupLook
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

__all__ = ["InstancesLook", "PictureLook", "SeriesGroupLook", "SuggestionsOpen", "decide", "open_boxes", "record"]


class SuggestionsOpen(Conflict):
    """Something is suggested to be blanked and is not; `by_picture` counts it by SOP Instance UID."""

    def __init__(self, by_picture: Mapping[str, int]) -> None:
        boxes, pictures = sum(by_picture.values()), len(by_picture)
        super().__init__(
            f"{boxes} suggestions are open in {pictures} pictures",
            safe=gettext(
                "%(count)s not blanked in %(count_2)s. Look at %(value)s, and approve all the same only if no "
                "name, date or number of the patient stands there: the specialist will see it.",
                count=_count(boxes, "suggested box is", "suggested boxes are"),
                count_2=_count(pictures, "picture", "pictures"),
                value="it" if pictures == 1 else "them",
            ),
            suggestions=dict(by_picture),
        )
        self.by_picture = dict(by_picture)


def open_boxes(suggested: Iterable[Box], blanked: Iterable[Box]) -> list[Box]:
    """Of the suggested boxes those that do not lie within one that is blanked."""
    done = list(blanked)
    return [box for box in suggested if not any(_within(box, one) for one in done)]


def decide(
    archive: Archive, who: Principal, case_id: UUID, looked_at: LookedAt, decision: str, *, despite: bool
) -> None:
    """Approve what was looked at, or withhold it; `decision` as in `record`, which says what else is raised.

    Raises SuggestionsOpen, where an approval is not meant `despite` what is suggested to be blanked and is not.
    """
    if decision == Review.APPROVED and not despite:
        with archive.db.transaction() as tx:
            questions = list(looked_at.questions(tx, who, case_id))
        for question in questions:
            _ask(archive, who, case_id, question)
    with archive.db.transaction() as tx:
        record(tx, who, case_id, looked_at, decision)


def record(tx: Session, who: Principal, case_id: UUID, looked_at: LookedAt, decision: str) -> None:
    """Approve instances of the case's view that wait for it, or withhold some. `decision`: "approved" or "withheld".

    Asks nothing about suggestions. Raises what `looked_at.instances` raises; Forbidden, NotFound, Unprocessable;
    Conflict where an approval would be of other bytes, or the case has no view.
    """
    sop_uids, digests = looked_at.instances(tx, who, case_id, decision)
    case, actor = load(tx, who, case_id, lock=True)
    parts.require(actor, Permission.CASE_STUDIES, case_id)
    if decision not in (Review.APPROVED, Review.WITHHELD):
        raise Unprocessable(f"decision {decision!r}", safe=gettext("A decision is “approved” or “withheld”."))
    if case.view_id is None:
        raise Conflict(f"case {case_id} has no view", safe=gettext("The de-identified images are not made yet."))
    imaging.set_review(tx, who, case.view_id, list(sop_uids), decision, digests)
    for one in imaging.review(tx, case.view_id):
        study = study_of(tx, case.id, one.study_uid, lock=True)
        if study is not None:
            study.pending = one.pending


def _ask(archive: Archive, who: Principal, case_id: UUID, question: Question) -> None:
    """Raises SuggestionsOpen where something is suggested in pictures and not blanked."""
    named: dict[str, int] = {}
    for one in question.pictures:
        if one.is_document or one.is_video or one.state == Review.UNUSABLE or not (one.rows and one.columns):
            continue
        try:
            found = pixels.suggest(archive, who, case_id, question.study_uid, one.sop_uid, look=question.decode)
        except (Unprocessable, NotFound):
            # What can't be drawn has its own rules on its page.
            continue
        if count := sum(len(open_boxes(suggestion.boxes, one.boxes)) for suggestion in found):
            named[one.sop_uid] = count
    if named:
        raise SuggestionsOpen(named)


def _within(box: Box, other: Box) -> bool:
    return bool(
        other.left <= box.left
        and other.top <= box.top
        and box.left + box.width <= other.left + other.width
        and box.top + box.height <= other.top + other.height
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
