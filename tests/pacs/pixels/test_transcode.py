"""pacs.pixels.transcode: what goes over without a loss comes back to the bit, and the header says what changed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import convert_color_space

from pacs.dicom import transfer_syntaxes as ts
from pacs.pixels import encode, workers
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from pacs.pixels.layout import Layout
from pacs.pixels.transcode import changes, targets, transcode
from tests.pacs.pixels.samples import BIG, LITTLE, colour, header, ramp, rle

IMPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.8.1"
LOSSLESS = sorted(encode.TARGETS - encode.METHODS.keys())
XL, XL_JPEG = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111"
XLS = frozenset((ts.JPEG_XL, ts.JPEG_XL_RECOMPRESSION, ts.JPEG_XL_LOSSY))


def after(ds: Dataset, source: str, target: str) -> Dataset:
    out = deepcopy(ds)
    for keyword, value in changes(ds, source, target).items():
        setattr(out, keyword, value)
    return out


@pytest.mark.parametrize("kind", ["<u1", "<i1", "<u2", "<i2", "<u4"])
@pytest.mark.parametrize("target", LOSSLESS)
def test_grey_comes_back_to_the_bit(target: str, kind: str) -> None:
    dtype = np.dtype(kind)
    image = ramp(33, 41, kind)
    if dtype.kind == "i":
        image = image - image.dtype.type(100)
    ds = header(33, 41, dtype.itemsize * 8, PixelRepresentation=int(dtype.kind == "i"))
    if target not in targets(LITTLE, ds):
        assert dtype.itemsize == 4 or (target == XL and dtype.kind == "i")
        with pytest.raises(CannotDecode, match="can't be had"):
            transcode(image.tobytes(), ds, LITTLE, target)
        return
    there = transcode(image.tobytes(), ds, LITTLE, target)
    header_there = after(ds, LITTLE, target)
    np.testing.assert_array_equal(decode_frame(header_there, there, target), image)
    assert transcode(there, header_there, target, LITTLE) == image.tobytes()


@pytest.mark.parametrize("kind", ["<u1", "<u2"])
@pytest.mark.parametrize("target", LOSSLESS)
def test_noise_comes_back_to_the_bit_though_it_grows(target: str, kind: str) -> None:
    image = np.random.default_rng(1).integers(0, np.iinfo(kind).max, (512, 512)).astype(kind)
    ds = header(512, 512, image.dtype.itemsize * 8)
    there = transcode(image.tobytes(), ds, LITTLE, target)
    assert transcode(there, after(ds, LITTLE, target), target, LITTLE) == image.tobytes()


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("target", LOSSLESS)
def test_colours_come_back_to_the_bit(target: str, planar: int, photometric: str) -> None:
    image = ramp(32, 40, "u1", 3)
    ds = colour(32, 40, photometric, PlanarConfiguration=planar)
    frame = (image.transpose(2, 0, 1) if planar else image).tobytes()
    if target not in targets(LITTLE, ds):
        assert (target, photometric) == (XL, "YBR_FULL")
        return
    there = transcode(frame, ds, LITTLE, target)
    header_there = after(ds, LITTLE, target)
    if photometric == "RGB":
        np.testing.assert_array_equal(decode_frame(header_there, there, target), image)
    expected = frame if target in ts.BARE else image.tobytes()
    assert transcode(there, header_there, target, LITTLE) == expected
    back = after(header_there, target, LITTLE)
    assert back.PhotometricInterpretation == photometric
    assert back.PlanarConfiguration == (planar if target in ts.BARE else 0)


@pytest.mark.parametrize(
    ("target", "photometric"),
    [
        ("1.2.840.10008.1.2.4.50", "YBR_FULL_422"),
        ("1.2.840.10008.1.2.4.90", "YBR_RCT"),
        ("1.2.840.10008.1.2.4.91", "YBR_ICT"),
        ("1.2.840.10008.1.2.4.201", "YBR_RCT"),
        ("1.2.840.10008.1.2.4.80", "RGB"),
        ("1.2.840.10008.1.2.4.70", "RGB"),
        ("1.2.840.10008.1.2.5", "RGB"),
        ("1.2.840.10008.1.2.4.110", "RGB"),
        ("1.2.840.10008.1.2.4.112", "XYB"),
    ],
)
def test_photometric_interpretation_is_the_targets(target: str, photometric: str) -> None:
    assert after(colour(8, 8), LITTLE, target).PhotometricInterpretation == photometric
    assert after(header(8, 8), LITTLE, target if target[-2:] != "50" else LITTLE).PhotometricInterpretation == (
        "MONOCHROME2"
    )


def test_twelve_signed_bits_come_back_to_the_bit() -> None:
    image = (np.arange(64 * 64).reshape(64, 64) % 4096 - 2048).astype("<i2")
    ds = header(64, 64, 16, BitsStored=12, HighBit=11, PixelRepresentation=1)
    for target in sorted(set(LOSSLESS) & targets(LITTLE, ds)):
        there = transcode(image.tobytes(), ds, LITTLE, target)
        np.testing.assert_array_equal(decode_frame(ds, there, target), image, err_msg=target)


@pytest.mark.parametrize("value", [-128, -1, 0, 127])
def test_a_frame_of_one_value_needs_no_more_bits_than_there_are(value: int) -> None:
    image = np.full((3, 5), value, "i1")
    ds = header(3, 5, 8, PixelRepresentation=1)
    for target in sorted(set(LOSSLESS) & targets(LITTLE, ds)):
        there = transcode(image.tobytes(), ds, LITTLE, target)
        np.testing.assert_array_equal(decode_frame(ds, there, target), image, err_msg=target)


def test_every_pair_of_compressed_syntaxes() -> None:
    image = ramp(40, 48, "<u2") * 16
    ds = header(40, 48, 16, BitsStored=12, HighBit=11)
    compressed = [target for target in LOSSLESS if target not in ts.BARE]
    made = {target: transcode(image.tobytes(), ds, LITTLE, target) for target in compressed}
    for source in compressed:
        for target in compressed:
            there = transcode(made[source], ds, source, target)
            np.testing.assert_array_equal(decode_frame(ds, there, target), image, err_msg=f"{source} {target}")


def test_other_programs_read_what_was_written() -> None:
    image = ramp(40, 48, "<u2") * 16
    ds = header(40, 48, 16, BitsStored=12, HighBit=11)
    readers = {
        "1.2.840.10008.1.2.4.70": imagecodecs.jpegsof3_decode,
        "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_decode,
        "1.2.840.10008.1.2.4.202": imagecodecs.htj2k_decode,
    }
    for target, read in readers.items():
        np.testing.assert_array_equal(read(transcode(image.tobytes(), ds, LITTLE, target)), image)


def test_lossless_jpeg_uses_the_first_predictor() -> None:
    """PS3.5 A.4.1: 1.2.840.10008.1.2.4.70 is Process 14, Selection Value 1."""
    frame = transcode(ramp(8, 8).tobytes(), header(8, 8), LITTLE, "1.2.840.10008.1.2.4.70")
    scan = frame.index(b"\xff\xda")
    assert frame[scan + 4] == 1
    assert frame[scan + 7] == 1


@pytest.mark.parametrize("columns", [80, 2048, 2049, 9000])
def test_htj2k_lets_a_thumbnail_be_cut_off(columns: int) -> None:
    """PS3.5 10.18: resolution, position, component, layer; tile lengths; a smallest resolution of at most 64."""
    image = ramp(8, columns)
    frame = transcode(image.tobytes(), header(8, columns), LITTLE, "1.2.840.10008.1.2.4.202")
    cod = frame.index(b"\xff\x52")
    assert frame[cod + 5] == 2
    assert -(-columns >> frame[cod + 9]) <= 64
    assert b"\xff\x55" in frame[:200]
    np.testing.assert_array_equal(decode_frame(header(8, columns), frame, "1.2.840.10008.1.2.4.202"), image)


@pytest.mark.parametrize("target", sorted(encode.METHODS))
def test_lossy_targets_are_close_and_say_so(target: str) -> None:
    bits = 8 if target == ts.BASELINE else 12
    size = 8 if bits == 8 else 16
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(f"<u{size // 8}")
    image = smooth * (1 if bits == 8 else 16)
    ds = header(64, 64, size, BitsStored=bits, HighBit=bits - 1)
    there = transcode(image.tobytes(), ds, LITTLE, target)
    found = decode_frame(ds, there, target).astype(int)
    assert 0 <= int(np.abs(found - image).max()) <= (1 << bits) // 50
    said = changes(ds, LITTLE, target)
    assert said["LossyImageCompression"] == "01"
    assert said["LossyImageCompressionMethod"] == [encode.METHODS[target]]


def test_lossy_jpeg_colours_become_rgb() -> None:
    image = ramp(32, 32, "u1", 3)
    frame = bytes(imagecodecs.jpeg8_encode(image, level=98, subsampling="422"))
    ds = colour(32, 32, "YBR_FULL_422")
    assert changes(ds, ts.BASELINE, LITTLE) == {"PhotometricInterpretation": "RGB"}
    found = np.frombuffer(transcode(frame, ds, ts.BASELINE, LITTLE), np.uint8).reshape(32, 32, 3)
    np.testing.assert_array_equal(found, decode_frame(ds, frame, ts.BASELINE))


def test_uncompressed_422_is_spread_before_it_is_compressed() -> None:
    ybr = convert_color_space(ramp(4, 8, "u1", 3), "RGB", "YBR_FULL")
    halved = np.stack([ybr[:, 0::2, 0], ybr[:, 1::2, 0], ybr[:, 0::2, 1], ybr[:, 0::2, 2]], axis=-1)
    ds = colour(4, 8, "YBR_FULL_422")
    assert changes(ds, LITTLE, ts.RLE) == {"PhotometricInterpretation": "YBR_FULL"}
    there = transcode(halved.tobytes(), ds, LITTLE, ts.RLE)
    back = np.frombuffer(transcode(there, colour(4, 8, "YBR_FULL"), ts.RLE, LITTLE), np.uint8).reshape(4, 8, 3)
    np.testing.assert_array_equal(back[..., 0], ybr[..., 0])
    np.testing.assert_array_equal(back[:, 1::2, 1:], ybr[:, 0::2, 1:])
    # Among uncompressed syntaxes nothing is touched.
    assert transcode(halved.tobytes(), ds, LITTLE, IMPLICIT) == halved.tobytes()


def test_big_endian_words_are_turned_and_spare_bits_kept() -> None:
    ds = header(2, 3, 16, BitsStored=12, HighBit=11)
    words = np.array([0xF001, 2, 3, 4, 5, 6], "<u2")
    assert transcode(words.astype(">u2").tobytes(), ds, BIG, LITTLE) == words.tobytes()
    deflated = transcode(words.astype(">u2").tobytes(), ds, BIG, DEFLATED)
    assert transcode(deflated, ds, DEFLATED, LITTLE) == words.tobytes()


def test_overlays_within_the_samples_are_not_lost() -> None:
    ds = header(8, 8, 16, BitsStored=12, HighBit=11)
    ds.add_new(0x60000102, "US", 12)
    assert all(target in ts.BARE for target in targets(LITTLE, ds))
    with pytest.raises(CannotDecode):
        transcode(bytes(128), ds, LITTLE, ts.RLE)


@pytest.mark.parametrize("bit_offset", [0, 3])
def test_single_bits(bit_offset: int) -> None:
    image = (ramp(9, 11, "u1") % 2).astype("u1")
    packed = np.packbits(np.r_[np.zeros(bit_offset, "u1"), image.ravel()], bitorder="little").tobytes()
    ds = header(9, 11, 1, HighBit=0)
    there = transcode(packed, ds, LITTLE, ts.RLE, bit_offset=bit_offset)
    np.testing.assert_array_equal(decode_frame(ds, there, ts.RLE), image)
    alone = np.packbits(image.ravel(), bitorder="little").tobytes()
    assert transcode(there, ds, ts.RLE, LITTLE) == alone
    apart = "1.2.840.10008.1.2.1.98"
    assert transcode(packed, ds, LITTLE, apart, bit_offset=bit_offset) == alone


def test_palette_indices_are_never_made_nearly_right() -> None:
    ds = header(8, 8, 8, PhotometricInterpretation="PALETTE COLOR")
    assert not targets(LITTLE, ds) & encode.METHODS.keys()


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_xl_carries_every_depth_and_the_codec_reads_it(bits: int, samples: int) -> None:
    """PS3.5 8.2.15; the oracle is the codec, asked without us."""
    kind = "<u1" if bits <= 8 else "<u2"
    shape = (19, 23) if samples == 1 else (19, 23, 3)
    image = np.random.default_rng(bits).integers(0, 1 << bits, shape).astype(kind)
    ds = header(19, 23, image.dtype.itemsize * 8, BitsStored=bits, HighBit=bits - 1)
    if samples == 3:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    there = transcode(image.tobytes(), ds, LITTLE, XL)
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(there, index=0), image)
    np.testing.assert_array_equal(decode_frame(after(ds, LITTLE, XL), there, XL), image)
    assert transcode(there, after(ds, LITTLE, XL), XL, LITTLE) == image.tobytes()


@pytest.mark.parametrize(("allocated", "signed"), [(1, 0), (8, 1), (16, 1), (32, 0), (32, 1)])
def test_jpeg_xl_is_not_offered_for_what_its_codec_does_not_carry(allocated: int, signed: int) -> None:
    ds = header(8, 8, allocated, PixelRepresentation=signed, HighBit=allocated - 1)
    assert not targets(LITTLE, ds) & XLS
    with pytest.raises(CannotDecode, match="can't be had"):
        transcode(bytes(8 * 8 * 4), ds, LITTLE, XL)


@pytest.mark.parametrize("samples", [1, 3])
def test_a_jpeg_becomes_jpeg_xl_and_the_same_jpeg_again(samples: int) -> None:
    image = ramp(32, 40, "u1", samples)
    frame = bytes(imagecodecs.jpeg8_encode(image, level=90))
    ds = colour(32, 40, "YBR_FULL_422") if samples == 3 else header(32, 40, 8)
    assert XL_JPEG in targets(ts.BASELINE, ds)
    assert XL_JPEG not in targets(LITTLE, ds)
    there = transcode(frame, ds, ts.BASELINE, XL_JPEG)
    assert bytes(imagecodecs.jpegxl_decode_jpeg(there, numthreads=1)) == frame
    assert transcode(there, ds, XL_JPEG, ts.BASELINE) == frame
    assert changes(ds, ts.BASELINE, XL_JPEG) == changes(ds, XL_JPEG, ts.BASELINE) == {}
    # Both show the same, as far as two decoders of one JPEG agree.
    shown = decode_frame(ds, there, XL_JPEG).astype(int)
    assert int(np.abs(shown - decode_frame(ds, frame, ts.BASELINE)).max()) <= 6


def test_a_jpeg_xl_that_was_no_jpeg_is_not_given_as_one() -> None:
    frame = bytes(imagecodecs.jpegxl_encode(ramp(32, 40, "u1"), lossless=True))
    with pytest.raises(CannotDecode, match="no JPEG in it"):
        transcode(frame, header(32, 40, 8), XL_JPEG, ts.BASELINE)
    with pytest.raises(CannotDecode, match="another size"):
        transcode(frame, header(32, 41, 8), XL_JPEG, ts.BASELINE)


def test_colours_of_jpeg_xl_are_its_own() -> None:
    image = ramp(32, 40, "u1", 3)
    frame = transcode(image.tobytes(), colour(32, 40), LITTLE, ts.JPEG_XL_LOSSY)
    shown = decode_frame(colour(32, 40, "XYB"), frame, ts.JPEG_XL_LOSSY).astype(int)
    assert float(np.abs(shown - image).mean()) < 4
    assert changes(colour(32, 40, "XYB"), ts.JPEG_XL_LOSSY, LITTLE) == {"PhotometricInterpretation": "RGB"}
    assert targets(LITTLE, colour(32, 40, "XYB")) == {LITTLE}
    with pytest.raises(CannotDecode, match="colour space"):
        decode_frame(colour(32, 40, "XYB"), image.tobytes(), LITTLE)


def test_what_can_not_be_decoded_is_only_had_as_it_is() -> None:
    for syntax in ("1.2.840.10008.1.2.4.102", "1.2.3"):
        assert targets(syntax, header()) == {syntax}
        assert transcode(b"as it is", header(), syntax, syntax) == b"as it is"
        with pytest.raises(CannotDecode):
            transcode(b"", header(), syntax, LITTLE)
    assert targets(LITTLE, Dataset()) == {LITTLE}


def test_the_same_work_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    call = workers.POOL.call

    def counted(head: dict[str, Any], form: Layout, frame: bytes, **more: Any) -> bytearray:
        asked.append(head["op"])
        return call(head, form, frame, **more)

    monkeypatch.setattr(workers.POOL, "call", counted)
    image = np.random.default_rng(5).integers(0, 250, (16, 16), np.uint8)
    for _ in range(3):
        decode_frame(header(16, 16, 8), rle(image), ts.RLE)
        transcode(image.tobytes(), header(16, 16, 8), LITTLE, ts.JPEG_2000)
    assert asked == ["decode", "transcode"]


def _images() -> st.SearchStrategy[NDArray[Any]]:
    def make(rows: int, columns: int, kind: str, seed: int, spread: int) -> NDArray[Any]:
        info = np.iinfo(kind)
        high = min(int(info.max), int(info.min) + (1 << spread))
        return np.random.default_rng(seed).integers(info.min, high, (rows, columns), kind, endpoint=True)

    return st.builds(
        make, st.integers(1, 40), st.integers(1, 40), st.sampled_from(["u1", "i1", "u2", "i2"]),
        st.integers(0, 9), st.integers(0, 16),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(_images(), st.sampled_from(LOSSLESS))
def test_any_image_comes_back_to_the_bit(image: NDArray[Any], target: str) -> None:
    ds = header(
        image.shape[0], image.shape[1], image.dtype.itemsize * 8, PixelRepresentation=int(image.dtype.kind == "i")
    )
    if target not in targets(LITTLE, ds):
        assert (target, image.dtype.kind) == (XL, "i")
        return
    there = transcode(image.tobytes(), ds, LITTLE, target)
    assert transcode(there, ds, target, LITTLE) == image.tobytes()


def test_the_same_work_is_done_once_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    call = workers.POOL.call
    begun, go_on = threading.Event(), threading.Event()

    def slow(head: dict[str, Any], form: Layout, frame: bytes, **more: Any) -> bytearray:
        asked.append(head["op"])
        begun.set()
        assert go_on.wait(30)
        return call(head, form, frame, **more)

    monkeypatch.setattr(workers.POOL, "call", slow)
    image = np.random.default_rng(7).integers(0, 250, (16, 16), np.uint8)
    with ThreadPoolExecutor(4) as threads:
        made = [threads.submit(transcode, image.tobytes(), header(16, 16, 8), LITTLE, ts.JPEG_2000) for _ in range(4)]
        assert begun.wait(30)
        go_on.set()
        frames = {one.result(30) for one in made}
    assert (asked, len(frames)) == (["transcode"], 1)
