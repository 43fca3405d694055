"""pacs.pixels.tables: palettes as pydicom applies them, segmented ones, and damaged ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from pacs.pixels import tables
from tests.pacs.pixels.samples import header

INDICES = np.arange(-5, 300).reshape(5, 61)


def _palette(count: int, first: int, bits: int, red: bytes, **more: bytes) -> Dataset:
    ds = header(5, 61, PhotometricInterpretation="PALETTE COLOR")
    data = {"Red": red} | {name.capitalize(): value for name, value in more.items()}
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [count, first, bits])
        setattr(ds, f"{name}PaletteColorLookupTableData", data.get(name, red))
    return ds


def _colours(ds: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    found = tables.palette(ds)
    assert found is not None
    return tables.colours(found, INDICES)


@pytest.mark.parametrize("first", [0, 20])
def test_sixteen_bit_palettes_are_pydicoms(first: int) -> None:
    entries = (np.arange(256, dtype="<u2") * 257).tobytes()
    ds = _palette(256, first, 16, entries, green=entries[::-1])
    np.testing.assert_array_equal(_colours(ds), apply_color_lut(INDICES, ds) >> 8)


def test_eight_bit_entries_lie_in_bytes_or_in_words() -> None:
    entries = np.arange(256, dtype=np.uint8)[::-1]
    in_bytes = _colours(_palette(256, 0, 8, entries.tobytes()))
    np.testing.assert_array_equal(in_bytes, _colours(_palette(256, 0, 8, entries.astype("<u2").tobytes())))
    np.testing.assert_array_equal(in_bytes[..., 0].ravel()[5:261], entries)


def _segmented(bits: int, words: list[int]) -> list[int] | None:
    ds = header(5, 61, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [6, 0, bits])
        data = np.array(words, "<u2" if bits == 16 else "<u1").tobytes()
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", data)
    found = tables.palette(ds)
    return None if found is None else found[0].entries.tolist()


@pytest.mark.parametrize(
    ("bits", "words", "entries"),
    [
        (16, [0, 2, 10, 20, 1, 4, 100], [10, 20, 40, 60, 80, 100]),
        (16, [0, 3, 7, 8, 9, 2, 1, 0, 0], [7, 8, 9, 7, 8, 9]),
        (8, [0, 3, 7, 8, 9, 2, 1, 0, 0, 0, 0], [7, 8, 9, 7, 8, 9]),
        (16, [0, 1, 4, 0, 2, 5, 6, 2, 1, 6, 0, 0, 1, 9], [4, 5, 6, 5, 6, 9]),
    ],
)
def test_segments_are_expanded(bits: int, words: list[int], entries: list[int]) -> None:
    assert _segmented(bits, words) == entries


@pytest.mark.parametrize("words", [[], [1, 3, 9], [0, 1, 5, 2, 1, 6, 0], [9, 9, 9], [0, 1, 5, 1, 0, 9], [0, 2, 5, 6]])
def test_segments_that_make_no_palette_are_none(words: list[int]) -> None:
    assert _segmented(16, words) is None


def test_segments_can_not_grow_without_end() -> None:
    repeated = [0, 2, 5, 6] + [2, 65535, 0, 0] * 3000
    assert _segmented(16, repeated) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 65535), max_size=4), st.binary(max_size=64), st.binary(max_size=64))
def test_damaged_palettes_are_none_or_palettes(described: list[int], plain: bytes, segments: bytes) -> None:
    ds = header(5, 61, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", described)
        if plain:
            setattr(ds, f"{name}PaletteColorLookupTableData", plain)
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", segments)
    found = tables.palette(ds)
    assert found is None or tables.colours(found, INDICES).shape == (5, 61, 3)
