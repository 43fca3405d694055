"""Masks blank what they cover and change nothing else, in every codec; stray bits are cleared and no others."""

from __future__ import annotations

import io
from collections.abc import Callable
from struct import pack

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from overread.kit.errors import Unprocessable
from pacs.deid import masks
from pacs.deid.header import deidentify
from pacs.deid.masks import Box, NotMaskable, masked, within
from pacs.dicom import frames
from pacs.dicom import transfer_syntaxes as ts
from pacs.dicom.elements import Unreadable
from pacs.dicom.part10 import parse
from pacs.pixels import encode, image_pixel, jpeg_blocks, workers
from pacs.pixels.decode import decode_frame
from pacs.pixels.errors import CannotDecode
from pacs.pixels.jpeg_blocks import blank
from tests.pacs.corpus import files, sources
from tests.pacs.deid.planted import EXPLICIT, IMPLICIT, El, part10, skeleton, text
from tests.pacs.deid.test_rows import SECRET

Picture = NDArray[np.uint8]
BOXES = (Box(37, 20, 90, 33), Box(250, 150, 60, 40))


def picture() -> Picture:
    y, x = np.mgrid[:200, :317]
    noise = np.random.default_rng(1).normal(0, 8, x.shape)
    grey = (128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 7) + noise).clip(1, 255).astype(np.uint8)
    return np.dstack([grey, np.roll(grey, 30, 1), 255 - grey // 2])


def covered(shape: tuple[int, ...], boxes: tuple[Box, ...], unit: int = 1, more: int = 0) -> NDArray[np.bool_]:
    """The pixels of boxes that were grown to whole units, and by `more` pixels around."""
    found = np.zeros(shape[:2], bool)
    for left, top, width, height in boxes:
        bottom, right = -(-(top + height) // unit) * unit + more, -(-(left + width) // unit) * unit + more
        found[max(0, top // unit * unit - more) : bottom, max(0, left // unit * unit - more) : right] = True
    return found


def jpeg(image: Picture, **options: int | bool) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=88, **options)
    return out.getvalue()


def boxes_within(rows: int, columns: int) -> st.SearchStrategy[list[Box]]:
    side = st.integers(1, 60)
    return st.lists(
        st.builds(Box, st.integers(0, columns - 1), st.integers(0, rows - 1), side, side), min_size=1, max_size=4
    )


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("restart", [0, 1, 7])
@pytest.mark.parametrize(("colour", "subsampling"), [(False, 0), (True, 0), (True, 1), (True, 2)])
def test_blocks_of_jpeg_are_blanked_and_no_other_sample_changes(
    colour: bool, subsampling: int, restart: int, optimize: bool
) -> None:
    image = picture() if colour else picture()[:, :, 0]
    options = {"subsampling": subsampling} if colour else {}
    frame = jpeg(image, optimize=optimize, restart_marker_blocks=restart, **options)
    before, after = imagecodecs.jpeg8_decode(frame), imagecodecs.jpeg8_decode(blank(frame, BOXES))
    differs = (before != after).reshape(*before.shape[:2], -1).any(axis=2)
    # Where colour is subsampled, decoders smooth it over the edge of a block.
    outside = ~covered(before.shape, BOXES, 16 if subsampling else 8, 2 if subsampling else 0)
    assert not (differs & outside).any()
    assert after[covered(before.shape, BOXES)].max() <= 2


@settings(deadline=None, max_examples=25)
@given(st.data(), st.sampled_from([0, 1, 2]), st.booleans())
def test_blocks_wherever_the_boxes_are(data: st.DataObject, subsampling: int, optimize: bool) -> None:
    frame = jpeg(picture(), subsampling=subsampling, optimize=optimize)
    boxes = tuple(Box(*box) for box in within(data.draw(boxes_within(200, 317)), 200, 317))
    before, after = imagecodecs.jpeg8_decode(frame), imagecodecs.jpeg8_decode(blank(frame, boxes))
    outside = ~covered(before.shape, boxes, 16 if subsampling else 8, 2 if subsampling else 0)
    assert np.array_equal(before[outside], after[outside])
    # Not even their colours are told apart: the whole blocks have one brightness.
    grey = imagecodecs.jpeg8_decode(blank(frame, boxes), outcolorspace="GRAYSCALE")
    assert grey[covered(before.shape, boxes)].max() <= 2


def test_samples_of_12_bits_are_blanked_too() -> None:
    image = picture()[:, :, 0].astype(np.uint16) * 16
    frame = imagecodecs.jpeg8_encode(image, level=90, bitspersample=12)
    before, after = imagecodecs.jpeg8_decode(frame), imagecodecs.jpeg8_decode(blank(bytes(frame), BOXES))
    assert after[covered(before.shape, BOXES)].max() == 0
    assert not ((before != after) & ~covered(before.shape, BOXES, 8)).any()


def test_where_black_is_white_the_mask_is_bright() -> None:
    after = imagecodecs.jpeg8_decode(blank(jpeg(picture()[:, :, 0]), BOXES, brightest=True))
    assert after[covered(after.shape, BOXES)].min() >= 250


def test_progressive_frames_have_no_blocks_to_blank() -> None:
    with pytest.raises(CannotDecode, match="sequential"):
        blank(jpeg(picture(), progressive=True), BOXES)


@settings(deadline=None)  # a busy machine is no failure
@given(st.data())
def test_a_damaged_frame_is_refused_and_nothing_worse(data: st.DataObject) -> None:
    frame = bytearray(jpeg(picture()[:48, :64], optimize=True, subsampling=2))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(2, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    for damaged in (bytes(frame), cut):
        try:
            made = blank(damaged, [Box(3, 3, 9, 9)])
        except CannotDecode:
            continue
        assert made[:2] == b"\xff\xd8"


def encapsulated(frame: bytes, syntax: str, header: list[El]) -> bytes:
    return encapsulated_frames([frame], syntax, header)


def encapsulated_frames(coded: list[bytes], syntax: str, header: list[El]) -> bytes:
    padded = [frame + b"\0" * (len(frame) % 2) for frame in coded]
    value = b"".join(pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in (b"", *padded))
    head = pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    return part10(header, syntax, tail=head + value + pack("<HHI", 0xFFFE, 0xE0DD, 0))


def described(image: NDArray[np.generic], stored: int, photometric: str, *, signed: bool = False) -> list[El]:
    samples = image.shape[2] if image.ndim == 3 else 1
    numbers = {
        0x00280002: samples,
        0x00280010: image.shape[0],
        0x00280011: image.shape[1],
        0x00280100: image.dtype.itemsize * 8,
        0x00280101: stored,
        0x00280102: stored - 1,
        0x00280103: int(signed),
        **({0x00280006: 0} if samples > 1 else {}),
    }
    kept = [e for e in skeleton() if e.tag not in numbers and e.tag not in (0x00280004, 0x7FE00010)]
    return [*kept, text(0x00280004, "CS", photometric), *(El(tag, "US", pack("<H", n)) for tag, n in numbers.items())]


def run(
    source: bytes, boxes: tuple[Box, ...] = BOXES, header: Dataset | None = None
) -> tuple[NDArray[np.generic], NDArray[np.generic], str]:
    """The first frame before and after, and the transfer syntax after."""
    parsed = parse(source)
    ds = header or pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)
    syntax = parsed.meta.transfer_syntax
    (first, *_) = frames.frame_ranges(parsed)
    before = decode_frame(ds, b"".join(bytes(parsed.buf[a : a + n]) for a, n in first), syntax)
    made = masked(parsed, ds, syntax, boxes, lambda start, length: bytes(parsed.buf[start : start + length]))
    pieces = list(made.pieces)
    for tag, (vr, value) in made.changes.items():
        ds[tag] = pydicom.DataElement(tag, vr, value.decode() if vr == "CS" else int.from_bytes(value, "little"))
    if made.length is None:
        return before, decode_frame(ds, pieces[1][8:], made.transfer_syntax), made.transfer_syntax
    assert len(b"".join(pieces)) == made.length
    return before, decode_frame(ds, pieces[0], made.transfer_syntax), made.transfer_syntax


def lossless(image: NDArray[np.generic], bits: int | None = None) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(image, lossless=True, bitspersample=bits))


GREY = np.ascontiguousarray(picture()[:, :, 0])
WIDE = GREY.astype(np.uint16) * 16
ROOT = "1.2.840.10008.1.2."
J2K = ROOT + "4.90"
#: What the oracle's plugins decode to the last bit, before and after.
PYDICOM_KNOWS = frozenset(ROOT + end for end in ("4.80", "4.81", "4.90", "4.91", "5"))


def progressive(image: Picture, **options: int) -> bytes:
    return jpeg(image, progressive=True, **options)


def colour_2000(level: int, *, reversible: bool) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(picture(), level=level, codecformat="j2k", reversible=reversible))


#: Name -> transfer syntax, a frame, its header, and the transfer syntax after where it is another.
CODECS: dict[str, tuple[str, Callable[[], bytes], list[El], str]] = {
    "lossless JPEG, 8 bits": (ROOT + "4.70", lambda: lossless(GREY), described(GREY, 8, "MONOCHROME2"), ""),
    "lossless JPEG, 12 bits": (ROOT + "4.57", lambda: lossless(WIDE, 12), described(WIDE, 12, "MONOCHROME2"), ""),
    "progressive JPEG": (ROOT + "4.55", lambda: progressive(GREY), described(GREY, 8, "MONOCHROME2"), J2K),
    "progressive JPEG as extended": (ROOT + "4.51", lambda: progressive(GREY), described(GREY, 8, "MONOCHROME1"), J2K),
    "progressive JPEG in colour": (
        ROOT + "4.50",
        lambda: progressive(picture(), subsampling=2),
        described(picture(), 8, "YBR_FULL_422"),
        J2K,
    ),
    "JPEG-LS": (
        ROOT + "4.80",
        lambda: bytes(imagecodecs.jpegls_encode(WIDE)),
        described(WIDE, 12, "MONOCHROME2"),
        "",
    ),
    "near-lossless JPEG-LS": (
        ROOT + "4.81",
        lambda: bytes(imagecodecs.jpegls_encode(GREY, level=3)),
        described(GREY, 8, "MONOCHROME1"),
        "",
    ),
    "JPEG 2000": (
        J2K,
        lambda: bytes(imagecodecs.jpeg2k_encode(WIDE, level=0, reversible=True, codecformat="j2k", bitspersample=12)),
        described(WIDE, 12, "MONOCHROME2"),
        "",
    ),
    "signed JPEG 2000": (
        J2K,
        lambda: bytes(imagecodecs.jpeg2k_encode(WIDE.astype(np.int16) - 1000, level=0, codecformat="j2k")),
        described(WIDE.astype(np.int16), 16, "MONOCHROME2", signed=True),
        "",
    ),
    "JPEG 2000 in colour, lossy": (
        ROOT + "4.91",
        lambda: colour_2000(40, reversible=False),
        described(picture(), 8, "YBR_ICT"),
        "",
    ),
    "JPEG 2000 part 2": (ROOT + "4.93", lambda: colour_2000(40, reversible=False), described(picture(), 8, "RGB"), J2K),
    "HTJ2K": (
        ROOT + "4.201",
        lambda: bytes(imagecodecs.htj2k_encode(GREY)),
        described(GREY, 8, "MONOCHROME2"),
        "",
    ),
    "HTJ2K in order of resolution": (
        ROOT + "4.202",
        lambda: bytes(imagecodecs.htj2k_encode(picture(), reversible=True, rgb=True)),
        described(picture(), 8, "YBR_RCT"),
        "",
    ),
    "HTJ2K, lossy": (
        ROOT + "4.203",
        lambda: bytes(imagecodecs.htj2k_encode(GREY, reversible=False, level=2)),
        described(GREY, 8, "MONOCHROME2"),
        "",
    ),
    "JPEG XL": (
        ROOT + "4.112",
        lambda: bytes(imagecodecs.jpegxl_encode(picture(), level=80)),
        described(picture(), 8, "RGB"),
        ROOT + "4.112",
    ),
    "lossless JPEG XL": (
        ROOT + "4.110",
        lambda: bytes(imagecodecs.jpegxl_encode(WIDE, lossless=True)),
        described(WIDE, 16, "MONOCHROME2"),
        ROOT + "4.110",
    ),
    "deflated frames": (
        ROOT + "8.1",
        lambda: encode.deflate(WIDE.tobytes()),
        described(WIDE, 12, "MONOCHROME2"),
        "",
    ),
    "deflated frames in colour": (
        ROOT + "8.1",
        lambda: encode.deflate(picture().tobytes()),
        described(picture(), 8, "RGB"),
        "",
    ),
    "encapsulated bare samples": (ROOT + "1.98", WIDE.tobytes, described(WIDE, 12, "MONOCHROME2"), ""),
    "RLE": (
        ROOT + "5",
        lambda: run_lengths(WIDE, 12, "MONOCHROME2"),
        described(WIDE, 12, "MONOCHROME2"),
        "",
    ),
    "RLE of 32 bits": (
        ROOT + "5",
        lambda: run_lengths(WIDE.astype(np.uint32) << 8, 32, "MONOCHROME2"),
        described(WIDE.astype(np.uint32), 32, "MONOCHROME2"),
        "",
    ),
    "RLE in YBR": (
        ROOT + "5",
        lambda: run_lengths(picture(), 8, "YBR_FULL"),
        described(picture(), 8, "YBR_FULL"),
        "",
    ),
    "JPEG XL in colour, lossy": (
        ROOT + "4.112",
        lambda: bytes(imagecodecs.jpegxl_encode(picture(), distance=1.0)),
        described(picture(), 8, "XYB"),
        ROOT + "4.112",
    ),
    "JPEG in colour as JPEG XL": (
        ROOT + "4.111",
        lambda: bytes(imagecodecs.jpegxl_encode_jpeg(jpeg(picture(), subsampling=1))),
        described(picture(), 8, "YBR_FULL_422"),
        J2K,
    ),
}


def run_lengths(image: NDArray[np.generic], bits: int, photometric: str) -> bytes:
    header = part10(described(image, bits, photometric), EXPLICIT)
    form = image_pixel.read(pydicom.dcmread(io.BytesIO(header), stop_before_pixels=True))
    return encode.frame(image, form, ts.RLE)


@pytest.mark.parametrize("name", CODECS)
def test_nothing_outside_changes_by_what_is_written_without_loss(name: str) -> None:
    syntax, frame, header, becomes = CODECS[name]
    before, after, made = run(encapsulated(frame(), syntax, header))
    assert made == (becomes or syntax)
    inside = covered(before.shape, BOXES)
    assert np.array_equal(before[~inside], after[~inside])
    assert len(np.unique(before[~inside])) > 50
    assert len(np.unique(after[inside].reshape(-1, after.shape[2] if after.ndim == 3 else 1), axis=0)) == 1


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_wherever_the_boxes_are(name: str, data: st.DataObject) -> None:
    syntax, frame, header, _ = CODECS[name]
    boxes = tuple(data.draw(boxes_within(200, 317)))
    before, after, _ = run(encapsulated(frame(), syntax, header), boxes)
    inside = covered(before.shape, boxes)
    assert np.array_equal(before[~inside], after[~inside])
    assert len(np.unique(after[inside].reshape(-1, after.shape[2] if after.ndim == 3 else 1), axis=0)) == 1


@pytest.mark.parametrize("name", [n for n, c in CODECS.items() if c[0] in PYDICOM_KNOWS])
def test_pydicom_reads_the_same_outside(name: str) -> None:
    syntax, frame, header, _ = CODECS[name]
    source = encapsulated(frame(), syntax, header)
    before = pydicom.dcmread(io.BytesIO(source)).pixel_array
    ds = pydicom.dcmread(io.BytesIO(rewritten(source)))
    inside = covered(before.shape, BOXES)
    assert np.array_equal(before[~inside], ds.pixel_array[~inside])
    assert len(np.unique(ds.pixel_array[inside].reshape(-1, ds.SamplesPerPixel), axis=0)) == 1


def rewritten(source: bytes) -> bytes:
    """The whole file, masked."""
    ds, parsed = pydicom.dcmread(io.BytesIO(source)), parse(source)
    made = masked(parsed, ds, parsed.meta.transfer_syntax, BOXES, lambda at, size: bytes(parsed.buf[at : at + size]))
    for tag, (vr, value) in made.changes.items():
        ds[tag] = pydicom.DataElement(tag, vr, value.decode() if vr == "CS" else int.from_bytes(value, "little"))
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(made.transfer_syntax)
    value = b"".join(made.pieces)
    # pydicom writes the delimiter itself.
    ds.PixelData = value[:-8] if made.length is None else value
    ds["PixelData"].is_undefined_length = made.length is None
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_frames_of_two_processes_are_all_written_without_loss() -> None:
    plain, other = jpeg(GREY), progressive(GREY)
    header = [*described(GREY, 8, "MONOCHROME2"), text(0x00280008, "IS", "2")]
    source = encapsulated_frames([plain, other], ROOT + "4.50", header)
    parsed, ds = parse(source), pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)
    made = masked(parsed, ds, ROOT + "4.50", BOXES, lambda at, size: bytes(parsed.buf[at : at + size]))
    assert made.transfer_syntax == J2K
    pieces = list(made.pieces)
    inside = covered(GREY.shape, BOXES)
    for frame, piece in zip((plain, other), pieces[1:3], strict=True):
        before, after = imagecodecs.jpeg8_decode(frame), imagecodecs.jpeg2k_decode(piece[8:])
        assert np.array_equal(before[~inside], after[~inside])
        assert not after[inside].any()


def test_unused_bits_of_packed_cells_are_cleared() -> None:
    stray = WIDE | 0x8000
    frame = run_lengths(stray, 16, "MONOCHROME2")
    source = encapsulated(frame, ROOT + "5", described(stray, 12, "MONOCHROME2"))
    parsed, ds = parse(source), pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)
    made = masked(parsed, ds, ROOT + "5", BOXES, lambda at, size: bytes(parsed.buf[at : at + size]))
    ds.BitsStored, ds.HighBit = 16, 15
    cells = decode_frame(ds, list(made.pieces)[1][8:], ROOT + "5")
    assert not (cells & 0xF000).any()


@pytest.mark.parametrize("name", CODECS)
def test_a_damaged_frame_is_a_sentence(name: str) -> None:
    syntax, frame, header, _ = CODECS[name]
    if syntax == ROOT + "1.98":
        pytest.skip("bare samples have no structure that could be damaged")
    whole = frame()
    source = encapsulated(whole[: len(whole) // 3], syntax, header)
    try:
        run_masked(source)
    except NotMaskable as refused:
        assert refused.safe.startswith("This picture can't be masked: ")  # noqa: PT017 - some codecs fill what is missing


def run_masked(source: bytes) -> list[bytes]:
    parsed, ds = parse(source), pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)
    syntax = parsed.meta.transfer_syntax
    return list(masked(parsed, ds, syntax, BOXES, lambda at, size: bytes(parsed.buf[at : at + size])).pieces)


def test_a_codec_that_dies_takes_nothing_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = workers.Pool(module="tests.pacs.pixels.bad_worker", patience=60)
    syntax, frame, header, _ = CODECS["JPEG 2000"]
    source = encapsulated(frame(), syntax, header)
    call = pool.call
    monkeypatch.setattr(
        workers.POOL, "call", lambda head, *rest, **more: call({**head, "op": "segfault"}, *rest, **more)
    )
    with pytest.raises(NotMaskable, match="damaged"):
        run_masked(source)
    pool.close()
    monkeypatch.undo()
    assert run_masked(source)


def test_run_lengths_are_packed_again() -> None:
    image = np.dstack([WIDE, WIDE[::-1], WIDE // 2])
    frame = run_lengths(image, 16, "RGB")
    before, after, made = run(encapsulated(frame, "1.2.840.10008.1.2.5", described(image, 16, "RGB")))
    inside = covered(before.shape, BOXES)
    assert made == "1.2.840.10008.1.2.5"
    assert np.array_equal(before, image)
    assert np.array_equal(before[~inside], after[~inside])
    assert not after[inside].any()


def test_bits_that_are_no_part_of_a_sample_go_with_the_mask() -> None:
    source = part10([*described(WIDE, 12, "MONOCHROME2"), El(0x7FE00010, "OW", (WIDE | 0x5000).tobytes())], EXPLICIT)
    parsed, ds = parse(source), pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)

    def patch(at: int, size: int) -> bytes:
        return bytes(parsed.buf[at : at + size])

    cells = np.frombuffer(b"".join(masked(parsed, ds, EXPLICIT, BOXES, patch, 0xF000).pieces), "<u2").reshape(
        WIDE.shape
    )
    inside = covered(WIDE.shape, BOXES)
    assert np.array_equal(cells[~inside], WIDE[~inside])
    assert not cells[inside].any()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_native_frames_are_masked_as_they_are_copied(photometric: str, planar: int, syntax: str) -> None:
    image = picture()
    header = [e for e in described(image, 8, photometric) if e.tag != 0x00280006]
    data = image.transpose(2, 0, 1) if planar else image
    source = part10(
        [
            *header,
            El(0x00280006, "US", pack("<H", planar)),
            text(0x00280008, "IS", "2"),
            El(0x7FE00010, "OW", data.tobytes() * 2),
        ],
        syntax,
    )
    before, after, _ = run(source)
    inside = covered(before.shape, BOXES)
    assert np.array_equal(before[~inside], after[~inside])
    assert after[inside].max() == 0


def test_pairs_that_share_their_colour_are_masked_together() -> None:
    pairs = np.random.default_rng(2).integers(1, 255, (200, 158, 4), np.uint8)
    header = described(np.zeros((200, 316, 3), np.uint8), 8, "YBR_FULL_422")
    before, after, _ = run(part10([*header, El(0x7FE00010, "OB", pairs.tobytes())], EXPLICIT), (Box(37, 20, 91, 33),))
    inside = covered(before.shape, (Box(36, 20, 92, 33),))
    assert np.array_equal(before[~inside], after[~inside])
    assert after[inside].max() == 0


def test_single_bits_are_masked() -> None:
    bits = np.random.default_rng(3).integers(0, 2, (20, 30), np.uint8)
    header = [e for e in described(bits, 1, "MONOCHROME2") if e.tag != 0x00280100]
    source = part10(
        [
            *header,
            El(0x00280100, "US", pack("<H", 1)),
            El(0x7FE00010, "OB", np.packbits(bits, bitorder="little").tobytes()),
        ],
        EXPLICIT,
    )
    before, after, _ = run(source, (Box(3, 4, 10, 5),))
    inside = covered(bits.shape, (Box(3, 4, 10, 5),))
    assert np.array_equal(before[~inside], after[~inside])
    assert not after[inside].any()


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 0, 5), (317, 0, 1, 1), (0, 200, 1, 1)])
def test_a_mask_outside_of_the_picture_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(Unprocessable, match="outside"):
        within([box], 200, 317)


def test_masks_end_at_the_edge() -> None:
    assert within([(300, 190, 500, 500)], 200, 317) == [Box(300, 190, 17, 10)]
    with pytest.raises(Unprocessable, match="65 masks"):
        within([(0, 0, 1, 1)] * 65, 200, 317)


def test_video_can_not_be_masked() -> None:
    source = encapsulated(b"\0\0\1\xb3", "1.2.840.10008.1.2.4.102", described(GREY, 8, "YBR_PARTIAL_420"))
    ds = pydicom.dcmread(io.BytesIO(source), stop_before_pixels=True)
    with pytest.raises(NotMaskable):
        masked(parse(source), ds, "1.2.840.10008.1.2.4.102", BOXES, lambda _start, _length: b"")


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40), st.integers(0, 0xFFFF), st.booleans())
def test_only_the_bits_that_were_asked_for_are_cleared(cells: list[int], bits: int, odd: bool) -> None:
    data = b"??" + pack(f"<{len(cells)}H", *cells) + b"!" * odd
    made = b"".join(masks.cleared(data, 2, len(data) - 2, bits, 16))
    assert made == pack(f"<{len(cells)}H", *(cell & ~bits for cell in cells)) + b"!" * odd


def unit(syntax: str, photometric: str) -> tuple[int, int]:
    """What a mask grows to, and how far decoders smooth over its edge."""
    if syntax in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"):
        return 16, 2
    return (2, 0) if "422" in photometric else (1, 0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source", sources())
def test_real_pictures_are_the_same_outside(source: str) -> None:
    for name, data in files(source):
        try:
            parsed = parse(data)
            made = deidentify(parsed, secret=SECRET)
            front = made.header[: len(made.header) - (12 if parsed.explicit else 8)]
            ds = masks.described(front)
            if not made.pixels or "Rows" not in ds or "Columns" not in ds or ds.Rows is None or ds.Columns is None:
                continue
            rows, columns = int(ds.Rows), int(ds.Columns)
            box = Box(columns // 4, rows // 4, max(1, columns // 3), max(1, rows // 3))
            before, after, _ = run(data, (box,), ds)
        except (Unreadable, CannotDecode, Unprocessable):
            continue
        size, more = unit(parsed.meta.transfer_syntax, str(ds.get("PhotometricInterpretation")))
        differs = (before != after).reshape(rows, columns, -1).any(axis=2)
        assert not (differs & ~covered((rows, columns), (box,), size, more)).any(), name


def test_tables_that_lack_a_symbol_are_replaced() -> None:
    bits, values = jpeg_blocks._flat({0, 3, 250})
    codes = jpeg_blocks._encoder(bits, values)
    assert set(codes) == {0, 3, 250}
    assert {size for _, size in codes.values()} == {2}
    assert max(code for code, _ in codes.values()) < 0b11
    decoder = jpeg_blocks._decoder(bits, values)
    assert [decoder[code << 14] & 0xFF for code, _ in codes.values()] == list(codes)
