"""What can go wrong with money, in words that a payer or a coordinator can act on.

Declined        402  the card's issuer said no; `code` tells why
HoldEnded       409  the hold expired or was given up; the payer must authorise again
NotHeld         409  there is nothing held that could be taken
NotRefundable   409  there is nothing left, or less than asked for, that could be given back
"""

from __future__ import annotations

from overread.kit.errors import Conflict, OverreadError
from overread.kit.language import Phrase


class Declined(OverreadError):
    """The card's issuer refused. `code` is the provider's decline code, such as `insufficient_funds`."""

    status = 402
    may_try_again = True
    title = Phrase("The card was declined")
    default_safe = Phrase("The card was declined. Nothing was charged. Please try another card or ask your bank.")

    def __init__(self, text: str = "", *, code: str, safe: str | None = None) -> None:
        super().__init__(text, safe=safe, code=code)
        self.code = code


class AuthorisationEnded(Conflict):
    """The hold on the card expired or was given up."""

    title = Phrase("The hold on the card has ended")
    default_safe = Phrase(
        "The hold on the card has ended and nothing was charged. The payer must authorise the payment again."
    )


class NotAuthorised(Conflict):
    """Nothing is held for this subject."""

    title = Phrase("No payment is authorised")
    default_safe = Phrase("No payment has been authorised yet. The payer must complete the payment first.")


class NotRefundable(Conflict):
    """Nothing, or less than asked for, can be given back."""

    title = Phrase("This can't be refunded")
    default_safe = Phrase("There is nothing left to refund, or less than the amount that was asked for.")
