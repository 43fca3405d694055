"""Opening a program from the command line: what patients can ask for, and what it costs."""

from __future__ import annotations

from sqlalchemy import select

from billing import prices
from cases.service import programs
from overread import models
from overread.kit import principals
from overread.kit.db import Database
from overread.kit.principals import PrincipalRow, Role
from overread.kit.settings import Settings


def add(settings: Settings, slug: str, name: str, *, price: int, currency: str, fee: int, reading_days: int) -> None:
    """Open a program; a price of 0 (minor units) makes it free. Raises Conflict where the short name is taken."""
    models.load()
    assert settings.database_url is not None
    db = Database(settings.database_url, pool_size=1)
    try:
        with db.transaction() as tx:
            operator = tx.scalars(
                select(PrincipalRow).where(PrincipalRow.role == Role.ADMIN.value, PrincipalRow.name == "operator")
            ).first() or principals.create(tx, role=Role.ADMIN, name="operator")
            if price:
                prices.set_price(tx, slug, name, price, currency)
            programs.create(
                tx,
                operator.as_principal(via="cli"),
                slug,
                name,
                price_key=slug if price else None,
                currency=currency,
                specialist_fee=fee,
                reading_days=reading_days,
            )
    finally:
        db.close()
