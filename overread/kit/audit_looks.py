"""Looks: all that one credential reads of one study, until it rests, is one line of the audit log.

A viewer takes a study in thousands of requests. The line that the first one makes tells until when the look went on and
how many instances were given; that end and that number are all that changes, they only grow, and only until the look is
over. Each request's number is committed before the request is answered, so whoever is killed loses none.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from overread.kit import clock
from overread.kit.audit import SUCCESS
from overread.kit.db import Connection, reading
from overread.kit.principals import Principal

#: A look is over when nothing was read for so long, or when it has lasted for so long.
IDLE, LONGEST = timedelta(minutes=10), timedelta(hours=12)
#: What is not counted (frames, searches) moves the end of its look this often.
_OFTEN = timedelta(minutes=1)
_MOST_RECENT = 10_000
_recent: dict[bytes, datetime] = {}

# An end that lies ahead is of a clock that ran ahead: its look is over, too. No index has the columns that change.
_ADD = """
INSERT INTO kit_audit AS kept (
    id, at, until, actor_id, actor, role, action, object_kind, object_id, outcome, case_id, detail, instances, look
) VALUES (
    %(id)s, %(now)s, %(now)s, %(actor_id)s, %(actor)s, %(role)s, %(action)s, %(kind)s, %(object)s, %(outcome)s,
    %(case)s, %(detail)s, %(instances)s, %(look)s
) ON CONFLICT (look) DO UPDATE
SET until = greatest(kept.until, excluded.until), instances = kept.instances + excluded.instances
WHERE kept.until BETWEEN %(now)s - %(idle)s AND %(now)s + %(idle)s AND kept.at > %(now)s - %(longest)s
RETURNING id
"""
_CLOSE = """
UPDATE kit_audit SET look = NULL WHERE look = %(look)s
AND NOT (until BETWEEN %(now)s - %(idle)s AND %(now)s + %(idle)s AND at > %(now)s - %(longest)s)
"""


def record_look(
    tx: Session | Connection,
    who: Principal,
    action: str,
    object_kind: str,
    object_id: str,
    *,
    instances: int | None = None,
    case_id: UUID | None = None,
    **detail: Any,
) -> None:
    """Count instances that were given in the look that they belong to, or begin one.

    Without `instances` nothing is counted, and the look's end is true to a minute. `detail` tells looks apart, too.
    """
    parts = (who.id, who.via, who.via_id, action, object_kind, object_id, case_id, sorted(detail.items()))
    look = hashlib.sha256(repr(parts).encode()).digest()
    values = {
        "actor_id": who.id,
        "actor": who.name,
        "role": who.role.value,
        "action": action,
        "kind": object_kind,
        "object": object_id[:200],
        "outcome": SUCCESS,
        "case": case_id,
        "detail": Jsonb(detail),
        "look": look,
    }
    if instances is None:
        _touch(tx, look, values)
    elif isinstance(tx, Session):
        _write(reading(tx), values, instances)
    else:
        _gather(tx, look, values, instances)


def _touch(tx: Session | Connection, look: bytes, values: dict[str, Any]) -> None:
    now = clock.now()
    last = _recent.get(look)
    if last is not None and abs(now - last) < _OFTEN:
        return
    _write(reading(tx), values, None)
    if isinstance(tx, Session):
        return  # It may still be taken back.
    if len(_recent) >= _MOST_RECENT:
        _recent.clear()
    _recent[look] = now


def _write(connection: Connection, values: dict[str, Any], instances: int | None) -> None:
    now = clock.now()
    bound = {"now": now, "idle": IDLE, "longest": LONGEST, "instances": instances, "id": clock.uuid7()}
    while connection.execute(_ADD, {**values, **bound}).fetchone() is None:
        # The line with this key is of a look that is over.
        connection.execute(_CLOSE, {**values, **bound})


@dataclass
class _Batch:
    """Numbers that are written together, by the first that came; the others wait until it is done."""

    instances: int = 0
    written: bool = False
    done: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Queue:
    """Of one look: whose turn it is to write, and what gathers meanwhile."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    gathers: _Batch | None = None
    users: int = 0


_lock = threading.Lock()
_queues: dict[bytes, _Queue] = {}


def _gather(connection: Connection, look: bytes, values: dict[str, Any], instances: int) -> None:
    """Write a number, together with those that come for the same look while another is being written.

    On one row every commit waits for the one before: a viewer's parallel requests would wait in a line for the disk.
    `connection` commits each statement.
    """
    with _lock:
        queue = _queues.setdefault(look, _Queue())
        queue.users += 1
    try:
        while not _with_others(queue, connection, values, instances):
            pass
    finally:
        with _lock:
            queue.users -= 1
            if not queue.users:
                del _queues[look]


def _with_others(queue: _Queue, connection: Connection, values: dict[str, Any], instances: int) -> bool:
    """Whether the number was written: not when the one that wrote for all failed, which alone is told so."""
    with _lock:
        batch, leads = queue.gathers, queue.gathers is None
        if batch is None:
            batch = queue.gathers = _Batch()
        batch.instances += instances
    if not leads:
        batch.done.wait()
        return batch.written
    try:
        with queue.turn:
            with _lock:
                queue.gathers = None
            _write(connection, values, batch.instances)
        batch.written = True
    finally:
        batch.done.set()
    return True
