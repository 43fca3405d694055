"""Pictures and documents of a case that wait for review: looked at, blanked, released or redacted by its coordinator.

What decodes or writes pixels takes the archive and works in transactions of its own: it may take seconds, in which no
row of the case is locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from cases import imaging, parts
from cases.imaging import Archive, Composite, Picture, Review, SeriesGroup, Suggestion
from cases.models import Case, CaseStudy
from cases.repository import load, study_of
from cases.service import presentation
from cases.states import ENDED, StudyState
from overread.kit import audit
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.permissions import Permission
from overread.kit.principals import Principal

#: So many pictures are blanked by one request.
MOST_AT_ONCE = 2000
#: Bytes of a document that a coordinator redacted.
MOST_DOCUMENT = imaging.MOST_DOCUMENT
_CHECKED = (StudyState.DEID_REVIEW, StudyState.RELEASED)

Boxes = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Check:
    """A study whose pictures are looked at. `open`: whether something may still be decided.

    `view_study_uid` is the study's in its copy, empty where it has none.
    """

    reference: str
    study_uid: str
    view_study_uid: str
    state: StudyState
    open: bool
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """All pictures of a study, counted by series and size; `open` as in `Check`."""

    reference: str
    state: StudyState
    open: bool
    series_groups: tuple[SeriesGroup, ...]


@dataclass(frozen=True, slots=True)
class SeriesGroupReview:
    """The pictures of a series that have one size, looked at and decided on together. `open` as in `Check`."""

    reference: str
    state: StudyState
    open: bool
    pictures: tuple[Picture, ...]

    @property
    def frames(self) -> int:
        """How many frames they have together."""
        return sum(max(1, p.frames) for p in self.pictures)

    @property
    def pending(self) -> tuple[Picture, ...]:
        """Those that wait for a decision."""
        return tuple(p for p in self.pictures if p.state == Review.PENDING_REVIEW)

    @property
    def wholly_seen(self) -> bool:
        """Whether one look shows every frame."""
        return self.frames * self.pictures[0].rows * self.pictures[0].columns <= imaging.MOST_PIXELS

    @property
    def digest(self) -> str:
        """A name for these pictures and their bytes."""
        found = hashlib.sha256()
        for p in sorted(self.pictures, key=lambda p: p.sop_uid):
            found.update(f"{p.sop_uid} {p.digest}\n".encode())
        return found.hexdigest()

    @property
    def boxes(self) -> tuple[imaging.Box, ...] | None:
        """The boxes that are blanked in each of them; None where they differ."""
        first = self.pictures[0].boxes
        return first if all(p.boxes == first for p in self.pictures) else None


def check(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> Check:
    """A study's pictures that somebody has to look at or did, in order. Raises NotFound, Forbidden."""
    case, study, view_id = _study(tx, who, case_id, study_uid)
    found = tuple(imaging.pictures(tx, who, view_id, study_uid))
    return Check(case.reference, study_uid, study.view_study_uid or "", study.state, _is_open(case, study), found)


def picture(tx: Session, who: Principal, case_id: UUID, study_uid: str, sop_uid: str, *, lock: bool = False) -> Picture:
    """One picture, also one that is clean. Raises NotFound, Forbidden."""
    _, _, view_id = _study(tx, who, case_id, study_uid)
    return _picture(tx, who, view_id, study_uid, sop_uid, lock=lock)


def overview(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> Overview:
    """All pictures of a study by series and size. Raises NotFound, Forbidden."""
    case, study, view_id = _study(tx, who, case_id, study_uid)
    found = tuple(imaging.series_groups(tx, who, view_id, study_uid))
    return Overview(case.reference, study.state, _is_open(case, study), found)


def series_group(
    tx: Session,
    who: Principal,
    case_id: UUID,
    study_uid: str,
    series_uid: str,
    size: tuple[int, int],
    *,
    lock: bool = False,
) -> SeriesGroupReview:
    """The pictures of a series (of the copy) that have `size` (rows, columns). Raises NotFound, Forbidden."""
    case, study, view_id = _study(tx, who, case_id, study_uid)
    known = imaging.is_uid(series_uid) and all(size)
    found = imaging.pictures(tx, who, view_id, study_uid, series_uid=series_uid, lock=lock) if known else []
    alike = tuple(p for p in found if (p.rows, p.columns) == size and p.state != Review.UNUSABLE)
    if not alike:
        raise NotFound(
            f"series {series_uid[:64]!r} of study {study_uid}", safe=gettext("There are no such pictures here.")
        )
    return SeriesGroupReview(case.reference, study.state, _is_open(case, study), alike)


def composite(archive: Archive, who: Principal, case_id: UUID, study_uid: str, sop_uid: str) -> Composite:
    """All frames of a picture laid over each other. Raises NotFound, Forbidden, Unprocessable."""
    with archive.db.transaction() as tx:
        _, _, view_id = _study(tx, who, case_id, study_uid)
        _picture(tx, who, view_id, study_uid, sop_uid)
    return imaging.composite(archive, who, view_id, [sop_uid])


def composite_of(
    archive: Archive, who: Principal, case_id: UUID, study_uid: str, series_uid: str, size: tuple[int, int]
) -> Composite:
    """The same of all pictures of a series that have one size."""
    with archive.db.transaction() as tx:
        _, _, view_id = _study(tx, who, case_id, study_uid)
        found = series_group(tx, who, case_id, study_uid, series_uid, size)
    return imaging.composite(archive, who, view_id, [p.sop_uid for p in found.pictures])


def suggest(
    archive: Archive, who: Principal, case_id: UUID, study_uid: str, sop_uid: str, *, look: bool = True
) -> list[Suggestion]:
    """Rectangles that may have to be blanked; without `look`, by the header alone.

    Raises NotFound, Forbidden, Unprocessable.
    """
    with archive.db.transaction() as tx:
        _, _, view_id = _study(tx, who, case_id, study_uid)
        _picture(tx, who, view_id, study_uid, sop_uid)
    return imaging.suggest(archive, who, view_id, sop_uid, look=look)


def mask(
    archive: Archive, who: Principal, case_id: UUID, study_uid: str, sop_uids: Sequence[str], boxes: Boxes
) -> Mapping[str, str]:
    """Blank the same rectangles (left, top, width, height) in pictures in the place of earlier ones; [] takes them off.

    All wait for review again. Gives the sentence why, by SOP Instance UID, of those that could not be changed. Raises
    NotFound, Forbidden, Conflict, Unprocessable.
    """
    sop_uids = list(dict.fromkeys(sop_uids))
    if not 0 < len(sop_uids) <= MOST_AT_ONCE:
        raise Unprocessable(
            f"{len(sop_uids)} pictures at once",
            safe=gettext("Name 1 to %(most_at_once)s pictures; repeat it for the others.", most_at_once=MOST_AT_ONCE),
        )
    with archive.db.transaction() as tx:
        case, study, view_id = _study(tx, who, case_id, study_uid)
        _still_open(case, study)
        _pictures(tx, who, view_id, study_uid, sop_uids)
        known = presentation.known(tx, case)
    refused = imaging.mask(archive, who, view_id, sop_uids, boxes, known)
    with archive.db.transaction() as tx:
        _count(tx, who, case_id, study_uid)
        audit.record(
            tx,
            who,
            "pixels.mask",
            "study",
            study_uid,
            case_id=case_id,
            pictures=len(sop_uids) - len(refused),
            masks=len(boxes),
        )
    return refused


def release_document(
    archive: Archive, who: Principal, case_id: UUID, study_uid: str, sop_uid: str, redacted: bytes | None = None
) -> None:
    """Take the original's document over into its copy, or a redacted PDF in its place. It waits until approved.

    Raises NotFound, Forbidden, Conflict, Unprocessable.
    """
    with archive.db.transaction() as tx:
        case, study, view_id = _study(tx, who, case_id, study_uid)
        _still_open(case, study)
        picture = _picture(tx, who, view_id, study_uid, sop_uid)
        known = presentation.known(tx, case)
    if redacted is not None:
        if not picture.is_pdf:
            raise Unprocessable(
                "a PDF for no PDF", safe=gettext("Only a PDF can be replaced by a PDF. Withhold this document.")
            )
        if not redacted.startswith(b"%PDF-"):
            raise Unprocessable(
                "no PDF", safe=gettext("The file is no PDF. Please choose the redacted document as a PDF.")
            )
    imaging.release_document(archive, who, view_id, sop_uid, known, redacted)
    with archive.db.transaction() as tx:
        _count(tx, who, case_id, study_uid)
        action = "document.released" if redacted is None else "document.redacted"
        audit.record(tx, who, action, "study", study_uid, case_id=case_id)


def require_open(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> None:
    """Raises Conflict unless something may still be decided about a study; NotFound, Forbidden."""
    case, study, _ = _study(tx, who, case_id, study_uid)
    _still_open(case, study)


def _study(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> tuple[Case, CaseStudy, UUID]:
    """The case, its study and its view, for the case's coordinator."""
    case, actor = load(tx, who, case_id)
    parts.require(actor, Permission.CASE_STUDIES, case_id)
    study = study_of(tx, case_id, study_uid) if imaging.is_uid(study_uid) else None
    if study is None or case.view_id is None:
        raise NotFound(
            f"no copy of study {study_uid[:64]!r} in case {case_id}",
            safe=gettext(
                "There is no de-identified copy of this study. Go back to the case: it may still be being made."
            ),
        )
    return case, study, case.view_id


def _picture(
    tx: Session, who: Principal, view_id: UUID, study_uid: str, sop_uid: str, *, lock: bool = False
) -> Picture:
    return _pictures(tx, who, view_id, study_uid, [sop_uid], lock=lock)[0]


def _pictures(
    tx: Session, who: Principal, view_id: UUID, study_uid: str, sop_uids: Sequence[str], *, lock: bool = False
) -> list[Picture]:
    known = all(map(imaging.is_uid, sop_uids))
    found = imaging.pictures(tx, who, view_id, study_uid, sop_uids, lock=lock) if known else []
    if len(found) != len(sop_uids):
        raise NotFound(
            f"of {len(sop_uids)} instances of study {study_uid} {len(found)}",
            safe=gettext("There is no such picture in this study."),
        )
    return found


def _is_open(case: Case, study: CaseStudy) -> bool:
    return case.state not in ENDED and study.state in _CHECKED


def _still_open(case: Case, study: CaseStudy) -> None:
    if not _is_open(case, study):
        raise Conflict(
            f"study {study.study_uid} is {study.state}, its case {case.state}",
            safe=gettext("Nothing is decided on this study just now. Go back to the case to see how it stands."),
        )


def _count(tx: Session, who: Principal, case_id: UUID, study_uid: str) -> None:
    """Say in the case how many of the study's pictures wait for review now."""
    case, _ = load(tx, who, case_id, lock=True)
    study = study_of(tx, case_id, study_uid, lock=True)
    if study is not None and case.view_id is not None:
        study.pending = sum(one.pending for one in imaging.review(tx, case.view_id, study_uid))
