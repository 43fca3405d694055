"""One planted study goes through a whole case, and every surface that a specialist has is swept for its strings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from overread.kit import log, tokens
from tests.cases.planting import granted, leaks, planted
from tests.cases.world import DICOM_BORN, World

Browser = Callable[..., TestClient]


def uris(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get("BulkDataURI"), str):
            yield found["BulkDataURI"]
        for value in found.values():
            yield from uris(value)
    elif isinstance(found, list):
        for value in found:
            yield from uris(value)


def test_no_surface_shows_anything_that_was_planted(
    world: World, browser: Browser, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger().handlers[:]
    log.configure("DEBUG")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the test's own client, which names what it searches for
    logging.getLogger().addHandler(caplog.handler)
    try:
        swept = _sweep(world, browser)
    finally:
        logging.getLogger().handlers[:] = before
    needles, names = planted()[1:]
    written = capfd.readouterr()
    swept["log"] = (caplog.text + written.err + written.out).encode()
    for number, mail in enumerate(world.mails()):
        swept[f"mail {number}"] = mail.encode()
    assert len(swept) > 25
    assert leaks(swept, needles, names) == {}


def _sweep(world: World, browser: Browser) -> dict[str, bytes]:
    """What a specialist is given: addresses without UIDs -> head and body."""
    case_id = granted(world)
    with world.db.transaction() as tx:
        bearer = {"Authorization": f"Bearer {tokens.issue(tx, world.specialist.id)}"}
    client = browser()
    root = f"/cases/{case_id}/dicomweb"
    swept: dict[str, bytes] = {}

    def get(name: str, path: str, accept: str = "*/*", status: int = 200) -> Any:
        answer = client.get(path, headers={**bearer, "Accept": accept})
        assert answer.status_code == status, (name, answer.status_code, answer.text[:300])
        swept[name] = str(answer.headers).encode() + answer.content
        return answer

    dicom_json = "application/dicom+json"
    (study,) = get("QIDO studies", f"{root}/studies?includefield=all", dicom_json).json()
    (series,) = get("QIDO series", f"{root}/series?includefield=all", dicom_json).json()
    (instance,) = get("QIDO instances", f"{root}/instances?includefield=all", dicom_json).json()
    at_study = f"{root}/studies/{study['0020000D']['Value'][0]}"
    at_series = f"{at_study}/series/{series['0020000E']['Value'][0]}"
    at_instance = f"{at_series}/instances/{instance['00080018']['Value'][0]}"
    for name, path in (("study", at_study), ("series", at_series), ("instance", at_instance)):
        metadata = get(f"metadata of the {name}", f"{path}/metadata", dicom_json).json()
        get(f"{name} as DICOM", path, 'multipart/related; type="application/dicom"')
        get(f"{name} rendered", f"{path}/rendered")
        get(f"{name}'s thumbnail", f"{path}/thumbnail", "image/jpeg")
    for number, uri in enumerate(uris(metadata)):
        get(f"bulk data {number}", uri, "application/octet-stream")
    get("frame", f"{at_instance}/frames/1", "application/octet-stream")
    get("frame rendered", f"{at_instance}/frames/1/rendered", "image/png")
    for number, query in enumerate(("PatientName=ANGSTROM*", f"PatientBirthDate={DICOM_BORN}", "PatientID=Zq*")):
        answer = client.get(f"{root}/studies?{query}", headers={**bearer, "Accept": dicom_json})
        assert answer.status_code == 204 or answer.json() == []
        swept[f"search {number}"] = answer.content
    get("no such frame", f"{at_instance}/frames/99", status=404)
    get("no such bulk data", f"{at_instance}/bulkdata/00104000", status=404)
    get("a bad frame list", f"{at_instance}/frames/x", status=400)
    get("an impossible media type", f"{at_instance}/frames/1", "text/csv", status=406)
    get("originals", "/dicomweb/studies", status=403)
    get("a study that is not there", f"{root}/studies/1.2.3/metadata", status=404)
    get("case API", f"/api/v1/cases/{case_id}", "application/json")
    get("audit of the case", "/api/v1/cases", "application/json")
    return swept
