"""Signing up: the same for every address, good for a draft at once, and for images once the address is confirmed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, select
from starlette.testclient import TestClient

from overread.kit import addresses, clock, http, passwords, principals
from overread.kit.addresses import AddressLink
from overread.kit.attempts import Attempt
from overread.kit.errors import NotFound
from overread.kit.principals import PrincipalRow, Role
from overread.services import Services
from tests.cases.world import World, study
from tests.web.filled import begin
from tests.web.mailbox import Mailbox
from tests.web.test_flow import AGREED, _stow

Browser = Callable[..., TestClient]
PASSWORD = "three words together"
JANE = {"name": "Jane Doe", "email": "jane@example.org", "password": PASSWORD}


@pytest.fixture
def mailbox(world: World) -> Mailbox:
    return Mailbox(world)


def signed_up(browser: Browser, **other: str) -> TestClient:
    client = browser()
    answer = client.post("/sign-up", data={**JANE, **other})
    assert (answer.status_code, answer.headers["location"]) == (303, "/start")
    return client


def drafted(client: TestClient) -> str:
    """The path of a draft's case."""
    return begin(client)


def test_a_draft_at_once_and_images_once_the_address_is_confirmed(
    browser: Browser, mailbox: Mailbox, world: World
) -> None:
    client = signed_up(browser)
    case = drafted(client)
    page = client.get(f"{case}/images").text
    assert "First confirm your e-mail address" in page
    assert "jane@example.org" in page
    assert "data-uploader" not in page
    refused = client.post(
        f"{case}/dicomweb/studies", content=b"x" * 100, headers={"Content-Type": "application/dicom", "Accept": "*/*"}
    )
    assert refused.status_code == 403
    assert "open the link in the mail" in refused.json()["detail"]
    # Nor by a hospital, for whoever has only said so, nor is anything paid for.
    client.post(f"{case}/images", data={"images": "hospital"})
    unsent = client.post(f"{case}/consent", data=AGREED)
    assert unsent.status_code == 422
    assert "confirm your e-mail address" in unsent.text

    link = mailbox.link("jane@example.org")
    asked = client.get(link)
    assert "jane@example.org" in asked.text
    assert 'type="password"' not in asked.text
    assert client.get(f"{case}/images").text.count("First confirm") == 1  # a mail program that opened it did nothing
    done = client.post(link)
    assert (done.status_code, done.headers["location"]) == (303, "/cases?done=address-confirmed")
    assert "data-uploader" in client.get(f"{case}/images").text
    _stow(client, f"{case}/dicomweb/studies", study(name="DOE^JANE"))
    # A second click, and one much later.
    assert client.post(link).headers["location"] == "/cases?done=address-confirmed"
    assert "is confirmed" in client.get(link).text
    assert "is confirmed" in browser().get(link).text


def test_the_link_works_on_another_device_with_the_password(browser: Browser, mailbox: Mailbox) -> None:
    here = signed_up(browser)
    case = drafted(here)
    phone, link = browser(), mailbox.link("jane@example.org")
    assert 'type="password"' in phone.get(link).text
    wrong = phone.post(link, data={"password": "another one"})
    assert wrong.status_code == 422
    assert "not the password" in wrong.text
    assert "set-cookie" not in wrong.headers
    assert "First confirm" in here.get(f"{case}/images").text
    done = phone.post(link, data={"password": PASSWORD})
    assert done.status_code == 303
    assert "Jane Doe" in phone.get("/cases").text
    assert "First confirm" not in here.get(f"{case}/images").text
    later = browser().post("/sign-in", data={"email": "Jane@Example.org", "password": PASSWORD})
    assert later.status_code == 303


@pytest.mark.usefixtures("still")
def test_the_password_of_a_link_can_t_be_guessed(browser: Browser, mailbox: Mailbox) -> None:
    signed_up(browser)
    stranger, link = browser(), mailbox.link("jane@example.org")
    assert [stranger.post(link, data={"password": "guess"}).status_code for _ in range(11)] == [422] * 10 + [429]


def test_nobody_confirms_an_account_that_a_stranger_made_with_their_address(
    browser: Browser, mailbox: Mailbox, services: Services
) -> None:
    signed_up(browser, name="Mallory", password="known to mallory")
    # Jane opens the link, here or signed in as herself elsewhere: without the password it is not confirmed.
    link = mailbox.link("jane@example.org")
    assert browser().post(link, data={"password": "jane's own words"}).status_code == 422
    with services.db.transaction() as tx:
        assert principals.by_email(tx, "jane@example.org") is None


def test_sign_up_is_the_same_for_an_address_that_has_an_account(
    browser: Browser, mailbox: Mailbox, services: Services
) -> None:
    hashed = passwords.hashed("the owner's own words")
    with services.db.transaction() as tx:
        principals.create(tx, role=Role.PATIENT, name="Ada", email="ada@example.org", password_hash=hashed)
    pages = {}
    for email in ("ada@example.org", "ADA@example.org", "new@example.org"):
        with services.db.transaction() as tx:
            tx.execute(delete(Attempt))  # each begins anew: what is counted is counted alike
        client = browser()
        answer = client.post("/sign-up", data={**JANE, "email": email})
        case = drafted(client)
        images = client.get(f"{case}/images")
        upload = client.post(
            f"{case}/dicomweb/studies", content=b"", headers={"Content-Type": "application/dicom", "Accept": "*/*"}
        )
        again = client.post("/account/address/again")
        mailbox.texts(email)  # they are sent
        anew = browser().post("/sign-in", data={"email": email, "password": PASSWORD})
        changed = client.post("/account/address", data={"email": "new2@example.org"})
        typed = client.post("/account/address", data={"email": "ada@example.org"})
        found = [answer, images, upload, again, anew, changed, typed]
        text = "".join(one.text for one in found).replace(email, "X").replace(case.rsplit("/", 1)[1], "CASE")
        text = re.sub(r"OV-\w{4}-\w{4}", "OV", text)
        cookies = sorted(client.cookies)
        pages[email] = ([one.status_code for one in found], text, cookies)
    assert pages["ada@example.org"] == pages["ADA@example.org"] == pages["new@example.org"]
    assert pages["new@example.org"][0] == [303, 200, 403, 303, 422, 303, 303]
    # Only who reads the mail learns it; the account stays as it was.
    told = [" ".join(text.split()) for text in mailbox.texts("ada@example.org")]
    assert [text for text in told if "which has one already" not in text or "/confirm/" in text] == []
    assert told
    assert "/confirm/" in mailbox.texts("new@example.org")[0]
    owner = browser().post("/sign-in", data={"email": "ada@example.org", "password": "the owner's own words"})
    assert owner.status_code == 303


def test_a_mistyped_address_is_changed_and_its_link_confirms_nothing(
    browser: Browser, mailbox: Mailbox, services: Services
) -> None:
    client = signed_up(browser, email="jnae@example.org")
    old = mailbox.link("jnae@example.org")
    assert "jnae@example.org" in client.get("/account/address").text
    bad = client.post("/account/address", data={"email": "no address"})
    assert bad.status_code == 422
    changed = client.post("/account/address", data={"email": "jane@example.org"})
    assert changed.headers["location"] == "/account/address?done=mailed"
    assert client.get(old).status_code == client.post(old).status_code == 404
    assert client.post(mailbox.link("jane@example.org")).status_code == 303
    with services.db.transaction() as tx:
        assert principals.by_email(tx, "jnae@example.org") is None
        assert principals.by_email(tx, "jane@example.org") is not None
    # From here on it is no page of theirs.
    assert client.get("/account/address").headers["location"] == "/account"
    assert client.post("/account/address", data={"email": "other@example.org"}).status_code in (303, 409)
    with services.db.transaction() as tx:
        assert tx.scalars(select(PrincipalRow).where(PrincipalRow.pending_email.is_not(None))).all() == []


@pytest.mark.usefixtures("still")
def test_nobody_s_mailbox_is_filled(browser: Browser, mailbox: Mailbox) -> None:
    client = signed_up(browser)
    answers = [client.post("/account/address/again") for _ in range(4)]
    assert [a.status_code for a in answers] == [303, 303, 422, 422]
    assert "several mails" in answers[3].text
    signed_up(browser)  # goes on as ever, but sends nothing
    assert len(mailbox.texts("jane@example.org")) == 3


def test_an_old_link_confirms_nothing(
    browser: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    client = signed_up(browser)
    link, now = mailbox.link("jane@example.org"), clock.now()
    with services.db.transaction() as tx:
        stored = tx.scalars(select(AddressLink)).one()
    assert link.rsplit("/", 1)[1].encode() not in stored.digest
    monkeypatch.setattr(clock, "now", lambda: now + addresses.LINK_LENGTH + timedelta(minutes=1))
    with pytest.raises(NotFound), services.db.transaction() as tx:
        addresses.confirm(tx, link.rsplit("/", 1)[1])
    monkeypatch.undo()
    assert client.post(link).status_code == 303
    assert browser().get("/confirm/" + "x" * 43).status_code == 404


def test_a_double_click_leaves_one_account_to_go_on_with(browser: Browser, mailbox: Mailbox) -> None:
    first = browser()
    first.post("/sign-up", data=JANE)
    first.cookies.delete(http.SESSION_COOKIE)  # the first answer is lost
    first.post("/sign-up", data=JANE)
    case = drafted(first)
    one, other = dict.fromkeys(re.findall(r"/confirm/[\w-]{43}", "".join(mailbox.texts("jane@example.org"))))
    # Whichever of both mails is opened, the account that is gone on with is confirmed.
    assert first.post(one).status_code == 303
    assert "data-uploader" in first.get(f"{case}/images").text
    assert first.post(other).status_code in (303, 404)
    answer = browser().post("/sign-in", data={"email": "jane@example.org", "password": PASSWORD})
    assert answer.status_code == 303


def test_of_two_accounts_with_one_address_the_first_that_is_confirmed_has_it(
    browser: Browser, mailbox: Mailbox
) -> None:
    one = signed_up(browser)
    first = mailbox.link("jane@example.org")
    other = signed_up(browser, password="other words together")
    links = dict.fromkeys(re.findall(r"/confirm/[\w-]{43}", "".join(mailbox.texts("jane@example.org"))))
    second = next(link for link in links if link != first)
    assert one.post(first).status_code == 303
    late = browser().post(second, data={"password": "other words together"})
    assert late.status_code == 409
    assert "has an account already" in late.text
    assert other.get("/account/address").status_code == 200


@pytest.mark.usefixtures("still")
def test_an_address_makes_ten_accounts_an_hour(browser: Browser, services: Services) -> None:
    client = browser()
    answers = [client.post("/sign-up", data={**JANE, "email": f"jane{n}@example.org"}) for n in range(14)]
    assert [a.status_code for a in answers] == [303] * 10 + [429] * 4
    assert "Too many accounts were made from your network." in answers[-1].text
    with services.db.transaction() as tx:
        assert len(tx.scalars(select(PrincipalRow).where(PrincipalRow.pending_email.is_not(None))).all()) == 10


def test_who_has_not_confirmed_signs_in_nowhere(browser: Browser, services: Services) -> None:
    signed_up(browser)
    answer = browser().post("/sign-in", data={"email": "jane@example.org", "password": PASSWORD})
    assert answer.status_code == 422
    with services.db.transaction() as tx:
        row = tx.scalars(select(PrincipalRow).where(PrincipalRow.pending_email == "jane@example.org")).one()
        assert isinstance(row.id, UUID)
        assert row.email is None
