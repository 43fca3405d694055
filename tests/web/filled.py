"""Forms as a browser fills them in."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from starlette.testclient import TestClient

#: A request as its patient writes it, in two of its steps.
STORY: dict[str, Any] = {
    "subjects": ["CT", ""],
    "questions": ["Is the spot new?", "", "Do I need a biopsy?"],
    "symptoms": "A cough",
    "history": "",
    "birth_date": "1971-03-09",
    "sex": "F",
    "phone": "+1 555 0100",
    "place": "US-CA",
}


def fields(page: str, action: str) -> dict[str, list[str]]:
    """What the form of an address would send if nobody touched it."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.S)
    assert form, action
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if told.get("type") in ("checkbox", "radio") and " checked" not in tag:
            continue
        if "name" in told:
            found.setdefault(told["name"], []).append(unescape(told.get("value", "")))
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', form[0], re.S):
        found.setdefault(name, []).append(unescape(text))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)".*?>(.*?)</select>', form[0], re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found.setdefault(name, []).append(chosen[1] if chosen else "")
    return found


def begin(client: TestClient, opinion: str = "msk/report", **story: Any) -> str:
    """The path of a new request whose question and patient are told."""
    case = str(client.post("/start", data={"opinion": opinion}).headers["location"]).rsplit("/", 1)[0]
    told = STORY | story
    for step in ("question", "patient"):
        url = f"{case}/{step}"
        answer = client.post(url, data=fields(client.get(url).text, url) | told)
        assert answer.status_code == 303, answer.text
    return case
