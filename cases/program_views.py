"""What everybody is shown of programs, their kinds of opinion and prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.kind_questions import KindQuestion


@dataclass(frozen=True, slots=True)
class KindView:
    """A kind of opinion. Amounts in minor units of `currency` (ISO 4217).

    `price`: 0 where it is free (`price_key` is None then); `price_text`: as people read it; `images`: whether it needs
    them (`states.Needed`), `documents` the same; `asks`: what it asks besides the patient's own questions.
    """

    slug: str
    name: str
    text: str
    price_key: str | None
    price: int
    currency: str
    price_text: str
    specialist_fee: int
    reading_days: int
    images: str
    documents: str
    asks: tuple[KindQuestion, ...]
    active: bool


@dataclass(frozen=True, slots=True)
class ProgramView:
    """A program that patients can ask for: `kinds` of opinion that can be chosen now.

    `places`: where its patients may be now; `subjects`: what an opinion can be about; `unsuited`: what it is not for.
    """

    program_id: UUID
    slug: str
    name: str
    tagline: str
    kinds: tuple[KindView, ...]
    late_refund_percent: int
    places: frozenset[str]
    excluded_places: tuple[str, ...]
    subjects: tuple[str, ...]
    unsuited: str


@dataclass(frozen=True, slots=True)
class PriceView:
    """A price from when on and until when, for admins. `amount` in minor units of `currency`; `current`: in force."""

    key: str
    label: str
    amount: int
    currency: str
    valid_from: datetime
    valid_until: datetime | None
    current: bool
