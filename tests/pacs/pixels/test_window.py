"""pacs.pixels.window: pydicom's modality and VOI transformations, and what pydicom leaves to viewers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_windowing

from overread.kit.errors import BadInput
from pacs.pixels import window
from pacs.pixels.window import Window, grey, modality, padding
from tests.pacs.pixels.samples import header

RAMP: NDArray[Any] = np.arange(4096, dtype="<u2").reshape(64, 64)


def _ct(**values: Any) -> Dataset:
    return header(64, 64, **({"BitsStored": 12, "HighBit": 11, "RescaleSlope": 1, "RescaleIntercept": -1024} | values))


def _pydicom(ds: Dataset, stored: NDArray[Any]) -> NDArray[Any]:
    """Display levels by pydicom's window, whose output lies in the modality's range."""
    with np.errstate(over="ignore"):  # pydicom's sigmoid lets its exponential become infinite
        units = apply_windowing(apply_modality_lut(stored, ds), ds)
    low, high = ds.RescaleIntercept, ds.RescaleIntercept + ds.RescaleSlope * 4095
    levels: NDArray[Any] = (units - low) / (high - low) * 255
    return levels


@settings(deadline=None)
@given(
    st.floats(-2000, 4000).map(lambda n: round(n, 2)),
    st.floats(1, 5000).map(lambda n: round(n, 2)),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.sampled_from([0.5, 1, 3.25]),
)
def test_windows_are_pydicoms(center: float, width: float, function: str, slope: float) -> None:
    ds = _ct(WindowCenter=center, WindowWidth=width, VOILUTFunction=function, RescaleSlope=slope)
    found = grey(ds, RAMP).astype(float)
    assert float(np.abs(found - _pydicom(ds, RAMP)).max()) <= 0.501


def test_a_table_of_levels_gives_what_the_pixels_themselves_would() -> None:
    few, many = RAMP[:2], RAMP
    ds = _ct(WindowCenter=40, WindowWidth=400)
    # The first frame has as many values as pixels and goes pixel by pixel, the second through a table.
    np.testing.assert_array_equal(grey(ds, few), grey(ds, np.concatenate([many, few]))[64:])


def test_the_narrowest_windows_are_steps() -> None:
    levels = Window(10, 1).apply(np.array([9.0, 9.5, 10.0]))
    np.testing.assert_array_equal(levels, [0, 0, 1])


@pytest.mark.parametrize(("center", "width"), [(0, 0), (0, 0.5), (0, -3), (float("nan"), 10), (0, float("inf"))])
def test_a_requested_window_without_meaning_is_refused(center: float, width: float) -> None:
    with pytest.raises(BadInput):
        Window(center, width)


def test_a_requested_window_wins_over_the_headers() -> None:
    ds = _ct(WindowCenter=40, WindowWidth=400)
    found = grey(ds, RAMP, window=Window(1000, 200, "LINEAR_EXACT"))
    np.testing.assert_array_equal(
        found, grey(_ct(WindowCenter=1000, WindowWidth=200, VOILUTFunction="LINEAR_EXACT"), RAMP)
    )


@settings(deadline=None)
@given(
    st.floats(0, 4).map(lambda n: round(n, 3)),
    st.floats(0.01, 0.99).map(lambda n: round(n, 3)),
    st.sampled_from(["", "LINEAR", "LINEAR_EXACT"]),
    st.sampled_from([0.001, 0.0125, 0.0002]),
)
def test_a_window_narrower_than_1_is_meant_exactly_where_values_are(
    center: float, width: float, function: str, slope: float
) -> None:
    """pydicom refuses such a LINEAR window, and is asked for the exact one."""
    values = {"WindowCenter": center, "WindowWidth": width, "RescaleSlope": slope, "RescaleIntercept": 0}
    found = grey(_ct(**values, VOILUTFunction=function), RAMP)
    exact = _ct(**values, VOILUTFunction="LINEAR_EXACT")
    units = apply_windowing(apply_modality_lut(RAMP, exact), exact)
    low, high = 0, slope * 4095
    assert float(np.abs(found - (units - low) / (high - low) * 255).max()) <= 0.501


def test_a_frames_own_rescale_tells_whether_its_window_is_narrow() -> None:
    ds = header(64, 64, RescaleSlope=1, RescaleIntercept=0)
    item = _frame(2, 0.001)
    item.FrameVOILUTSequence[0].WindowWidth = 0.5
    ds.SharedFunctionalGroupsSequence = [item]
    found = grey(ds, RAMP)
    assert (found[0, 0], found[-1, -1], found.ravel()[2000]) == (0, 255, 128)


@pytest.mark.parametrize("slope", [1, 2, 0])
def test_between_whole_values_a_narrower_one_means_nothing(slope: float) -> None:
    narrow = _ct(WindowCenter=40, WindowWidth=0.5, RescaleSlope=slope)
    np.testing.assert_array_equal(grey(narrow, RAMP), grey(_ct(RescaleSlope=slope), RAMP))


def test_the_headers_useless_window_is_passed_over() -> None:
    np.testing.assert_array_equal(grey(_ct(WindowCenter=40, WindowWidth=0), RAMP), grey(_ct(), RAMP))


def test_of_several_windows_the_first_is_taken() -> None:
    several = _ct(WindowCenter=[40, 300], WindowWidth=[400, 1500])
    np.testing.assert_array_equal(grey(several, RAMP), grey(_ct(WindowCenter=40, WindowWidth=400), RAMP))


def _frame(center: float, slope: float) -> Dataset:
    item, voi, values = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = center, 100
    values.RescaleSlope, values.RescaleIntercept = slope, 0
    item.FrameVOILUTSequence, item.PixelValueTransformationSequence = [voi], [values]
    return item


def test_every_frame_has_its_own_functional_groups_and_else_the_shared_ones() -> None:
    ds = header(64, 64)
    ds.SharedFunctionalGroupsSequence = [_frame(1000, 2)]
    ds.PerFrameFunctionalGroupsSequence = [_frame(50, 1), Dataset()]
    for index, plain in enumerate(
        [
            header(64, 64, WindowCenter=50, WindowWidth=100, RescaleSlope=1, RescaleIntercept=0),
            header(64, 64, WindowCenter=1000, WindowWidth=100, RescaleSlope=2, RescaleIntercept=0),
            header(64, 64, WindowCenter=1000, WindowWidth=100, RescaleSlope=2, RescaleIntercept=0),  # no third item
        ]
    ):
        np.testing.assert_array_equal(grey(ds, RAMP, index), grey(plain, RAMP))


def test_modality_tables_come_before_the_rescale() -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [3, 10, 16], [100, 200, 300]
    ds = _ct(ModalityLUTSequence=[item])
    np.testing.assert_array_equal(modality(ds, np.array([0, 10, 11, 12, 99])), [100, 100, 200, 300, 300])


def test_voi_tables_come_before_windows_and_take_negative_inputs() -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [3, 65535, 8], [0, 51, 255]
    ds = _ct(VOILUTSequence=[item], WindowCenter=1, WindowWidth=2)
    stored = np.array([[1022, 1023, 1024, 1025]], "<u2")  # -2, -1, 0, 1
    np.testing.assert_array_equal(grey(ds, stored), [[0, 0, 51, 255]])


def test_a_voi_table_without_data_is_passed_over() -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [256, 0, 8], b""
    ds = _ct(VOILUTSequence=[item], WindowCenter=40, WindowWidth=400)
    np.testing.assert_array_equal(grey(ds, RAMP), grey(_ct(WindowCenter=40, WindowWidth=400), RAMP))


@pytest.mark.parametrize(
    "values",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_inverse_images_are_turned_once(values: dict[str, str]) -> None:
    plain = grey(_ct(WindowCenter=40, WindowWidth=400), RAMP).astype(int)
    turned = grey(_ct(WindowCenter=40, WindowWidth=400, **values), RAMP).astype(int)
    assert int(np.abs(plain + turned - 255).max()) <= 1


def test_padding_is_black_and_left_out_of_the_automatic_range() -> None:
    stored = np.array([[-2000, -2000, 100, 150, 200, -1999]], "<i2")
    values: dict[str, Any] = {"PixelRepresentation": 1, "PhotometricInterpretation": "MONOCHROME1"}
    ds = header(1, 6, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1999, **values)
    assert grey(ds, stored).tolist() == [[0, 0, 255, 128, 0, 0]]
    written_as_us = header(1, 6, PixelRepresentation=1)
    written_as_us.add_new(0x00280120, "US", 63536)
    hidden = padding(written_as_us, stored)
    assert hidden is not None
    assert hidden.tolist() == [[True, True, False, False, False, False]]


def test_a_frame_of_padding_alone_is_black() -> None:
    assert not grey(header(2, 2, PixelPaddingValue=7), np.full((2, 2), 7, "<u2")).any()


def test_without_a_window_the_images_own_values_fill_the_display() -> None:
    found = grey(header(64, 64), RAMP)
    assert (int(found.min()), int(found.max())) == (0, 255)
    outlier = RAMP // 8
    outlier[0, 0] = 60000
    assert int(grey(header(64, 64), outlier)[63, 63]) == 255


def test_a_few_pixels_on_nothing_are_seen() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[0, 0] = 1
    assert int(grey(header(64, 64, 1), mask)[0, 0]) == 255


def test_screenshots_are_shown_as_they_are() -> None:
    image = np.array([[20, 100], [180, 200]], np.uint8)
    np.testing.assert_array_equal(grey(header(2, 2, 8), image), image)


def test_the_automatic_range_is_the_same_by_table_and_by_pixel() -> None:
    values = {"RescaleSlope": -2, "RescaleIntercept": 5}
    by_pixel = grey(header(64, 64, **values), RAMP)
    by_table = grey(header(128, 64, **values), np.concatenate([RAMP, RAMP]))
    np.testing.assert_allclose(by_table[:64].astype(int), by_pixel, atol=1)


def test_floats_that_are_no_numbers_are_black() -> None:
    stored = np.array([[np.nan, 0, 5, 10, np.inf]], "<f4")
    assert grey(header(1, 5, 32), stored).tolist() == [[0, 0, 128, 255, 0]]


def test_damaged_values_count_as_absent() -> None:
    ds = _ct()
    ds.add_new(0x00281050, "DS", "1e400")
    ds.add_new(0x00281051, "LO", "wide")
    assert window.voi(ds) is None
    assert modality(header(RescaleSlope="0", RescaleIntercept="3"), np.array([4])).tolist() == [7]
