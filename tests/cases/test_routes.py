"""The JSON API over HTTP: its description, its errors, its bodies, and every route as every role."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from cases import consents
from cases.routes import OPERATIONS, routes
from overread.kit import http, tokens
from overread.kit.errors import OverreadError
from overread.kit.settings import Settings
from tests.cases.test_pixels import pending, pictures
from tests.cases.world import World


class Api:
    """Clients of one application, one a person."""

    def __init__(self, world: World) -> None:
        def refused(_request: Request, error: Exception) -> Response:
            return http.problem(http.as_overread_error(error))

        settings = Settings.model_validate({"data_dir": world.folder, "public_url": "https://overread.example"})
        made = routes(world.db, world.archive, world.gateway, settings)
        self.client = TestClient(Starlette(routes=made, exception_handlers={OverreadError: refused}))
        self.tokens: dict[str, str] = {}
        with world.db.transaction() as tx:
            for name, who in world.who.items():
                self.tokens[name] = tokens.issue(tx, who.id)

    def call(self, who: str | None, method: str, path: str, body: object = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        answer = self.client.request(method, f"/api/v1{path}", headers=headers, json=body)
        return answer.status_code, answer.text


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    made = Api(world)
    with made.client:
        yield made


def test_a_case_over_http(api: Api, world: World) -> None:
    status, made = api.call(
        "patient",
        "POST",
        "/cases",
        {"program": "free", "subjects": ["CT"], "place": "DE", "birth_date": "1971-03-09", "images_by": "upload"},
    )
    assert status == 201, made
    case = f"/cases/{json.loads(made)['case_id']}"
    assert api.call("patient", "PUT", f"{case}/questions", {"questions": ["Is it torn?"]})[0] == 204
    status, refused = api.call("patient", "POST", f"{case}/submit")
    assert status == 422
    assert json.loads(refused)["reasons"] == [
        "Please agree to the terms, the privacy notice and the sharing of images.",
        "Please send the images first.",
    ]
    for kind in ("terms", "privacy", "authority_to_share"):
        given = {"kind": kind, "version": consents.CURRENT[kind].version}
        assert api.call("patient", "POST", f"{case}/consents", given)[0] == 204
    uid = world.upload(UUID(case.removeprefix("/cases/")))
    assert api.call("patient", "POST", f"{case}/submit")[0] == 204
    world.settle(uid)
    seen = json.loads(api.call("coordinator", "GET", case)[1])
    assert (seen["state"], seen["studies"][0]["state"]) == ("submitted", "deid_review")
    assert [line["state"] for line in json.loads(api.call("coordinator", "GET", "/cases")[1])] == ["submitted"]


def test_what_is_wrong_with_a_body_is_told_without_repeating_it(api: Api) -> None:
    status, text = api.call("patient", "POST", "/cases", {"program": "free", "price": 1, "sex": {"secret": 1}})
    assert status == 400
    assert "price" in text
    assert "secret" not in text
    assert api.call("patient", "POST", "/cases", "x" * (1 << 20))[0] == 413
    assert api.call(None, "GET", "/cases")[0] == 401
    assert api.call("patient", "GET", "/cases/not-a-uuid")[0] == 404


HOSTILE = [
    "\x00",
    "a\x00b",
    "%00",
    "\ud7ff",
    "'; DROP TABLE cases_case; --",
    "../../etc/passwd",
    "9" * 65,
    "１.２",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_never_make_a_500(api: Api, world: World, text: str) -> None:
    case_id = world.draft("free")
    for op in OPERATIONS:
        path = op.path.removeprefix("/api/v1")
        fields = op.body.model_fields if op.body else {}
        body: dict[str, object] = dict.fromkeys(fields, text)
        body |= {name: [text] for name in ("questions", "sop_uids", "studies") if name in fields}
        body |= {"answers": {text: text}} if "answers" in fields else {}
        body |= {"kind": "terms"} if "version" in fields else {}
        for name in ("patient", "coordinator", "specialist", "admin"):
            for case in (str(case_id), quote(text, safe="")):
                names = (
                    "case",
                    "question",
                    "specialist",
                    "instance",
                    "item",
                    "person",
                    "title",
                    "program",
                    "licence",
                    "delegation",
                    "referral",
                    "document",
                    "page",
                    "kind",
                    "reply",
                    "mail",
                    "language",
                    "notification",
                    "message",
                    "number",
                    "link",
                    "visit",
                    "check_in",
                )
                named = path.format(**dict.fromkeys(names, case), study=quote(text, safe=""))
                status, answer = api.call(name, op.method, named, body if op.body else None)
                assert status < 500, (name, op.method, op.path, status, answer)


def test_the_description_names_every_operation(api: Api) -> None:
    document = json.loads(api.call(None, "GET", "/openapi.json")[1])
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, ways in document["paths"].items() for method in ways}
    assert described == {(op.method, op.path) for op in OPERATIONS}
    text = json.dumps(document)
    names = {ref.split('"')[0] for ref in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_strangers_get_404_on_every_route_of_a_case(api: Api, world: World) -> None:
    case_id = world.offered()
    bodies = {
        "reason": "r", "text": "t", "questions": ["q"], "specialist_id": str(world.specialist.id),
    }  # fmt: skip
    for op in OPERATIONS:
        if "{case}" not in op.path:
            continue
        names = {
            "study": "1.2.3",
            "question": uuid4(),
            "instance": "1.2.3.4",
            "number": 1,
            "document": uuid4(),
            "page": 1,
            "item": uuid4(),
            "link": uuid4(),
        }
        path = op.path.removeprefix("/api/v1").format(case=case_id, **names)
        fields = op.body.model_fields if op.body else {}
        body: dict[str, object] = {name: bodies[name] for name in fields if name in bodies}
        body |= {"password": "three words together"} if "password" in fields else {}
        body |= {"kind": "terms", "version": "1"} if "kind" in fields and "version" in fields else {}
        body |= {"sop_uids": ["1.2"]} if "sop_uids" in fields else {}
        body |= {"studies": ["1.2"]} if op.path.endswith("/releases") else {}
        body |= {"decision": "approved"} if "decision" in fields else {}
        body |= {"boxes": [[0, 0, 1, 1]]} if "boxes" in fields else {}
        body |= {"answers": {}, "texts": {"impression": ""}, "studies": []} if "texts" in fields else {}
        body |= {"kind": "report"} if op.path.endswith("/kind") else {}
        body |= {"relation": "parent"} if "relation" in fields else {}
        body |= (
            {"name": "N", "birth_date": "1971-03-09", "sex": "F"} if "instead_of" in fields and "sex" in fields else {}
        )
        body |= {"about": ["leave"]} if "about" in fields else {}
        body |= {"due_at": "2099-01-01T12:00:00Z"} if "due_at" in fields else {}
        body |= {"version": "1", "digest": "0" * 64} if op.path.endswith("/referral/report") else {}
        if op.path.endswith("/physicians") and op.body:
            body |= {"name": "N", "email": "n@example.org", "days": 7, "version": "1", "digest": "0" * 64}
        body |= {"kind": "correction"} if op.path.endswith("/reports") and op.body else {}
        body |= {"approve": True, "edition": "0" * 64} if "approve" in fields else {}
        body |= {"consent_digest": "0" * 64} if "consent_digest" in fields else {}
        body |= {"request_id": "1"} if "request_id" in fields else {}
        body |= {"owner_id": str(uuid4())} if "owner_id" in fields else {}
        body |= {"document_id": str(uuid4())} if "document_id" in fields else {}
        body |= {"tags": []} if "tags" in fields else {}
        body |= {"item": "Consent seen"} if "item" in fields else {}
        body |= {"seen": True} if "seen" in fields else {}
        for name in ("other_patient", "other_specialist", "hospital", "auditor", "admin"):
            status, text = api.call(name, op.method, path, body if op.body else None)
            wanted = (403, 404) if op.path.endswith(("/refund", "/paid-outside")) else (404,)
            assert status in wanted, (name, op.method, op.path, status, text)
        assert api.call(None, op.method, path, body if op.body else None)[0] == 401
    assert world.state(case_id) == "offered"


def test_the_report_as_pdf(api: Api, world: World) -> None:
    case_id = world.published()
    answer = api.client.get(
        f"/api/v1/cases/{case_id}/report.pdf", headers={"Authorization": f"Bearer {api.tokens['patient']}"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"%PDF-")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", answer.content, re.DOTALL)
    # A stream whose last byte is a line end of its own has lost it here, and nothing that is looked for.
    opened = b"".join(zlib.decompressobj().decompress(s) if s[:1] == b"\x78" else s for s in streams)
    # ISO 19005-3: part 3, level B.
    assert b"<pdfaid:part>3<" in opened or b'pdfaid:part="3"' in opened


def test_pictures_are_blanked_and_approved_over_http(api: Api, world: World) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    study = f"/cases/{case_id}/studies/{uid}"
    (line,) = json.loads(api.call("coordinator", "GET", f"{study}/pictures")[1])
    assert (line["sop_uid"], line["state"], line["boxes"]) == (sop_uid, "pending_review", [])
    group = next(s for s in json.loads(api.call("coordinator", "GET", f"{study}/series-groups")[1]) if s["pending"])
    assert (group["middle"], group["rows"], group["pictures"]) == (sop_uid, 96, 1)
    one = f"{study}/pictures/{sop_uid}"
    assert api.call("coordinator", "GET", f"{one}/suggestions")[0] == 200
    png = api.client.get(f"/api/v1{one}/maximum", headers={"Authorization": f"Bearer {api.tokens['coordinator']}"})
    assert (png.headers["content-type"], png.content[:4]) == ("image/png", b"\x89PNG")
    body = {"sop_uids": [sop_uid], "boxes": [[1, 2, 30, 40]]}
    assert api.call("coordinator", "POST", f"{study}/masks", body) == (200, '{"refused":{}}')
    decision = {"sop_uids": [sop_uid], "decision": "approved", "digests": {sop_uid: line["digest"]}}
    status, problem = api.call("coordinator", "POST", f"/cases/{case_id}/decisions", decision)
    assert status == 409
    assert "meanwhile" in problem
    now = json.loads(api.call("coordinator", "GET", one)[1])
    assert now["boxes"] == [[1, 2, 30, 40]]
    decision["digests"] = {sop_uid: now["digest"]}
    # Something is suggested still: it has to be said that it was seen.
    status, problem = api.call("coordinator", "POST", f"/cases/{case_id}/decisions", decision)
    suggested = json.loads(api.call("coordinator", "GET", f"{one}/suggestions")[1])
    # The device's own boxes are those that were blanked a moment ago.
    left = sum(box not in now["boxes"] for s in suggested for box in s["boxes"])
    assert (status, json.loads(problem)["suggestions"]) == (409, {sop_uid: left})
    many = decision | {"sop_uids": [f"1.2.{n}" for n in range(25)], "digests": None}
    status, problem = api.call("coordinator", "POST", f"/cases/{case_id}/decisions", many)
    assert status == 422
    assert "at most 24 pictures" in problem
    despite = decision | {"despite_suggestions": True}
    assert api.call("coordinator", "POST", f"/cases/{case_id}/decisions", despite)[0] == 204
    outside = {"sop_uids": [sop_uid], "boxes": [[96, 0, 1, 1]]}
    status, refused = api.call("coordinator", "POST", f"{study}/masks", outside)
    assert status == 200
    assert "96 × 96" in json.loads(refused)["refused"][sop_uid]
    for wrong in ({**body, "boxes": [[1, 2, 3]]}, {**body, "boxes": [[-1, 2, 3, 4]]}, {**body, "sop_uids": []}):
        assert api.call("coordinator", "POST", f"{study}/masks", wrong)[0] == 400
    assert api.call("patient", "POST", f"{study}/masks", body)[0] == 403
