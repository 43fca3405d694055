"""The states of a work item: the table whole (PS3.4 Table CC.1.1-2), and random requests against a plain model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pacs.ups.states import FINAL, TABLE, NotPossible, Reason, State, check_update, next_state

UIDS = st.sampled_from(["1.2.3", "1.2.4", "", None])


def test_every_cell_is_there() -> None:
    assert set(TABLE) == {(requested, present) for requested in State for present in State}
    assert {target for target in TABLE.values() if isinstance(target, State)} == set(State) - {State.SCHEDULED}


@pytest.mark.parametrize(
    ("present", "requested", "given", "code"),
    [
        (State.SCHEDULED, State.SCHEDULED, "1", 0xC303),
        (State.COMPLETED, State.SCHEDULED, "1", 0xC303),
        (State.SCHEDULED, State.IN_PROGRESS, None, 0xC301),
        (State.SCHEDULED, State.COMPLETED, "1", 0xC310),
        (State.SCHEDULED, State.CANCELED, "1", 0xC310),
        (State.IN_PROGRESS, State.IN_PROGRESS, "1", 0xC302),
        (State.IN_PROGRESS, State.IN_PROGRESS, "2", 0xC302),
        (State.IN_PROGRESS, State.COMPLETED, "2", 0xC301),
        (State.IN_PROGRESS, State.CANCELED, None, 0xC301),
        (State.COMPLETED, State.IN_PROGRESS, "1", 0xC300),
        (State.COMPLETED, State.CANCELED, "1", 0xC300),
        (State.COMPLETED, State.COMPLETED, "2", 0xC301),
        (State.CANCELED, State.COMPLETED, "1", 0xC300),
    ],
)
def test_refusals_have_the_standards_codes(present: State, requested: State, given: str | None, code: int) -> None:
    with pytest.raises(NotPossible) as refused:
        next_state(present, requested, None if present is State.SCHEDULED else "1", given)
    assert refused.value.reason.code == code


def test_warnings_change_nothing() -> None:
    assert next_state(State.CANCELED, State.CANCELED, "1", "1") is Reason.ALREADY_CANCELED
    assert next_state(State.COMPLETED, State.COMPLETED, "1", "1") is Reason.ALREADY_COMPLETED
    assert (Reason.ALREADY_CANCELED.code, Reason.ALREADY_COMPLETED.code) == (0xB304, 0xB306)


class Life(RuleBasedStateMachine):
    """A work item under random requests: only its claimer moves it on, and nothing leaves a final state."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.SCHEDULED
        self.lock: str | None = None
        self.finished: State | None = None

    @rule(requested=st.sampled_from(State), given=UIDS)
    def request(self, requested: State, given: str | None) -> None:
        before, lock = self.state, self.lock
        try:
            found = next_state(before, requested, lock, given)
        except NotPossible:
            return
        assert given
        if isinstance(found, Reason):
            assert before in FINAL
            assert before == requested
            assert given == lock
            return
        assert found == requested
        if found is State.IN_PROGRESS:
            assert before is State.SCHEDULED
            self.lock = given
        else:
            assert before is State.IN_PROGRESS
            assert given == lock
            self.finished = found
        self.state = found

    @rule(given=UIDS)
    def update(self, given: str | None) -> None:
        allowed = (given == self.lock) if self.state is State.IN_PROGRESS else not given
        if self.state in FINAL or not allowed:
            with pytest.raises(NotPossible) as refused:
                check_update(self.state, self.lock, given)
            assert refused.value.reason is (Reason.FINAL if self.state in FINAL else Reason.WRONG_TRANSACTION)
        else:
            check_update(self.state, self.lock, given)

    @invariant()
    def locked_from_the_claim_on(self) -> None:
        assert (self.lock is None) == (self.state is State.SCHEDULED)
        assert self.finished in (None, self.state)


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=12, deadline=None)
TestLife = Life.TestCase
