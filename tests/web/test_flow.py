"""A case from the sign-up to the answer to the last question, by the portal's pages alone."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, text
from starlette.testclient import TestClient

from cases import consents
from cases.models import Question, Report
from cases.service import inboxes
from overread.kit import http, passwords, principals
from overread.services import Services
from pacs.dimse import peers
from tests.cases.world import World, study
from tests.fakes.payments import DECLINED, Sandbox
from tests.web.filled import begin, fields
from tests.web.mailbox import Mailbox

Browser = Callable[..., TestClient]
PASSWORD = "three words together"
AGREED = {
    **dict.fromkeys(("terms", "privacy", "authority_to_share", "charge"), "yes"),
    **{f"{one.name}-version": one.version for one in consents.CONSENTS},
}


@pytest.mark.filterwarnings("ignore:Exception ignored in.*sRGB2014:pytest.PytestUnraisableExceptionWarning")
def _captured(sandbox: Sandbox) -> int:
    """How many charges were captured, by the tests that share the sandbox."""
    return len([charge for charge in sandbox.listed("charges") if charge["captured"]])


def test_a_case_from_sign_up_to_follow_up(world: World, browser: Browser, services: Services) -> None:
    patient = browser()
    _to(
        patient.post("/sign-up", data={"name": "Jane Doe", "email": "jane@example.org", "password": PASSWORD}), "/start"
    )
    case = begin(patient)
    case_id = UUID(case.rsplit("/", 1)[1])

    assert patient.post(Mailbox(world).link("jane@example.org")).status_code == 303

    # Nothing can be sent on before an image is here; one arrives by STOW-RS with the browser's own cookie.
    early = patient.post(f"{case}/images", data={"images": "uploaded"})
    assert early.status_code == 422
    assert "No image has arrived yet" in early.text
    _stow(patient, f"{case}/dicomweb/studies", study(name="DOE^JANE"))
    assert "Already here" in patient.get(f"{case}/images").text
    _to(patient.post(f"{case}/images", data={"images": "uploaded"}), f"{case}/documents")
    refused = patient.post(f"{case}/consent", data={"terms": "yes", "terms-version": "1"})
    assert refused.status_code == 422
    assert "understand the charge" in refused.text
    assert "$350" in refused.text

    # Twice the same page; it is refused, then paid.
    assert world.sandbox
    before = _captured(world.sandbox)
    page = _to(patient.post(f"{case}/consent", data=AGREED), "http://127.0.0.1")
    assert patient.post(f"{case}/consent", data=AGREED).headers["location"] == page
    assert "waiting for your bank" in patient.get(f"{case}/payment").text
    assert world.sandbox.submit(page, DECLINED).status_code != 303
    assert world.state(case_id) == "draft"
    back = world.sandbox.pay(page)
    assert urlsplit(back).path == f"{case}/payment"
    shown = patient.get(f"{case}/payment").text
    assert "Your case is with us" in shown
    assert "You will have your answer by" in shown
    assert world.state(case_id) == "submitted"
    world.drain()
    world.settle(world_study(world, case_id))

    # The coordinator asks, the patient answers.
    coordinator = browser(world, "coordinator")
    queue = f"/queue/{case_id}"
    assert "Jane Doe" in coordinator.get("/queue").text
    _to(coordinator.post(f"{queue}/info", data={"text": "Which lung?"}), f"{queue}?done=asked")
    assert "Which lung?" in patient.get(case).text
    _to(patient.post(f"{case}/answer", data={"text": "The right one"}), f"{case}?done=answered")

    # The studies are checked, released, offered.
    page_of_case = coordinator.get(queue).text
    for thumbnail in re.findall(r'<img src="(/cases/[^"]+/thumbnail)"', page_of_case):
        assert coordinator.get(thumbnail, headers={"Accept": "image/*"}).headers["content-type"].startswith("image/")
    pending = re.search(r'name="sop_instance_uid" value="([\d. ]+)"', page_of_case)
    uid = world_study(world, case_id)
    digests = re.search(r'name="digest" value="([0-9a-f ]+)"', page_of_case)
    if pending:
        assert digests
        form = {"sop_instance_uid": pending[1], "digest": digests[1], "decision": "approve"}
        _to(coordinator.post(f"{queue}/studies/{uid}/decide", data=form), f"{queue}?done=decided")
    blocked = coordinator.post(f"{queue}/ready")
    assert blocked.status_code == 422
    assert "not released yet" in blocked.text
    _to(coordinator.post(f"{queue}/studies/{uid}/release"), f"{queue}?done=released")
    _to(coordinator.post(f"{queue}/ready"), f"{queue}?done=ready")
    offer = {"specialist": str(world.specialist.id)}
    _to(coordinator.post(f"{queue}/offer", data=offer), f"{queue}?done=offered")

    # The specialist sees no image before accepting, and no name ever.
    specialist = browser(world, "specialist")
    assert f"/offers/{case_id}" in specialist.get("/offers").text
    assert specialist.get(f"{case}/dicomweb/studies", headers={"Accept": "*/*"}).status_code == 404
    reading = f"/reading/{case_id}"
    _to(specialist.post(f"/offers/{case_id}/accept"), f"{reading}?done=accepted")
    _to(specialist.post(f"/offers/{case_id}/accept"), f"{reading}?done=accepted")
    assert _captured(world.sandbox) == before + 1
    assert specialist.get(f"{case}/dicomweb/studies", headers={"Accept": "*/*"}).status_code == 200
    opened = specialist.post(f"{reading}/viewer").headers["location"]
    assert re.fullmatch(r"http://viewer\.example/open#[\w-]{40,}", opened)
    opened = specialist.post(f"{reading}/viewer", data={"layout": "fused"}).headers["location"]
    assert re.fullmatch(r"http://viewer\.example/open#[\w-]{40,}\.fused", opened)
    # It is offered for a PET with its CT alone.
    assert "PET over CT" not in specialist.get(reading).text

    # A token for their own viewer is shown once and opens this case alone.
    once = specialist.post(f"{reading}/token")
    found = re.search(r"data-copy-value>([\w-]{40,})<", once.text)
    assert found
    assert found[1] not in specialist.get(reading).text
    own_viewer = browser()
    bearer = {"Authorization": f"Bearer {found[1]}", "Accept": "application/dicom+json"}
    assert own_viewer.get(f"{case}/dicomweb/studies", headers=bearer).status_code == 200
    assert own_viewer.get(f"/reading/{case_id}", headers=bearer).status_code == 403
    assert own_viewer.get("/offers", headers=bearer).status_code == 403

    # The report: saved in part, refused while incomplete, signed with the password.
    form_page = specialist.get(f"{reading}/report").text
    fields = re.findall(r'name="(answer-[0-9a-f-]{36})"', form_page)
    assert len(fields) == 2
    view_uid = re.search(r'name="studies" value="([\d.]+)"', form_page)
    assert view_uid
    half = {fields[0]: "No, it is unchanged.", "impression": "Stable.", "studies": view_uid[1], "step": "preview"}
    target = _to(specialist.post(f"{reading}/report", data=half), f"{reading}/report?step=preview")
    assert "Question 2 has no answer yet." in specialist.get(target).text
    whole = half | {fields[1]: "No."}
    preview = specialist.get(_to(specialist.post(f"{reading}/report", data=whole), f"{reading}/report")).text
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', preview)
    assert digest
    hashed = passwords.hashed(PASSWORD)
    with services.db.transaction() as tx:
        principals.get(tx, world.specialist.id).password_hash = hashed
    signature = {"digest": digest[1], "confirm": "yes", "password": "not mine"}
    wrong = specialist.post(f"{reading}/sign", data=signature)
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    stale = specialist.post(f"{reading}/sign", data=signature | {"password": PASSWORD, "digest": "0" * 64})
    assert stale.status_code == 409
    _to(specialist.post(f"{reading}/sign", data=signature | {"password": PASSWORD}), f"{reading}?done=signed")

    # Published, read, asked, answered.
    assert patient.get(f"{case}/report").status_code == 404
    _to(coordinator.post(f"{queue}/publish"), f"{queue}?done=published")
    report = html.unescape(patient.get(f"{case}/report").text)
    assert "No, it is unchanged." in report
    pdf = patient.get(f"{case}/report.pdf")
    assert pdf.content.startswith(b"%PDF")
    assert "attachment" in pdf.headers["content-disposition"]
    _to(patient.post(f"{case}/follow-ups", data={"text": "And in a year?"}), f"{case}/report?done=sent")
    with services.db.transaction() as tx:
        question = tx.scalars(select(Question.id).where(Question.case_id == case_id, Question.follow_up)).one()
        assert tx.scalars(select(Report.first_read_at).where(Report.case_id == case_id)).one() is not None
    answer = {"text": "One more CT."}
    refused = specialist.post(f"{reading}/follow-ups/{question}", data=answer | {"password": "not mine"})
    assert refused.status_code == 422
    assert "This is not your password." in refused.text
    assert "One more CT." in refused.text
    answer |= {"password": PASSWORD}
    _to(specialist.post(f"{reading}/follow-ups/{question}", data=answer), f"{reading}?done=follow-up-answered")
    answered = patient.get(f"{case}/report").text
    assert "One more CT." in answered
    # Who signed both, as what and where.
    assert answered.count("Consultant radiologist, FRCR") == answered.count("Hillside Imaging, Ghent") == 2
    assert answered.count("Licence for US-CA") == 2
    seen = patient.get(case).text
    assert "Some Coordinator, coordinator" in seen
    assert "Some Specialist, specialist" in seen


def test_the_hospital_sends_and_a_free_case_is_sent_at_once(world: World, browser: Browser) -> None:
    patient = browser(world, "patient")
    # Said before anything is typed: where patients may be, which is nowhere that is blocked or has no rule.
    said = patient.get("/start").text
    assert "We give opinions to people who are in California (USA) or Germany, and nowhere else yet." in said
    case = begin(patient, "free/report")
    asked = patient.get(f"{case}/patient").text
    assert 'value="US-CA"' in asked
    assert 'value="XX"' not in asked
    assert 'value="FR"' not in asked
    _to(patient.post(f"{case}/images", data={"images": "hospital"}), f"{case}/documents")
    shown = patient.get(f"{case}/consent").text
    assert 'name="charge"' not in shown
    _to(patient.post(f"{case}/consent", data=AGREED), case)
    assert "Being checked" in patient.get(case).text
    sheet = patient.get(f"{case}/sheet").text
    reference = re.search(r"OV-\w{4}-\w{4}", sheet)
    assert reference
    assert "OVERREAD" in sheet
    _to(patient.post(f"{case}/withdraw", data={"reason": ""}), f"{case}?done=withdrawn")
    assert "Withdrawn" in patient.get("/cases").text


def test_a_page_that_waits_never_says_more_than_the_provider(
    world: World, browser: Browser, services: Services
) -> None:
    case_id = world.draft()
    world.upload(case_id)
    patient = browser(world, "patient")
    case = f"/cases/{case_id}"
    _to(patient.get(f"{case}/payment"), f"{case}/consent")  # nothing to wait for
    page = _to(patient.post(f"{case}/consent", data=AGREED), "http://127.0.0.1")
    waiting = patient.get(f"{case}/payment").text
    assert f'<meta http-equiv="refresh" content="4;url={case}/payment">' in waiting
    assert world.sandbox
    world.sandbox.pay(page)
    # The provider is silent: it waits on, and nothing is sent.
    for _ in range(3):  # the first try and both retries
        world.sandbox.fault("/v1/checkout/sessions/.*", method="GET", status=500)
    assert "waiting for your bank" in patient.get(f"{case}/payment").text
    assert world.state(case_id) == "draft"
    assert "Your case is with us" in patient.get(f"{case}/payment").text
    assert world.state(case_id) == "submitted"


def test_a_refund_stays_within_the_coordinators_limit(world: World, browser: Browser) -> None:
    case_id = world.published("msk")
    coordinator = browser(world, "coordinator")
    queue = f"/queue/{case_id}"
    action = re.search(rf'action="({queue}/refund\?request=[0-9a-f-]+)"', coordinator.get(queue).text)
    assert action
    too_much = coordinator.post(action[1], data={"amount": "200", "reason": "Late"})
    assert too_much.status_code == 403
    assert "up to 50 %" in too_much.text
    for _ in range(2):
        _to(coordinator.post(action[1], data={"amount": "80", "reason": "Late"}), f"{queue}?done=changed")
    assert "refunded in part" in coordinator.get(queue).text
    assert world.sandbox
    assert [r["amount"] for r in world.sandbox.listed("refunds")][-1:] == [8000]


def test_a_story_is_kept_while_it_is_refused(world: World, browser: Browser) -> None:
    patient = browser(world, "patient")
    case = begin(patient)
    for step, bad, said in (
        ("question", {"subjects": ["nothing"], "symptoms": "</textarea><script>x</script>"}, "The subject is one of"),
        ("patient", {"birth_date": "soon", "address": "</textarea><script>x</script>"}, "as year, month and day"),
        ("patient", {"birth_date": "", "address": "</textarea><script>x</script>"}, "Please give the date of birth."),
        ("patient", {"place": "US-ND", "address": "</textarea><script>x</script>"}, "North Dakota"),
    ):
        url = f"{case}/{step}"
        answer = patient.post(url, data=fields(patient.get(url).text, url) | bad)
        assert answer.status_code == 422
        assert said in unescape(answer.text)
        assert "&lt;/textarea&gt;&lt;script&gt;" in answer.text
        # What could be kept is kept, and is there when they come back.
        assert "&lt;/textarea&gt;&lt;script&gt;" in patient.get(url).text
    assert "Is the spot new?" in patient.get(f"{case}/question").text


def test_the_inbox_is_matched_by_hand(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    stray = world.upload(None, who=world.hospital)
    world.settle(stray)
    with world.db.transaction() as tx:
        reference = tx.execute(text("SELECT reference FROM cases_case")).scalar_one()
        [item] = inboxes.listed(tx, world.coordinator)
    coordinator = browser(world, "coordinator")
    inbox = coordinator.get("/inbox").text
    assert f"/inbox/{item.id}/match" in inbox
    assert f"/senders/{world.hospital.id}/dicomweb/studies/{stray}/thumbnail" in inbox
    assert "Same name and birth date" in inbox
    wrong = coordinator.post(f"/inbox/{item.id}/match", data={"case": "OV-2222-2222"})
    assert wrong.status_code == 422
    assert "no case with this reference number" in wrong.text
    typed = reference.lower().replace("-", " ")
    _to(coordinator.post(f"/inbox/{item.id}/match", data={"case": typed}), f"/queue/{case_id}?done=matched")
    assert str(item.id) not in coordinator.get("/inbox").text


def test_a_strangers_study_is_decided_side_by_side(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    other = world.upload(case_id, dicom=study(name="DOE^JOHN", born="19500101"))
    world.settle(other)
    coordinator = browser(world, "coordinator")
    page = coordinator.get(f"/queue/{case_id}").text
    assert "JOHN DOE" in page
    assert "1950-01-01" in page
    url = f"/queue/{case_id}/studies/{other}"
    assert coordinator.post(f"{url}/confirm", data={"reason": ""}).status_code == 422
    assert coordinator.post(f"{url}/release").status_code == 409
    _to(coordinator.post(f"{url}/revoke", data={"reason": "Another patient"}), f"/queue/{case_id}?done=revoked")
    page = coordinator.get(f"/queue/{case_id}").text
    assert page.count("→ Taken out") == 1, "the trail tells the step"
    assert page.count("Taken out") == 2, "and the study its state"


def test_one_button_releases_what_is_ready(world: World, browser: Browser) -> None:
    case_id = world.submitted("free")
    first = world.first(case_id)
    coordinator, url = browser(world, "coordinator"), f"/queue/{case_id}"
    # One study has a button of its own.
    assert "that are ready" not in coordinator.get(url).text
    second, other = world.upload(case_id), world.upload(case_id, dicom=study(name="DOE^JOHN", born="19500101"))
    for uid in (second, other):
        world.settle(uid)
    page = coordinator.get(url).text
    assert "Release all 2 that are ready" in page
    named = re.search(r'name="studies" value="([0-9. ]+)"', page)
    assert named
    assert set(named[1].split()) == {first, second}
    _to(coordinator.post(f"{url}/release", data={"studies": named[1]}), f"{url}?done=released-all")
    page = coordinator.get(f"{url}?done=released-all").text
    assert "The studies were released to the specialist." in page
    assert "that are ready" not in page
    assert coordinator.post(f"{url}/release", data={"studies": ""}).status_code == 422
    assert coordinator.post(f"{url}/release", data={"studies": other}).status_code == 409
    assert coordinator.post(f"/api/v1/cases/{case_id}/releases", json={"studies": [first, second]}).status_code == 204
    assert coordinator.post(f"/api/v1/cases/{case_id}/releases", json={"studies": []}).status_code == 400


def test_the_admin_makes_people_peers_and_prices(world: World, browser: Browser) -> None:
    admin = browser(world, "admin")
    made = admin.post("/people", data={"name": "Dr. New", "email": "new@example.org", "role": "specialist"})
    assert made.status_code == 200
    password = re.search(r"data-copy-value>([^<]+)<", made.text)
    assert password
    newcomer = browser()
    _to(newcomer.post("/sign-in", data={"email": "new@example.org", "password": password[1]}), "/offers")
    with world.db.transaction() as tx:
        person = principals.by_email(tx, "new@example.org")
    assert person is not None
    _to(admin.post(f"/people/{person.id}/lock"), "/people?done=changed")
    assert newcomer.get("/offers").status_code == 303
    assert admin.post(f"/people/{world.admin.id}/lock").status_code == 409

    peer = {"ae_title": "CITY_PACS", "host": "127.0.0.1", "port": "104", "role": "hospital"}
    assert admin.post("/peers", data=peer | {"port": "70000"}).status_code == 422
    _to(admin.post("/peers", data=peer), "/peers?done=saved")
    assert "CITY_PACS" in admin.get("/peers").text
    reader = {"ae_title": "READER", "host": "127.0.0.1", "port": "104", "role": "specialist"}
    owner = {"owner": str(world.specialist.id)}
    assert admin.post("/peers", data=reader | {"owner": str(world.patient.id)}).status_code == 422
    assert admin.post("/peers", data=reader | owner | {"role": "hospital"}).status_code == 422
    _to(admin.post("/peers", data=reader | owner), "/peers?done=saved")
    assert "specialist: Some Specialist" in admin.get("/peers").text
    assert admin.post("/peers", data=reader | {"owner": str(world.other_specialist.id)}).status_code == 409
    with world.db.transaction() as tx:
        acts_for = peers.identify(tx, "READER", "127.0.0.1")
    assert acts_for is not None
    assert acts_for.id == world.specialist.id

    price = {"kind": "written", "label": "Written report", "amount": "420.50", "fee": "200", "currency": "USD"}
    for wrong in ({"amount": "-1"}, {"amount": "1e3"}, {"amount": "4.999"}, {"fee": "900"}, {"currency": "XXX"}):
        assert admin.post("/prices", data=price | wrong).status_code == 422, wrong
    _to(admin.post("/prices", data=price), "/prices?done=added")
    assert "$420.50" in browser().get("/").text


def test_licences_and_rules_are_recorded_by_those_who_may(world: World, browser: Browser) -> None:
    admin, specialist = browser(world, "admin"), browser(world, "specialist")
    rule = {"place": "FR", "rule": "licensed", "source": "a decree", "valid_from": ""}
    assert admin.post("/licences/rules", data=rule | {"source": ""}).status_code == 422
    _to(admin.post("/licences/rules", data=rule), "/licences?done=saved")
    assert "a decree" in admin.get("/licences").text
    assert specialist.post("/licences/rules", data=rule).status_code == 403
    assert "a decree" not in specialist.get("/licences").text
    licence = {"licence_place": "FR", "number": "123", "expires_on": "2020-01-01"}
    other = licence | {"specialist": str(world.other_specialist.id)}
    assert specialist.post("/licences", data=other).status_code == 403
    _to(specialist.post("/licences", data=licence | {"specialist": str(world.specialist.id)}), "/licences?done=saved")
    shown = specialist.get("/licences").text
    assert "Expired" in shown
    assert "Some Other_Specialist" not in shown


def test_the_audit_log_is_filtered_and_exported_safely(world: World, browser: Browser) -> None:
    with world.db.transaction() as tx:
        principals.get(tx, world.coordinator.id).name = "=HYPERLINK(1)"
    case_id = world.submitted("free")
    browser(world, "coordinator").get(f"/queue/{case_id}")
    auditor = browser(world, "auditor")
    found = auditor.get("/audit", params={"what": "case.", "person": "HYPERLINK"}).text
    assert "case.read" in found
    assert "case.submit" not in found
    assert "No entry fits" in auditor.get("/audit", params={"object": "1.2.3"}).text
    lines = auditor.get("/audit.csv", params={"object": str(case_id)}).text.splitlines()
    assert "'=HYPERLINK(1)" in lines[1]
    assert ",=HYPERLINK" not in "\n".join(lines)
    assert auditor.get("/audit", params={"since": "x", "before": "y", "object": "\x00"}).status_code == 200


def world_study(world: World, case_id: UUID) -> str:
    """The UID of the only study that was uploaded to a case."""
    with world.db.transaction() as tx:
        query = text("SELECT study_uid FROM pacs_study s JOIN pacs_upload u ON u.study_pk = s.pk WHERE u.case_id = :c")
        return str(tx.execute(query, {"c": case_id}).scalar_one())


def _to(answer: Any, *parts: str) -> str:
    """Where an answer redirects to, which must begin and end so."""
    assert answer.status_code == 303, (answer.status_code, re.findall(r'class="alert.*?</div>', answer.text, re.S))
    location = str(answer.headers["location"])
    assert location.startswith(parts[0]), location
    assert location.endswith(parts[-1]) or len(parts) == 1, location
    return location


def _stow(client: TestClient, path: str, dicom: bytes) -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + dicom + b"\r\n--b--\r\n"
    headers = {
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
        "Accept": "application/dicom+json",
    }
    answer = client.post(path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert client.cookies[http.SESSION_COOKIE]
