"""Kinds of images that the corpus has few of, drawn as pydicom's own pixel functions give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.overlays.numpy_handler import get_overlay_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_rescale, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from pacs.pixels import tables
from pacs.pixels.draw import draw
from tests.conformance.rendered_objects import image, item
from tests.pacs.pixels.samples import BIG, LITTLE

RANDOM = np.random.default_rng(11)
SIGNED = RANDOM.integers(-2000, 2000, (30, 40)).astype("<i2")


def _shares(units: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    shares: NDArray[Any] = (units.astype(float) - low) / (high - low) * 255
    return shares


def _close(found: NDArray[Any], expected: NDArray[Any], by: float = 0.501) -> None:
    assert found.shape == expected.shape
    assert float(np.abs(found.astype(float) - expected).max()) <= by


@pytest.mark.parametrize("inverse", [False, True])
def test_signed_values_with_a_range_of_padding(inverse: bool) -> None:
    ds = image(
        SIGNED,
        PhotometricInterpretation="MONOCHROME1" if inverse else "MONOCHROME2",
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=100,
        WindowWidth=3000,
        PixelPaddingValue=-2000,
        PixelPaddingRangeLimit=-1500,
    )
    # pydicom spreads a window over the range of the stored values, after the modality transformation.
    expected = _shares(apply_voi_lut(apply_modality_lut(SIGNED, ds), ds), -32768 * 2 - 100, 32767 * 2 - 100)
    expected = 255 - expected if inverse else expected
    expected[SIGNED <= -1500] = 0
    _close(draw(ds, ds.PixelData, LITTLE), expected)


def test_modality_and_voi_tables() -> None:
    stored = RANDOM.integers(0, 256, (30, 40)).astype(np.uint8)
    first = item(LUTDescriptor=[256, 0, 16], LUTData=(np.arange(256, dtype="<u2") ** 2 // 16).tolist())
    second = item(LUTDescriptor=[3000, 500, 16], LUTData=(np.arange(3000) * 20).tolist())
    for table in (first, second):
        table["LUTData"].VR = table["LUTDescriptor"].VR = "US"
    ds = image(stored, ModalityLUTSequence=[first], VOILUTSequence=[second])
    expected = _shares(apply_voi_lut(apply_modality_lut(stored, ds), ds), 0, 65535)
    _close(draw(ds, ds.PixelData, LITTLE), expected)


def _palette(ds: Dataset, count: int, first: int, data: dict[str, Any], kind: str = "") -> Dataset:
    for name, entries in data.items():
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [count, first, 16])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(ds, f"{kind}{name}PaletteColorLookupTableData", np.array(entries, "<u2").tobytes())
    return ds


def test_c_7_9_segmented_palettes() -> None:
    """Discrete, linear and indirect segments."""
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    steps = [0, 4, 0, 4096, 8192, 16384]
    data = {
        "Red": [*steps, 1, 252, 65535],
        "Green": [*steps, 1, 100, 60000, 1, 152, 7],
        "Blue": [*steps, 1, 124, 65535, 2, 2, 0, 0],  # the first two segments once more
    }
    ds = _palette(image(stored, PhotometricInterpretation="PALETTE COLOR"), 256, 0, data, "Segmented")
    expected = apply_color_lut(stored, ds)
    # pydicom cuts what lies between two entries off, and here it is rounded.
    _close(draw(ds, ds.PixelData, LITTLE), expected >> 8, by=1)


def test_c_8_16_2_supplemental_palettes_colour_only_the_highest_values() -> None:
    stored = RANDOM.integers(0, 1024, (30, 40)).astype("<u2")
    ramp = np.arange(256) * 257
    data = {"Red": ramp, "Green": ramp[::-1], "Blue": np.full(256, 4096)}
    ds = _palette(image(stored, PixelPresentation="COLOR", WindowCenter=384, WindowWidth=768), 256, 768, data)
    found = draw(ds, ds.PixelData, LITTLE)
    coloured = stored >= 768
    del ds.PixelPresentation  # pydicom looks up no supplemental palettes
    np.testing.assert_array_equal(found[coloured], (apply_color_lut(stored, ds) >> 8)[coloured])
    grey = _shares(apply_voi_lut(stored, ds), 0, 65535)
    _close(found[~coloured], np.repeat(grey[~coloured][:, None], 3, axis=1))


COLOURS = RANDOM.integers(0, 256, (30, 40, 3)).astype(np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colours_by_pixel_and_by_plane(photometric: str, planar: int) -> None:
    data = COLOURS.transpose(2, 0, 1) if planar else COLOURS
    ds = image(COLOURS, PhotometricInterpretation=photometric, PlanarConfiguration=planar, PixelData=data.tobytes())
    _close(draw(ds, ds.PixelData, LITTLE), pixel_array(ds), by=0 if photometric == "RGB" else 1)


def test_half_as_many_colours_as_pixels() -> None:
    made = RANDOM.integers(0, 256, 30 * 40 * 2).astype(np.uint8)
    ds = image(COLOURS, PhotometricInterpretation="YBR_FULL_422", PixelData=made.tobytes())
    _close(draw(ds, ds.PixelData, LITTLE), pixel_array(ds), by=1)


def test_the_retired_partial_colours_by_their_equations() -> None:
    """PS3.3 C.7.6.3.1.2, 2017: black is 16, white 235, and the colours lie around 128."""
    samples = np.array([[[16, 128, 128], [235, 128, 128], [81, 90, 240], [145, 54, 34], [41, 240, 110]]], np.uint8)
    ds = image(samples, PhotometricInterpretation="YBR_PARTIAL_422", PixelData=b"")
    # Two pixels share their colours: each is written twice.
    pairs = b"".join(bytes((y, y, b, r)) for y, b, r in samples[0].tolist())
    ds.Columns = 10
    found = draw(ds, pairs, LITTLE)[0, ::2]
    _close(found, np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]), by=2)


def test_half_as_many_partial_colours_as_pixels() -> None:
    """pydicom has no partial colours: it spreads the samples of the full ones, which lie the same way."""
    made = RANDOM.integers(16, 236, 30 * 40 * 2).astype(np.uint8)
    ds = image(COLOURS, PhotometricInterpretation="YBR_FULL_422", PixelData=made.tobytes())
    spread = pixel_array(ds, raw=True).astype(float)
    ds.PhotometricInterpretation = "YBR_PARTIAL_422"
    y, cb, cr = (spread[..., index] - (16, 128, 128)[index] for index in range(3))
    y *= 1.1644
    expected = np.stack([y + 1.5960 * cr, y - 0.3917 * cb - 0.8130 * cr, y + 2.0173 * cb], axis=-1)
    _close(draw(ds, made.tobytes(), LITTLE), np.clip(expected, 0, 255), by=1)


@pytest.mark.parametrize("syntax", [LITTLE, BIG])
def test_dose_grids_of_32_bits(syntax: str) -> None:
    stored = RANDOM.integers(0, 2**32, (3, 10, 12), np.uint64).astype("<u4")
    ds = image(stored, "1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", DoseGridScaling=1e-9, DoseUnits="GY")
    frame = stored[1].astype(">u4" if syntax == BIG else "<u4").tobytes()
    low, high = np.quantile(stored[1], (0.002, 0.998), method="nearest").astype(float)
    expected = np.clip(_shares(stored[1], low, high), 0, 255)
    _close(draw(ds, frame, syntax, 1), expected)


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_parametric_maps(kind: str) -> None:
    stored = RANDOM.normal(0, 0.3, (20, 20)).astype(f"<{kind}")
    ds = image(stored, "1.2.840.10008.5.1.4.1.1.30", "OT", BitsStored=None, HighBit=None, PixelRepresentation=None)
    setattr(ds, "FloatPixelData" if kind == "f4" else "DoubleFloatPixelData", ds.PixelData)
    del ds.PixelData
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 0.1, 1.2, "LINEAR_EXACT"
    ds.RescaleSlope, ds.RescaleIntercept = 2, 0.5
    expected = np.clip((apply_rescale(stored, ds) - 0.1) / 1.2 + 0.5, 0, 1) * 255
    _close(draw(ds, stored.tobytes(), LITTLE), expected)


def test_every_frame_by_its_own_functional_groups() -> None:
    stored = RANDOM.integers(0, 4096, (3, 10, 12)).astype("<u2")
    groups = []
    for number in range(3):
        plain = item(
            RescaleSlope=1 + number, RescaleIntercept=-1000 * number, RescaleType="US", WindowCenter=500 * number + 400,
            WindowWidth=900, BitsStored=16, PixelRepresentation=0, PhotometricInterpretation="MONOCHROME2",
        )  # fmt: skip
        groups.append(item(FrameVOILUTSequence=[plain], PixelValueTransformationSequence=[plain]))
    ds = image(stored, PerFrameFunctionalGroupsSequence=groups)
    for number, group in enumerate(groups):
        plain = group.FrameVOILUTSequence[0]
        units = apply_voi_lut(apply_modality_lut(stored[number], plain), plain)
        low, high = -1000 * number, 65535 * (1 + number) - 1000 * number
        _close(draw(ds, stored[number].tobytes(), LITTLE, number), _shares(units, low, high))


def test_overlays_lie_where_pydicom_finds_them() -> None:
    stored = RANDOM.integers(0, 4096, (16, 24)).astype("<u2")
    plane = RANDOM.integers(0, 2, (16, 24)).astype(np.uint8)
    values: dict[str, Any] = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 6000, "WindowWidth": 8000}
    ds = image(stored, **values)
    for element, vr, value in (
        (0x10, "US", 16), (0x11, "US", 24), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x100, "US", 1), (0x102, "US", 0),
        (0x3000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes()),
    ):  # fmt: skip
        ds.add_new(0x60000000 + element, vr, value)
    apart = draw(ds, ds.PixelData, LITTLE)
    np.testing.assert_array_equal(apart == 255, get_overlay_array(ds, 0x6000).astype(bool))
    del ds[0x60003000]
    ds[0x60000100].value, ds[0x60000102].value = 16, 14
    inside = draw(ds, (stored | plane.astype("<u2") << 14).tobytes(), LITTLE)
    np.testing.assert_array_equal(inside, apart)


def test_palettes_of_states_are_spread_as_pydicom_looks_them_up() -> None:
    data = {"Red": np.arange(1000) * 65, "Green": np.arange(1000)[::-1] * 65, "Blue": np.zeros(1000)}
    ds = _palette(image(SIGNED), 1000, 0, data)
    found = tables.palette(ds)
    assert found is not None
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = apply_color_lut(np.rint(levels * (999 / 255)).astype(int), ds) >> 8
    np.testing.assert_array_equal(tables.spread(found, levels), expected)
