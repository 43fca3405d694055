"""pacs.pixels.presentation: whatever a state holds, there is a picture or one kind of error; and its parts alone."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword

from overread.kit.errors import BadInput
from pacs.pixels import area, lab, mask, shapes
from pacs.pixels.errors import CannotDecode
from pacs.pixels.plane import Plane, plane
from pacs.pixels.presentation import Reference
from pacs.pixels.render import PresentationState, Rendition, render_state
from tests.conformance.rendered_objects import item
from tests.pacs.pixels.samples import LITTLE, header

_number = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-20, 70), st.floats(allow_nan=False), st.floats(0, 1))
_texts = st.sampled_from(
    ["", "Y", "N", "PIXEL", "DISPLAY", "MATRIX", "POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE", "RECTANGLE",
     "ARROW", "RULER", "AXIS", "RANGELINE", "CROSSHAIR", "INFINITELINE", "CUTLINE", "MULTILINE", "AVG_SUB", "TID",
     "REV_TID", "MAGNIFY", "BITMAP", "CIRCULAR", "RECTANGULAR", "POLYGONAL", "DASHED", "INVERSE", "SUB", "A", "B"]
)  # fmt: skip
_NUMBERS = {"US", "SS", "SL", "UL", "FL", "FD", "IS", "DS"}
_TREE: dict[str, Any] = {
    "GraphicLayerSequence": ["GraphicLayer", "GraphicLayerOrder", "GraphicLayerRecommendedDisplayCIELabValue"],
    "GraphicAnnotationSequence": {
        "GraphicObjectSequence": [
            "GraphicAnnotationUnits", "GraphicData", "GraphicType", "GraphicFilled", "CompoundGraphicInstanceID",
        ],
        "TextObjectSequence": [
            "BoundingBoxAnnotationUnits", "BoundingBoxTopLeftHandCorner", "BoundingBoxBottomRightHandCorner",
            "AnchorPoint", "AnchorPointAnnotationUnits", "AnchorPointVisibility", "UnformattedTextValue",
            "BoundingBoxTextHorizontalJustification",
        ],
        "CompoundGraphicSequence": [
            "CompoundGraphicUnits", "GraphicData", "CompoundGraphicType", "GraphicFilled", "RotationAngle",
            "RotationPoint", "GapLength", "DiameterOfVisibility",
        ],
    },
    "DisplayedAreaSelectionSequence": [
        "DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner", "PresentationSizeMode",
        "PresentationPixelSpacing", "PresentationPixelMagnificationRatio",
    ],
    "MaskSubtractionSequence": [
        "MaskOperation", "MaskFrameNumbers", "ApplicableFrameRange", "ContrastFrameAveraging", "TIDOffset",
        "MaskSubPixelShift",
    ],
    "SoftcopyVOILUTSequence": ["WindowCenter", "WindowWidth", "VOILUTFunction"],
    "PresentationLUTSequence": ["LUTDescriptor", "LUTData"],
}  # fmt: skip
_FLAT = [
    "ImageRotation", "ImageHorizontalFlip", "RescaleSlope", "RescaleIntercept", "PresentationLUTShape",
    "RecommendedViewingMode", "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter", "ShutterOverlayGroup", "ShutterPresentationValue",
    "ShutterPresentationColorCIELabValue", "RedPaletteColorLookupTableDescriptor",
]  # fmt: skip


def _vr(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return dictionary_VR(tag)


def _values(keyword: str) -> st.SearchStrategy[tuple[str, Any]]:
    """What an element may hold: mostly of its own kind, else anything."""
    fitting = st.lists(_number, max_size=6) if _vr(keyword) in _NUMBERS else _texts
    return st.tuples(
        st.just(keyword), st.one_of(fitting, fitting, st.lists(_number, max_size=4), _texts, st.binary(max_size=9))
    )


def _items(keywords: Any) -> st.SearchStrategy[list[Any]]:
    if isinstance(keywords, dict):
        parts = st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True).flatmap(
            lambda names: st.tuples(*(st.tuples(st.just(name), _items(keywords[name])) for name in names))
        )
        return st.lists(parts, max_size=2)
    chosen = st.lists(st.sampled_from(keywords), max_size=len(keywords), unique=True)
    return st.lists(chosen.flatmap(lambda names: st.tuples(*(_values(name) for name in names))), max_size=2)


def _made(elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements:
        tag = tag_for_keyword(keyword)
        assert tag is not None
        if keyword.endswith("Sequence"):
            ds.add_new(tag, "SQ", [_made(one) for one in value])
        elif isinstance(value, bytes):
            ds.add_new(tag, "OB", value)
        else:
            # Numbers of any size fit into FD, whatever the element's own representation would hold.
            ds.add_new(tag, "LO" if isinstance(value, str) else "FD", value)
    return ds


_flat = st.lists(st.sampled_from(_FLAT), max_size=6, unique=True).flatmap(lambda names: st.tuples(*map(_values, names)))
_states = st.tuples(_items(_TREE), _flat)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_states)
def test_any_state_gives_a_picture_or_one_kind_of_error(parts: tuple[Any, Any]) -> None:
    trees, flat = parts
    state = _made(flat)
    for tree in trees:
        state.update(_made(tree))
    frames = np.arange(3 * 8 * 10, dtype="<u2").reshape(3, 8, 10) * 17
    ds = header(8, 10, 16, NumberOfFrames=3, BitsStored=12, HighBit=11)
    shown = PresentationState(state, Reference("1.2", "1.3", 2), lambda index: frames[index].tobytes())
    try:
        made = render_state(ds, LITTLE, Rendition("image/png"), shown)
    except (CannotDecode, BadInput):
        return
    assert max(Image.open(BytesIO(made)).size) <= 4096


def test_c_10_6_points_go_with_their_pixels() -> None:
    pixels = Image.fromarray(np.zeros((6, 10), np.uint8))
    pixels.putpixel((7, 1), 255)
    for turns in range(4):
        for flip in (False, True):
            fit = area.Fit((2, -1, 10, 5), (16, 12), turns, flip)
            x, y = fit.point(7.5, 1.5)
            found = fit.picture(pixels)
            assert found.size == ((12, 16) if turns % 2 else (16, 12))
            assert np.asarray(found)[int(y), int(x)] > 150
            assert (np.asarray(found) > 150).sum() <= 4


def test_c_10_7_1_1_cielab() -> None:
    """Values of well-known colours under D50 (CIE 15), and black, white and grey."""
    for lab_values, rgb in (
        ((0, 0, 0), (0, 0, 0)),
        ((100, 0, 0), (255, 255, 255)),
        ((53.39, 0, 0), (127, 127, 127)),
        ((54.29, 80.81, 69.89), (255, 0, 0)),
        ((87.82, -79.27, 80.99), (0, 255, 0)),
        ((29.57, 68.30, -112.03), (0, 0, 255)),
    ):
        ds = Dataset()
        lightness, a, b = lab_values
        coded = [round(lightness / 100 * 65535), round((a + 128) * 257), round((b + 128) * 257)]
        ds.ShutterPresentationColorCIELabValue = coded
        found = lab.colour(ds, "ShutterPresentationColorCIELabValue")
        assert found is not None
        assert max(abs(one - other) for one, other in zip(found, rgb, strict=True)) <= 2


def test_interpolated_lines_pass_through_their_points() -> None:
    points = [(0.0, 0.0), (10.0, 5.0), (20.0, 0.0), (10.0, -5.0), (0.0, 0.0)]
    curve = shapes.simple("INTERPOLATED", points, 1).lines[0]
    assert set(points) <= set(curve)
    assert len(curve) > 4 * len(points)


def test_c_7_6_10_a_mask_of_very_many_frames_is_refused() -> None:
    by = item(MaskSubtractionSequence=[item(MaskOperation="AVG_SUB", MaskFrameNumbers=list(range(1, 150)))])
    with pytest.raises(CannotDecode, match="more than 100"):
        mask.plan(by, 0, 200)
    assert (
        mask.plan(item(RecommendedViewingMode="NAT", MaskSubtractionSequence=by.MaskSubtractionSequence), 0, 200)
        is None
    )


@settings(deadline=None)
@given(
    st.floats(-50, 50), st.floats(-50, 50), st.floats(0.2, 4), st.floats(0.2, 4), st.floats(0, 6.2), st.floats(0, 30)
)
def test_c_7_6_2_the_way_between_planes_is_through_the_patient(
    left: float, top: float, across: float, down: float, turn: float, place: float
) -> None:
    cos, sin = np.cos(turn), np.sin(turn)
    one = Plane(np.array([left, top, 3.0]), across * np.array([cos, sin, 0]), down * np.array([-sin, cos, 0]), None, "")
    other = Plane(np.array([0.0, 0, 9]), np.array([1.0, 0, 0]), np.array([0, 2.0, 0]), None, "")
    a, b, c, d, e, f = one.onto(other)
    x, y = place, 2 * place
    # Pixels have their middles half a pixel behind their corners.
    world = one.origin + (x - 0.5) * one.across + (y - 0.5) * one.down
    assert (a * x + b * y + c, d * x + e * y + f) == pytest.approx((world[0] + 0.5, world[1] / 2 + 0.5), abs=1e-6)
    assert one.parallel(other)
    assert one.distance(other) == pytest.approx(6)


def test_c_7_6_16_planes_of_frames() -> None:
    measures = item(PixelSpacing=[2, 3], SliceThickness=4)
    orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    frames = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 10 * n])]) for n in range(3)]
    shared = item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])
    ds = item(SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames)
    found = plane(ds, 2)
    assert found is not None
    assert (found.origin.tolist(), found.across.tolist(), found.down.tolist()) == ([0, 0, 20], [3, 0, 0], [0, 2, 0])
    assert found.thickness == 4
    assert plane(header()) is None
