"""The API's part about mails, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cases.mail_texts import TEMPLATES
from tests.cases.test_mails import as_built
from tests.cases.test_routes import Api
from tests.cases.world import World

__all__ = ["as_built"]


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    made = Api(world)
    with made.client:
        yield made


def test_mails_over_http(api: Api) -> None:
    listed = json.loads(api.call("admin", "GET", "/mails?program=free&language=de")[1])
    assert {one["mail"] for one in listed} == set(TEMPLATES)
    path = "/mails/published"
    read = json.loads(api.call("admin", "GET", f"{path}?program=free&language=de")[1])
    assert (read["placeholders"], read["required"]) == (["reference", "link", "sender"], ["link"])
    body = {"program": "free", "language": "de", "subject": "Ihr Bericht", "text": "Hier: {link}"}
    made = json.loads(api.call("admin", "POST", f"{path}/preview", body)[1])
    assert (made["subject"], "Hier: https://" in made["text"], "<html" in made["html"]) == ("Ihr Bericht", True, True)
    for _ in range(2):
        assert api.call("admin", "PUT", path, {**body, "edition": read["edition"]})[0] == 204
    assert api.call("admin", "PUT", path, {**body, "subject": "Anders", "edition": read["edition"]})[0] == 409
    again = json.loads(api.call("admin", "GET", f"{path}?program=free&language=de")[1])
    assert (again["whose"], again["subject"]) == ("own", "Ihr Bericht")
    status, refused = api.call("admin", "PUT", path, {**body, "text": "Ihre MRT: {link}"})
    assert (status, "“MRT” tells of somebody’s health" in json.loads(refused)["detail"]) == (422, True)
    where = {"program": "free", "language": "de"}
    for _ in range(2):
        assert api.call("admin", "POST", f"{path}/reset", where)[0] == 204
    assert json.loads(api.call("admin", "POST", f"{path}/test", where)[1])["email"].startswith("admin@")
    assert api.call("admin", "GET", "/mails/nothing")[0] == 404
    assert api.call("admin", "GET", "/mails?program=nothing")[0] == 404
    assert api.call("admin", "GET", "/mails?language=eo")[0] in (400, 422)
    assert api.call("admin", "PUT", path, {**body, "more": 1})[0] == 400
    for who in ("coordinator", "patient", "specialist", "auditor"):
        for method, where_, sent in (("GET", "/mails", None), ("PUT", path, body), ("POST", f"{path}/preview", body)):
            assert api.call(who, method, where_, sent)[0] == 403


def test_sender_and_words_over_http(api: Api) -> None:
    assert (
        api.call("admin", "PUT", "/mail-sender", {"program": "free", "name": "The house", "colour": "#333333"})[0]
        == 204
    )
    found = json.loads(api.call("admin", "GET", "/mail-sender?program=free")[1])
    assert (found["name"], found["colour"], found["name_else"]) == ("The house", "#333333", "Overread")
    assert api.call("admin", "PUT", "/mail-sender", {"name": "MRI centre"})[0] == 422
    assert api.call("admin", "PUT", "/mail-words/fr", {"words": ["mot*"]})[0] == 204
    words = json.loads(api.call("admin", "GET", "/mail-words/fr")[1])
    assert (words["words"], words["changed"]) == (["mot*"], True)
    assert api.call("admin", "PUT", "/mail-words/fr", {"words": None})[0] == 204
    assert "IRM" in json.loads(api.call("admin", "GET", "/mail-words/fr")[1])["words"]
    assert api.call("admin", "PUT", "/mail-words/eo", {"words": []})[0] == 422
    assert api.call("coordinator", "GET", "/mail-words/fr")[0] == 403
    assert api.call("coordinator", "GET", "/mail-sender")[0] == 403


def test_ones_own_language_over_http(api: Api) -> None:
    for who in ("patient", "specialist", "hospital", "auditor"):
        assert json.loads(api.call(who, "GET", "/account/language")[1]) == {"language": ""}
        assert api.call(who, "PUT", "/account/language", {"language": "tlh"})[0] == 422
        assert api.call(who, "PUT", "/account/language", {"language": "ja"})[0] == 204
        assert json.loads(api.call(who, "GET", "/account/language")[1]) == {"language": "ja"}
