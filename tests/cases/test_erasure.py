"""Erasure: who may, what stops it, and that nothing of the case is left, in rows, in files, or in a backup."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from uuid import UUID

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text

from cases import access
from cases.models import Case, Erasure
from cases.repository import load_unasked, steps_of, studies_of
from cases.service import erasure, intake, read
from overread.kit import audit
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, OverreadError, Unavailable, Unprocessable
from overread.kit.principals import Principal, PrincipalRow, Role
from overread.kit.sealed import Sealer, destroyed, mirror
from pacs.index.models import Instance, View
from pacs.index.scope import ORIGINAL
from pacs.store import rows, sweep
from pacs.views import views
from pacs.views.view_rows import Maker
from tests.cases.world import World, proof, study
from tests.pacs.views.test_views import LEADING
from viewer_bridge import grants

#: What is planted: in the story, in the image, in messages. The account of the patient is not the case's.
PLANTED = ("Zqplanted", "ZQHISTORY", "ZQDESCRIPTION", "ZQ-4711-ID", "Zqmessage", "ZQACCESSION")


@pytest.fixture
def other_admin(world: World) -> Principal:
    with world.db.transaction() as tx:
        row = PrincipalRow(role=Role.ADMIN.value, name="Another Admin")
        tx.add(row)
        tx.flush()
        return row.as_principal(via="api")


def told(world: World, state: str = "published", program: str = "free") -> UUID:
    """A case whose every corner holds a planted word."""
    case_id = world.draft(program, symptoms="Zqplanted hurts", history="ZQHISTORY")
    dicom = study(PatientID="ZQ-4711-ID", StudyDescription="ZQDESCRIPTION", AccessionNumber="ZQACCESSION")
    uid = world.upload(case_id, dicom=dicom)
    if program == "msk":
        world.pay(case_id)
    else:
        with world.db.transaction() as tx:
            intake.submit(tx, world.patient, case_id)
    world.settle(uid)
    with world.db.transaction() as tx:
        intake.write_note(tx, world.patient, case_id, "Zqmessage for you")
    world.drain()
    if state == "submitted":
        return case_id
    world.clear(case_id)
    for step in ("mark_ready", "offer", "accept", "sign", "publish"):
        if state == "in_review" and step == "sign":
            break
        _step(world, case_id, step)
        world.drain()
    return case_id


def _step(world: World, case_id: UUID, step: str) -> None:
    from cases.service import assignment, reporting

    with world.db.transaction() as tx:
        if step == "mark_ready":
            assignment.mark_ready(tx, world.coordinator, case_id)
        elif step == "offer":
            assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        elif step == "accept":
            assignment.accept(tx, world.specialist, case_id, world.gateway)
        elif step == "sign":
            seen = read.show(tx, world.specialist, case_id)
            answers = {str(q.question_id): "Zqplanted answer" for q in seen.questions}
            uids = [s.study_uid for s in seen.studies]
            reporting.save_draft(tx, world.specialist, case_id, answers, {"impression": "Zqplanted impression"}, uids)
            reporting.sign(tx, world.specialist, case_id, proof(world.specialist))
        else:
            reporting.publish(tx, world.coordinator, case_id)


def erase(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        asker = world.patient if case.state == "draft" else world.coordinator
        erasure.ask(tx, asker, case_id)
        erasure.start(tx, world.admin, case_id)
    with world.db.transaction() as tx:
        erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
    world.drain()


def everything(tx: Session) -> str:
    """Every row of every table as text, what is deflated unpacked."""
    tables = tx.execute(
        text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    ).scalars()
    found = [str(row) for table in tables for row in tx.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()]
    for deflated in tx.execute(select(Instance.metadata_deflated, Instance.header_deflated)):
        found += [zlib.decompress(one).decode("latin-1") for one in deflated if one]
    return "\n".join(found)


def files(world: World) -> Iterator[tuple[str, str]]:
    for path in world.folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes().decode("latin-1")


def test_nothing_of_the_case_is_left_in_any_table_or_file(world: World) -> None:
    case_id = told(world)
    with world.db.transaction() as tx:
        (study_row,) = studies_of(tx, case_id)
        original, view_uid = study_row.study_uid, study_row.view_study_uid or ""
        case = load_unasked(tx, case_id)
        assert case is not None
        reference = case.reference
        before = everything(tx)
        sops = tx.scalars(select(Instance.sop_uid)).all()
    planted = (*PLANTED, original, view_uid, *sops)
    assert all(word in before for word in planted)
    assert any(PLANTED[3] in body for _, body in files(world))
    mails = len(world.mails())
    erase(world, case_id)
    # Blobs of the last hour wait for the hourly sweep: somebody may be sending the same bytes just now.
    sweep.sweep(world.archive, young=-1)
    with world.db.transaction() as tx:
        after = everything(tx)
        assert [word for word in planted if word in after] == []
        assert tx.scalars(select(Instance)).all() == []
        case = load_unasked(tx, case_id)
        assert case is not None
        # The tombstone: that there was a case, when it went which way, and who erased it.
        assert (case.state, case.reference, case.patient_name, case.specialist_id) == ("erased", reference, "", None)
        assert [(s.event, s.reason) for s in steps_of(tx, case_id)][-2:] == [("publish", ""), ("erase", "")]
        lines = audit.read(tx, world.auditor, case_id=case_id, limit=200)
        assert {"case.erase", "erasure.start", "erasure.ask", "report.sign"} <= {line.action for line in lines}
        assert all(str(world.patient.id) not in f"{line.actor_id} {line.detail}" for line in lines)
        for who in (world.patient, world.specialist):
            with pytest.raises(NotFound):
                access.scope(tx, who, case_id)
            with pytest.raises(NotFound):
                read.show(tx, who, case_id)
        assert grants.active(tx, case_id) == []
    left = {name: [word for word in planted if word in body] for name, body in files(world)}
    assert {name: words for name, words in left.items() if words} == {}
    # The one mail that is left says that it was done.
    assert len(world.mails()) == 1 < mails
    assert "is erased" in world.mails()[0]


@pytest.mark.parametrize("state", ["draft", "submitted", "ready", "offered", "in_review", "written", "signed"])
def test_a_case_is_erased_in_any_state(world: World, state: str) -> None:
    case_id: UUID = getattr(world, state)("free")
    erase(world, case_id)
    assert world.state(case_id) == "erased"
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance)).all() == []
        # A second click of who did it finds it done; for anybody else there is nothing to do.
        erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
        with pytest.raises(Conflict):
            erasure.carry_out(tx, world.admin, case_id, world.gateway)


def test_two_persons_carry_it_out_and_one_of_them_is_an_admin(world: World, other_admin: Principal) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        for role in ("other_patient", "specialist", "hospital", "admin", "auditor"):
            with pytest.raises(NotFound):
                erasure.ask(tx, world.who[role], case_id)
        with pytest.raises(Conflict):
            erasure.start(tx, world.admin, case_id)
        erasure.ask(tx, world.patient, case_id, "I want it gone")
        erasure.ask(tx, world.patient, case_id)
        assert len(tx.scalars(select(Erasure)).all()) == 1
        for role in ("patient", "coordinator", "specialist", "hospital", "auditor"):
            with pytest.raises(Forbidden):
                erasure.start(tx, world.who[role], case_id)
        for who in (world.admin, world.coordinator, other_admin):
            with pytest.raises(Unprocessable, match="guards"):
                erasure.carry_out(tx, who, case_id, world.gateway)
        erasure.start(tx, world.admin, case_id)
        erasure.start(tx, other_admin, case_id)  # the first stays the first
        with pytest.raises(Unprocessable) as refused:
            erasure.carry_out(tx, world.admin, case_id, world.gateway)
        assert "second person" in refused.value.safe
        for role in ("patient", "specialist", "hospital", "auditor"):
            with pytest.raises(Forbidden):
                erasure.carry_out(tx, world.who[role], case_id, world.gateway)
        erasure.carry_out(tx, other_admin, case_id, world.gateway)
    assert world.state(case_id) == "erased"


def test_a_legal_hold_stops_it_until_it_is_lifted(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        for role in ("patient", "coordinator", "specialist", "hospital"):
            with pytest.raises(Forbidden):
                erasure.hold(tx, world.who[role], case_id, "a lawsuit")
            with pytest.raises(Forbidden):
                erasure.lift(tx, world.who[role], case_id)
        with pytest.raises(Unprocessable):
            erasure.hold(tx, world.auditor, case_id, " ")
        erasure.ask(tx, world.patient, case_id)
        erasure.start(tx, world.admin, case_id)
        erasure.hold(tx, world.auditor, case_id, "a lawsuit")
        with pytest.raises(Conflict):
            erasure.start(tx, world.admin, case_id)
        with pytest.raises(Unprocessable) as refused:
            erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
        assert "legal hold" in refused.value.safe
        assert erasure.show(tx, world.coordinator, case_id).hold == "a lawsuit"
        erasure.lift(tx, world.admin, case_id)
        erasure.lift(tx, world.admin, case_id)
        actions = [line.action for line in audit.read(tx, world.auditor, case_id=case_id, limit=200)]
        assert (actions.count("hold.set"), actions.count("hold.lift")) == (1, 1)
        erasure.carry_out(tx, world.coordinator, case_id, world.gateway)


@pytest.mark.parametrize(
    ("state", "wanted"), [("submitted", "voided"), ("in_review", "refunded"), ("published", "captured")]
)
def test_money_is_settled_first(world: World, state: str, wanted: str) -> None:
    case_id: UUID = getattr(world, state)("msk")
    erase(world, case_id)
    with world.db.transaction() as tx:
        states = tx.execute(text("SELECT state FROM billing_payment")).scalars().all()
    assert states == [wanted]


def test_nothing_is_erased_while_the_provider_is_silent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.submitted("msk")
    with world.db.transaction() as tx:
        erasure.ask(tx, world.patient, case_id)
        erasure.start(tx, world.admin, case_id)
    with pytest.raises(Unavailable), world.db.transaction() as tx:
        erasure.carry_out(tx, world.coordinator, case_id, None)
    assert world.state(case_id) == "submitted"


def test_what_a_hospital_or_another_case_holds_stays(world: World) -> None:
    dicom = study()
    uid = str(pydicom.dcmread(io.BytesIO(dicom)).StudyInstanceUID)
    one, other = world.draft("free"), world.draft("free")
    for case_id in (one, other):
        world.upload(case_id, dicom=dicom)
        with world.db.transaction() as tx:
            intake.submit(tx, world.patient, case_id)
        world.settle(uid)
    erase(world, one)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance).where(Instance.view_id == ORIGINAL)).one()
        assert studies_of(tx, other)[0].study_uid == uid
    # The hospital has sent the same study for its own archive.
    world.upload(None, who=world.hospital, dicom=dicom)
    erase(world, other)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance).where(Instance.view_id == ORIGINAL)).one()
        assert tx.execute(text("SELECT count(*) FROM pacs_upload")).scalar() == 0


def test_what_was_sent_by_the_cases_reference_number_goes(world: World) -> None:
    case_id = world.draft("free", images_by="hospital")
    with world.db.transaction() as tx:
        case = load_unasked(tx, case_id)
        assert case is not None
        reference = case.reference
        intake.submit(tx, world.patient, case_id)
    uid = world.upload(None, who=world.hospital, dicom=study(AccessionNumber=reference))
    world.settle(uid)
    with world.db.transaction() as tx:
        assert studies_of(tx, case_id)[0].found_by == "reference"
        assert erasure.show(tx, world.admin, case_id).plan.images == 1  # type: ignore[union-attr]
    erase(world, case_id)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance)).all() == []


def test_an_older_backup_opens_no_more(world: World) -> None:
    """The sealed secret is in the backup's dump; its key is in no backup, and its copy follows the living folder."""
    case_id = world.released("free")
    keys, copy, restored = (world.folder / name for name in ("keys", "backups/keys", "restored"))
    with world.db.transaction() as tx:
        view = tx.scalars(select(View)).one()
        sealed, view_id = view.sealed_secret, view.id
    assert sealed is not None
    mirror(keys, copy)
    mirror(copy, restored)
    # Restored before the erasure, it opens: or the rest would prove nothing.
    assert Sealer(bytes(32), "pacs.view", restored).open(sealed, case_id)
    erase(world, case_id)
    mirror(keys, copy)
    assert destroyed(copy) == [case_id]
    again = world.folder / "restored-again"
    mirror(copy, again)
    for folder in (keys, again):
        with pytest.raises(NotFound):
            Sealer(bytes(32), "pacs.view", folder).open(sealed, case_id)
        with pytest.raises(NotFound):
            Sealer(bytes(32), "pacs.view", folder).seal(b"another", case_id)
    # The rows come back as they were, with the sealed secret: it is nobody's any more.
    with world.db.transaction() as tx:
        tx.get_one(View, view_id).sealed_secret = sealed
        tx.flush()
        with pytest.raises(NotFound):
            views.maker_of(tx, world.archive, view_id, None)


def test_a_view_that_was_erased_while_it_was_made_gets_no_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.released("free")
    uid = world.first(case_id)
    with world.db.transaction() as tx:
        view_id = tx.scalars(select(View.id)).one()
        tx.execute(delete(Instance).where(Instance.view_id == view_id))
    made = Maker.row

    def slowly(maker: Maker, source: Instance) -> rows.Row:
        row = made(maker, source)
        erase(world, case_id)
        return row

    monkeypatch.setattr(Maker, "row", slowly)
    with pytest.raises(NotFound):
        views.deidentify(world.archive, view_id, LEADING, uid)
    with world.db.transaction() as tx:
        assert tx.scalars(select(Instance)).all() == []


Act = tuple[str, str]
_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "hold", "lift", "start", "carry_out"]),
        st.sampled_from(["patient", "coordinator", "admin", "second_admin", "auditor", "specialist"]),
    ),
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(acts=_ACTS)
def test_no_order_of_acts_erases_without_two_persons_and_without_a_hold(
    world: World, other_admin: Principal, acts: list[Act]
) -> None:
    """Any acts of anybody in any order, beside a model that says in five lines what must hold."""
    people = {**world.who, "second_admin": other_admin}
    with world.db.transaction() as tx:
        case = Case(
            reference=f"OV-{UUID(int=0).hex[:4]}-{tx.execute(text('SELECT count(*) FROM cases_case')).scalar():04d}",
            program_id=tx.execute(text("SELECT id FROM cases_program WHERE slug = 'free'")).scalar_one(),
            kind_id=tx.execute(text("SELECT id FROM cases_kind WHERE price_key IS NULL")).scalar_one(),
            patient_id=world.patient.id,
            created_by=world.coordinator.id,
            state="submitted",
        )
        tx.add(case)
        tx.flush()
        case_id = case.id
    asked, held, first, erased, second = False, False, "", False, ""
    for act, key in acts:
        who = people[key]
        expected = {
            "ask": not erased and key in ("patient", "coordinator"),
            "hold": not erased and key in ("admin", "second_admin", "auditor"),
            "lift": key in ("admin", "second_admin", "auditor"),
            "start": key in ("admin", "second_admin") and asked and not held,
            "carry_out": key in ("admin", "second_admin", "coordinator")
            and ((bool(first) and first != key and not held and not erased) or (erased and key == second)),
        }[act]  # fmt: skip
        try:
            with world.db.transaction() as tx:
                if act == "hold":
                    erasure.hold(tx, who, case_id, "because")
                elif act == "carry_out":
                    erasure.carry_out(tx, who, case_id, world.gateway)
                else:
                    getattr(erasure, act)(tx, who, case_id)
            done = True
        except OverreadError:
            done = False
        if act == "ask" and erased and key == "coordinator":
            continue  # asking again for what is done changes nothing
        assert done == expected, (act, key, asked, held, first, erased)
        if done:
            asked = asked or act == "ask"
            held = act == "hold" or (held and act != "lift")
            first = first or (key if act == "start" else "")
            # A second click of who did it finds it done.
            second = second or (key if act == "carry_out" else "")
            erased = erased or act == "carry_out"
        assert (world.state(case_id) == "erased") == erased
