"""Rendered resources of images: PS3.18 10.4.1.1.3, 10.4.1.1.4, 8.3.5, 8.7.4."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from pacs.pixels import icc, render
from tests.conformance.rendered_objects import image, levels, parts, path, ramp, shown, store
from tests.dicomweb import conftest as web

bearer, client = web.bearer, web.client

PNG, JXL = {"Accept": "image/png"}, {"Accept": "image/jxl"}
TYPES = [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF"), ("image/jp2", "JPEG2000")]


@pytest.fixture
def ct(client: TestClient) -> str:
    """A grey ramp without a window."""
    return store(client, image(ramp()))


def test_8_7_4_jpeg_is_the_default(client: TestClient, ct: str) -> None:
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "image/*"}):
        response = client.get(f"{ct}/rendered", headers=accept)
        assert response.headers["content-type"] == "image/jpeg"
        assert shown(response).format == "JPEG"


@pytest.mark.parametrize(("media_type", "written"), TYPES)
@pytest.mark.parametrize("how", ["header", "query"])
def test_8_7_4_every_image_type_of_the_table(
    client: TestClient, ct: str, media_type: str, written: str, how: str
) -> None:
    if how == "header":
        response = client.get(f"{ct}/rendered", headers={"Accept": media_type})
    else:
        response = client.get(f"{ct}/rendered", params={"accept": media_type})
    assert response.headers["content-type"] == media_type
    assert (shown(response).format, shown(response).size) == (written, (64, 64))


@pytest.mark.parametrize("quality", [None, "1", "29", "30", "99", "100"])
def test_8_7_4_jpeg_xl_shows_what_png_shows(client: TestClient, ct: str, quality: str | None) -> None:
    response = client.get(f"{ct}/rendered", params={"quality": quality} if quality else {}, headers=JXL)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jxl")
    found = imagecodecs.jpegxl_decode(response.content, index=0)
    expected = levels(client.get(f"{ct}/rendered", headers=PNG))
    assert found.dtype == np.uint8
    assert float(np.abs(found - expected).mean()) <= (8 if quality in ("1", "29", "30") else 1)
    if quality == "100":
        np.testing.assert_array_equal(found, expected)


def test_8_3_5_1_5_jpeg_xl_has_one_colour_space(client: TestClient, ct: str) -> None:
    assert client.get(f"{ct}/rendered?iccprofile=srgb", headers=JXL).headers["content-type"] == "image/jxl"
    refused = client.get(f"{ct}/rendered?iccprofile=adobergb", headers=JXL)
    assert refused.status_code == 400
    assert "sRGB" in refused.json()["detail"]


def test_8_7_4_several_frames_as_jpeg_xl_are_a_part_each(client: TestClient) -> None:
    where = store(client, image(np.stack([ramp(), ramp()[::-1]])))
    answer = client.get(f"{where}/frames/2,1/rendered", headers={"Accept": 'multipart/related; type="image/jxl"'})
    assert [kind for kind, _ in parts(answer)] == ["image/jxl"] * 2
    first, second = (imagecodecs.jpegxl_decode(body, index=0).astype(int) for _, body in parts(answer))
    assert float(np.abs(first - second[::-1]).mean()) <= 2


def test_8_7_4_another_type_is_406_and_says_what_there_is(client: TestClient, ct: str) -> None:
    response = client.get(f"{ct}/rendered", headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert "image/jpeg" in response.json()["detail"]


def test_8_7_4_rendered_images_have_8_bits(client: TestClient, ct: str) -> None:
    assert shown(client.get(f"{ct}/rendered", headers=PNG)).mode in ("L", "RGB")


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [
        ("1000,200,linear-exact", 900.0, 1100.0),
        ("1000.5,201,linear", 900.0, 1100.0),
        ("1e3,2E2,linear-exact", 900.0, 1100.0),
        ("1000,200,LINEAR_EXACT", 900.0, 1100.0),
    ],
)
def test_8_3_5_1_4_window(client: TestClient, ct: str, window: str, low: float, high: float) -> None:
    found = levels(client.get(f"{ct}/rendered", params={"window": window}, headers=PNG))
    expected = np.clip((ramp() - low) / (high - low), 0, 1) * 255
    assert float(np.abs(found - expected).max()) <= 1


def test_8_3_5_1_4_sigmoid(client: TestClient, ct: str) -> None:
    found = levels(client.get(f"{ct}/rendered", params={"window": "2000,800,sigmoid"}, headers=PNG))
    expected = 255 / (1 + np.exp(-4 * (ramp() - 2000.0) / 800))
    assert float(np.abs(found - expected).max()) <= 1


@pytest.mark.parametrize(
    "window",
    ["", "1000", "1000,200", "1000,0,linear", "1000,-5,linear", "1000,0.5,linear", "1000,0,sigmoid", "a,b,linear",
     "1000,200,cubic", "1000,200,linear,4", "nan,200,linear", "1000,inf,linear", "1e999,5,linear"],
)  # fmt: skip
def test_8_3_5_1_4_an_ill_defined_window_is_400(client: TestClient, ct: str, window: str) -> None:
    response = client.get(f"{ct}/rendered", params={"window": window})
    assert response.status_code == 400
    assert "window" in response.json()["detail"]


def test_8_3_5_1_2_quality(client: TestClient) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    where = store(client, image(noise))
    sizes = [len(client.get(f"{where}/rendered", params={"quality": quality}).content) for quality in (1, 50, 100)]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("quality", ["0", "101", "-1", "1.5", "", "high", "٣"])
def test_8_3_5_1_2_an_ill_defined_quality_is_400(client: TestClient, ct: str, quality: str) -> None:
    assert client.get(f"{ct}/rendered", params={"quality": quality}).status_code == 400


def test_8_3_5_1_3_viewport(client: TestClient, ct: str) -> None:
    window = {"window": "2048,4096,linear-exact"}
    plain = levels(client.get(f"{ct}/rendered", params=window, headers=PNG))

    def at(viewport: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return levels(client.get(f"{ct}/rendered", params={**window, "viewport": viewport}, headers=PNG))

    assert at("32,32").shape == (32, 32)
    assert at("128,32").shape == (32, 32)  # the aspect stays
    assert at("128,128").shape == (128, 128)
    np.testing.assert_array_equal(at("32,32,16,8,32,32"), plain[8:40, 16:48])
    np.testing.assert_array_equal(at("64,64,,,,"), plain)
    np.testing.assert_array_equal(at("32,32,32,32"), plain[32:, 32:])


def test_8_3_5_1_3_negative_sizes_turn_the_picture_over(client: TestClient) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    pixels[0, 0] = 255
    where = store(client, image(pixels))
    for region, expected in (
        ("0,0,-8,8", pixels[:, ::-1]),
        ("0,0,8,-8", pixels[::-1]),
        ("0,0,-8,-8", pixels[::-1, ::-1]),
        ("2,0,-4,8", pixels[:, 2:6][:, ::-1]),
    ):
        width = 4 if region.startswith("2") else 8
        response = client.get(f"{where}/rendered", params={"viewport": f"{width},8,{region}"}, headers=PNG)
        np.testing.assert_array_equal(levels(response), expected, err_msg=region)


@pytest.mark.parametrize(
    "viewport",
    ["", "64", "0,64", "64,0", "-64,64", "64.5,64", "16385,10", "99999999999,1", "64,64,x,0,1,1", "64,64,0,0,0,10",
     "64,64,0,0,10,0", "64,64,64,0,10,10", "64,64,0,999,1,1", "64,64,0,0,1,1,1", "64,64,nan,0,1,1", "64,64,1e99,0,1,1"],
)  # fmt: skip
def test_8_3_5_1_3_an_ill_defined_viewport_is_400(client: TestClient, ct: str, viewport: str) -> None:
    response = client.get(f"{ct}/rendered", params={"viewport": viewport})
    assert response.status_code == 400
    assert "viewport" in response.json()["detail"].lower()


def test_8_3_5_1_1_annotations_are_burned_in_and_come_from_the_header(client: TestClient) -> None:
    pixels = np.zeros((256, 256), np.uint8)
    one, other = image(pixels), image(pixels, PatientName="Other^Name")
    bare = image(pixels, PatientName="", PatientID="", PatientBirthDate="", PatientSex="")
    store(client, one, other, bare)

    def at(ds: object, annotation: str | None) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        params = {"annotation": annotation} if annotation else {}
        return levels(client.get(f"{path(ds)}/rendered", params=params, headers=PNG))  # type: ignore[arg-type]

    assert at(one, None).max() == 0  # when the parameter is not present, no annotations shall be applied
    patient, technique, both = at(one, "patient"), at(one, "technique"), at(one, "patient,technique")
    assert patient[:128].max() > 200
    assert patient[128:].max() == 0
    assert technique[:128].max() == 0
    assert technique[128:].max() > 200
    np.testing.assert_array_equal(both, np.maximum(patient, technique))
    assert (at(other, "patient") != patient).any()
    assert at(bare, "patient").max() == 0


@pytest.mark.parametrize("annotation", ["", "name", "patient,", "patient,secret", "Patient"])
def test_8_3_5_1_1_an_unknown_annotation_is_400(client: TestClient, ct: str, annotation: str) -> None:
    assert client.get(f"{ct}/rendered", params={"annotation": annotation}).status_code == 400


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_8_3_5_1_5_iccprofile(client: TestClient, media_type: str) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[...] = (200, 60, 30)
    where = store(client, image(pixels))

    def at(choice: str | None) -> Image.Image:
        params = {"quality": "100"} | ({"iccprofile": choice} if choice else {})
        return shown(client.get(f"{where}/rendered", params=params, headers={"Accept": media_type}))

    for choice in (None, "no"):
        assert "icc_profile" not in at(choice).info
    for choice in ("yes", "srgb"):
        assert at(choice).info["icc_profile"] == icc.standard("srgb")
        assert int(np.abs(np.asarray(at(choice)).astype(int) - pixels).max()) <= 3
    for choice, red in (("adobergb", range(130, 190)), ("rommrgb", range(130, 190)), ("displayp3", range(185, 190))):
        picture = at(choice)
        assert picture.info["icc_profile"] == icc.standard(choice)
        # The larger space needs less of its reddest red for the same colour.
        assert int(np.asarray(picture)[8, 8, 0]) in red


def test_8_3_5_1_5_the_images_own_profile_is_used(client: TestClient) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[...] = (150, 60, 30)
    own = icc.standard("adobergb")
    where = store(client, image(pixels, ICCProfile=own))
    kept = shown(client.get(f"{where}/rendered", params={"iccprofile": "yes"}, headers=PNG))
    assert kept.info["icc_profile"] == own
    np.testing.assert_array_equal(np.asarray(kept), pixels)
    converted = shown(client.get(f"{where}/rendered", params={"iccprofile": "srgb"}, headers=PNG))
    assert int(np.asarray(converted)[8, 8, 0]) > 165


def test_8_3_5_1_5_a_broken_profile_counts_as_none(client: TestClient) -> None:
    broken = bytearray(icc.standard("adobergb"))
    broken[130:] = bytes(len(broken) - 130)
    where = store(client, image(np.full((8, 8, 3), 100, np.uint8), ICCProfile=bytes(broken)))
    assert shown(client.get(f"{where}/rendered", params={"iccprofile": "srgb"}, headers=PNG)).size == (8, 8)


@pytest.mark.parametrize("choice", ["", "sRGB", "cmyk", "no,yes"])
def test_8_3_5_1_5_an_unknown_profile_is_400(client: TestClient, ct: str, choice: str) -> None:
    assert client.get(f"{ct}/rendered", params={"iccprofile": choice}).status_code == 400


def test_8_3_1_unknown_parameters_are_ignored(client: TestClient, ct: str) -> None:
    plain = client.get(f"{ct}/rendered").content
    assert client.get(f"{ct}/rendered", params={"colour": "mauve"}).content == plain


@pytest.fixture
def movie(client: TestClient) -> str:
    """Four frames, each of one grey."""
    greys = np.array([40, 90, 140, 190], np.uint8)
    pixels = np.broadcast_to(greys[:, None, None], (4, 12, 16)).copy()
    pixels[:, 0, 0] = 255
    return store(client, image(pixels, "1.2.840.10008.5.1.4.1.1.3.1", "US", FrameTime="40"))


def test_10_4_frames_by_number(client: TestClient, movie: str) -> None:
    for number, grey in enumerate((40, 90, 140, 190), 1):
        assert levels(client.get(f"{movie}/frames/{number}/rendered", headers=PNG))[6, 8] == grey


def test_10_4_several_frames_are_parts_in_the_order_asked_for(client: TestClient, movie: str) -> None:
    accept = {"Accept": 'multipart/related; type="image/png"'}
    found = parts(client.get(f"{movie}/frames/4,1,1/rendered", headers=accept))
    assert [kind for kind, _ in found] == ["image/png"] * 3
    assert [np.asarray(Image.open(io.BytesIO(body)))[6, 8] for _, body in found] == [190, 40, 40]
    assert client.get(f"{movie}/frames/1,2/rendered").headers["content-type"].startswith("multipart/related")
    assert client.get(f"{movie}/frames/1,2/rendered", headers={"Accept": "image/jpeg"}).status_code == 406


def test_8_7_4_a_multi_frame_image_is_an_animation(client: TestClient, movie: str) -> None:
    whole = shown(client.get(f"{movie}/rendered", headers={"Accept": "image/gif"}))
    assert getattr(whole, "n_frames", 1) == 4
    assert whole.info["duration"] == 40
    found = []
    for index in range(4):
        whole.seek(index)
        found.append(int(np.asarray(whole.convert("L"))[6, 8]))
    assert found == [40, 90, 140, 190]
    some = shown(client.get(f"{movie}/frames/1,3/rendered", headers={"Accept": "image/gif"}))
    assert getattr(some, "n_frames", 1) == 2
    one = shown(client.get(f"{movie}/frames/2/rendered", headers={"Accept": "image/gif"}))
    assert getattr(one, "n_frames", 1) == 1


def test_10_4_every_frame_of_an_instance_as_parts(client: TestClient, movie: str) -> None:
    found = parts(client.get(f"{movie}/rendered", headers={"Accept": 'multipart/related; type="image/jpeg"'}))
    assert len(found) == 4


@pytest.mark.parametrize("number", ["5", "4294967296", "4,5"])
def test_10_4_a_frame_behind_the_last_is_404(client: TestClient, movie: str, number: str) -> None:
    for resource in ("rendered", "thumbnail"):
        headers = {"Accept": '*/*, multipart/related; type="image/jpeg"'}
        if resource == "thumbnail" and "," in number:
            continue
        response = client.get(f"{movie}/frames/{number}/{resource}", headers=headers)
        assert response.status_code in (400, 404)
        assert "rame" in response.json()["detail"]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1,,2"])
def test_10_4_what_is_no_frame_number_is_400(client: TestClient, movie: str, number: str) -> None:
    assert client.get(f"{movie}/frames/{number}/rendered").status_code == 400


def test_10_4_studies_and_series(client: TestClient) -> None:
    study, series = generate_uid(), generate_uid()
    slices = [
        image(np.full((8, 8), 50 * n, np.uint8), StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n)
        for n in (1, 2, 3)
    ]
    report = image(np.zeros((8, 8), np.uint8), StudyInstanceUID=study, SeriesInstanceUID=generate_uid(), SeriesNumber=9)
    store(client, *slices, report)
    for where in (f"studies/{study}", f"studies/{study}/series/{series}"):
        assert shown(client.get(f"{where}/rendered")).size == (8, 8)
        found = parts(client.get(f"{where}/rendered", headers={"Accept": 'multipart/related; type="image/png"'}))
        assert len(found) == (4 if "/series/" not in where else 3)


def test_10_4_1_1_4_thumbnails_at_every_level(client: TestClient) -> None:
    large = image(np.zeros((600, 300), np.uint8))
    where = store(client, large)
    study = where.split("/series/")[0]
    series = where.split("/instances/")[0]
    for resource in (study, series, where, f"{where}/frames/1"):
        picture = shown(client.get(f"{resource}/thumbnail"))
        assert (picture.format, picture.size) == ("JPEG", (128, 256))
        assert shown(client.get(f"{resource}/thumbnail", params={"viewport": "60,60"}, headers=PNG)).size == (30, 60)


@pytest.mark.parametrize("viewport", ["0,10", "64,64,0,0,10,10", "a,b", "64"])
def test_8_3_5_2_a_thumbnails_viewport_is_a_size_alone(client: TestClient, ct: str, viewport: str) -> None:
    assert client.get(f"{ct}/thumbnail", params={"viewport": viewport}).status_code == 400


def test_rendered_pictures_are_made_once(client: TestClient, ct: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = render.render

    def counted(*arguments: Any) -> bytes:
        made.append(1)
        return original(*arguments)

    monkeypatch.setattr(render, "render", counted)
    first = client.get(f"{ct}/rendered", params={"quality": "77"}).content
    assert client.get(f"{ct}/rendered", params={"quality": "77"}).content == first
    assert len(made) == 1
