"""pacs.dicom.part10: preamble, meta information, deflated and big endian data sets, and what is refused."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs.dicom.elements import Malformed, Truncated, Unreadable, find, raw, text, walk
from pacs.dicom.part10 import IMPLEMENTATION_CLASS_UID, Bomb, NotDicom, parse, read_meta, valid_uid, write_meta
from pacs.dicom.transfer_syntaxes import (
    DEFLATED_EXPLICIT_LITTLE_ENDIAN,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
)
from tests.pacs import corpus
from tests.pacs.datasets import datasets, encode, file_bytes

SC = "1.2.840.10008.5.1.4.1.1.7"


def sample() -> Dataset:
    ds = Dataset()
    ds.PatientID = "ID-1"
    ds.Modality = "OT"
    return ds


@pytest.mark.parametrize("source_ae", [None, "SENDER"])
def test_written_meta_is_read_by_pydicom_and_by_us(source_ae: str | None) -> None:
    meta = write_meta(SC, "2.25.77", EXPLICIT_LITTLE_ENDIAN, source_ae=source_ae)
    data = meta + encode(sample(), implicit=False)
    theirs = dcmread(BytesIO(data))
    assert theirs.preamble == bytes(128)
    assert theirs.file_meta.MediaStorageSOPInstanceUID == "2.25.77"
    assert theirs.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert theirs.file_meta.FileMetaInformationGroupLength == len(meta) - 144
    assert theirs.file_meta.get("SourceApplicationEntityTitle") == source_ae
    ours = read_meta(data)
    assert ours[:6] == (EXPLICIT_LITTLE_ENDIAN, SC, "2.25.77", len(meta), True, source_ae or "")
    assert len(IMPLEMENTATION_CLASS_UID) <= 64
    assert valid_uid(IMPLEMENTATION_CLASS_UID)


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, DEFLATED_EXPLICIT_LITTLE_ENDIAN])
def test_little_endian_files_are_parsed(syntax: str) -> None:
    data = file_bytes(sample(), syntax)
    parsed = parse(data)
    assert parsed.meta.transfer_syntax == syntax
    assert parsed.explicit is (syntax != IMPLICIT_LITTLE_ENDIAN)
    assert parsed.is_original_bytes is (syntax != DEFLATED_EXPLICIT_LITTLE_ENDIAN)
    assert text(parsed.buf, find(parsed.elements, 0x00100020)) == "ID-1"


@given(datasets())
@settings(max_examples=40, deadline=None)
def test_big_endian_becomes_the_same_data_set_in_little_endian(ds: Dataset) -> None:
    # pydicom writes binary words as they stand; turning them around is tested below
    for level in [ds, *(item for element in ds.iterall() if element.VR == "SQ" for item in element.value)]:
        level.pop("ExtendedOffsetTable", None)
    big = write_meta(SC, "2.25.1", EXPLICIT_BIG_ENDIAN) + encode(ds, implicit=False, little=False)
    parsed = parse(big)
    assert not parsed.is_original_bytes
    for sequence in [element for element in ds.iterall() if element.VR == "SQ"]:
        sequence.value.is_undefined_length = sequence.is_undefined_length = False
        for item in sequence.value:
            item.is_undefined_length_sequence_item = False
    little = encode(ds, implicit=False)
    assert parsed.buf == little


@pytest.mark.parametrize(("vr", "width"), [("OW", 2), ("OF", 4), ("OL", 4), ("OD", 8), ("OV", 8), ("OB", 1)])
def test_binary_words_are_turned_around(vr: str, width: int) -> None:
    value = bytes(range(16))
    patient = b"\x00\x10\x00\x20LO\0\x02ID"
    header = b"\x7f\xe0\x00\x10" + vr.encode() + b"\0\0\0\0\0\x10"
    parsed = parse(write_meta(SC, "2.25.1", EXPLICIT_BIG_ENDIAN) + patient + header + value)
    expected = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
    assert raw(parsed.buf, parsed.elements[1]) == expected


def test_files_without_preamble_are_read_where_their_beginning_is_clear() -> None:
    whole = file_bytes(sample())
    assert not read_meta(whole[132:]).has_preamble
    assert text(whole[132:], parse(whole[132:]).elements[0]) == SC
    for implicit, syntax in ((True, IMPLICIT_LITTLE_ENDIAN), (False, EXPLICIT_LITTLE_ENDIAN)):
        plain = encode(sample(), implicit=implicit)
        assert parse(plain).meta.transfer_syntax == syntax
        assert len(parse(plain).elements) == 3
    big = encode(sample(), implicit=False, little=False)
    assert parse(big).meta.transfer_syntax == EXPLICIT_BIG_ENDIAN


def test_a_data_set_that_says_dicm_by_chance_has_no_preamble() -> None:
    ds = Dataset()
    ds.PatientComments = " " * (128 - 30) + "DICM, he said"
    plain = encode(ds, implicit=False)
    ds.PatientComments = " " * (128 - plain.index(b"DICM") + 98) + "DICM, he said"
    plain = encode(ds, implicit=False)
    assert plain[128:132] == b"DICM"
    assert not parse(plain).meta.has_preamble


def test_the_encoding_is_believed_over_a_wrong_transfer_syntax() -> None:
    for implicit, claimed in ((True, EXPLICIT_LITTLE_ENDIAN), (False, IMPLICIT_LITTLE_ENDIAN)):
        parsed = parse(write_meta(SC, "2.25.1", claimed) + encode(sample(), implicit=implicit))
        assert parsed.explicit is not implicit
        assert parsed.meta.transfer_syntax == claimed
        assert text(parsed.buf, find(parsed.elements, 0x00100020)) == "ID-1"


def deflated(body: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return write_meta(SC, "2.25.1", DEFLATED_EXPLICIT_LITTLE_ENDIAN) + squeeze.compress(body) + squeeze.flush()


def test_a_deflate_bomb_is_refused_at_the_limit() -> None:
    body = encode(sample(), implicit=False)
    exact = body + bytes(1000)
    assert len(parse(deflated(exact), max_unpacked=len(exact)).buf) == len(exact)
    with pytest.raises(Bomb, match="unpacks to more"):
        parse(deflated(exact), max_unpacked=len(exact) - 1)
    big = write_meta(SC, "2.25.1", EXPLICIT_BIG_ENDIAN) + encode(sample(), implicit=False, little=False)
    with pytest.raises(Bomb, match="big endian"):
        parse(big, max_unpacked=10)


def test_broken_deflated_streams_are_refused() -> None:
    good = deflated(encode(sample(), implicit=False))
    with pytest.raises(Truncated, match="middle of its stream"):
        parse(good[:-4])
    with pytest.raises(Malformed, match="not a deflated stream"):
        parse(write_meta(SC, "2.25.1", DEFLATED_EXPLICIT_LITTLE_ENDIAN) + b"\xff" * 40)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "only 0 bytes"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "JPEG picture"),
        (b"PK\x03\x04" + bytes(200), "ZIP archive"),
        (b"<html>" + b" " * 200, "XML or HTML"),
        (b"a text that goes on " * 20, '"DICM" is missing'),
        (bytes(4000), '"DICM" is missing'),
    ],
)
def test_other_files_are_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(NotDicom, match=words) as caught:
        parse(data)
    assert str(caught.value).startswith("This is not a DICOM file: ")


def test_a_file_without_data_set_is_refused() -> None:
    with pytest.raises(Malformed, match="no data set"):
        parse(write_meta(SC, "2.25.1", EXPLICIT_LITTLE_ENDIAN))
    with pytest.raises(Truncated, match="meta information"):
        parse(write_meta(SC, "2.25.1", EXPLICIT_LITTLE_ENDIAN)[:-3])


@pytest.mark.parametrize(
    ("uid", "valid"),
    [
        ("1.2.840.10008.1.2", True),
        ("2.25." + "9" * 39, True),
        ("1.2.03.4", True),
        ("1." + "2" * 62, True),
        ("1." + "2" * 63, False),
        ("", False),
        ("1", False),
        ("1..2", False),
        (".1.2", False),
        ("1.2.", False),
        ("1.2/../3", False),
        ("1.2\0", False),
        ("1.2\n", False),
        ("1.2 ", False),
        ("1.٣", False),
    ],
)
def test_uids_that_may_name_something(uid: str, valid: bool) -> None:
    assert valid_uid(uid) is valid


@given(datasets(depth=1), st.sampled_from([EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN]), st.data())
@settings(max_examples=120, deadline=None)
def test_mutated_files_raise_nothing_but_typed_errors(ds: Dataset, syntax: str, data: st.DataObject) -> None:
    body = encode(ds, implicit=False, little=syntax == EXPLICIT_LITTLE_ENDIAN)
    file = bytearray(write_meta(SC, "2.25.1", syntax) + body)
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(128, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = parse(bytes(file[: data.draw(st.integers(0, len(file)))]))
    except Unreadable as error:
        assert str(error).endswith(".")  # noqa: PT017 - any typed error will do, and so will none
        return
    assert parsed.elements == walk(parsed.buf, parsed.start, parsed.end, explicit=parsed.explicit)


@given(st.binary(max_size=400))
@example(b"\x08\x00" * 100)
@example(b"\x02\x00" * 100)
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        assert parse(data).elements
    except Unreadable as error:
        assert error.status == 422  # noqa: PT017 - as above


@pytest.mark.parametrize("source", corpus.sources())
def test_real_files_are_read_or_refused_for_a_reason(source: str) -> None:
    readable = {row["path"]: row["readable"] for row in corpus.manifest()}
    accepted = 0
    for name, data in corpus.files(source):
        try:
            parsed = parse(data)
        except NotDicom:
            # what pydicom reads by itself is a DICOM file to us as well
            assert readable[name] != "yes", name
        except Unreadable as error:
            assert "byte" in str(error) or error.reason == "bomb", name  # noqa: PT017
        else:
            accepted += 1
            assert parsed.elements[-1].end <= parsed.end
    assert accepted > 0
