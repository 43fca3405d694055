"""Overlays in the copy: marks stay and ask for a look, nothing hides behind them, masks reach them."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from pacs.deid import overlays
from pacs.deid.header import deidentify
from pacs.deid.overlays import DAMAGED, LEFT_OUT, MARKS
from pacs.deid.profile import BASIC, SECOND_OPINION
from pacs.deid.result import Deidentified
from pacs.dicom.part10 import parse
from pacs.pixels.blank import Box
from pacs.pixels.draw import draw
from tests.pacs.deid.planted import BIG, DEFLATED, EXPLICIT, IMPLICIT, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET, read

SIDE = 4  # of the skeleton's picture


def overlay(data: bytes, group: int = 0x6000, *more: El, rows: int = SIDE, columns: int = SIDE) -> list[El]:
    tag = group << 16
    return [
        El(tag | 0x10, "US", pack("<H", rows)),
        El(tag | 0x11, "US", pack("<H", columns)),
        text(tag | 0x40, "CS", "G"),
        El(tag | 0x50, "SS", pack("<hh", 1, 1)),
        El(tag | 0x100, "US", pack("<H", 1)),
        El(tag | 0x102, "US", pack("<H", 0)),
        El(tag | 0x3000, "OW", data),
        *more,
    ]


def made(elements: list[El], syntax: str = EXPLICIT) -> tuple[Deidentified, Dataset, Dataset]:
    source = part10([*skeleton(), *elements], syntax)
    result = deidentify(parse(source), secret=SECRET)
    return result, pydicom.dcmread(BytesIO(source)), read(result, source)


def drawn(ds: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return draw(ds, ds.PixelData, "1.2.840.10008.1.2.1")


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_marks_stay_and_ask_for_a_look(syntax: str) -> None:
    result, _, ds = made([*overlay(b"\x21\x84"), *overlay(b"\0\x01", 0x6002)], syntax)
    assert result.review_reasons == [MARKS]
    assert (result.actions[0x60003000], result.actions[0x60023000]) == ("C", "C")
    assert [ds[group, 0x3000].value for group in (0x6000, 0x6002)] == [b"\x21\x84", b"\0\x01"]
    assert drawn(ds).reshape(-1)[[0, 5, 10, 15]].tolist() == [255, 255, 255, 255]


def test_an_overlay_without_marks_goes_and_asks_nothing() -> None:
    result, _, ds = made(overlay(bytes(2)))
    assert result.review_reasons == []
    assert not [element for element in ds if element.tag.group == 0x6000]
    # So does one of which only bits behind its last pixel are set.
    result, _, ds = made(overlay(b"\0\0\xff\xff", rows=3, columns=5))
    assert result.review_reasons == []
    assert (0x6000, 0x3000) not in ds


def test_nothing_hides_in_an_overlay() -> None:
    mark = b"ZQANNA GARDNER"
    more = [
        text(0x60000022, "LO", mark.decode()),
        text(0x60001500, "LO", mark.decode()),
        text(0x60004000, "LT", mark.decode()),
        text(0x60000045, "LO", mark.decode()),
        text(0x60010010, "LO", mark.decode()),
        El(0x60011001, "UN", mark),
        El(0x60203000, "OW", mark),
    ]
    result, _, ds = made(overlay(b"\x21\x84" + mark, 0x6000, *more))
    assert mark not in result.header
    assert ds[0x6000, 0x3000].value == b"\x21\x84"
    result, _, ds = made(overlay(b"\x21\xfe\xff\xff", rows=3, columns=3))
    assert ds[0x6000, 0x3000].value == b"\x21\x00"


@pytest.mark.parametrize(
    "elements",
    [
        overlay(b"\x01\0", rows=0),
        overlay(b"\x01\0", rows=400, columns=400),
        [El(0x60003000, "OW", b"\x01\0")],
        overlay(b"\x01\0", 0x6000, text(0x60000015, "IS", "-1")),
    ],
)
def test_what_can_t_be_read_is_left_out_and_said(elements: list[El]) -> None:
    result, _, ds = made(elements)
    assert result.review_reasons == [DAMAGED]
    assert not [element for element in ds if element.tag.group == 0x6000]


def test_a_profile_without_graphics_says_that_marks_are_missing() -> None:
    source = part10([*skeleton(), *overlay(b"\x21\x84")], EXPLICIT)
    result = deidentify(parse(source), secret=SECRET, profile=BASIC)
    assert result.review_reasons == [LEFT_OUT]
    assert (0x6000, 0x3000) not in read(result, source)
    assert SECOND_OPINION.clean_graphics


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(-5, 6),
    st.integers(-5, 6),
    st.binary(max_size=24),
)
def test_the_copy_is_drawn_as_the_original(
    rows: int, columns: int, frames: int, top: int, left: int, data: bytes
) -> None:
    elements = [
        *(e for e in overlay(data + bytes(len(data) & 1), rows=rows, columns=columns) if e.tag != 0x60000050),
        El(0x60000050, "SS", pack("<hh", top, left)),
        text(0x60000015, "IS", str(frames)),
    ]
    result, before, after = made(elements)
    if result.review_reasons != [DAMAGED]:
        assert np.array_equal(drawn(before), drawn(after))


boxes = st.builds(Box, st.integers(0, 7), st.integers(0, 7), st.integers(1, 8), st.integers(1, 8))


@given(
    st.lists(boxes, max_size=3),
    st.integers(-3, 6),
    st.integers(-3, 6),
    st.integers(1, 2),
    st.binary(min_size=8, max_size=8),
)
def test_boxes_of_the_picture_are_blank_in_the_overlay(
    blank: list[Box], top: int, left: int, frames: int, data: bytes
) -> None:
    rows, columns = 5, 6
    marks = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: frames * rows * columns]
    ds = Dataset()
    for element, vr, value in (
        (0x10, "US", rows), (0x11, "US", columns), (0x15, "IS", frames), (0x50, "SS", [top, left]),
        (0x3000, "OW", np.packbits(marks, bitorder="little").tobytes()),
    ):  # fmt: skip
        ds.add_new(0x60000000 | element, vr, value)
    vr, value = overlays.blanked(ds, blank)[0x60003000]
    left_over = np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")[: frames * rows * columns]
    assert vr == "OW"
    for at, (before, after) in enumerate(zip(marks, left_over, strict=True)):
        y, x = at // columns % rows + top - 1, at % columns + left - 1
        inside = any(b.top <= y < b.top + b.height and b.left <= x < b.left + b.width for b in blank)
        assert after == (0 if inside else before)
