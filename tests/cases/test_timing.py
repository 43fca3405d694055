"""The API's part about time, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from overread.kit import clock
from tests.cases.test_routes import Api
from tests.cases.world import World


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    made = Api(world)
    with made.client:
        yield made


def test_a_clock_over_http(api: Api, world: World) -> None:
    case_id = world.in_review()
    path = f"/cases/{case_id}"
    seen = json.loads(api.call("coordinator", "GET", path)[1])
    assert (seen["clock_actions"], seen["clock_stands"], seen["zone"]) == (["promise", "pause"], "", "UTC")
    due = (clock.now() + timedelta(days=9)).replace(second=0, microsecond=0)
    body = {"due_at": due.isoformat(), "reason": "The specialist is ill.", "instead_of": seen["due_at"]}
    for _ in range(2):
        assert api.call("coordinator", "POST", f"{path}/promise", body)[0] == 204
    assert api.call("coordinator", "POST", f"{path}/promise", {**body, "reason": "Another."})[0] == 409
    assert api.call("coordinator", "POST", f"{path}/promise", {**body, "due_at": "2026-12-01T10:00"})[0] == 400
    assert api.call("coordinator", "POST", f"{path}/promise", {**body, "reason": "x" * 2001})[0] == 422
    assert api.call("patient", "POST", f"{path}/promise", body)[0] == 403
    assert api.call("coordinator", "POST", f"{path}/pause", {"reason": ""})[0] == 422
    assert api.call("coordinator", "POST", f"{path}/pause", {"reason": "The archive is being mended."})[0] == 204
    [stands] = json.loads(api.call("coordinator", "GET", "/deadlines")[1])
    assert (stands["lane"], stands["why"], stands["next"]) == ("stands", "The archive is being mended.", "us")
    assert json.loads(api.call("patient", "GET", path)[1])["clock_stands"] == "The archive is being mended."
    assert json.loads(api.call("specialist", "GET", path)[1])["paused_at"] is not None
    for _ in range(2):
        assert api.call("coordinator", "POST", f"{path}/resume")[0] == 204
    [runs] = json.loads(api.call("coordinator", "GET", "/deadlines")[1])
    assert (runs["lane"] != "stands", runs["why"], runs["next"]) == (True, "", "specialist")
    assert api.call("specialist", "GET", "/deadlines")[0] == 403


def test_hours_over_http(api: Api, world: World) -> None:
    week = [["09:00", "17:00"], None, None, None, None, None, ["22:00", "00:00"]]
    body = {
        "zone": "Europe/Berlin",
        "week": week,
        "days_off": [{"day": "2026-12-28", "name": "A day"}],
        "warn_hours": [4],
    }
    assert api.call("admin", "PUT", "/programs/free/hours", body)[0] == 204
    found = {one["slug"]: one for one in json.loads(api.call("coordinator", "GET", "/programs/hours")[1])}
    assert {key: found["free"][key] for key in body} == body
    assert found["msk"]["week"] == [["00:00", "00:00"]] * 7
    for wrong, status in (
        ({"week": week[:6]}, 400),
        ({"week": [["9", "17"], *week[1:]]}, 400),
        ({"week": [None] * 7}, 422),
        ({"zone": "Mars"}, 422),
        ({"warn_hours": [0]}, 422),
        ({"days_off": [{"day": "Christmas"}]}, 400),
    ):
        assert api.call("admin", "PUT", "/programs/free/hours", {**body, **wrong})[0] == status, wrong
    assert api.call("admin", "PUT", "/programs/nothing/hours", body)[0] == 404
    assert api.call("coordinator", "PUT", "/programs/free/hours", body)[0] == 403
    assert api.call("patient", "GET", "/programs/hours")[0] == 403


def test_ones_own_zone_over_http(api: Api, world: World) -> None:
    for who in ("patient", "specialist", "hospital", "auditor"):
        assert json.loads(api.call(who, "GET", "/account/zone")[1]) == {"zone": ""}
        assert api.call(who, "PUT", "/account/zone", {"zone": "Mars"})[0] == 422
        assert api.call(who, "PUT", "/account/zone", {"zone": "Asia/Tokyo"})[0] == 204
        assert json.loads(api.call(who, "GET", "/account/zone")[1]) == {"zone": "Asia/Tokyo"}
    case_id = world.submitted("free")
    assert "JST" in json.loads(api.call("patient", "GET", f"/cases/{case_id}")[1])["next_text"]
    assert api.call(None, "GET", "/account/zone")[0] == 401
