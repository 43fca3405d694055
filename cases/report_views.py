"""What is shown of a report's versions, as plain values: what stands under a signature, what was added, the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.report_states import ReportKind


@dataclass(frozen=True, slots=True)
class SignatureView:
    """What stands under a signature. `right`: by what the signer may, as a sentence."""

    name: str
    qualification: str
    practice: str
    right: str


@dataclass(frozen=True, slots=True)
class AdditionView:
    """An addition to a report, as it is read below it."""

    version: int
    text: str
    change: str
    signature: SignatureView
    signed_at: datetime | None
    published_at: datetime | None
    digest: str | None
    intact: bool


@dataclass(frozen=True, slots=True)
class ReportMark:
    """What has to be said of a version before it is read. `replaced_by`: the number of the correction, 0 for none."""

    state: str
    text: str
    at: datetime | None
    replaced_by: int = 0


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version in the list. `readable`: by whoever asks; `reason`: why it was sent back or recalled, where it is told.

    `actions`: what whoever asks may do with it.
    """

    number: int
    kind: str
    kind_label: str
    state: str
    status: str
    about: int | None
    change: str
    signature: SignatureView | None
    signed_at: datetime | None
    published_at: datetime | None
    first_read_at: datetime | None
    mark: str
    reason: str
    readable: bool
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who has opened a version, and when first and last; `way`: on the pages or in the archive."""

    name: str
    role: str
    way: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class SignerView:
    """What a specialist has said of themself, for their signature."""

    name: str
    qualification: str
    practice: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the patient's questions with its answer ("" while there is none)."""

    question_id: UUID
    number: int
    question: str
    answer: str
    follow_up: bool = False
    answered_at: datetime | None = None
    signature: SignatureView | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text of a report (`cases.report_texts`), as clinicians and as its patient know it.

    `choice`: what was chosen, of one that is not written; `text` says it in words.
    """

    key: str
    label: str
    patient_label: str
    text: str
    choice: str = ""


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report as patient, coordinator and author read it. `studies`: what was read, as sentences.

    `zone`: the program's, in which the document is dated.
    `patient` (name and birth date) is empty for the author, who does not know whose images they read. `mark`: what has
    to be said of a version that is not in force; `change`: what was changed and why.
    """

    report_id: UUID
    case_id: UUID
    reference: str
    program: str
    subjects: tuple[str, ...]
    patient: str
    version: int
    answers: tuple[Answer, ...]
    texts: tuple[WrittenText, ...]
    studies: tuple[str, ...]
    signed_by: str
    signed_at: datetime | None
    published_at: datetime | None
    digest: str | None
    intact: bool
    follow_ups: tuple[Answer, ...]
    edition: str
    zone: str
    kind: str = ReportKind.REPORT.value
    change: str = ""
    signature: SignatureView | None = None
    mark: ReportMark | None = None
    additions: tuple[AdditionView, ...] = ()
