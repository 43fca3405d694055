"""Every timer of a case, by a clock that the test moves: not before its time, at it once, late once.

A timer is an event that is emitted to be heard later. One that is not in the table fails the last test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import billing
import cases
from billing.events import PaymentAuthorisationEnding
from cases import awaited, closing, nudges
from cases.effects import INFO_EXPIRES, INFO_REMINDERS
from cases.events import (
    ClosingDue,
    ClosingNear,
    DueNear,
    ImagesAwaited,
    InformationOverdue,
    OfferEnds,
    ReportUnread,
    StillWaits,
)
from cases.models import Case, Message, Offer, Report
from cases.nudges import Waits
from cases.service import deadlines, erasure, intake, readers, versions
from cases.states import ImagesBy
from cases.version_effects import UNREAD_AFTER
from overread.kit import clock
from overread.kit.jobs import Event
from tests.cases.conftest import MovedClock
from tests.cases.world import World

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def _asked(world: World) -> UUID:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
    world.drain()
    return case_id


def _awaiting(world: World) -> UUID:
    case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.drain()
    return case_id


def _offered_by_itself(world: World) -> UUID:
    with world.db.transaction() as tx:
        readers.set_next(tx, world.admin, "free", wanted=True)
    return world.offered()


def _since(moment: str, **much: int) -> Callable[[Session, Case], datetime]:
    """So much after a moment that the case has; before it, where that is negative."""

    def at(_tx: Session, case: Case) -> datetime:
        began: datetime | None = getattr(case, moment)
        assert began is not None
        return began + timedelta(**much)

    return at


def _offer_ends(tx: Session, case: Case) -> datetime:
    return tx.scalars(select(Offer.expires_at).where(Offer.case_id == case.id)).one()


def _unread(tx: Session, case: Case) -> datetime:
    published = tx.scalars(select(Report.published_at).where(Report.case_id == case.id)).one()
    assert published is not None
    return published + UNREAD_AFTER


def _told_of_closing(world: World) -> UUID:
    case_id = world.published()
    with world.db.transaction() as tx:
        closes_at = tx.get_one(Case, case_id).closes_at
    assert closes_at is not None
    world.handlers.tell_closing(ClosingNear(str(case_id), closes_at.isoformat()))
    world.drain()
    return case_id


def _before_closing(before: timedelta) -> Callable[[Session, Case], datetime]:
    def moment(_tx: Session, case: Case) -> datetime:
        assert case.closes_at is not None
        return case.closes_at - before

    return moment


def _hold_ends(tx: Session, _case: Case) -> datetime:
    ends: datetime = tx.execute(text("SELECT capture_before FROM billing_payment")).scalar_one()
    return ends - _DAY


def _waits(arrange: Callable[[World], UUID], act: Callable[[World, Session, UUID], None]) -> Callable[[World], UUID]:
    """A case in which somebody does something that waits from then on for somebody else."""

    def arranged(world: World) -> UUID:
        case_id = arrange(world)
        with world.db.transaction() as tx:
            act(world, tx, case_id)
        world.drain()
        return case_id

    return arranged


def _after(kind: Waits) -> Callable[[Session, Case], datetime]:
    def moment(tx: Session, _case: Case) -> datetime:
        query = text(
            "SELECT max(scheduled_at) FROM procrastinate_jobs WHERE args->>'event' = 'cases.still_waits' "
            "AND args->'data'->>'kind' = :kind"
        )
        at: datetime = tx.execute(query, {"kind": kind.value}).scalar_one()
        assert timedelta(0) <= clock.now() + timedelta(days=nudges.NUDGES[kind].days) - at < timedelta(hours=2)
        return at

    return moment


def _nudge(
    kind: Waits, arrange: Callable[[World], UUID], state: str, act: Callable[[World, Session, UUID], None]
) -> Timer:
    mails = dict.fromkeys(nudges.NUDGES[kind].to.values(), 1)
    return Timer(StillWaits, _waits(arrange, act), _after(kind), mails, state)


@dataclass(frozen=True)
class Timer:
    """A timer: the event, how a case comes to have it, when it fires, and the mails that tell so.

    `mails`: how many of a template there are then; `late`: how long after its time the worker comes back, where another
    timer tells more some time later. `ended`: an offer, or the wait for an answer, has ended then.
    """

    event: type[Event]
    arrange: Callable[[World], UUID]
    at: Callable[[Session, Case], datetime]
    mails: dict[str, int]
    state: str
    late: timedelta = 20 * _DAY
    ended: bool = False


TIMERS = {
    "the first reminder": Timer(
        InformationOverdue, _asked, _since("paused_at", days=INFO_REMINDERS[0]), {"reminder": 1}, "needs_info", 3 * _DAY
    ),
    "the second reminder": Timer(
        InformationOverdue, _asked, _since("paused_at", days=INFO_REMINDERS[1]), {"reminder": 2}, "needs_info", 3 * _DAY
    ),
    "the end without an answer": Timer(
        InformationOverdue, _asked, _since("paused_at", days=INFO_EXPIRES), {"expired": 1}, "declined", ended=True
    ),
    "the end of an offer": Timer(OfferEnds, lambda world: world.offered(), _offer_ends, {}, "ready", ended=True),
    "the end of an offer, and the next specialist": Timer(
        OfferEnds, _offered_by_itself, _offer_ends, {"offer": 2}, "offered", ended=True
    ),
    "the first reminder of images": Timer(
        ImagesAwaited,
        _awaiting,
        _since("submitted_at", days=awaited.REMINDERS[0]),
        {"images_awaited": 1},
        "submitted",
        3 * _DAY,
    ),
    "the second reminder of images": Timer(
        ImagesAwaited, _awaiting, _since("submitted_at", days=awaited.REMINDERS[1]), {"images_awaited": 2}, "submitted"
    ),
    "an unread report": Timer(ReportUnread, lambda world: world.published(), _unread, {"unread": 1}, "published"),
    "the notice of closing": Timer(
        ClosingNear,
        lambda world: world.published(),
        _before_closing(closing.TOLD_BEFORE),
        {"closing_soon": 1},
        "published",
    ),
    "the closing": Timer(
        ClosingDue, _told_of_closing, _before_closing(timedelta(0)), {"closing_soon": 1, "closed": 1}, "closed"
    ),
    "the end of a hold": Timer(
        PaymentAuthorisationEnding,
        lambda world: world.submitted("msk"),
        _hold_ends,
        {"hold_ending": 1},
        "submitted",
        _DAY / 2,
    ),
    "the first warning": Timer(
        DueNear,
        lambda world: world.in_review(),
        _since("due_at", hours=-8),
        {"due_near": 1, "report_due_near": 1},
        "in_review",
        timedelta(hours=5),
    ),
    "the second warning": Timer(
        DueNear,
        lambda world: world.in_review(),
        _since("due_at", hours=-2),
        {"due_near": 2, "report_due_near": 2},
        "in_review",
        timedelta(hours=1),
    ),
    "the due time": Timer(
        DueNear,
        lambda world: world.in_review(),
        _since("due_at", hours=0),
        {"due_passed": 1, "report_due_passed": 1},
        "in_review",
    ),
}


TIMERS |= {
    "a question without an answer": _nudge(
        Waits.FOLLOW_UP,
        lambda world: world.published(),
        "published",
        lambda world, tx, case_id: intake.follow_up(tx, world.patient, case_id, "And the other knee?"),
    ),
    "a message that is not read": _nudge(
        Waits.MESSAGE,
        lambda world: world.submitted("free"),
        "submitted",
        lambda world, tx, case_id: intake.write_note(tx, world.coordinator, case_id, "We have begun."),
    ),
    "a message without an answer": _nudge(
        Waits.REPLY,
        lambda world: world.submitted("free"),
        "submitted",
        lambda world, tx, case_id: intake.write_note(tx, world.patient, case_id, "Is all there?"),
    ),
    "a change that is not begun": _nudge(
        Waits.CHANGE,
        lambda world: world.published(),
        "published",
        lambda world, tx, case_id: versions.ask_change(tx, world.coordinator, case_id, "The side is missing."),
    ),
    "a version that is not published": _nudge(
        Waits.VERSION, lambda world: world.signed_again(), "published", lambda _world, _tx, _case_id: None
    ),
    "an erasure that is not done": _nudge(
        Waits.ERASURE,
        lambda world: world.submitted("free"),
        "submitted",
        lambda world, tx, case_id: erasure.ask(tx, world.patient, case_id),
    ),
}


def _told(world: World, case_id: UUID, timer: Timer) -> dict[str, int]:
    """How many mails of each of a timer's templates a case has brought about."""
    with world.db.transaction() as tx:
        rows = tx.execute(
            select(Message.template, func.count())
            .where(Message.case_id == case_id, Message.template.in_(timer.mails))
            .group_by(Message.template)
        )
        return {template: count for template, count in rows}  # noqa: C416  typed rows


def _moment(world: World, case_id: UUID, timer: Timer) -> datetime:
    with world.db.transaction() as tx:
        return timer.at(tx, tx.get_one(Case, case_id))


def _offers_ended(world: World, case_id: UUID) -> int:
    with world.db.transaction() as tx:
        query = "SELECT count(*) FROM cases_step WHERE case_id = :id AND event IN ('offer_expire', 'info_expire')"
        return int(tx.execute(text(query), {"id": case_id}).scalar_one())


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_fires_at_its_time_and_once(world: World, moved: MovedClock, name: str) -> None:
    timer = TIMERS[name]
    case_id = timer.arrange(world)
    at, before = _moment(world, case_id, timer), world.state(case_id)
    moved.to(at - _MINUTE)
    world.drain()
    early = _told(world, case_id, timer)
    assert world.state(case_id) == before
    assert sum(early.values()) < sum(timer.mails.values()) or not timer.mails
    for _ in range(2):
        moved.to(at + _MINUTE)
        world.drain()
        assert _told(world, case_id, timer) == timer.mails
        assert world.state(case_id) == timer.state
    assert _offers_ended(world, case_id) == timer.ended


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_fires_once_when_the_worker_was_down_at_its_time(world: World, moved: MovedClock, name: str) -> None:
    timer = TIMERS[name]
    case_id = timer.arrange(world)
    moved.to(_moment(world, case_id, timer) + timer.late)
    for _ in range(2):
        world.drain()
    told = _told(world, case_id, timer)
    # Of two that were both missed the more urgent one is told.
    missed = {
        "the second warning": {"due_near": 1, "report_due_near": 1},
        "the second reminder of images": {"images_awaited": 1},
    }
    assert told == missed.get(name, timer.mails)
    assert world.state(case_id) == timer.state
    assert _offers_ended(world, case_id) == timer.ended


@pytest.mark.parametrize("name", [name for name, timer in TIMERS.items() if timer.event is DueNear])
def test_the_job_of_a_warning_that_is_run_twice_tells_once(world: World, moved: MovedClock, name: str) -> None:
    timer = TIMERS[name]
    case_id = timer.arrange(world)
    moved.to(_moment(world, case_id, timer) + _MINUTE)
    with world.db.transaction() as tx:
        due = tx.get_one(Case, case_id).due_at
        assert due is not None
    hours = {"the first warning": 8, "the second warning": 2, "the due time": 0}[name]
    for _ in range(3):
        world.handlers.warn_of_due(DueNear(str(case_id), due.isoformat(), hours, ""))
    assert set(_told(world, case_id, timer).values()) == {1}


def test_the_job_of_a_reminder_of_images_that_is_run_twice_tells_once(world: World, moved: MovedClock) -> None:
    timer = TIMERS["the first reminder of images"]
    case_id = timer.arrange(world)
    moved.to(_moment(world, case_id, timer) + _MINUTE)
    for _ in range(3):
        world.handlers.remind_of_images(ImagesAwaited(str(case_id), awaited.REMINDERS[0]))
    assert _told(world, case_id, timer) == timer.mails


def test_nobody_is_reminded_of_images_that_came(world: World, moved: MovedClock) -> None:
    timer = TIMERS["the second reminder of images"]
    case_id = timer.arrange(world)
    world.settle(world.upload(case_id))
    moved.to(_moment(world, case_id, timer) + _DAY)
    world.drain()
    assert _told(world, case_id, timer) == {}


def test_a_new_promise_makes_the_warnings_of_the_old_one_void(world: World, moved: MovedClock) -> None:
    case_id = world.in_review()
    timer = TIMERS["the due time"]
    old = _moment(world, case_id, timer)
    moved.to(old - timedelta(hours=9))
    with world.db.transaction() as tx:
        deadlines.promise(tx, world.coordinator, case_id, old + 2 * _DAY, "The specialist fell ill.")
    moved.to(old + _DAY)
    world.drain()
    assert _told(world, case_id, timer) == _told(world, case_id, TIMERS["the first warning"]) == {}
    moved.to(old + 2 * _DAY + _MINUTE)
    world.drain()
    assert _told(world, case_id, timer) == timer.mails


def test_nobody_is_warned_while_the_clock_stands_and_at_the_moved_time_after(world: World, moved: MovedClock) -> None:
    case_id = world.in_review()
    timer = TIMERS["the due time"]
    old = _moment(world, case_id, timer)
    moved.to(old - _DAY)
    with world.db.transaction() as tx:
        deadlines.pause(tx, world.coordinator, case_id, "The machine is being mended.")
    moved.to(old + _DAY)
    world.drain()
    assert _told(world, case_id, timer) == {}
    with world.db.transaction() as tx:
        deadlines.resume(tx, world.coordinator, case_id)
    assert timedelta(0) <= _moment(world, case_id, timer) - (old + 2 * _DAY) < _MINUTE
    moved.to(old + 2 * _DAY - timedelta(hours=3))
    world.drain()
    assert _told(world, case_id, TIMERS["the first warning"]) == {"due_near": 1, "report_due_near": 1}
    moved.to(old + 3 * _DAY)
    world.drain()
    assert _told(world, case_id, timer) == timer.mails


def test_a_case_that_is_done_warns_nobody(world: World, moved: MovedClock) -> None:
    case_id = world.published()
    moved.to(clock.now() + 30 * _DAY)
    world.drain()
    for name in ("the first warning", "the second warning", "the due time"):
        assert _told(world, case_id, TIMERS[name]) == {}


def test_every_event_that_waits_is_in_the_table() -> None:
    assert _waiting() == {timer.event.__name__ for timer in TIMERS.values()}


def _waiting() -> set[str]:
    """The classes of the events that cases and billing emit to be heard later, out of the syntax trees."""
    kinds = {kind.__name__ for kind in Event.registry.values()}
    found: set[str] = set()
    for room in (cases, billing):
        for path in Path(str(room.__file__)).parent.rglob("*.py"):
            functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
            found |= {name for function in functions for name in _emitted_later(function) if name in kinds}
    return found


def _emitted_later(function: ast.FunctionDef) -> set[str]:
    made = {ast.unparse(node.targets[0]): node.value for node in ast.walk(function) if isinstance(node, ast.Assign)}
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    later = [c for c in calls if ast.unparse(c.func).endswith("emit") and any(k.arg == "after" for k in c.keywords)]
    events = [made.get(ast.unparse(call.args[1]), call.args[1]) for call in later]
    assert all(isinstance(event, ast.Call) for event in events), function.name
    return {word for event in events for word in re.findall(r"\w+", ast.unparse(event))}
