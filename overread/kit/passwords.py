"""Passwords: hashed with argon2id (RFC 9106), which takes 64 MiB and a few tenths of a second each time, on purpose.

So they are hashed by threads of their own, few at once, in a line that has an end, and never within a transaction:
whoever comes in a crowd waits for the crowd alone, and holds neither a connection to the database nor the memory of
a hash meanwhile (docs/decisions/0029). Whether an account exists can't be told by the time: for none a decoy is hashed.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from pwdlib import PasswordHash

from overread.kit import threads
from overread.kit.db import refuse_within_transaction
from overread.kit.errors import Busy, Unprocessable

#: Longer ones are no passwords: argon2 takes as long as it is given to read.
SHORTEST, LONGEST = 10, 1000
TOO_SHORT = f"Choose a password of at least {SHORTEST} characters."
#: Of one process: hashes at once (each works on four cores, as `PasswordHash.recommended` has it), those that wait for
#: them, and the seconds that they wait.
AT_ONCE, WAITING, PATIENCE = 1, 64, 20.0
_T = TypeVar("_T")


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_hex(16))


class Line:
    """Who waits for a hash in one process: `at_once` are made, `waiting` wait, for `patience` seconds at most."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._places = threading.BoundedSemaphore(at_once + waiting)
        # The decoy is made before anything else, whoever comes first: it tells nothing.
        self._hashing = ThreadPoolExecutor(at_once, thread_name_prefix="password", initializer=_decoy)

    def wait_for(self, work: Callable[[], _T]) -> _T:
        """What `work` gives. Raises Busy, where nothing was done; RuntimeError within a transaction."""
        refuse_within_transaction("a password is hashed")
        if not self._places.acquire(blocking=False):
            raise self._busy("too many passwords wait to be hashed")
        try:
            asked = self._hashing.submit(work)
            try:
                with threads.waiting():
                    return asked.result(self._patience)
            except TimeoutError:
                if asked.cancel():
                    raise self._busy("a password waited too long to be hashed") from None
                return asked.result()
        finally:
            self._places.release()

    def _busy(self, text: str) -> Busy:
        wait = max(1, round(self._patience))
        safe = (
            "Very many people are signing in just now. Nothing was changed, and this was not counted as a try: "
            f"wait {wait} seconds, then try again."
        )
        return Busy(text, safe=safe, retry_after=wait)


#: The line of this process.
LINE = Line()


def hashed(password: str) -> str:
    """The argon2id hash of a new password. Raises Unprocessable where it can't be one, Busy."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Unprocessable("a password of another length", safe=TOO_SHORT)
    return LINE.wait_for(lambda: _hasher().hash(password))


def fits(password: str, kept: str | None) -> bool:
    """Whether a password is the one whose hash is kept; for None it never is, after the same time. Raises Busy."""
    tried = password[:LONGEST]
    return LINE.wait_for(lambda: _hasher().verify(tried, kept or _decoy())) and kept is not None
