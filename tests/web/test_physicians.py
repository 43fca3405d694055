"""Pages for a treating physician: the patient's and the coordinator's, and what the link and its code open."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from cases.service import versions
from cases.service.physicians import CONSENT
from tests.cases.test_physicians import EMAIL, NAME, token
from tests.cases.world import World

FORM: dict[str, Any] = {
    "name": NAME,
    "email": EMAIL,
    "days": "14",
    "agreed": "yes",
    "version": CONSENT.version,
    "digest": CONSENT.digest,
}
Make = Callable[..., TestClient]


def code_of(page: str) -> str:
    return str(re.findall(r"data-copy-value>([A-Z2-9]{4}-[A-Z2-9]{4})<", page)[0])


def test_a_patient_lets_their_physician_read_and_ends_it(browser: Make, world: World) -> None:
    case_id = world.published()
    patient = browser(world, "patient")
    path = f"/cases/{case_id}/physicians"
    assert f'href="{path}"' in patient.get(f"/cases/{case_id}/report").text
    refused = patient.post(path, data={**FORM, "agreed": "", "days": "400"})
    assert refused.status_code == 422
    assert NAME in refused.text, "nothing typed is lost"
    assert "Please choose how long" in refused.text
    made = patient.post(path, data=FORM)
    code, link = code_of(made.text), f"/physician/{token(world)}"
    assert code not in patient.get(path).text, "it is told once"
    physician = browser()
    assert "Type the code" in physician.get(link).text
    wrong = physician.post(link, data={"code": "AAAA-AAAA"})
    other = physician.post("/physician/nothing", data={"code": code})
    assert wrong.status_code == other.status_code == 404
    assert "open nothing" in wrong.text
    assert wrong.text.replace(link, "") == other.text.replace("/physician/nothing", "")
    page = physician.post(link, data={"code": code})
    assert page.headers["Cache-Control"] == "no-store"
    assert "All is well." in page.text
    pdf = physician.post(f"{link}/report.pdf", data={"code": code})
    assert pdf.content[:5] == b"%PDF-"
    assert f"{NAME}, physician" in patient.get(f"/cases/{case_id}").text
    ends = re.findall(rf'action="({path}/[\w-]+/end)"', patient.get(path).text)
    ended = patient.post(ends[0])
    assert "opens nothing any more" in patient.get(ended.headers["location"]).text
    assert physician.post(link, data={"code": code}).status_code == 404


def test_who_guesses_waits(browser: Make, world: World) -> None:
    case_id = world.published()
    code = code_of(browser(world, "patient").post(f"/cases/{case_id}/physicians", data=FORM).text)
    physician, link = browser(), f"/physician/{token(world)}"
    assert "Please type the code" in physician.post(link, data={"code": " "}).text
    tried = [physician.post(link, data={"code": "AAAA-AAAA"}).status_code for _ in range(6)]
    assert tried == [404] * 5 + [429]
    assert physician.post(link, data={"code": code}).status_code == 429
    assert int(physician.post(link, data={"code": code}).headers["Retry-After"]) > 60


def test_a_coordinator_does_it_as_the_patient_asked_and_a_recall_is_told(browser: Make, world: World) -> None:
    case_id = world.published()
    coordinator, path = browser(world, "coordinator"), f"/queue/{case_id}/physicians"
    assert f'href="{path}"' in coordinator.get(f"/queue/{case_id}").text
    assert "how and when the patient asked" in coordinator.post(path, data=FORM).text
    made = coordinator.post(path, data={**FORM, "wish": "By telephone, today."})
    code, link = code_of(made.text), f"/physician/{token(world)}"
    assert "By telephone, today." in browser(world, "patient").get(f"/cases/{case_id}/physicians").text
    with world.db.transaction() as tx:
        versions.recall(tx, world.coordinator, case_id, 1, "It is another patient's")
    physician = browser()
    page = physician.post(link, data={"code": code})
    assert "It must not be used" in page.text
    assert "All is well." not in page.text
    assert physician.post(f"{link}/report.pdf", data={"code": code}).status_code == 404


def test_nobody_else_gets_the_pages(browser: Make, world: World) -> None:
    case_id = world.published()
    assert browser(world, "other_patient").post(f"/cases/{case_id}/physicians", data=FORM).status_code == 404
    assert browser(world, "specialist").get(f"/cases/{case_id}/physicians").status_code == 403
