"""Jobs and events: procrastinate's queue in our own database.

An event is a frozen dataclass with JSON fields. `emit(tx, event)` enqueues it in the caller's transaction, so it
exists exactly when what it tells of does. Jobs wait for up to two weeks, so they know events and handlers by names
that were given to them on purpose (`overread.kit.bus`), never by those of classes and functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import procrastinate
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy.orm import Session

from overread.kit import clock
from overread.kit.db import raw

EVENT_TASK, HANDLER_TASK = "overread.event", "overread.handle"
#: The worker's queue, and where jobs lie whose event or handler it does not know.
QUEUE, PARKED = "overread", "overread.parked"
#: How long a job that failed waits for somebody to mend its cause.
KEPT = timedelta(days=90)
# Only builds and sends the query; the connection is always the caller's.
_manager = JobManager(procrastinate.SyncPsycopgConnector())
_FORGET = """
DELETE FROM procrastinate_jobs j USING unnest(%s::text[]) AS word
WHERE j.status <> 'doing' AND j.args::text LIKE '%%' || word || '%%'
"""

# A job has failed for good with its last event.
_SWEEP = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs j WHERE j.status IN ('failed', 'cancelled', 'aborted')
    AND NOT EXISTS (SELECT FROM procrastinate_events e WHERE e.job_id = j.id AND e.at >= %s)
    LIMIT %s FOR UPDATE SKIP LOCKED
)
"""

# A clock that ran ahead dated what was enqueued meanwhile: those jobs would wait for as long as it was wrong, and a
# worker that died then would seem alive. Both are put back to where a right clock would have put them.
_AHEAD = """
WITH ahead AS (
    SELECT j.id, max(e.at) - now() AS by FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id
    WHERE j.status = 'todo' AND j.scheduled_at > now() AND e.type IN ('deferred', 'deferred_for_retry')
    GROUP BY j.id HAVING max(e.at) > now() + interval '5 minutes'
), dated AS (
    UPDATE procrastinate_events e SET at = now() FROM ahead
    WHERE e.job_id = ahead.id AND e.type IN ('deferred', 'deferred_for_retry')
)
UPDATE procrastinate_jobs j SET scheduled_at = j.scheduled_at - ahead.by FROM ahead WHERE j.id = ahead.id
"""
_PARKED = """
SELECT j.args ->> 'event', coalesce(j.args ->> 'handler', ''), min(e.at)
FROM procrastinate_jobs j JOIN procrastinate_events e ON e.job_id = j.id
WHERE j.queue_name = %s GROUP BY j.id ORDER BY j.id
"""
_FAILED = """
SELECT coalesce(args ->> 'handler', args ->> 'event', task_name) AS name, count(*)
FROM procrastinate_jobs WHERE status = 'failed' GROUP BY name ORDER BY name
"""
_WORKERS_AHEAD = """
UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'
WHERE last_heartbeat > now() + interval '5 minutes'
"""


@dataclasses.dataclass(frozen=True)
class Event:
    """Something happened. Subclasses are dataclasses of strings, numbers, booleans, None and lists of them."""

    #: What jobs that wait call it: it stays, whatever becomes of the class.
    name: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Event]]] = {}

    def __init_subclass__(cls) -> None:
        """Raises TypeError where another event has the name; what has none is only a base of others."""
        if "name" in cls.__dict__ and Event.registry.setdefault(cls.name, cls) is not cls:
            raise TypeError(f"two events are called {cls.name!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class Parked:
    """A job that nobody here can do: the names of its event and, if it is one handler's part, of that."""

    event: str
    handler: str
    since: datetime


def emit(tx: Session, event: Event, *, after: timedelta | None = None) -> None:
    """Enqueue an event in the caller's transaction, to be handled at once or `after` some time."""
    if not event.name:
        raise TypeError(f"{type(event).__name__} has no name to be found by")
    defer(tx, EVENT_TASK, {"event": event.name, "data": dataclasses.asdict(event)}, after)


def happened(name: str, data: dict[str, Any]) -> Event | None:
    """The event that a job tells of; None where there is none of that name, or it has other fields."""
    kind = Event.registry.get(name)
    try:
        return kind(**data) if kind is not None else None
    except TypeError:
        return None


def forget(tx: Session, words: Sequence[str]) -> None:
    """Remove the jobs whose events name any of these words; what a worker has in its hands goes when it is done."""
    raw(tx).execute(_FORGET, (list(words),))


def sweep(tx: Session, most: int) -> int:
    """Delete some of the jobs that failed for good so long ago that nobody will try them again; how many."""
    return raw(tx).execute(_SWEEP, (clock.now() - KEPT, most)).rowcount


def defer(
    tx: Session, task: str, kwargs: dict[str, Any], after: timedelta | None = None, *, queue: str = QUEUE
) -> None:
    """Enqueue a job in the caller's transaction."""
    job = Job(
        id=None,
        queue=queue,
        lock=None,
        queueing_lock=None,
        task_name=task,
        task_kwargs=kwargs,
        scheduled_at=clock.now() + after if after else None,
    )
    _manager.defer_job(job, connection=raw(tx))


def put_back(tx: Session) -> int:
    """Have the jobs that a clock which ran ahead has dated run when they should; how many there were."""
    raw(tx).execute(_WORKERS_AHEAD)
    return raw(tx).execute(_AHEAD).rowcount


def parked(tx: Session) -> list[Parked]:
    """The jobs that nobody here can do, the oldest first."""
    return [Parked(*row) for row in raw(tx).execute(_PARKED, (PARKED,)).fetchall()]


def failed(tx: Session) -> list[tuple[str, int]]:
    """The names of the jobs that failed for good, and how many of each there are."""
    return raw(tx).execute(_FAILED).fetchall()


def unpark(tx: Session) -> None:
    """Have the worker look at them again: a newer program may know what they are about."""
    raw(tx).execute("UPDATE procrastinate_jobs SET queue_name = %s WHERE queue_name = %s", (QUEUE, PARKED))
