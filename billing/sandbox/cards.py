"""The test cards (https://docs.stripe.com/testing) and what a card form checks before anything is charged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Card:
    """How a test card behaves.

    `decline` is a decline code; `challenge` is "" (never), "setup" (once, then remembered) or "always";
    `later` tells that it declines only when it is charged without its owner.
    """

    brand: str
    decline: str = ""
    challenge: str = ""
    later: bool = False
    disputes: bool = False


CARDS: dict[str, Card] = {
    "4242424242424242": Card("visa"),
    "5555555555554444": Card("mastercard"),
    "378282246310005": Card("amex"),
    "4000000000000002": Card("visa", decline="generic_decline"),
    "4000000000009995": Card("visa", decline="insufficient_funds"),
    "4000000000009987": Card("visa", decline="lost_card"),
    "4000000000009979": Card("visa", decline="stolen_card"),
    "4000000000000069": Card("visa", decline="expired_card"),
    "4000000000000127": Card("visa", decline="incorrect_cvc"),
    "4000000000000119": Card("visa", decline="processing_error"),
    "4000000000000341": Card("visa", decline="generic_decline", later=True),
    "4000000000000259": Card("visa", disputes=True),
    "4000002500003155": Card("visa", challenge="setup"),
    "4000002760003184": Card("visa", challenge="always"),
}

# Payment methods that tests may name instead of a card's number.
TOKENS: dict[str, str] = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_chargeCustomerFail": "4000000000000341",
}

# code, message; a code other than card_declined has no decline_code of its own.
_REASONS: dict[str, tuple[str, str]] = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}


def reason(decline: str) -> dict[str, str]:
    """The fields of a card_error for a decline code: code, decline_code where there is one, message."""
    code, message = _REASONS[decline]
    fields = {"code": code, "message": message}
    if code in ("card_declined", "authentication_required"):
        fields["decline_code"] = decline
    return fields


@dataclass(frozen=True)
class Entered:
    """A card as it came through the form, checked."""

    number: str
    month: int
    year: int

    @property
    def card(self) -> Card:
        """How this card behaves."""
        return CARDS[self.number]


def _luhn(number: str) -> bool:
    digits = [int(c) for c in reversed(number)]
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


def check(number: str, expiry: str, cvc: str, now: datetime) -> Entered | dict[str, str]:
    """The checked card, or a sentence a field (`number`, `expiry`, `cvc`) that says what to mend."""
    wrong: dict[str, str] = {}
    number = re.sub(r"[\s-]", "", number)
    if not number:
        wrong["number"] = "Enter the card number."
    elif not number.isascii() or not number.isdigit() or not 12 <= len(number) <= 19:
        wrong["number"] = "The card number is incomplete."
    elif not _luhn(number):
        wrong["number"] = "That card number is not valid. Check its digits."
    elif number not in CARDS:
        wrong["number"] = "Only test cards work here. Never enter a real card on this page."
    month = year = 0
    if not expiry.strip():
        wrong["expiry"] = "Enter the expiry date."
    elif not (found := re.fullmatch(r"\s*(\d{1,2})\s*[/-]?\s*(\d{2}|\d{4})\s*", expiry)):
        wrong["expiry"] = "Write the expiry date as MM / YY."
    else:
        month, year = int(found[1]), int(found[2]) % 100 + 2000
        if not 1 <= month <= 12:
            wrong["expiry"] = "The month must be between 01 and 12."
        elif (year, month) < (now.year, now.month):
            wrong["expiry"] = "This card's expiry date is in the past."
        elif year > now.year + 50:
            wrong["expiry"] = "That expiry year is too far ahead."
    digits = 4 if number in CARDS and CARDS[number].brand == "amex" else 3
    if not cvc.strip():
        wrong["cvc"] = "Enter the security code."
    elif not re.fullmatch(rf"\d{{{digits}}}", cvc.strip(), re.ASCII):
        wrong["cvc"] = f"The security code has {digits} digits."
    return wrong or Entered(number, month, year)
