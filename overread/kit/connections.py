"""Connections on which every statement is a transaction of its own: what is done by one statement needs no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from overread.kit.errors import OverreadError, Unavailable

Connection = psycopg.Connection[Any]
_T = TypeVar("_T")

#: Connections that are at work at once; who comes then waits so many seconds.
_MOST, _PATIENCE = 8, 20.0
#: What every connection of ours begins with. In the machine's own zone, moments that are read would be counted with as
#: its clocks on the wall show them: a day's length is wrong where summer time begins or ends, a day begins elsewhere.
IN_UTC = "SET TIME ZONE 'UTC'"


class Connections:
    """Connections with the same settings, opened as they are needed and kept."""

    def __init__(self, url: str, settings: str) -> None:
        self._url, self._settings = url, settings
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._turns = threading.BoundedSemaphore(_MOST)

    def do(self, work: Callable[[Connection], _T]) -> _T:
        """What `work` gives. Raises what it raises, Unavailable where none of the connections becomes free."""
        if not self._turns.acquire(timeout=_PATIENCE):
            raise Unavailable("every connection is at work")
        try:
            return self._do(work)
        finally:
            self._turns.release()

    def _do(self, work: Callable[[Connection], _T]) -> _T:
        try:
            reused = self._idle.get_nowait()
        except queue.Empty:
            return self._work(self._connect(), work)
        try:
            return self._work(reused, work)
        except (psycopg.errors.DiskFull, psycopg.errors.QueryCanceled):
            raise
        except psycopg.OperationalError:
            # The server may have been away and be back: a new connection tells.
            return self._work(self._connect(), work)

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(self._url, autocommit=True, connect_timeout=3)
        connection.execute(f"{IN_UTC}; {self._settings}".encode())
        return connection

    def _work(self, connection: Connection, work: Callable[[Connection], _T]) -> _T:
        """What `work` gives; the connection is kept for the next one unless it may be what failed."""
        try:
            done = work(connection)
        except (OverreadError, psycopg.errors.QueryCanceled):
            # What was asked for is refused: the connection did its work.
            self._idle.put_nowait(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._idle.put_nowait(connection)
        return done

    def close(self) -> None:
        """Close what is idle."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
