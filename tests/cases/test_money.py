"""Money and access: captured before granted, once however often it is asked for, and given back when a case ends."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest

from billing import service as billing
from billing.errors import AuthorisationEnded, Declined, NotAuthorised
from cases import access
from cases.service import assignment, intake, payments, read
from cases.states import ImagesBy
from cases.views import PatientCase
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, NotFound, OverreadError, Unavailable, Unprocessable
from tests.cases.world import PRICE, World, study
from viewer_bridge import grants


def paid(world: World, case_id: UUID) -> tuple[str, int]:
    with world.db.transaction() as tx:
        payment = billing.find(tx, str(case_id))
        assert payment is not None
        return str(payment.state), payment.amount_refunded


def page(world: World, tx: Session, case_id: UUID) -> str | None:
    back = "https://a.example/"
    return payments.checkout(tx, world.patient, case_id, world.gateway, success_url=back, cancel_url=back)


def test_the_payment_submits_a_complete_draft(world: World) -> None:
    case_id = world.draft()
    with world.db.transaction() as tx, pytest.raises(Unprocessable) as refused:
        intake.submit(tx, world.patient, case_id)
    assert refused.value.extra["reasons"] == ["Please send the images first.", "The payment is not authorised yet."]
    world.upload(case_id)
    world.pay(case_id)
    assert world.state(case_id) == "submitted"
    assert paid(world, case_id) == ("authorised", 0)
    with world.db.transaction() as tx:
        seen = read.show(tx, world.patient, case_id)
    assert isinstance(seen, PatientCase)
    assert (seen.price, seen.missing, seen.due_at is None) == ("$350.00", (), False)


def test_a_payment_alone_submits_nothing(world: World) -> None:
    case_id = world.draft()
    with world.db.transaction() as tx, pytest.raises(Unprocessable):
        page(world, tx, case_id)  # nobody pays for what could not be sent
    world.upload(case_id)
    with world.db.transaction() as tx:
        url = page(world, tx, case_id)
    # Paid for, and meanwhile something is missing again.
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, [])
    assert url
    assert world.sandbox
    world.sandbox.pay(url)
    world.look()
    assert world.state(case_id) == "draft"
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, ["Is it torn?"])
        assert page(world, tx, case_id) is None
        intake.submit(tx, world.patient, case_id)
    assert world.state(case_id) == "submitted"


def test_twenty_accepts_make_one_capture_and_one_grant(world: World) -> None:
    case_id = world.offered("msk")
    assert world.sandbox
    before = len(world.sandbox.listed("events", type="charge.captured"))
    failures: list[BaseException] = []
    barrier = threading.Barrier(20)

    def click() -> None:
        barrier.wait()
        try:
            with world.db.transaction() as tx:
                assignment.accept(tx, world.specialist, case_id, world.gateway)
        except BaseException as error:  # noqa: BLE001  what a thread raises is looked at below
            failures.append(error)

    threads = [threading.Thread(target=click) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert world.state(case_id) == "in_review"
    assert paid(world, case_id) == ("captured", 0)
    assert len(world.sandbox.listed("events", type="charge.captured")) == before + 1
    with world.db.transaction() as tx:
        assert len(grants.active(tx, case_id)) == 1
        steps = [s.event for s in read.show(tx, world.coordinator, case_id).steps]  # type: ignore[union-attr]
    assert steps.count("accept") == 1


def test_nothing_is_granted_while_the_provider_is_silent_and_nothing_is_taken_twice(world: World) -> None:
    case_id = world.offered("msk")
    assert world.sandbox
    for _ in range(3):
        # It has taken the money, and we do not hear of it, however often the SDK asks.
        world.sandbox.fault("/capture$", when="after")
    with pytest.raises(Unavailable), world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "offered"
    with world.db.transaction() as tx:
        assert grants.active(tx, case_id) == []
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "in_review"
    assert len(world.sandbox.listed("events", type="charge.captured")) == 1


def test_nothing_is_granted_without_money(world: World) -> None:
    case_id = world.offered("msk")
    assert world.sandbox
    refusal = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": "No."}
    world.sandbox.fault("/capture$", status=402, error=refusal)
    with pytest.raises(Declined), world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    with world.db.transaction() as tx:
        billing.void(tx, world.gateway, str(case_id))
    with pytest.raises(AuthorisationEnded), world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "offered"
    with world.db.transaction() as tx:
        assert grants.active(tx, case_id) == []
        with pytest.raises(NotFound):
            access.scope(tx, world.specialist, case_id)


def test_a_hold_that_ran_out_asks_the_patient_again(world: World) -> None:
    case_id = world.offered("msk")
    assert world.sandbox
    world.sandbox.advance(8 * 86400)
    world.look()
    assert paid(world, case_id) == ("expired", 0)
    assert any("confirm your payment" in mail for mail in world.mails())
    with pytest.raises((AuthorisationEnded, NotAuthorised)), world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    # Back to the machine's own time, by which we tell the provider when a page ends.
    world.sandbox.advance(-8 * 86400)
    world.pay(case_id)
    with world.db.transaction() as tx:
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert world.state(case_id) == "in_review"


@pytest.mark.parametrize(
    ("state", "end", "left"),
    [
        ("submitted", "withdraw", ("voided", 0)),
        ("offered", "decline", ("voided", 0)),
        ("in_review", "decline", ("refunded", PRICE)),
        ("in_review", "withdraw", ("partly_refunded", PRICE // 2)),
    ],
)
def test_a_case_that_ends_gives_the_money_back(world: World, state: str, end: str, left: tuple[str, int]) -> None:
    case_id: UUID = getattr(world, state)("msk")
    with world.db.transaction() as tx:
        if end == "decline":
            assignment.decline(tx, world.coordinator, case_id, "We have no specialist for this.")
        else:
            intake.withdraw(tx, world.patient, case_id)
    world.drain()
    world.drain(later=True)
    assert paid(world, case_id) == left
    with world.db.transaction() as tx:
        assert grants.active(tx, case_id) == []


def test_money_for_a_case_that_has_ended_goes_back(world: World) -> None:
    case_id = world.draft()
    world.upload(case_id)
    with world.db.transaction() as tx:
        url = page(world, tx, case_id)
    assert url
    assert world.sandbox
    world.sandbox.pay(url)
    with world.db.transaction() as tx:
        intake.withdraw(tx, world.patient, case_id)
    world.drain()
    world.look()
    assert paid(world, case_id) == ("voided", 0)


def test_a_card_saved_for_a_hospital_s_images_is_held_when_they_are_ready(world: World) -> None:
    case_id = world.draft(images_by=ImagesBy.HOSPITAL)
    world.pay(case_id)
    assert world.state(case_id) == "submitted"
    assert paid(world, case_id) == ("method_saved", 0)
    with world.db.transaction() as tx:
        number = read.show(tx, world.patient, case_id).reference
    uid = world.upload(None, who=world.hospital, dicom=study(AccessionNumber=number))
    world.settle(uid)
    world.clear(case_id)
    with world.db.transaction() as tx:
        assignment.mark_ready(tx, world.coordinator, case_id)
    world.drain()
    assert paid(world, case_id) == ("authorised", 0)
    with world.db.transaction() as tx:
        assignment.offer(tx, world.coordinator, case_id, world.specialist.id)
        assignment.accept(tx, world.specialist, case_id, world.gateway)
    assert paid(world, case_id) == ("captured", 0)


def test_refunds_by_hand_have_a_limit(world: World) -> None:
    case_id = world.in_review("msk")

    def refund(role: str, amount: int | None, request_id: str) -> None:
        with world.db.transaction() as tx:
            payments.refund(
                tx, world.who[role], case_id, world.gateway, amount=amount, reason="late", request_id=request_id
            )

    with pytest.raises(Forbidden):
        refund("coordinator", PRICE // 2 + 1, "a")
    refund("coordinator", PRICE // 2, "b")
    assert paid(world, case_id) == ("partly_refunded", PRICE // 2)
    with pytest.raises(Forbidden):
        refund("coordinator", 1, "c")
    for role in ("patient", "specialist", "auditor", "hospital"):
        with pytest.raises(Forbidden):
            refund(role, 1, "d")
    refund("admin", None, "e")
    assert paid(world, case_id) == ("refunded", PRICE)


def test_an_invoice_paid_outside_needs_no_provider(world: World) -> None:
    case_id = world.draft()
    world.upload(case_id)
    for role in ("patient", "specialist", "admin"):
        with world.db.transaction() as tx, pytest.raises(Forbidden):
            payments.record_outside(tx, world.who[role], case_id)
    with world.db.transaction() as tx:
        payments.record_outside(tx, world.coordinator, case_id, reference="INV-1")
    assert world.state(case_id) == "submitted"
    with world.db.transaction() as tx:
        with pytest.raises(Conflict):
            payments.record_outside(tx, world.coordinator, case_id, reference="INV-2")
        with pytest.raises(OverreadError):
            payments.checkout(tx, world.patient, case_id, None, success_url="https://a/", cancel_url="https://a/")
