"""A requestor of pynetdicom whose own reactor takes no answer away, and whose socket is closed.

Its reactor says that it is paused before it looks at its checkpoint, and passes. A command that is sent in between
finds it paused, and where the machine is busy with others for a while, the reactor takes the answer, as a request that
came, and throws it away: half a minute later the command has no status (pynetdicom 3.0.4, `Association._run_reactor`;
findings/pynetdicom-reactor-takes-the-answer.sh). Here passing and saying so are one step.

Its socket stays open until it is collected where the peer was faster with closing (`_shutdown_socket` of the same
version): a warning in whatever test runs then.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket


class Checkpoint(threading.Event):
    """Where the reactor of an association waits while a command is under way."""

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the reactor may go on; from then on it is not paused."""
        cond: threading.Condition = self._cond  # type: ignore[attr-defined]
        with cond:
            passed = cond.wait_for(lambda: bool(self._flag), timeout)  # type: ignore[attr-defined]
            self._association._is_paused = not passed
        return passed


_make = Association.__init__


def _made(self: Association, *args: Any, **more: Any) -> None:
    _make(self, *args, **more)
    self._reactor_checkpoint = Checkpoint(self)


def _closed(self: AssociationSocket) -> None:
    if self.socket is not None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def steady() -> None:
    """Have every association of pynetdicom wait at such a checkpoint, and close its socket."""
    setattr(Association, "__init__", _made)  # noqa: B010
    setattr(AssociationSocket, "_shutdown_socket", _closed)  # noqa: B010
