"""The API for admins: accounts, DICOM peers and prices."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from cases.administration import OPERATIONS
from cases.operations import Operation
from overread.kit import passwords, principals
from tests.cases import test_routes
from tests.cases.test_routes import Api
from tests.cases.world import World

api = test_routes.api
PERSON = {"name": "Some Reader", "email": "reader@example.org", "role": "specialist", "request_id": "one"}


def test_an_account_is_made_listed_locked_and_let_in(world: World, api: Api) -> None:
    status, made = api.call("admin", "POST", "/people", PERSON)
    first = json.loads(made)
    assert (status, len(first["password"])) == (201, 16)
    with world.db.transaction() as tx:
        row = principals.by_email(tx, PERSON["email"])
        assert row is not None
        assert (str(row.id), row.role, row.name) == (first["principal_id"], "specialist", "Some Reader")
        kept = row.password_hash
    assert passwords.fits(first["password"], kept)
    # The answer was lost: the same request gives the same account, and a password that fits.
    again = json.loads(api.call("admin", "POST", "/people", PERSON)[1])
    assert again["principal_id"] == first["principal_id"]
    assert again["password"] != first["password"]
    assert api.call("admin", "POST", "/people", {**PERSON, "request_id": "two"})[0] == 409
    person = f"/people/{first['principal_id']}"
    for act, active in (("lock", False), ("lock", False), ("unlock", True)):
        assert api.call("admin", "POST", f"{person}/{act}")[0] == 204
        [line] = json.loads(api.call("admin", "GET", "/people?q=reader%40")[1])
        assert (line["principal_id"], line["role"], line["active"]) == (first["principal_id"], "specialist", active)
    assert api.call("admin", "POST", f"/people/{world.admin.id}/lock")[0] == 409
    assert {line["role"] for line in json.loads(api.call("admin", "GET", "/people?role=hospital")[1])} == {"hospital"}
    page = json.loads(api.call("admin", "GET", "/people?limit=2")[1])
    assert len(page) == 2


def test_readers_and_scope_of_a_program(world: World, api: Api) -> None:
    reader = f"/programs/msk/readers/{world.specialist.id}"
    for method, reads in (("DELETE", False), ("DELETE", False), ("PUT", True)):
        assert api.call("admin", method, reader)[0] == 204
        found = {
            one["slug"]: one["specialists"] for one in json.loads(api.call("admin", "GET", "/programs/readers")[1])
        }
        assert (str(world.specialist.id) in found["msk"]) is reads
    asked = "/programs/msk/eligibility?place=US-CA&subject=PET"
    assert json.loads(api.call(None, "GET", asked)[1]) == {"can_help": True, "reasons": []}
    assert api.call("admin", "PUT", "/programs/msk/scope", {"subjects": ["CT"], "unsuited": "Nothing else."})[0] == 204
    assert json.loads(api.call(None, "GET", asked)[1])["reasons"] == ["This program gives no opinions about that."]
    assert api.call(None, "GET", asked + "&emergency=perhaps")[0] == 400
    assert api.call(None, "GET", "/programs/msk/eligibility?place=nowhere")[0] == 422
    assert api.call("admin", "PUT", "/programs/msk/scope", {"subjects": ["the knee"]})[0] == 422


def test_a_peer_is_registered_and_moved(api: Api) -> None:
    peer = {"host": "10.0.0.7", "port": 104, "role": "hospital"}
    assert api.call("admin", "PUT", "/peers/WARD", peer)[0] == 204
    assert api.call("admin", "PUT", "/peers/WARD", {**peer, "port": 11112})[0] == 204
    [line] = [one for one in json.loads(api.call("coordinator", "GET", "/peers")[1]) if one["ae_title"] == "WARD"]
    assert (line["host"], line["port"], line["role"]) == ("10.0.0.7", 11112, "hospital")
    assert api.call("admin", "PUT", "/peers/SEVENTEEN-LETTERS", peer)[0] == 422
    assert api.call("admin", "PUT", "/peers/WARD", {**peer, "port": 0})[0] == 400


def test_a_price_replaces_the_one_before(world: World, api: Api) -> None:
    with world.db.transaction() as tx:
        key = tx.execute(text("SELECT price_key FROM cases_kind WHERE price_key IS NOT NULL")).scalars().first()
    price = {"key": key, "label": "Spring", "amount": 41000, "currency": "USD", "specialist_fee": 20000}
    assert api.call("admin", "POST", "/prices", price)[0] == 204
    prices = [one for one in json.loads(api.call("admin", "GET", "/prices")[1]) if one["key"] == key]
    assert [(one["label"], one["amount"]) for one in prices if one["current"]] == [("Spring", 41000)]
    assert len(prices) == 2
    assert api.call("admin", "POST", "/prices", {**price, "specialist_fee": 41001})[0] == 422
    assert api.call("admin", "POST", "/prices", {**price, "key": "nothing"})[0] == 404


COORDINATORS = {
    ("GET", "/api/v1/peers"),
    ("GET", "/api/v1/programs/readers"),
    ("GET", "/api/v1/programs/{program}/kinds"),
}
BODIES = {
    "/api/v1/people": PERSON,
    "/api/v1/prices": {"key": "msk", "label": "x", "amount": 1, "currency": "USD", "specialist_fee": 0},
    "/api/v1/programs/{program}/scope": {"subjects": ["CT"]},
    "/api/v1/programs/{program}/kinds/{kind}": {"name": "Another"},
    "/api/v1/peers/{title}": {"host": "10.0.0.7", "port": 104, "role": "hospital"},
}


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: op.name)
def test_nobody_else_administers(world: World, api: Api, op: Operation) -> None:
    path = op.path.removeprefix("/api/v1").format(
        person=world.hospital.id,
        title="WARD",
        program="msk",
        kind="report",
        specialist=world.specialist.id,
        licence=uuid4(),
    )
    body = BODIES[op.path] if op.body else None
    for who in ("patient", "other_patient", "specialist", "other_specialist", "hospital", "auditor", "coordinator"):
        may = who == "coordinator" and (op.method, op.path) in COORDINATORS
        assert api.call(who, op.method, path, body)[0] == (200 if may else 403), who
    assert api.call(None, op.method, path, body)[0] == 401
    with world.db.transaction() as tx:
        assert principals.by_email(tx, PERSON["email"]) is None
        assert principals.get(tx, world.hospital.id).active
