"""Deny by default: every route of both origins, asked by every role and by nobody, with identifiers of nothing.

The tables below are the whole truth about who gets an answer: a page that is missing here, or here and not in the
program, fails the test.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from dicomweb.routes import routes as dicomweb_routes
from overread.app import case_context, portal_app
from overread.kit import principals, tokens
from overread.kit.db import Database, libpq_url
from overread.kit.hosts import Origin
from overread.kit.principals import Role
from pacs.store.non_patient import CATEGORIES
from tests.architecture.surface import routes_of, services
from viewer_bridge.site import viewer_app

NOBODY = "nobody"
EVERYBODY = frozenset((NOBODY, *Role))
SIGNED_IN = frozenset(Role)
ADMIN, COORDINATOR, SPECIALIST, HOSPITAL, PATIENT, AUDITOR = (
    Role.ADMIN,
    Role.COORDINATOR,
    Role.SPECIALIST,
    Role.HOSPITAL,
    Role.PATIENT,
    Role.AUDITOR,
)
#: Everything that may be said to somebody who asks for nothing that exists.
ALLOWED = frozenset((200, 303, 400, 401, 403, 404, 405, 406, 409, 415, 422, 429))

#: Pages and resources that anybody may read.
PUBLIC = frozenset(
    (
        "/",
        "/terms",
        "/privacy",
        "/sharing",
        "/referrers",
        "/physicians",
        "/physician/{token}",
        "/guides/images",
        "/for-physicians",
        "/robots.txt",
        "/sitemap.xml",
        "/sign-in",
        "/sign-up",
        "/eligibility",
        "/api/v1/openapi.json",
        "/api/v1/programs",
        "/api/v1/consents",
        "/api/v1/testimonials",
        "/api/v1/testimonials/consent",
        "/healthz",
        "/readyz",
        "/metrics",
    )
)
#: Pages that list things, and so are found without naming one, and who gets them.
LISTS: dict[str, frozenset[str]] = {
    "/dicomweb/studies": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/series": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/instances": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    # A search finds nothing in a study of nothing, which is an answer (PS3.18 10.6.3.1).
    "/dicomweb/studies/{study}/series": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/studies/{study}/instances": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/studies/{study}/series/{series}/instances": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/changes": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    # A sender who sent nothing sent nothing, which is an answer.
    **{
        f"/senders/{{sender}}/dicomweb{path}": frozenset((ADMIN, COORDINATOR))
        for path in (
            "/studies",
            "/series",
            "/instances",
            "/studies/{study}/series",
            "/studies/{study}/instances",
            "/studies/{study}/series/{series}/instances",
            "/changes",
        )
    },
    "/dicomweb/workitems": frozenset((ADMIN, COORDINATOR, SPECIALIST)),
    **{f"/dicomweb/{category}": frozenset((ADMIN, COORDINATOR, SPECIALIST)) for category in CATEGORIES},
    "/api/v1/cases": frozenset((COORDINATOR, SPECIALIST, PATIENT)),
    "/api/v1/inbox": frozenset((COORDINATOR,)),
    "/api/v1/delegates": frozenset((PATIENT,)),
    "/api/v1/referrals": frozenset((COORDINATOR, HOSPITAL)),
    "/referrals": frozenset((COORDINATOR, HOSPITAL)),
    "/referrals/new": frozenset((COORDINATOR, HOSPITAL)),
    "/account/delegates": frozenset((PATIENT,)),
    "/api/v1/licence-rules": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/people": frozenset((ADMIN,)),
    "/api/v1/programs/readers": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/readers": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/account/reader": frozenset((SPECIALIST,)),
    "/api/v1/programs/hours": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/deadlines": frozenset((COORDINATOR,)),
    "/api/v1/surveys": frozenset((COORDINATOR,)),
    "/api/v1/testimonials/given": frozenset((COORDINATOR,)),
    "/api/v1/visits": frozenset((COORDINATOR,)),
    "/api/v1/check-ins": frozenset((SPECIALIST,)),
    "/api/v1/check-ins/answered": frozenset((COORDINATOR,)),
    "/api/v1/figures": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/programs/after-report": frozenset((ADMIN, COORDINATOR)),
    "/aftercare": frozenset((COORDINATOR,)),
    "/check-ins": frozenset((SPECIALIST,)),
    "/figures": frozenset((ADMIN, COORDINATOR)),
    "/figures.csv": frozenset((ADMIN, COORDINATOR)),
    "/after-report": frozenset((ADMIN,)),
    "/api/v1/coordinators": frozenset((COORDINATOR,)),
    "/api/v1/tags": frozenset((COORDINATOR,)),
    "/api/v1/account/zone": SIGNED_IN,
    "/api/v1/account/language": SIGNED_IN,
    "/api/v1/notifications": SIGNED_IN,
    "/api/v1/notifications/unread": SIGNED_IN,
    "/api/v1/mails": frozenset((ADMIN,)),
    "/api/v1/mail-sender": frozenset((ADMIN,)),
    "/api/v1/undelivered": frozenset((COORDINATOR,)),
    "/api/v1/peers": frozenset((ADMIN, COORDINATOR)),
    "/api/v1/prices": frozenset((ADMIN,)),
    # A specialist of whom nothing is known has no licences: an empty list says no more than that.
    "/api/v1/specialists/{specialist}/licences": frozenset((ADMIN, COORDINATOR)),
    "/start": frozenset((PATIENT,)),
    "/cases": frozenset((PATIENT,)),
    "/queue": frozenset((COORDINATOR,)),
    "/inbox": frozenset((COORDINATOR,)),
    "/due": frozenset((COORDINATOR,)),
    "/replies": frozenset((COORDINATOR,)),
    "/offers": frozenset((SPECIALIST,)),
    "/reading": frozenset((SPECIALIST,)),
    "/sent": frozenset((HOSPITAL,)),
    "/people": frozenset((ADMIN,)),
    "/peers": frozenset((ADMIN,)),
    "/kinds": frozenset((ADMIN,)),
    "/prices": frozenset((ADMIN,)),
    "/hours": frozenset((ADMIN,)),
    "/mails": frozenset((ADMIN,)),
    "/mails/words": frozenset((ADMIN,)),
    "/undelivered": frozenset((COORDINATOR,)),
    "/notifications": SIGNED_IN,
    "/profiles": frozenset((ADMIN,)),
    "/licences": frozenset((ADMIN, SPECIALIST)),
    "/reader": frozenset((SPECIALIST,)),
    "/readers": frozenset((ADMIN, COORDINATOR)),
    "/signature": frozenset((SPECIALIST,)),
    "/api/v1/signature": frozenset((SPECIALIST,)),
    "/audit": frozenset((ADMIN, AUDITOR)),
    "/audit.csv": frozenset((ADMIN, AUDITOR)),
    "/erasures": frozenset((ADMIN, COORDINATOR, AUDITOR)),
    "/account": SIGNED_IN,
    "/account/zone": SIGNED_IN,
    "/account/language": SIGNED_IN,
}
#: Whose pages lie below a path; everybody else is refused before anything is looked up. The longest prefix counts.
AUDIENCES: dict[str, frozenset[str]] = {
    "/start": frozenset((PATIENT,)),
    "/cases": frozenset((PATIENT,)),
    "/cases/{case}/report.pdf": frozenset((PATIENT, COORDINATOR, SPECIALIST)),
    "/cases/{case}/reports/{number}.pdf": frozenset((PATIENT, COORDINATOR, SPECIALIST)),
    "/queue": frozenset((COORDINATOR,)),
    "/inbox": frozenset((COORDINATOR,)),
    "/due": frozenset((COORDINATOR,)),
    "/aftercare": frozenset((COORDINATOR,)),
    "/check-ins": frozenset((SPECIALIST,)),
    "/figures": frozenset((ADMIN, COORDINATOR)),
    "/figures.csv": frozenset((ADMIN, COORDINATOR)),
    "/after-report": frozenset((ADMIN,)),
    "/replies": frozenset((COORDINATOR,)),
    "/offers": frozenset((SPECIALIST,)),
    "/reading": frozenset((SPECIALIST,)),
    "/sent": frozenset((HOSPITAL,)),
    "/people": frozenset((ADMIN,)),
    "/peers": frozenset((ADMIN,)),
    "/kinds": frozenset((ADMIN,)),
    "/prices": frozenset((ADMIN,)),
    "/hours": frozenset((ADMIN,)),
    "/mails": frozenset((ADMIN,)),
    "/undelivered": frozenset((COORDINATOR,)),
    "/notifications": SIGNED_IN,
    "/profiles": frozenset((ADMIN,)),
    "/licences": frozenset((ADMIN, SPECIALIST)),
    "/reader": frozenset((SPECIALIST,)),
    "/readers": frozenset((ADMIN, COORDINATOR)),
    "/readers/next": frozenset((ADMIN,)),
    "/readers/{specialist}": frozenset((ADMIN,)),
    "/signature": frozenset((SPECIALIST,)),
    "/licences/rules": frozenset((ADMIN,)),
    "/licences/readers": frozenset((ADMIN,)),
    "/licences/{licence}": frozenset((ADMIN,)),
    "/audit": frozenset((ADMIN, AUDITOR)),
    "/audit.csv": frozenset((ADMIN, AUDITOR)),
    "/erasures": frozenset((ADMIN, COORDINATOR, AUDITOR)),
    "/erasures/{case}/hold": frozenset((ADMIN, AUDITOR)),
    "/erasures/{case}/lift": frozenset((ADMIN, AUDITOR)),
    "/erasures/{case}/ask": frozenset((COORDINATOR,)),
    "/erasures/{case}/begin": frozenset((ADMIN,)),
    "/erasures/{case}/carry-out": frozenset((ADMIN, COORDINATOR)),
    "/dicomweb": frozenset((ADMIN, COORDINATOR, HOSPITAL, PATIENT)),
    "/dicomweb/workitems": frozenset((ADMIN, COORDINATOR, SPECIALIST)),
    **{f"/dicomweb/{category}": frozenset((ADMIN, COORDINATOR, SPECIALIST)) for category in CATEGORIES},
    "/dicomweb/subscribers": frozenset((ADMIN, COORDINATOR, SPECIALIST)),
    "/senders/{sender}/dicomweb": frozenset((ADMIN, COORDINATOR)),
    # Refusing a role here would tell it that the case exists: to whom it is not shown, it is not there.
    "/cases/{case}/dicomweb": SIGNED_IN,
    "/api/v1": SIGNED_IN,
    "/account": SIGNED_IN,
    "/account/address": frozenset((PATIENT,)),
    "/account/delegates": frozenset((PATIENT,)),
    "/acting": frozenset((PATIENT,)),
    "/referrals": frozenset((COORDINATOR, HOSPITAL)),
    "/referrals/{referral}/report.pdf": frozenset((HOSPITAL,)),
    "/referred": frozenset((PATIENT,)),
}
#: OHIF's own pages, drawn in the browser.
OHIF = frozenset(
    f"viewer:{path}" for path in ("/viewer", "/tmtv", "/segmentation", "/notfoundstudy", "/notfoundserver")
)
#: Forms that a visitor sends: they are answered, never obeyed, without what they ask for.
VISITORS_FORMS = frozenset(
    (
        "/sign-in",
        "/sign-up",
        "/sign-out",
        "/webhooks/stripe",
        "/launch",
        "/confirm/{token}",
        "/eligibility",
        "/physician/{token}",
        "/physician/{token}/report.pdf",
        "/api/v1/shared-report",
        "/api/v1/shared-report/pdf",
    )
)


@dataclass(frozen=True)
class Answers:
    """Statuses by (method, path template) and by who asked."""

    portal: dict[tuple[str, str], dict[str, int]]
    viewer: dict[tuple[str, str], dict[str, int]]

    @property
    def all(self) -> dict[tuple[str, str], dict[str, int]]:
        """Of both origins; the viewer's paths with its name before them."""
        return {**self.portal, **{(method, f"viewer:{path}"): got for (method, path), got in self.viewer.items()}}


@pytest.fixture(scope="module")
def answers(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    """Every route of both origins asked once by everybody, over one empty database."""
    name = f"roles_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    database = Database(libpq_url(postgres).replace("/postgres?", f"/{name}?", 1))
    try:
        ours = services(database, tmp_path_factory.mktemp("roles"))
        with database.transaction() as tx:
            held = {
                role.value: tokens.issue(tx, principals.create(tx, role=role, name=f"A {role}").id) for role in Role
            }
        viewer = viewer_app(ours.settings, database, dicomweb_routes(case_context(ours, Origin("http://test"))))
        yield Answers(_ask(portal_app(ours), held), _ask(viewer, held))
    finally:
        database.close()
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _ask(app: ASGIApp, held: dict[str, str]) -> dict[tuple[str, str], dict[str, int]]:
    answered: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        for method, path in routes_of(app):
            for who, token in ((NOBODY, None), *held.items()):
                # Programs' tokens: what a browser's session adds is tried in tests/web.
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                answered[method, path][who] = client.request(method, _of_nothing(path), headers=headers).status_code
                client.cookies.clear()
    return dict(answered)


def _of_nothing(path: str) -> str:
    """A path template with identifiers that are well-formed and name nothing."""

    def value(match: re.Match[str]) -> str:
        if match[1] in ("study", "series", "instance", "transaction", "workitem"):
            return f"2.25.{uuid.uuid4().int}"
        return "1" if match[1] == "frames" else str(uuid.uuid4())

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, path)


def _audience(path: str) -> frozenset[str] | None:
    parts = path.split("/")
    for end in range(len(parts), 1, -1):
        found = AUDIENCES.get("/".join(parts[:end]))
        if found is not None:
            return found
    return None


def test_nothing_fails_and_every_status_is_meant(answers: Answers) -> None:
    statuses = {(*key, who): status for key, got in answers.all.items() for who, status in got.items()}
    assert len(statuses) > 1000
    # The viewer's own pages say so where it was not built into this installation.
    odd = {key: status for key, status in statuses.items() if status not in ALLOWED}
    assert {key: status for key, status in odd.items() if status != 503 or key[1] not in OHIF} == {}


def test_nobody_reads_only_what_is_public(answers: Answers) -> None:
    got = {path for (method, path), by in answers.portal.items() if method == "GET" and by[NOBODY] < 300}
    assert got == PUBLIC


def test_nobody_changes_nothing(answers: Answers) -> None:
    asked = {
        key: by[NOBODY] for key, by in answers.all.items() if key[0] != "GET" and _plain(key[1]) not in VISITORS_FORMS
    }
    assert len(asked) > 80
    assert {key: status for key, status in asked.items() if status != 401} == {}


def test_nobody_is_refused_before_anything_is_looked_up(answers: Answers) -> None:
    asked = {
        path: by[NOBODY]
        for (method, path), by in answers.portal.items()
        if method == "GET" and path not in PUBLIC and not path.startswith("/static/")
    }
    # Starts at the sign-in page for whoever is not signed in.
    assert asked.pop("/home") == 303
    # What a mailed link opens: the link itself, and the password, are who asks.
    assert asked.pop("/confirm/{token}") == 404
    # Of a program that there is none of; everybody is told of one.
    assert asked.pop("/api/v1/programs/{program}/eligibility") == 404
    assert {path: status for path, status in asked.items() if status != 401} == {}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reads_just_what_the_table_says(answers: Answers, role: Role) -> None:
    got = {path for (method, path), by in answers.portal.items() if method == "GET" and by[role] < 300}
    assert got == PUBLIC | {path for path, readers in LISTS.items() if role in readers}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_kept_out_of_the_other_roles_pages(answers: Answers, role: Role) -> None:
    refused = 0
    for (method, path), by in answers.portal.items():
        audience = _audience(path)
        if audience is None or role in audience:
            continue
        refused += 1
        assert by[role] == 403, f"{method} {path} answered {role} with {by[role]}"
    assert refused > 40


def test_every_route_has_an_audience(answers: Answers) -> None:
    open_to_all = PUBLIC | VISITORS_FORMS | {"/home", "/static/{path:path}"}
    assert [path for _, path in answers.portal if path not in open_to_all and _audience(path) is None] == []
    assert [path for path in (*PUBLIC, *LISTS) if ("GET", path) not in answers.portal] == []
    below = {path for _, path in answers.portal}
    assert [prefix for prefix in AUDIENCES if not any(p == prefix or p.startswith(prefix + "/") for p in below)] == []


def test_what_names_a_case_never_says_whether_it_exists(answers: Answers) -> None:
    """With an identifier of nothing, whoever passes the audience's door learns 404 before anything of the request."""
    for (method, path), by in answers.all.items():
        plain = _plain(path)
        if not plain.startswith("/cases/{case}/dicomweb"):
            continue
        for role in Role:
            assert by[role] == 404, f"{method} {path} answered {role} with {by[role]}"


def test_the_viewers_origin_gives_images_to_nobody_without_a_token(answers: Answers) -> None:
    images = {key: by[NOBODY] for key, by in answers.viewer.items() if "/dicomweb/" in key[1]}
    assert len(images) > 20
    assert set(images.values()) == {401}


def _plain(path: str) -> str:
    return path.removeprefix("viewer:")
