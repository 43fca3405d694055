"""Every file of the corpus that is stored, rendered over HTTP: a picture, a text, or an error with a sentence."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.conformance.rendered_objects import shown
from tests.dicomweb import conftest as web

bearer, client = web.bearer, web.client

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore::UserWarning:PIL")

#: Below this size an object may be anything; above it the corpus holds only attacks.
_LARGEST = 64 << 20


def test_every_stored_object_is_rendered_or_refused_with_a_sentence(client: TestClient, corpus: Path) -> None:
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["bytes"]) < _LARGEST]
    answers: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for row in rows:
        data = (corpus / row["path"]).read_bytes()
        headers = {"Content-Type": "application/dicom", "Accept": "application/dicom+json"}
        stored = client.post("studies", content=data, headers=headers)
        references = stored.json().get("00081199", {}).get("Value", []) if stored.status_code in (200, 202) else []
        for reference in references:
            where = reference["00081190"]["Value"][0].removeprefix("http://test/dicomweb/")
            response = client.get(f"{where}/rendered")
            assert response.status_code in (200, 400, 404, 406, 422), (row["path"], response.text)
            kind = response.headers["content-type"].split(";")[0]
            if response.status_code != 200:
                refusals[response.json()["detail"]] += 1
                assert row["decode"] != "ok", (row["path"], response.text)
                continue
            answers[kind] += 1
            if kind == "image/jpeg":
                picture = shown(response)
                assert picture.format == "JPEG"
                if row["decode"] == "ok":
                    # Pixels that are not square are stretched, at most eightfold.
                    ratio = picture.width * int(row["rows"]) / (picture.height * int(row["cols"]))
                    assert 1 / 9 < ratio < 9, row["path"]
            thumbnail = client.get(f"{where}/thumbnail")
            assert max(shown(thumbnail).size) <= 256, row["path"]
    print(dict(answers), *(f"{count} {why}" for why, count in refusals.most_common()), sep="\n")
    assert answers["image/jpeg"] > 300
