"""The price table: dated, never overwritten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import service
from overread.kit import clock
from overread.kit.db import Session
from overread.kit.errors import BadInput, Conflict, NotFound
from overread.kit.money import formatted


def test_a_new_price_ends_the_old_one(tx: Session) -> None:
    now = clock.now()
    service.set_price(tx, "quick", "Quick read", 9900, "usd", valid_from=now - timedelta(days=10))
    service.set_price(tx, "quick", "Quick read", 12000, "USD", valid_from=now - timedelta(days=1))
    service.set_price(tx, "quick", "Quick read", 15000, "USD", valid_from=now + timedelta(days=1))
    assert service.price(tx, "quick").amount == 12000
    assert service.price(tx, "quick").currency == "USD"
    assert service.price(tx, "quick", at=now - timedelta(days=5)).amount == 9900
    assert service.price(tx, "quick", at=now + timedelta(days=2)).amount == 15000
    assert [p.amount for p in service.prices(tx)] == [12000]
    assert [p.amount for p in service.prices(tx, history=True)] == [9900, 12000, 15000]
    with pytest.raises(NotFound):
        service.price(tx, "quick", at=now - timedelta(days=11))
    with pytest.raises(Conflict):
        service.set_price(tx, "quick", "Quick read", 1, "USD")


def test_what_is_no_price(tx: Session) -> None:
    with pytest.raises(BadInput):
        service.set_price(tx, "quick", "Quick read", -1, "USD")
    for code in ("US", "dollars", "US1", "ÄÖÜ"):
        with pytest.raises(BadInput):
            service.set_price(tx, "quick", "Quick read", 1, code)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (35000, "USD", "$350.00"),
        (1234567, "eur", "€12,345.67"),
        (5, "GBP", "£0.05"),
        (35000, "JPY", "¥35,000"),
        (1500, "KWD", "KWD 1.500"),
        (-250, "CHF", "-CHF 2.50"),
    ],
)
def test_amounts_as_people_read_them(amount: int, currency: str, text: str) -> None:
    assert formatted(amount, currency) == text
