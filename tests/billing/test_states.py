"""Every cell of the table of states, the forbidden ones too."""

from __future__ import annotations

import itertools

import pytest

from billing.events import OF_STATE
from billing.states import MOVES, OVER, TAKEN, UNSETTLED, PaymentState, path

# Written out by hand, so that a slip in the table shows: from -> what may follow directly.
ALLOWED = {
    "none": "method_saved requires_action authorised voided expired failed",
    "method_saved": "requires_action authorised voided failed",
    "requires_action": "authorised voided expired failed",
    "authorised": "capturing requires_action voided expired",
    "capturing": "captured voided expired failed",
    "captured": "partly_refunded refunded disputed",
    "partly_refunded": "refunded disputed",
    "refunded": "",
    "disputed": "won lost",
    "won": "partly_refunded refunded",
    "lost": "",
    "voided": "",
    "expired": "",
    "failed": "",
}


@pytest.mark.parametrize(("start", "goal"), list(itertools.product(PaymentState, PaymentState)))
def test_every_cell(start: PaymentState, goal: PaymentState) -> None:
    allowed = goal in ALLOWED[start].split()
    assert (goal in MOVES[start]) is allowed
    way = path(start, goal)
    if start is goal:
        assert way == []
    elif allowed:
        assert way == [goal]
    elif way is not None:
        # A detour is made of allowed moves only and begins and ends where it says.
        assert all(b in ALLOWED[a].split() for a, b in itertools.pairwise([start, *way]))
        assert way[-1] is goal


def test_the_ends_are_ends() -> None:
    assert {state for state in PaymentState if not MOVES[state]} == set(OVER)


@pytest.mark.parametrize("start", [s for s in PaymentState if s in TAKEN or s in OVER or s is PaymentState.DISPUTED])
def test_money_that_was_taken_or_is_over_is_never_held_again(start: PaymentState) -> None:
    for goal in (
        PaymentState.NONE,
        PaymentState.METHOD_SAVED,
        PaymentState.AUTHORISED,
        PaymentState.CAPTURING,
        PaymentState.VOIDED,
    ):
        if start is not goal:
            assert path(start, goal) is None


def test_lost_webhooks_are_walked_through() -> None:
    assert path(PaymentState.NONE, PaymentState.REFUNDED) == [
        PaymentState.AUTHORISED,
        PaymentState.CAPTURING,
        PaymentState.CAPTURED,
        PaymentState.REFUNDED,
    ]


def test_every_state_that_concerns_others_has_an_event() -> None:
    assert set(PaymentState) - set(OF_STATE) == {PaymentState.NONE, PaymentState.CAPTURING}
    assert len(set(OF_STATE.values())) == len(OF_STATE)
    assert not UNSETTLED & OVER
