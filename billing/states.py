"""The states of a payment, and every move between them, as a table.

A look at the provider may find a payment several moves further on, because webhooks get lost and come unordered:
`path` finds the shortest way through the table, so that every state on the way is recorded and told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import StrEnum


class PaymentState(StrEnum):
    """Where the money is."""

    NONE = "none"  # nothing yet: a price and perhaps an open payment page
    METHOD_SAVED = "method_saved"  # a card is kept, nothing is held
    REQUIRES_ACTION = "requires_action"  # the payer must act: confirm with the bank, or pay by a link
    AUTHORISED = "authorised"  # held
    CAPTURING = "capturing"  # being taken
    CAPTURED = "captured"  # taken
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"  # the payer's bank has asked for it back
    WON = "won"
    LOST = "lost"
    VOIDED = "voided"  # the hold, or the wish to pay, was given up
    EXPIRED = "expired"  # the hold or the payment page ran out
    FAILED = "failed"  # the card was refused for good


_S = PaymentState

MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    _S.NONE: frozenset({_S.METHOD_SAVED, _S.REQUIRES_ACTION, _S.AUTHORISED, _S.VOIDED, _S.EXPIRED, _S.FAILED}),
    _S.METHOD_SAVED: frozenset({_S.REQUIRES_ACTION, _S.AUTHORISED, _S.VOIDED, _S.FAILED}),
    _S.REQUIRES_ACTION: frozenset({_S.AUTHORISED, _S.VOIDED, _S.EXPIRED, _S.FAILED}),
    # Back to requires_action: the hold was to be renewed and the bank wants to see the card's owner.
    _S.AUTHORISED: frozenset({_S.CAPTURING, _S.REQUIRES_ACTION, _S.VOIDED, _S.EXPIRED}),
    _S.CAPTURING: frozenset({_S.CAPTURED, _S.VOIDED, _S.EXPIRED, _S.FAILED}),
    _S.CAPTURED: frozenset({_S.PARTLY_REFUNDED, _S.REFUNDED, _S.DISPUTED}),
    _S.PARTLY_REFUNDED: frozenset({_S.REFUNDED, _S.DISPUTED}),
    _S.REFUNDED: frozenset(),
    _S.DISPUTED: frozenset({_S.WON, _S.LOST}),
    _S.WON: frozenset({_S.PARTLY_REFUNDED, _S.REFUNDED}),
    _S.LOST: frozenset(),
    _S.VOIDED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.FAILED: frozenset(),
}

# The subject is free to pay anew: such a payment no longer stands for it.
OVER = frozenset({_S.REFUNDED, _S.LOST, _S.VOIDED, _S.EXPIRED, _S.FAILED})

# The provider is asked again and again about these until they move on.
UNSETTLED = frozenset({_S.NONE, _S.REQUIRES_ACTION, _S.AUTHORISED, _S.CAPTURING, _S.DISPUTED})

# The money has been taken and is not (wholly) given back.
TAKEN = frozenset({_S.CAPTURED, _S.PARTLY_REFUNDED, _S.WON})


def path(start: PaymentState, goal: PaymentState) -> list[PaymentState] | None:
    """The states to enter one after another, `goal` last; empty where we are there; None where no way leads."""
    ways: deque[list[PaymentState]] = deque([[start]])
    seen = {start}
    while ways:
        way = ways.popleft()
        if way[-1] is goal:
            return way[1:]
        for following in sorted(MOVES[way[-1]] - seen):
            seen.add(following)
            ways.append([*way, following])
    return None
