"""A second click: what is done is found done, once, and what would be another wish is refused as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from cases.models import Case, Note, Step
from cases.report_states import ReportKind
from cases.repository import studies_of
from cases.service import approval, assignment, erasure, inboxes, intake, payments, reporting, studies, versions
from cases.service.approval import InstancesLook
from cases.version_models import ReportStep
from overread.kit.audit import AuditRow
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, OverreadError
from tests.cases.world import PRICE, World, proof

Click = Callable[[World, Session, UUID], Any]


def of_study(act: Callable[..., Any], *more: str) -> Click:
    def click(w: World, tx: Session, case: UUID) -> None:
        act(tx, w.coordinator, case, studies_of(tx, case)[0].study_uid, *more)

    return click


def of_studies(w: World, tx: Session, case: UUID) -> None:
    studies.release_all(tx, w.coordinator, case, [one.study_uid for one in studies_of(tx, case)])


#: Where a case stands, what is clicked, and the same place with another wish (which must not pass for the first).
CLICKS: dict[str, tuple[str, Click, Click | None]] = {
    "withdraw": ("submitted", lambda w, tx, c: intake.withdraw(tx, w.patient, c, "a"), None),
    "decline": (
        "submitted",
        lambda w, tx, c: assignment.decline(tx, w.coordinator, c, "too late"),
        lambda w, tx, c: assignment.decline(tx, w.coordinator, c, "something else"),
    ),
    "ask": (
        "submitted",
        lambda w, tx, c: intake.ask_info(tx, w.coordinator, c, "Which knee?"),
        lambda w, tx, c: intake.ask_info(tx, w.coordinator, c, "Since when?"),
    ),
    "release": ("cleared", of_study(studies.release), None),
    "release all": ("cleared", of_studies, None),
    "revoke": ("submitted", of_study(studies.reject, "wrong person"), of_study(studies.reject, "another reason")),
    "ready": ("released", lambda w, tx, c: assignment.mark_ready(tx, w.coordinator, c), None),
    "offer": (
        "ready",
        lambda w, tx, c: assignment.offer(tx, w.coordinator, c, w.specialist.id),
        lambda w, tx, c: assignment.offer(tx, w.coordinator, c, w.other_specialist.id),
    ),
    "take back": (
        "offered",
        lambda w, tx, c: assignment.take_back(tx, w.coordinator, c, "ill"),
        lambda w, tx, c: assignment.take_back(tx, w.coordinator, c, "away"),
    ),
    "refuse": (
        "offered",
        lambda w, tx, c: assignment.refuse(tx, w.specialist, c, "no time"),
        lambda w, tx, c: assignment.refuse(tx, w.other_specialist, c, "no time"),
    ),
    "accept": (
        "offered",
        lambda w, tx, c: assignment.accept(tx, w.specialist, c, w.gateway),
        lambda w, tx, c: assignment.accept(tx, w.other_specialist, c, w.gateway),
    ),
    "sign": (
        "written",
        lambda w, tx, c: reporting.sign(tx, w.specialist, c, proof(w.specialist)),
        lambda w, tx, c: reporting.sign(tx, w.specialist, c, proof(w.specialist), digest="0" * 64),
    ),
    "send back": (
        "signed",
        lambda w, tx, c: reporting.send_back(tx, w.coordinator, c, "Which side?"),
        lambda w, tx, c: reporting.send_back(tx, w.coordinator, c, "And the other side?"),
    ),
    "ask for a change": (
        "published",
        lambda w, tx, c: versions.ask_change(tx, w.coordinator, c, "A typing error"),
        None,
    ),
    "begin a correction": (
        "published",
        lambda w, tx, c: versions.open_version(tx, w.specialist, c, ReportKind.CORRECTION),
        lambda w, tx, c: versions.open_version(tx, w.other_specialist, c, ReportKind.CORRECTION),
    ),
    "give it up": ("correcting", lambda w, tx, c: versions.discard(tx, w.specialist, c), None),
    "sign a correction": (
        "corrected",
        lambda w, tx, c: reporting.sign(tx, w.specialist, c, proof(w.specialist)),
        lambda w, tx, c: reporting.sign(tx, w.specialist, c, proof(w.specialist), digest="0" * 64),
    ),
    "publish a correction": ("signed_again", lambda w, tx, c: reporting.publish(tx, w.coordinator, c), None),
    "send a correction back": (
        "signed_again",
        lambda w, tx, c: reporting.send_back(tx, w.coordinator, c, "Which side?"),
        lambda w, tx, c: reporting.send_back(tx, w.coordinator, c, "And the other side?"),
    ),
    "recall": (
        "published",
        lambda w, tx, c: versions.recall(tx, w.coordinator, c, 1, "Another patient's"),
        lambda w, tx, c: versions.recall(tx, w.coordinator, c, 1, "Something else"),
    ),
    "restore": (
        "recalled",
        lambda w, tx, c: versions.restore(tx, w.coordinator, c, 1, "It was right"),
        lambda w, tx, c: versions.restore(tx, w.coordinator, c, 1, "Something else"),
    ),
    "publish": ("signed", lambda w, tx, c: reporting.publish(tx, w.coordinator, c), None),
    "close": ("published", lambda w, tx, c: reporting.close(tx, w.coordinator, c), None),
}


def stand(world: World, where: str) -> UUID:
    if where == "cleared":
        # Everything is approved, nothing released.
        case_id = world.submitted("free")
        with world.db.transaction() as tx:
            for one in studies.review(tx, world.coordinator, case_id):
                pending = [i.view_sop_uid for i in one.items if i.state == "pending_review"]
                if pending:
                    approval.record(tx, world.coordinator, case_id, InstancesLook(pending), "approved")
        return case_id
    case_id = getattr(world, where)("free")
    assert isinstance(case_id, UUID)
    return case_id


def counted(world: World, case_id: UUID) -> tuple[int, ...]:
    with world.db.transaction() as tx:
        return tuple(
            tx.scalar(select(func.count()).select_from(model).where(model.case_id == case_id)) or 0
            for model in (Step, ReportStep, Note)
        )


@pytest.mark.parametrize("name", CLICKS)
def test_a_second_click_finds_it_done(world: World, name: str) -> None:
    where, click, other = CLICKS[name]
    case_id = stand(world, where)
    with world.db.transaction() as tx:
        click(world, tx, case_id)
    world.drain()
    state, once, mails = world.state(case_id), counted(world, case_id), len(world.mails())
    for _ in range(2):
        with world.db.transaction() as tx:
            click(world, tx, case_id)
        world.drain()
    assert (world.state(case_id), counted(world, case_id), len(world.mails())) == (state, once, mails)
    if other is not None:
        with pytest.raises((Conflict, NotFound, Forbidden)), world.db.transaction() as tx:
            other(world, tx, case_id)
        assert counted(world, case_id) == once


def test_an_answer_is_given_once_and_another_one_never_lost(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        intake.ask_info(tx, world.coordinator, case_id, "Which knee?")
    for _ in range(2):
        with world.db.transaction() as tx:
            intake.answer_info(tx, world.patient, case_id, "The left one")
    with pytest.raises(Conflict), world.db.transaction() as tx:
        intake.answer_info(tx, world.patient, case_id, "No, the right one")
    with world.db.transaction() as tx:
        notes = tx.scalars(select(Note.text).where(Note.case_id == case_id).order_by(Note.id)).all()
    assert notes == ["Which knee?", "The left one"]


def test_what_somebody_else_did_since_is_no_second_click(world: World) -> None:
    case_id = world.offered("free")
    with world.db.transaction() as tx:
        assignment.take_back(tx, world.coordinator, case_id, "ill")
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
    with world.db.transaction() as tx:
        assignment.refuse(tx, world.specialist, case_id, "no time")
    # The coordinator's old form: the offer that it took back is another one.
    with pytest.raises(Conflict), world.db.transaction() as tx:
        assignment.take_back(tx, world.coordinator, case_id, "ill")


def test_a_follow_up_is_answered_once(world: World) -> None:
    case_id = world.published("free")
    with world.db.transaction() as tx:
        intake.follow_up(tx, world.patient, case_id, "And in a year?")
        question = next(q.id for q in tx.get_one(Case, case_id).questions if q.follow_up)
    for _ in range(2):
        with world.db.transaction() as tx:
            reporting.answer_follow_up(tx, world.specialist, case_id, question, "One more CT.", proof(world.specialist))
    with pytest.raises(Conflict), world.db.transaction() as tx:
        reporting.answer_follow_up(tx, world.specialist, case_id, question, "None.", proof(world.specialist))


def test_a_study_of_the_inbox_is_matched_once(world: World) -> None:
    case_id, other = world.submitted("free"), world.submitted("free")
    uid = world.upload(None, who=world.hospital)
    world.settle(uid)
    with world.db.transaction() as tx:
        [item] = inboxes.listed(tx, world.coordinator)
    found = set()
    for _ in range(2):
        with world.db.transaction() as tx:
            found.add(studies.match_by_hand(tx, world.coordinator, item.id, case_id))
    assert len(found) == 1
    with pytest.raises(Conflict), world.db.transaction() as tx:
        studies.match_by_hand(tx, world.coordinator, item.id, other)


def test_an_erasure_is_carried_out_once(world: World) -> None:
    case_id = world.submitted("free")
    with world.db.transaction() as tx:
        erasure.ask(tx, world.patient, case_id)
        erasure.start(tx, world.admin, case_id)
    for _ in range(2):
        with world.db.transaction() as tx:
            erasure.carry_out(tx, world.coordinator, case_id, world.gateway)
    with pytest.raises(OverreadError), world.db.transaction() as tx:
        erasure.carry_out(tx, world.admin, case_id, world.gateway)


def test_a_refund_to_the_limit_is_made_once(world: World) -> None:
    case_id = world.in_review("msk")

    def refund(request: str) -> None:
        with world.db.transaction() as tx:
            payments.refund(
                tx, world.coordinator, case_id, world.gateway, amount=PRICE // 2, reason="late", request_id=request
            )

    for _ in range(3):
        refund("one")
    with pytest.raises(Forbidden):
        refund("two")
    assert world.sandbox
    assert [r["amount"] for r in world.sandbox.listed("refunds")][-2:].count(PRICE // 2) == 1
    with world.db.transaction() as tx:
        audited = select(func.count()).select_from(AuditRow).where(AuditRow.action == "case.refund")
        assert tx.scalar(audited.where(AuditRow.case_id == case_id)) == 1


def test_a_payment_outside_is_recorded_once(world: World) -> None:
    case_id = world.draft()
    world.upload(case_id)
    for _ in range(2):
        with world.db.transaction() as tx:
            payments.record_outside(tx, world.coordinator, case_id, reference="INV-1")
    with pytest.raises(Conflict), world.db.transaction() as tx:
        payments.record_outside(tx, world.coordinator, case_id, reference="INV-2")
