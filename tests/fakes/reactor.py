"""A requestor of pynetdicom whose own reactor takes no answer away.

Its reactor says that it is paused before it looks at its checkpoint, and passes. A command that is sent in between
finds it paused, and where the machine is busy with others for a while, the reactor takes the answer, as a request that
came, and throws it away: half a minute later the command has no status (pynetdicom 3.0.4, `Association._run_reactor`;
findings/pynetdicom-reactor-takes-the-answer.sh). Here passing and saying so are one step.
"""

from __future__ import annotations

import threading
from typing import Any

from pynetdicom.association import Association


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


def steady() -> None:
    """Have every association of pynetdicom wait at such a checkpoint."""
    setattr(Association, "__init__", _made)  # noqa: B010
