"""Decisions on pictures, with one question before an approval: something in them is still suggested to be blanked.

A suggestion may be wrong, so it forbids nothing; but nobody approves past it without having been told. What looks at
pixels takes the archive and works in transactions of its own, as in `cases.service.pixels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from cases import imaging
from cases.imaging import Archive, Box, Picture, Review
from cases.repository import load
from cases.service import pixels, studies
from cases.service.pixels import Boxes
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.principals import Principal

#: So many pictures are looked at for one approval; the others of a series by what their headers say.
MOST_LOOKED_AT = 24


class SuggestionsOpen(Conflict):
    """Something is suggested to be blanked and is not; `by_picture` counts it by SOP Instance UID."""

    def __init__(self, by_picture: Mapping[str, int]) -> None:
        boxes, pictures = sum(by_picture.values()), len(by_picture)
        super().__init__(
            f"{boxes} suggestions are open in {pictures} pictures",
            safe=f"{_count(boxes, 'suggested box is', 'suggested boxes are')} not blanked in "
            f"{_count(pictures, 'picture', 'pictures')}. Look at {'it' if pictures == 1 else 'them'}, and approve all "
            "the same only if no name, date or number of the patient stands there: the specialist will see it.",
            suggestions=dict(by_picture),
        )
        self.by_picture = dict(by_picture)


def open_boxes(suggested: Iterable[Box], blanked: Iterable[Box]) -> list[Box]:
    """Of the suggested boxes those that do not lie within one that is blanked."""
    done = list(blanked)
    return [box for box in suggested if not any(_within(box, one) for one in done)]


def decide(
    archive: Archive,
    who: Principal,
    case_id: UUID,
    study_uid: str,
    sop_uid: str,
    decision: str,
    *,
    boxes: Boxes,
    digest: str,
    despite: bool,
) -> None:
    """`pixels.decide`. Raises SuggestionsOpen, too, unless the approval is meant `despite` them."""
    if decision == Review.APPROVED and not despite:
        with archive.db.transaction() as tx:
            picture = pixels.picture(tx, who, case_id, study_uid, sop_uid)
        # What is refused anyway, because it is another picture than the one that was seen, asks nothing.
        if picture.digest == digest and sorted(map(tuple, boxes)) == sorted(map(tuple, picture.boxes)):
            _ask(archive, who, case_id, study_uid, [picture])
    with archive.db.transaction() as tx:
        pixels.decide(tx, who, case_id, study_uid, sop_uid, decision, boxes=boxes, digest=digest)


def decide_series_group(
    archive: Archive,
    who: Principal,
    case_id: UUID,
    study_uid: str,
    series_uid: str,
    size: tuple[int, int],
    decision: str,
    *,
    boxes: Boxes,
    digest: str,
    despite: bool,
) -> None:
    """`pixels.decide_series_group`. Raises SuggestionsOpen, too, unless the approval is meant `despite` them."""
    if decision == Review.APPROVED and not despite:
        with archive.db.transaction() as tx:
            found = pixels.series_group(tx, who, case_id, study_uid, series_uid, size)
        pending = found.pending
        if found.digest != digest or sorted(map(tuple, boxes)) != sorted(map(tuple, found.boxes or ())):
            pending = ()
        if len(pending) <= MOST_LOOKED_AT:
            _ask(archive, who, case_id, study_uid, pending)
        else:
            _ask(archive, who, case_id, study_uid, [pending[len(pending) // 2]], look=False)
    with archive.db.transaction() as tx:
        pixels.decide_series_group(tx, who, case_id, study_uid, series_uid, size, decision, boxes=boxes, digest=digest)


def decide_many(
    archive: Archive,
    who: Principal,
    case_id: UUID,
    sop_uids: Sequence[str],
    decision: str,
    digests: Mapping[str, str] | None,
    *,
    despite: bool,
) -> None:
    """`studies.decide`. Raises SuggestionsOpen, too, unless the approval is meant `despite` them."""
    if decision == Review.APPROVED and not despite:
        if len(sop_uids) > MOST_LOOKED_AT:
            raise Unprocessable(
                f"{len(sop_uids)} pictures approved unseen",
                safe=f"Approve at most {MOST_LOOKED_AT} pictures at once, or say that suggestions are left open.",
            )
        found = _by_study(archive, who, case_id, sop_uids)
        if digests is None or all(digests.get(p.sop_uid) == p.digest for some in found.values() for p in some):
            for study_uid, pictures in found.items():
                _ask(archive, who, case_id, study_uid, pictures)
    with archive.db.transaction() as tx:
        studies.decide(tx, who, case_id, sop_uids, decision, digests)


def _by_study(archive: Archive, who: Principal, case_id: UUID, sop_uids: Sequence[str]) -> dict[str, Sequence[Picture]]:
    wanted = set(sop_uids)
    with archive.db.transaction() as tx:
        found: dict[str, Sequence[Picture]] = {}
        case, _ = load(tx, who, case_id)
        for one in studies.review(tx, who, case_id):
            named = [item.view_sop_uid for item in one.items if item.view_sop_uid in wanted]
            if named and case.view_id is not None:
                found[one.study_uid] = imaging.pictures(tx, who, case.view_id, one.study_uid, named)
        return found


def _ask(
    archive: Archive, who: Principal, case_id: UUID, study_uid: str, pictures: Sequence[Picture], *, look: bool = True
) -> None:
    """Raises SuggestionsOpen where something is suggested in pictures and not blanked."""
    named: dict[str, int] = {}
    for one in pictures:
        if one.is_document or one.is_video or one.state == Review.UNUSABLE or not (one.rows and one.columns):
            continue
        try:
            found = pixels.suggest(archive, who, case_id, study_uid, one.sop_uid, look=look)
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
