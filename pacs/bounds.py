"""How long a search may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import OperationalError

from overread.kit.db import Session, raw
from overread.kit.errors import BadInput

#: A search that takes longer is given up: it asks for something that no index finds in an archive of this size. A
#: prepared statement's plan knows nothing of the values, on which the right one depends; compiling, and workers that
#: must be started first, never pay for a page of results.
LIMITS = (
    "SELECT set_config('statement_timeout', '8s', true), set_config('plan_cache_mode', 'force_custom_plan', true),"
    " set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)"
)


class TooSlow(BadInput):
    """A search was given up because it took too long."""


@contextmanager
def bounded(tx: Session) -> Iterator[None]:
    """What is read within takes no longer than LIMITS allows. Raises TooSlow."""
    raw(tx).execute(LIMITS)
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, psycopg.errors.QueryCanceled):
            raise
        raise TooSlow(
            "a search took too long",
            safe="This search takes too long. Narrow it: by a date range, a patient ID, or the beginning of a name.",
        ) from error
