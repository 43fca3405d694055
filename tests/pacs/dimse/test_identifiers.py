"""Identifiers: pydicom is the oracle of what is written and read."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from pacs.dicom.elements import Unreadable
from pacs.dicom.transfer_syntaxes import EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from pacs.dimse import identifiers
from pacs.dimse.answering import Failed
from tests.pacs.datasets import VALUES, datasets, encode

SYNTAXES = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)


@given(datasets(depth=1))
def test_attributes_are_written_so_that_pydicom_reads_them(ds: Dataset) -> None:
    ds.remove_private_tags()  # of an odd length, which pydicom keeps
    assert _again(ds, EXPLICIT_LITTLE_ENDIAN) == ds.to_json_dict()


@given(datasets(depth=0))
def test_and_in_implicit_vr(ds: Dataset) -> None:
    ds.remove_private_tags()  # whose value representations are lost there
    assert _again(ds, IMPLICIT_LITTLE_ENDIAN) == ds.to_json_dict()


def _again(ds: Dataset, syntax: str) -> Any:
    written = identifiers.write(ds.to_json_dict(), syntax, identifiers.UTF_8)
    read = read_dataset(io.BytesIO(written), syntax == IMPLICIT_LITTLE_ENDIAN, True)
    found = read.to_json_dict()
    assert found.pop("00080005")["Value"] == [identifiers.UTF_8]
    return found


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda one: st.tuples(st.just(one), VALUES[one])), st.booleans())
def test_a_key_is_read_as_its_text(chosen: tuple[str, Any], implicit: bool) -> None:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    setattr(ds, *chosen)
    [key] = [f"{element.tag:08X}" for element in ds if element.keyword != "QueryRetrieveLevel"]
    found = identifiers.read(encode(ds, implicit=implicit), SYNTAXES[implicit])
    assert found.level == "STUDY"
    assert (found.character_set, list(found.keys)) == ("ISO_IR 192", [key])
    if isinstance(chosen[1], str) and chosen[0] != "PatientWeight":
        assert found.keys[key] == chosen[1]


@given(st.binary(max_size=200), st.sampled_from(SYNTAXES))
def test_any_bytes_are_an_identifier_or_refused(data: bytes, syntax: str) -> None:
    try:
        found = identifiers.read(data, syntax)
    except (Unreadable, Failed):
        return
    assert all(isinstance(text, str) for text in found.keys.values())


def test_deep_and_many_elements_are_refused() -> None:
    ds = Dataset()
    for _ in range(6):
        outer = Dataset()
        ds.PatientID = "x"
        outer.ReferencedSeriesSequence = [ds]
        ds = outer
    with pytest.raises(Failed):
        identifiers.read(_bytes(ds), EXPLICIT_LITTLE_ENDIAN)
    with pytest.raises(Unreadable):
        identifiers.read(b"\x10\x00\x20\x00LO\x00\x00" * 2000, EXPLICIT_LITTLE_ENDIAN)


def _bytes(ds: Dataset) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = False, True
    write_dataset(out, ds)
    return bytes(out.getvalue())


@pytest.mark.parametrize("element", [
    {"vr": "US", "Value": [70000]}, {"vr": "US", "Value": ["x"]}, {"vr": "AT", "Value": ["zz"]},
    {"vr": "OB", "InlineBinary": "?"}, {"vr": "UL", "Value": [-1]},
])  # fmt: skip
def test_a_value_that_is_none_of_its_vr_is_left_empty(element: Any) -> None:
    written = identifiers.write({"00280010": element, "00100020": {"vr": "LO", "Value": ["A"]}}, EXPLICIT_LITTLE_ENDIAN)
    read = read_dataset(io.BytesIO(written), False, True)
    assert read.PatientID == "A"
    assert read[0x00280010].VM == 0


def test_a_list_of_failures_is_as_long_as_an_element_may_be() -> None:
    uids = [f"2.25.1{number:057}" for number in range(5000)]
    read = read_dataset(io.BytesIO(identifiers.failed_uids(uids, EXPLICIT_LITTLE_ENDIAN)), False, True)
    listed = list(read.FailedSOPInstanceUIDList)
    assert 500 < len(listed) < 1100
    assert listed == uids[: len(listed)]
    assert identifiers.failed_uids([], EXPLICIT_LITTLE_ENDIAN) == b""
