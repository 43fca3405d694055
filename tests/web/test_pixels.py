"""The pages on which pending pictures are looked at, blanked and decided, and those of profiles; without scripts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from cases.service import pixels, profiles
from tests.cases.test_pixels import PDF, document, pending, pictures, video, with_clean
from tests.cases.world import World
from tests.web.filled import fields

Browser = Callable[..., TestClient]
BOX = {"left": "10", "top": "5", "width": "40", "height": "12"}


def address(case_id: UUID, uid: str, sop_uid: str = "") -> str:
    return f"/queue/{case_id}/studies/{uid}/pixels" + (f"/{sop_uid}" if sop_uid else "")


def digest_in(shown: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', shown)
    assert found
    return found[1]


def state(world: World, case_id: UUID, uid: str, sop_uid: str) -> tuple[str, int]:
    with world.db.transaction() as tx:
        found = pixels.check(tx, world.coordinator, case_id, uid).pictures
    return next((p.state, len(p.boxes)) for p in found if p.sop_uid == sop_uid)


def asked_first(client: TestClient, url: str, form: Mapping[str, object]) -> Any:
    """Approve what has open suggestions: it is asked how many, and nothing is decided before the answer."""
    asked = client.post(url, data=form)
    assert asked.status_code == 409
    count = re.search(r"<h1>(\d+) suggested box(?:es are| is) not blanked</h1>", asked.text)
    assert count
    assert f"{count[1]} suggested box" in re.sub(r"<h1>.*?</h1>", "", asked.text)
    again = fields(asked.text, url)
    assert again.pop("despite") == ["yes"]
    assert again == {name: value if isinstance(value, list) else [value] for name, value in form.items()}
    # The question alone has decided nothing: it is asked again.
    assert client.post(url, data=again).status_code == 409
    return client.post(url, data=again | {"despite": ["yes"]})


def test_a_picture_is_blanked_and_approved_by_plain_forms(world: World, browser: Browser) -> None:
    case_id, uid, (first, second) = pending(world, *pictures(2))
    client = browser(world, "coordinator")
    assert f'href="{address(case_id, uid)}"' in client.get(f"/queue/{case_id}").text
    assert client.get(address(case_id, uid)).headers["location"] == address(case_id, uid, first)
    page = address(case_id, uid, first)
    shown = client.get(page)
    assert shown.status_code == 200
    assert "Why somebody has to look" in shown.text
    assert "Also in 1 other picture of this series" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    png = client.get(page + "/maximum")
    assert (png.headers["content-type"], png.headers["cache-control"]) == ("image/png", "no-store")
    assert Image.open(io.BytesIO(png.content)).size == (96, 96)

    # Boxes that are not blanked yet can't be approved.
    early = client.post(page + "/decide", data={**BOX, "decision": "approve", "digest": digest_in(shown.text)})
    assert early.status_code == 409
    assert "not blanked yet" in early.text
    assert 'value="40"' in early.text
    ticked = {"suggested": "0 0 4 4", "decision": "approve", "digest": digest_in(shown.text)}
    assert client.post(page + "/decide", data=ticked).status_code == 409

    done = client.post(page + "/mask", data={**BOX, "suggested": "60 60 20 20", "series": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, page + "?done=masked")
    assert [state(world, case_id, uid, one) for one in (first, second)] == [("pending_review", 2)] * 2
    after = np.asarray(Image.open(io.BytesIO(client.get(page + "/maximum").content)))
    assert not after[5:17, 10:50].any()
    assert after[20:50].all()

    shown = client.get(page)
    rows = {side: re.findall(rf'name="{side}" value="(\d+)"', shown.text) for side in BOX}
    assert rows == {"left": ["10", "60"], "top": ["5", "60"], "width": ["40", "20"], "height": ["12", "20"]}
    form = {**rows, "decision": "approve", "digest": digest_in(shown.text)}
    approved = asked_first(client, page + "/decide", form)
    assert approved.headers["location"] == address(case_id, uid, second) + "?done=decided"
    withheld = client.post(address(case_id, uid, second) + "/decide", data={"decision": "withhold"})
    assert withheld.headers["location"] == f"/queue/{case_id}?done=decided"
    assert state(world, case_id, uid, first)[0] == "approved"
    assert state(world, case_id, uid, second)[0] == "withheld"
    assert client.post(f"/queue/{case_id}/studies/{uid}/release").headers["location"].endswith("done=released")
    assert "This study is released" in client.get(page).text


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("mask", {**BOX, "left": "x"}, "four whole numbers"),
        ("mask", {**BOX, "height": ""}, "four whole numbers"),
        ("mask", {**BOX, "left": "-3"}, "four whole numbers"),
        ("mask", {"suggested": "1 2 3"}, "four whole numbers"),
        ("mask", {**BOX, "left": "9999"}, "96 × 96 pixels"),
        ("mask", {**BOX, "width": "0"}, "outside of the picture"),
        ("mask", {side: ["1"] * 65 for side in BOX}, "64 masks"),
        ("decide", {}, "choose what to do"),
        ("decide", {"decision": "perhaps"}, "choose what to do"),
        ("decide", {"decision": "approve", "digest": "0" * 64}, "changed this picture meanwhile"),
        ("document", {"document": "release"}, "no document"),
        ("document", {}, "released or replaced"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(
    world: World, browser: Browser, path: str, data: dict[str, object], said: str
) -> None:
    case_id, uid, (sop_uid,) = pending(world, *pictures())
    answer = browser(world, "coordinator").post(f"{address(case_id, uid, sop_uid)}/{path}", data=data)
    assert answer.status_code in (409, 422)
    assert said in answer.text
    assert "your attention" in answer.text
    assert state(world, case_id, uid, sop_uid) == ("pending_review", 0)


def test_a_document_is_replaced_by_an_uploaded_one(world: World, browser: Browser) -> None:
    case_id, uid, (sop_uid,) = pending(world, document())
    client, page = browser(world, "coordinator"), address(case_id, uid, sop_uid)
    shown = client.get(page).text
    assert "left out of the copy" in shown
    assert ">Approve<" not in shown
    original = re.search(r'href="(/dicomweb/[^"]+)"', shown)
    assert original
    assert client.get(original[1], headers={"Accept": "text/html,*/*;q=0.8"}).content.startswith(
        b"%PDF-1.7 of Maria Oyelaran"
    )

    def upload(name: str, data: bytes) -> int:
        return client.post(
            page + "/document", data={"document": "redact"}, files={"redacted": (name, data, "application/pdf")}
        ).status_code

    assert upload("a.pdf", b"") == 422
    assert upload("a.pdf", b"GIF89a") == 422
    assert state(world, case_id, uid, sop_uid)[0] == "pending_review"
    assert upload('a;"b\\.pdf', PDF) == 303
    shown = client.get(page).text
    assert "redacted document that was uploaded" in shown
    approved = client.post(page + "/decide", data={"decision": "approve", "digest": digest_in(shown)})
    assert approved.headers["location"].startswith(f"/queue/{case_id}?")
    assert state(world, case_id, uid, sop_uid)[0] == "approved"


def test_broken_uploads_are_refused_and_the_next_request_is_served(world: World, browser: Browser) -> None:
    case_id, uid, (sop_uid,) = pending(world, document())
    client, page = browser(world, "coordinator"), address(case_id, uid, sop_uid) + "/document"
    for kind, body, status in (
        ("multipart/form-data; boundary=x", b"--x\r\nno colon\r\n\r\n\r\n--x--", 400),
        ("multipart/form-data; boundary=x", b"nothing of it", 400),
        ("multipart/form-data", b"--x--", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--',
            400,
        ),
        ("application/json", b"{}", 415),
    ):
        assert client.post(page, content=body, headers={"Content-Type": kind}).status_code == status, body
    huge = b"--x\r\n\r\n" + bytes((65 << 20) + 100_000)
    answer = client.post(page, content=huge, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413
    assert "64 megabytes" in answer.text
    # Other forms take no files.
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post(page.replace("/document", "/decide"), content=b"--x--", headers=form).status_code == 415
    assert client.get(page.removesuffix("/document")).status_code == 200


def test_an_admin_chooses_a_programs_options(world: World, browser: Browser) -> None:
    client = browser(world, "admin")
    listed = client.get("/profiles")
    assert listed.text.count(">Default<") == 2
    (url,) = re.findall(r'href="(/profiles/[0-9a-f-]+)">Change<span class="visually-hidden"> Free reading', listed.text)
    shown = client.get(url).text
    assert "Only new cases follow a change" in shown
    assert "Retain UIDs" in shown
    chosen = re.findall(r'name="(\w+)" value="yes" checked', shown)
    assert set(chosen) == {
        "patient_characteristics",
        "safe_private",
        "clean_descriptors",
        "clean_structured_content",
        "clean_graphics",
    }
    wrong = client.post(url, data={"dates": "never", "age_cap": "120", "device_identity": "yes"})
    assert wrong.status_code == 422
    assert "what becomes of dates" in wrong.text
    assert "18 to 89" in wrong.text
    assert re.search(r'name="device_identity" value="yes" checked', wrong.text)
    saved = client.post(url, data={"dates": "none", "age_cap": "80", "device_identity": "yes"})
    assert saved.headers["location"] == url + "?done=profile"
    with world.db.transaction() as tx:
        _, profile = profiles.read(tx, world.admin, UUID(url.rsplit("/", 1)[1]))
    assert (profile.keeps_dates, profile.age_cap, profile.device_identity) == (False, 80, True)
    assert not profile.patient_characteristics
    assert "Adapted" in client.get("/profiles").text
    for key in ("coordinator", "specialist", "patient"):
        assert browser(world, key).post(url, data={"dates": "full", "age_cap": "80"}).status_code == 403


def test_what_is_approved_at_once_is_what_the_page_showed(world: World, browser: Browser) -> None:
    case_id, uid, (first, second) = pending(world, *pictures(2))
    client, url = browser(world, "coordinator"), f"/queue/{case_id}/studies/{uid}/decide"
    shown = client.get(f"/queue/{case_id}").text
    both = re.search(rf'name="sop_instance_uid" value="({first} {second})"', shown)
    digests = re.search(r'name="digest" value="([0-9a-f]{64} [0-9a-f]{64})"', shown)
    assert both
    assert digests
    form = {"sop_instance_uid": both[1], "digest": digests[1], "decision": "approve"}
    # Another coordinator blanks something between the look and the decision.
    assert pixels.mask(world.archive, world.coordinator, case_id, uid, [second], [(1, 1, 5, 5)]) == {}
    refused = client.post(url, data=form)
    assert refused.status_code == 409
    assert "Somebody changed 1 of these pictures meanwhile" in refused.text
    for digest in ("", digests[1].split()[0], f"{digests[1]} extra"):
        assert client.post(url, data={**form, "digest": digest}).status_code == 409
    alone = {"sop_instance_uid": second, "digest": digests[1].split()[1], "decision": "approve"}
    assert client.post(url, data=alone).status_code == 409
    assert {state(world, case_id, uid, one)[0] for one in (first, second)} == {"pending_review"}
    now = re.search(r'name="digest" value="([0-9a-f]{64} [0-9a-f]{64})"', client.get(f"/queue/{case_id}").text)
    assert now
    assert asked_first(client, url, {**form, "digest": now[1]}).headers["location"].endswith("done=decided")
    assert {state(world, case_id, uid, one)[0] for one in (first, second)} == {"approved"}


def test_a_series_is_blanked_and_approved_as_a_whole_by_plain_forms(world: World, browser: Browser) -> None:
    case_id, uid, (first, *others) = pending(world, *with_clean(pictures(3)))
    client, study = browser(world, "coordinator"), f"/queue/{case_id}/studies/{uid}"
    assert f'href="{study}/series"' in client.get(f"/queue/{case_id}").text
    listed = client.get(f"{study}/series").text
    assert "3 objects of 96 × 96, 3 to review" in listed
    series_groups = re.findall(rf'<h2><a href="({study}/series/[\d.]+/\d+x\d+)">', listed)
    assert len(series_groups) == 2
    stack = next(s for s in series_groups if s.endswith("/96x96"))
    shown = client.get(stack).text
    assert "Blank these boxes in all 3" in shown
    assert "Approve all 3 that wait" in shown
    assert "1 to 3 of 3" in shown
    assert all(address(case_id, uid, one) in shown for one in (first, *others))
    assert client.get(f"{stack}/minimum").headers["content-type"] == "image/png"
    early = client.post(f"{stack}/decide", data={**BOX, "decision": "approve", "digest": digest_in(shown)})
    assert early.status_code == 409
    assert client.post(f"{stack}/mask", data=BOX).headers["location"] == f"{stack}?done=masked"
    assert {state(world, case_id, uid, one) for one in (first, *others)} == {("pending_review", 1)}
    stale = client.post(f"{stack}/decide", data={**BOX, "decision": "approve", "digest": digest_in(shown)})
    assert stale.status_code == 409
    assert "meanwhile" in stale.text
    now = digest_in(client.get(stack).text)
    done = asked_first(client, f"{stack}/decide", {**BOX, "decision": "approve", "digest": now})
    assert done.headers["location"] == f"{study}/series?done=decided"
    assert {state(world, case_id, uid, one)[0] for one in (first, *others)} == {"approved"}
    # One of them can be other than the rest.
    assert client.post(address(case_id, uid, first) + "/mask", data={**BOX, "left": "50"}).status_code == 303
    assert "different boxes" in client.get(stack).text
    for wrong in ("96x97", "0x96", "96", "999999x1", "96x96/nothing"):
        assert client.get(f"{stack.rsplit('/', 1)[0]}/{wrong}").status_code == 404
    assert client.get(f"{stack}?page=99999").status_code == 200
    assert client.post(f"{stack}/decide", data={}).status_code == 422


def test_a_clean_picture_can_be_looked_at_and_withheld(world: World, browser: Browser) -> None:
    case_id, uid, pending_ones = pending(world, *with_clean(pictures(1)))
    client, study = browser(world, "coordinator"), f"/queue/{case_id}/studies/{uid}"
    (clean,) = set(re.findall(rf'"{study}/pixels/([\d.]+)"', client.get(f"{study}/series").text)) - set(pending_ones)
    shown = client.get(address(case_id, uid, clean)).text
    assert ">Clean<" in shown
    assert ">Approve<" not in shown
    gone = client.post(address(case_id, uid, clean) + "/decide", data={"decision": "withhold"})
    assert gone.headers["location"] == address(case_id, uid, pending_ones[0]) + "?done=decided"
    assert state(world, case_id, uid, clean)[0] == "withheld"


def test_a_video_is_played_and_approved_or_withheld_as_a_whole(world: World, browser: Browser) -> None:
    case_id, uid, (sop_uid,) = pending(world, video())
    client, page = browser(world, "coordinator"), address(case_id, uid, sop_uid)
    shown = client.get(page).text
    source = re.search(r'<video [^>]*src="([^"]+)"', shown)
    assert source
    assert "can’t be blanked in parts" in shown
    assert "Boxes to blank" not in shown
    played = client.get(source[1], headers={"Accept": "*/*"})
    assert played.status_code == 200
    assert b"ftypmp42" in played.content
    assert client.post(page + "/mask", data=BOX).status_code == 422
    assert state(world, case_id, uid, sop_uid) == ("pending_review", 0)
    (stack,) = set(
        re.findall(
            rf'"(/queue/{case_id}/studies/{uid}/series/[^"]+)"',
            client.get(f"/queue/{case_id}/studies/{uid}/series").text,
        )
    )
    together = client.get(stack).text
    assert "look at them one by one" in together
    assert "Approve all" not in together
    approved = client.post(page + "/decide", data={"decision": "approve", "digest": digest_in(shown)})
    assert approved.headers["location"].endswith("done=decided")
    assert state(world, case_id, uid, sop_uid)[0] == "approved"
