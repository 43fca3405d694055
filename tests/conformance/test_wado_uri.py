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
from tests.conformance import rendered_objects as objects
from tests.conformance.conftest import As
from tests.conformance.rendered_objects import state, window
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
        [look] = tx.scalars(select(AuditRow).where(AuditRow.action == "instances.read"))
    assert (look.object_id, look.instances) == (ct.StudyInstanceUID, 2)


def test_8_7_4_several_frames_are_the_object_by_default_and_a_picture_by_number(client: TestClient) -> None:
    many = store(client, sample("rtdose.dcm"))
    assert ask(client, many).headers["content-type"] == "application/dicom"
    assert ask(client, many, frameNumber="3").headers["content-type"] == "image/jpeg"
    assert ask(client, many, frameNumber="999").status_code == 404


def test_8_7_4_what_has_no_pixels_is_an_object(client: TestClient) -> None:
    plan = store(client, sample("rtplan.dcm"))
    assert ask(client, plan).headers["content-type"] == "application/dicom"
    refused = ask(client, plan, {"Accept": "image/*"}, contentType="image/jpeg")
    assert refused.status_code == 406
    assert "application/dicom" in refused.json()["detail"]


def test_9_1_2_the_parameter_goes_before_the_header(client: TestClient, ct: pydicom.Dataset) -> None:
    png = {"Accept": "image/png"}
    assert ask(client, ct, png).headers["content-type"] == "image/png"
    assert ask(client, ct, png, contentType="image/gif").headers["content-type"] == "image/gif"
    assert ask(client, ct, contentType="image/tiff, image/png;q=0.5").headers["content-type"] == "image/png"
    # 8.7.8.1: what the parameter does not get the header may, a browser's <img> for one.
    browser = {"Accept": "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"}
    assert ask(client, ct, browser, contentType="image/tiff").headers["content-type"] == "image/jpeg"
    assert ask(client, ct, browser).headers["content-type"] == "image/jpeg"
    for accept in ("image/avif,image/webp", "image/tiff"):
        assert ask(client, ct, {"Accept": accept}, contentType="image/tiff").status_code == 406
    jxl = ask(client, ct, contentType="image/jxl;q=0.9, image/png;q=0.2, image/jpeg;q=0")
    assert jxl.headers["content-type"] == "image/jxl"


def test_9_5_1_2_the_pixels_are_those_of_the_rendered_resource(client: TestClient, ct: pydicom.Dataset) -> None:
    ours = image(ask(client, ct, contentType="image/png", windowCenter="40", windowWidth="400"))
    theirs = image(client.get(path(ct) + "/rendered?window=40,400,linear", headers={"Accept": "image/png"}))
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    ours = image(ask(client, ct, contentType="image/png", windowCenter="40", windowWidth="0.5"))
    theirs = image(client.get(path(ct) + "/rendered?window=40,0.5,linear-exact", headers={"Accept": "image/png"}))
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


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "*"])
def test_9_4_1_2_3_transfer_syntax(client: TestClient, ct: pydicom.Dataset, syntax: str) -> None:
    response = ask(client, ct, contentType="application/dicom", transferSyntax=syntax)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom")
    found = pydicom.dcmread(io.BytesIO(response.content))
    assert found.file_meta.TransferSyntaxUID == (syntax if syntax != "*" else ct.file_meta.TransferSyntaxUID)
    assert np.array_equal(found.pixel_array, ct.pixel_array)
    tag = response.headers["etag"]
    again = ask(client, ct, {"If-None-Match": tag}, contentType="application/dicom", transferSyntax=syntax)
    assert again.headers["etag"] == tag


def test_9_4_1_2_3_what_can_not_be_made_is_refused_with_what_there_is(client: TestClient, ct: pydicom.Dataset) -> None:
    other = ask(client, ct, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.110")
    assert other.status_code == 406
    assert "1.2.840.10008.1.2.1, 1.2.840.10008.1.2.1.98, " in other.json()["detail"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("MR_small_implicit.dcm", "1.2.840.10008.1.2.1"),
        ("MR_small_bigendian.dcm", "1.2.840.10008.1.2.1"),
        ("MR_small_jp2klossless.dcm", "1.2.840.10008.1.2.1"),
        ("JPEG-lossy.dcm", "1.2.840.10008.1.2.4.51"),
    ],
)
def test_8_7_3_without_a_transfer_syntax_it_is_the_default(client: TestClient, name: str, given: str) -> None:
    ds = store(client, sample(name))
    response = ask(client, ds, contentType="application/dicom")
    assert pydicom.dcmread(io.BytesIO(response.content)).file_meta.TransferSyntaxUID == given


def test_9_1_2_2_2_charset(client: TestClient, ct: pydicom.Dataset) -> None:
    for charset in ("utf-8", "UTF-8, iso-8859-1;q=0.5", '"ISO_IR 192"'):
        assert ask(client, ct, charset=charset).status_code == 200
    refused = ask(client, ct, charset="iso-8859-1")
    assert refused.status_code == 400
    assert "UTF-8" in refused.json()["detail"]


def test_9_5_1_2_1_frame_number(client: TestClient) -> None:
    many = store(client, sample("rtdose.dcm"))
    first, shown = (np.asarray(image(ask(client, many, contentType="image/png", frameNumber=n))) for n in ("1", "8"))
    assert not np.array_equal(first, shown)
    rendered = client.get(f"{path(many)}/frames/8/rendered", headers={"Accept": "image/png"})
    assert np.array_equal(shown, np.asarray(image(rendered)))


@pytest.mark.parametrize("name", ["annotation", "imageAnnotation"])
def test_9_5_1_2_2_annotation(client: TestClient, ct: pydicom.Dataset, name: str) -> None:
    png: dict[str, Any] = {"contentType": "image/png"}
    wanted: dict[str, Any] = {name: "patient,technique"}
    drawn = image(ask(client, ct, **png, **wanted))
    rendered = client.get(path(ct) + "/rendered?annotation=patient,technique", headers={"Accept": "image/png"})
    assert np.array_equal(np.asarray(drawn), np.asarray(image(rendered)))
    assert not np.array_equal(np.asarray(drawn), np.asarray(image(ask(client, ct, **png))))
    assert ask(client, ct, **{**png, name: "everything"}).status_code == 400


def test_9_5_1_2_3_image_quality(client: TestClient, ct: pydicom.Dataset) -> None:
    sizes = [len(ask(client, ct, imageQuality=quality).content) for quality in ("5", "50", "100")]
    assert sizes[0] < sizes[1] < sizes[2]


def test_9_5_1_2_7_presentation_state(client: TestClient) -> None:
    picture = objects.image(objects.ramp())
    gsps = state(picture, SoftcopyVOILUTSequence=window(1000, 200))
    objects.store(client, picture, gsps)
    other = store(client)
    named: dict[str, Any] = {"presentationUID": gsps.SOPInstanceUID, "presentationSeriesUID": gsps.SeriesInstanceUID}
    png: dict[str, Any] = {"contentType": "image/png"}
    shown = image(ask(client, picture, **png, **named))
    rendered = client.get(objects.path(gsps) + "/rendered", headers={"Accept": "image/png"})
    assert np.array_equal(np.asarray(shown), np.asarray(image(rendered)))
    assert not np.array_equal(np.asarray(shown), np.asarray(image(ask(client, picture, **png))))
    assert image(ask(client, picture, **png, **named, rows="16")).size == (16, 16)
    for more, status in (
        ({"windowCenter": "1", "windowWidth": "2"}, 400),
        ({"region": "0,0,0.5,0.5"}, 400),
        ({"presentationSeriesUID": None}, 400),
        ({"presentationUID": None}, 400),
        ({"presentationUID": generate_uid()}, 404),
        ({"presentationUID": picture.SOPInstanceUID, "presentationSeriesUID": picture.SeriesInstanceUID}, 400),
        ({"contentType": "application/dicom"}, 400),
    ):
        assert ask(client, picture, **{**png, **named, **more}).status_code == status, more
    # A state of another study is none of this image's.
    assert ask(client, other, **named).status_code == 404


def test_8_7_4_a_report_is_text_by_default(client: TestClient) -> None:
    report = store(client, sample("reportsi.dcm"))
    page = ask(client, report, {"Accept": "*/*"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox" in page.headers["content-security-policy"]
    assert ask(client, report, contentType="text/plain").headers["content-type"] == "text/plain; charset=utf-8"
    assert ask(client, report, contentType="application/dicom").headers["content-type"] == "application/dicom"
    assert ask(client, report, contentType="text/html", rows="5").status_code == 400


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


def test_who_may_not_see_it_learns_nothing(client: TestClient, ct: pydicom.Dataset, as_: As) -> None:
    assert ask(client, ct, {"Authorization": ""}).status_code == 401
    assert ask(client, ct, as_(Role.SPECIALIST)).status_code == 403
    assert ask(client, ct, as_(Role.PATIENT)).status_code == 404
    assert ask(client, ct, objectUID=generate_uid()).status_code == 404
    assert ask(client, ct, studyUID=generate_uid()).status_code == 404
