"""What the patient's side and coordinators are shown of a document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document, for the patient and coordinators. `name`: the file's; specialists read `label` and `number` instead.

    `sender`: who added it; `own`: whoever asks. `size` in bytes. `study_uid` is the study's that holds its pages,
    `state` and `status` are that study's.
    """

    document_id: UUID
    number: int
    kind: str
    label: str
    name: str
    media_type: str
    pages: int
    size: int
    sent_at: datetime
    sender: str
    own: bool
    study_uid: str
    state: str
    status: str
    may_take_out: bool


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A file to be saved, never to be opened where it was asked for."""

    name: str
    media_type: str
    content: bytes
