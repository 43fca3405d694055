"""The kinds of opinion that programs give, and what they cost: for admins, and for whoever chooses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import prices as billing
from billing.models import Price
from cases import checklists, kind_questions
from cases.kind_questions import KindQuestion
from cases.models import OpinionKind, Program
from cases.repository import active_program
from cases.states import Needed
from cases.views import KindView, PriceView
from overread.kit import audit, permissions
from overread.kit.errors import Conflict, NotFound, Unprocessable
from overread.kit.language import gettext
from overread.kit.money import currency_code, formatted
from overread.kit.permissions import Permission
from overread.kit.principals import Principal
from overread.kit.texts import trimmed

_MOST_NAME, _MOST_TEXT, _MOST_DAYS, _MOST_KINDS = 120, 400, 90, 20


@dataclass(frozen=True, slots=True)
class KindFields:
    """What an admin says of a kind of opinion. `text`: what its patient gets; `asks`: what it asks of everybody.

    `checklist`: what coordinators see to before a specialist is asked.
    """

    name: str
    text: str = ""
    reading_days: int = 5
    images: Needed = Needed.REQUIRED
    documents: Needed = Needed.OPTIONAL
    asks: Sequence[KindQuestion] = ()
    active: bool = True
    checklist: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a kind costs and what its specialist earns of that, in minor units of a currency (ISO 4217)."""

    amount: int
    currency: str
    specialist_fee: int = 0


def chosen(program: Program, slug: str) -> OpinionKind:
    """A kind that a program gives now, its first one where none is named. Raises Unprocessable."""
    found = next((kind for kind in program.kinds if kind.active and slug in ("", kind.slug)), None)
    if found is None:
        raise Unprocessable(f"no kind {slug!r} of {program.slug}", safe=gettext("Please choose an opinion."))
    return found


def in_force(tx: Session) -> dict[str, Price]:
    """The prices of now by their keys."""
    return {price.key: price for price in billing.prices(tx)}


def on_offer(program: Program, current: Mapping[str, Price]) -> tuple[KindView, ...]:
    """The kinds of a program that can be chosen: those that are free, or have a price now (`in_force`)."""
    return tuple(
        view(kind, current.get(kind.price_key or ""))
        for kind in program.kinds
        if kind.active and (kind.price_key is None or kind.price_key in current)
    )


def all_of(tx: Session, who: Principal, program_slug: str) -> list[KindView]:
    """Every kind of a program, those too that are given no more. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.PROGRAMS_READ)
    current = in_force(tx)
    return [view(kind, current.get(kind.price_key or "")) for kind in active_program(tx, program_slug).kinds]


def checklist_of(tx: Session, who: Principal, program_slug: str, slug: str) -> list[str]:
    """The checklist of a kind of a program. Raises Forbidden, NotFound."""
    permissions.require(who, Permission.PROGRAMS_READ)
    found = next((kind for kind in active_program(tx, program_slug).kinds if kind.slug == slug), None)
    if found is None:
        raise NotFound(f"no kind {slug!r} of {program_slug}")
    return list(found.checklist)


def add(
    tx: Session, who: Principal, program_slug: str, slug: str, fields: KindFields, cost: Cost | None = None
) -> None:
    """Have a program give another kind of opinion, behind those it gives; without `cost` it is free, and stays so.

    Raises Forbidden, NotFound, Conflict where the short name is taken, Unprocessable.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, program_slug, lock=True)
    if not (0 < len(slug) <= 32 and slug.isascii() and slug.replace("-", "").isalnum() and slug == slug.lower()):
        raise Unprocessable(
            "slug of a kind",
            safe=gettext("A short name is made of small letters, digits and hyphens, such as “written-report”."),
        )
    if any(kind.slug == slug for kind in program.kinds):
        raise Conflict(f"kind {slug!r} exists", safe=gettext("The program has a kind with this short name already."))
    if len(program.kinds) >= _MOST_KINDS:
        raise Unprocessable("kinds", safe=gettext("A program has %(most)s kinds at most.", most=_MOST_KINDS))
    kind = OpinionKind(program_id=program.id, slug=slug, position=len(program.kinds))
    _fill(kind, fields)
    if cost is not None:
        if cost.amount <= 0:
            raise Unprocessable("a price of nothing", safe=gettext("A price is more than nothing, or there is none."))
        kind.price_key = f"{program.slug}.{slug}"[:64]
        kind.currency = currency_code(cost.currency)
    tx.add(kind)
    tx.flush()
    tx.refresh(program, ["kinds"])
    audit.record(tx, who, "kind.add", "program", program.id, slug=slug)
    if cost is not None and kind.price_key is not None:
        set_price(tx, who, kind.price_key, fields.name, cost.amount, cost.currency, specialist_fee=cost.specialist_fee)


def change(tx: Session, who: Principal, program_slug: str, slug: str, fields: KindFields) -> None:
    """Say anew what a kind is; requests that were sent keep their due time and what they paid.

    Raises Forbidden, NotFound, Unprocessable.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    program = active_program(tx, program_slug, lock=True)
    kind = next((one for one in program.kinds if one.slug == slug), None)
    if kind is None:
        raise NotFound(f"no kind {slug!r} of {program_slug}")
    _fill(kind, fields)
    tx.flush()
    audit.record(tx, who, "kind.change", "program", program.id, slug=slug, active=fields.active)


def price_list(tx: Session, who: Principal) -> list[PriceView]:
    """Every price, those in force and those of the past and the future, the newest last. Raises Forbidden."""
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    current = {price.id for price in billing.prices(tx)}
    return [
        PriceView(p.key, p.label, p.amount, p.currency, p.valid_from, p.valid_until, p.id in current)
        for p in billing.prices(tx, history=True)
    ]


def set_price(
    tx: Session, who: Principal, key: str, label: str, amount: int, currency: str, *, specialist_fee: int
) -> None:
    """Put a kind's price in force; the one before it ends now and stays on record. Amounts in minor units.

    Raises Forbidden, NotFound where no kind has this key, Unprocessable where the fee is more than the price.
    """
    permissions.require(who, Permission.PROGRAMS_MANAGE)
    kind = tx.scalars(select(OpinionKind).where(OpinionKind.price_key == key)).one_or_none()
    if kind is None:
        raise NotFound(f"no kind with the price {key!r}")
    if specialist_fee > amount:
        raise Unprocessable(f"a fee of {specialist_fee} of {amount}", safe=gettext("The fee is a part of the price."))
    billing.set_price(tx, key, label, amount, currency)
    kind.specialist_fee, kind.currency = specialist_fee, currency
    audit.record(tx, who, "price.set", "price", key, amount=amount, currency=currency, fee=specialist_fee)


def now(tx: Session, kind: OpinionKind) -> KindView:
    """A kind with its price of now. Raises NotFound where it costs something and has none."""
    return view(kind, billing.price(tx, kind.price_key) if kind.price_key else None)


def view(kind: OpinionKind, price: Price | None) -> KindView:
    """A kind with its price of now; None where it is free, or has none at present."""
    currency = price.currency if price else kind.currency
    return KindView(
        slug=kind.slug,
        name=kind.name,
        text=kind.text,
        price_key=kind.price_key,
        price=price.amount if price else 0,
        currency=currency,
        price_text=formatted(price.amount, currency) if price else "free",
        specialist_fee=kind.specialist_fee,
        reading_days=kind.reading_days,
        images=kind.images.value,
        documents=kind.documents.value,
        asks=kind_questions.of(kind.asks),
        active=kind.active,
    )


def _fill(kind: OpinionKind, fields: KindFields) -> None:
    name, text = trimmed(fields.name), trimmed(fields.text)
    if not name or len(name) > _MOST_NAME or len(text) > _MOST_TEXT:
        raise Unprocessable(
            "name or text of a kind",
            safe=gettext(
                "A kind has a name of %(name)s characters and a text of %(text)s at most.",
                name=_MOST_NAME,
                text=_MOST_TEXT,
            ),
        )
    if not 1 <= fields.reading_days <= _MOST_DAYS:
        raise Unprocessable(
            f"{fields.reading_days} days", safe=gettext("The days are a number from 1 to %(most)s.", most=_MOST_DAYS)
        )
    kind.name, kind.text, kind.reading_days = name, text, fields.reading_days
    kind.images, kind.documents, kind.active = fields.images, fields.documents, fields.active
    kind.asks = kind_questions.kept(fields.asks)
    kind.checklist = checklists.kept(fields.checklist)
