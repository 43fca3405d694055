"""What is shown of a report's versions, as plain values: what stands under a signature, what was added, the list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
