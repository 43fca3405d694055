"""WADO-URI: PS3.18 9."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import generate_uid
from sqlalchemy import select
from starlette.testclient import TestClient

from overread.kit.audit import AuditRow
from overread.kit.principals import Role
from overread.services import Services
from tests.conformance.conftest import As
from tests.conformance.samples import path, sample, store


@pytest.fixture
def ct(client: TestClient) -> pydicom.Dataset:
    return store(client)


def ask(client: TestClient, ds: pydicom.Dataset, headers: dict[str, str] | None = None, **more: Any) -> Any:
    query = {
        "requestType": "WADO",
        "studyUID": ds.StudyInstanceUID,
        "seriesUID": ds.SeriesInstanceUID,
        "objectUID": ds.SOPInstanceUID,
        **more,
    }
    return client.get("wado", params={k: v for k, v in query.items() if v is not None}, headers=headers or {})


@pytest.mark.parametrize("root", ["http://test/dicomweb", "http://test/dicomweb/"])
def test_9_1_the_root_itself_is_an_address_too(client: TestClient, ct: pydicom.Dataset, root: str) -> None:
    query = {"requestType": "WADO", "studyUID": ct.StudyInstanceUID, "seriesUID": ct.SeriesInstanceUID}
    query |= {"objectUID": ct.SOPInstanceUID, "contentType": "application/dicom"}
    response = client.get(root, params=query, follow_redirects=False)
    assert response.status_code == 200, response.text
    assert response.content == ask(client, ct, contentType="application/dicom").content
    assert client.get(root).status_code == 400
    assert client.get(root, params=query, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert "GET" in client.options(root, follow_redirects=False).headers["allow"]
    assert client.post(root, follow_redirects=False).status_code == 405


def image(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content))


def test_9_5_a_single_frame_is_a_jpeg_by_default(client: TestClient, ct: pydicom.Dataset) -> None:
    response = ask(client, ct)
    assert response.headers["content-type"] == "image/jpeg"
    assert image(response).size == (128, 128)


def test_9_4_the_object_itself(client: TestClient, ct: pydicom.Dataset, portal: Services) -> None:
    response = ask(client, ct, contentType="application/dicom")
    assert response.headers["content-type"] == "application/dicom"
    assert response.content == client.get(path(ct), headers={"Accept": "application/dicom"}).content
    assert response.headers["content-length"] == str(len(response.content))
    with portal.db.transaction() as tx:
        rows = tx.scalars(select(AuditRow.object_id).where(AuditRow.action == "instances.read")).all()
    assert rows == [ct.StudyInstanceUID] * 2


def test_8_7_4_several_frames_are_the_object_by_default_and_a_picture_by_number(client: TestClient) -> None:
    many = store(client, sample("rtdose.dcm"))
    assert ask(client, many).headers["content-type"] == "application/dicom"
    assert ask(client, many, frameNumber="3").headers["content-type"] == "image/jpeg"
    assert ask(client, many, frameNumber="999").status_code == 404


def test_8_7_4_what_has_no_pixels_is_an_object(client: TestClient) -> None:
    plan = store(client, sample("rtplan.dcm"))
    assert ask(client, plan).headers["content-type"] == "application/dicom"
    refused = ask(client, plan, contentType="image/jpeg")
    assert refused.status_code == 406
    assert "application/dicom" in refused.json()["detail"]


def test_9_1_2_the_parameter_goes_before_the_header(client: TestClient, ct: pydicom.Dataset) -> None:
    png = {"Accept": "image/png"}
    assert ask(client, ct, png).headers["content-type"] == "image/png"
    assert ask(client, ct, png, contentType="image/gif").headers["content-type"] == "image/gif"
    assert ask(client, ct, contentType="image/tiff, image/png;q=0.5").headers["content-type"] == "image/png"
    assert ask(client, ct, contentType="image/tiff").status_code == 406
    # A browser's <img> accepts what we can't make, and gets what we can.
    assert ask(client, ct, {"Accept": "image/avif,image/webp"}).headers["content-type"] == "image/jpeg"


def test_9_5_1_2_the_pixels_are_those_of_the_rendered_resource(client: TestClient, ct: pydicom.Dataset) -> None:
    ours = image(ask(client, ct, contentType="image/png", windowCenter="40", windowWidth="400"))
    theirs = image(client.get(path(ct) + "/rendered?window=40,400,linear", headers={"Accept": "image/png"}))
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    other = image(ask(client, ct, contentType="image/png", windowCenter="1000", windowWidth="50"))
    assert not np.array_equal(np.asarray(ours), np.asarray(other))


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"rows": "64"}, (64, 64)),
        ({"columns": "32"}, (32, 32)),
        ({"rows": "64", "columns": "32"}, (32, 32)),
        ({"region": "0.0,0.0,0.5,1.0"}, (64, 128)),
        ({"region": "0.25,0.25,0.75,0.75", "rows": "256", "columns": "256"}, (256, 256)),
    ],
)
def test_9_5_1_2_size_and_region(
    client: TestClient, ct: pydicom.Dataset, query: dict[str, Any], size: tuple[int, int]
) -> None:
    assert image(ask(client, ct, **query)).size == size


def test_9_5_1_2_a_region_is_that_part_of_the_whole(client: TestClient, ct: pydicom.Dataset) -> None:
    whole = np.asarray(image(ask(client, ct, contentType="image/png")))
    part = np.asarray(image(ask(client, ct, contentType="image/png", region="0.5,0.25,1.0,0.5")))
    assert np.array_equal(part, whole[32:64, 64:128])


def test_9_4_1_2_transfer_syntax(client: TestClient, ct: pydicom.Dataset) -> None:
    own: dict[str, Any] = {"contentType": "application/dicom", "transferSyntax": "1.2.840.10008.1.2.1"}
    assert ask(client, ct, **own).status_code == 200
    other = ask(client, ct, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.70")
    assert other.status_code == 406
    assert "1.2.840.10008.1.2.1" in other.json()["detail"]


def test_9_4_1_2_originals_are_not_anonymised_on_request(client: TestClient, ct: pydicom.Dataset) -> None:
    response = ask(client, ct, contentType="application/dicom", anonymize="yes")
    assert response.status_code == 406
    assert "case" in response.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"requestType": None},
        {"requestType": "wado"},
        {"studyUID": None},
        {"seriesUID": "1.2.x"},
        {"objectUID": "../../etc/passwd"},
        {"frameNumber": "0"},
        {"frameNumber": "1,2"},
        {"frameNumber": "x"},
        {"rows": "0"},
        {"columns": "99999999"},
        {"region": "0,0,1"},
        {"region": "0.5,0.5,0.4,0.6"},
        {"region": "0,0,2,2"},
        {"windowCenter": "40"},
        {"windowCenter": "40", "windowWidth": "0"},
        {"windowCenter": "nan", "windowWidth": "inf"},
        {"imageQuality": "101"},
        {"anonymize": "yes"},
        {"contentType": "application/dicom", "anonymize": "no"},
        {"contentType": "application/dicom", "frameNumber": "1"},
        {"contentType": "application/dicom", "transferSyntax": "implicit"},
        {"contentType": "not a type"},
        {"studyUID": ["1.2.3", "1.2.3"]},
    ],
)
def test_9_a_bad_request_is_told_why(client: TestClient, ct: pydicom.Dataset, query: dict[str, Any]) -> None:
    response = ask(client, ct, **query)
    assert response.status_code == 400, response.text
    assert len(response.json()["detail"]) > 15
    assert ask(client, ct).status_code == 200


def test_9_presentation_states_are_not_ignored(client: TestClient, ct: pydicom.Dataset) -> None:
    assert ask(client, ct, presentationUID=generate_uid()).status_code == 406
    assert "Annotations" in ask(client, ct, annotation="patient").headers["warning"]


def test_who_may_not_see_it_learns_nothing(client: TestClient, ct: pydicom.Dataset, as_: As) -> None:
    assert ask(client, ct, {"Authorization": ""}).status_code == 401
    assert ask(client, ct, as_(Role.SPECIALIST)).status_code == 403
    assert ask(client, ct, as_(Role.PATIENT)).status_code == 404
    assert ask(client, ct, objectUID=generate_uid()).status_code == 404
    assert ask(client, ct, studyUID=generate_uid()).status_code == 404
