"""The states of a work item and what may become of them: PS3.4 CC.1.1, Table CC.1.1-2."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

from overread.kit.errors import Conflict


class StepState(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL = frozenset((StepState.COMPLETED, StepState.CANCELED))


class StepRefusal(Enum):
    """Status codes of PS3.4 CC.2.1-2, CC.2.2-2 and CC.2.6-1 with their sentences; B... are warnings."""

    ALREADY_CANCELED = 0xB304, "The UPS is already in the requested state of CANCELED."
    ALREADY_COMPLETED = 0xB306, "The UPS is already in the requested state of COMPLETED."
    FINAL = 0xC300, "The UPS may no longer be updated."
    WRONG_TRANSACTION = 0xC301, "The correct Transaction UID was not provided."
    ALREADY_IN_PROGRESS = 0xC302, "The UPS is already IN PROGRESS."
    ONLY_CREATED = 0xC303, "The UPS may only become SCHEDULED by being created."
    NOT_MET = 0xC304, "The UPS has not met final state requirements for the requested state change."
    NOT_IN_PROGRESS = 0xC310, "The UPS is not yet in the IN PROGRESS state."
    COMPLETED = 0xC311, "The UPS is already COMPLETED."
    UNREACHABLE = 0xC312, "The performer cannot be contacted."
    NOT_CANCELED = 0xC313, "Performer chooses not to cancel."

    @property
    def code(self) -> int:
        """The DIMSE status."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """The meaning, as the standard words it."""
        return self.value[1]


class NotPossible(Conflict):
    """The work item's state does not allow it; `reason` is the standard's, `safe` may tell more."""

    def __init__(self, reason: StepRefusal, more: str = "") -> None:
        sentence = f"{reason.sentence} {more}".strip()
        super().__init__(f"{reason.code:04X}H {sentence}", safe=sentence)
        self.reason = reason


#: (requested, present): the next state, a warning where it is there already, or why not. The Transaction UID aside.
TABLE: Mapping[tuple[StepState, StepState], StepState | StepRefusal] = {
    (StepState.SCHEDULED, StepState.SCHEDULED): StepRefusal.ONLY_CREATED,
    (StepState.SCHEDULED, StepState.IN_PROGRESS): StepRefusal.ONLY_CREATED,
    (StepState.SCHEDULED, StepState.COMPLETED): StepRefusal.ONLY_CREATED,
    (StepState.SCHEDULED, StepState.CANCELED): StepRefusal.ONLY_CREATED,
    (StepState.IN_PROGRESS, StepState.SCHEDULED): StepState.IN_PROGRESS,
    (StepState.IN_PROGRESS, StepState.IN_PROGRESS): StepRefusal.ALREADY_IN_PROGRESS,
    (StepState.IN_PROGRESS, StepState.COMPLETED): StepRefusal.FINAL,
    (StepState.IN_PROGRESS, StepState.CANCELED): StepRefusal.FINAL,
    (StepState.COMPLETED, StepState.SCHEDULED): StepRefusal.NOT_IN_PROGRESS,
    (StepState.COMPLETED, StepState.IN_PROGRESS): StepState.COMPLETED,
    (StepState.COMPLETED, StepState.COMPLETED): StepRefusal.ALREADY_COMPLETED,
    (StepState.COMPLETED, StepState.CANCELED): StepRefusal.FINAL,
    (StepState.CANCELED, StepState.SCHEDULED): StepRefusal.NOT_IN_PROGRESS,
    (StepState.CANCELED, StepState.IN_PROGRESS): StepState.CANCELED,
    (StepState.CANCELED, StepState.COMPLETED): StepRefusal.FINAL,
    (StepState.CANCELED, StepState.CANCELED): StepRefusal.ALREADY_CANCELED,
}


def next_state(
    present: StepState, requested: StepState, lock: str | None, given: str | None
) -> StepState | StepRefusal:
    """The state that a request leads to, or a warning where the work item is in it already. Raises NotPossible.

    `lock` is the Transaction UID of whoever made the item IN PROGRESS, `given` the request's.
    """
    found = TABLE[requested, present]
    if requested is not StepState.SCHEDULED:
        claims = requested is StepState.IN_PROGRESS or present is StepState.SCHEDULED
        if not given or (not claims and given != lock):
            raise NotPossible(StepRefusal.WRONG_TRANSACTION)
    if isinstance(found, StepRefusal) and found not in (StepRefusal.ALREADY_CANCELED, StepRefusal.ALREADY_COMPLETED):
        raise NotPossible(found)
    return found


def check_update(present: StepState, lock: str | None, given: str | None) -> None:
    """Whether attributes may be set now (CC.2.6.3). Raises NotPossible."""
    if present in FINAL:
        raise NotPossible(StepRefusal.FINAL)
    if (present is StepState.IN_PROGRESS and given != lock) or (present is StepState.SCHEDULED and given):
        raise NotPossible(StepRefusal.WRONG_TRANSACTION)
