"""How long a search may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import OperationalError

from overread.kit.db import Connection, Session, raw
from overread.kit.errors import BadInput
from overread.kit.language import gettext

#: How searches run. One that takes longer is given up: it asks for something that no index finds in an archive of this
#: size. A prepared statement's plan knows nothing of the values, on which the right one depends; compiling, and workers
#: that must be started first, never pay for a page of results.
SETTINGS = (
    "SET statement_timeout = '8s'; SET plan_cache_mode = force_custom_plan; SET jit = off;"
    " SET max_parallel_workers_per_gather = 0"
)


class TooSlow(BadInput):
    """A search was given up because it took too long."""


@contextmanager
def bounded(tx: Session | Connection) -> Iterator[None]:
    """What is read within takes no longer than SETTINGS allow, which a connection has already. Raises TooSlow."""
    if isinstance(tx, Session):
        raw(tx).execute(SETTINGS.replace("SET ", "SET LOCAL "))
    try:
        yield
    except (OperationalError, psycopg.errors.QueryCanceled) as error:
        cause = error.orig if isinstance(error, OperationalError) else error
        if not isinstance(cause, psycopg.errors.QueryCanceled):
            raise
        raise TooSlow(
            "a search took too long",
            safe=gettext(
                "This search takes too long. Narrow it: by a date range, a patient ID, or the beginning of a name."
            ),
        ) from error
