"""What billing tells the rooms above: each event is enqueued in the transaction that makes it true.

An event names the state that the payment came from and says nothing about what to do. Handlers look the payment up
(`service.find`): by the time an event is heard, the payment may have moved on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing.states import PaymentState
from overread.kit.jobs import Event


@dataclass(frozen=True)
class PaymentEvent(Event):
    """A payment moved. Amounts are in minor units of `currency`; `refunded` is the sum given back so far."""

    payment_id: str
    subject_ref: str
    amount: int
    refunded: int
    currency: str
    previous: str


class PaymentMethodSaved(PaymentEvent):
    """A card is kept; nothing is held."""

    name = "billing.payment_method_saved"


class PaymentActionRequired(PaymentEvent):
    """The payer must act: a pay link is needed unless they are on the payment page now."""

    name = "billing.payment_action_required"


class PaymentAuthorised(PaymentEvent):
    """The amount is held."""

    name = "billing.payment_authorised"


class PaymentCaptured(PaymentEvent):
    """The amount was taken."""

    name = "billing.payment_captured"


class PaymentPartlyRefunded(PaymentEvent):
    """A part was given back; `refunded` is the sum of all parts."""

    name = "billing.payment_partly_refunded"


class PaymentRefunded(PaymentEvent):
    """All was given back."""

    name = "billing.payment_refunded"


class PaymentDisputed(PaymentEvent):
    """The payer's bank has taken the money back until the dispute is settled."""

    name = "billing.payment_disputed"


class PaymentDisputeWon(PaymentEvent):
    """The dispute was settled for us."""

    name = "billing.payment_dispute_won"


class PaymentDisputeLost(PaymentEvent):
    """The dispute was settled against us."""

    name = "billing.payment_dispute_lost"


class PaymentVoided(PaymentEvent):
    """The hold was released; nothing was charged."""

    name = "billing.payment_voided"


class PaymentExpired(PaymentEvent):
    """The hold (`previous` authorised) or the payment page (`previous` none) ran out."""

    name = "billing.payment_expired"


class PaymentFailed(PaymentEvent):
    """The card was refused for good."""

    name = "billing.payment_failed"


class PaymentAuthorisationEnding(PaymentEvent):
    """A hold ends within a day: time to nudge, and to renew it where the card was saved."""

    name = "billing.payment_authorisation_ending"


@dataclass(frozen=True)
class WebhookReceived(Event):
    """The provider has told us something; `webhook_id` is its row."""

    name = "billing.webhook_received"

    webhook_id: str


@dataclass(frozen=True)
class AuthorisationReplaced(Event):
    """A hold that another has replaced is to be released, now that the replacement is on record."""

    name = "billing.authorisation_replaced"

    payment_id: str
    payment_intent_id: str


@dataclass(frozen=True)
class PaymentUncertain(Event):
    """The provider is to be asked what became of a payment."""

    name = "billing.payment_uncertain"

    payment_id: str


# Entering a state is told of by this event; `capturing` is nobody's business but ours.
OF_STATE: Mapping[PaymentState, type[PaymentEvent]] = {
    PaymentState.METHOD_SAVED: PaymentMethodSaved,
    PaymentState.REQUIRES_ACTION: PaymentActionRequired,
    PaymentState.AUTHORISED: PaymentAuthorised,
    PaymentState.CAPTURED: PaymentCaptured,
    PaymentState.PARTLY_REFUNDED: PaymentPartlyRefunded,
    PaymentState.REFUNDED: PaymentRefunded,
    PaymentState.DISPUTED: PaymentDisputed,
    PaymentState.WON: PaymentDisputeWon,
    PaymentState.LOST: PaymentDisputeLost,
    PaymentState.VOIDED: PaymentVoided,
    PaymentState.EXPIRED: PaymentExpired,
    PaymentState.FAILED: PaymentFailed,
}
