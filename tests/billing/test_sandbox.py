"""The sandbox itself, asked raw: idempotency, errors, signatures, cards, pages, its clock and its file."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from billing.sandbox import forms
from billing.sandbox.__main__ import main
from billing.sandbox.cards import CARDS, Entered, check
from billing.sandbox.errors import ApiError
from billing.sandbox.server import app, run
from billing.sandbox.webhooks import signature
from billing.stripe_gateway import StripeGateway
from tests.fakes import payments as cards
from tests.fakes.payments import SECRET_KEY, Sandbox

HOLD = {"amount": "35000", "currency": "usd", "capture_method": "manual", "confirm": "true"}
SESSION = {
    "mode": "payment",
    "success_url": "https://portal.example/paid?s={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://portal.example/pay",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "35000",
    "line_items[0][price_data][product_data][name]": "Professional services",
    "payment_intent_data[capture_method]": "manual",
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def page(sandbox: Sandbox, **more: str) -> str:
    url: str = sandbox.post("/v1/checkout/sessions", {**SESSION, **more}).raise_for_status().json()["url"]
    return url


@pytest.mark.parametrize(
    ("mode", "key"), [("", SECRET_KEY), ("live", SECRET_KEY), ("production", SECRET_KEY), ("demo", "sk_live_1")]
)
def test_it_refuses_to_start_by_mistake(mode: str, key: str) -> None:
    with pytest.raises(ValueError, match="payment sandbox"):
        app(mode=mode, secret_key=key, webhook_secret="whsec_x")
    with pytest.raises(ValueError, match="payment sandbox"):
        run("127.0.0.1", 1, None, None, "whsec_x", key, mode=mode)


def test_the_command_wants_a_mode_and_its_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OVERREAD_STRIPE_SECRET_KEY", raising=False)
    for arguments in ([], ["--mode", "live"], ["--mode", "demo"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "OVERREAD_STRIPE_SECRET_KEY" in capsys.readouterr().err


def test_a_live_key_goes_nowhere_else() -> None:
    with pytest.raises(ValueError, match="only a test key"):
        StripeGateway("sk_live_1", "whsec_x", api_base="http://127.0.0.1:9")


def test_the_same_key_with_the_same_parameters_is_one_payment(sandbox: Sandbox) -> None:
    form = {**HOLD, "payment_method": "pm_card_visa"}
    first = sandbox.post("/v1/payment_intents", form, key="k")
    second = sandbox.post("/v1/payment_intents", form, key="k")
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(sandbox.listed("payment_intents")) == 1
    other = sandbox.post("/v1/payment_intents", {**form, "amount": "1"}, key="k")
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    elsewhere = sandbox.post("/v1/customers", {}, key="k")
    assert elsewhere.json()["error"]["type"] == "idempotency_error"
    sandbox.advance(86401)  # a key is forgotten after a day
    assert sandbox.post("/v1/payment_intents", form, key="k").json()["id"] != first.json()["id"]


def test_a_decline_is_remembered_a_wrong_parameter_is_not(sandbox: Sandbox) -> None:
    declined = {**HOLD, "payment_method": "pm_card_visa_chargeDeclined"}
    answers = [sandbox.post("/v1/payment_intents", declined, key="d") for _ in range(2)]
    assert [a.status_code for a in answers] == [402, 402]
    assert len(sandbox.listed("charges")) == 1
    wrong = sandbox.post("/v1/payment_intents", {"currency": "usd"}, key="w")
    assert wrong.json()["error"] == {
        "type": "invalid_request_error",
        "message": "Missing required param: amount.",
        "code": "parameter_missing",
        "param": "amount",
    }
    assert sandbox.post("/v1/payment_intents", {"currency": "usd", "amount": "100"}, key="w").status_code == 200


def test_a_decline_names_its_reason(sandbox: Sandbox) -> None:
    form = {**HOLD, "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"}
    error = sandbox.post("/v1/payment_intents", form).json()["error"]
    assert (error["type"], error["code"], error["decline_code"]) == (
        "card_error",
        "card_declined",
        "insufficient_funds",
    )
    assert error["message"] == "Your card has insufficient funds."
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert re.fullmatch(r"ch_[A-Za-z0-9]{24}", error["charge"])


@pytest.mark.parametrize(
    ("path", "form", "status", "code"),
    [
        ("/v1/payment_intents/pi_none/capture", {}, 404, "resource_missing"),
        ("/v1/payment_intents", {"amount": "1.5", "currency": "usd"}, 400, "parameter_invalid_integer"),
        ("/v1/payment_intents", {"amount": "5", "currency": "usd", "amuont": "5"}, 400, "parameter_unknown"),
        ("/v1/checkout/sessions", {**SESSION, "success_url": "javascript:alert(1)"}, 400, "url_invalid"),
        ("/v1/checkout/sessions", {**SESSION, "line_items[0][price_data][unit_amount]": "1"}, 400, "amount_too_small"),
        ("/v1/checkout/sessions", {**SESSION, "expires_at": "1"}, 400, None),
        ("/v1/checkout/sessions", {"success_url": "https://a/"}, 400, "parameter_missing"),
        ("/v1/refunds", {"payment_intent": "pi_none"}, 404, "resource_missing"),
        ("/v1/nothing", {}, 404, None),
    ],
)
def test_refusals(sandbox: Sandbox, path: str, form: dict[str, str], status: int, code: str | None) -> None:
    answer = sandbox.post(path, form)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"].get("code") == code


def test_the_states_of_an_intent(sandbox: Sandbox) -> None:
    made = sandbox.post("/v1/payment_intents", {k: v for k, v in HOLD.items() if k != "confirm"}).json()
    path = f"/v1/payment_intents/{made['id']}"
    assert made["status"] == "requires_payment_method"
    assert sandbox.post(f"{path}/capture", {}).json()["error"]["code"] == "payment_intent_unexpected_state"
    asked = sandbox.post(
        f"{path}/confirm", {"payment_method": "pm_card_authenticationRequired", "return_url": "https://a/back"}
    ).json()
    assert asked["status"] == "requires_action"
    challenge = asked["next_action"]["redirect_to_url"]["url"]
    assert "Is this payment yours?" in sandbox.browser.get(challenge).text
    back = sandbox.answer(challenge, passed=True).headers["location"]
    assert back == f"https://a/back?payment_intent={made['id']}&redirect_status=succeeded"
    held = sandbox.http.get(path, params={"expand[]": "latest_charge"}).json()
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 35000)
    until = held["latest_charge"]["payment_method_details"]["card"]["capture_before"]
    assert until - held["latest_charge"]["created"] == 7 * 86400
    taken = sandbox.post(f"{path}/capture", {"amount_to_capture": "30000"}).json()
    assert (taken["status"], taken["amount_received"]) == ("succeeded", 30000)
    assert sandbox.post(f"{path}/cancel", {}).json()["error"]["code"] == "payment_intent_unexpected_state"
    names = [e["type"] for e in sandbox.listed("events")]
    assert names == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "charge.captured",
    ]


def test_a_hold_that_runs_out_is_canceled_by_itself(sandbox: Sandbox) -> None:
    made = sandbox.post("/v1/payment_intents", {**HOLD, "payment_method": "pm_card_visa"}).json()
    sandbox.advance(7 * 86400 - 5)
    assert sandbox.http.get(f"/v1/payment_intents/{made['id']}").json()["status"] == "requires_capture"
    sandbox.advance(10)
    ended = sandbox.http.get(f"/v1/payment_intents/{made['id']}").json()
    assert (ended["status"], ended["cancellation_reason"]) == ("canceled", "automatic")
    assert [e["type"] for e in sandbox.listed("events")][-2:] == ["charge.expired", "payment_intent.canceled"]


def test_the_key_and_the_version(sandbox: Sandbox) -> None:
    for header, status in (("Bearer sk_test_wrong", 401), ("", 401), (f"Bearer {SECRET_KEY}", 200)):
        assert sandbox.browser.get(f"{sandbox.url}/v1/events", headers={"Authorization": header}).status_code == status
    assert sandbox.browser.post(f"{sandbox.url}/_sandbox/clock", json={"advance": 9}).status_code == 401
    bad = sandbox.http.get("/v1/events", headers={"Stripe-Version": "yesterday"})
    assert bad.status_code == 400
    assert re.fullmatch(r"req_\w{24}", bad.headers["request-id"])


def test_signatures_are_what_the_sdk_verifies() -> None:
    header = signature(b'{"id": "evt"}', "whsec_x", 1_000)
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.WebhookSignature.verify_header('{"id": "evt"}', header, "whsec_x", 300)
    assert stripe.WebhookSignature.verify_header('{"id": "evt"}', header, "whsec_x", 10**10)


def test_form_encoding() -> None:
    assert forms.decode("a=1&b[c]=2&b[d][e]=&f[0]=x&f[1]=y&g[]=p&g[]=q&expand[0][k]=v") == {
        "a": "1",
        "b": {"c": "2", "d": {"e": ""}},
        "f": ["x", "y"],
        "g": ["p", "q"],
        "expand": [{"k": "v"}],
    }
    for wrong in ("a[=1", "[a]=1", "a]b=1", "a=1&a[b]=2"):
        with pytest.raises(ApiError):
            forms.decode(wrong)


_NAMES = st.text("abcdefghij_", min_size=1, max_size=8)
_TEXTS = st.text(max_size=8)


@given(
    st.dictionaries(
        _NAMES,
        st.recursive(
            _TEXTS,
            lambda inner: (
                st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_NAMES, inner, min_size=1, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_what_the_sdk_encodes_is_read_back(form: dict[str, Any]) -> None:
    assert forms.decode(urlencode(list(_api_encode(form)))) == form


@pytest.mark.parametrize(
    ("number", "expiry", "cvc", "field", "sentence"),
    [
        ("", "12/40", "123", "number", "Enter the card number."),
        ("4242", "12/40", "123", "number", "The card number is incomplete."),
        ("4242424242424241", "12/40", "123", "number", "That card number is not valid. Check its digits."),
        ("4111111111111111", "12/40", "123", "number", "Only test cards work here."),
        ("4242424242424242", "", "123", "expiry", "Enter the expiry date."),
        ("4242424242424242", "december", "123", "expiry", "Write the expiry date as MM / YY."),
        ("4242424242424242", "13/40", "123", "expiry", "The month must be between 01 and 12."),
        ("4242424242424242", "10/26", "123", "expiry", "This card's expiry date is in the past."),
        ("4242424242424242", "11/90", "123", "expiry", "That expiry year is too far ahead."),
        ("4242424242424242", "12/40", "", "cvc", "Enter the security code."),
        ("4242424242424242", "12/40", "12", "cvc", "The security code has 3 digits."),
        ("378282246310005", "12/40", "123", "cvc", "The security code has 4 digits."),
    ],
)
def test_what_the_card_form_says(number: str, expiry: str, cvc: str, field: str, sentence: str) -> None:
    wrong = check(number, expiry, cvc, NOW)
    assert isinstance(wrong, dict)
    assert list(wrong) == [field]
    assert wrong[field].startswith(sentence)


def test_every_test_card_passes_the_form() -> None:
    for number, card in CARDS.items():
        spaced = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
        entered = check(spaced, " 11/26", "1234" if card.brand == "amex" else "123", NOW)
        assert entered == Entered(number, 11, 2026)


def test_the_card_page(sandbox: Sandbox) -> None:
    url = page(sandbox, **{"line_items[0][price_data][product_data][name]": "<script>alert(1)</script>"})
    shown = sandbox.browser.get(url)
    assert "Test mode" in shown.text
    assert "$350.00" in shown.text
    assert "<script>alert" not in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # Chromium holds a form's redirect against form-action, so the merchant's origin is named.
    assert "form-action 'self' https://portal.example" in policy
    assert shown.headers["cache-control"] == "no-store"
    for match in re.findall(r'(?:src|href)="([^"]+)"', shown.text):
        assert match.startswith("/c/") or match == "https://portal.example/pay"
    for asset in ("style.css", "page.js"):
        assert sandbox.browser.get(f"{sandbox.url}/c/{asset}").status_code == 200
    wrong = sandbox.submit(url, "4242", cvc="")
    assert wrong.status_code == 422
    assert 'aria-describedby="number-error" autofocus' in wrong.text
    assert "Enter the security code." in wrong.text
    assert sandbox.listed("payment_intents") == []


def test_a_page_is_paid_once(sandbox: Sandbox) -> None:
    url = page(sandbox)
    target = sandbox.pay(url)
    again = sandbox.submit(url)
    assert again.status_code == 200
    assert "Your card has already been accepted for this order." in again.text
    assert f'href="{target}"' in again.text
    assert len(sandbox.listed("charges")) == 1
    assert sandbox.browser.get(f"{sandbox.url}/c/pay/cs_test_none").status_code == 404
    assert sandbox.browser.get(f"{sandbox.url}/c/3ds/pi_none").status_code == 404


def test_an_expired_page_says_so(sandbox: Sandbox) -> None:
    url = page(sandbox)
    sandbox.advance(86401)
    gone = sandbox.browser.get(url)
    assert gone.status_code == 410
    assert "Nothing was charged." in gone.text
    assert [e["type"] for e in sandbox.listed("events")] == ["checkout.session.expired"]


def test_behind_another_address() -> None:
    sandbox = Sandbox(public_url="https://pay.example/")
    assert page(sandbox).startswith("https://pay.example/c/pay/cs_test_")
    sandbox.stop()


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    file = tmp_path / "sandbox" / "state.json"
    first = Sandbox(state_file=file)
    url = page(first)
    first.submit(url, cards.DECLINED)
    first.post("/v1/customers", {}, key="k")
    first.advance(60)
    first.stop()
    assert file.stat().st_mode & 0o077 == 0
    assert cards.OK not in file.read_text()
    second = Sandbox(state_file=file, port=first.port)
    second.pay(url)
    kept = json.loads(file.read_text())
    assert kept["offset"] == 60
    assert second.post("/v1/customers", {}, key="k").headers["idempotent-replayed"] == "true"
    assert [c["status"] for c in second.listed("charges")] == ["failed", "succeeded"]
    second.stop()
