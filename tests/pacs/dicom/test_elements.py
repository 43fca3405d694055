"""pacs.dicom.elements: every place it gives is pydicom's, and no bytes make it fail in an unforeseen way."""

from __future__ import annotations

import mmap
import tracemalloc
import warnings
from io import BytesIO
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import RepeatersDictionary
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from pacs.dicom.dictionary import PIXEL_DATA, public_vr
from pacs.dicom.elements import (
    MAX_DEPTH,
    MAX_VALUE,
    Element,
    Malformed,
    TooDeep,
    TooMany,
    Truncated,
    Unreadable,
    find,
    ints,
    raw,
    text,
    texts,
    walk,
)
from pacs.dicom.part10 import parse
from tests.pacs import corpus
from tests.pacs.datasets import datasets, encode, file_bytes

ITEM = b"\xfe\xff\x00\xe0"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
OPEN = b"\xff\xff\xff\xff"


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One explicit element."""
    head = pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + pack("<HI", 0, len(value)) + value
    return head + pack("<H", len(value)) + value


def open_sequence(content: bytes, vr: bytes = b"SQ") -> bytes:
    return b"\x08\x00\x15\x11" + vr + b"\0\0" + OPEN + content + SEQUENCE_END


def walk_all(data: bytes, *, explicit: bool = True) -> list[Element]:
    return walk(data, 0, len(data), explicit=explicit)


@given(datasets(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_random_data_sets_are_walked_as_pydicom_reads_them(ds: Dataset, implicit: bool) -> None:
    data = encode(ds, implicit=implicit)
    elements = walk_all(data, explicit=not implicit)
    theirs = read_dataset(BytesIO(data), implicit, True)
    tags = [int(tag) for tag in theirs.keys()]  # noqa: SIM118 - iterating a Dataset would convert its values
    assert [e.tag for e in elements] == tags
    assert elements[-1].end == len(data)
    for found in elements:
        if found.items is None:
            theirs_raw = theirs.get_item(found.tag)
            assert theirs_raw is not None
            assert raw(data, found) == (theirs_raw.value or b"")
        else:
            assert len(found.items) == len(theirs[found.tag].value)
            for item, inner in zip(theirs[found.tag].value, found.items, strict=True):
                assert [int(tag) for tag in item.keys()] == [e.tag for e in inner.elements]  # noqa: SIM118
                assert inner.explicit is not implicit or not inner.elements


@given(datasets(), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_bytes_raise_nothing_but_typed_errors(ds: Dataset, implicit: bool, data: st.DataObject) -> None:
    encoded = bytearray(encode(ds, implicit=implicit))
    for _ in range(data.draw(st.integers(1, 6))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(encoded)))
    reasons: set[str] = set()
    for sample in (bytes(encoded), bytes(encoded[:cut])):
        try:
            elements = walk_all(sample, explicit=not implicit)
        except Unreadable as error:
            reasons.add(error.reason)
            continue
        assert all(0 <= e.offset < e.start <= e.start + e.length <= e.end <= len(sample) for e in elements)
    assert reasons <= {"truncated", "malformed", "too_deep", "too_many"}


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_raise_nothing_but_typed_errors(data: bytes, explicit: bool) -> None:
    try:
        elements = walk_all(data, explicit=explicit)
    except Unreadable:
        return
    assert sum(e.end - e.offset for e in elements) <= len(data)


def test_values_are_read_by_accessors() -> None:
    data = (
        element(0x00080008, b"CS", b"ORIGINAL\\PRIMARY ")
        + element(0x00280009, b"AT", b"\x18\x00\x63\x10\x18\x00\x65\x10")
        + element(0x00280010, b"US", b"\x00\x02")
        + element(0x00280106, b"SS", b"\xff\xff")
        + element(0x00280008, b"IS", b" 12 ")
        + element(0x00200013, b"IS", b"x\\7\\" + b"9" * 5000)
    )
    elements = walk_all(data)
    assert texts(data, find(elements, 0x00080008)) == ["ORIGINAL", "PRIMARY"]
    assert text(data, find(elements, 0x00100010)) == ""
    assert texts(data, None) == []
    assert ints(data, find(elements, 0x00280009)) == [0x00181063, 0x00181065]
    assert ints(data, find(elements, 0x00280010)) == [512]
    assert ints(data, find(elements, 0x00280106)) == [-1]
    assert ints(data, find(elements, 0x00280008)) == [12]
    assert ints(data, find(elements, 0x00200013)) == [7]


def test_implicit_elements_get_the_dictionarys_vr() -> None:
    def implicit(tag: int, value: bytes) -> bytes:
        return pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value

    data = (
        implicit(0x00080000, b"\x04\0\0\0")
        + implicit(0x00190010, b"SIEMENS MR HEADER ")
        + implicit(0x0019100C, b"1000")
        + implicit(0x001910FE, b"??")
        + implicit(0x00280103, b"\x01\x00")
        + implicit(0x00280106, b"\xff\xff")
        + implicit(0x7FE00010, b"\0\0")
    )
    assert [e.vr for e in walk_all(data, explicit=False)] == ["UL", "LO", "IS", "UN", "US", "SS", "OW"]


def test_private_elements_sent_as_un_get_their_creators_vr() -> None:
    data = element(0x00190010, b"UN", b"SIEMENS MR HEADER ") + element(0x0019100C, b"UN", b"1000")
    assert [e.vr for e in walk_all(data)] == ["LO", "IS"]


def test_un_of_undefined_length_is_a_sequence_of_implicit_items() -> None:
    inner = pack("<HHI", 0x0008, 0x1150, 4) + b"1.2\0"
    data = open_sequence(ITEM + OPEN + inner + ITEM_END, b"UN") + element(0x00100020, b"LO", b"ID")
    first, second = walk_all(data)
    assert first.vr == "SQ"
    assert first.items is not None
    assert not first.items[0].explicit
    assert text(data, first.items[0].elements[0]) == "1.2"
    assert second.tag == 0x00100020


def test_un_that_the_dictionary_calls_a_sequence_stays_opaque_when_it_is_none() -> None:
    (found,) = walk_all(element(0x00081115, b"UN", b"no items"))
    assert (found.vr, found.items, found.length) == ("UN", None, 8)


def test_encapsulated_pixel_data_and_what_follows_it() -> None:
    pixels = b"\xe0\x7f\x10\x00OB\0\0" + OPEN + ITEM + pack("<I", 0) + ITEM + pack("<I", 4) + b"\xff\xd8\xff\xd9"
    data = pixels + SEQUENCE_END + element(0xFFFCFFFC, b"OB", b"\0\0")
    first, second = walk_all(data)
    assert first.tag == PIXEL_DATA
    assert first.fragments == ((20, 0), (28, 4))
    assert first.end == second.offset
    assert first.length == first.end - 8 - first.start


def test_zero_padding_and_a_few_stray_bytes_end_the_data_set() -> None:
    one = element(0x00100020, b"LO", b"ID")
    assert len(walk_all(one + bytes(100_000))) == 1
    assert len(walk_all(one + b"\x01\x02\x03")) == 1


def test_zeros_that_are_no_padding_are_elements() -> None:
    (*zeros, last) = walk_all(bytes(8 * 1000) + element(0x00100020, b"LO", b"ID"))
    assert len(zeros) == 1000
    assert last.tag == 0x00100020


def test_accessors_look_at_a_bounded_part_of_a_value() -> None:
    data = pack("<HHI", 0x0028, 0x0010, 1 << 20) + bytes(1 << 20)
    (rows,) = walk_all(data, explicit=False)
    assert len(ints(data, rows)) == MAX_VALUE // 2
    data = pack("<HHI", 0x0008, 0x0018, 1 << 20) + b"1" * (1 << 20)
    assert len(text(data, walk_all(data, explicit=False)[0])) == MAX_VALUE


@pytest.mark.parametrize("pattern", sorted(RepeatersDictionary))
def test_repeating_groups_are_found_as_pydicom_finds_them(pattern: str) -> None:
    for digit in "02468ACE":
        tag = int(pattern.replace("x", digit), 16)
        assert public_vr(tag) == dictionary_VR(tag)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (element(0x00100020, b"LO", b"ID")[:-1], Truncated),
        (b"\x10\x00\x20\x00UT\0\0\xfe\xff\xff\xff", Truncated),
        (b"\x10\x00\x20\x00UT\0\0", Truncated),
        (open_sequence(b"")[:-8], Truncated),
        (open_sequence(ITEM + OPEN + element(0x00100020, b"LO", b"ID")), Malformed),
        (open_sequence(ITEM + pack("<I", 400)), Truncated),
        (open_sequence(b"\x10\x00\x20\x00\0\0\0\0"), Malformed),
        (element(0x00081115, b"SQ", ITEM + pack("<I", 2) + b"\0\0"), Truncated),
        (b"\xe0\x7f\x10\x00OB\0\0" + OPEN + ITEM + pack("<I", 0), Truncated),
        (b"\xe0\x7f\x10\x00OB\0\0" + OPEN + ITEM + OPEN, Truncated),
        (ITEM_END, Malformed),
    ],
)
def test_broken_structures_are_refused_with_a_sentence(data: bytes, error: type[Unreadable]) -> None:
    with pytest.raises(error, match="byte") as caught:
        walk_all(data)
    assert caught.value.status == 422
    assert caught.value.safe == str(caught.value)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 10_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    opening = b"\x40\x00\x75\x02SQ\0\0" + OPEN + ITEM + OPEN
    with pytest.raises(TooDeep, match="nested deeper"):
        walk_all(opening * depth + (ITEM_END + SEQUENCE_END) * depth)


def test_nesting_up_to_the_cap_is_read() -> None:
    opening = b"\x40\x00\x75\x02SQ\0\0" + OPEN + ITEM + OPEN
    level: tuple[Element, ...] = tuple(walk_all(opening * MAX_DEPTH + (ITEM_END + SEQUENCE_END) * MAX_DEPTH))
    depth = 0
    while level:
        depth += 1
        assert level[0].items is not None
        level = level[0].items[0].elements
    assert depth == MAX_DEPTH


@pytest.mark.parametrize("item", [ITEM + pack("<I", 0), ITEM + OPEN + ITEM_END])
def test_a_million_empty_items_are_refused_in_flat_memory(item: bytes) -> None:
    data = open_sequence(item * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooMany, match="empty items"):
            walk_all(data)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_too_many_elements_are_refused_wherever_they_are() -> None:
    flat = element(0x00100020, b"LO", b"") * 1_001
    nested = element(0x00081115, b"SQ", (ITEM + pack("<I", 80) + flat[:80]) * 100)
    fragments = b"\xe0\x7f\x10\x00OB\0\0" + OPEN + (ITEM + pack("<I", 0)) * 1_001 + SEQUENCE_END
    for data in (flat, nested, fragments):
        with pytest.raises(TooMany):
            walk(data, 0, len(data), explicit=True, max_nodes=1_000)
    assert len(walk(flat, 0, len(flat), explicit=True, max_nodes=1_001)) == 1_001


def test_a_mapped_file_and_a_view_are_walked_like_bytes(tmp_path: Path) -> None:
    data = element(0x00100020, b"LO", b"ID") + element(PIXEL_DATA, b"OW", bytes(1 << 20))
    path = tmp_path / "data"
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert walk(mapped, 0, len(mapped), explicit=True) == walk_all(data)
        assert raw(mapped, walk_all(data)[0]) == b"ID"
    assert walk(memoryview(data), 0, len(data), explicit=True) == walk_all(data)


@pytest.mark.parametrize("source", corpus.sources())
def test_real_files_are_walked_as_pydicom_reads_them(source: str) -> None:
    for name, data in corpus.files(source):
        try:
            parsed = parse(data)
        except Unreadable:
            continue  # test_part10 says which
        if not parsed.is_original_bytes:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = read_dataset(BytesIO(data[parsed.start :]), not parsed.explicit, True)
        tags = {e.tag for e in parsed.elements}
        assert tags == {int(tag) for tag in theirs.keys()}, name  # noqa: SIM118
        last = {e.tag: e for e in parsed.elements}
        for tag, found in last.items():
            item = theirs.get_item(tag)
            assert item is not None
            if found.items is None and isinstance(item.value, bytes):
                assert raw(data, found) == item.value, f"{name} {tag:08X}"


def test_pydicoms_own_file_is_walked_to_its_end() -> None:
    ds = Dataset()
    ds.PatientID = "A"
    data = file_bytes(ds)
    assert parse(data).elements[-1].end == len(data)
