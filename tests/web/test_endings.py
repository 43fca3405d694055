"""What a session has open ends with it, with the password, with the account's lock and by "sign out everywhere"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.kit import http, passwords, tokens
from overread.kit.audit import AuditRow
from overread.kit.errors import NotFound, NotSignedIn
from overread.services import Services
from tests.cases.world import World
from viewer_bridge import launch

PASSWORD = "three words together"
Browser = Callable[..., TestClient]


@dataclass
class Open:
    """What a coordinator has open: a session here, what was opened in it, one elsewhere, and a program's token."""

    here: TestClient
    there: TestClient
    viewer: str
    code: str
    program: str


@pytest.fixture
def opened(browser: Browser, world: World, services: Services) -> Open:
    who = world.who["coordinator"]
    case = world.draft()
    hashed = passwords.hashed(PASSWORD)
    with services.db.transaction() as tx:
        tokens.change_password(tx, who.id, hashed)
        program = tokens.issue(tx, who.id)
    here, there = browser(world, "coordinator"), browser(world, "coordinator")
    with services.db.transaction() as tx:
        mine = tokens.verify(tx, here.cookies[http.SESSION_COOKIE], tokens.SESSION)
        viewer = launch.redeem(tx, launch.create(tx, mine, case, ["1.2.3"])).token
        code = launch.create(tx, mine, case, ["1.2.3"])
    return Open(here, there, viewer, code, program)


def standing(services: Services, opened: Open) -> set[str]:
    """Which of them still open something."""
    found = {name for name in ("here", "there") if getattr(opened, name).get("/queue").status_code == 200}
    for name in ("viewer", "program"):
        try:
            with services.db.transaction() as tx:
                tokens.verify(tx, getattr(opened, name))
        except NotSignedIn:
            continue
        found.add(name)
    try:
        with services.db.transaction() as tx:
            launch.redeem(tx, opened.code)
            # Undone, so that it can be asked again.
            raise LookupError
    except LookupError:
        found.add("code")
    except NotFound:
        pass
    return found


def test_nothing_is_open_for_nothing(services: Services, opened: Open) -> None:
    assert standing(services, opened) == {"here", "there", "viewer", "code", "program"}


def test_signing_out_ends_what_was_opened_in_that_session(services: Services, opened: Open) -> None:
    assert opened.here.post("/sign-out").status_code == 303
    assert standing(services, opened) == {"there", "program"}


def test_signing_in_anew_ends_what_was_opened_in_the_session_before(services: Services, opened: Open) -> None:
    done = opened.here.post("/sign-in", data={"email": "coordinator@example.org", "password": PASSWORD})
    assert done.status_code == 303
    assert standing(services, opened) == {"here", "there", "program"}


def test_signing_out_everywhere_ends_everything(services: Services, opened: Open) -> None:
    page = opened.there.get("/account").text
    assert 'action="/account/sign-out"' in page
    assert opened.there.post("/account/sign-out").status_code == 422
    done = opened.there.post("/account/sign-out", data={"everywhere": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
    assert standing(services, opened) == set()
    with services.db.transaction() as tx:
        [line] = tx.scalars(select(AuditRow).where(AuditRow.action == "session.end_all")).all()
    # Two sessions, the viewer's token, the code, and the program's.
    assert line.detail == {"ended": 5}


def test_a_changed_password_ends_everything_but_the_session_that_changed_it(services: Services, opened: Open) -> None:
    form = {"password": PASSWORD, "new_password": "another three words"}
    before = opened.here.cookies[http.SESSION_COOKIE]
    assert opened.here.post("/account", data=form).status_code == 303
    assert standing(services, opened) == {"here"}
    with services.db.transaction() as tx, pytest.raises(NotSignedIn):
        tokens.verify(tx, before, tokens.SESSION)


def test_a_lock_ends_everything_for_good(services: Services, opened: Open, world: World, browser: Browser) -> None:
    who = world.who["coordinator"]
    admin = browser(world, "admin")
    for _ in range(2):
        # A second click on the same button changes nothing.
        assert admin.post(f"/people/{who.id}/lock").status_code == 303
        assert standing(services, opened) == set()
    assert f"/people/{who.id}/unlock" in admin.get("/people").text
    assert admin.post(f"/people/{who.id}/unlock").status_code == 303
    assert standing(services, opened) == set()
    with services.db.transaction() as tx:
        lines = tx.scalars(select(AuditRow.action).where(AuditRow.object_id == str(who.id)).order_by(AuditRow.id))
        assert [one for one in lines if one.startswith("account.")] == [
            "account.lock",
            "account.lock",
            "account.unlock",
        ]


def test_an_admin_is_not_locked_out_by_themselves(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    assert admin.post(f"/people/{world.who['admin'].id}/lock").status_code == 409
    assert admin.get("/people").status_code == 200


def test_an_ended_session_opens_no_viewer(services: Services, opened: Open, world: World) -> None:
    """Its request was let in before the end, and asks for a code after it."""
    case = world.draft()
    with services.db.transaction() as tx:
        late = tokens.verify(tx, opened.here.cookies[http.SESSION_COOKIE], tokens.SESSION)
    opened.here.post("/sign-out")
    with services.db.transaction() as tx, pytest.raises(NotSignedIn):
        launch.create(tx, late, case, ["1.2.3"])
    with services.db.transaction() as tx:
        assert launch.create(tx, replace(late, via_id=None), case, ["1.2.3"])
