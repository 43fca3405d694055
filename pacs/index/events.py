"""What the archive tells the rooms above it."""

from __future__ import annotations

from dataclasses import dataclass

from overread.kit.jobs import Event


@dataclass(frozen=True)
class StudyReceiving(Event):
    """A sender's study got instances; looked at again until it is stable. Stays within the archive."""

    name = "pacs.study_receiving"

    study_pk: int


@dataclass(frozen=True)
class EvidenceStored(Event):
    """An object that was made of a view's images was stored with the view, by its SOP Instance UID there."""

    name = "pacs.evidence_stored"

    view_id: str
    sop_uid: str


@dataclass(frozen=True)
class BlobsDamaged(Event):
    """So many blobs were found missing or damaged, the first for some time."""

    name = "pacs.blobs_damaged"

    count: int


@dataclass(frozen=True)
class StudyDeleted(Event):
    """A study of the originals has no instance left, and is no study any more."""

    name = "pacs.study_deleted"

    study_pk: int


@dataclass(frozen=True)
class StudyStable(Event):
    """A sender's study stopped growing. It is told again when it grows later.

    `case_ids`: the cases that it was uploaded to. `references`: its Accession Number, Patient ID, Study Description
    and the AE titles that it was sent to, in which a case's reference number may stand. `sender_id`: who sent it.
    """

    name = "pacs.study_stable"

    study_pk: int
    study_uid: str
    case_ids: list[str]
    references: list[str]
    sender_id: str
