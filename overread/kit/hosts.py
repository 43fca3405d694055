"""The address by which a client reaches us, for the links in answers: never one that only a header names.

A Host field is written by whoever asks (RFC 9110 17.1). It counts where it names a host that is ours: one of the
settings, this machine's own name, or the very address that the connection came in by.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

#: A host name or address with or without a port (RFC 3986 3.2.2); nothing that could be more than that.
NAMED = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
#: In a request's scope: the host that a trusted proxy told.
TOLD = "overread.host"
_EVERYWHERE = frozenset(("0.0.0.0", "::"))  # noqa: S104  compared, not bound


class Origin:
    """One of our origins, and how clients reach it."""

    def __init__(self, base_url: str, *, public: bool = False, names: Iterable[str] = ()) -> None:
        """`base_url`: its address by the settings; `public`: links have this one and no other. `names`: more hosts."""
        self.base_url = base_url.rstrip("/")
        self._public = public
        self._host = urlsplit(self.base_url).hostname or ""
        ours = {self._host, "localhost", "127.0.0.1", "::1", socket.gethostname(), *names}
        self._names = frozenset(_plain(one) for one in ours if one) - _EVERYWHERE

    def of(self, request: HTTPConnection) -> str:
        """The origin's address as the client may be told it, without a slash at the end.

        The public one; without one what the request was sent to, where that is ours. Some clients (dicomweb-client)
        leave the port out of Host: of a host that is ours by the settings it is known.
        """
        if self._public:
            return self.base_url
        scheme, server = request.scope["scheme"], request.scope.get("server")
        host = request.headers.get("host", "")
        told = request.scope.get(TOLD)
        if told is not None and told == host:
            return f"{scheme}://{host}"
        if NAMED.fullmatch(host):
            name, port = _parts(host)
            if name in self._names or (server is not None and name == _plain(server[0])):
                # Through a container's port or a tunnel clients use ports that we know nothing of.
                return self.base_url if port is None and name == self._host else f"{scheme}://{host}"
        if self._host in _EVERYWHERE and server is not None and server[1] is not None:
            return f"{scheme}://{_bracketed(_plain(server[0]))}:{server[1]}"
        return self.base_url


def named(setting: str) -> list[str]:
    """The hosts that a setting names, parted by commas."""
    return [one.strip().strip("[]") for one in setting.split(",") if one.strip()]


def _parts(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (_plain(name.strip("[]")), int(port)) if colon else (_plain(host.strip("[]")), None)


def _plain(name: str) -> str:
    """A host as it is compared: small letters, addresses in the one way in which they are written."""
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return name.lower()
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
