"""Encoding the DICOM JSON model is the inverse of reading it; pydicom reads the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.stow.dataset import BadDataset, encode
from dicomweb.stow.xml import BadXml, from_xml
from pacs.dicom import dicomjson, elements, part10
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.dicomxml import to_xml

Json = dict[str, Any]


def no_bulk(uri: str) -> Sequence[memoryview]:
    raise AssertionError(f"{uri} was asked for")


def file_of(dataset: Json) -> bytes:
    meta = part10.write_meta("1.2.3", "1.2.4", ts.EXPLICIT_LITTLE_ENDIAN)
    return meta + b"".join(encode(dataset, no_bulk, compressed=False))


def read(data: bytes) -> Json:
    parsed = part10.parse(data)
    return dicomjson.to_json(parsed.buf, parsed.elements)


def test_every_vr_is_what_pydicom_reads() -> None:
    values: dict[str, list[Any]] = {
        "00080005": ["ISO_IR 192"], "00080018": ["1.2.3"], "00080020": ["20240229"], "00080030": ["120000.5"],
        "00080008": ["ORIGINAL", None, "AXIAL"], "0008002A": ["20240229120000"], "00080054": ["AE1", "AE2"],
        "00080119": ["a\\b"], "00080120": ["http://x/y"], "00081030": ["Größe 中文"], "00101010": ["064Y"],
        "00102000": ["allergic", "to nothing"], "00104000": ["long\r\ntext"], "00180050": [1.25],
        "00181063": [33], "00181310": [0, 256, 256, 0], "00186020": [-5], "00186022": [-70000], "00186024": [1],
        "00200032": [0.1, -100, 123456.789012345], "00280009": ["00181063"], "00189087": [0.5], "00280010": [65535],
        "00189073": [1e300], "00720078": [70000], "00720082": [-(1 << 60)], "00720083": [str(1 << 63)],
    }  # fmt: skip
    tags = {int(key, 16): pydicom.datadict.dictionary_VR(int(key, 16)) for key in values}
    dataset = {f"{tag:08X}": {"vr": vr, "Value": values[f"{tag:08X}"]} for tag, vr in tags.items() if " " not in vr}
    dataset["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": "Ä^B", "Phonetic": "p"}, None, {"Ideographic": "山"}]}
    dataset["00080050"] = {"vr": "SH"}
    dataset["00420011"] = {"vr": "OB", "InlineBinary": "AQID"}
    dataset["00082112"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}, None]}
    ds = pydicom.dcmread(io.BytesIO(file_of(dataset)))
    assert ds.PatientName[0].alphabetic == "Ä^B"
    assert ds.PatientName[0].phonetic == "p"
    assert ds.PatientName[2].ideographic == "山"
    assert ds.StudyDescription == "Größe 中文"
    assert list(ds.ImageType) == ["ORIGINAL", "", "AXIAL"]
    assert [float(value) for value in ds.ImagePositionPatient] == [0.1, -100, 123456.789012345]
    assert all(len(str(value)) <= 16 for value in ds.ImagePositionPatient)
    assert ds[0x00280009].value == 0x00181063
    assert ds[0x00720083].value == 1 << 63
    assert ds.EncapsulatedDocument == b"\x01\x02\x03\x00"
    assert [len(one) for one in ds.SourceImageSequence] == [1, 0, 0]
    for key in dataset:
        assert key in ds, key


json_text = st.text(st.characters(codec="utf-8", exclude_characters="\\^= \0", exclude_categories=["Cc"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Json] = st.one_of(
    st.builds(lambda v: {"vr": "LO", "Value": v}, st.lists(json_text.filter(bool), min_size=1, max_size=3)),
    st.builds(lambda v: {"vr": "US", "Value": v}, st.lists(st.integers(0, 65535), min_size=1, max_size=3)),
    st.builds(lambda v: {"vr": "SL", "Value": v}, st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=1)),
    st.builds(lambda v: {"vr": "FD", "Value": v}, st.lists(finite, min_size=1)),
    st.builds(lambda v: {"vr": "PN", "Value": [{"Alphabetic": v}]}, json_text.filter(lambda t: bool(t.strip()))),
    st.builds(lambda v: {"vr": "UT", "Value": [v]}, json_text.filter(bool)),
)  # fmt: skip
private = st.integers(0x0011_1001, 0x0011_10FF).map("{:08X}".format)
datasets = st.recursive(
    st.dictionaries(private, json_values, max_size=4),
    lambda inner: st.dictionaries(
        private, st.one_of(json_values, st.builds(lambda v: {"vr": "SQ", "Value": v}, st.lists(inner, min_size=1))),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(datasets)
def test_reading_gives_what_was_encoded_and_xml_says_the_same(dataset: Json) -> None:
    whole = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}, **dataset}
    assert read(file_of(whole)) == whole
    again = from_xml(to_xml(whole))
    assert read(file_of(again)) == read(file_of(from_xml(to_xml(again))))


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "US", "Value": [65536]}, {"vr": "US", "Value": [-1]}, {"vr": "US", "Value": ["x"]},
        {"vr": "US", "Value": 5}, {"vr": "SL", "Value": [1 << 40]}, {"vr": "FL", "Value": [1e300]},
        {"vr": "LO", "Value": [{}]}, {"vr": "LO", "Value": [True]}, {"vr": "AT", "Value": ["xyz"]},
        {"vr": "AT", "Value": [5]}, {"vr": "PN", "Value": [5]}, {"vr": "PN", "Value": [{"Alphabetic": [5]}]},
        {"vr": "OB", "Value": ["x"]}, {"vr": "OB", "InlineBinary": "*"}, {"vr": "OB", "InlineBinary": 5},
        {"vr": "SQ", "Value": ["x"]}, {"vr": "XX", "Value": ["x"]}, {"vr": 5}, {"BulkDataURI": 5, "vr": "OB"}, [], None,
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused_and_never_quoted(attribute: Any) -> None:
    with pytest.raises(BadDataset) as caught:
        file_of({"00111001": attribute})
    assert "xyz" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "0010", "zzzzzzzz", "00100010 ", "-0010001"])
def test_what_is_no_tag_is_refused(key: str) -> None:
    with pytest.raises(BadDataset):
        file_of({key: {"vr": "LO", "Value": ["x"]}})


def test_depth_is_limited() -> None:
    def deep(levels: int) -> Json:
        return {"00111001": {"vr": "SQ", "Value": [deep(levels - 1)]}} if levels else {}

    assert file_of(deep(60))
    with pytest.raises(BadDataset, match="deep"):
        file_of(deep(65))


def test_the_dictionarys_choice_of_vrs_is_settled_by_the_values() -> None:
    dataset = {
        "00280106": {"vr": "US or SS", "Value": [5]},
        "00280107": {"vr": "US or SS", "Value": [-5]},
        "00281201": {"vr": "OW", "InlineBinary": "AAA="},
        "7FE00010": {"vr": "OB or OW", "InlineBinary": "AAA="},
    }
    assert [one["vr"] for one in read(file_of(dataset)).values()] == ["CS", "US", "SS", "OW", "OW"]


def test_meta_information_group_lengths_and_offers_are_not_stored() -> None:
    dataset = {key: {"vr": "UI", "Value": ["1.2"]} for key in ("00020010", "00083002", "00080018")}
    assert set(read(file_of({**dataset, "00080000": {"vr": "UL", "Value": [5]}}))) == {"00080005", "00080018"}


def test_bulk_data_is_streamed_and_what_is_too_long_for_its_vr_becomes_un() -> None:
    content = {"a": [memoryview(b"123")], "b": [memoryview(bytes(70_000))], "c": [memoryview(b"xy"), memoryview(b"z")]}
    dataset = {
        "00111001": {"vr": "OW", "BulkDataURI": "a"},
        "00111002": {"vr": "LT", "BulkDataURI": "b"},
        "00111003": {"vr": "SQ", "Value": [{"00111001": {"vr": "OB", "BulkDataURI": "c"}}]},
    }
    data = part10.write_meta("1.2", "1.3", ts.EXPLICIT_LITTLE_ENDIAN)
    data += b"".join(encode(dataset, content.__getitem__, compressed=False))
    parsed = part10.parse(data)
    assert [(e.vr, e.length) for e in parsed.elements[1:3]] == [("OW", 4), ("UN", 70_000)]
    assert read(data)["00111003"]["Value"][0]["00111001"]["InlineBinary"] == "eHl6AA=="


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "not well-formed"),
        (b"<a/>", "has none"),
        (b"<NativeDicomModel>", "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>', "document type"),
        (b'<?xml version="1.0" encoding="UTF-99"?><NativeDicomModel/>', "can't be read|not well-formed"),
        (b"<NativeDicomModel><Value/></NativeDicomModel>", "has none"),
        (b'<NativeDicomModel><DicomAttribute tag="1" vr=""><Value/></DicomAttribute></NativeDicomModel>', "number"),
        (b'<NativeDicomModel><DicomAttribute tag="1" vr=""><Value number="9999"/></DicomAttribute></NativeDicomModel>',
         "order"),
        (b'<x:NativeDicomModel xmlns:x="http://elsewhere"/>', "not of the Native"),
        (b"<NativeDicomModel>" + b'<DicomAttribute tag="00111001" vr="SQ"><Item number="1">' * 500, "too deep"),
    ],
)  # fmt: skip
def test_xml_that_is_no_native_model_is_refused(document: bytes, words: str) -> None:
    with pytest.raises(BadXml, match=words):
        from_xml(document)


def same(ours: Json, theirs: Json) -> bool:
    """Whether two attributes say the same; a decimal string holds 16 characters and no more."""
    if ours["vr"] != "DS":
        return ours == theirs
    pairs = zip(ours.get("Value", ()), theirs.get("Value", ()), strict=True)
    return all(one == other or float(one) == pytest.approx(float(other), rel=1e-9) for one, other in pairs)


def test_the_corpus_comes_through_json_and_xml_unchanged(corpus: Path) -> None:
    compared = 0
    with (corpus / "manifest.csv").open() as f:
        names = [row["path"] for row in csv.DictReader(f)]
    for name in names[::3]:
        try:
            parsed = part10.parse((corpus / name).read_bytes())
        except elements.Unreadable:
            continue
        found: dict[str, list[memoryview]] = {}

        def uri(path: tuple[Any, ...], parsed: part10.Parsed = parsed, found: dict[str, Any] = found) -> str:
            element = dicomjson.element_at(parsed.elements, [str(part) for part in path])
            assert element is not None
            value = b"" if element.fragments is not None else elements.raw(parsed.buf, element)
            found["/".join(map(str, path))] = [memoryview(value)]
            return "/".join(map(str, path))

        whole = dicomjson.to_json(parsed.buf, parsed.elements, bulk_uri=uri)
        inline = dicomjson.to_json(parsed.buf, parsed.elements)
        for form in (whole, from_xml(to_xml(whole))):
            try:
                data = part10.write_meta("1.2", "1.3", ts.EXPLICIT_LITTLE_ENDIAN)
                data += b"".join(encode(form, found.__getitem__, compressed=False))
            except BadDataset:
                continue
            again = read(data)
            compared += 1
            # An icon's frames are not bulk data here; XML has no place for empty values at the end.
            for key in inline.keys() - {"00080005", "7FE00010", "00880200"} if form is whole else ():
                # The text is in UTF-8 throughout, so items name no character set of their own any more.
                if key[4:] != "0000" and "'00080005'" not in str(inline[key]):
                    assert same(inline[key], again[key]), (name, key)
    assert compared > 100
