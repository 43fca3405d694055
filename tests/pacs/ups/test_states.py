"""The states of a work item: the table whole (PS3.4 Table CC.1.1-2), and random requests against a plain model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pacs.ups.states import FINAL, TABLE, NotPossible, StepRefusal, StepState, check_update, next_state

UIDS = st.sampled_from(["1.2.3", "1.2.4", "", None])


def test_every_cell_is_there() -> None:
    assert set(TABLE) == {(requested, present) for requested in StepState for present in StepState}
    assert {target for target in TABLE.values() if isinstance(target, StepState)} == set(StepState) - {
        StepState.SCHEDULED
    }


@pytest.mark.parametrize(
    ("present", "requested", "given", "code"),
    [
        (StepState.SCHEDULED, StepState.SCHEDULED, "1", 0xC303),
        (StepState.COMPLETED, StepState.SCHEDULED, "1", 0xC303),
        (StepState.SCHEDULED, StepState.IN_PROGRESS, None, 0xC301),
        (StepState.SCHEDULED, StepState.COMPLETED, "1", 0xC310),
        (StepState.SCHEDULED, StepState.CANCELED, "1", 0xC310),
        (StepState.IN_PROGRESS, StepState.IN_PROGRESS, "1", 0xC302),
        (StepState.IN_PROGRESS, StepState.IN_PROGRESS, "2", 0xC302),
        (StepState.IN_PROGRESS, StepState.COMPLETED, "2", 0xC301),
        (StepState.IN_PROGRESS, StepState.CANCELED, None, 0xC301),
        (StepState.COMPLETED, StepState.IN_PROGRESS, "1", 0xC300),
        (StepState.COMPLETED, StepState.CANCELED, "1", 0xC300),
        (StepState.COMPLETED, StepState.COMPLETED, "2", 0xC301),
        (StepState.CANCELED, StepState.COMPLETED, "1", 0xC300),
    ],
)
def test_refusals_have_the_standards_codes(
    present: StepState, requested: StepState, given: str | None, code: int
) -> None:
    with pytest.raises(NotPossible) as refused:
        next_state(present, requested, None if present is StepState.SCHEDULED else "1", given)
    assert refused.value.reason.code == code


def test_warnings_change_nothing() -> None:
    assert next_state(StepState.CANCELED, StepState.CANCELED, "1", "1") is StepRefusal.ALREADY_CANCELED
    assert next_state(StepState.COMPLETED, StepState.COMPLETED, "1", "1") is StepRefusal.ALREADY_COMPLETED
    assert (StepRefusal.ALREADY_CANCELED.code, StepRefusal.ALREADY_COMPLETED.code) == (0xB304, 0xB306)


class Life(RuleBasedStateMachine):
    """A work item under random requests: only its claimer moves it on, and nothing leaves a final state."""

    def __init__(self) -> None:
        super().__init__()
        self.state = StepState.SCHEDULED
        self.lock: str | None = None
        self.finished: StepState | None = None

    @rule(requested=st.sampled_from(StepState), given=UIDS)
    def request(self, requested: StepState, given: str | None) -> None:
        before, lock = self.state, self.lock
        try:
            found = next_state(before, requested, lock, given)
        except NotPossible:
            return
        assert given
        if isinstance(found, StepRefusal):
            assert before in FINAL
            assert before == requested
            assert given == lock
            return
        assert found == requested
        if found is StepState.IN_PROGRESS:
            assert before is StepState.SCHEDULED
            self.lock = given
        else:
            assert before is StepState.IN_PROGRESS
            assert given == lock
            self.finished = found
        self.state = found

    @rule(given=UIDS)
    def update(self, given: str | None) -> None:
        allowed = (given == self.lock) if self.state is StepState.IN_PROGRESS else not given
        if self.state in FINAL or not allowed:
            with pytest.raises(NotPossible) as refused:
                check_update(self.state, self.lock, given)
            assert refused.value.reason is (StepRefusal.FINAL if self.state in FINAL else StepRefusal.WRONG_TRANSACTION)
        else:
            check_update(self.state, self.lock, given)

    @invariant()
    def locked_from_the_claim_on(self) -> None:
        assert (self.lock is None) == (self.state is StepState.SCHEDULED)
        assert self.finished in (None, self.state)


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=12, deadline=None)
TestLife = Life.TestCase
