"""Lists that are longer than a page: all of it is there once, counts are those of the list, the ended is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import identity, reference
from cases.identity import Verdict
from cases.models import Case, CaseStudy, InboxStudy, LegalHold, Offer, Program
from cases.repository import erasure_of, visible
from cases.service import erasure, inboxes, people, presentation, read
from cases.service.inboxes import InboxItem
from cases.service.people import Access
from cases.service.read import Show
from cases.states import ENDED, CaseState, OfferOutcome
from overread.kit import audit, clock
from overread.kit.audit import AuditRow
from overread.kit.errors import BadInput, Conflict, Forbidden, NotFound, Unprocessable
from overread.kit.paging import Page
from overread.kit.principals import Role
from pacs.index.models import Series, Study
from pacs.index.scope import ORIGINAL, originals
from pacs.store import deletion
from tests.cases.world import BORN, NAME, World, study

COORDINATORS = (Show.ALL, Show.OPEN, Show.OURS, Show.LATE, Show.ENDED, Show.OFFERED, Show.READING)


def fill(tx: Session, world: World, number: int, **fields: Any) -> list[Case]:
    """Cases in every state, many of them due at one moment, some never."""
    program = tx.scalars(select(Program).where(Program.slug == "free")).one()
    states = list(CaseState)
    now = clock.now()
    made = []
    for i in range(number):
        given: dict[str, Any] = {
            "patient_name": f"Given{i} Family{i % 9}",
            "state": states[i % len(states)],
            "due_at": None if i % 5 == 0 else now + timedelta(hours=i % 4 - 2),
            "paused_at": now if i % 7 == 0 else None,
        } | fields
        case = Case(
            reference=reference.new(),
            program_id=program.id,
            kind_id=program.kinds[0].id,
            patient_id=world.patient.id,
            created_by=world.patient.id,
            **given,
        )
        made.append(case)
    tx.add_all(made)
    tx.flush()
    return made


def whole(page_of: Callable[..., Page[Any]]) -> Iterator[Any]:
    """Every row of a list, page by page."""
    page = page_of(after="")
    yield from page
    while page.next:
        page = page_of(after=page.next)
        assert page.rows
        yield from page


@pytest.mark.parametrize("role", ["coordinator", "patient"])
def test_pages_of_cases_are_the_whole_list_and_counts_are_its_length(world: World, role: str) -> None:
    who = world.who[role]
    with world.db.transaction() as tx:
        fill(tx, world, 150)
        mine = list(tx.scalars(visible(who)).unique())
        counts = read.counts(tx, who, *COORDINATORS)
        for show in COORDINATORS:
            found = [line.case_id for line in whole(partial(read.listing, tx, who, show, limit=7))]
            never = datetime.max.replace(tzinfo=clock.now().tzinfo)
            by_due = sorted(mine, key=lambda case: (case.due_at or never, case.id))
            in_order = sorted(mine, key=lambda case: case.id, reverse=True) if show is Show.ENDED else by_due
            wanted: Callable[[Case], bool] = {
                Show.ALL: lambda _: True,
                Show.OPEN: lambda case: case.state not in (*ENDED, CaseState.DRAFT),
                Show.OURS: lambda case: case.state in (CaseState.SUBMITTED, CaseState.READY, CaseState.SIGNED),
                Show.LATE: lambda case: presentation.is_late(case) and case.state is not CaseState.DRAFT,
                Show.ENDED: lambda case: case.state in ENDED,
                Show.OFFERED: lambda case: case.state is CaseState.OFFERED,
                Show.READING: lambda case: case.state not in (*ENDED, CaseState.DRAFT, CaseState.OFFERED),
            }[show]
            assert found == [case.id for case in in_order if wanted(case)], show
            assert counts[show] == len(found), show


def test_an_ended_case_is_found_by_name_number_and_study(world: World) -> None:
    coordinator = world.coordinator
    with world.db.transaction() as tx:
        fill(tx, world, 260, due_at=clock.now())
        [lost] = fill(tx, world, 1, state=CaseState.WITHDRAWN, patient_name="Łukasz O'Brien-Ångström", due_at=None)
        tx.add(CaseStudy(case_id=lost.id, study_uid="1.2.3.4", study_pk=1, sender_id=world.hospital.id))
        tx.flush()
        for text in ("ŁUKASZ", "lukasz o'b", "angstrom", "Ångström", lost.reference, lost.reference.lower(), "1.2.3.4"):
            assert [line.case_id for line in read.listing(tx, coordinator, search=text)] == [lost.id], text
        for text in ("1.2.3.5", "lukas%", "_ukasz", "\u0301", "nobody"):
            assert list(read.listing(tx, coordinator, search=text)) == [], text
        # A search of more than a page goes on, newest first, and finds what no page of the queue shows.
        found = list(whole(partial(read.listing, tx, coordinator, search="family3", limit=6)))
        ids = [line.case_id for line in found]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == sum("Family3" in case.patient_name for case in tx.scalars(visible(coordinator)).unique())
        assert {line.state for line in found} & set(ENDED)


def test_a_specialist_finds_nobody_by_name_or_by_the_original_study(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        assert [line.case_id for line in read.listing(tx, world.specialist)] == [case_id]
        for text in (NAME, world.first(case_id)):
            with pytest.raises(Forbidden):
                read.listing(tx, world.specialist, search=text)


def test_what_a_specialist_earned_is_summed_over_all_of_it(world: World) -> None:
    with world.db.transaction() as tx:
        done = fill(tx, world, 60, state=CaseState.CLOSED, specialist_id=world.specialist.id)
        fill(tx, world, 3, state=CaseState.DECLINED, specialist_id=world.specialist.id)
        for i, case in enumerate(done):
            for fee in (99, 100 + i):
                offer = Offer(case_id=case.id, specialist_id=world.specialist.id, offered_by=world.coordinator.id,
                              expires_at=clock.now(), outcome=OfferOutcome.ACCEPTED, fee=fee)  # fmt: skip
                tx.add(offer)
                tx.flush()
        assert read.earned(tx, world.specialist) == {"USD": (60, sum(100 + i for i in range(60)))}
        assert read.earned(tx, world.other_specialist) == {}


def stray(tx: Session, world: World, number: int, name: str, born: date | None, *, at: datetime) -> InboxStudy:
    """A study of the index that waits in the inbox, without images."""
    uid = f"1.2.{number}"
    made = Study(
        view_id=ORIGINAL, sender_id=world.hospital.id, study_uid=uid, patient_name=name, birth_date=born, received_at=at
    )
    tx.add(made)
    tx.flush()
    row = InboxStudy(study_pk=made.pk, study_uid=uid, sender_id=world.hospital.id, arrived_at=at)
    tx.add(row)
    tx.flush()
    return row


def test_pages_of_the_inbox_are_all_of_it(world: World) -> None:
    now = clock.now()
    with world.db.transaction() as tx:
        # Of three and three at one moment.
        made = [stray(tx, world, n, "DOE^JO", BORN, at=now - timedelta(seconds=n // 3)) for n in range(620)]
        for row in made[::4]:
            inboxes.dismiss(tx, world.coordinator, row.id, "no")
        for show, rows in ((inboxes.Show.WAITING, [r for i, r in enumerate(made) if i % 4]), (
            inboxes.Show.DISMISSED, made[::4])):  # fmt: skip
            listed = [item.id for item in whole(partial(inboxes.listed, tx, world.coordinator, show, limit=100))]
            assert sorted(listed) == sorted(row.id for row in rows)
            assert inboxes.count(tx, world.coordinator, show) == len(rows)
        with pytest.raises(BadInput):
            inboxes.listed(tx, world.coordinator, after="x")


def test_candidates_are_those_that_comparing_everything_finds(world: World) -> None:
    names = ["Jo Doe", "Mary-Jane Watson", "Jürgen Groß", "Li Wei", "A. Doe", ""]
    theirs = ["DOE^JO", "WATSON^MARYJANE", "GROSS^JUERGEN", "WEI^LI", "DOE^JO^X", "", "SMITH^JO"]
    days = [BORN, BORN + timedelta(days=1), None]
    chance = random.Random(5)
    with world.db.transaction() as tx:
        for _ in range(90):
            fill(tx, world, 1, patient_name=chance.choice(names), birth_date=chance.choice(days),
                 state=chance.choice(list(CaseState)))  # fmt: skip
        for n in range(60):
            stray(tx, world, n, chance.choice(theirs), chance.choice(days), at=clock.now())
        items = list(inboxes.listed(tx, world.coordinator))
        found = inboxes.candidates(tx, world.coordinator, items)
        open_ones = [
            case
            for case in tx.scalars(visible(world.coordinator)).unique()
            if case.state not in (*ENDED, CaseState.DRAFT)
        ]
        assert {item.id: sorted(found[item.id]) for item in items} == {
            item.id: sorted(case.reference for case in open_ones if _same(case, item)) for item in items
        }
        assert sum(map(len, found.values())) > 20


def _same(case: Case, item: InboxItem) -> bool:
    found = item.study
    assert found is not None
    told = identity.compare(case.patient_name, case.birth_date, found.patient_name, found.birth_date)
    return told.verdict is Verdict.SAME


def test_a_dismissal_has_a_reason_is_audited_and_can_be_taken_back(world: World) -> None:
    case_id = world.submitted("free")
    uid = world.upload(None, who=world.hospital)
    world.settle(uid)
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        with pytest.raises(Unprocessable):
            inboxes.dismiss(tx, world.coordinator, item.id, " ")
        for role in set(world.who) - {"coordinator"}:
            with pytest.raises(Forbidden):
                inboxes.dismiss(tx, world.who[role], item.id, "no")
            with pytest.raises(Forbidden):
                inboxes.restore(tx, world.who[role], item.id)
            with pytest.raises(Forbidden):
                inboxes.listed(tx, world.who[role], inboxes.Show.DISMISSED)
        for _ in range(2):
            inboxes.dismiss(tx, world.coordinator, item.id, "Jo Doe's, a test picture")
        assert list(inboxes.listed(tx, world.coordinator)) == []
        [gone] = inboxes.listed(tx, world.coordinator, inboxes.Show.DISMISSED)
        assert (gone.id, gone.dismissed_by, gone.dismissed_reason) == (
            item.id,
            "Some Coordinator",
            "Jo Doe's, a test picture",
        )
        for _ in range(2):
            inboxes.restore(tx, world.coordinator, item.id)
        [again] = inboxes.listed(tx, world.coordinator)
        assert again == item
        lines = [line for line in audit.read(tx, world.auditor) if line.action in ("inbox.dismiss", "inbox.restore")]
        assert [line.action for line in lines] == ["inbox.restore", "inbox.dismiss"]
        # A reason may name somebody: it is with the study, and in no log.
        assert all(line.detail == {} and line.object_id == uid for line in lines)
        inboxes.take(tx, item.id, tx.get_one(Case, case_id))
        with pytest.raises(Conflict):
            inboxes.dismiss(tx, world.coordinator, item.id, "no")
        with pytest.raises(Conflict):
            inboxes.restore(tx, world.coordinator, item.id)
        with pytest.raises(NotFound):
            inboxes.restore(tx, world.coordinator, case_id)


def test_what_was_dismissed_and_grows_waits_again_among_the_newest(world: World) -> None:
    first = study()
    uid = world.upload(None, who=world.hospital, dicom=first)
    world.settle(uid)
    world.settle(world.upload(None, who=world.hospital))
    with world.db.transaction() as tx:
        [_, old] = inboxes.listed(tx, world.coordinator)
        assert old.study_uid == uid
        inboxes.dismiss(tx, world.coordinator, old.id, "no")
    world.upload(None, who=world.hospital, dicom=study(StudyInstanceUID=uid))
    world.settle(uid)
    with world.db.transaction() as tx:
        newest = next(iter(inboxes.listed(tx, world.coordinator)))
        assert (newest.study_uid, newest.dismissed_at, newest.dismissed_reason) == (uid, None, "")
        assert inboxes.count(tx, world.coordinator, inboxes.Show.DISMISSED) == 0


@pytest.mark.parametrize("dismissed", [False, True])
def test_a_deleted_study_leaves_no_ghost(world: World, dismissed: bool) -> None:
    uid = world.upload(None, who=world.hospital)
    world.settle(uid)
    show = inboxes.Show.DISMISSED if dismissed else inboxes.Show.WAITING
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        if dismissed:
            inboxes.dismiss(tx, world.coordinator, item.id, "no")

    def shown(tx: Session) -> tuple[int, int]:
        return len(inboxes.listed(tx, world.coordinator, show).rows), inboxes.count(tx, world.coordinator, show)

    with world.db.transaction() as tx:
        assert shown(tx) == (1, 1)
        deletion.remove(tx, world.coordinator, originals(world.coordinator), uid)
        # Nobody waits for the worker.
        assert shown(tx) == (0, 0)
        assert tx.get(InboxStudy, item.id) is not None
    world.drain()
    with world.db.transaction() as tx:
        assert tx.get(InboxStudy, item.id) is None
    # What is sent again is another study, and waits.
    world.settle(world.upload(None, who=world.hospital, dicom=study(StudyInstanceUID=uid)))
    with world.db.transaction() as tx:
        assert inboxes.count(tx, world.coordinator) == 1


def test_a_study_of_which_something_is_left_goes_on_waiting(world: World) -> None:
    uid = world.upload(None, who=world.hospital)
    other = study(StudyInstanceUID=uid)
    world.upload(None, who=world.hospital, dicom=other)
    world.settle(uid)
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
        assert item.study is not None
        assert item.study.instances == 2
        one = tx.scalars(select(Series.series_uid)).first()
        deletion.remove(tx, world.coordinator, originals(world.coordinator), uid, one)
    world.drain()
    with world.db.transaction() as tx:
        assert [found.id for found in inboxes.listed(tx, world.coordinator)] == [item.id]


def test_looks_of_many_lines_are_paged_as_looks(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        now, chance = clock.now(), random.Random(3)
        people_ = [world.admin, world.coordinator, world.specialist, world.patient]
        actions = ["instances.read", "metadata.read", "case.read", "report.read", "bookkeeping"]
        for n in range(900):
            who = chance.choice(people_)
            at = now - timedelta(minutes=n * 7 // 3 * 2)
            # Some go on for a while, some into others or past what comes after them.
            until = chance.choice([None, at, at + timedelta(minutes=chance.randrange(200))])
            row = AuditRow(
                at=at, until=until, instances=chance.choice([None, 0, 1, 40]),
                actor_id=who.id, actor=who.name, role=who.role.value,
                action=chance.choice(actions), object_kind="case", object_id=str(case_id), outcome="success",
                case_id=case_id, detail={},
            )  # fmt: skip
            tx.add(row)
        tx.flush()
        lines = tx.scalars(select(AuditRow).where(AuditRow.case_id == case_id)).all()
        for others in (False, True):
            wanted = _looks([line for line in lines if not (others and line.role == Role.PATIENT)])
            for limit in (1000, 13):
                asked = partial(people.who_accessed, tx, world.patient, case_id, others=others, limit=limit)
                found = list(whole(asked))
                assert found == wanted
        assert len(wanted) > 100


def _looks(lines: list[AuditRow]) -> list[Access]:
    """As a loop over all lines says it."""
    groups = dict[tuple[UUID | None, str], list[list[AuditRow]]]()
    for line in sorted(lines, key=lambda one: (one.at, one.id)):
        if line.action in people._SENTENCES:
            looks = groups.setdefault((line.actor_id, people._SENTENCES[line.action]), [])
            if looks and line.at - max(map(_ended, looks[-1])) <= timedelta(hours=1):
                looks[-1].append(line)
            else:
                looks.append([line])
    told = [(_look(what, look), _newest(look)) for (_, what), looks in groups.items() for look in looks]
    return [one for one, newest in sorted(told, key=lambda pair: (pair[0].at, pair[1].id), reverse=True)]


def _ended(line: AuditRow) -> datetime:
    return line.until or line.at


def _newest(look: list[AuditRow]) -> AuditRow:
    return max(look, key=lambda line: (_ended(line), line.id))


def _look(what: str, look: list[AuditRow]) -> Access:
    given = [
        sum(line.instances for line in look if line.action == action and line.instances is not None)
        for action in ("instances.read", "metadata.read")
        if any(line.action == action and line.instances is not None for line in look)
    ]
    images, newest = max(given, default=None), _newest(look)
    if images:
        what = f"looked at {images} image{'s' if images > 1 else ''}"
    return Access(look[0].at, _ended(newest), newest.actor, newest.role, what, images)


def test_erasures_to_do_come_first_on_every_page(world: World) -> None:
    with world.db.transaction() as tx:
        made = fill(tx, world, 70)
        for i, case in enumerate(made):
            if i % 3 == 0:
                erasure.ask(tx, world.patient, case.id)
            if i % 3 == 1:
                tx.add(LegalHold(case_id=case.id, reason="a court", set_by=world.admin.id))
        tx.flush()
        for case in made[::6]:
            asked = erasure_of(tx, case.id)
            assert asked is not None
            asked.done_at = clock.now()
        tx.flush()
        found = list(whole(partial(erasure.listing, tx, world.admin, limit=9)))
        expected = sorted(found, key=lambda one: (one.done_at is not None, one.asked_at is None, -one.case_id.int))
        assert found == expected
        assert {one.case_id for one in found} == {case.id for i, case in enumerate(made) if i % 3 < 2}
