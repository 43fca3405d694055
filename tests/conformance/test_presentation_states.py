"""Presentation states as pictures: PS3.3 A.33, C.10, C.11, C.7.6.11, C.7.6.15; PS3.4 N.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from starlette.testclient import TestClient

from tests.conformance.rendered_objects import image, item, levels, ramp, shown, state, store, window
from tests.dicomweb import conftest as web

bearer, client = web.bearer, web.client

PNG = {"Accept": "image/png"}
COLOR, PSEUDO_COLOR, BLENDING = (f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (2, 3, 4))


def by_state(client: TestClient, of: Dataset, **values: Any) -> NDArray[Any]:
    store(client, of)
    return levels(client.get(f"{store(client, state(of, **values))}/rendered", headers=PNG))


FULL = window(127.5, 255)


def square() -> NDArray[np.uint8]:
    """All values different, so that turns and flips can be told apart."""
    return np.arange(240, dtype=np.uint8).reshape(12, 20)


def test_n_2_the_states_window_replaces_the_images(client: TestClient) -> None:
    of = image(ramp(), WindowCenter=100, WindowWidth=10)
    found = by_state(client, of, SoftcopyVOILUTSequence=window(1000, 200))
    assert float(np.abs(found - np.clip((ramp() - 900.0) / 200, 0, 1) * 255).max()) <= 1


def test_n_2_the_states_modality_replaces_the_images(client: TestClient) -> None:
    of = image(ramp(), RescaleSlope=1, RescaleIntercept=0)
    voi = window(0, 200)
    found = by_state(client, of, RescaleSlope=1, RescaleIntercept=-1000, RescaleType="HU", SoftcopyVOILUTSequence=voi)
    assert float(np.abs(found - np.clip((ramp() - 900.0) / 200, 0, 1) * 255).max()) <= 1


def test_c_11_6_inverse_is_the_states_word(client: TestClient) -> None:
    of = image(square(), PhotometricInterpretation="MONOCHROME1")
    identity = by_state(client, of, SoftcopyVOILUTSequence=FULL)
    inverse = by_state(client, of, SoftcopyVOILUTSequence=FULL, PresentationLUTShape="INVERSE")
    np.testing.assert_array_equal(identity, square())
    np.testing.assert_array_equal(inverse, 255 - square())


@pytest.mark.parametrize("flip", ["N", "Y"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_c_10_6_rotation_is_clockwise_and_the_flip_comes_after_it(client: TestClient, rotation: int, flip: str) -> None:
    found = by_state(
        client, image(square()), SoftcopyVOILUTSequence=FULL, ImageRotation=rotation, ImageHorizontalFlip=flip
    )
    expected = np.rot90(square(), -rotation // 90)
    np.testing.assert_array_equal(found, np.fliplr(expected) if flip == "Y" else expected)


def test_c_10_4_the_displayed_area_is_cut_out(client: TestClient) -> None:
    area = item(DisplayedAreaTopLeftHandCorner=[3, 2], DisplayedAreaBottomRightHandCorner=[10, 7])
    found = by_state(client, image(square()), SoftcopyVOILUTSequence=FULL, DisplayedAreaSelectionSequence=[area])
    np.testing.assert_array_equal(found, square()[1:7, 2:10])


def test_c_10_4_an_area_larger_than_the_image_has_a_black_rim(client: TestClient) -> None:
    area = item(DisplayedAreaTopLeftHandCorner=[-4, 1], DisplayedAreaBottomRightHandCorner=[20, 12])
    found = by_state(client, image(square()), SoftcopyVOILUTSequence=FULL, DisplayedAreaSelectionSequence=[area])
    assert found.shape == (12, 25)
    assert found[:, :5].max() == 0
    np.testing.assert_array_equal(found[:, 5:], square())


def test_c_7_6_11_shutters_cover_what_is_outside(client: TestClient) -> None:
    of = image(np.full((40, 60), 200, np.uint8))
    edges: dict[str, Any] = {
        "ShutterLeftVerticalEdge": 10, "ShutterRightVerticalEdge": 50,
        "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 30,
    }  # fmt: skip
    voi: dict[str, Any] = {"SoftcopyVOILUTSequence": FULL}
    found = by_state(client, of, **voi, ShutterShape="RECTANGULAR", **edges)
    assert set(np.unique(found)) == {0, 200}
    rows, columns = np.nonzero(found)
    assert (rows.min() + 1, rows.max() + 1, columns.min() + 1, columns.max() + 1) == (6, 29, 11, 49)
    round_ = {"CenterOfCircularShutter": [20, 30], "RadiusOfCircularShutter": 10, "ShutterPresentationValue": 0x8000}
    found = by_state(client, of, **voi, ShutterShape="CIRCULAR", **round_)
    assert found[19, 29] == 200
    assert found[0, 0] == 128
    assert abs(int((found == 200).sum()) - 314) < 40
    corners = {"VerticesOfThePolygonalShutter": [1, 1, 1, 60, 40, 1]}
    found = by_state(client, of, **voi, ShutterShape=["RECTANGULAR", "POLYGONAL"], **edges, **corners)
    assert found[6, 12] == 200
    assert found[28, 48] == 0
    assert found[2, 2] == 0


def test_c_10_5_graphics_and_texts_lie_where_they_are_put(client: TestClient) -> None:
    """Points count from the corner of the first pixel: 49.5 is the middle of the fiftieth row."""
    line = item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicType="POLYLINE",
        GraphicData=[10.0, 49.5, 90.0, 49.5], GraphicFilled="N",
    )  # fmt: skip
    circle = item(
        GraphicAnnotationUnits="DISPLAY", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicType="CIRCLE",
        GraphicData=[0.5, 0.2, 0.5, 0.1], GraphicFilled="Y",
    )  # fmt: skip
    words = item(
        BoundingBoxAnnotationUnits="PIXEL", BoundingBoxTopLeftHandCorner=[10.0, 70.0],
        BoundingBoxBottomRightHandCorner=[90.0, 90.0], UnformattedTextValue="Lesion 12 mm\nÄrztin",
        BoundingBoxTextHorizontalJustification="LEFT",
    )  # fmt: skip
    layer = item(GraphicLayer="1", GraphicObjectSequence=[line, circle], TextObjectSequence=[words])
    of = image(np.zeros((100, 100), np.uint8))
    store(client, of)
    made: dict[str, Any] = {"SoftcopyVOILUTSequence": FULL, "GraphicAnnotationSequence": [layer]}
    found = np.asarray(shown(client.get(f"{store(client, state(of, **made))}/rendered", headers=PNG)).convert("RGB"))
    yellow = (found[..., 0] > 180) & (found[..., 2] < 120)
    assert yellow[49, 12:88].all()
    assert yellow[20, 50]
    assert yellow[68:95].any()
    assert not yellow[:5].any()
    turned = state(of, **made, ImageRotation=90)
    found = np.asarray(shown(client.get(f"{store(client, turned)}/rendered", headers=PNG)).convert("RGB"))
    yellow = (found[..., 0] > 180) & (found[..., 2] < 120)
    assert yellow[50:88, 50].all()  # further up lie the text's dark rims


def test_a_state_of_one_frame_shows_that_frame(client: TestClient) -> None:
    frames = np.stack([np.full((8, 8), grey, np.uint8) for grey in (10, 100, 200)])
    of = image(frames, "1.2.840.10008.5.1.4.1.1.3.1", "US")
    store(client, of)
    where = store(client, state(of, frame=3, SoftcopyVOILUTSequence=FULL))
    assert set(np.unique(levels(client.get(f"{where}/rendered", headers=PNG)))) == {200}


def test_a_state_whose_images_are_elsewhere_is_404_and_a_window_for_it_400(client: TestClient) -> None:
    of = image(square())
    where = store(client, state(of))
    assert client.get(f"{where}/rendered").status_code == 404
    assert shown(client.get(f"{where}/thumbnail")).size == (256, 256)
    store(client, of)
    assert shown(client.get(f"{where}/thumbnail")).size == (20, 12)
    assert client.get(f"{where}/rendered").status_code == 200
    assert client.get(f"{where}/rendered", params={"window": "1,2,linear"}).status_code == 400
    assert client.get(f"{where}/frames/1/rendered").status_code == 400


def test_c_9_2_overlays_are_burned_in_where_no_state_hides_them(client: TestClient) -> None:
    plane = np.zeros((8, 8), np.uint8)
    plane[2, 1:7] = 1
    of = image(np.full((16, 16), 60, np.uint8), WindowCenter=128, WindowWidth=256)
    for element, vr, value in (
        (0x0010, "US", 8), (0x0011, "US", 8), (0x0040, "CS", "G"), (0x0050, "SS", [5, 3]), (0x0100, "US", 1),
        (0x0102, "US", 0), (0x3000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes()),
    ):  # fmt: skip
        of.add_new(0x60000000 + element, vr, value)
    found = levels(client.get(f"{store(client, of)}/rendered", headers=PNG))
    expected = np.zeros((16, 16), bool)
    expected[6, 3:9] = True
    np.testing.assert_array_equal(found == 255, expected)
    hidden = state(of, SoftcopyVOILUTSequence=FULL)
    assert levels(client.get(f"{store(client, hidden)}/rendered", headers=PNG)).max() == 60
    active = state(of, SoftcopyVOILUTSequence=FULL)
    active.add_new(0x60001001, "CS", "LAYER1")
    np.testing.assert_array_equal(levels(client.get(f"{store(client, active)}/rendered", headers=PNG)) == 255, expected)


def colours(client: TestClient, of: Dataset, sop_class: str = "1.2.840.10008.5.1.4.1.1.11.1", **values: Any) -> Any:
    """The picture in RGB, after the image was stored."""
    store(client, of)
    made = state(of, sop_class=sop_class, **values)
    return np.asarray(shown(client.get(f"{store(client, made)}/rendered", headers=PNG)).convert("RGB")).astype(int)


def test_n_2_1_what_a_state_does_not_have_is_the_identity(client: TestClient) -> None:
    """Neither the image's modality transformation is used nor its window: all values that its bits can hold are."""
    of = image(
        ramp(), BitsStored=12, HighBit=11, RescaleSlope=3, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=9
    )
    assert float(np.abs(by_state(client, of) - ramp() / 4095 * 255).max()) <= 1
    signed = image((ramp() - 2048.0).astype("<i2"), BitsStored=12, HighBit=11)
    assert float(np.abs(by_state(client, signed) - ramp() / 4095 * 255).max()) <= 1


def test_n_2_1_a_window_is_in_the_units_of_the_states_modality(client: TestClient) -> None:
    of = image(ramp(), RescaleSlope=1, RescaleIntercept=-1000)
    found = by_state(client, of, SoftcopyVOILUTSequence=window(1000, 200))
    assert float(np.abs(found - np.clip((ramp() - 900.0) / 200, 0, 1) * 255).max()) <= 1


def table(entries: NDArray[Any], bits: int) -> list[Dataset]:
    return [item(LUTDescriptor=[entries.size % 65536, 0, bits], LUTData=entries.astype("<u2").tobytes())]


def test_c_11_6_a_presentation_lut_is_spread_over_all_levels(client: TestClient) -> None:
    of = image(square(), PhotometricInterpretation="MONOCHROME1")
    entries = (np.arange(4096) ** 2 / 4095).astype("<u2")
    found = by_state(
        client,
        of,
        SoftcopyVOILUTSequence=FULL,
        PresentationLUTShape=None,
        PresentationLUTSequence=table(entries, 12),
    )
    assert float(np.abs(found - (square() / 255.0) ** 2 * 255).max()) <= 1
    turned = by_state(
        client,
        image(square()),
        SoftcopyVOILUTSequence=FULL,
        PresentationLUTShape=None,
        PresentationLUTSequence=table(np.arange(255, -1, -1), 8),
    )
    np.testing.assert_array_equal(turned, 255 - square())


def test_c_11_8_every_image_and_frame_has_its_own_window(client: TestClient) -> None:
    of = image(np.stack([square()] * 3), "1.2.840.10008.5.1.4.1.1.3.1", "US")
    first, second = window(50, 20), window(100, 40)
    for items, frames in ((first, [1, 3]), (second, [2])):
        items[0].ReferencedImageSequence = [
            item(ReferencedSOPInstanceUID=of.SOPInstanceUID, ReferencedFrameNumber=frames)
        ]
    store(client, of)
    for frame, low, width in ((1, 40.0, 20), (2, 80.0, 40), (3, 40.0, 20)):
        where = store(client, state(of, frame, SoftcopyVOILUTSequence=[*first, *second]))
        found = levels(client.get(f"{where}/rendered", headers=PNG))
        assert float(np.abs(found - np.clip((square() - low) / width, 0, 1) * 255).max()) <= 1


def bits(group: int, plane: NDArray[Any], origin: tuple[int, int] = (1, 1)) -> Dataset:
    """An overlay plane's elements."""
    ds = Dataset()
    for element, vr, value in (
        (0x0010, "US", plane.shape[0]), (0x0011, "US", plane.shape[1]), (0x0040, "CS", "G"),
        (0x0050, "SS", list(origin)), (0x0100, "US", 1), (0x0102, "US", 0),
        (0x3000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes()),
    ):  # fmt: skip
        ds.add_new(group << 16 | element, vr, value)
    return ds


def test_c_7_6_15_a_bitmap_shutter_covers_where_its_overlay_is_set(client: TestClient) -> None:
    plane = np.zeros((12, 20), np.uint8)
    plane[:4] = 1
    of = image(np.full((12, 20), 200, np.uint8))
    store(client, of)
    shuttered = state(of, SoftcopyVOILUTSequence=FULL, ShutterShape="BITMAP", ShutterPresentationValue=0x4000)
    shuttered.ShutterOverlayGroup = 0x6002
    shuttered.update(bits(0x6002, plane))
    found = levels(client.get(f"{store(client, shuttered)}/rendered", headers=PNG))
    assert (set(np.unique(found[:4])), set(np.unique(found[4:]))) == ({64}, {200})


def test_c_7_6_11_a_shutter_may_be_coloured_and_lies_below_annotations(client: TestClient) -> None:
    line = item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicType="POLYLINE",
        GraphicData=[2.0, 5.5, 58.0, 5.5], GraphicFilled="N",
    )  # fmt: skip
    edges: dict[str, Any] = {
        "ShutterLeftVerticalEdge": 0, "ShutterRightVerticalEdge": 61,
        "ShutterUpperHorizontalEdge": 10, "ShutterLowerHorizontalEdge": 41,
    }  # fmt: skip
    found = colours(
        client,
        image(np.full((40, 60), 200, np.uint8)),
        SoftcopyVOILUTSequence=FULL,
        ShutterShape="RECTANGULAR",
        ShutterPresentationColorCIELabValue=[0x4BFF, 0x8080, 0x3080],  # a dark blue
        GraphicAnnotationSequence=[item(GraphicLayer="A", GraphicObjectSequence=[line])],
        **edges,
    )
    assert found[2, 30, 2] > found[2, 30, 0] + 40
    assert tuple(found[5, 30]) == (255, 221, 64)
    assert tuple(found[30, 30]) == (200, 200, 200)


def frames_of(*values: int) -> Dataset:
    """A multi-frame image of 8 x 8, each frame of one value with a brighter square somewhere in it."""
    made = np.stack([np.full((8, 8), value, "<u2") for value in values])
    for number, frame in enumerate(made):
        frame[2:4, 2 + number % 3 : 4 + number % 3] += 100
    return image(
        made, "1.2.840.10008.5.1.4.1.1.12.1", "XA", BitsStored=12, HighBit=11, PixelPaddingValue=0, WindowCenter=7
    )


@pytest.mark.parametrize(
    ("frame", "masks", "values"),
    [
        (4, {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": [1, 2]}, 250),
        (4, {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 1, "ContrastFrameAveraging": 2}, 350),
        (5, {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 1, "ContrastFrameAveraging": 2}, 500),
        (4, {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 1, "ApplicableFrameRange": [2, 3, 5, 5]}, 400),
        (4, {"MaskOperation": "AVG_SUB", "MaskFrameNumbers": 1, "ApplicableFrameRange": [2, 3, 4, 5]}, 300),
        (4, {"MaskOperation": "TID", "TIDOffset": 2}, 200),
        (4, {"MaskOperation": "TID"}, 100),
        (1, {"MaskOperation": "TID", "TIDOffset": -1}, -100),
        (1, {"MaskOperation": "TID"}, 100),
        (5, {"MaskOperation": "REV_TID", "TIDOffset": 1, "ApplicableFrameRange": [4, 5]}, 300),
    ],
)
def test_c_11_13_masks_are_subtracted(client: TestClient, frame: int, masks: dict[str, Any], values: int) -> None:
    """Frames are 100, 200, 300, 400, 500; a frame that no range holds is shown as it is."""
    of = frames_of(100, 200, 300, 400, 500)
    store(client, of)
    voi: dict[str, Any] = {"SoftcopyVOILUTSequence": window(0, 1020)}
    made = state(of, frame, MaskSubtractionSequence=[item(**masks)], RecommendedViewingMode="SUB", **voi)
    found = levels(client.get(f"{store(client, made)}/rendered", headers=PNG))
    assert abs(found[7, 7] - (values + 510) / 4) <= 0.5


def test_c_11_13_masks_are_shifted_by_parts_of_pixels(client: TestClient) -> None:
    made = np.zeros((2, 8, 8), "<u2")
    made[0, 3, 3] = 400
    of = image(made, "1.2.840.10008.5.1.4.1.1.12.1", "XA", BitsStored=12, HighBit=11)
    store(client, of)
    masks = item(MaskOperation="AVG_SUB", MaskFrameNumbers=1, MaskSubPixelShift=[1.0, -0.5])
    by = state(of, 2, MaskSubtractionSequence=[masks], SoftcopyVOILUTSequence=window(-255, 510))
    found = levels(client.get(f"{store(client, by)}/rendered", headers=PNG)) * 2 - 510
    expected = np.zeros((8, 8))
    expected[4, 2:4] = -200  # a row down, half a column to the left
    assert float(np.abs(found - expected).max()) <= 2


def test_n_2_1_2_the_modality_comes_before_the_subtraction(client: TestClient) -> None:
    of = frames_of(100, 200)
    store(client, of)
    logarithm = np.round(1000 * np.log2(np.maximum(np.arange(4096), 1)) / 12).astype("<u2")
    by = state(
        of,
        2,
        MaskSubtractionSequence=[item(MaskOperation="AVG_SUB", MaskFrameNumbers=1)],
        ModalityLUTSequence=table(logarithm, 16),
        SoftcopyVOILUTSequence=window(0, 510),
    )
    found = levels(client.get(f"{store(client, by)}/rendered", headers=PNG))
    assert abs(int(found[7, 7]) - round((1000 / 12 + 255) / 2)) <= 1


def test_c_10_4_sizes_of_displayed_areas(client: TestClient) -> None:
    of = image(square())
    store(client, of)
    corners = {"DisplayedAreaTopLeftHandCorner": [1, 1], "DisplayedAreaBottomRightHandCorner": [20, 12]}
    for mode, size in (
        ({"PresentationSizeMode": "SCALE TO FIT"}, (20, 12)),
        ({"PresentationSizeMode": "TRUE SIZE", "PresentationPixelSpacing": [2, 1]}, (20, 24)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 3.0}, (60, 36)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 1e9}, (20, 12)),
        ({"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 999.0}, (4096, 2458)),
        ({"PresentationPixelAspectRatio": [1, 2]}, (40, 12)),
    ):
        by = state(of, SoftcopyVOILUTSequence=FULL, DisplayedAreaSelectionSequence=[item(**corners, **mode)])
        where = store(client, by)
        assert shown(client.get(f"{where}/rendered", headers=PNG)).size == size
        fitted = shown(client.get(f"{where}/rendered", params={"viewport": "10,10"}, headers=PNG)).size
        assert max(fitted) == 10


def test_c_10_7_layers_lie_upon_one_another_in_their_order_and_colours(client: TestClient) -> None:
    def bar(layer: str, *data: float, **more: Any) -> Dataset:
        drawn = item(
            GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2,
            GraphicType="POLYLINE", GraphicData=list(data), GraphicFilled="Y", **more,
        )  # fmt: skip
        return item(GraphicLayer=layer, GraphicObjectSequence=[drawn])

    def box(left: float, right: float) -> list[float]:
        return [left, 5.0, right, 5.0, right, 15.0, left, 15.0, left, 5.0]

    plane = np.zeros((40, 40), np.uint8)
    plane[18:22] = 1
    of = image(np.zeros((40, 40), np.uint8))
    of.update(bits(0x6000, plane))
    layers = [
        item(
            GraphicLayer="TOP", GraphicLayerOrder=3, GraphicLayerRecommendedDisplayCIELabValue=[0x8A00, 0xD200, 0xC800]
        ),
        item(GraphicLayer="LOW", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayRGBValue=[0, 0xFFFF, 0]),
        item(GraphicLayer="MID", GraphicLayerOrder=2, GraphicLayerRecommendedDisplayGrayscaleValue=0x8000),
    ]
    by: dict[str, Any] = {"SoftcopyVOILUTSequence": FULL, "GraphicLayerSequence": layers}
    store(client, of)
    made = state(
        of,
        GraphicAnnotationSequence=[bar("TOP", *box(20, 30)), bar("LOW", *box(5, 35)), bar("MID", 1, 1, 1, 39, 3, 39)],
        **by,
    )
    made.add_new(0x60001001, "CS", "MID")
    found = np.asarray(shown(client.get(f"{store(client, made)}/rendered", headers=PNG)).convert("RGB")).astype(int)
    assert tuple(found[10, 10]) == (0, 255, 0)
    assert found[10, 25, 0] > 200 > 100 > found[10, 25, 1]
    assert tuple(found[20, 30]) == (128, 128, 128)
    styled = bar("LOW", *box(5, 35), FillStyleSequence=[item(PatternOnColorCIELabValue=[0xFFFF, 0x8080, 0x8080])])
    found = colours(client, of, GraphicAnnotationSequence=[styled], **by)
    assert found[10, 10].min() > 250


def test_c_10_5_1_3_compound_graphics_are_drawn_once(client: TestClient) -> None:
    def compound(kind: str, *data: float, **more: Any) -> Dataset:
        return item(
            CompoundGraphicInstanceID=1, CompoundGraphicUnits="PIXEL", GraphicDimensions=2,
            NumberOfGraphicPoints=len(data) // 2, GraphicData=list(data), CompoundGraphicType=kind, **more,
        )  # fmt: skip

    of = image(np.zeros((100, 100), np.uint8))

    def drawn(*compounds: Dataset, **simple: Any) -> NDArray[Any]:
        layer = item(GraphicLayer="1", CompoundGraphicSequence=list(compounds), **simple)
        found = colours(client, of, SoftcopyVOILUTSequence=FULL, GraphicAnnotationSequence=[layer])
        where: NDArray[Any] = found[..., 0] > 180
        return where

    filled = drawn(compound("RECTANGLE", 20, 30, 60, 50, GraphicFilled="Y"))
    assert filled[30:50, 20:60].all()
    assert abs(int(filled.sum()) - 21 * 41) <= 62
    turned = drawn(compound("RECTANGLE", 20, 30, 60, 50, GraphicFilled="Y", RotationAngle=90, RotationPoint=[20, 30]))
    assert turned[0:29, 21:39].all()  # counterclockwise: what was to the right is above
    assert not turned[60:].any()
    cross = drawn(compound("CROSSHAIR", 50, 50, DiameterOfVisibility=60, GapLength=20))
    assert cross[50, 25:38].all()
    assert cross[62:75, 50].all()
    assert not cross[45:56, 45:56].any()
    endless = drawn(compound("INFINITELINE", 40, 50, 60, 50, RotationPoint=[50, 50], GapLength=0))
    assert endless[50].all()
    ruler = drawn(compound("RULER", 10, 50, 90, 50, MajorTicksSequence=[item(TickPosition=0.5, TickLabel="2 cm")]))
    assert ruler[46:54, 50].all()
    assert drawn(compound("ARROW", 10, 50, 90, 50))[44:56, 78:90].sum() > 20
    alone = item(
        GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=2, GraphicType="POLYLINE",
        GraphicData=[10.0, 80.0, 90.0, 80.0], GraphicFilled="N", CompoundGraphicInstanceID=1,
    )  # fmt: skip
    once = drawn(compound("RECTANGLE", 20, 30, 60, 50, GraphicFilled="Y"), GraphicObjectSequence=[alone])
    assert once[80, 15:85].all()
    assert not once[:70].any()


def palette(entries: NDArray[Any]) -> dict[str, Any]:
    """Elements of a palette of 16 bits from entries (count, 3) of 8 bits."""
    made: dict[str, Any] = {}
    for channel, name in enumerate(("Red", "Green", "Blue")):
        made[f"{name}PaletteColorLookupTableDescriptor"] = [len(entries), 0, 16]
        made[f"{name}PaletteColorLookupTableData"] = (entries[:, channel].astype("<u2") * 257).tobytes()
    return made


HEAT = np.stack([np.arange(256), np.zeros(256), 255 - np.arange(256)], axis=1)


def test_n_2_pseudo_colours_are_the_windows_levels(client: TestClient) -> None:
    """Black is the first entry and white the last, whatever the stored values are."""
    of = image(ramp(), PixelPresentation="COLOR", **palette(np.zeros((256, 3))))
    found = colours(client, of, PSEUDO_COLOR, SoftcopyVOILUTSequence=window(1000, 200), **palette(HEAT))
    level = np.rint(np.clip((ramp() - 900.0) / 200, 0, 1) * 255)
    assert float(np.abs(found[..., 0] - level).max()) <= 1
    assert float(np.abs(found[..., 2] - (255 - level)).max()) <= 1
    few = colours(client, of, PSEUDO_COLOR, SoftcopyVOILUTSequence=window(1000, 200), **palette(HEAT[[0, 255]]))
    assert {tuple(row) for row in few.reshape(-1, 3)} == {(0, 0, 255), (255, 0, 0)}


def test_a_33_2_a_colour_state_leaves_the_colours_as_they_are(client: TestClient) -> None:
    pixels = np.zeros((12, 20, 3), np.uint8)
    pixels[:, 10:] = (200, 60, 30)
    found = colours(client, image(pixels), COLOR, ImageHorizontalFlip="Y", ImageRotation=0)
    np.testing.assert_array_equal(found, pixels[:, ::-1])


def slices(count: int, value: int, size: int, spacing: float, **values: Any) -> list[Dataset]:
    """Parallel grey slices of one series, 10 mm apart, with a square of `value` that lies at 40 to 80 mm."""
    made = []
    series = image(ramp()).SOPInstanceUID
    for number in range(count):
        pixels = np.zeros((size, size), "<u2")
        start, end = round(40 / spacing), round(80 / spacing)
        pixels[start:end, start:end] = value + number
        attributes = {
            "SeriesInstanceUID": series,
            "InstanceNumber": number + 1,
            "FrameOfReferenceUID": "1.2.3.4",
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            # The middle of the first pixel: the corners of both grids are at 0.
            "ImagePositionPatient": [spacing / 2, spacing / 2, 10.0 * number],
            "PixelSpacing": [spacing, spacing],
            "SliceThickness": 10,
        }
        made.append(image(pixels, **(attributes | values)))
    return made


def blended(client: TestClient, under: list[Dataset], over: list[Dataset], **values: Any) -> Any:
    store(client, *under, *over)
    sides = []
    for place, images, voi in (("SUPERIMPOSED", over, window(100, 200)), ("UNDERLYING", under, window(500, 1000))):
        referenced = [
            item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID) for one in images
        ]
        series = item(SeriesInstanceUID=images[0].SeriesInstanceUID, ReferencedImageSequence=referenced)
        sides.append(
            item(
                BlendingPosition=place,
                StudyInstanceUID=images[0].StudyInstanceUID,
                ReferencedSeriesSequence=[series],
                SoftcopyVOILUTSequence=voi,
                RescaleSlope=1,
                RescaleIntercept=0,
                RescaleType="US",
            )
        )
    made: dict[str, Any] = {"BlendingSequence": sides, "RelativeOpacity": 0.25, **palette(HEAT)}
    by = state(under[0], sop_class=BLENDING, **(made | values))
    del by.ReferencedSeriesSequence
    return client.get(f"{store(client, by)}/rendered", headers=PNG)


def test_n_2_4_a_set_is_blended_upon_another_where_it_lies(client: TestClient) -> None:
    """A coarse grid, half as fine, that covers part of the fine one."""
    under = slices(5, 600, 120, 1.0)
    over = slices(9, 150, 50, 2.0)
    for number, one in enumerate(over):
        one.ImagePositionPatient = [1, 1, 5.0 * number]
    found = np.asarray(shown(blended(client, under, over)).convert("RGB")).astype(int)
    assert found.shape == (120, 120, 3)
    # Of five slices the third is shown, at 20 mm; there lies the fifth of the others: 602 of 1000, and 154 of 200.
    grey, heat = 602 / 1000 * 255, 154 / 200 * 255
    inside = (heat * 0.25 + grey * 0.75, grey * 0.75, (255 - heat) * 0.25 + grey * 0.75)
    assert float(np.abs(found[60, 60] - inside).max()) <= 1.5
    assert float(np.abs(found[20, 20] - (0, 0, 255 * 0.25)).max()) <= 1.5
    assert tuple(found[110, 110]) == (0, 0, 0)  # outside of the coarse grid
    # The squares' edges are one: at 40 and 80 mm.
    assert float(np.abs(found[42, 42] - inside).max()) <= 1.5
    assert float(np.abs(found[38, 38] - (0, 0, 255 * 0.25)).max()) <= 1.5


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"FrameOfReferenceUID": "1.2.3.5"}, "registration"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "parallel"),
        ({"ImagePositionPatient": None}, "positions"),
        ({"ImagePositionPatient": [0, 0, 900]}, "upon one another"),
    ],
    ids=str,
)
def test_n_2_4_what_can_not_be_blended_is_422_and_says_why(
    client: TestClient, changes: dict[str, Any], why: str
) -> None:
    response = blended(client, slices(3, 600, 60, 2.0), slices(3, 150, 60, 2.0, **changes))
    assert response.status_code == 422
    assert why in response.json()["detail"]


def test_a_33_states_of_other_kinds_are_406_and_say_so(client: TestClient) -> None:
    of = image(square())
    store(client, of)
    for number in (5, 6, 8, 12):
        where = store(client, state(of, sop_class=f"1.2.840.10008.5.1.4.1.1.11.{number}"))
        response = client.get(f"{where}/rendered")
        assert response.status_code == 406
        assert "not drawn" in response.json()["detail"]
        assert shown(client.get(f"{where}/thumbnail")).size == (256, 256)
