"""pacs.pixels.default_window: images without a window, as they are usually looked at."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from pacs.pixels.render import Rendition, animation
from pacs.pixels.window import Span, automatic, grey
from tests.pacs.pixels.samples import LITTLE, header


def _body(air: float = 0.5) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """A CT frame: air, soft tissue around 50 HU, a little bone."""
    made = np.full(10_000, 1074, np.int16)
    made[: int(10_000 * air)] = 24
    made[-500:] = 2224
    made[-1500:-1000] = np.arange(500) % 100 + 1024
    return made.reshape(100, 100)


def _ct(**values: Any) -> Dataset:
    attributes: dict[str, Any] = {
        "Modality": "CT",
        "PixelRepresentation": 1,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    return header(100, 100, **(attributes | values))


def test_c_8_2_1_ct_without_a_window_is_seen_in_that_of_soft_tissue() -> None:
    assert automatic(_ct(), _body()) == Span(-160, 240)
    found = grey(_ct(), _body())
    windowed = grey(_ct(WindowCenter=40, WindowWidth=400, VOILUTFunction="LINEAR_EXACT"), _body())
    np.testing.assert_array_equal(found, windowed)


@pytest.mark.parametrize(
    "values",
    [
        {"RescaleType": "US"},
        {"RescaleIntercept": None, "RescaleSlope": None},
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"Modality": "MR"},
    ],
)
def test_c_8_2_1_what_is_not_in_hounsfield_units_fills_the_display(values: dict[str, Any]) -> None:
    assert automatic(_ct(**values), _body()) != Span(-160, 240)


def test_a_ct_image_with_hardly_any_soft_tissue_fills_the_display() -> None:
    assert automatic(_ct(), np.where(_body(0.95) == 1074, 24, _body(0.95))).high > 1000


def _pet(**values: Any) -> Dataset:
    """1 MBq per kilogram was given an half-life ago: an SUV of 1 are 500 Bq/ml."""
    given = Dataset()
    given.RadionuclideTotalDose, given.RadionuclideHalfLife = 70e6, 6000
    given.RadiopharmaceuticalStartTime = "235000"
    attributes: dict[str, Any] = {
        "Modality": "PT",
        "Units": "BQML",
        "DecayCorrection": "START",
        "PatientWeight": 70,
        "SeriesTime": "013000.00",
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "RadiopharmaceuticalInformationSequence": [given],
    }
    return header(100, 100, **(attributes | values))


@pytest.mark.parametrize(
    ("values", "most", "high"),
    [
        ({}, 100, 1000),
        ({}, 2000, 2000),
        ({}, 60_000, 3000),
        ({"DecayCorrection": "ADMIN"}, 60_000, 6000),
        ({"Units": "GML"}, 3, 3),
        ({"Units": "GML"}, 90, 6),
        ({"PatientWeight": None}, 60_000, 60_000),
        ({"Units": "CNTS"}, 123, 123),
        ({"SeriesTime": "01"}, 123, 123),
    ],
)
def test_c_8_9_pet_is_seen_from_nothing_to_what_it_takes_up(values: dict[str, Any], most: int, high: float) -> None:
    stored = np.zeros((100, 100), "<u2")
    stored[20:60, 20:60] = most
    span = automatic(_pet(**values), stored)
    assert span.low == 0
    assert span.high == pytest.approx(high)
    assert int(grey(_pet(**values), stored)[30, 30]) == pytest.approx(min(most / high, 1) * 255, abs=1)


def test_c_8_20_2_a_segment_is_as_white_in_every_frame() -> None:
    full = np.ones((4, 4), np.uint8)
    assert set(np.unique(grey(header(4, 4, 1), full))) == {255}
    assert set(np.unique(grey(header(4, 4, 1, SegmentationType="BINARY"), full))) == {255}
    fractional = header(4, 4, 8, SegmentationType="FRACTIONAL", MaximumFractionalValue=200)
    assert set(np.unique(grey(fractional, full * 50))) == {64}
    assert set(np.unique(grey(header(4, 4, 8, SegmentationType="LABELMAP"), full * 50))) == {128}


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT"])
def test_a_width_of_1_is_no_threshold_for_values_that_are_no_integers(function: str | None) -> None:
    ds = header(1, 3, 32, BitsStored=None, HighBit=None, PixelRepresentation=None, WindowCenter=0.5, WindowWidth=1)
    ds.VOILUTFunction = function
    assert grey(ds, np.array([[0, 0.5, 1]], "<f4")).tolist() == [[0, 128, 255]]


def test_frames_of_an_animation_are_seen_in_one_range() -> None:
    stored = np.zeros((5, 4, 4), "<u2")
    stored[:, 0, 0] = [10, 20, 30, 40, 100]
    ds = header(4, 4, NumberOfFrames=5)
    made = animation(ds, range(5), lambda index: stored[index].tobytes(), LITTLE, Rendition("image/gif"))
    moving = Image.open(BytesIO(made))
    found = []
    for index in range(5):
        moving.seek(index)
        found.append(int(np.asarray(moving.convert("L"))[0, 0]))
    assert found == pytest.approx([255 * value / 100 for value in (10, 20, 30, 40, 100)], abs=1)
