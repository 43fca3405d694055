"""The mails of the portal's tests, and the link that one of them holds."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

from tests.cases.world import World


class Mailbox:
    """The mails that were sent."""

    def __init__(self, world: World) -> None:
        self._world = world

    def texts(self, address: str) -> list[str]:
        self._world.drain()
        found = []
        for path in sorted((self._world.folder / "mail").glob("*.eml"), key=lambda p: p.stat().st_mtime_ns):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            if mail["To"] == address:
                plain = mail.get_body(("plain",))
                assert plain is not None
                found.append(str(plain.get_content()))
        return found

    def link(self, address: str) -> str:
        """The newest link that was mailed to an address, as a path."""
        links = re.findall(r"https://overread\.example(/confirm/[\w-]{43})\b", "".join(self.texts(address)))
        return str(links[-1])
