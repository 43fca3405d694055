"""Holds, captures, voids and refunds: the service with the real SDK against the sandbox on a socket."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import text

from billing import repository, service
from billing.errors import AuthorisationEnded, Declined, NotAuthorised, NotRefundable
from billing.models import Payment
from billing.sandbox.intents import DISPUTED_AFTER
from billing.service import CheckoutLink
from billing.states import PaymentState
from billing.stripe_gateway import StripeGateway
from overread.kit.db import Database
from overread.kit.errors import BadInput, Conflict, NotFound, Unavailable
from tests.billing.conftest import PRICE
from tests.fakes import payments as cards
from tests.fakes.payments import Sandbox

DAY = 86400
T = TypeVar("T")


def open_page(db: Database, gateway: StripeGateway, subject: str, **more: bool) -> CheckoutLink:
    with db.transaction() as tx:
        return service.open_checkout(
            tx,
            gateway,
            subject,
            price_key="written",
            success_url="https://portal.example/paid?s={CHECKOUT_SESSION_ID}",
            cancel_url="https://portal.example/pay",
            **more,
        )


def look(db: Database, gateway: StripeGateway, payment_id: UUID) -> Payment:
    with db.transaction() as tx:
        return service.sync(tx, gateway, payment_id)


def held(db: Database, gateway: StripeGateway, sandbox: Sandbox, subject: str, card: str = cards.OK) -> Payment:
    link = open_page(db, gateway, subject)
    assert link.url
    sandbox.pay(link.url, card)
    payment = look(db, gateway, link.payment_id)
    assert payment.state is PaymentState.AUTHORISED
    return payment


def take(db: Database, gateway: StripeGateway, subject: str) -> Payment:
    with db.transaction() as tx:
        return service.capture(tx, gateway, subject)


def told(db: Database) -> list[str]:
    """The names of the events enqueued so far, in order."""
    with db.transaction() as tx:
        rows = tx.execute(text("SELECT args->>'event' FROM procrastinate_jobs ORDER BY id"))
        return [name for (name,) in rows]


def steps(db: Database, payment: Payment) -> list[str]:
    with db.transaction() as tx:
        return [row.to_state for row in repository.ledger(tx, payment.id) if row.from_state != row.to_state]


def at_once(times: int, call: Callable[[], T]) -> list[T]:
    """What `call` returns in as many threads that start together."""
    start, results = threading.Barrier(times), list[T]()

    def run() -> None:
        start.wait()
        results.append(call())

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_hold_then_capture(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    subject = str(uuid.uuid4())
    link = open_page(db, gateway, subject)
    assert link.url
    assert link.state is PaymentState.NONE
    target = sandbox.pay(link.url)
    session = sandbox.listed("checkout/sessions")[0]
    assert target == f"https://portal.example/paid?s={session['id']}"

    payment = look(db, gateway, link.payment_id)
    assert (payment.state, payment.amount, payment.currency) == (PaymentState.AUTHORISED, PRICE, "USD")
    assert payment.card_label == "Visa •••• 4242"
    assert payment.capture_before is not None
    assert 6.9 < (payment.capture_before - payment.created_at).total_seconds() / DAY < 7.1
    assert sandbox.listed("charges")[0]["captured"] is False

    captured = take(db, gateway, subject)
    assert captured.state is PaymentState.CAPTURED
    assert sandbox.listed("charges")[0]["amount_captured"] == PRICE
    assert steps(db, captured) == ["authorised", "capturing", "captured"]
    assert told(db) == [
        "billing.payment_authorised",
        "billing.payment_authorisation_ending",
        "billing.payment_captured",
    ]


def test_a_success_page_grants_nothing(db: Database, gateway: StripeGateway) -> None:
    open_page(db, gateway, "s")
    with pytest.raises(NotAuthorised):
        take(db, gateway, "s")
    with pytest.raises(NotAuthorised):
        take(db, gateway, "nobody")


def test_only_opaque_ids_and_neutral_words_leave(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "case-of-somebody")
    everything = str([sandbox.listed(kind) for kind in ("events", "charges", "checkout/sessions")])
    assert "case-of-somebody" not in everything
    assert "Written report" not in everything
    assert str(payment.id) in everything


def test_twenty_clicks_on_pay_open_one_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    links = at_once(20, lambda: open_page(db, gateway, "s"))
    assert len({link.url for link in links}) == 1
    assert len(sandbox.listed("checkout/sessions")) == 1


def test_twenty_clicks_on_accept_make_one_charge(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    held(db, gateway, sandbox, "s")
    states = at_once(20, lambda: take(db, gateway, "s").state)
    assert states == [PaymentState.CAPTURED] * 20
    assert [c["amount_captured"] for c in sandbox.listed("charges")] == [PRICE]
    assert Counter(told(db))["billing.payment_captured"] == 1


@pytest.mark.parametrize("_round", range(3))
def test_accept_and_withdraw_at_once(db: Database, gateway: StripeGateway, sandbox: Sandbox, _round: int) -> None:
    payment = held(db, gateway, sandbox, "s")
    turns = itertools.count()

    def click() -> str:
        with db.transaction() as tx:
            try:
                done = service.capture(tx, gateway, "s") if next(turns) % 2 else service.void(tx, gateway, "s")
            except Conflict as error:
                return type(error).__name__
            assert done is not None
            return done.state

    outcomes = set(at_once(10, click))
    charge = sandbox.listed("charges")[0]
    if charge["captured"]:
        assert outcomes == {PaymentState.CAPTURED, "Conflict"}
    else:
        assert outcomes == {PaymentState.VOIDED, "AuthorisationEnded"}
    assert look(db, gateway, payment.id).state is (PaymentState.CAPTURED if charge["captured"] else PaymentState.VOIDED)


def test_a_declined_card_can_be_replaced_on_the_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    answer = sandbox.submit(link.url, cards.NO_FUNDS)
    assert answer.status_code == 402
    assert "Your card has insufficient funds." in answer.text
    payment = look(db, gateway, link.payment_id)
    assert (payment.state, payment.failure_code) == (PaymentState.NONE, "insufficient_funds")
    assert open_page(db, gateway, "s").url == link.url
    sandbox.pay(link.url)
    payment = look(db, gateway, link.payment_id)
    assert (payment.state, payment.failure_code) == (PaymentState.AUTHORISED, None)


def test_three_d_secure(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    challenge = sandbox.submit(link.url, cards.ASKS_ONCE).headers["location"]
    assert look(db, gateway, link.payment_id).state is PaymentState.REQUIRES_ACTION
    with pytest.raises(NotAuthorised):
        take(db, gateway, "s")
    refused = sandbox.answer(challenge, passed=False)
    assert refused.headers["location"] == f"/c/pay/{sandbox.listed('checkout/sessions')[0]['id']}"
    assert "Your bank could not confirm that it was you." in sandbox.browser.get(link.url).text
    sandbox.pay(link.url, cards.ASKS_ALWAYS)
    assert look(db, gateway, link.payment_id).state is PaymentState.AUTHORISED


def test_void_releases_the_hold(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    for _ in range(2):
        with db.transaction() as tx:
            done = service.void(tx, gateway, "s", "program declined")
        assert done is not None
        assert done.state is PaymentState.VOIDED
    assert look(db, gateway, payment.id).state is PaymentState.VOIDED
    assert look(db, gateway, payment.id).amount_refunded == 0
    with pytest.raises(AuthorisationEnded):
        take(db, gateway, "s")
    # The subject may pay anew, with a payment of its own.
    assert held(db, gateway, sandbox, "s").id != payment.id


def test_void_closes_an_open_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    with db.transaction() as tx:
        service.void(tx, gateway, "s")
    assert sandbox.submit(link.url).status_code == 410
    assert sandbox.listed("charges") == []


def test_what_is_taken_is_refunded_not_voided(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    held(db, gateway, sandbox, "s")
    with db.transaction() as tx, pytest.raises(NotRefundable):
        service.refund(tx, gateway, "s", None, "too early", request_id="r0")
    take(db, gateway, "s")
    with db.transaction() as tx, pytest.raises(Conflict):
        service.void(tx, gateway, "s")


def test_refunds(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    held(db, gateway, sandbox, "s")
    take(db, gateway, "s")

    def give(amount: int | None, request_id: str) -> Payment:
        with db.transaction() as tx:
            return service.refund(tx, gateway, "s", amount, "not readable", request_id=request_id)

    for _ in range(2):  # the same wish twice is one refund
        part = give(10000, "r1")
        assert (part.state, part.amount_refunded) == (PaymentState.PARTLY_REFUNDED, 10000)
    again = give(5000, "r2")
    assert (again.state, again.amount_refunded) == (PaymentState.PARTLY_REFUNDED, 15000)
    with pytest.raises(NotRefundable):
        give(PRICE, "r3")
    rest = give(None, "r4")
    assert (rest.state, rest.amount_refunded) == (PaymentState.REFUNDED, PRICE)
    with pytest.raises(NotRefundable):
        give(1, "r5")
    assert [r["amount"] for r in sandbox.listed("refunds")] == [10000, 5000, 20000]


def test_a_refund_whose_commit_was_lost(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    take(db, gateway, "s")

    def die_before_the_commit() -> None:
        with db.transaction() as tx:
            service.refund(tx, gateway, "s", 20000, "", request_id="r")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_before_the_commit()
    assert (
        look(db, gateway, payment.id).state is PaymentState.PARTLY_REFUNDED
    )  # a webhook was faster than the second try
    with db.transaction() as tx:
        assert service.refund(tx, gateway, "s", 20000, "", request_id="r").amount_refunded == 20000
    assert [r["amount"] for r in sandbox.listed("refunds")] == [20000]


def test_a_hold_whose_commit_was_lost(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s", save_only=True)
    assert link.url
    sandbox.pay(link.url)
    look(db, gateway, link.payment_id)

    def die_before_the_commit() -> None:
        with db.transaction() as tx:
            service.authorise_saved(tx, gateway, "s")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_before_the_commit()
    assert look(db, gateway, link.payment_id).state is PaymentState.METHOD_SAVED
    intent = sandbox.listed("payment_intents")[-1]["id"]
    with db.transaction() as tx:  # the webhook names it
        assert service.sync(tx, gateway, link.payment_id, payment_intent_id=intent).state is PaymentState.AUTHORISED
    with db.transaction() as tx:
        assert service.authorise_saved(tx, gateway, "s").payment_intent_id == intent
    assert len(sandbox.listed("payment_intents")) == 1


def test_a_hold_expires(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    sandbox.advance(7 * DAY + 1)
    with pytest.raises(AuthorisationEnded):
        take(db, gateway, "s")
    # The error undid its transaction; the next look records what became of the hold.
    assert look(db, gateway, payment.id).state is PaymentState.EXPIRED
    assert told(db)[-1] == "billing.payment_expired"


def test_a_page_expires(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    sandbox.advance(3 * 3600)
    assert look(db, gateway, link.payment_id).state is PaymentState.EXPIRED


def test_the_price_is_the_tables(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    with pytest.raises(NotFound), db.transaction() as tx:
        service.open_checkout(
            tx, gateway, "s", price_key="free lunch", success_url="https://a/", cancel_url="https://a/"
        )
    link = open_page(db, gateway, "s")
    assert link.url
    # Whatever a client adds to the page's form, the page's amount stands.
    sandbox.browser.post(
        link.url, data={"number": cards.OK, "expiry": "12/40", "cvc": "123", "amount": "1", "amount_total": "1"}
    )
    assert look(db, gateway, link.payment_id).amount == PRICE
    assert [c["amount"] for c in sandbox.listed("charges")] == [PRICE]


def test_an_amount_that_is_not_ours_moves_nothing(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    with db.transaction() as tx:
        repository.locked(tx, link.payment_id).amount = PRICE + 1
    payment = look(db, gateway, link.payment_id)
    assert (payment.state, payment.failure_code) == (PaymentState.NONE, "amount_differs")


def test_another_kind_of_opinion_closes_the_first_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    with db.transaction() as tx:
        service.set_price(tx, "quick", "Quick read", 9900, "USD")
    first = open_page(db, gateway, "s")
    with db.transaction() as tx:
        second = service.open_checkout(
            tx, gateway, "s", price_key="quick", success_url="https://a/", cancel_url="https://a/"
        )
    assert second.payment_id == first.payment_id
    assert first.url
    assert second.url
    assert sandbox.submit(first.url).status_code == 410
    sandbox.pay(second.url)
    payment = look(db, gateway, first.payment_id)
    assert (payment.state, payment.amount) == (PaymentState.AUTHORISED, 9900)


def test_a_paid_subject_gets_no_second_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    again = open_page(db, gateway, "s")  # no webhook came: the click itself looks
    assert (again.url, again.state) == (None, PaymentState.AUTHORISED)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_to_a_capture_is_harmless(
    db: Database, gateway: StripeGateway, sandbox: Sandbox, when: str
) -> None:
    held(db, gateway, sandbox, "s")
    sandbox.fault("/capture$", when=when)  # the SDK tries again with the same idempotency key
    assert take(db, gateway, "s").state is PaymentState.CAPTURED
    assert [c["amount_captured"] for c in sandbox.listed("charges")] == [PRICE]


def test_a_commit_lost_after_the_capture(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")

    def die_before_the_commit() -> None:
        with db.transaction() as tx:
            service.capture(tx, gateway, "s")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_before_the_commit()
    with db.transaction() as tx:
        standing = service.find(tx, "s")
        assert standing is not None
        assert standing.state is PaymentState.AUTHORISED
    assert take(db, gateway, "s").state is PaymentState.CAPTURED
    assert look(db, gateway, payment.id).state is PaymentState.CAPTURED
    assert [c["amount_captured"] for c in sandbox.listed("charges")] == [PRICE]


def test_a_begun_capture_is_finished_by_the_next_look(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    with db.transaction() as tx:
        assert service.begin_capture(tx, "s").state is PaymentState.CAPTURING
    with db.transaction() as tx, pytest.raises(Conflict):
        service.void(tx, gateway, "s")
    assert look(db, gateway, payment.id).state is PaymentState.CAPTURED


def test_a_capture_that_the_bank_refuses(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    refusal = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "no"}
    sandbox.fault("/capture$", status=402, error=refusal)
    with pytest.raises(Declined) as caught:
        take(db, gateway, "s")
    assert (caught.value.code, caught.value.status) == ("insufficient_funds", 402)
    assert caught.value.safe == "The card has insufficient funds."
    with db.transaction() as tx:
        service.begin_capture(tx, "s")
    sandbox.fault("/capture$", status=402, error=refusal)
    failed = look(db, gateway, payment.id)
    assert (failed.state, failed.failure_code) == (PaymentState.FAILED, "insufficient_funds")


def test_a_silent_provider(db: Database, sandbox: Sandbox, gateway: StripeGateway) -> None:
    held(db, gateway, sandbox, "s")
    impatient = sandbox.gateway(retries=0)
    sandbox.fault("/capture$", when="after")
    with pytest.raises(Unavailable):
        take(db, impatient, "s")
    impatient.close()
    gone = StripeGateway("sk_test_x", "whsec_x", api_base="http://127.0.0.1:9", retries=0)
    with pytest.raises(Unavailable):
        take(db, gone, "s")
    gone.close()
    assert take(db, gateway, "s").state is PaymentState.CAPTURED


def test_a_saved_card_is_held_later(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s", save_only=True)
    assert link.url
    assert "Nothing to pay today" in sandbox.browser.get(link.url).text
    sandbox.pay(link.url, cards.ASKS_ONCE)
    assert look(db, gateway, link.payment_id).state is PaymentState.METHOD_SAVED
    assert sandbox.listed("charges") == []
    for _ in range(2):
        with db.transaction() as tx:
            payment = service.authorise_saved(tx, gateway, "s")
        assert payment.state is PaymentState.AUTHORISED
        assert payment.capture_before is not None
        # A Visa's hold is shorter where its owner is not there; the provider's word counts, not seven days.
        assert 4.7 < (payment.capture_before - payment.created_at).total_seconds() / DAY < 4.8
    assert take(db, gateway, "s").state is PaymentState.CAPTURED
    assert len(sandbox.listed("charges")) == 1


def test_a_saved_card_whose_bank_wants_its_owner(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s", save_only=True)
    assert link.url
    sandbox.pay(link.url, cards.ASKS_ALWAYS)
    look(db, gateway, link.payment_id)
    with db.transaction() as tx:
        payment = service.authorise_saved(tx, gateway, "s")
        assert (payment.state, payment.failure_code) == (PaymentState.REQUIRES_ACTION, "authentication_required")
    pay_link = open_page(db, gateway, "s")
    assert pay_link.url
    assert pay_link.payment_id == link.payment_id
    sandbox.pay(pay_link.url, cards.ASKS_ALWAYS)
    assert look(db, gateway, link.payment_id).state is PaymentState.AUTHORISED


def test_a_saved_card_that_fails_later(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s", save_only=True)
    assert link.url
    sandbox.pay(link.url, cards.FAILS_LATER)
    look(db, gateway, link.payment_id)
    with db.transaction() as tx:
        assert service.authorise_saved(tx, gateway, "s").state is PaymentState.FAILED
    with pytest.raises(Declined):
        take(db, gateway, "s")


def test_a_hold_is_renewed(
    db: Database, gateway: StripeGateway, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = held(db, gateway, sandbox, "s")
    with db.transaction() as tx:  # too early: nothing happens
        assert service.renew_hold(tx, gateway, payment.id).payment_intent_id == payment.payment_intent_id
    monkeypatch.setattr("billing.moves.AUTHORISATION_WARNING", timedelta(days=8))
    with db.transaction() as tx:
        renewed = service.renew_hold(tx, gateway, payment.id)
    assert renewed.state is PaymentState.AUTHORISED
    assert renewed.payment_intent_id != payment.payment_intent_id
    assert told(db)[-2:] == ["billing.authorisation_replaced", "billing.payment_authorisation_ending"]
    assert payment.payment_intent_id
    service.release_hold(gateway, payment.id, payment.payment_intent_id)
    assert gateway.get_payment_intent(payment.payment_intent_id).status == "canceled"
    assert take(db, gateway, "s").state is PaymentState.CAPTURED


def test_a_hold_whose_renewal_wants_the_owner(
    db: Database, gateway: StripeGateway, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = held(db, gateway, sandbox, "s", cards.ASKS_ALWAYS)
    monkeypatch.setattr("billing.moves.AUTHORISATION_WARNING", timedelta(days=8))
    with db.transaction() as tx:
        assert service.renew_hold(tx, gateway, payment.id).state is PaymentState.REQUIRES_ACTION
    with pytest.raises(NotAuthorised):
        take(db, gateway, "s")
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    assert look(db, gateway, payment.id).state is PaymentState.AUTHORISED


def test_a_dispute(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    for words, end in (("winning_evidence", PaymentState.WON), ("losing_evidence", PaymentState.LOST)):
        subject = words
        payment = held(db, gateway, sandbox, subject, cards.DISPUTES)
        take(db, gateway, subject)
        sandbox.advance(DISPUTED_AFTER)
        assert look(db, gateway, payment.id).state is PaymentState.DISPUTED
        case = sandbox.listed("disputes")[-1]
        sandbox.post(f"/v1/disputes/{case['id']}", {"evidence[uncategorized_text]": words}).raise_for_status()
        assert look(db, gateway, payment.id).state is end


@pytest.mark.parametrize(("method", "amount"), [("invoice", PRICE), ("free", 0)])
def test_paid_outside(db: Database, gateway: StripeGateway, sandbox: Sandbox, method: str, amount: int) -> None:
    with db.transaction() as tx:
        payment = service.record_outside(tx, "s", price_key="written", method=method, reference="2026-17", by="c")
        assert (payment.state, payment.amount) == (PaymentState.AUTHORISED, amount)
    with pytest.raises(Conflict), db.transaction() as tx:
        service.record_outside(tx, "s", price_key="written", method=method)
    with pytest.raises(BadInput), db.transaction() as tx:
        service.record_outside(tx, "t", price_key="written", method="barter")
    assert open_page(db, gateway, "s").url is None
    assert take(db, gateway, "s").state is PaymentState.CAPTURED
    if amount:
        with db.transaction() as tx:
            assert service.refund(tx, gateway, "s", 1, "", request_id="r").state is PaymentState.PARTLY_REFUNDED
    assert sandbox.listed("events") == []
