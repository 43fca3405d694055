"""Amounts as people read them; everywhere else money is an integer of minor units and an ISO 4217 currency."""

from __future__ import annotations

import re

from overread.kit.errors import BadInput
from overread.kit.language import gettext

# Stripe's zero- and three-decimal currencies (https://docs.stripe.com/currencies); all others have two.
_ZERO = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}


def currency_code(text: str) -> str:
    """An ISO 4217 code in capitals. Raises BadInput for anything else."""
    if not re.fullmatch(r"[A-Za-z]{3}", text, re.ASCII):
        raise BadInput(
            f"{text!r} is no currency", safe=gettext("The currency must be a three-letter code, such as USD.")
        )
    return text.upper()


def formatted(amount: int, currency: str) -> str:
    """An amount in minor units as text: 35000, "USD" -> "$350.00"; "CHF" -> "CHF 350.00"."""
    code = currency.upper()
    places = 0 if code in _ZERO else 3 if code in _THREE else 2
    whole, part = divmod(abs(amount), 10**places)
    number = f"{whole:,}" + (f".{part:0{places}d}" if places else "")
    return ("-" if amount < 0 else "") + (_SIGNS[code] + number if code in _SIGNS else f"{code} {number}")
