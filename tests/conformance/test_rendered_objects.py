"""Rendered presentation states, reports, documents and videos: PS3.18 10.4.1.1.3, 8.7.4; PS3.4 N.2."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid
from starlette.testclient import TestClient

from dicomweb import pictures, report_text
from overread.kit import principals
from overread.kit.principals import Role
from pacs.index.scope import Scope
from pacs.pixels import annotate
from pacs.serve import retrieve
from pacs.store.archive import Archive
from pacs.views import views
from tests.conformance.rendered_objects import LITTLE, image, instance, item, levels, parts, path, ramp, shown, store
from tests.dicomweb import conftest as web
from tests.pacs.views.test_views import LEADING, stored_study, view_of

bearer, client = web.bearer, web.client

PNG = {"Accept": "image/png"}
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
SR = "1.2.840.10008.5.1.4.1.1.88.22"


def concept(meaning: str) -> list[Dataset]:
    return [item(CodeValue="1", CodingSchemeDesignator="99TEST", CodeMeaning=meaning)]


def report(*below: Dataset) -> Dataset:
    return instance(
        SR, "SR", ValueType="CONTAINER", ConceptNameCodeSequence=concept("Imaging Report"),
        ContinuityOfContent="SEPARATE", CompletionFlag="COMPLETE", VerificationFlag="UNVERIFIED",
        ContentSequence=list(below),
    )  # fmt: skip


def measured(name: str, value: str, unit: str) -> Dataset:
    units = [item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)]
    return item(
        ValueType="NUM", RelationshipType="CONTAINS", ConceptNameCodeSequence=concept(name),
        MeasuredValueSequence=[item(NumericValue=value, MeasurementUnitsCodeSequence=units)],
    )  # fmt: skip


@pytest.fixture
def sr(client: TestClient) -> str:
    finding = item(
        ValueType="TEXT", RelationshipType="CONTAINS", ConceptNameCodeSequence=concept("Finding"),
        TextValue="Nodule <b>left</b> & </p><script>alert(1)</script>",
    )  # fmt: skip
    section = item(
        ValueType="CONTAINER", RelationshipType="CONTAINS", ConceptNameCodeSequence=concept("Measurements"),
        ContentSequence=[measured("Diameter", "12.5", "mm"), measured("Ratio", "0.7", "1")],
    )  # fmt: skip
    return store(client, report(finding, section))


def test_8_7_4_html_is_a_reports_default_and_is_safe(client: TestClient, sr: str) -> None:
    response = client.get(f"{sr}/rendered")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox" in response.headers["content-security-policy"]
    assert "<script" not in response.text
    assert "Nodule &lt;b&gt;left" in response.text
    page = ElementTree.fromstring(response.text)
    words = " ".join(" ".join(page.itertext()).split())
    for said in ("Imaging Report", "Measurements", "Diameter: 12.5 mm", "Ratio: 0.7", "Muster, Erika", "2024-01-02"):
        assert said in words


def test_8_7_4_plain_text_and_xml_of_a_report(client: TestClient, sr: str) -> None:
    plain = client.get(f"{sr}/rendered", headers={"Accept": "text/plain"})
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Measurements\n  Diameter: 12.5 mm\n  Ratio: 0.7" in plain.text
    xml = client.get(f"{sr}/rendered", headers={"Accept": "text/xml"})
    assert xml.headers["content-type"] == "text/xml; charset=utf-8"
    assert ElementTree.fromstring(xml.text).tag == "{http://www.w3.org/1999/xhtml}html"
    assert client.get(f"{sr}/rendered", headers={"Accept": "image/jpeg"}).status_code == 406
    assert client.get(f"{sr}/frames/1/rendered").status_code == 400


def test_c_17_3_references_to_what_is_there_are_links(client: TestClient) -> None:
    movie = image(np.zeros((3, 8, 8), np.uint8), "1.2.840.10008.5.1.4.1.1.3.1", "US", SeriesInstanceUID=generate_uid())
    waveform = instance("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG")
    elsewhere = image(np.zeros((8, 8), np.uint8), StudyInstanceUID=generate_uid())
    store(client, movie, waveform)
    store(client, elsewhere)

    def of(one: Dataset, kind: str = "IMAGE", **more: Any) -> Dataset:
        referenced = item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID, **more)
        return item(ValueType=kind, RelationshipType="CONTAINS", ReferencedSOPSequence=[referenced])

    where = store(
        client, report(of(movie), of(movie, ReferencedFrameNumber=2), of(waveform, "WAVEFORM"), of(elsewhere))
    )
    page = client.get(f"{where}/rendered")
    found = ElementTree.fromstring(page.text).findall(".//{http://www.w3.org/1999/xhtml}a")
    assert [(one.text, one.get("title")) for one in found] == [
        ("image", movie.SOPInstanceUID),
        ("image, frame 2", movie.SOPInstanceUID),
    ]
    assert elsewhere.SOPInstanceUID in page.text
    for one in found:
        assert shown(client.get(str(page.url.join(str(one.get("href")))))).size == (8, 8)
    assert "<a" not in client.get(f"{where}/rendered", headers={"Accept": "text/xml"}).text


def test_c_17_3_values_are_written_as_people_read_them() -> None:
    code = item(CodeValue="27925004", CodingSchemeDesignator="SCT", CodeMeaning="Nodule")
    observer = item(
        VerifyingObserverName="Doe^John^^Dr=\u5c71\u7530^\u592a\u90ce", VerifyingOrganization="Clinic",
        VerificationDateTime="20240103101500",
    )  # fmt: skip
    outline = item(ValueType="SCOORD", ConceptNameCodeSequence=concept("Outline"), GraphicType="POLYLINE")
    outline.GraphicData = [float(number) for number in range(20)]
    circle = item(ValueType="SCOORD", ConceptNameCodeSequence=concept("Region"), GraphicType="CIRCLE")
    circle.GraphicData = [1.5, 2, 3, 4]
    ds = report(
        item(ValueType="CODE", ConceptNameCodeSequence=concept("Finding"), ConceptCodeSequence=[code]),
        measured("Density", "-120", "[hnsf'U]"),
        measured("Volume", "3.5", "cm3"),
        outline,
        circle,
    )
    ds.VerifyingObserverSequence, ds.VerificationFlag = [observer], "VERIFIED"
    ds.ContentDate, ds.ContentTime = "20240102", "131400"
    plain = report_text.as_text(ds)
    for line in (
        "Verified by: Doe, John (\u5c71\u7530 \u592a\u90ce), Clinic, 2024-01-03 10:15", "Report: complete",
        "Verification: verified", "Report date: 2024-01-02 13:14", "Sex: female", "Finding: Nodule (SCT 27925004)",
        "Density: -120 HU", "Volume: 3.5 cm³", "Outline: polyline of 10 points", "Region: circle (1.5, 2) (3, 4)",
    ):  # fmt: skip
        assert line in plain.splitlines()


_trees = st.recursive(
    st.builds(lambda name, text: {"name": name, "text": text}, st.text(max_size=20), st.text(max_size=40)),
    lambda below: st.builds(
        lambda name, kids: {"name": name, "below": kids}, st.text(max_size=20), st.lists(below, max_size=3)
    ),
    max_leaves=8,
)


def _tree(node: dict[str, Any]) -> Dataset:
    kind = "CONTAINER" if "below" in node else "TEXT"
    out = item(ValueType=kind, ConceptNameCodeSequence=[item(CodeMeaning=node["name"])])
    if kind == "TEXT":
        out.TextValue = node["text"]
    else:
        out.ContentSequence = [_tree(below) for below in node["below"]]
    return out


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@settings(max_examples=100, deadline=None)
@given(_trees)
def test_any_report_is_well_formed(node: dict[str, Any]) -> None:
    page = ElementTree.fromstring(report_text.as_html(_tree(node)))
    assert {one.tag.rpartition("}")[2] for one in page.iter()} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "table", "tr", "th", "td", "p", "b", "section",
        "small",
    }  # fmt: skip
    assert "\x00" not in report_text.as_text(_tree(node))


def test_a_deep_or_long_report_is_cut_off_and_says_so() -> None:
    deep = item(ValueType="TEXT", TextValue="the deepest")
    for _ in range(200):
        deep = item(ValueType="CONTAINER", ContentSequence=[deep])
    assert "the deepest" not in report_text.as_text(deep)
    long = item(ValueType="CONTAINER", ContentSequence=[item(ValueType="TEXT", TextValue="x")] * 30_000)
    assert "longer than what is shown" in report_text.as_text(long)


def document(kind: str, content: bytes, sop_class: str = "1.2.840.10008.5.1.4.1.1.104.1") -> Dataset:
    padded = content + bytes(len(content) % 2)
    return instance(
        sop_class, "DOC", MIMETypeOfEncapsulatedDocument=kind, EncapsulatedDocument=padded,
        EncapsulatedDocumentLength=len(content),
    )  # fmt: skip


def test_8_7_4_an_encapsulated_pdf_is_given_as_it_is_to_be_saved(client: TestClient) -> None:
    where = store(client, document("application/pdf", b"%PDF-1.7\nodd"))
    response = client.get(f"{where}/rendered")
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.content == b"%PDF-1.7\nodd"
    assert client.get(f"{where}/rendered", headers={"Accept": "image/png"}).status_code == 406


def test_8_7_4_a_cda_is_xml_that_no_browser_runs(client: TestClient) -> None:
    where = store(client, document("text/XML", b"<ClinicalDocument/>", "1.2.840.10008.5.1.4.1.1.104.2"))
    response = client.get(f"{where}/rendered")
    assert response.headers["content-type"].startswith("text/xml")
    assert response.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in response.headers["content-security-policy"]


STL = bytes(80) + (2).to_bytes(4, "little") + bytes(100)


@pytest.mark.parametrize(
    ("kind", "content", "sop_class"),
    [("model/stl", STL, "104.3"), ("model/stl", b"solid x\n", "104.3"), ("model/obj", b"v 0 0 0\n", "104.4"),
     ("model/mtl", b"newmtl a\n", "104.5")],
)  # fmt: skip
def test_a_85_models_are_given_as_they_are_to_be_saved(
    client: TestClient, kind: str, content: bytes, sop_class: str
) -> None:
    where = store(client, document(kind, content, f"1.2.840.10008.5.1.4.1.1.{sop_class}"))
    response = client.get(f"{where}/rendered")
    assert (response.headers["content-type"], response.content) == (kind, content)
    assert response.headers["content-disposition"].startswith("attachment")
    assert client.get(f"{where}/rendered", headers={"Accept": "application/pdf"}).status_code == 406


@pytest.mark.parametrize(
    ("kind", "content"), [("text/html", b"<script>"), ("application/pdf", b"<html>"), ("", b"x"), ("model/stl", b"s")]
)
def test_documents_that_are_not_what_they_say_are_not_given(client: TestClient, kind: str, content: bytes) -> None:
    response = client.get(f"{store(client, document(kind, content))}/rendered")
    assert response.status_code == 406
    assert "document" in response.json()["detail"]


@pytest.mark.parametrize(
    ("syntax", "media_type"),
    [
        *((number, "video/mpeg") for number in ("100", "100.1", "101", "101.1")),
        *((number, "video/mp4") for number in ("102", "103", "102.1", "106.1")),
        ("107", "video/H265"),
    ],
)
def test_8_7_4_videos_are_given_as_they_are(client: TestClient, syntax: str, media_type: str) -> None:
    stream = bytes(range(256)) * 40
    ds = image(np.zeros((3, 16, 16), np.uint8), "1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES")
    ds.file_meta.TransferSyntaxUID = UID(f"1.2.840.10008.1.2.4.{syntax}")
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].is_undefined_length = True
    response = client.get(f"{store(client, ds)}/rendered")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    assert response.content == stream
    for resource in ("rendered", "frames/1"):
        place = f"{path(ds)}/{resource}"
        whole = client.get(place, headers={"Accept": f"{media_type}, */*;q=0.1"})
        assert (whole.content, whole.headers["accept-ranges"]) == (stream, "bytes")
        accept = {"Accept": media_type}
        some = client.get(place, headers={**accept, "Range": "bytes=100-299"})
        assert (some.status_code, some.content) == (206, stream[100:300])
        assert some.headers["content-range"] == f"bytes 100-299/{len(stream)}"
        assert client.get(place, headers={**accept, "Range": f"bytes={len(stream)}-"}).status_code == 416
        assert client.get(place, headers={**accept, "If-None-Match": whole.headers["etag"]}).status_code == 304
        assert client.head(place, headers=accept).headers["content-length"] == str(len(stream))
        # MPEG-2 by the name, too, by which dicomweb-client asks for frames.
        older = client.get(place, headers={"Accept": "video/mpeg2"})
        found = (200, "video/mpeg2") if media_type == "video/mpeg" else (406, "application/problem+json")
        assert (older.status_code, older.headers["content-type"].split(";")[0]) == found


def test_what_has_no_picture_is_400_and_has_a_placeholder_for_a_thumbnail(client: TestClient, sr: str) -> None:
    waveform = store(client, instance("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG"))
    response = client.get(f"{waveform}/rendered")
    assert response.status_code == 400
    assert "picture" in response.json()["detail"]
    for where in (waveform, sr):
        assert shown(client.get(f"{where}/thumbnail")).size == (256, 256)


def test_samples_are_what_they_say() -> None:
    assert image(ramp()).file_meta.TransferSyntaxUID == LITTLE
    assert path(image(ramp())).startswith("studies/")


def test_frames_that_begin_within_a_byte_are_drawn_and_given(client: TestClient) -> None:
    """PS3.5 8.1.1: single bits are packed without a gap between frames."""
    frames = (np.arange(3 * 5 * 5).reshape(3, 5, 5) % 3 == 0).astype(np.uint8)
    ds = image(frames, "1.2.840.10008.5.1.4.1.1.66.4", "SEG", BitsAllocated=1, BitsStored=1, HighBit=0)
    ds.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    where = store(client, ds)
    for number in (1, 2, 3):
        found = levels(client.get(f"{where}/frames/{number}/rendered", headers=PNG))
        np.testing.assert_array_equal(found, frames[number - 1] * 255)
        octets = client.get(f"{where}/frames/{number}", headers={"Accept": "application/octet-stream"})
        assert octets.content == np.packbits(frames[number - 1].ravel(), bitorder="little").tobytes()
    several = client.get(f"{where}/frames/3,1")
    expected = [np.packbits(frames[n].ravel(), bitorder="little").tobytes() for n in (2, 0)]
    assert [body for _, body in parts(several)] == expected
    assert client.get(f"{where}/frames/4").status_code == 404
    assert client.get(f"{where}/frames/4/rendered").status_code == 404


def test_a_views_annotations_come_from_its_own_header(archive: Archive) -> None:
    study_uid, _ = stored_study(archive, count=1)
    view = view_of(archive)
    derived = views.deidentify(archive, view, LEADING, study_uid)
    with archive.db.transaction() as tx:
        coordinator = principals.create(tx, role=Role.COORDINATOR, name="c").as_principal(via="api")
        views.release(tx, coordinator, view, study_uid)
        [one] = retrieve.locate(tx, Scope(view), derived.study_uid)
    with retrieve.opened(archive, one) as instance:
        said = " ".join(annotate.patient(pictures.header(instance))).lower()
    assert not [word for word in ("okonkwo", "ngozi") if word in said]
    # As numbers of their own: UIDs are made of random digits.
    assert not re.search(r"(?<![0-9.])(99881|1971)(?![0-9])", said)
