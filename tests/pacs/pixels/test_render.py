"""pacs.pixels.render and placeholder: media types, sizes, viewports, aspect, colour."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset

from overread.kit.errors import BadInput
from pacs.pixels import annotate
from pacs.pixels.draw import draw
from pacs.pixels.errors import CannotDecode
from pacs.pixels.picture import MediaType
from pacs.pixels.placeholder import placeholder
from pacs.pixels.render import Rendition, render, thumbnail
from pacs.pixels.viewport import Viewport, pixel_aspect
from pacs.pixels.window import Window
from tests.pacs.pixels.samples import LITTLE, colour, header, ramp

FORMATS: list[tuple[MediaType, str]] = [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF")]


def _open(picture: bytes) -> Image.Image:
    image = Image.open(BytesIO(picture))
    image.load()
    return image


def _levels(picture: bytes) -> NDArray[Any]:
    return np.asarray(_open(picture).convert("L"))


def shown(ds: Dataset, frame: bytes, frame_index: int = 0, **wanted: Any) -> bytes:
    return render(ds, frame, LITTLE, frame_index, Rendition(**wanted))


def _screenshot(rows: int, columns: int, **values: Any) -> tuple[Dataset, bytes]:
    """A header and a frame whose levels are shown as they are."""
    image = ramp(rows, columns, "u1")
    image[-1, -1] = 255
    return header(rows, columns, 8, **values), image.tobytes()


@pytest.mark.parametrize(("media_type", "written"), FORMATS)
def test_every_media_type_holds_the_frame(media_type: MediaType, written: str) -> None:
    ds, frame = _screenshot(40, 60)
    picture = _open(shown(ds, frame, media_type=media_type, quality=95))
    assert (picture.format, picture.size) == (written, (60, 40))
    close = 0 if written != "JPEG" else 24
    assert int(np.abs(np.asarray(picture.convert("L")).astype(int)[:-1] - ramp(40, 60, "u1")[:-1]).max()) <= close


@pytest.mark.parametrize(("media_type", "written"), FORMATS)
def test_colour_stays_colour(media_type: MediaType, written: str) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[...] = (200, 40, 90)
    found = np.asarray(_open(shown(colour(16, 16), image.tobytes(), media_type=media_type)).convert("RGB"))
    assert int(np.abs(found.astype(int) - image).max()) <= 4, written


def test_sixteen_bit_colour_is_scaled_by_bits_stored() -> None:
    ds = colour(1, 2, BitsAllocated=16, BitsStored=10, HighBit=9)
    image = np.array([[[0, 512, 1023], [1023, 1023, 0]]], "<u2")
    np.testing.assert_array_equal(draw(ds, image.tobytes(), LITTLE), [[[0, 128, 255], [255, 255, 0]]])


def test_quality_is_jpegs() -> None:
    ds, frame = _screenshot(64, 64)
    assert len(shown(ds, frame, quality=10)) < len(shown(ds, frame, quality=100))


def test_a_requested_window_is_applied() -> None:
    stored = np.arange(4096, dtype="<u2").reshape(64, 64)
    wanted = Window(1000, 100, "LINEAR_EXACT")
    picture = shown(header(64, 64), stored.tobytes(), media_type="image/png", window=wanted)
    expected = np.clip((stored - 950.0) / 100, 0, 1) * 255
    assert float(np.abs(_levels(picture) - expected).max()) <= 0.501


@pytest.mark.parametrize(
    ("viewport", "size"),
    [
        (Viewport(30, 30), (30, 20)),
        (Viewport(120, 200), (120, 80)),
        (Viewport(20, 20, 10, 10, 20, 20), (20, 20)),
        (Viewport(1000, 40, 0, 0, 60, 10), (240, 40)),
        (Viewport(30, 30, 50), (8, 30)),
        (Viewport(1, 1), (1, 1)),
    ],
)
def test_viewports_fit_the_source_into_the_picture(viewport: Viewport, size: tuple[int, int]) -> None:
    ds, frame = _screenshot(40, 60)
    assert _open(shown(ds, frame, viewport=viewport)).size == size


def test_a_viewport_of_the_sources_size_is_a_crop_and_negative_sizes_turn_it_over() -> None:
    ds, frame = _screenshot(40, 60)
    expected = ramp(40, 60, "u1")[5:25, 10:40]
    for sign_x in (1, -1):
        for sign_y in (1, -1):
            viewport = Viewport(30, 20, 10, 5, 30 * sign_x, 20 * sign_y)
            found = _levels(shown(ds, frame, media_type="image/png", viewport=viewport))
            np.testing.assert_array_equal(found, expected[::sign_y, ::sign_x])


@pytest.mark.parametrize("numbers", [(0, 10), (10, -1), (10, 99999), (10, 10, float("nan")), (10, 10, 0, 0, 0, 5)])
def test_viewports_that_can_not_be_are_refused(numbers: tuple[Any, ...]) -> None:
    with pytest.raises(BadInput):
        Viewport(*numbers)


def test_a_viewport_outside_of_the_image_is_refused() -> None:
    ds, frame = _screenshot(40, 60)
    with pytest.raises(BadInput):
        shown(ds, frame, viewport=Viewport(10, 10, 60, 0, 5, 5))


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"PixelSpacing": [2, 1]}, (60, 80)),
        ({"PixelSpacing": [0.5, 1]}, (120, 40)),
        ({"PixelAspectRatio": [3, 2]}, (60, 60)),
        ({"ImagerPixelSpacing": [1, 2]}, (120, 40)),
        ({"PixelSpacing": [1, 1], "PixelAspectRatio": [3, 1]}, (60, 40)),
        ({"PixelSpacing": [1, 1.001]}, (60, 40)),
        ({"PixelSpacing": [100, 1]}, (60, 40)),
        ({"PixelSpacing": [0, 1]}, (60, 40)),
        ({"PixelSpacing": 1}, (60, 40)),
    ],
)
def test_pixels_that_are_not_square_are_stretched(values: dict[str, Any], size: tuple[int, int]) -> None:
    ds, frame = _screenshot(40, 60, **values)
    assert _open(render(ds, frame, LITTLE)).size == size


def test_aspect_comes_from_the_frames_functional_group_first() -> None:
    ds = header(PixelSpacing=[1, 1])
    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing = [3, 1]
    shared.PixelMeasuresSequence = [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    assert pixel_aspect(ds, 5) == 3


def test_thumbnails_fit_their_square_and_are_never_enlarged() -> None:
    ds, frame = _screenshot(40, 60)
    assert _open(thumbnail(ds, frame, LITTLE, wanted=Rendition(viewport=Viewport(30, 30)))).size == (30, 20)
    assert _open(thumbnail(ds, frame, LITTLE)).size == (60, 40)


def _with_palette(ds: Dataset, first: int) -> Dataset:
    for name, entries in (("Red", [255, 0]), ("Green", [0, 255]), ("Blue", [10, 20])):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [2, first, 8])
        setattr(ds, f"{name}PaletteColorLookupTableData", bytes(entries))
    return ds


def test_palette_indices_become_colours() -> None:
    ds = _with_palette(header(1, 2, 8, PhotometricInterpretation="PALETTE COLOR"), 0)
    assert draw(ds, b"\1\0", LITTLE).tolist() == [[[0, 255, 20], [255, 0, 10]]]


def test_supplemental_palettes_colour_only_their_own_values() -> None:
    ds = _with_palette(header(1, 4, 8, PixelPresentation="COLOR"), 200)
    assert draw(ds, bytes([0, 50, 200, 201]), LITTLE).tolist() == [[[0] * 3, [50] * 3, [255, 0, 10], [0, 255, 20]]]


def test_an_image_without_its_palette_can_not_be_shown() -> None:
    with pytest.raises(CannotDecode, match="palette"):
        draw(header(1, 2, 8, PhotometricInterpretation="PALETTE COLOR"), b"\1\0", LITTLE)


def test_frames_of_single_bits_are_found_inside_their_bytes() -> None:
    image = np.array([[1, 0, 1, 1, 0]], np.uint8)
    ds = header(1, 5, 1)
    # The fourth frame's bits are 15 to 19: the last one of its first byte, and four of the next.
    frame = np.packbits(np.concatenate([np.zeros(7, np.uint8), image[0]]), bitorder="little").tobytes()
    assert draw(ds, frame, LITTLE, 3).tolist() == [[255, 0, 255, 255, 0]]


@pytest.mark.parametrize(("media_type", "written"), FORMATS)
def test_placeholders_are_pictures_that_differ_by_label(media_type: MediaType, written: str) -> None:
    picture = _open(placeholder("SR", media_type=media_type, size=100))
    assert (picture.format, picture.size) == (written, (100, 100))
    assert placeholder("SR", media_type=media_type) != placeholder("PDF", media_type=media_type)


@pytest.mark.parametrize("label", ["", "\n\u4e2d", "RTSTRUCT and much more"])
def test_any_label_makes_a_placeholder(label: str) -> None:
    assert _open(placeholder(label, size=16)).size == (16, 16)


_DAMAGED = [
    0x00280002,  # SamplesPerPixel
    0x00280004,  # PhotometricInterpretation
    0x00280006,  # PlanarConfiguration
    0x00280010,  # Rows
    0x00280030,  # PixelSpacing
    0x00280034,  # PixelAspectRatio
    0x00280100,  # BitsAllocated
    0x00280101,  # BitsStored
    0x00280102,  # HighBit
    0x00280103,  # PixelRepresentation
    0x00280120,  # PixelPaddingValue
    0x00280121,  # PixelPaddingRangeLimit
    0x00281050,  # WindowCenter
    0x00281051,  # WindowWidth
    0x00281052,  # RescaleIntercept
    0x00281053,  # RescaleSlope
    0x00281056,  # VOILUTFunction
    0x00283000,  # ModalityLUTSequence
    0x00283010,  # VOILUTSequence
    0x52009229,  # SharedFunctionalGroupsSequence
    0x52009230,  # PerFrameFunctionalGroupsSequence
]
_texts = st.sampled_from(["", "0", "1", "-1", "1e308", "-1e308", "nan", "SIGMOID", "LINEAR_EXACT", "RGB", "YBR_FULL"])
_values = st.one_of(
    st.tuples(st.just("LO"), _texts),
    st.tuples(st.just("LO"), st.lists(_texts, min_size=2, max_size=3)),
    st.tuples(st.just("US"), st.sampled_from([0, 1, 2, 3, 7, 8, 12, 16, 32, 64, 65535])),
    st.tuples(st.just("FD"), st.floats()),
    st.tuples(st.just("OB"), st.binary(max_size=8)),
    st.just(("SQ", [])),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(_DAMAGED), _values, max_size=4))
def test_any_header_gives_a_picture_or_one_kind_of_error(damage: dict[int, tuple[str, Any]]) -> None:
    ds = header(8, 8, WindowCenter=40, WindowWidth=400, RescaleSlope=1, RescaleIntercept=-1024)
    for tag, (vr, value) in damage.items():
        ds.add_new(tag, vr, value)
    try:
        picture = shown(ds, bytes(range(128)), viewport=Viewport(8, 8))
    except CannotDecode:
        return
    assert _open(picture).format == "JPEG"


def test_old_overlays_lie_in_the_samples_unused_bits() -> None:
    """PS3.3 C.9.2.1.1, retired: Overlay Bit Position names the bit."""
    stored = np.full((4, 4), 100, "<u2")
    stored[1, 2] |= 1 << 12
    ds = header(4, 4, 16, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    for element, vr, value in (
        (0x10, "US", 4), (0x11, "US", 4), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x100, "US", 16), (0x102, "US", 12),
    ):  # fmt: skip
        ds.add_new(0x60020000 + element, vr, value)
    found = draw(ds, stored.tobytes(), LITTLE)
    assert np.argwhere(found == 255).tolist() == [[1, 2]]
    assert int(found[0, 0]) == 6


@pytest.mark.parametrize(("frame", "seen"), [(0, False), (1, True), (2, False)])
def test_overlays_of_several_frames_begin_at_their_image_frame_origin(frame: int, seen: bool) -> None:
    ds = header(4, 4, 8, WindowCenter=128, WindowWidth=256)
    for element, vr, value in (
        (0x10, "US", 4), (0x11, "US", 4), (0x15, "IS", 2), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x51, "US", 2),
        (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", b"\xff\xff\x00\x00"),
    ):  # fmt: skip
        ds.add_new(0x60000000 + element, vr, value)
    assert bool((draw(ds, bytes(16), LITTLE, frame) == 255).any()) is seen


_overlay_values = st.one_of(
    st.integers(-70000, 70000), st.lists(st.integers(-99, 99), max_size=3), st.binary(max_size=9)
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([0x10, 0x11, 0x15, 0x40, 0x50, 0x51, 0x102, 0x3000]), _overlay_values))
@example({0x10: -1, 0x11: -1, 0x15: 0, 0x40: 0, 0x3000: b"\x00"})
def test_damaged_overlays_are_passed_over(values: dict[int, Any]) -> None:
    ds = header(4, 4, 16, BitsStored=12, HighBit=11, WindowCenter=128, WindowWidth=256)
    for element, value in ({0x10: 4, 0x11: 4} | values).items():
        ds.add_new(0x60000000 + element, "OB" if isinstance(value, bytes) else "SL", value)
    assert draw(ds, bytes(32), LITTLE).shape == (4, 4)


def test_letters_that_the_font_has_not_lose_their_accents_or_become_question_marks() -> None:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientAge = "Müller^Zoë=x=y", "42", "19700102", "054Y"
    assert annotate.patient(ds) == ["Müller, Zoë", "ID 42", "born 1970-01-02 54y"]
    assert [annotate.drawable(letter) for letter in "aüŁß\n山"] == ["a", "u", "L", "ss", " ", "?"]


def test_what_the_technique_says() -> None:
    ds = Dataset()
    ds.StudyDate, ds.Modality, ds.SeriesDescription, ds.KVP, ds.SliceThickness = "20240102", "CT", "Thorax", 120, 1.5
    ds.SeriesNumber, ds.InstanceNumber, ds.NumberOfFrames = 3, 7, 4
    assert annotate.technique(ds, 1) == ["2024-01-02", "CT Thorax", "120 kV  1.5 mm", "Se 3  Im 7  Fr 2/4"]
