"""Who can be helped: a rule, a verified licence and a specialist of the program; and who is told when that changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from cases import licences
from cases.licence_models import Licence
from cases.models import SUBJECTS, PlaceWish, Program
from cases.repository import active_program
from cases.service import assignment, eligibility, intake, people, programs, reporting
from cases.states import LicenceRequirement
from overread.kit import clock, tokens
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cases.world import World, proof

UNTIL = date(2099, 1, 1)


def served(world: World, place: str, program: str = "msk") -> bool:
    with world.db.transaction() as tx:
        known = licences.is_served(tx, active_program(tx, program), place)
        assert eligibility.check(tx, program, place).can_help is known
    return known


def open_texas(world: World, rule: LicenceRequirement = LicenceRequirement.LICENSED) -> None:
    with world.db.transaction() as tx:
        people.add_rule(tx, world.admin, "US-TX", rule, "a statute", world.today())


def test_a_place_needs_a_rule_and_a_verified_licence_of_a_specialist_of_the_program(world: World) -> None:
    assert served(world, "US-CA")
    assert served(world, "DE")
    assert not served(world, "XX"), "blocked"
    assert not served(world, "US-TX"), "no rule"
    open_texas(world)
    assert not served(world, "US-TX"), "nobody is licensed there"
    with world.db.transaction() as tx:
        people.set_licence(tx, world.specialist, world.specialist.id, "US-TX", UNTIL, "TX 1")
    assert not served(world, "US-TX"), "nobody has verified it"
    with world.db.transaction() as tx:
        [licence] = [one for one in people.licences_of(tx, world.specialist) if one.place == "US-TX"]
        assert not licence.verified
        people.verify_licence(tx, world.admin, licence.licence_id)
    assert served(world, "US-TX")
    with world.db.transaction() as tx:
        programs.set_reader(tx, world.admin, "msk", world.specialist.id, reads=False)
    assert not served(world, "US-TX"), "the licensed one reads for another program"
    assert served(world, "US-TX", "free")
    with world.db.transaction() as tx:
        programs.set_reader(tx, world.admin, "msk", world.specialist.id, reads=True)
        tokens.lock_out(tx, world.specialist.id)
    assert not served(world, "US-TX"), "locked"
    with world.db.transaction() as tx:
        tokens.let_in(tx, world.specialist.id)
        tx.execute(update(Licence).where(Licence.place == "US-TX").values(expires_on=world.today() - timedelta(days=1)))
    assert not served(world, "US-TX"), "expired"
    with world.db.transaction() as tx:
        tx.execute(update(Licence).where(Licence.place == "US-TX").values(expires_on=world.today()))
    assert served(world, "US-TX"), "its last day counts"


@pytest.mark.parametrize("rule", [LicenceRequirement.DIRECT, LicenceRequirement.LOCAL_PHYSICIAN])
def test_where_no_licence_is_asked_somebody_has_to_read_all_the_same(world: World, rule: LicenceRequirement) -> None:
    open_texas(world, rule)
    assert served(world, "US-TX")
    with world.db.transaction() as tx:
        for who in (world.specialist, world.other_specialist):
            programs.set_reader(tx, world.admin, "msk", who.id, reads=False)
    assert not served(world, "US-TX")
    assert not served(world, "DE")


def test_the_answer_says_what_stands_in_the_way(world: World) -> None:
    with world.db.transaction() as tx:
        tx.execute(update(Program).where(Program.slug == "msk").values(subjects=["MRI", "CT"]))
    with world.db.transaction() as tx:
        assert eligibility.check(tx, "msk", "us-ca", "CT").reasons == ()
        scope = eligibility.check(tx, "msk", "US-CA", "mammogram")
        assert (scope.reasons, scope.may_wait) == (("This program gives no opinions about that.",), False)
        place = eligibility.check(tx, "msk", "US-TX", "CT")
        assert (place.reasons, place.may_wait) == ((licences.NOT_SERVED,), True)
        urgent = eligibility.check(tx, "msk", "US-TX", "CT", emergency=True)
        assert (len(urgent.reasons), urgent.may_wait) == (2, False)
        assert "emergency number" in urgent.reasons[0]
        for wrong in ("", "nowhere at all", "U$"):
            with pytest.raises(Unprocessable):
                eligibility.check(tx, "msk", wrong)
        with pytest.raises(Unprocessable):
            eligibility.check(tx, "msk", "DE", "the knee")
        with pytest.raises(NotFound):
            eligibility.check(tx, "none", "DE")


def test_the_same_guard_at_every_step(world: World) -> None:
    draft, ready = world.draft("free"), world.ready()
    offered, reading = world.offered(), world.written()
    with world.db.transaction() as tx:
        programs.set_reader(tx, world.admin, "free", world.specialist.id, reads=False)
        reasons = {one.name: one.reasons for one in assignment.eligible_specialists(tx, world.coordinator, ready)}
        assert reasons["Some Specialist"] == ("Does not read for this program.",)
        assert reasons["Some Other_Specialist"] == ()

    def refused(act: Callable[[Session], object]) -> str:
        with world.db.transaction() as tx, pytest.raises(Unprocessable) as found:
            act(tx)
        return found.value.safe

    who = world.specialist
    for sentence in (
        refused(lambda tx: assignment.offer(tx, world.coordinator, ready, who.id)),
        refused(lambda tx: assignment.accept(tx, who, offered, world.gateway)),
        refused(lambda tx: reporting.sign(tx, who, reading, proof(who))),
    ):
        assert "Does not read for this program." in sentence
    with world.db.transaction() as tx:
        programs.set_reader(tx, world.admin, "free", world.other_specialist.id, reads=False)
    assert licences.NOT_SERVED in refused(lambda tx: intake.submit(tx, world.patient, draft))


def test_what_is_out_of_scope_is_not_sent(world: World) -> None:
    draft = world.draft("free", subjects=("CT",))
    with world.db.transaction() as tx:
        tx.execute(update(Program).where(Program.slug == "free").values(subjects=["MRI"]))
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as found:
        intake.submit(tx, world.patient, draft)
    assert "please choose another subject" in found.value.safe
    assert set(SUBJECTS) > {"MRI", "CT"}


def test_a_renewal_waits_and_the_licence_counts_as_it_was(world: World) -> None:
    later = date(2100, 1, 1)
    with world.db.transaction() as tx:
        people.set_licence(tx, world.specialist, world.specialist.id, "US-CA", later, "CA 2")
        [one] = people.licences_of(tx, world.specialist)
        assert (one.expires_on, one.verified, one.asked_until) == (UNTIL, True, later)
        for who in (world.specialist, world.coordinator, world.patient, world.auditor):
            with pytest.raises(Forbidden):
                people.verify_licence(tx, who, one.licence_id)
            with pytest.raises(Forbidden):
                people.decline_licence(tx, who, one.licence_id)
        people.decline_licence(tx, world.admin, one.licence_id)
        [one] = people.licences_of(tx, world.specialist)
        assert (one.expires_on, one.verified, one.asked_until, one.number) == (UNTIL, True, None, "")
        with pytest.raises(Conflict):
            people.decline_licence(tx, world.admin, one.licence_id)
        people.set_licence(tx, world.specialist, world.specialist.id, "US-CA", later, "CA 2")
        for _ in range(2):
            people.verify_licence(tx, world.admin, one.licence_id)
        [one] = people.licences_of(tx, world.specialist)
        assert (one.expires_on, one.verified, one.asked_until, one.number) == (later, True, None, "CA 2")
    with world.db.transaction() as tx:
        people.set_licence(tx, world.specialist, world.specialist.id, "US-NY", later)
        [new] = [one for one in people.licences_of(tx, world.specialist) if one.place == "US-NY"]
        people.decline_licence(tx, world.admin, new.licence_id)
        assert [one.place for one in people.licences_of(tx, world.specialist)] == ["US-CA"]
    world.drain()
    told = "\n".join(world.mails())
    assert told.count("Subject: A licence waits for your check") == 3
    assert told.count("Subject: Your licence is verified") == 1
    assert told.count("Subject: Your licence could not be verified") == 2


def test_who_waits_for_a_place_is_told_once_and_forgotten(world: World) -> None:
    with world.db.transaction() as tx:
        for email in ("jo@example.org", "Jo@Example.org ", "ann@example.org"):
            eligibility.wait(tx, "msk", "us-tx", email)
        eligibility.wait(tx, "msk", "FR", "ann@example.org")
        with pytest.raises(Unprocessable):
            eligibility.wait(tx, "msk", "nowhere at all", "ann@example.org")
        assert eligibility.tell(tx) == 0
    open_texas(world, LicenceRequirement.DIRECT)
    with world.db.transaction() as tx:
        assert eligibility.tell(tx) == 2
        assert eligibility.tell(tx) == 0
        assert [(one.place, one.email) for one in tx.scalars(select(PlaceWish))] == [("FR", "ann@example.org")]
    world.drain()
    mails = [mail for mail in world.mails() if "where you are" in mail]
    assert sorted(line for mail in mails for line in mail.splitlines() if line.startswith("To:")) == [
        "To: ann@example.org",
        "To: jo@example.org",
    ]
    assert all("https://overread.example/eligibility" in mail for mail in mails)
    assert not any("Bone" in mail or "msk" in mail for mail in mails), "no word that tells the specialty"


def test_an_address_is_not_kept_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.db.transaction() as tx:
        eligibility.wait(tx, "msk", "FR", "ann@example.org")
    now = clock.now()
    for days, left in ((364, 1), (366, 0)):
        monkeypatch.setattr(clock, "now", lambda days=days: now + timedelta(days=days))
        with world.db.transaction() as tx:
            assert eligibility.tell(tx) == 0
            assert len(tx.scalars(select(PlaceWish)).all()) == left


def test_only_admins_say_who_reads(world: World) -> None:
    with world.db.transaction() as tx:
        for who in (world.patient, world.specialist, world.hospital, world.coordinator, world.auditor):
            with pytest.raises(Forbidden):
                programs.set_reader(tx, who, "msk", world.specialist.id, reads=False)
        with pytest.raises(Unprocessable):
            programs.set_reader(tx, world.admin, "msk", world.patient.id, reads=True)
        before = {one.slug: one.specialists for one in programs.readers(tx, world.coordinator)}
        assert set(before["msk"]) == {world.specialist.id, world.other_specialist.id}
        for reads in (False, False, True, True):
            programs.set_reader(tx, world.admin, "msk", world.specialist.id, reads=reads)
            now = {one.slug: one.specialists for one in programs.readers(tx, world.admin)}
            assert (world.specialist.id in now["msk"]) is reads
            assert now["free"] == before["free"]
        with pytest.raises(Forbidden):
            programs.readers(tx, world.patient)
