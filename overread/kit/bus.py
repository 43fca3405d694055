"""Who hears which event, and the worker that calls them: procrastinate's.

The worker fans an event out to a job a handler; every handler is idempotent, because a job whose worker dies is run
again. A job whose event or handler is unknown here is parked: a program that was rolled back, or whose settings lack
something, leaves it to the next that knows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import procrastinate

from overread.kit import jobs, log
from overread.kit.db import Database, libpq_url

E = TypeVar("E", bound=jobs.Event)
Handler = Callable[[Any], None]

_RETRY = procrastinate.RetryStrategy(max_attempts=12, exponential_wait=2)
#: Seconds between two looks for jobs whose time has come; the others are told of at once.
_LOOK = 1.0
_logger = log.get(__name__)


class Bus:
    """Which handlers hear which event, and the worker that runs them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._handlers: dict[str, dict[str, Handler]] = {}
        self._unheard: set[str] = set()
        self._periodic: list[tuple[str, str, Callable[[], None]]] = []

    def subscribe(self, event: type[E], name: str, handler: Callable[[E], None]) -> None:
        """Have `handler(event)` called in a job of its own, which goes by `name`, for every event of this type."""
        if self._handlers.setdefault(event.name, {}).setdefault(name, handler) is not handler:
            raise TypeError(f"two handlers of {event.name} are called {name!r}")

    def ignore(self, *events: type[jobs.Event]) -> None:
        """Say of events that nobody hears them, on purpose."""
        self._unheard |= {event.name for event in events}

    def schedule(self, cron: str, name: str, action: Callable[[], None]) -> None:
        """Run `action()` at the times of a cron line, as the job `name`."""
        self._periodic.append((cron, name, action))

    def names(self) -> dict[str, list[str]]:
        """What jobs may be called: by the names of events those of their handlers, by cron lines the periodic ones."""
        found = {event: sorted(handlers) for event, handlers in self._handlers.items()}
        for cron, name, _ in self._periodic:
            found.setdefault(cron, []).append(name)
        return found

    def fan_out(self, event: str, data: dict[str, Any]) -> None:
        """Enqueue a job for every handler of an event, all or none; what nobody hears is parked."""
        unheard = event not in self._handlers and event not in self._unheard
        if event not in jobs.Event.registry or unheard:
            self._park(jobs.EVENT_TASK, {"event": event, "data": data})
            return
        with self._db.transaction() as tx:
            for name in self._handlers.get(event, {}):
                jobs.defer(tx, jobs.HANDLER_TASK, {"handler": name, "event": event, "data": data})

    def handle(self, handler: str, event: str, data: dict[str, Any]) -> None:
        """Call one handler with an event."""
        call = self._handlers.get(event, {}).get(handler)
        happened = jobs.happened(event, data)
        if call is None or happened is None:
            self._park(jobs.HANDLER_TASK, {"handler": handler, "event": event, "data": data})
            return
        call(happened)

    def _park(self, task: str, arguments: dict[str, Any]) -> None:
        """Lay a job aside for a program that knows it: tried again it would fail again, and be lost in the end."""
        with self._db.transaction() as tx:
            jobs.defer(tx, task, arguments, queue=jobs.PARKED)
        _logger.error("job_parked", job_event=arguments["event"], handler=arguments.get("handler", ""))

    def app(self) -> procrastinate.App:
        """procrastinate's application with our tasks, for the worker."""
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=libpq_url(self._db.url)))
        app.task(name=jobs.EVENT_TASK, queue=jobs.QUEUE, retry=_RETRY)(self.fan_out)
        app.task(name=jobs.HANDLER_TASK, queue=jobs.QUEUE, retry=_RETRY)(self.handle)

        async def requeue_stalled(timestamp: int) -> None:  # noqa: ARG001  procrastinate passes it by name
            await asyncio.to_thread(self._put_back)
            await _requeue_stalled(app)

        # A worker that was killed is restarted at once, long before its jobs count as stalled.
        app.periodic(cron="* * * * *")(app.task(name="overread.requeue", queue=jobs.QUEUE)(requeue_stalled))
        for cron, name, action in self._periodic:
            app.periodic(cron=cron)(app.task(name=name, queue=jobs.QUEUE)(_ignoring_time(action)))
        return app

    def _put_back(self) -> None:
        with self._db.transaction() as tx:
            count = jobs.put_back(tx)
        if count:
            _logger.warning("jobs_put_back", count=count)

    def run(self, *, wait: bool = True, on_start: Callable[[], None] | None = None) -> None:
        """Work until told to stop by SIGTERM or SIGINT; with `wait=False` only until the queue is empty.

        `on_start` is called when the queue is open.
        """

        with self._db.transaction() as tx:
            jobs.unpark(tx)

        async def work() -> None:
            app = self.app()
            async with app.open_async():
                await _requeue_stalled(app)
                if on_start is not None:
                    on_start()
                await app.run_worker_async(
                    queues=[jobs.QUEUE],
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
