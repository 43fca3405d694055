"""The clock in a coordinator's hands: a new promise, a pause, its end; what patient and specialist are told of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from cases.models import Case, Message, Program, Step
from cases.service import deadlines, hours, intake, read
from cases.service.hours import DayOff
from cases.states import CaseState
from cases.views import CoordinatorCase, PatientCase, SpecialistCase
from overread.kit import principals, zones
from overread.kit.errors import Conflict, Forbidden, NotFound, OverreadError, Unprocessable
from tests.cases.conftest import MovedClock
from tests.cases.world import World
from viewer_bridge import grants

# A Tuesday, in the winter of both halves of the world that keep one.
NOW = datetime(2026, 11, 24, 11, 42, tzinfo=UTC)
WEEK = (*[("09:00", "17:00")] * 5, None, None)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def office(world: World, moved: MovedClock) -> World:
    """The world at a fixed hour; its programs work in an office in Berlin and are closed on a Wednesday."""
    moved.to(NOW)
    with world.db.transaction() as tx:
        for slug in ("free", "msk"):
            off = [DayOff(date(2026, 11, 25), "An anniversary")]
            hours.set_hours(
                tx, world.who["admin"], slug, zone="Europe/Berlin", week=WEEK, days_off=off, warn_hours=[8, 2]
            )
    return world


def patients(world: World, case_id: UUID) -> PatientCase:
    with world.db.transaction() as tx:
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    return seen


def coordinators(world: World, case_id: UUID) -> CoordinatorCase:
    with world.db.transaction() as tx:
        seen = read.show(tx, world.coordinator, case_id)
    assert isinstance(seen, CoordinatorCase)
    return seen


def due_of(world: World, case_id: UUID) -> datetime:
    due = patients(world, case_id).due_at
    assert due is not None
    return due


def templates(world: World, case_id: UUID, key: str) -> list[str]:
    with world.db.transaction() as tx:
        query = select(Message.template).where(Message.case_id == case_id, Message.recipient_id == world.who[key].id)
        return list(tx.scalars(query.order_by(Message.id)))


def test_reading_days_are_open_days(office: World) -> None:
    case_id = office.submitted("free")
    # Wednesday is off, and so is the weekend: Thursday, Friday, Monday, Tuesday, Wednesday.
    assert due_of(office, case_id) == datetime(2026, 12, 2, 11, 42, tzinfo=UTC)


def test_a_new_promise_reaches_everybody_once(office: World) -> None:
    case_id = office.in_review()
    old = due_of(office, case_id)
    with office.db.transaction() as tx:
        principals.get(tx, office.patient.id).zone = "America/New_York"
    new = datetime(2026, 12, 4, 12, 30, tzinfo=UTC)
    for _ in range(2):
        with office.db.transaction() as tx:
            deadlines.promise(tx, office.coordinator, case_id, new, " The specialist is ill. ", instead_of=None)
    office.drain()
    assert due_of(office, case_id) == new
    assert templates(office, case_id, "patient")[-1] == "new_promise"
    assert templates(office, case_id, "patient").count("new_promise") == 1
    assert templates(office, case_id, "specialist").count("due_moved") == 1
    mail = next(mail for mail in office.mails() if "a new time for your answer" in mail)
    assert "Friday 4 December, 07:30 EST" in mail.replace("=\n", "")
    assert "ill" not in mail.split()
    seen = patients(office, case_id)
    assert (seen.timeline[0].title, seen.timeline[0].text) == ("We gave you a new time", "The specialist is ill.")
    step = coordinators(office, case_id).steps[-1]
    assert (step.event, step.source, step.target, step.reason) == (
        "promise",
        "in_review",
        "in_review",
        "The specialist is ill.",
    )
    assert old < new


@pytest.mark.parametrize(
    ("due", "told"),
    [
        (NOW - _HOUR, "The new time lies ahead, within a year."),
        (NOW + 400 * _DAY, "The new time lies ahead, within a year."),
        (
            datetime(2026, 11, 28, 11, tzinfo=UTC),
            "The program is closed then. It next opens on Monday 30 November, 08:00 UTC.",
        ),
        (
            datetime(2026, 11, 25, 11, tzinfo=UTC),
            "The program is closed then. It next opens on Thursday 26 November, 08:00 UTC.",
        ),
        (
            datetime(2026, 11, 26, 17, tzinfo=UTC),
            "The program is closed then. It next opens on Friday 27 November, 08:00 UTC.",
        ),
    ],
)
def test_a_time_at_which_nobody_is_there_is_refused(office: World, due: datetime, told: str) -> None:
    case_id = office.submitted("free")
    old = due_of(office, case_id)
    with pytest.raises(Unprocessable) as refused, office.db.transaction() as tx:
        deadlines.promise(tx, office.coordinator, case_id, due, "A reason.")
    assert refused.value.safe == told
    assert due_of(office, case_id) == old
    assert "new_promise" not in templates(office, case_id, "patient")


@pytest.mark.parametrize("reason", ["", " \n", "\x00", "x" * 2001])
def test_a_reason_is_needed(office: World, reason: str) -> None:
    case_id = office.submitted("free")
    with office.db.transaction() as tx:
        with pytest.raises(Unprocessable):
            deadlines.promise(tx, office.coordinator, case_id, NOW + 7 * _DAY, reason)
        with pytest.raises(Unprocessable):
            deadlines.pause(tx, office.coordinator, case_id, reason)
    assert coordinators(office, case_id).clock_actions == ("promise", "pause")


def test_who_saw_another_time_is_told(office: World) -> None:
    case_id = office.submitted("free")
    shown = coordinators(office, case_id).due_at
    with office.db.transaction() as tx:
        deadlines.promise(tx, office.coordinator, case_id, NOW + 7 * _DAY, "One.", instead_of=shown)
    with pytest.raises(Conflict) as refused, office.db.transaction() as tx:
        deadlines.promise(tx, office.coordinator, case_id, NOW + 9 * _DAY, "Two.", instead_of=shown)
    assert "another time meanwhile" in refused.value.safe
    assert due_of(office, case_id) == NOW + 7 * _DAY


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("patient", Forbidden),
        ("specialist", Forbidden),
        ("other_patient", NotFound),
        ("other_specialist", NotFound),
        ("admin", NotFound),
        ("hospital", NotFound),
        ("auditor", NotFound),
    ],
)
def test_the_clock_is_the_coordinators_alone(office: World, key: str, error: type[OverreadError]) -> None:
    case_id, who = office.in_review(), office.who[key]
    with office.db.transaction() as tx:
        with pytest.raises(error):
            deadlines.promise(tx, who, case_id, NOW + 7 * _DAY, "A reason.")
        with pytest.raises(error):
            deadlines.pause(tx, who, case_id, "A reason.")
        with pytest.raises(error):
            deadlines.resume(tx, who, case_id)


def test_a_pause_says_why_and_its_open_hours_are_given_back(office: World, moved: MovedClock) -> None:
    case_id = office.in_review()
    old = due_of(office, case_id)
    for _ in range(2):
        with office.db.transaction() as tx:
            deadlines.pause(tx, office.coordinator, case_id, "The scanner’s archive is being mended.")
    seen = patients(office, case_id)
    assert seen.clock_stands == "The scanner’s archive is being mended."
    assert "clock stands still" in seen.next_text
    assert (seen.timeline[0].title, seen.timeline[0].text) == ("We stopped the clock", seen.clock_stands)
    assert coordinators(office, case_id).clock_actions == ("resume",)
    with pytest.raises(Conflict), office.db.transaction() as tx:
        deadlines.promise(tx, office.coordinator, case_id, NOW + 7 * _DAY, "A reason.")
    with pytest.raises(Conflict), office.db.transaction() as tx:
        deadlines.pause(tx, office.coordinator, case_id, "Another reason.")
    # Until Friday noon: three hours of Tuesday, Thursday, two and three quarters of Friday.
    moved.to(datetime(2026, 11, 27, 11, 42, tzinfo=UTC))
    for _ in range(2):
        with office.db.transaction() as tx:
            deadlines.resume(tx, office.coordinator, case_id)
    seen = patients(office, case_id)
    assert (seen.clock_stands, due_of(office, case_id)) == ("", old + 2 * _DAY)
    assert templates(office, case_id, "patient")[-2:] == ["paused", "resumed"]
    assert templates(office, case_id, "specialist")[-1] == "due_moved"
    assert [entry.title for entry in seen.timeline[:2]] == ["The clock goes on", "We stopped the clock"]


def test_a_pause_at_a_weekend_moves_nothing(office: World, moved: MovedClock) -> None:
    case_id = office.in_review()
    old = due_of(office, case_id)
    moved.to(datetime(2026, 11, 28, 11, tzinfo=UTC))
    with office.db.transaction() as tx:
        deadlines.pause(tx, office.coordinator, case_id, "A reason.")
    moved.to(datetime(2026, 11, 29, 11, tzinfo=UTC))
    with office.db.transaction() as tx:
        deadlines.resume(tx, office.coordinator, case_id)
    assert due_of(office, case_id) == old
    assert "due_moved" not in templates(office, case_id, "specialist")


def test_a_question_asked_during_a_pause_takes_its_place(office: World, moved: MovedClock) -> None:
    case_id = office.submitted("free")
    old = due_of(office, case_id)
    with office.db.transaction() as tx:
        deadlines.pause(tx, office.coordinator, case_id, "A reason.")
    moved.to(NOW + _HOUR)
    with office.db.transaction() as tx:
        intake.ask_info(tx, office.coordinator, case_id, "Which knee?")
    with pytest.raises(Conflict) as refused, office.db.transaction() as tx:
        deadlines.resume(tx, office.coordinator, case_id)
    assert "patient’s answer" in refused.value.safe
    moved.to(NOW + 2 * _HOUR)
    with office.db.transaction() as tx:
        intake.answer_info(tx, office.patient, case_id, "The left one.")
    assert due_of(office, case_id) == old + 2 * _HOUR
    assert patients(office, case_id).clock_stands == ""


def test_no_clock_no_promise(office: World) -> None:
    case_id = office.published()
    with office.db.transaction() as tx:
        who = office.coordinator
        with pytest.raises(Conflict, match="published"):
            deadlines.promise(tx, who, case_id, NOW + 7 * _DAY, "A reason.")
        with pytest.raises(Conflict, match="published"):
            deadlines.pause(tx, who, case_id, "A reason.")
        with pytest.raises(Conflict) as refused:
            deadlines.resume(tx, who, case_id)
        assert "Report ready to read" in refused.value.safe
    waiting = office.submitted("free")
    with office.db.transaction() as tx:
        tx.execute(update(Case).where(Case.id == waiting).values(due_at=None))
    with pytest.raises(Conflict) as refused, office.db.transaction() as tx:
        deadlines.pause(tx, office.coordinator, waiting, "A reason.")
    assert "has not begun" in refused.value.safe
    assert coordinators(office, waiting).clock_actions == ()


def test_access_lasts_as_long_as_the_promise(office: World) -> None:
    case_id = office.in_review()
    far = datetime(2027, 3, 1, 11, tzinfo=UTC)
    with office.db.transaction() as tx:
        deadlines.promise(tx, office.coordinator, case_id, far, "A reason.")
    with office.db.transaction() as tx:
        grant = grants.find(tx, office.specialist.id, case_id)
        assert grant is not None
        assert grant.until == far + 30 * _DAY


def test_a_time_that_has_passed_is_never_shown_as_still_to_come(office: World, moved: MovedClock) -> None:
    case_id = office.in_review()
    moved.to(NOW + 30 * _DAY)
    seen = patients(office, case_id)
    assert seen.late
    assert "did not keep that" in seen.next_text
    assert "You will hear" not in seen.next_text
    with office.db.transaction() as tx:
        [line] = read.listing(tx, office.coordinator)
        assert (line.late, line.paused_at) == (True, None)
        assert isinstance(read.show(tx, office.specialist, case_id), SpecialistCase)


def test_mails_are_written_in_the_zone_of_whoever_gets_them(office: World, moved: MovedClock) -> None:
    with office.db.transaction() as tx:
        principals.get(tx, office.coordinator.id).zone = "Asia/Tokyo"
    case_id = office.submitted("free")
    office.digest()
    mails = office.mails()
    # Who has no zone reads the program's.
    assert (
        sum(
            "Wednesday 2 December, 12:42 CET" in mail.replace("=\n", "") and "received your request" in mail
            for mail in mails
        )
        == 1
    )
    assert sum("Wednesday 2 December, 20:42 JST" in mail.replace("=\n", "") for mail in mails) == 1
    with office.db.transaction() as tx, zones.reading_in("America/New_York"):
        seen = read.show(tx, office.patient, case_id)
        assert isinstance(seen, PatientCase)
        assert "06:42 EST" in seen.next_text


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Olympus_Mons"},
        {"zone": "../UTC"},
        {"week": (None,) * 7},
        {"week": WEEK[:6]},
        {"week": (("09:00", "09:30"), *WEEK[1:])},
        {"week": (("17:00", "09:00"), *WEEK[1:])},
        {"week": (("25:00", "26:00"), *WEEK[1:])},
        {"week": (("9", "17"), *WEEK[1:])},
        {"days_off": [DayOff(date(2026, 1, 1) + n * _DAY, "") for n in range(401)]},
        {"days_off": [DayOff(date(2026, 1, 1), "x" * 81)]},
        {"warn_hours": [0]},
        {"warn_hours": [201]},
        {"warn_hours": [1, 2, 3, 4, 5]},
    ],
)
def test_hours_that_can_t_be_are_refused(office: World, wrong: dict[str, object]) -> None:
    given = {"zone": "Europe/Berlin", "week": WEEK, "days_off": [], "warn_hours": [8]} | wrong
    with office.db.transaction() as tx:
        before = hours.listed(tx, office.who["admin"])
    with pytest.raises(Unprocessable) as refused, office.db.transaction() as tx:
        hours.set_hours(tx, office.who["admin"], "free", **given)  # type: ignore[arg-type]  # what is wrong
    assert refused.value.safe
    with office.db.transaction() as tx:
        assert hours.listed(tx, office.who["admin"]) == before


def test_hours_as_they_were_said(office: World) -> None:
    week = (("00:00", "00:00"), ("10:30", "00:00"), *WEEK[2:])
    off = [DayOff(date(2026, 12, 26), "Boxing\x00 Day "), DayOff(date(2026, 12, 25), "Christmas")]
    with office.db.transaction() as tx:
        hours.set_hours(tx, office.who["admin"], "free", zone="UTC", week=week, days_off=off, warn_hours=[2, 24, 2])
        with pytest.raises(Forbidden):
            hours.set_hours(tx, office.coordinator, "free", zone="UTC", week=week, days_off=off, warn_hours=[])
        with pytest.raises(Forbidden):
            hours.listed(tx, office.specialist)
    with office.db.transaction() as tx:
        one = next(one for one in hours.listed(tx, office.coordinator) if one.slug == "free")
        assert (one.week, one.warn_hours) == (week, (24, 2))
        assert one.days_off == (DayOff(date(2026, 12, 25), "Christmas"), DayOff(date(2026, 12, 26), "Boxing Day"))
        assert hours.house_zone(tx) == "Europe/Berlin"
        tx.execute(update(Program).values(active=False))
        assert hours.house_zone(tx) == "UTC"


def test_other_hours_leave_promises_as_they_were_made(office: World) -> None:
    case_id = office.submitted("free")
    old = due_of(office, case_id)
    with office.db.transaction() as tx:
        hours.set_hours(
            tx,
            office.who["admin"],
            "free",
            zone="Asia/Tokyo",
            week=(("00:00", "00:00"),) * 7,
            days_off=[],
            warn_hours=[],
        )
    assert due_of(office, case_id) == old
    with office.db.transaction() as tx:
        assert tx.scalars(select(Step).where(Step.event == "promise")).all() == []
        assert tx.get_one(Case, case_id).state is CaseState.SUBMITTED
