"""Jobs and events: procrastinate's queue in our own database.

An event is a frozen dataclass with JSON fields. `emit(tx, event)` enqueues it in the caller's transaction, so it
exists exactly when what it tells of does. The worker fans an event out to a job a handler; every handler is
idempotent, because a job whose worker dies is run again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import procrastinate
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy.orm import Session

from overread.kit import clock, log
from overread.kit.db import libpq_url, raw

_EVENT_TASK, _HANDLER_TASK, _QUEUE = "overread.event", "overread.handle", "overread"
_RETRY = procrastinate.RetryStrategy(max_attempts=12, exponential_wait=2)
#: How long a job that failed waits for somebody to mend its cause.
KEPT = timedelta(days=90)
#: Seconds between two looks for jobs whose time has come; the others are told of at once.
_LOOK = 1.0
_logger = log.get(__name__)
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
_WORKERS_AHEAD = """
UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'
WHERE last_heartbeat > now() + interval '5 minutes'
"""


@dataclasses.dataclass(frozen=True)
class Event:
    """Something happened. Subclasses are dataclasses of strings, numbers, booleans, None and lists of them."""

    registry: ClassVar[dict[str, type[Event]]] = {}

    def __init_subclass__(cls) -> None:
        """Events are found again by their class's name."""
        Event.registry[cls.__name__] = cls


Handler = Callable[[Any], None]


def emit(tx: Session, event: Event, *, after: timedelta | None = None) -> None:
    """Enqueue an event in the caller's transaction, to be handled at once or `after` some time."""
    _defer(tx, _EVENT_TASK, {"event": type(event).__name__, "data": dataclasses.asdict(event)}, after)


def forget(tx: Session, words: Sequence[str]) -> None:
    """Remove the jobs whose events name any of these words; what a worker has in its hands goes when it is done."""
    raw(tx).execute(_FORGET, (list(words),))


def sweep(tx: Session, most: int) -> int:
    """Delete some of the jobs that failed for good so long ago that nobody will try them again; how many."""
    return raw(tx).execute(_SWEEP, (clock.now() - KEPT, most)).rowcount


def _defer(tx: Session, task: str, kwargs: dict[str, Any], after: timedelta | None = None) -> None:
    job = Job(
        id=None,
        queue=_QUEUE,
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


class Bus:
    """Which handlers hear which event, and the worker that runs them."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._handlers: dict[str, dict[str, Handler]] = {}
        self._periodic: list[tuple[str, str, Callable[[], None]]] = []

    def subscribe(self, event: type[Event], handler: Handler) -> None:
        """Have `handler(event)` called in a job of its own for every event of this type."""
        self._handlers.setdefault(event.__name__, {})[handler.__qualname__] = handler

    def every(self, cron: str, action: Callable[[], None]) -> None:
        """Run `action()` at the times of a cron line."""
        self._periodic.append((cron, f"overread.{action.__qualname__}", action))

    def fan_out(self, event: str, data: dict[str, Any]) -> None:
        """Enqueue a job for every handler of an event, all or none."""
        with self._db.transaction() as tx:
            for name in self._handlers.get(event, {}):
                _defer(tx, _HANDLER_TASK, {"handler": name, "event": event, "data": data})

    def handle(self, handler: str, event: str, data: dict[str, Any]) -> None:
        """Call one handler with an event."""
        self._handlers[event][handler](Event.registry[event](**data))

    def app(self) -> procrastinate.App:
        """procrastinate's application with our tasks, for the worker."""
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=libpq_url(self._db.url)))
        app.task(name=_EVENT_TASK, queue=_QUEUE, retry=_RETRY)(self.fan_out)
        app.task(name=_HANDLER_TASK, queue=_QUEUE, retry=_RETRY)(self.handle)

        async def requeue_stalled(timestamp: int) -> None:  # noqa: ARG001  procrastinate passes it by name
            await asyncio.to_thread(self._put_back)
            await _requeue_stalled(app)

        # A worker that was killed is restarted at once, long before its jobs count as stalled.
        app.periodic(cron="* * * * *")(app.task(name="overread.requeue", queue=_QUEUE)(requeue_stalled))
        for cron, name, action in self._periodic:
            app.periodic(cron=cron)(app.task(name=name, queue=_QUEUE)(_ignoring_time(action)))
        return app

    def _put_back(self) -> None:
        with self._db.transaction() as tx:
            count = put_back(tx)
        if count:
            _logger.warning("jobs_put_back", count=count)

    def run(self, *, wait: bool = True, on_start: Callable[[], None] | None = None) -> None:
        """Work until told to stop by SIGTERM or SIGINT; with `wait=False` only until the queue is empty.

        `on_start` is called when the queue is open.
        """

        async def work() -> None:
            app = self.app()
            async with app.open_async():
                await _requeue_stalled(app)
                if on_start is not None:
                    on_start()
                await app.run_worker_async(
                    queues=[_QUEUE],
                    wait=wait,
                    concurrency=2,
                    fetch_job_polling_interval=_LOOK,
                    install_signal_handlers=wait,
                    delete_jobs="successful",
                )

        asyncio.run(work())


def _ignoring_time(action: Callable[[], None]) -> Callable[[int], None]:
    def run(timestamp: int) -> None:  # noqa: ARG001  procrastinate passes it by name
        action()

    return run


async def _requeue_stalled(app: procrastinate.App) -> None:
    """Jobs whose worker was killed are taken up again."""
    for job in await app.job_manager.get_stalled_jobs():
        _logger.warning("job_taken_up_again", task=job.task_name, id=job.id)
        await app.job_manager.retry_job(job)
