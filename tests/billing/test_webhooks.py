"""Webhooks: signed, recorded once, harmless in any order, and made up for where they never come."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, func, select, text, update
from starlette.applications import Starlette

from billing import repository, service, webhooks
from billing.handlers import Handlers
from billing.health import Health, health
from billing.models import LedgerEntry, Payment, WebhookEvent
from billing.routes import routes
from billing.sandbox.webhooks import signature
from billing.states import PaymentState
from billing.stripe_gateway import StripeGateway, from_settings
from overread import wiring
from overread.kit import clock
from overread.kit.bus import Bus
from overread.kit.db import Database
from overread.kit.errors import NotFound
from overread.kit.settings import Settings
from tests.billing.test_service import held, look, open_page, take
from tests.fakes import payments as cards
from tests.fakes.payments import SECRET_KEY, WEBHOOK_SECRET, Sandbox, Served


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    return Settings.model_validate(
        {
            "stripe_secret_key": SECRET_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
            "stripe_api_base": sandbox.url,
        }
    )


@pytest.fixture
def receiver(settings: Settings, db: Database, gateway: StripeGateway) -> Iterator[Served]:
    served = Served(Starlette(routes=routes(settings, db, gateway)))
    yield served
    served.stop()


def event(**more: object) -> bytes:
    thing = {"object": "payment_intent", "id": "pi_1", "metadata": {}}
    return json.dumps(
        {"id": "evt_1", "type": "payment_intent.succeeded", "created": 1, "data": {"object": thing}, **more}
    ).encode()


def post(receiver: Served, raw: bytes, header: str | None) -> httpx.Response:
    headers = {} if header is None else {"Stripe-Signature": header}
    return httpx.post(f"{receiver.url}/webhooks/stripe", content=raw, headers=headers)


def recorded(db: Database) -> int:
    with db.transaction() as tx:
        return tx.scalar(select(func.count()).select_from(WebhookEvent)) or 0


def work(db: Database, gateway: StripeGateway) -> None:
    """Process every recorded event, as the jobs do."""
    with db.transaction() as tx:
        waiting = list(tx.scalars(select(WebhookEvent.id).where(WebhookEvent.processed_at.is_(None))))
    for webhook_id in waiting:
        with db.transaction() as tx:
            webhooks.process_webhook(tx, gateway, webhook_id)


def test_a_signed_event_is_recorded_once(db: Database, receiver: Served) -> None:
    for _ in range(3):
        assert post(receiver, event(), signature(event(), WEBHOOK_SECRET, int(time.time()))).status_code == 204
    assert recorded(db) == 1
    with db.transaction() as tx:
        jobs = tx.scalar(
            text("SELECT count(*) FROM procrastinate_jobs WHERE args->>'event' = 'billing.webhook_received'")
        )
        assert jobs == 1


@pytest.mark.parametrize(
    "header",
    [
        lambda: None,
        lambda: "",
        lambda: "nonsense",
        lambda: "t=,v1=",
        lambda: "t=now,v1=00",
        lambda: signature(event(), "whsec_other", int(time.time())),
        lambda: signature(event(type="charge.refunded"), WEBHOOK_SECRET, int(time.time())),
        lambda: signature(event(), WEBHOOK_SECRET, int(time.time()) - 301),
    ],
    ids=["none", "empty", "nonsense", "blank", "no-time", "other-secret", "other-body", "stale"],
)
def test_a_bad_signature_is_refused(db: Database, receiver: Served, header: Callable[[], str | None]) -> None:
    # Signed now: one that is signed when the tests are collected is too old later, whatever else is wrong with it.
    answer = post(receiver, event(), header())
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "The signature does not fit this body, or it is too old."
    assert recorded(db) == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"id": 1}', b"\xff\xfe", b'{"id":"e","data":3}'])
def test_a_signed_body_that_is_no_event(db: Database, receiver: Served, raw: bytes) -> None:
    assert post(receiver, raw, signature(raw, WEBHOOK_SECRET, int(time.time()))).status_code == 400
    assert recorded(db) == 0


def test_a_body_without_end(db: Database, receiver: Served) -> None:
    assert post(receiver, b" " * (2 << 20), "t=1,v1=0").status_code == 413


def test_without_a_secret_there_is_no_route(settings: Settings, db: Database, gateway: StripeGateway) -> None:
    assert len(routes(settings, db, gateway)) == 1
    for secret in (None, SecretStr("")):
        assert routes(settings.model_copy(update={"stripe_webhook_secret": secret}), db, gateway) == []
    assert routes(settings, db, None) == []
    assert from_settings(settings.model_copy(update={"stripe_secret_key": None})) is None


def test_nothing_of_a_payer_is_kept(db: Database, gateway: StripeGateway) -> None:
    thing = {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "billing_details": {"name": "Ann Example"}}
    raw = event(data={"object": thing})
    with db.transaction() as tx:
        assert webhooks.record_webhook(tx, gateway, raw, signature(raw, WEBHOOK_SECRET, int(time.time())))
        row = tx.scalars(select(WebhookEvent)).one()
        assert row.payload == {
            "object": "charge",
            "id": "ch_1",
            "payment_intent": "pi_1",
            "payment_id": None,
            "created": 1,
        }


def test_an_event_of_somebody_else_is_done_with(db: Database, gateway: StripeGateway) -> None:
    for raw in (
        event(),
        event(id="evt_2", data={"object": {"object": "x", "id": "x", "metadata": {"payment_id": "y"}}}),
    ):
        with db.transaction() as tx:
            webhooks.record_webhook(tx, gateway, raw, signature(raw, WEBHOOK_SECRET, int(time.time())))
    work(db, gateway)
    with db.transaction() as tx:
        assert all(row.processed_at for row in tx.scalars(select(WebhookEvent)))


def test_the_sandbox_delivers_by_itself(settings: Settings, db: Database) -> None:
    """The whole way: the payer pays, the webhook comes over the socket, its job moves the payment."""
    late = Starlette()
    receiver = Served(late)
    sandbox = Sandbox(webhook_url=f"{receiver.url}/webhooks/stripe")
    gateway = sandbox.gateway()
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)  # the receiver knows no such route yet: the first tries fail
    late.router.routes.extend(routes(settings, db, gateway))
    limit = time.monotonic() + 20
    while recorded(db) < 5 and time.monotonic() < limit:
        time.sleep(0.05)
    work(db, gateway)
    with db.transaction() as tx:
        payment = service.find(tx, "s")
        assert payment is not None
        assert payment.state is PaymentState.AUTHORISED
    sandbox.stop()
    gateway.close()
    receiver.stop()


MAIN = (
    "checkout.session.completed",
    "payment_intent.amount_capturable_updated",
    "payment_intent.succeeded",
    "charge.refunded",
)


def test_every_order_ends_in_the_providers_state(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    payment = held(db, gateway, sandbox, "s")
    take(db, gateway, "s")
    with db.transaction() as tx:
        service.refund(tx, gateway, "s", 10000, "", request_id="r")
    events = {e["type"]: json.dumps(e).encode() for e in sandbox.listed("events")}
    for order in itertools.permutations(MAIN):
        with db.transaction() as tx:  # forget everything but the page
            tx.execute(delete(WebhookEvent))
            tx.execute(delete(LedgerEntry))
            tx.execute(
                update(Payment).values(
                    state=PaymentState.NONE,
                    payment_intent_id=None,
                    amount_refunded=0,
                    checkout_url="https://page.example/",
                )
            )
        for name in (*order, order[0], order[2]):  # two of them twice
            with db.transaction() as tx:
                header = signature(events[name], WEBHOOK_SECRET, int(time.time()))
                webhooks.record_webhook(tx, gateway, events[name], header)
            work(db, gateway)
        with db.transaction() as tx:
            now = tx.get(Payment, payment.id)
            assert now is not None
            assert (now.state, now.amount_refunded) == (PaymentState.PARTLY_REFUNDED, 10000), order
            seen = [row.to_state for row in repository.ledger(tx, payment.id)]
            assert seen == ["authorised", "capturing", "captured", "partly_refunded"], order


@pytest.mark.parametrize("seed", range(6))
def test_deliveries_between_the_providers_moves(
    db: Database, gateway: StripeGateway, sandbox: Sandbox, receiver: Served, seed: int
) -> None:
    """Events come late, twice, out of order or not at all while the provider goes on: the ends agree."""
    chance = random.Random(seed)
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.submit(link.url, cards.DECLINED)
    sandbox.pay(link.url, chance.choice([cards.OK, cards.ASKS_ONCE]))
    intent = sandbox.listed("payment_intents")[0]["id"]
    moves = [
        (f"/v1/payment_intents/{intent}/capture", {}),
        ("/v1/refunds", {"payment_intent": intent, "amount": "100"}),
        ("/v1/refunds", {"payment_intent": intent}),
    ][: chance.randint(0, 3)]
    if not moves:
        moves = [(f"/v1/payment_intents/{intent}/cancel", {})]

    def deliver_some() -> None:
        known = sandbox.listed("events")
        for one in chance.choices(known, k=chance.randint(0, 4)):
            raw = json.dumps(one).encode()
            header = signature(raw, WEBHOOK_SECRET, int(time.time()))
            assert post(receiver, raw, header).status_code == 204
            if chance.random() < 0.5:
                work(db, gateway)

    for path, form in moves:
        deliver_some()
        sandbox.post(path, form).raise_for_status()
    deliver_some()
    last = sandbox.listed("events")[-1]
    raw = json.dumps(last).encode()
    post(receiver, raw, signature(raw, WEBHOOK_SECRET, int(time.time())))
    work(db, gateway)
    with db.transaction() as tx:
        payment = service.find(tx, "s")
        assert payment is not None
        charge = sandbox.listed("charges")[-1]
        if not charge["captured"]:
            assert payment.state is PaymentState.VOIDED
        else:
            assert payment.amount_refunded == charge["amount_refunded"]
            given = charge["amount_refunded"]
            wanted = (
                PaymentState.CAPTURED
                if not given
                else PaymentState.REFUNDED
                if charge["refunded"]
                else PaymentState.PARTLY_REFUNDED
            )
            assert payment.state is wanted


def age(db: Database) -> None:
    with db.transaction() as tx:
        tx.execute(update(Payment).values(updated_at=Payment.updated_at - timedelta(minutes=5)))


def test_reconcile_makes_up_for_what_never_came(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    with db.transaction() as tx:
        found = webhooks.reconcile(tx, gateway)
    assert found == recorded(db) == len(sandbox.listed("events"))
    work(db, gateway)
    with db.transaction() as tx:
        payment = service.find(tx, "s")
        assert payment is not None
        assert payment.state is PaymentState.AUTHORISED
    with db.transaction() as tx:
        assert webhooks.reconcile(tx, gateway) == 0  # touched a moment ago
    age(db)
    with db.transaction() as tx:
        assert webhooks.reconcile(tx, gateway) == 1  # a hold is unsettled
    take(db, gateway, "s")
    work(db, gateway)
    age(db)
    with db.transaction() as tx:
        webhooks.reconcile(tx, gateway)
    with db.transaction() as tx:
        assert repository.unsettled(tx, clock.now()) == []


def test_the_jobs_do_it_all(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    """Billing's handlers on a real worker: an event of the reconciler's ends in an authorised payment."""
    bus = Bus(db)
    wiring.wire_billing(bus, Handlers(db, gateway))
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    with db.transaction() as tx:
        webhooks.reconcile(tx, gateway)
    bus.run(wait=False)
    with db.transaction() as tx:
        payment = service.find(tx, "s")
        assert payment is not None
        assert payment.state is PaymentState.AUTHORISED
        assert all(row.processed_at for row in tx.scalars(select(WebhookEvent)))


def test_held_back_and_sent_on_demand(db: Database, receiver: Served) -> None:
    sandbox = Sandbox(webhook_url=f"{receiver.url}/webhooks/stripe")
    gateway = sandbox.gateway()
    sandbox.hold_webhooks()
    link = open_page(db, gateway, "s")
    assert link.url
    sandbox.pay(link.url)
    ids = [e["id"] for e in sandbox.listed("events")]
    assert recorded(db) == 0
    assert sandbox.deliver([*reversed(ids), *ids]) == [204] * 2 * len(ids)
    assert recorded(db) == len(ids)
    assert {e["pending_webhooks"] for e in sandbox.listed("events")} == {0}
    sandbox.stop()
    gateway.close()


def test_a_database_that_is_down_makes_the_provider_try_again(settings: Settings, gateway: StripeGateway) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none")
    served = Served(Starlette(routes=routes(settings, nowhere, gateway)))
    answer = post(served, event(), signature(event(), WEBHOOK_SECRET, int(time.time())))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"
    served.stop()
    nowhere.close()


def test_an_event_about_nothing_in_particular(db: Database, gateway: StripeGateway) -> None:
    raw = event(type="balance.available", data={"object": {"object": "balance"}})
    with db.transaction() as tx:
        assert webhooks.record_webhook(tx, gateway, raw, signature(raw, WEBHOOK_SECRET, int(time.time())))
    work(db, gateway)
    with db.transaction() as tx:
        assert health(tx).webhooks_waiting == 0


def test_the_numbers_of_the_health_page(db: Database, gateway: StripeGateway, sandbox: Sandbox) -> None:
    with db.transaction() as tx:
        assert health(tx) == Health(None, 0, {}, 0, 0)
    held(db, gateway, sandbox, "s")
    open_page(db, gateway, "t")
    with db.transaction() as tx:
        service.begin_capture(tx, "s")
    age(db)
    with db.transaction() as tx:
        webhooks.reconcile(tx, gateway)
    with db.transaction() as tx:
        now = health(tx)
        assert now.by_state == {PaymentState.CAPTURING: 1, PaymentState.NONE: 1}
        assert (now.webhooks_waiting, now.differing, now.late) == (recorded(db), 0, 1)
        assert now.last_webhook_at is not None


def test_looking_at_an_unknown_payment(db: Database, gateway: StripeGateway) -> None:
    with pytest.raises(NotFound):
        look(db, gateway, UUID(int=7))
