"""Signing in, out and up, against guessing, borrowing and leading astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.app import portal_app
from overread.kit import attempts, http, passwords, principals
from overread.kit.audit import AuditRow
from overread.kit.principals import PrincipalRow, Role
from overread.services import Services
from overread.web.errors import local_path
from tests.cases.world import World
from tests.web.conftest import BASE, SAME

PASSWORD = "three words together"
Browser = Callable[..., TestClient]


@pytest.fixture
def account(services: Services) -> str:
    hashed = passwords.hashed(PASSWORD)
    with services.db.transaction() as tx:
        principals.create(tx, role=Role.PATIENT, name="Ada", email="ada@example.org", password_hash=hashed)
    return "ada@example.org"


def test_sign_up_opens_a_session_and_goes_to_the_question(browser: Browser) -> None:
    client = browser()
    answer = client.post("/sign-up", data={"name": "Eva Novak", "email": "eva@example.org", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/start")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # this site's address is http://
    assert client.get("/start").status_code == 200
    assert "Eva Novak" in client.get("/cases").text


def test_the_cookie_is_secure_where_the_site_is(services: Services, world: World) -> None:
    settings = services.settings.model_copy(update={"public_url": "https://portal.example"})
    with TestClient(
        portal_app(replace(services, settings=settings)), base_url="https://portal.example", follow_redirects=False
    ) as client:
        form = {"name": "Eva", "email": "eva@example.org", "password": PASSWORD}
        answer = client.post("/sign-up", data=form)
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


def test_a_wrong_password_and_an_unknown_account_look_the_same(browser: Browser, account: str) -> None:
    client = browser()
    wrong = client.post("/sign-in", data={"email": account, "password": "not this one"})
    unknown = client.post("/sign-in", data={"email": "nobody@example.org", "password": "not this one"})
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace(account, "X") == unknown.text.replace("nobody@example.org", "X")
    assert "set-cookie" not in wrong.headers


def guess(client: TestClient, account: str, password: str = "guess") -> int:
    return client.post("/sign-in", data={"email": account, "password": password}).status_code


def at(address: str, services: Services) -> TestClient:
    """A browser at another network address."""
    return TestClient(
        portal_app(services), base_url=BASE, follow_redirects=False, headers=SAME, client=(address, 50000)
    )


@pytest.mark.usefixtures("still")
def test_guessing_is_throttled_and_recorded(browser: Browser, account: str, services: Services) -> None:
    client = browser()
    for _ in range(10):
        assert guess(client, account) == 422
    # Also with the right one, for whoever has guessed from here.
    answer = client.post("/sign-in", data={"email": account, "password": PASSWORD})
    assert answer.status_code == 429
    assert "Wait 2 minutes, then try again." in answer.text
    assert 60 <= int(answer.headers["Retry-After"]) <= 92
    with services.db.transaction() as tx:
        refused = tx.scalars(select(AuditRow).where(AuditRow.action == "session.refused")).all()
    assert len(refused) == 10
    assert account not in str([row.object_id for row in refused])


@pytest.mark.usefixtures("still")
def test_a_stranger_s_guesses_keep_the_owner_out_nowhere(browser: Browser, account: str, services: Services) -> None:
    here = browser()
    assert guess(here, account, PASSWORD) == 303
    for number in range(100):
        attempts.spend(services.db, *attempts.signing_in(account, f"192.0.2.{number % 10}"))
    # All guesses of a hundred from ten addresses are used up: a new place has to wait, the known browser has not,
    # and who is signed in is asked for the password as ever.
    with at("198.51.100.7", services) as new_place:
        assert guess(new_place, account, PASSWORD) == 429
    assert guess(here, account, PASSWORD) == 303
    changed = here.post("/account", data={"password": PASSWORD, "new_password": "another three words"})
    assert changed.status_code == 303


@pytest.mark.usefixtures("still")
def test_ten_wrong_guesses_of_a_stranger_and_the_owner_signs_in_from_a_new_place(
    account: str, services: Services
) -> None:
    with at("192.0.2.1", services) as stranger:
        assert [guess(stranger, account) for _ in range(12)] == [422] * 10 + [429] * 2
    with at("198.51.100.7", services) as owner:
        assert guess(owner, account, PASSWORD) == 303


@pytest.mark.usefixtures("still")
def test_one_address_can_t_try_many_accounts(account: str, services: Services) -> None:
    for number in range(49):
        attempts.spend(services.db, *attempts.signing_in(f"user{number}@example.org", "192.0.2.1"))
    with at("192.0.2.1", services) as stranger:
        assert [guess(stranger, name) for name in ("x@example.org", account)] == [422, 429]
        assert guess(stranger, account, PASSWORD) == 429


def test_a_good_password_is_no_guess(browser: Browser, account: str) -> None:
    client = browser()
    assert {guess(client, account, PASSWORD) for _ in range(15)} == {303}


def test_signing_in_makes_a_new_session_and_ends_the_one_that_was_there(browser: Browser, account: str) -> None:
    planted = browser()
    planted.post("/sign-in", data={"email": account, "password": PASSWORD})
    before = planted.cookies[http.SESSION_COOKIE]
    victim = browser()
    victim.cookies.set(http.SESSION_COOKIE, before)
    answer = victim.post("/sign-in", data={"email": account, "password": PASSWORD})
    after = answer.cookies[http.SESSION_COOKIE]
    assert after != before
    assert planted.get("/cases").status_code == 303  # to sign in again


def test_signing_out_ends_the_token_itself(browser: Browser, account: str) -> None:
    client = browser()
    client.post("/sign-in", data={"email": account, "password": PASSWORD})
    token = client.cookies[http.SESSION_COOKIE]
    assert client.post("/sign-out").status_code == 303
    stolen = browser()
    stolen.cookies.set(http.SESSION_COOKIE, token)
    answer = stolen.get("/cases")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/cases")


def test_another_site_can_post_nothing(browser: Browser, world: World, services: Services) -> None:
    client = browser(world, "patient")
    form = {"name": "Eva", "email": "eva@example.org", "password": PASSWORD}
    for path in ("/sign-in", "/sign-up", "/sign-out", "/start", "/account"):
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = client.post(path, data=form, headers=headers)
            assert answer.status_code == 403
            assert "another site" in answer.text
    with services.db.transaction() as tx:
        assert tx.scalars(select(PrincipalRow).where(PrincipalRow.pending_email == "eva@example.org")).all() == []
    assert client.get("/cases").status_code == 200  # and is still signed in


def test_the_same_host_by_plain_http_is_another_site(services: Services, account: str) -> None:
    secure = "https://portal.example"
    form = {"email": account, "password": PASSWORD}
    told = replace(services, settings=services.settings.model_copy(update={"public_url": secure}))
    # Behind a proxy that ends TLS the request itself came by plain HTTP: the settings say what the browser sees.
    for base in (secure, "http://portal.example"):
        with TestClient(portal_app(told), base_url=base, follow_redirects=False) as client:
            for origin, status in (
                (secure, 303),
                ("https://portal.example:443", 303),
                ("HTTPS://PORTAL.example", 303),
                ("http://portal.example", 403),
                ("https://portal.example:8443", 403),
                ("https://portal.example.evil.example", 403),
                ("https://evil.example@portal.example", 403),
                ("null", 403),
                ("", 403),
            ):
                answer = client.post("/sign-in", data=form, headers={"Origin": origin})
                assert answer.status_code == status, (base, origin)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_an_address_by_the_settings_the_request_tells_the_scheme(
    services: Services, account: str, scheme: str
) -> None:
    bare = replace(services, settings=services.settings.model_copy(update={"public_url": None}))
    with TestClient(portal_app(bare), base_url=f"{scheme}://10.0.0.7:8042", follow_redirects=False) as client:
        for origin in ("http://10.0.0.7:8042", "https://10.0.0.7:8042"):
            headers = {"Origin": origin}
            answer = client.post("/sign-in", data={"email": account, "password": PASSWORD}, headers=headers)
            assert answer.status_code == (303 if origin.startswith(f"{scheme}:") else 403)


def test_signing_in_never_leads_to_another_site(browser: Browser, account: str) -> None:
    elsewhere = (
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "javascript:alert(1)", "evil.example", "/cases\r\nX: y", "/x\x00", "/" + "a" * 2000,
    )  # fmt: skip
    client = browser()
    for target in elsewhere:
        assert local_path(target) == "/"
        assert 'name="next"' not in client.get("/sign-in", params={"next": target}).text
    for target in elsewhere[:5]:
        answer = client.post("/sign-in", data={"email": account, "password": PASSWORD, "next": target})
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases")


def test_a_page_is_come_back_to_after_signing_in(browser: Browser, account: str) -> None:
    client = browser()
    target = client.get("/cases").headers["location"]
    assert target == "/sign-in?next=/cases"
    assert 'value="/cases"' in client.get(target).text
    answer = client.post("/sign-in", data={"email": account, "password": PASSWORD, "next": "/start"})
    assert answer.headers["location"] == "/start"


def test_sign_up_refuses_what_is_missing(browser: Browser) -> None:
    client = browser()
    answer = client.post("/sign-up", data={"name": "", "email": "x", "password": "short"})
    assert answer.status_code == 422
    for sentence in ("Please give your name.", "Please give an e-mail address", "at least 10 characters"):
        assert sentence in answer.text


def test_names_are_escaped(browser: Browser) -> None:
    client = browser()
    hostile = '"><script>alert(1)</script>{{7*7}}'
    client.post("/sign-up", data={"name": hostile, "email": "eva@example.org", "password": PASSWORD})
    shown = client.get("/cases").text
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in shown


def test_a_changed_password_ends_every_other_session(browser: Browser, account: str) -> None:
    here, there = browser(), browser()
    for client in (here, there):
        client.post("/sign-in", data={"email": account, "password": PASSWORD})
    wrong = here.post("/account", data={"password": "not this", "new_password": "another three words"})
    assert wrong.status_code == 422
    done = here.post("/account", data={"password": PASSWORD, "new_password": "another three words"})
    assert done.status_code == 303
    assert here.get("/cases").status_code == 200
    assert there.get("/cases").status_code == 303
    again = browser().post("/sign-in", data={"email": account, "password": "another three words"})
    assert again.status_code == 303
