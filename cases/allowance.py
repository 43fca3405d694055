"""How much a patient may store: counted before it is stored, in the database, so that no number of uploads at once
comes past it.

An unpaid draft holds a large examination with its comparisons (a PET/CT and an MR are 3 GB) and not a disk; all cases
of one patient that no specialist has accepted hold as much as two of them, withdrawn ones too, as long as they are
kept (docs/decisions/0030). Coordinators and hospitals are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cases.states import CaseState
from overread.kit.db import Database, Session, reading
from overread.kit.errors import TooLarge
from overread.kit.language import Phrase
from overread.kit.settings import Settings

#: What is taken at once of a limit, so that not every instance asks the database; what is left over is given back.
_BLOCK, _PLACES = 4 << 20, 32
#: More than any limit: of instances only a draft's are limited.
_NO_LIMIT = 1 << 62

_CASE = "SELECT patient_id, state, specialist_id IS NULL FROM cases_case WHERE id = %s"
# One upload of a patient after another: the sums below are of several rows.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('allowance' || %s::text, 0))"
_OPEN = "INSERT INTO cases_allowance (case_id, bytes, instances) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING"
_USED = """
SELECT coalesce(sum(a.bytes) FILTER (WHERE a.case_id = %(case)s), 0),
       coalesce(sum(a.instances) FILTER (WHERE a.case_id = %(case)s), 0),
       coalesce(sum(a.bytes) FILTER (WHERE c.specialist_id IS NULL), 0)
FROM cases_allowance a JOIN cases_case c ON c.id = a.case_id WHERE c.patient_id = %(patient)s
"""
_ADD = "UPDATE cases_allowance SET bytes = bytes + %s, instances = instances + %s WHERE case_id = %s"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a draft, instances of a draft, bytes of any case, bytes of all cases that nobody has accepted."""

    draft: int
    draft_instances: int
    case: int
    patient: int


def limits(settings: Settings) -> Limits:
    """The limits of these settings."""
    return Limits(
        settings.max_draft_bytes, settings.max_draft_instances, settings.max_case_bytes, settings.max_patient_bytes
    )


class Full(TooLarge):
    """What a patient may store is used up."""

    title = Phrase("No more room in this request")


class Allowance:
    """What may still be stored in one case by its patient."""

    def __init__(self, db: Database, case_id: UUID, limits: Limits) -> None:
        self._db = db
        self._case_id = case_id
        self._limits = limits

    def take(self, size: int, instances: int) -> tuple[int, int]:
        """Reserve at least so many bytes and instances; how many were reserved. Raises Full, and then none are."""
        with self._db.transaction() as tx:
            connection = reading(tx)
            patient_id, state, waiting = self._one(connection, _CASE, (self._case_id,))
            connection.execute(_LOCK, (str(patient_id),))
            connection.execute(_OPEN, (self._case_id,))
            used, places, unaccepted = self._one(connection, _USED, {"case": self._case_id, "patient": patient_id})
            draft = state == CaseState.DRAFT
            left = min(self._limits.draft if draft else _NO_LIMIT, self._limits.case) - used
            if waiting:
                left = min(left, self._limits.patient - unaccepted)
            left_places = (self._limits.draft_instances if draft else _NO_LIMIT) - places
            if size > max(left, 0) or instances > max(left_places, 0):
                raise self._full("bytes" if size > max(left, 0) else "instances")
            granted = min(max(left, 0), max(size, _BLOCK)), min(max(left_places, 0), max(instances, _PLACES))
            connection.execute(_ADD, (*granted, self._case_id))
            return int(granted[0]), int(granted[1])

    def give_back(self, size: int, instances: int) -> None:
        """What was reserved and not stored."""
        if size or instances:
            with self._db.transaction() as tx:
                reading(tx).execute(_ADD, (-size, -instances, self._case_id))

    @staticmethod
    def returned(tx: Session, case_id: UUID, size: int, instances: int) -> None:
        """What was stored and is gone again."""
        reading(tx).execute(_ADD, (-size, -instances, case_id))

    def _full(self, what: str) -> Full:
        return Full(
            f"case {self._case_id} holds all {what} that its patient may store",
            safe="This request holds as many images as you can send by yourself. What is stored stays. "
            "Take out what is not needed, send your request, or write to us: we take larger ones another way.",
            quota=what,
        )

    @staticmethod
    def _one(connection: Any, query: str, values: Any) -> Any:
        row = connection.execute(query, values).fetchone()
        assert row is not None
        return row
