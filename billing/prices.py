"""The price table: the only place that a price comes from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from billing.models import Price
from overread.kit import clock
from overread.kit.errors import BadInput, Conflict, NotFound
from overread.kit.language import gettext
from overread.kit.money import currency_code


def price(tx: Session, key: str, *, at: datetime | None = None) -> Price:
    """The price in force under a key, now or `at` a moment. Raises NotFound where there is none."""
    moment = at or clock.now()
    found = tx.scalar(
        select(Price)
        .where(Price.key == key, Price.valid_from <= moment)
        .where(or_(Price.valid_until.is_(None), Price.valid_until > moment))
        .order_by(Price.valid_from.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(f"no price {key!r} at {moment}", safe=gettext("There is no price for this at present."))
    return found


def prices(tx: Session, *, history: bool = False) -> list[Price]:
    """Every price in force by key; with `history` those of the past and the future too."""
    query = select(Price).order_by(Price.key, Price.valid_from)
    if not history:
        moment = clock.now()
        query = query.where(Price.valid_from <= moment)
        query = query.where(or_(Price.valid_until.is_(None), Price.valid_until > moment))
    return list(tx.scalars(query))


def set_price(
    tx: Session, key: str, label: str, amount: int, currency: str, *, valid_from: datetime | None = None
) -> Price:
    """Put a price in force from now or from a moment on; the one before it ends there, and stays on record.

    `amount` is in minor units. Raises BadInput for a negative amount or no currency, Conflict where a price begins
    at that moment or later already.
    """
    if amount < 0:
        raise BadInput(f"negative price {amount}", safe=gettext("A price can't be negative."))
    start = valid_from or clock.now()
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"billing.price/{key}"})
    if tx.scalar(select(func.count()).where(Price.key == key, Price.valid_from >= start)):
        raise Conflict(
            f"a later price of {key!r} exists", safe=gettext("A price beginning at that time or later exists already.")
        )
    before = tx.scalars(
        select(Price).where(Price.key == key, or_(Price.valid_until.is_(None), Price.valid_until > start))
    )
    for earlier in before:
        earlier.valid_until = start
    made = Price(key=key, label=label, amount=amount, currency=currency_code(currency), valid_from=start)
    tx.add(made)
    tx.flush()
    return made
