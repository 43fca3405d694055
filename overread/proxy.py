"""ASGI middleware: what a trusted proxy says of the request that it passes on (RFC 7239, and X-Forwarded-*).

The address that the client used decides about every RetrieveURL and BulkDataURI that it gets. Anybody can send these
headers, so they are believed only from the addresses that the operator names, hop by hop from the nearest proxy on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from overread.kit import hosts
from overread.kit.errors import OverreadError

_PAIR = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*(?:;|$)')
_MEMBER = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_MOST_HOPS = 32


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy says of whom it got the request from."""

    client: str = ""
    scheme: str = ""
    host: str = ""


class TrustedProxies:
    """Puts scheme, host and client of the request that the first proxy got into the scope.

    `trusted`: addresses and networks, parted by commas. Raises OverreadError where it names anything else.
    """

    def __init__(self, app: ASGIApp, trusted: str) -> None:
        self._app = app
        named = [one.strip() for one in trusted.split(",") if one.strip()]
        try:
            self._networks = [ipaddress.ip_network(one, strict=False) for one in named]
        except ValueError as error:
            raise OverreadError(f"trusted_proxies names something that is no address: {error}") from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        client = scope.get("client") if self._networks else None
        if scope["type"] == "http" and client and self._trusts(client[0]):
            scope = self._told(scope, client)
        await self._app(scope, receive, send)

    def _told(self, scope: Scope, client: tuple[str, int]) -> Scope:
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hops = _forwarded(headers[b"forwarded"]) if b"forwarded" in headers else _x_forwarded(headers)
        if not hops:
            return scope
        # The last hop was added by the proxy that we talk to; each one before by the client of the next.
        place = len(hops) - 1
        while place > 0 and self._trusts(hops[place].client):
            place -= 1
        hop = hops[place]
        told = {**scope}
        if hop.scheme in ("http", "https"):
            told["scheme"] = hop.scheme
        if hop.client:
            told["client"] = (hop.client, 0 if hop.client != client[0] else client[1])
        if hosts.NAMED.fullmatch(hop.host):
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            told["headers"] = [*others, (b"host", hop.host.encode())]
            told[hosts.TOLD] = hop.host
        return told

    def _trusts(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _forwarded(values: Sequence[str]) -> list[_Hop]:
    """The elements of Forwarded (RFC 7239 4)."""
    hops = []
    for member in _MEMBER.findall(", ".join(values))[-_MOST_HOPS:]:
        pairs = {name.lower(): value.strip('"') for name, value in _PAIR.findall(member)}
        hops.append(_Hop(_address(pairs.get("for", "")), pairs.get("proto", "").lower(), pairs.get("host", "")))
    return hops


def _x_forwarded(headers: dict[bytes, list[str]]) -> list[_Hop]:
    """The same in the older headers: lists that each proxy adds to, or that only the first one sets."""
    clients, schemes, names, ports = (
        [one.strip() for one in ", ".join(headers.get(b"x-forwarded-" + name, [])).split(",")][-_MOST_HOPS:]
        for name in (b"for", b"proto", b"host", b"port")
    )
    if not (clients[0] or schemes[0] or names[0]):
        return []

    def of(values: list[str], place: int) -> str:
        return values[place] if len(values) == len(clients) else values[-1]

    hops = []
    for place, client in enumerate(clients):
        host, port = of(names, place), of(ports, place)
        if host and port.isdigit() and ":" not in host and port not in ("80", "443"):
            host = f"{host}:{port}"
        hops.append(_Hop(_address(client), of(schemes, place).lower(), host))
    return hops


def _address(text: str) -> str:
    """The address of a node (RFC 7239 6), without its port; empty where it is hidden or none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
