"""A case in a list, as each role is shown it; of `cases.views`, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.desk_views import DeskLine


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case in a list. `patient_name` is empty for specialists; `fee`, `answer_by` are theirs alone.

    `desk`: what coordinators keep of it, None for everybody else. `recalled`: its report is in force no more.
    """

    case_id: UUID
    reference: str
    title: str
    state: str
    status: str
    due_at: datetime | None
    late: bool
    updated_at: datetime
    patient_name: str
    specialist: str
    studies: str
    note: str
    answer_by: datetime | None
    fee: int
    currency: str
    paused_at: datetime | None
    desk: DeskLine | None
    recalled: bool
