"""Opening a program from the command line: what patients can ask for, and what it costs."""

from __future__ import annotations

from sqlalchemy import select

from cases.service import kinds, programs
from cases.service.kinds import Cost, KindFields
from overread import models
from overread.kit import principals
from overread.kit.db import Database
from overread.kit.language import gettext
from overread.kit.principals import PrincipalRow, Role
from overread.kit.settings import Settings


def add(settings: Settings, slug: str, name: str, *, price: int, currency: str, fee: int, reading_days: int) -> None:
    """Open a program that gives written reports; a price of 0 (minor units): free.

    Raises Conflict where the short name is taken.
    """
    models.load()
    assert settings.database_url is not None
    db = Database(settings.database_url, pool_size=1)
    try:
        with db.transaction() as tx:
            operator = tx.scalars(
                select(PrincipalRow).where(PrincipalRow.role == Role.ADMIN.value, PrincipalRow.name == "operator")
            ).first() or principals.create(tx, role=Role.ADMIN, name="operator")
            who = operator.as_principal(via="cli")
            programs.create(tx, who, slug, name)
            written = KindFields(gettext("Written report"), reading_days=reading_days)
            kinds.add(tx, who, slug, "report", written, Cost(price, currency, fee) if price else None)
    finally:
        db.close()
