"""The admin's pages of mails."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

from starlette.testclient import TestClient

from tests.cases.test_mails import as_built
from tests.cases.world import World
from tests.web.filled import fields

__all__ = ["as_built"]
Browser = Callable[..., TestClient]
_PAGE = "/mails/texts/published"


def test_a_mail_is_written_looked_at_and_reset(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    shown = unescape(admin.get("/mails?program=free&language=de").text)
    assert f'href="{_PAGE}?program=free&language=de"' in shown
    form = fields(admin.get(f"{_PAGE}?program=free&language=de").text, _PAGE)
    typed = {**form, "subject": ["Ihr Bericht"], "text": ["Hier ist er:\r\n\r\n{link}"]}
    looked = admin.post(f"{_PAGE}/preview", data=typed)
    assert looked.status_code == 200
    policy = looked.headers["content-security-policy"]
    assert ("sandbox" in policy, "default-src 'none'" in policy, "script-src" in policy) == (True, True, False)
    assert "Ihr Bericht" in looked.text
    assert looked.text.count("Hier ist er:") == 2
    assert admin.get(f"{_PAGE}/preview?program=free&language=de").text.count("Your report is ready") == 2
    answered = admin.post(_PAGE, data=typed)
    assert (answered.status_code, answered.headers["location"]) == (
        303,
        f"{_PAGE}?program=free&language=de&done=saved",
    )
    # From another tab, with what stood before.
    late = admin.post(_PAGE, data={**typed, "subject": ["Anderer"]})
    assert late.status_code == 409
    assert "Somebody else has changed this mail meanwhile" in late.text
    again = fields(late.text, _PAGE)
    assert again["subject"] == ["Anderer"]
    # Told, it can be said again.
    assert admin.post(_PAGE, data=again).status_code == 303
    page = admin.get(f"{_PAGE}?program=free&language=de").text
    assert "Own words" in page
    hidden = fields(page, f"{_PAGE}/reset")
    for _ in range(2):
        assert admin.post(f"{_PAGE}/reset", data=hidden).headers["location"].endswith("done=reset")
    assert f'action="{_PAGE}/reset"' not in admin.get(f"{_PAGE}?program=free&language=de").text
    assert admin.post(f"{_PAGE}/test", data=hidden).headers["location"].endswith("done=tested")


def test_what_is_refused_is_said_and_stays_typed(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    form = fields(admin.get(_PAGE).text, _PAGE)
    for text, told in (
        ("Your MRI <b>: {link}", "“MRI” tells of somebody’s health"),
        ("{name} {link}", "This mail can’t say {name}."),
        ("Nothing else", "The text has to say {link}"),
    ):
        answered = admin.post(_PAGE, data={**form, "text": [text]})
        assert answered.status_code == 422
        assert told in unescape(answered.text)
        assert fields(answered.text, _PAGE)["text"] == [text]
        looked = admin.post(f"{_PAGE}/preview", data={**form, "text": [text]})
        assert (looked.status_code, told in unescape(looked.text)) == (422, True)
        assert "sandbox" in looked.headers["content-security-policy"]
    assert admin.get("/mails/texts/nothing").status_code == 404
    assert admin.get("/mails?program=nothing").status_code == 404
    assert admin.get("/mails?language=eo").status_code == 422


def test_sender_and_words_have_their_forms(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    form = fields(admin.get("/mails?program=free").text, "/mails/sender")
    refused = admin.post("/mails/sender", data={**form, "name": "Cancer centre"})
    assert (refused.status_code, "tells of somebody’s health" in unescape(refused.text)) == (422, True)
    assert fields(refused.text, "/mails/sender")["name"] == ["Cancer centre"]
    assert admin.post("/mails/sender", data={**form, "name": "The house"}).status_code == 303
    assert fields(admin.get("/mails?program=free").text, "/mails/sender")["name"] == ["The house"]
    form = fields(admin.get("/mails/words?language=de").text, "/mails/words")
    assert "MRT" in form["words"][0]
    assert admin.post("/mails/words", data={**form, "words": "x"}).status_code == 422
    assert admin.post("/mails/words", data={**form, "words": "mond*"}).status_code == 303
    assert fields(admin.get("/mails/words?language=de").text, "/mails/words")["words"] == ["mond*"]
    assert admin.post("/mails/words", data={**form, "go": "reset"}).status_code == 303
    assert "MRT" in fields(admin.get("/mails/words?language=de").text, "/mails/words")["words"][0]


def test_nobody_else_reaches_them(world: World, browser: Browser) -> None:
    for key in ("coordinator", "patient", "specialist", "hospital", "auditor"):
        for path in ("/mails", "/mails/words", _PAGE, f"{_PAGE}/preview"):
            assert browser(world, key).get(path).status_code == 403
        for path in ("/mails/sender", "/mails/words", _PAGE, f"{_PAGE}/reset", f"{_PAGE}/test"):
            assert browser(world, key).post(path, data={"text": "x"}).status_code == 403
