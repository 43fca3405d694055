"""One operation of the JSON API: a line of the table that routes and their description are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.orm import Session

from billing.gateway import Gateway
from cases.imaging import Archive
from overread.kit.errors import BadInput, NotFound
from overread.kit.principals import Principal
from overread.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a query; `choices`: the values that it takes, where not every text."""

    name: str
    about: str
    choices: tuple[str, ...] = ()


#: Of every list that comes in pages: the answer's Link names the next one, where there is one (RFC 8288).
AFTER = Parameter("after", "Where the page begins: as the Link of the page before has it")
LIMIT = Parameter("limit", "The most rows of a page, from 1 to 1000; 200 where none is given")
_USUAL, _MOST = 200, 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its transaction, who asks, what stands in path and query, and the body (of the operation's type).

    An operation that works `apart` has no transaction: it takes those that it needs from `archive`.
    """

    tx: Session
    who: Principal
    path: dict[str, str]
    query: Mapping[str, str]
    body: Any
    gateway: Gateway | None
    settings: Settings
    archive: Archive
    address: str

    @property
    def case_id(self) -> UUID:
        """The case in the path. Raises NotFound where it is no UUID."""
        return self.uuid("case")

    @property
    def after(self) -> str:
        """The cursor of the page that is asked for; empty for the first."""
        return self.query.get(AFTER.name, "")

    @property
    def limit(self) -> int:
        """How many rows the page has at most. Raises BadInput."""
        text = self.query.get(LIMIT.name, str(_USUAL))
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= _MOST):
            raise BadInput(f"limit {text[:20]!r}", safe=f"limit is a number from 1 to {_MOST}.")
        return int(text)

    def uuid(self, name: str) -> UUID:
        """A UUID in the path. Raises NotFound where it is none: such a thing can't exist."""
        try:
            return UUID(self.path[name])
        except ValueError as error:
            raise NotFound(f"{name} is not a UUID") from error


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path. `body` is a pydantic model or None; `result` the type answered, bytes, or None for 204.

    `apart`: what decodes or writes pixels, which may take seconds, in which it holds no transaction.
    """

    method: str
    path: str
    tag: str
    summary: str
    run: Callable[[Call], Any]
    body: type[BaseModel] | None = None
    result: Any = None
    status: int = 200
    media_type: str = "application/json"
    public: bool = False
    apart: bool = False
    parameters: tuple[Parameter, ...] = ()
    #: The most bytes of a body that is a file, as it is; 0 where it is JSON.
    raw: int = 0

    @property
    def name(self) -> str:
        """A name for generated clients: get_cases_case_report."""
        parts = self.path.removeprefix("/api/v1/").replace("{", "").replace("}", "").replace("-", "_").replace(".", "_")
        return f"{self.method.lower()}_{parts.replace('/', '_')}"
