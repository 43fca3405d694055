"""HTTP/1.1 as uvicorn speaks it, with a way to cut a connection at once (`overread.kit.standing`)."""

from __future__ import annotations

import socket
import struct

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from overread.kit.standing import CUT

#: <sys/socket.h> struct linger: closed at once, what was not sent yet is dropped, and the peer told (RFC 9293 3.10.5).
_AT_ONCE = struct.pack("ii", 1, 0)


class Cuttable(HttpToolsProtocol):
    """Offers the ASGI extension `CUT`."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"now": self._cut}}

    def _cut(self) -> None:
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()
