"""The API's part for admins: accounts, DICOM peers and prices."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from cases import kind_questions
from cases.bodies import Body, Email
from cases.kind_questions import AnswerForm, KindQuestion
from cases.operations import AFTER, LIMIT, Call, Operation, Parameter
from cases.service import admin_accounts, kinds, peers, people, programs
from cases.service.admin_accounts import AccountMade, AccountView
from cases.service.kinds import Cost, KindFields
from cases.service.peers import PeerView
from cases.service.programs import Readers
from cases.states import Needed
from cases.views import KindView, PriceView
from overread.kit.paging import Page
from overread.kit.principals import Role

_PEOPLE, _PEERS, _PRICES = "/api/v1/people", "/api/v1/peers", "/api/v1/prices"
_PROGRAMS = "/api/v1/programs"
_SEARCH = Parameter("q", "A part of a name or an address")
_ROLE = Parameter("role", "Whose accounts; everybody's where none is named", tuple(role.value for role in Role))
_ROLES = f"^({'|'.join(role.value for role in Role)})$"


class NewAccount(Body):
    """Somebody who is to have an account. The same `request_id` again makes no second one."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    email: Email
    role: Annotated[str, Field(pattern=_ROLES)]
    request_id: Annotated[str, Field(max_length=64)] = ""


class NewPeer(Body):
    """Where a DICOM peer is, and whom it acts for: without `owner_id` a principal of its own."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)]
    role: Literal["hospital", "specialist"]
    owner_id: UUID | None = None


class NewPrice(Body):
    """A price from now on, by the program's key; amounts in minor units of `currency` (ISO 4217)."""

    key: Annotated[str, Field(min_length=1, max_length=64)]
    label: Annotated[str, Field(min_length=1, max_length=80)]
    amount: Annotated[int, Field(ge=0, le=100_000_000)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    specialist_fee: Annotated[int, Field(ge=0, le=100_000_000)]


class Asked(Body):
    """A question that a kind of opinion asks of everybody; `options` of a choice alone."""

    key: Annotated[str, Field(min_length=1, max_length=32)]
    label: Annotated[str, Field(min_length=1, max_length=300)]
    hint: Annotated[str, Field(max_length=300)] = ""
    form: AnswerForm = AnswerForm.LINE
    options: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=20, default_factory=list)]
    required: bool = False


class KindChanges(Body):
    """A kind of opinion: what its patient gets, within how many days, whether it needs images, and what it asks."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    text: Annotated[str, Field(max_length=400)] = ""
    reading_days: Annotated[int, Field(ge=1, le=90)] = 5
    images: Needed = Needed.REQUIRED
    documents: Needed = Needed.OPTIONAL
    asks: Annotated[list[Asked], Field(max_length=kind_questions.MOST, default_factory=list)]
    active: bool = True
    checklist: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=30, default_factory=list)]

    def fields(self) -> KindFields:
        """The same for the service."""
        asks = [KindQuestion(a.key, a.label, a.hint, a.form, tuple(a.options), a.required) for a in self.asks]
        given = (self.name, self.text, self.reading_days, self.images, self.documents, asks, self.active)
        return KindFields(*given, self.checklist)


class NewKind(KindChanges):
    """Another kind of opinion, with its price in minor units of `currency`; free where no price is given."""

    price: Annotated[int, Field(gt=0, le=100_000_000)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    specialist_fee: Annotated[int, Field(ge=0, le=100_000_000)] = 0

    def cost(self) -> Cost | None:
        """The same for the service."""
        return None if self.price is None else Cost(self.price, self.currency, self.specialist_fee)


class Scope(Body):
    """What a program gives opinions about, all where nothing is named, and what it is not for, as people read it."""

    subjects: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=32)]
    unsuited: Annotated[str, Field(max_length=1_000)] = ""


def _everybody(c: Call) -> Page[AccountView]:
    search, role = c.query.get(_SEARCH.name, ""), c.query.get(_ROLE.name, "")
    return admin_accounts.everybody(c.tx, c.who, search, role, c.after, c.limit)


def _create(c: Call) -> AccountMade:
    b = c.body
    return admin_accounts.create(
        c.archive.db, c.who, role=Role(b.role), name=b.name, email=b.email, request_id=b.request_id
    )


def _register(c: Call) -> None:
    b = c.body
    peers.register(c.tx, c.who, c.path["title"], b.host, b.port, Role(b.role), owner_id=b.owner_id)


def _set_reader(c: Call, *, reads: bool) -> None:
    programs.set_reader(c.tx, c.who, c.path["program"], c.uuid("specialist"), reads=reads)


def _add_kind(c: Call) -> None:
    kinds.add(c.tx, c.who, c.path["program"], c.path["kind"], c.body.fields(), c.body.cost())


def _set_price(c: Call) -> None:
    b = c.body
    kinds.set_price(c.tx, c.who, b.key, b.label, b.amount, b.currency, specialist_fee=b.specialist_fee)


# fmt: off
OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", _PEOPLE, "administration", "Everybody's accounts, by role and name", _everybody,
              result=list[AccountView], parameters=(_SEARCH, _ROLE, AFTER, LIMIT)),
    Operation("POST", _PEOPLE, "administration", "Make an account", _create, NewAccount, AccountMade, 201, apart=True),
    Operation("POST", f"{_PEOPLE}/{{person}}/lock", "administration", "Lock somebody out, at once",
              lambda c: admin_accounts.lock(c.tx, c.who, c.uuid("person")), None, None, 204),
    Operation("POST", f"{_PEOPLE}/{{person}}/unlock", "administration", "Let somebody in again",
              lambda c: admin_accounts.unlock(c.tx, c.who, c.uuid("person")), None, None, 204),
    Operation("PUT", f"{_PROGRAMS}/{{program}}/scope", "administration", "What a program gives opinions about",
              lambda c: programs.set_scope(c.tx, c.who, c.path["program"], c.body.subjects, c.body.unsuited),
              Scope, None, 204),
    Operation("GET", f"{_PROGRAMS}/{{program}}/kinds", "administration", "Every kind of opinion of a program",
              lambda c: kinds.all_of(c.tx, c.who, c.path["program"]), result=list[KindView]),
    Operation("POST", f"{_PROGRAMS}/{{program}}/kinds/{{kind}}", "administration", "Give another kind of opinion",
              _add_kind, NewKind, None, 201),
    Operation("PUT", f"{_PROGRAMS}/{{program}}/kinds/{{kind}}", "administration", "Say anew what a kind is",
              lambda c: kinds.change(c.tx, c.who, c.path["program"], c.path["kind"], c.body.fields()),
              KindChanges, None, 204),
    Operation("GET", f"{_PROGRAMS}/readers", "administration", "Who reads for which program",
              lambda c: programs.readers(c.tx, c.who), result=list[Readers]),
    Operation("PUT", f"{_PROGRAMS}/{{program}}/readers/{{specialist}}", "administration",
              "Let a specialist read for a program", partial(_set_reader, reads=True), None, None, 204),
    Operation("DELETE", f"{_PROGRAMS}/{{program}}/readers/{{specialist}}", "administration",
              "Let a specialist read for a program no more", partial(_set_reader, reads=False), None, None, 204),
    Operation("POST", "/api/v1/licences/{licence}/verify", "administration", "A licence is as its holder entered it",
              lambda c: people.verify_licence(c.tx, c.who, c.uuid("licence")), None, None, 204),
    Operation("POST", "/api/v1/licences/{licence}/decline", "administration",
              "A licence is not as its holder entered it",
              lambda c: people.decline_licence(c.tx, c.who, c.uuid("licence")), None, None, 204),
    Operation("GET", _PEERS, "administration", "The DICOM peers",
              lambda c: peers.listed(c.tx, c.who), result=list[PeerView]),
    Operation("PUT", f"{_PEERS}/{{title}}", "administration", "Register a DICOM peer, or change its address", _register,
              NewPeer, None, 204),
    Operation("GET", _PRICES, "administration", "Every price, in force and past",
              lambda c: kinds.price_list(c.tx, c.who), result=list[PriceView]),
    Operation("POST", _PRICES, "administration", "Put a price in force; the one before it ends now", _set_price,
              NewPrice, None, 204),
)
# fmt: on
