"""Retrieve Capabilities (PS3.18 8.9, H): every resource says by OPTIONS what it knows, as WADL or the same in JSON.

What is said comes from the routes, and tells nothing of what the archive holds: it is the same for everybody, for
identifiers of something and of nothing, and needs no credential (a browser's preflight has none).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from dicomweb.media import MediaRange, accepts, choose
from dicomweb.transactions import TRANSACTIONS
from overread.kit.errors import MethodNotAllowed, OverreadError
from overread.kit.http import problem
from overread.kit.language import gettext

WADL = "application/vnd.sun.wadl+xml"
_NAMESPACE = "http://wadl.dev.java.net/2009/02"
_OFFERS = [MediaRange(WADL), MediaRange("application/json"), MediaRange("application/xml")]
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@dataclass(slots=True)
class Node:
    """An element of the description."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def xml(self) -> str:
        """The element as XML."""
        attributes = "".join(f" {key}={quoteattr(value)}" for key, value in self.attributes.items())
        inside = "".join(child.xml() for child in self.children)
        return f"<{self.name}{attributes}>{inside}</{self.name}>" if inside else f"<{self.name}{attributes}/>"

    def json(self) -> dict[str, Any]:
        """The same as JSON: attributes as members, children in a list by their name."""
        found: dict[str, Any] = dict(self.attributes)
        for child in self.children:
            found.setdefault(child.name, []).append(child.json())
        return found


def with_capabilities(routes: Sequence[BaseRoute], root: Callable[[Request], str]) -> list[BaseRoute]:
    """The routes, and behind them one a path that answers every other method: OPTIONS, or 405 with what it allows."""
    known: dict[str, set[str]] = {"/": set()}
    for route in routes:
        if isinstance(route, Route):
            known.setdefault(route.path, set()).update(route.methods or ())
    # Without methods a route takes all; it comes after those that know theirs.
    return [*routes, *(Route(path, _Others(path, known, root)) for path in known)]


class _Others:
    """Answers a path for the methods that no route of it knows."""

    def __init__(self, path: str, known: Mapping[str, Iterable[str]], root: Callable[[Request], str]) -> None:
        self._path = path
        self._known = known
        self._root = root
        self._allow = ", ".join(sorted({*known[path], "OPTIONS"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method != "OPTIONS":
            # RFC 9110 15.5.6: the answer says which methods there are.
            refused = problem(
                MethodNotAllowed(
                    f"{request.method} {self._path}",
                    safe=gettext("This resource knows %(allow)s, not this method.", allow=self._allow),
                )
            )
            refused.headers["Allow"] = self._allow
            return refused
        try:
            ranges = accepts(request)
            _, offer = choose(ranges, _OFFERS, "The capabilities")
        except OverreadError as error:
            refused = problem(error)
            refused.headers["Allow"] = self._allow
            return refused
        described = describe(self._known, self._path, self._root(request))
        if offer.type == "application/json":
            content = orjson.dumps({described.name: described.json()})
        else:
            content = ('<?xml version="1.0" encoding="UTF-8"?>\n' + described.xml()).encode()
        return Response(content, headers={"Allow": self._allow, "Vary": "Accept"}, media_type=offer.type)


def describe(known: Mapping[str, Iterable[str]], target: str, base: str) -> Node:
    """The description of a resource with its methods and all that lies below it (PS3.18 H)."""
    below = target if target.endswith("/") else target + "/"
    top = Node("resources", {"base": base + "/"})
    places: dict[tuple[str, ...], Node] = {(): top}
    for path in sorted(known):
        if path != target and not path.startswith(below):
            continue
        segments = tuple(part for part in _plain(path).split("/") if part)
        for depth in range(1, len(segments) + 1):
            if segments[:depth] not in places:
                places[segments[:depth]] = node = Node("resource", {"path": segments[depth - 1]})
                places[segments[: depth - 1]].children.append(node)
                names = _PARAMETER.findall(segments[depth - 1])
                node.children += [Node("param", {"name": one, "style": "template"}) for one in names]
        methods = [_method(method, _plain(path)) for method in sorted(set(known[path]) - {"HEAD"})]
        if segments:
            places[segments].children += methods
        elif methods:
            # Methods belong to a resource; the root's is the one without a path (H.2).
            top.children.insert(0, Node("resource", {"path": ""}, methods))
    return Node("application", {"xmlns": _NAMESPACE}, [top])


def _method(method: str, path: str) -> Node:
    known = TRANSACTIONS.get((method, path))
    if known is None:
        return Node("method", {"name": method})
    request = [Node("representation", {"mediaType": kind}) for kind in known.takes]
    if known.gives:
        options = [Node("option", {"value": kind}) for kind in known.gives]
        request.append(Node("param", {"name": "Accept", "style": "header", "default": known.gives[0]}, options))
    request += [Node("param", {"name": name, "style": "query"}) for name in known.parameters]
    response = [Node("representation", {"mediaType": kind}) for kind in known.gives]
    children = [Node("request", {}, request)] if request else []
    children += [Node("response", {}, response)] if response else []
    return Node(
        "method", {"name": method, "id": "".join(word[0].upper() + word[1:] for word in known.name.split())}, children
    )


def _plain(path: str) -> str:
    """A path template without the kinds of its parameters."""
    return _PARAMETER.sub(lambda match: "{" + match[1] + "}", path)
