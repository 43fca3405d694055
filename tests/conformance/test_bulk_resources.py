"""Bulk Data and Pixel Data Resources of studies, series and instances: PS3.18 10.4.1.1.5, 10.4.1.1.6, 10.4.3.3."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from overread.kit.principals import Role
from pacs.store.archive import Archive
from pacs.store.ingest import Source
from tests.conformance.conftest import As
from tests.conformance.samples import path, sample, store
from tests.conformance.test_retrieve_10_4_corpus import source, stored, uris
from tests.pacs import corpus

__all__ = ["source"]

JSON = {"Accept": "application/dicom+json"}
OCTETS = 'multipart/related; type="application/octet-stream"'
JLS, EXPLICIT = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1"


def parts(response: Any) -> list[tuple[str, str, bytes]]:
    """Content-Location, Content-Type and body of each part."""
    assert response.status_code == 200, response.text
    boundary = response.headers["content-type"].split("boundary=")[1].encode()
    found = []
    for piece in response.content.split(b"--" + boundary)[1:-1]:
        head, body = piece.split(b"\r\n\r\n", 1)
        headers = dict(re.findall(r"([\w-]+): (.*)", head.decode().replace("\r", "")))
        found.append((headers["Content-Location"], headers["Content-Type"], body[:-2]))
    return found


def told(client: TestClient, resource: str) -> Iterator[str]:
    """The BulkDataURIs of the resource's metadata."""
    for one in client.get(f"{resource}/metadata", headers=JSON).json():
        yield from (uri for _, uri in uris(one))


def rich() -> bytes:
    """An image with bulk data beside its pixels, within a sequence too."""
    ds = pydicom.dcmread(io.BytesIO(sample()))
    ds.remove_private_tags()
    ds.add_new(0x00420012, "LO", "application/pdf")
    ds.EncapsulatedDocument = b"%PDF-1.4" + bytes(2000)
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = 64
    icon.BitsAllocated = 8
    icon.PixelData = bytes(range(256)) * 16
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = [icon]
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_10_4_1_1_5_every_bulk_data_of_the_level_at_its_address(client: TestClient, level: str) -> None:
    first = store(client, rich(), InstanceNumber="1")
    store(client, rich(), InstanceNumber="2")
    store(client, rich(), InstanceNumber="1", SeriesInstanceUID=str(generate_uid()))
    resource = path(first, level)
    answer = client.get(f"{resource}/bulkdata", headers={"Accept": OCTETS})
    found = parts(answer)
    assert [location for location, _, _ in found] == list(told(client, resource))
    assert len(found) == {"study": 9, "series": 6, "instance": 3}[level]
    assert answer.headers["content-type"].startswith('multipart/related; type="application/octet-stream"; boundary=')
    for location, kind, value in found:
        assert client.get(location, headers={"Accept": kind}).content == value


def test_10_4_3_3_5_the_values_are_those_of_the_object(client: TestClient) -> None:
    ds = store(client, rich())
    found = {location.partition("/bulkdata/")[2]: value for location, _, value in parts(_get(client, ds, "bulkdata"))}
    assert found == {
        "7FE00010": ds.PixelData,
        "00420011": ds.EncapsulatedDocument,
        "00880200/0/7FE00010": ds.IconImageSequence[0].PixelData,
    }


def _get(client: TestClient, ds: pydicom.Dataset, what: str, accept: str = OCTETS) -> Any:
    return client.get(f"{path(ds)}/{what}", headers={"Accept": accept})


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_10_4_1_1_6_the_pixel_data_alone_and_no_icons(client: TestClient, level: str) -> None:
    first = store(client, rich())
    second = store(client, rich())
    one = {keyword: str(first.get(keyword, "")) for keyword in ("StudyInstanceUID", "PatientID", "PatientBirthDate")}
    store(client, sample("rtplan.dcm"), **one)
    found = parts(client.get(f"{path(first, level)}/pixeldata", headers={"Accept": OCTETS}))
    known = [first] if level == "instance" else sorted((first, second), key=lambda ds: ds.InstanceNumber)
    assert {location for location, _, _ in found} == {
        f"http://test/dicomweb/{path(ds)}/bulkdata/7FE00010" for ds in known
    }
    assert {kind for _, kind, _ in found} == {f"application/octet-stream; transfer-syntax={EXPLICIT}"}


def test_10_4_3_3_6_single_bits_are_pixel_data_too(client: TestClient) -> None:
    ds = store(client, sample("liver_1frame.dcm"))
    [(location, _, value)] = parts(_get(client, ds, "pixeldata"))
    assert (location.endswith("/bulkdata/7FE00010"), value) == (True, ds.PixelData)


@pytest.mark.parametrize(("tag", "vr", "bits"), [(0x7FE00008, "OF", 32), (0x7FE00009, "OD", 64)])
def test_10_4_3_3_6_floats_are_pixel_data_too(client: TestClient, tag: int, vr: str, bits: int) -> None:
    ds = pydicom.dcmread(io.BytesIO(sample()))
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.BitsAllocated = bits
    samples = np.random.default_rng(1).normal(size=(128, 128)).astype(f"<f{bits // 8}").tobytes()
    ds.add_new(tag, vr, samples)
    out = io.BytesIO()
    ds.save_as(out)
    [(location, kind, value)] = parts(_get(client, store(client, out.getvalue()), "pixeldata"))
    assert (location.rpartition("/")[2], value) == (f"{tag:08X}", samples)
    assert kind == f"application/octet-stream; transfer-syntax={EXPLICIT}"


def test_8_7_3_3_compressed_frames_are_a_part_each_and_uncompressed_ones_one_value(client: TestClient) -> None:
    ds = store(client, sample("SC_rgb_rle_2frame.dcm"))
    uri = f"http://test/dicomweb/{path(ds)}/bulkdata/7FE00010"
    whole = parts(_get(client, ds, "pixeldata"))
    assert whole == [(uri, f"application/octet-stream; transfer-syntax={EXPLICIT}", ds.pixel_array.tobytes())]
    as_stored = parts(_get(client, ds, "pixeldata", f"{OCTETS}; transfer-syntax=*"))
    assert [location for location, _, _ in as_stored] == [uri, uri]
    frames = parts(_get(client, ds, "frames/1,2", f"{OCTETS}; transfer-syntax=*"))
    assert [value for _, _, value in as_stored] == [value for _, _, value in frames]
    # The same at the attribute's own address.
    assert parts(client.get(uri, headers={"Accept": OCTETS})) == whole
    assert client.get(uri, headers={"Accept": "application/octet-stream"}).content == whole[0][2]
    packed = parts(client.get(uri, headers={"Accept": f'multipart/related; type="image/jls"; transfer-syntax={JLS}'}))
    for (location, _, value), shown in zip(packed, ds.pixel_array, strict=True):
        assert location == uri
        np.testing.assert_array_equal(imagecodecs.jpegls_decode(value), shown)


def test_8_7_8_1_each_part_has_the_type_that_it_can_have(client: TestClient) -> None:
    """What can't be had in any of the types is not part of the answer."""
    ds = store(client, rich())
    both = parts(_get(client, ds, "bulkdata", f'multipart/related; type="image/jls", {OCTETS};q=0.5'))
    assert [kind.partition(";")[0] for _, kind, _ in both] == [
        "application/octet-stream", "application/octet-stream", "image/jls",
    ]  # fmt: skip
    [(location, kind, value)] = parts(_get(client, ds, "bulkdata", 'multipart/related; type="image/jls"'))
    assert (location.endswith("/7FE00010"), kind) == (True, f"image/jls; transfer-syntax={JLS}")
    np.testing.assert_array_equal(imagecodecs.jpegls_decode(value).view("<i2"), ds.pixel_array)
    [(location, kind, value)] = parts(_get(client, ds, "bulkdata", 'multipart/related; type="application/pdf"'))
    assert (location.endswith("/00420011"), kind) == (True, "application/pdf")


@pytest.mark.parametrize(
    ("tail", "accept", "status"),
    [
        ("bulkdata", 'multipart/related; type="image/png"', 406),
        ("bulkdata", "application/octet-stream", 406),
        ("pixeldata", "image/jls", 406),
        ("pixeldata", f"{OCTETS};q=0", 406),
        ("pixeldata", f"{OCTETS}; transfer-syntax=1.2.3", 406),
        ("bulkdata?charset=latin1", OCTETS, 400),
        ("bulkdata/", OCTETS, 404),
        ("pixeldata/7FE00010", OCTETS, 404),
    ],
)
def test_what_is_asked_for_wrongly_is_told_why(client: TestClient, tail: str, accept: str, status: int) -> None:
    ds = store(client, rich())
    refused = _get(client, ds, tail, accept)
    assert refused.status_code == status
    assert refused.json()["detail"].endswith(".")
    assert len(parts(_get(client, ds, "bulkdata"))) == 3


def test_10_4_3_1_what_has_none_is_404(client: TestClient) -> None:
    plan = store(client, sample("rtplan.dcm"))
    for tail in ("bulkdata", "pixeldata"):
        assert _get(client, plan, tail).status_code == 404
        missing = client.get(f"studies/{generate_uid()}/{tail}", headers={"Accept": OCTETS})
        assert missing.status_code == 404


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_10_4_4_instances_asked_for_as_bytes_are_their_bulk_data(client: TestClient, level: str) -> None:
    ds = store(client, rich())
    as_bytes = client.get(path(ds, level), headers={"Accept": OCTETS})
    assert parts(as_bytes) == parts(client.get(f"{path(ds, level)}/bulkdata", headers={"Accept": OCTETS}))


def test_a_validator_spares_the_second_answer(client: TestClient) -> None:
    ds = store(client, rich())
    place, accept = f"{path(ds, 'study')}/bulkdata", {"Accept": OCTETS}
    tag = client.get(place, headers=accept).headers["etag"]
    assert client.get(place, headers={**accept, "If-None-Match": tag}).status_code == 304
    other = client.get(place, headers={"Accept": f"{OCTETS}; transfer-syntax=*", "If-None-Match": tag})
    assert other.status_code == 200
    head = client.head(place, headers=accept)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    store(client, rich())
    assert client.get(place, headers={**accept, "If-None-Match": tag}).status_code == 200


def test_who_may_not_see_it_learns_nothing(client: TestClient, as_: As) -> None:
    ds = store(client, rich())
    for level in ("study", "series", "instance"):
        for tail in ("bulkdata", "pixeldata"):
            place = f"{path(ds, level)}/{tail}"
            for who, status in (({"Authorization": ""}, 401), (as_(Role.SPECIALIST), 403), (as_(Role.PATIENT), 404)):
                assert client.get(place, headers={"Accept": OCTETS, **who}).status_code == status


def test_a_part_of_a_study_shows_the_part_that_its_sender_may_see(client: TestClient, as_: As) -> None:
    hospital = as_(Role.HOSPITAL)
    mine = pydicom.dcmread(io.BytesIO(rich()))
    mine.SOPInstanceUID = mine.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    out = io.BytesIO()
    mine.save_as(out)
    sent = client.post("studies", content=out.getvalue(), headers={"Content-Type": "application/dicom", **hospital})
    assert sent.status_code == 200
    store(client, rich())
    found = parts(client.get(f"{path(mine, 'study')}/bulkdata", headers={"Accept": OCTETS, **hospital}))
    assert len(found) == 3
    assert all(mine.SOPInstanceUID in location for location, _, _ in found)


@pytest.mark.parametrize("part", corpus.sources())
def test_10_4_1_1_5_of_every_file_each_value_is_the_one_at_its_address(
    client: TestClient, archive: Archive, source: Source, part: str
) -> None:
    checked = 0
    for name, data in corpus.files(part):
        keys = stored(archive, source, data)
        if keys is None:
            continue
        place = f"studies/{keys.study_uid}/series/{keys.series_uid}/instances/{keys.sop_uid}"
        expected = list(told(client, place))
        answer = client.get(f"{place}/bulkdata", headers={"Accept": f"{OCTETS}; transfer-syntax=*"})
        if not expected:
            assert answer.status_code == 404, name
            continue
        checked += 1
        if answer.status_code == 422:
            continue  # its fragments can't be told apart; `test_every_file_comes_back_as_it_was` reads what can
        values: dict[str, list[bytes]] = defaultdict(list)
        for location, _, value in parts(answer):
            values[location].append(value)
        assert list(values) == expected, name
        for location, found in values.items():
            alone = client.get(location, headers={"Accept": f"{OCTETS}; transfer-syntax=*"})
            assert [value for _, _, value in parts(alone)] == found, (name, location)
    if not checked:
        pytest.skip(f"{part} has no file with bulk data that is read and small enough")
