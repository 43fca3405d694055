"""pacs.pixels.decode: every syntax gives the values that went in, and no bytes make it fail unforeseen."""

from __future__ import annotations

import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import convert_color_space

from overread.kit.errors import Unprocessable
from pacs.dicom.transfer_syntaxes import CODECS
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from pacs.pixels.stored import decodable
from tests.pacs.pixels.samples import BIG, LITTLE, colour, header, ramp, rle

JPEG, LOSSLESS, LS, J2K, XL, RLE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "4.110", "5")
)
DEFLATED = "1.2.840.10008.1.2.8.1"


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("syntax", [LITTLE, BIG])
def test_uncompressed_samples_of_every_width_and_sign(kind: str, syntax: str) -> None:
    dtype = np.dtype(kind).newbyteorder("<")
    limits = np.iinfo(dtype)
    image = np.array([[limits.min, limits.max, 1], [2, 3, limits.max - 1]], dtype)
    ds = header(2, 3, 8 * dtype.itemsize, PixelRepresentation=int(kind[0] == "i"))
    stored = image.astype(dtype.newbyteorder(">" if syntax == BIG else "<")).tobytes()
    found = decode_frame(ds, stored, syntax)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("bits", [32, 64])
def test_float_pixel_data(bits: int) -> None:
    image = np.array([[0.5, -1e9], [3.25, np.inf]], f"<f{bits // 8}")
    ds = header(2, 2, bits, BitsStored=None, HighBit=None, PixelRepresentation=None)
    np.testing.assert_array_equal(decode_frame(ds, image.tobytes(), LITTLE), image)


@pytest.mark.parametrize("bit_offset", [0, 3, 7])
def test_single_bits_begin_where_they_are_said_to(bit_offset: int) -> None:
    image = ramp(3, 5, "u1") % 2
    bits = np.concatenate([np.ones(bit_offset, np.uint8), image.ravel()])
    packed = np.packbits(bits, bitorder="little").tobytes()
    found = decode_frame(header(3, 5, 1), packed, LITTLE, bit_offset=bit_offset)
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("syntax", [DEFLATED, "1.2.840.10008.1.2.1.98"])
def test_single_bits_in_a_fragment_of_their_own_begin_with_its_first_byte(syntax: str) -> None:
    image = ramp(3, 5, "u1") % 2
    packed = np.packbits(image.ravel(), bitorder="little").tobytes()
    squeeze = zlib.compressobj(wbits=-15)
    frame = squeeze.compress(packed) + squeeze.flush() if syntax == DEFLATED else packed
    np.testing.assert_array_equal(decode_frame(header(3, 5, 1), frame, syntax, bit_offset=7), image)


def test_bits_that_are_no_part_of_a_sample_are_dropped_and_signs_extended() -> None:
    stored = np.array([[0xF123, 0x0FFF]], "<u2")
    unsigned = decode_frame(header(1, 2, BitsStored=12, HighBit=11), stored.tobytes(), LITTLE)
    np.testing.assert_array_equal(unsigned, [[0x123, 0xFFF]])
    signed = decode_frame(header(1, 2, BitsStored=12, HighBit=11, PixelRepresentation=1), stored.tobytes(), LITTLE)
    np.testing.assert_array_equal(signed, [[0x123, -1]])
    high = decode_frame(header(1, 2, BitsStored=12, HighBit=15), np.array([[0x123F, 0xFFF0]], "<u2").tobytes(), LITTLE)
    np.testing.assert_array_equal(high, [[0x123, 0xFFF]])


def test_planes_are_woven_into_pixels() -> None:
    image = ramp(4, 6, "u1", 3)
    ds = colour(4, 6, PlanarConfiguration=1)
    np.testing.assert_array_equal(decode_frame(ds, image.transpose(2, 0, 1).tobytes(), LITTLE), image)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_uncompressed_ybr_becomes_rgb(photometric: str) -> None:
    ybr = ramp(4, 6, "u1", 3)
    ybr[:, 1::2, 1:] = ybr[:, 0::2, 1:]  # as 4:2:2 holds them
    stored = (
        ybr
        if photometric == "YBR_FULL"
        else np.stack([ybr[:, 0::2, 0], ybr[:, 1::2, 0], ybr[:, 0::2, 1], ybr[:, 0::2, 2]], axis=-1)
    )
    found = decode_frame(colour(4, 6, photometric), stored.tobytes(), LITTLE)
    expected = convert_color_space(ybr.copy(), "YBR_FULL", "RGB").astype(int)
    assert int(np.abs(found - expected).max()) <= 1


def test_ybr_422_that_holds_every_sample_is_read_as_it_lies() -> None:
    ybr = ramp(4, 6, "u1", 3)
    found = decode_frame(colour(4, 6, "YBR_FULL_422"), ybr.tobytes(), LITTLE)
    np.testing.assert_array_equal(found, decode_frame(colour(4, 6, "YBR_FULL"), ybr.tobytes(), LITTLE))


def test_sixteen_bit_and_partial_ybr_follow_their_equations() -> None:
    grey = np.full((1, 2, 3), 0x8000, "<u2")
    wide = header(1, 2, 16, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL")
    np.testing.assert_array_equal(decode_frame(wide, grey.tobytes(), LITTLE), grey)
    ends = np.array([[[16, 128, 128], [235, 128, 128]]], "u1")
    found = decode_frame(colour(1, 2, "YBR_PARTIAL_422"), ends.tobytes(), LITTLE)
    np.testing.assert_array_equal(found, [[[0, 0, 0], [255, 255, 255]]])


def _encoded(syntax: str, image: NDArray[Any]) -> bytes:
    if syntax == RLE:
        return rle(image)
    if syntax == LOSSLESS:
        return bytes(
            imagecodecs.jpeg8_encode(
                image,
                lossless=True,
                predictor=1,
                colorspace="RGB" if image.ndim == 3 else None,
                outcolorspace="RGB" if image.ndim == 3 else None,
            )
        )
    if syntax == LS:
        return bytes(imagecodecs.jpegls_encode(image))
    if syntax == J2K:
        return bytes(imagecodecs.jpeg2k_encode(image, codecformat="j2k", reversible=True, level=0, mct=False))
    if syntax == XL:
        return bytes(imagecodecs.jpegxl_encode(image, lossless=True))
    return bytes(imagecodecs.htj2k_encode(image, reversible=True))


HT = "1.2.840.10008.1.2.4.201"


@pytest.mark.parametrize("syntax", [LOSSLESS, LS, J2K, XL, RLE, HT])
@pytest.mark.parametrize("shape", ["u1", "<u2", "rgb"])
def test_lossless_codecs_give_back_what_went_in(syntax: str, shape: str) -> None:
    image = ramp(32, 40, "u1", 3) if shape == "rgb" else ramp(32, 40, shape)
    ds = colour(32, 40) if shape == "rgb" else header(32, 40, 8 * image.dtype.itemsize)
    found = decode_frame(ds, _encoded(syntax, image), syntax)
    assert found.dtype == image.dtype
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("syntax", [LOSSLESS, LS, RLE, J2K])
def test_signed_samples_survive_codecs_that_know_no_sign(syntax: str) -> None:
    image = ramp(16, 16, "<i2") - np.int16(120)
    ds = header(16, 16, PixelRepresentation=1)
    found = decode_frame(ds, _encoded(syntax, image.view("<u2")), syntax)
    np.testing.assert_array_equal(found, image)


def test_signed_samples_of_12_bits_get_their_sign_from_the_codestreams_precision() -> None:
    image = ramp(16, 16, "<i2") - np.int16(120)
    stream = bytes(imagecodecs.jpeg8_encode(image.view("<u2") & 0xFFF, lossless=True, predictor=1, bitspersample=12))
    ds = header(16, 16, BitsStored=12, HighBit=11, PixelRepresentation=1)
    np.testing.assert_array_equal(decode_frame(ds, stream, LOSSLESS), image)


def test_run_length_encoded_single_bits() -> None:
    image = ramp(8, 16, "u1") % 2
    frame = rle(np.packbits(image.ravel(), bitorder="little").reshape(1, -1))
    np.testing.assert_array_equal(decode_frame(header(8, 16, 1), frame, RLE), image)


def test_deflated_frames() -> None:
    image = ramp(8, 8)
    squeeze = zlib.compressobj(wbits=-15)
    frame = squeeze.compress(image.tobytes()) + squeeze.flush()
    np.testing.assert_array_equal(decode_frame(header(8, 8), frame, DEFLATED), image)


@pytest.mark.parametrize("space", ["RGB", "YCBCR"])
def test_jpeg_colours_follow_the_codestream_where_it_tells(space: str) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[...] = (200, 40, 90)
    frame = bytes(imagecodecs.jpeg8_encode(image, level=100, colorspace="RGB", outcolorspace=space, subsampling="444"))
    for named in ("RGB", "YBR_FULL_422"):
        found = decode_frame(colour(16, 16, named), frame, JPEG)
        assert int(np.abs(found.astype(int) - image).max()) <= 3, named


WRONG: list[tuple[str, Dataset]] = [
    ("size", header(0, 4)),
    ("Rows", header(Rows=None)),
    ("BitsAllocated", header(BitsAllocated=None)),
    ("larger", colour(30000, 30000)),
    ("impossible", header(bits=12)),
    ("more or fewer bits", header(BitsStored=17)),
    ("more or fewer bits", header(BitsStored=0)),
    ("colour space", header(PhotometricInterpretation="CMYK")),
    ("contradicts", header(SamplesPerPixel=3)),
]


@pytest.mark.parametrize(("why", "ds"), WRONG)
def test_headers_that_can_not_be_are_refused_with_the_reason(why: str, ds: Dataset) -> None:
    with pytest.raises(CannotDecode, match=why) as caught:
        decode_frame(ds, bytes(64), LITTLE)
    assert why in caught.value.safe
    assert isinstance(caught.value, Unprocessable)


@pytest.mark.parametrize("syntax", [LITTLE, DEFLATED, *CODECS])
@pytest.mark.parametrize("frame", [b"", b"\0", bytes(47), b"\xff\xd8\xff", b"\xff\xd8" * 40, b"\xff\x4f\xff\x51\0\x29"])
def test_too_few_bytes_are_refused(syntax: str, frame: bytes) -> None:
    with pytest.raises(CannotDecode):
        decode_frame(header(16, 16), frame, syntax)


def test_a_codestream_of_another_size_is_refused_before_it_is_decoded() -> None:
    for syntax in (LOSSLESS, LS, J2K, XL, HT):
        frame = _encoded(syntax, ramp(32, 40, "u1"))
        with pytest.raises(CannotDecode, match="another size"):
            decode_frame(header(32, 41, 8), frame, syntax)


def test_videos_and_unknown_syntaxes_are_refused() -> None:
    for syntax, why in (("1.2.840.10008.1.2.4.102", "video"), ("1.2.3", "transfer syntax")):
        assert not decodable(syntax)
        with pytest.raises(CannotDecode, match=why):
            decode_frame(header(), bytes(48), syntax)


_CUT = {syntax: _encoded(syntax, ramp(32, 40, "u1")) for syntax in (LOSSLESS, LS, J2K, XL, RLE, HT)}
_CUT[JPEG] = bytes(imagecodecs.jpeg8_encode(ramp(32, 40, "u1"), level=80))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(_CUT)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
    st.integers(0, 4000),
    st.binary(max_size=8),
)
def test_damaged_codestreams_give_pixels_or_one_kind_of_error(
    syntax: str, changes: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    frame = bytearray(_CUT[syntax])
    for place, value in changes:
        frame[place % len(frame)] = value
    damaged = bytes(frame[:cut] if cut < len(frame) else frame) + tail
    try:
        found = decode_frame(header(32, 40, 8), damaged, syntax)
    except CannotDecode:
        return
    assert found.shape == (32, 40)
    assert found.dtype == np.dtype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([LITTLE, BIG, DEFLATED, *CODECS]),
    st.sampled_from([1, 8, 16, 32, 64]),
    st.sampled_from(["MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "PALETTE COLOR"]),
    st.integers(0, 1),
)
def test_any_bytes_with_any_layout_give_pixels_or_one_kind_of_error(
    frame: bytes, syntax: str, bits: int, photometric: str, sign: int
) -> None:
    samples = 1 if photometric in ("MONOCHROME2", "PALETTE COLOR") else 3
    ds = header(3, 4, bits, PhotometricInterpretation=photometric, SamplesPerPixel=samples, PixelRepresentation=sign)
    try:
        found = decode_frame(ds, frame, syntax)
    except CannotDecode:
        return
    assert found.shape[:2] == (3, 4)
