"""Media types and character sets of retrievals: PS3.18 8.3.3, 8.7.3, 8.7.5 to 8.7.8, 8.8, 10.4.4."""

from __future__ import annotations

import io

import pydicom
import pytest
from starlette.testclient import TestClient

from tests.conformance.samples import path, sample, store

EXPLICIT, JLS, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
OCTETS, DICOM = "application/octet-stream", "application/dicom"
JSON = "application/dicom+json"
MULTI = "multipart/related"
OF_DICOM, OF_OCTETS = f'{MULTI}; type="{DICOM}"', f'{MULTI}; type="{OCTETS}"'


@pytest.fixture
def ct(client: TestClient) -> pydicom.Dataset:
    return store(client)


def kind(client: TestClient, place: str, accept: str) -> tuple[int, str]:
    """The status, and the answer's media type; of a multipart one with the type of its parts."""
    answer = client.get(place, headers={"Accept": accept})
    said = answer.headers["content-type"]
    return answer.status_code, said.partition("; boundary")[0] if said.startswith(MULTI) else said.partition(";")[0]


#: What is asked for, of which resource, and what is given.
SELECTED = [
    # 10.4.4, Table 10.4.4-1: the default of each resource, for a client that takes anything.
    ("", "*/*", OF_DICOM),
    ("/metadata", "*/*", JSON),
    ("/frames/1", "*/*", OF_OCTETS),
    ("/bulkdata", "*/*", OF_OCTETS),
    ("/pixeldata", "*/*", OF_OCTETS),
    ("/bulkdata/7FE00010", "*/*", OCTETS),
    ("/rendered", "*/*", "image/jpeg"),
    ("/thumbnail", "*/*", "image/jpeg"),
    # 8.7.1: with quotes, without, in whatever case, spaced or not.
    ("", f"{MULTI}; type={DICOM}", OF_DICOM),
    ("", 'Multipart/Related;Type="Application/DICOM"', OF_DICOM),
    ("", f'{MULTI} ; type = "{DICOM}"', OF_DICOM),
    ("/frames/1", f"{MULTI};type={OCTETS};transfer-syntax={EXPLICIT}", OF_OCTETS),
    ("/frames/1", f'{MULTI}; transfer-syntax="{EXPLICIT}"; type="{OCTETS}"', OF_OCTETS),
    # 8.7.3.5.1: the client's own example, a boundary and wildcards among them.
    ("/frames/1", f'{MULTI}; type="image/*"; boundary=**;q=0.1, {MULTI}; type="{OCTETS}"', OF_OCTETS),
    # 8.7.7, RFC 9110 12.5.1: qualities, the more specific range, and what is excluded.
    ("", f'{DICOM};q=0.4, {MULTI}; type="{DICOM}";q=0.5', OF_DICOM),
    ("", f'{DICOM};q=0.5, {MULTI}; type="{DICOM}";q=0.4', DICOM),
    ("/metadata", "application/*;q=0.1, application/json;q=0.9", "application/json"),
    ("/metadata", f"{JSON};q=0, */*", "application/json"),
    ("/rendered", "image/jpeg;q=0, image/*;q=0.3", "image/png"),
    ("/rendered", "text/html;q=1.0, image/gif;q=0.2", "image/gif"),
    # Members that can't be read are no reason to refuse the others.
    ("/metadata", f"nonsense, ;, {JSON}", JSON),
]


def test_8_7_8_1_the_selected_media_type(client: TestClient, ct: pydicom.Dataset) -> None:
    for tail, accept, expected in SELECTED:
        assert kind(client, path(ct) + tail, accept) == (200, expected), (tail, accept)


REFUSED = [
    ("", f"{DICOM};q=0"),
    ("", "*/*;q=0"),
    ("", f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.100"),
    ("/metadata", f"{JSON};q=0, application/json;q=0.0"),
    ("/metadata", DICOM),
    ("/frames/1", OF_DICOM),
    ("/rendered", "image/webp"),
    ("/thumbnail", "image/jp2"),
]


def test_8_7_8_1_nothing_acceptable_is_406_and_says_what_there_is(client: TestClient, ct: pydicom.Dataset) -> None:
    for tail, accept in REFUSED:
        answer = client.get(path(ct) + tail, headers={"Accept": accept})
        assert answer.status_code == 406, (tail, accept)
        assert "/" in answer.json()["detail"]


#: The parameter, the header, and what is given.
BOTH = [
    ("/rendered", "image/png", "image/gif", (200, "image/png")),
    ("/rendered", "image/gif;q=0.2,image/png;q=0.4", "image/jpeg", (200, "image/png")),
    ("/rendered", "image/webp", "image/gif", (200, "image/gif")),
    ("/rendered", "image/webp", "*/*", (200, "image/jpeg")),
    ("/rendered", "image/webp", "text/html", (406, "application/problem+json")),
    ("/rendered", "nonsense", "image/png", (400, "application/problem+json")),
    ("/metadata", "application/json", JSON, (200, "application/json")),
    ("/metadata", JSON, "text/html", (200, JSON)),
    ("", DICOM, "text/html", (200, DICOM)),
    ("/frames/1", OCTETS, "image/jls", (200, OCTETS)),
    ("/frames/1", "image/webp", "image/jls", (200, "image/jls")),
    ("/frames/1", f"image/jls; transfer-syntax={J2K}", f"image/jp2; transfer-syntax={J2K}", (200, "image/jp2")),
]


def test_8_7_8_1_the_query_parameter_first_and_then_the_header(client: TestClient, ct: pydicom.Dataset) -> None:
    for tail, query, accept, expected in BOTH:
        answer = client.get(path(ct) + tail, params={"accept": query}, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == expected, (query, accept)


def test_rfc9110_5_3_several_headers_are_one_list(client: TestClient, ct: pydicom.Dataset) -> None:
    two = [("Accept", "text/html"), ("Accept", "image/png")]
    assert client.get(path(ct) + "/rendered", headers=two).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("name", "accept", "given"),
    [
        # 8.7.3: without the parameter the default, unless only a lossy form is there.
        ("MR_small_implicit.dcm", DICOM, EXPLICIT),
        ("MR_small_jp2klossless.dcm", DICOM, EXPLICIT),
        ("JPEG-lossy.dcm", DICOM, "1.2.840.10008.1.2.4.51"),
        # Table 8.7.3-2: what is asked for; Acceptable Transfer Syntaxes one after the other (8.7.8.2).
        ("MR_small_jp2klossless.dcm", f"{DICOM}; transfer-syntax=*", J2K),
        ("MR_small_jp2klossless.dcm", f"{DICOM}; transfer-syntax={JLS}", JLS),
        ("MR_small_jp2klossless.dcm", f"{DICOM}; transfer-syntax=1.2.3, {DICOM}; transfer-syntax={JLS}", JLS),
        ("CT_small.dcm", f"{DICOM}; transfer-syntax={JLS};q=0.5, {DICOM}; transfer-syntax={J2K};q=0.6", J2K),
    ],
)
def test_8_7_3_5_2_the_transfer_syntax_of_an_instance(client: TestClient, name: str, accept: str, given: str) -> None:
    ds = store(client, sample(name))
    answer = client.get(path(ds), headers={"Accept": accept})
    assert answer.headers["content-type"] == f"{DICOM}; transfer-syntax={given}"
    assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == given


CHARSETS = {
    "utf-8": 200, "UTF-8": 200, "iso-8859-1;q=0.8, utf-8;q=0.2": 200, '"ISO_IR 192"': 200,
    "iso-8859-1": 400, "utf-8;q=0": 400, "nonsense": 400, "": 400,
}  # fmt: skip


def test_8_3_3_2_charset(client: TestClient, ct: pydicom.Dataset) -> None:
    for tail in ("", "/metadata", "/rendered"):
        for charset, status in CHARSETS.items():
            answer = client.get(path(ct) + tail, params={"charset": charset})
            assert answer.status_code == status, (tail, charset)
            assert status == 200 or "UTF-8" in answer.json()["detail"]


def test_8_8_5_where_no_character_set_can_be_had_it_is_the_media_types_own(
    client: TestClient, ct: pydicom.Dataset
) -> None:
    plain = client.get(path(ct) + "/metadata").json()
    for headers in ({"Accept": f"{JSON}; charset=iso-8859-1"}, {"Accept": JSON, "Accept-Charset": "iso-8859-1"}):
        assert client.get(path(ct) + "/metadata", headers=headers).json() == plain
