"""Finding a specialist: profiles, the list by fit, the guard at offer and acceptance, conflicts, the next one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from cases.events import SpecialistWanted
from cases.finding import Eligibility
from cases.finding_models import FitException
from cases.models import Case, Offer
from cases.service import accounts, assignment, intake, people, programs, read, readers, reporting, signers
from cases.service.readers import Leave, Profile
from cases.states import CaseEvent, Obstacle, OfferOutcome, Refusal
from cases.views import CoordinatorCase
from overread.kit import clock, principals
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.principals import Role
from tests.cases.conftest import MovedClock
from tests.cases.world import World, proof, study

KNEES = Profile(("CT",), ("musculoskeletal",), ("Riverside Joint Practice, Sacramento",), ("en", "de"))
_DAY = timedelta(days=1)


def say(world: World, who: str, profile: Profile, *, confirmed: bool = True) -> None:
    with world.db.transaction() as tx:
        readers.change(tx, world.who[who], profile)
        if confirmed:
            readers.settle(tx, world.admin, world.who[who].id, good=True)


def found(world: World, case_id: UUID) -> dict[str, Eligibility]:
    with world.db.transaction() as tx:
        return {one.name: one for one in assignment.eligible_specialists(tx, world.coordinator, case_id)}


def refuse(world: World, who: str, case_id: UUID, reason: str = "busy", refusal: Refusal = Refusal.OTHER) -> None:
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.who[who], case_id, reason, refusal)


def by_itself(world: World, *, wanted: bool = True) -> None:
    with world.db.transaction() as tx:
        readers.set_next(tx, world.admin, "free", wanted=wanted)


def offers(world: World, case_id: UUID) -> list[tuple[str, str]]:
    names = {person.id: name for name, person in world.who.items()}
    with world.db.transaction() as tx:
        rows = tx.scalars(select(Offer).where(Offer.case_id == case_id).order_by(Offer.id)).all()
        return [(names[row.specialist_id], row.outcome.value) for row in rows]


def told(world: World) -> str:
    """The newest mail, as people read it."""
    return " ".join(world.mails()[-1].split())


# Profiles.


def test_a_profile_is_said_confirmed_and_read(world: World) -> None:
    with world.db.transaction() as tx:
        readers.change(tx, world.specialist, replace(KNEES, practices=(" Riverside  Joint Practice, Sacramento", "")))
        mine = readers.own(tx, world.specialist)
        assert (mine.profile, mine.waits) == (KNEES, True)
        assert mine.confirmed == readers.Confirmed()
        readers.settle(tx, world.admin, world.specialist.id, good=True)
        readers.settle(tx, world.admin, world.specialist.id, good=True)
        listed = {one.name: one for one in readers.listed(tx, world.coordinator)}
    assert listed["Some Specialist"].confirmed.subspecialties == ("musculoskeletal",)
    assert not listed["Some Specialist"].waits
    assert listed["Some Other_Specialist"].profile == Profile()
    world.drain()
    told = "\n".join(world.mails())
    assert "profile waits for your check" in told
    assert "Your profile is confirmed" in told


def test_what_is_declined_goes_back_to_what_was_confirmed(world: World) -> None:
    say(world, "specialist", KNEES)
    with world.db.transaction() as tx:
        with pytest.raises(Conflict, match="nothing waits"):
            readers.settle(tx, world.admin, world.specialist.id, good=False)
        readers.change(tx, world.specialist, replace(KNEES, subspecialties=("neuro",), languages=("fr",)))
        readers.settle(tx, world.admin, world.specialist.id, good=False)
        now = readers.own(tx, world.specialist).profile
    # Languages are one's own to say.
    assert (now.subspecialties, now.languages) == (("musculoskeletal",), ("fr",))


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (Profile(subjects=("other",)), "what you read"),
        (Profile(subspecialties=("magic",)), "subspecialties"),
        (Profile(languages=("klingon",)), "languages"),
        (Profile(practices=("x" * 201,)), "practices"),
        (Profile(practices=tuple(map(str, range(11)))), "practices"),
        (Profile(most_open=-1), "0 to 500"),
        (Profile(most_week=501), "0 to 500"),
        (Profile(leave=(Leave(date(2026, 5, 2), date(2026, 5, 1)),)), "Leave ends"),
        (Profile(leave=(Leave(date(2026, 5, 2), date(2027, 5, 3)),)), "Leave ends"),
    ],
)
def test_what_a_profile_can_not_say(world: World, profile: Profile, words: str) -> None:
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as refused:
        readers.change(tx, world.specialist, profile)
    assert words in refused.value.safe
    with world.db.transaction() as tx:
        assert readers.own(tx, world.specialist).profile == Profile()


def test_whose_profiles_are_whose(world: World) -> None:
    with world.db.transaction() as tx:
        for name in set(world.who) - {"specialist", "other_specialist"}:
            with pytest.raises(Forbidden):
                readers.change(tx, world.who[name], KNEES)
            with pytest.raises(Forbidden):
                readers.own(tx, world.who[name])
        for name in set(world.who) - {"admin", "coordinator"}:
            with pytest.raises(Forbidden):
                readers.listed(tx, world.who[name])
        for name in set(world.who) - {"admin"}:
            with pytest.raises(Forbidden):
                readers.settle(tx, world.who[name], world.specialist.id, good=True)
            with pytest.raises(Forbidden):
                readers.set_next(tx, world.who[name], "free", wanted=True)
        with pytest.raises(NotFound):
            readers.settle(tx, world.admin, world.specialist.id, good=True)


# The list by fit.


def test_who_reads_the_region_and_writes_the_language_stands_first(world: World) -> None:
    case_id = world.draft("free", language="Deutsch")
    uid = world.upload(case_id, dicom=study(BodyPartExamined="KNEE"))
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    assert list(found(world, case_id)) == ["Some Other_Specialist", "Some Specialist"]
    say(world, "specialist", KNEES, confirmed=False)
    # What nobody has confirmed puts nobody first, but for the language, which is theirs to say.
    assert "Has entered a profile that is not confirmed yet." in found(world, case_id)["Some Specialist"].cons
    say(world, "specialist", KNEES)
    say(world, "other_specialist", replace(KNEES, subspecialties=("neuro",), languages=("en",)))
    both = found(world, case_id)
    assert list(both) == ["Some Specialist", "Some Other_Specialist"]
    assert both["Some Specialist"].pros[:3] == (
        "Reads this region: Bones and joints.",
        "Reads such images: CT.",
        "Writes German.",
    )
    assert both["Some Other_Specialist"].cons == (
        "Another subspecialty: Brain and spine.",
        "Does not write German.",
    )


def test_the_blocked_stand_last_with_their_reason_and_what_helps(world: World) -> None:
    case_id = world.ready()
    say(world, "other_specialist", Profile(most_open=0))
    with world.db.transaction() as tx:
        people.set_licence(tx, world.admin, world.specialist.id, "US-CA", clock.now().date() - _DAY)
    both = found(world, case_id)
    one, other = both["Some Other_Specialist"], both["Some Specialist"]
    # Of two who are blocked the one with room stands first.
    assert list(both) == ["Some Specialist", "Some Other_Specialist"]
    assert (one.eligible, one.excepted) == (False, (Obstacle.LIMIT,))
    assert one.reasons == ("Has 0 open cases and wants no more than 0.",)
    assert other.excepted == (Obstacle.LICENCE,)


# The guard, at offer and at acceptance.


def _leave(world: World, case_id: UUID) -> Profile:
    with world.db.transaction() as tx:
        due = tx.get_one(Case, case_id).due_at
        assert due is not None
    return Profile(leave=(Leave(due.date() - _DAY, due.date() + _DAY),))


#: What stands in the way: how it comes about, its kind, and the sentence.
BLOCKS: dict[str, tuple[Callable[[World, UUID], Profile], Obstacle, str]] = {
    "leave": (_leave, Obstacle.LEAVE, "On leave when it is due"),
    "open cases": (lambda _w, _c: Profile(most_open=0), Obstacle.LIMIT, "wants no more than 0"),
    "cases a week": (lambda _w, _c: Profile(most_week=0), Obstacle.LIMIT, "wants no more than 0"),
    "practice": (
        lambda _w, _c: Profile(practices=("Riverside Joint Practice",)),
        Obstacle.CONFLICT,
        "Practises where the first report was written.",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_same_guard_at_offer_and_acceptance(world: World, name: str) -> None:
    profile, about, words = BLOCKS[name]
    case_id = world.offered("free", first_report_by="Dr. Who, RIVERSIDE joint practice, Sacramento CA")
    # It came about while the offer was open. A practice counts as soon as it is said.
    say(world, "specialist", profile(world, case_id), confirmed=False)
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match="guards") as refused:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    # Where the first report was written is not for a specialist to learn.
    told_them = words if about is not Obstacle.CONFLICT else "has to look at a conflict of interest"
    assert told_them in refused.value.safe
    assert about is not Obstacle.CONFLICT or "first report" not in refused.value.safe
    assert world.state(case_id) == "offered"
    with world.db.transaction() as tx:
        assignment.take_back(tx, world.coordinator, case_id, "blocked")
    one = found(world, case_id)["Some Specialist"]
    assert (one.eligible, one.excepted) == (False, (about,))
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as refused:
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    assert words in refused.value.safe
    with world.db.transaction() as tx:
        because = (world.coordinator, case_id, world.specialist.id, "agreed on the telephone")
        # An exception for something else opens nothing.
        assignment.record_exception(tx, *because, about=[Obstacle.LICENCE])
        with pytest.raises(Unprocessable):
            assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.record_exception(tx, *because, about=[about])
        assignment.record_exception(tx, *because, about=[about])
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        shown = read.show(tx, world.coordinator, case_id)
    assert isinstance(shown, CoordinatorCase)
    assert ("Some Specialist", about, "agreed on the telephone") in shown.exceptions
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "in_review"


def test_what_comes_about_later_stops_no_signature(world: World) -> None:
    case_id = world.written()
    say(world, "specialist", replace(_leave(world, case_id), most_open=0, most_week=0))
    with world.db.transaction() as tx:
        reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
    assert world.state(case_id) == "signed"


def test_a_limit_counts_what_is_read_and_what_is_offered_but_not_the_case_itself(world: World) -> None:
    first = world.offered()
    say(world, "specialist", Profile(most_open=1, most_week=1))
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, first, world.gateway)
    second = world.ready()
    one = found(world, second)["Some Specialist"]
    assert (one.eligible, one.reading) == (False, 1)
    assert one.reasons == (
        "Has 1 open cases and wants no more than 1.",
        "Took or was offered 1 case in the last seven days and wants no more than 1.",
    )


def test_two_offers_at_once_keep_a_limit(world: World) -> None:
    say(world, "specialist", Profile(most_open=1))
    cases = [world.ready(), world.ready()]

    def offer(case_id: UUID) -> bool:
        try:
            with world.db.transaction() as tx:
                assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        except Unprocessable:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(offer, cases)) == [False, True]


def test_the_week_is_seven_days(world: World, moved: MovedClock) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        assignment.decline(tx, world.coordinator, case_id, "The patient wants no opinion any more.")
    say(world, "specialist", Profile(most_week=1))
    second = world.ready()
    assert not found(world, second)["Some Specialist"].eligible
    moved.to(clock.now() + 7 * _DAY + timedelta(minutes=1))
    assert found(world, second)["Some Specialist"].eligible


def test_leave_is_counted_by_the_specialists_own_calendar(world: World) -> None:
    case_id = world.ready()
    with world.db.transaction() as tx:
        case = tx.get_one(Case, case_id)
        # Still the 8th in Honolulu, the 9th in Auckland.
        case.due_at = (clock.now() + 8 * _DAY).replace(hour=12, minute=0)
        day = case.due_at.date()
    for zone, first, free in (
        ("Pacific/Honolulu", day + _DAY, True),
        ("Pacific/Auckland", day + _DAY, False),
    ):
        with world.db.transaction() as tx:
            accounts.set_zone(tx, world.specialist, zone)
        say(world, "specialist", Profile(leave=(Leave(first, first),)), confirmed=False)
        assert found(world, case_id)["Some Specialist"].eligible is free


# Conflicts.


def test_who_treated_the_patient_is_asked_about_them_no_more(world: World) -> None:
    case_id = world.offered()
    refuse(world, "specialist", case_id, "", Refusal.TREATED)
    one = found(world, case_id)["Some Specialist"]
    assert (one.eligible, one.excepted) == (False, ())
    # Nor about another request of theirs; and no exception opens it.
    second = world.ready()
    one = found(world, second)["Some Specialist"]
    assert one.reasons == ("Has said that they treated this patient.",)
    with world.db.transaction() as tx:
        for about in Obstacle:
            args = (tx, world.coordinator, second, world.specialist.id, "please")
            assignment.record_exception(*args, about=[about])
        with pytest.raises(Unprocessable, match="guards"):
            assignment.offer(tx, world.coordinator, second, world.specialist.id)
        shown = read.show(tx, world.coordinator, case_id)
    assert isinstance(shown, CoordinatorCase)
    assert [(o.refusal, o.reason) for o in shown.offers] == [("treated", "I treated this patient")]


def test_a_refusal_for_another_reason_needs_words(world: World) -> None:
    case_id = world.offered()
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match="guards"):
        assignment.refuse(tx, world.specialist, case_id, "  ")
    refuse(world, "specialist", case_id, "", Refusal.NO_TIME)
    refuse(world, "specialist", case_id, "", Refusal.NO_TIME)
    assert offers(world, case_id) == [("specialist", "declined")]


@pytest.mark.parametrize("field", ["physician", "first_report_by"])
def test_who_is_named_by_the_patient_is_blocked(world: World, field: str) -> None:
    case_id = world.ready("free", **{field: "dr some specialist"})
    both = found(world, case_id)
    assert both["Some Specialist"].excepted == (Obstacle.CONFLICT,)
    assert both["Some Other_Specialist"].eligible


def test_images_from_ones_own_hospital_are_worth_knowing(world: World) -> None:
    case_id = world.draft("free")
    uid = world.upload(case_id, who=world.hospital)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
        name = principals.get(tx, world.hospital.id).name
    say(world, "specialist", Profile(practices=(name,)), confirmed=False)
    one = found(world, case_id)["Some Specialist"]
    assert one.eligible
    assert "Practises where images of this case come from." in one.cons


def test_the_specialist_never_reads_who_wrote_the_first_report(world: World) -> None:
    case_id = world.in_review("free", first_report_by="Zqpractice of Zqtown")
    with world.db.transaction() as tx:
        assert "Zq" not in repr(read.show(tx, world.specialist, case_id))


@pytest.mark.parametrize("about", [[], [Obstacle.LEAVE]])
def test_an_exception_says_what_it_is_about_and_why(world: World, about: list[Obstacle]) -> None:
    case_id = world.ready()
    reason = "" if about else "why"
    with world.db.transaction() as tx, pytest.raises(Unprocessable):
        assignment.record_exception(tx, world.coordinator, case_id, world.specialist.id, reason, about=about)
    with world.db.transaction() as tx:
        assert tx.scalars(select(FitException)).all() == []


def test_the_place_under_the_signature_is_a_practice_too(world: World) -> None:
    with world.db.transaction() as tx:
        signers.change(tx, world.specialist, "Consultant radiologist", "Riverside Joint Practice, Sacramento")
        assert readers.own(tx, world.specialist).practice == "Riverside Joint Practice, Sacramento"
    case_id = world.ready("free", first_report_by="Riverside Joint Practice")
    assert found(world, case_id)["Some Specialist"].excepted == (Obstacle.CONFLICT,)


# The next one.


def test_the_next_specialist_is_asked_by_itself_once_and_nobody_twice(world: World) -> None:
    by_itself(world)
    case_id = world.offered()
    refuse(world, "specialist", case_id)
    world.drain()
    assert offers(world, case_id) == [("specialist", "declined"), ("other_specialist", "open")]
    assert world.state(case_id) == "offered"
    world.digest()
    assert "the next specialist was asked" in told(world)
    refuse(world, "other_specialist", case_id, "", Refusal.NOT_MY_FIELD)
    world.drain()
    assert world.state(case_id) == "ready"
    world.digest()
    assert "nobody else can be asked" in told(world)
    with world.db.transaction() as tx:
        shown = read.show(tx, world.coordinator, case_id)
    assert isinstance(shown, CoordinatorCase)
    assert [(o.specialist, o.reason) for o in shown.offers] == [
        ("Some Other_Specialist", "Not my field"),
        ("Some Specialist", "busy"),
    ]
    asked = [(s.who, s.actor) for s in shown.steps if s.event == CaseEvent.OFFER]
    assert asked == [("Some Coordinator", "coordinator"), ("system", "system")]


def test_a_job_that_runs_twice_asks_once_and_tells_once(world: World) -> None:
    by_itself(world)
    case_id = world.offered()
    with world.db.transaction() as tx:
        first = tx.scalars(select(Offer.id).where(Offer.case_id == case_id)).one()
    event = SpecialistWanted(str(case_id), str(first))
    # Before anything was answered there is nothing to do.
    world.handlers.offer_next(event)
    refuse(world, "specialist", case_id)
    for _ in range(3):
        world.handlers.offer_next(event)
    world.drain()
    assert len(offers(world, case_id)) == 2
    refuse(world, "other_specialist", case_id)
    world.drain()
    world.digest()
    told = len(world.mails())
    with world.db.transaction() as tx:
        last = tx.scalars(select(Offer.id).order_by(Offer.id.desc()).limit(1)).one()
    for _ in range(2):
        world.handlers.offer_next(SpecialistWanted(str(case_id), str(last)))
    world.digest()
    assert len(world.mails()) == told


def test_off_by_default_and_off_again(world: World) -> None:
    case_id = world.offered()
    refuse(world, "specialist", case_id)
    world.drain()
    assert world.state(case_id) == "ready"
    by_itself(world)
    second = world.offered()
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, second, "busy")
        readers.set_next(tx, world.admin, "free", wanted=False)
    world.drain()
    assert world.state(second) == "ready"


def test_what_a_coordinator_does_meanwhile_counts(world: World) -> None:
    by_itself(world)
    case_id = world.offered()
    refuse(world, "specialist", case_id)
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.other_specialist.id)
    world.drain()
    assert [outcome for _, outcome in offers(world, case_id)] == ["declined", "open"]
    # An offer that a coordinator takes back leaves the choice to them.
    with world.db.transaction() as tx:
        assignment.take_back(tx, world.coordinator, case_id, "a mistake")
    world.drain()
    assert world.state(case_id) == "ready"


def test_the_best_that_fits_is_asked_and_the_blocked_are_left_out(world: World) -> None:
    with world.db.transaction() as tx:
        third = principals.create(tx, role=Role.SPECIALIST, name="A Third", email="third@example.org").id
        people.set_licence(tx, world.admin, third, "US-CA", clock.now().date() + 900 * _DAY)
        programs.set_reader(tx, world.admin, "free", third, reads=True)
    by_itself(world)
    say(world, "other_specialist", Profile(most_open=0))
    case_id = world.offered()
    refuse(world, "specialist", case_id)
    world.drain()
    with world.db.transaction() as tx:
        rows = tx.scalars(select(Offer).where(Offer.case_id == case_id).order_by(Offer.id)).all()
        assert [row.specialist_id for row in rows] == [world.specialist.id, third]
        assert (rows[-1].outcome, rows[-1].offered_by) == (OfferOutcome.OPEN, None)
