"""What a coordinator looked at before they decide: one picture, a series' pictures of one size, or several instances.

Each says of which pictures an approval has to ask first, and which instances the decision is then about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from cases import imaging
from cases.imaging import Picture, Review
from cases.repository import load
from cases.service import pixels, studies
from cases.service.pixels import Boxes
from overread.kit.errors import Conflict, Unprocessable
from overread.kit.language import gettext
from overread.kit.principals import Principal

#: So many pictures are looked at for one approval; the others of a series by what their headers say.
MOST_LOOKED_AT = 24


class Question(NamedTuple):
    """Pictures of a study whose suggestions are asked for; `decode`: by their pixels, too, not by headers alone."""

    study_uid: str
    pictures: Sequence[Picture]
    decode: bool = True


class LookedAt(Protocol):
    """What was looked at, and as it was then."""

    def questions(self, tx: Session, who: Principal, case_id: UUID) -> Iterator[Question]:
        """Of which pictures an approval asks first. What is refused anyway, because it was changed, asks nothing."""
        ...

    def instances(
        self, tx: Session, who: Principal, case_id: UUID, decision: str, /
    ) -> tuple[Sequence[str], Mapping[str, str] | None]:
        """The SOP Instance UIDs that the decision is about, and the bytes (digests) that it is about, if any are named.

        Raises Conflict where an approval is about something else than what would be shown: boxes that are drawn and not
        blanked yet, or something that was changed meanwhile. NotFound, Forbidden, Unprocessable.
        """
        ...


@dataclass(frozen=True, slots=True)
class PictureLook:
    """One picture, with these `boxes` over it and these bytes (`digest`)."""

    study_uid: str
    sop_uid: str
    boxes: Boxes
    digest: str

    def questions(self, tx: Session, who: Principal, case_id: UUID) -> Iterator[Question]:
        """As LookedAt says."""
        picture = pixels.picture(tx, who, case_id, self.study_uid, self.sop_uid)
        if picture.digest == self.digest and _same(self.boxes, picture.boxes):
            yield Question(self.study_uid, [picture])

    def instances(
        self, tx: Session, who: Principal, case_id: UUID, decision: str
    ) -> tuple[Sequence[str], Mapping[str, str] | None]:
        """As LookedAt says."""
        pixels.require_open(tx, who, case_id, self.study_uid)
        picture = pixels.picture(tx, who, case_id, self.study_uid, self.sop_uid, lock=True)
        if decision == Review.APPROVED:
            _in_force(self.boxes, picture.boxes)
        return [self.sop_uid], {self.sop_uid: self.digest}


@dataclass(frozen=True, slots=True)
class SeriesGroupLook:
    """The pictures of a series that have one `size` (rows, columns), all laid over one another.

    `digest` is that of `pixels.SeriesGroupReview`. An approval is of those that wait, a refusal of all.
    """

    study_uid: str
    series_uid: str
    size: tuple[int, int]
    boxes: Boxes
    digest: str

    def questions(self, tx: Session, who: Principal, case_id: UUID) -> Iterator[Question]:
        """As LookedAt says: of very many pictures the one in the middle is asked for, by its header."""
        found = pixels.series_group(tx, who, case_id, self.study_uid, self.series_uid, self.size)
        pending = found.pending
        if not pending or found.digest != self.digest or not _same(self.boxes, found.boxes or ()):
            return
        many = len(pending) > MOST_LOOKED_AT
        yield Question(self.study_uid, [pending[len(pending) // 2]] if many else pending, decode=not many)

    def instances(
        self, tx: Session, who: Principal, case_id: UUID, decision: str
    ) -> tuple[Sequence[str], Mapping[str, str] | None]:
        """As LookedAt says."""
        pixels.require_open(tx, who, case_id, self.study_uid)
        found = pixels.series_group(tx, who, case_id, self.study_uid, self.series_uid, self.size, lock=True)
        if decision == Review.APPROVED:
            _in_force(self.boxes, found.boxes or ())
            if self.digest != found.digest:
                raise Conflict(
                    "other pictures than were looked at",
                    safe=gettext(
                        "Somebody changed some of these pictures meanwhile. Look again, and approve what you see then."
                    ),
                )
            if not found.wholly_seen:
                raise Unprocessable(
                    "more frames than one look shows",
                    safe=gettext("These are more frames than one look can show. Approve the pictures one by one."),
                )
        wanted = found.pending if decision == Review.APPROVED else found.pictures
        if not wanted:
            raise Conflict("nothing is pending", safe=gettext("None of these pictures waits for a decision."))
        return [p.sop_uid for p in wanted], None


@dataclass(frozen=True, slots=True)
class InstancesLook:
    """Instances of the case's view; `digests` names the bytes that were looked at, where a page showed them."""

    sop_uids: Sequence[str]
    digests: Mapping[str, str] | None = None

    def questions(self, tx: Session, who: Principal, case_id: UUID) -> Iterator[Question]:
        """As LookedAt says. Raises Unprocessable for more than can be looked at."""
        if len(self.sop_uids) > MOST_LOOKED_AT:
            raise Unprocessable(
                f"{len(self.sop_uids)} pictures approved unseen",
                safe=gettext(
                    "Approve at most %(most_looked_at)s pictures at once, or say that suggestions are left open.",
                    most_looked_at=MOST_LOOKED_AT,
                ),
            )
        found = [Question(uid, pictures) for uid, pictures in self._by_study(tx, who, case_id).items()]
        if self.digests is None or all(self.digests.get(p.sop_uid) == p.digest for q in found for p in q.pictures):
            yield from found

    def _by_study(self, tx: Session, who: Principal, case_id: UUID) -> dict[str, Sequence[Picture]]:
        wanted = set(self.sop_uids)
        found: dict[str, Sequence[Picture]] = {}
        case, _ = load(tx, who, case_id)
        for one in studies.review(tx, who, case_id):
            named = [item.view_sop_uid for item in one.items if item.view_sop_uid in wanted]
            if named and case.view_id is not None:
                found[one.study_uid] = imaging.pictures(tx, who, case.view_id, one.study_uid, named)
        return found

    def instances(
        self, _tx: Session, _who: Principal, _case_id: UUID, _decision: str
    ) -> tuple[Sequence[str], Mapping[str, str] | None]:
        """As LookedAt says."""
        if not all(map(imaging.is_uid, self.sop_uids)):
            raise Unprocessable("not a UID", safe=gettext("An image is named by its SOP Instance UID."))
        return self.sop_uids, self.digests


def _same(boxes: Boxes, blanked: Boxes) -> bool:
    return sorted(map(tuple, boxes)) == sorted(map(tuple, blanked))


def _in_force(boxes: Boxes, blanked: Boxes) -> None:
    if not _same(boxes, blanked):
        raise Conflict(
            "boxes that are not in force",
            safe=gettext(
                "The boxes on the page are not blanked yet. Blank them or take them off, look at the result, and "
                "approve it then."
            ),
        )
