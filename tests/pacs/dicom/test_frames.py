"""pacs.dicom.frames: the ranges hold what pydicom takes for the frames, and doubtful ones are refused."""

from __future__ import annotations

import warnings
from io import BytesIO
from struct import pack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.filereader import read_dataset

from pacs.dicom.elements import Unreadable, find, ints
from pacs.dicom.frames import PixelMismatch, UnalignedFrames, frame_ranges, pixel_element, unaligned
from pacs.dicom.part10 import Parsed, parse
from pacs.dicom.transfer_syntaxes import VIDEO
from tests.pacs import corpus
from tests.pacs.datasets import file_bytes

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
MPEG4 = "1.2.840.10008.1.2.4.102"
ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def image(pixels: bytes | None = None, *, frames: int | None = None, bits: int = 8, rows: int = 4) -> Dataset:
    ds = Dataset()
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated = rows, 4, 1, bits
    ds.PhotometricInterpretation = "MONOCHROME2"
    if frames is not None:
        ds.NumberOfFrames = frames
    if pixels is not None:
        ds.PixelData = pixels
        ds["PixelData"].VR = "OB"
    return ds


def encapsulated(value: bytes, *, syntax: str = JPEG, frames: int | None = None, **extra: bytes) -> Parsed:
    ds = image(value, frames=frames)
    ds["PixelData"].is_undefined_length = True
    for keyword, table in extra.items():
        setattr(ds, keyword, table)
    return parse(file_bytes(ds, syntax))


def fragments(*pieces: bytes, table: bytes = b"") -> bytes:
    return b"".join(ITEM + pack("<I", len(piece)) + piece for piece in (table, *pieces))


def jpeg(size: int) -> bytes:
    return b"\xff\xd8\xff\xe0" + b"\x11" * (size - 6) + b"\xff\xd9"


def contents(parsed: Parsed) -> list[bytes]:
    return [b"".join(bytes(parsed.buf[s : s + n]) for s, n in frame) for frame in frame_ranges(parsed)]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_native_frames(syntax: str) -> None:
    pixels = bytes(range(96)) + b"\0\0"
    assert contents(parse(file_bytes(image(pixels, frames=6), syntax))) == [
        pixels[i : i + 16] for i in range(0, 96, 16)
    ]


def test_one_frame_without_a_number_of_frames() -> None:
    assert contents(parse(file_bytes(image(bytes(16))))) == [bytes(16)]
    assert contents(parse(file_bytes(image(bytes(16), frames=0)))) == [bytes(16)]


def test_no_pixel_data_means_no_frames() -> None:
    assert frame_ranges(parse(file_bytes(image()))) == []


def test_float_pixels_take_their_width_from_the_element() -> None:
    ds = image(frames=2, bits=32)
    ds.FloatPixelData = bytes(128)
    assert [[n for _, n in frame] for frame in frame_ranges(parse(file_bytes(ds)))] == [[64], [64]]
    ds = image(frames=2)
    ds.DoubleFloatPixelData = bytes(256)
    assert [[n for _, n in frame] for frame in frame_ranges(parse(file_bytes(ds)))] == [[128], [128]]


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_subsampled_colour_is_shorter(photometric: str) -> None:
    ds = image(bytes(64), frames=2)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, photometric
    assert [[n for _, n in frame] for frame in frame_ranges(parse(file_bytes(ds)))] == [[32], [32]]


def test_single_bit_frames() -> None:
    assert contents(parse(file_bytes(image(b"\x01\x02\x03\x04", frames=2, bits=1)))) == [b"\x01\x02", b"\x03\x04"]
    assert contents(parse(file_bytes(image(b"\x01\x02", bits=1, rows=3)))) == [b"\x01\x02"]
    with pytest.raises(UnalignedFrames, match="12 bits"):
        frame_ranges(parse(file_bytes(image(b"\x01\x02\x03\x00", frames=2, bits=1, rows=3))))


@given(st.integers(1, 9), st.integers(2, 9), st.data())
def test_single_bit_frames_that_begin_within_bytes_are_moved(rows: int, frames: int, data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=rows * 4 * frames, max_size=rows * 4 * frames))
    packed = np.packbits(bits, bitorder="little").tobytes()
    parsed = parse(file_bytes(image(packed + bytes(len(packed) % 2), frames=frames, bits=1, rows=rows)))
    for index in range(frames):
        expected = np.packbits(bits[index * rows * 4 : (index + 1) * rows * 4], bitorder="little").tobytes()
        assert unaligned(parsed, index) == expected


@pytest.mark.parametrize(
    ("rows", "bits", "frames"),
    [(0, 8, 1), (4, 3, 1), (4, 0, 1), (65535, 16, 2**31 - 1), (65535, 16, 1), (4, 8, -1), (4, 8, 2)],
)
def test_absurd_descriptions_are_refused_before_anything_is_allocated(rows: int, bits: int, frames: int) -> None:
    parsed = parse(file_bytes(image(bytes(16), frames=frames, bits=bits, rows=rows)))
    with pytest.raises(PixelMismatch):
        frame_ranges(parsed)


FRAMES = [jpeg(20), jpeg(30), jpeg(24)]


@pytest.mark.parametrize("has_bot", [True, False])
@pytest.mark.parametrize("per_frame", [1, 3])
def test_encapsulated_frames_with_and_without_a_basic_offset_table(has_bot: bool, per_frame: int) -> None:
    value = encapsulate(FRAMES, fragments_per_frame=per_frame, has_bot=has_bot)
    assert contents(encapsulated(value, frames=3)) == list(generate_frames(value, number_of_frames=3)) == FRAMES


def test_extended_offset_table_gives_true_lengths() -> None:
    value, offsets, _ = encapsulate_extended(FRAMES)
    lengths = pack("<3Q", 19, 30, 23)
    parsed = encapsulated(value, frames=3, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert contents(parsed) == [FRAMES[0][:19], FRAMES[1], FRAMES[2][:23]]


@pytest.mark.parametrize("offsets", [(0, 28, 9999), (8, 28, 66), (0, 0, 0), (0, 66, 28)])
def test_tables_that_lie_are_not_believed(offsets: tuple[int, int, int]) -> None:
    basic = fragments(*FRAMES, table=pack("<3I", *offsets))
    assert contents(encapsulated(basic, frames=3)) == FRAMES
    extended = encapsulated(
        fragments(*FRAMES),
        frames=3,
        ExtendedOffsetTable=pack("<3Q", *(offset + 1 for offset in offsets)),
        ExtendedOffsetTableLengths=pack("<3Q", 20, 30, 24),
    )
    assert contents(extended) == FRAMES


def test_the_table_counts_the_frames_where_nothing_else_does() -> None:
    value = fragments(*FRAMES, table=pack("<3I", 0, 28, 66))
    assert contents(encapsulated(value)) == FRAMES
    assert contents(encapsulated(value, frames=1)) == [b"".join(FRAMES)]


def test_many_fragments_of_one_frame() -> None:
    assert contents(encapsulated(fragments(b"\xff\xd8\xff\xe0", b"1234", b"56\xff\xd9"))) == [
        b"\xff\xd8\xff\xe01234" + b"56\xff\xd9"
    ]


def test_frames_are_divided_by_start_or_end_markers() -> None:
    # No start marker of a kind we know: the end markers decide.
    ends = fragments(b"aa", b"bb\xff\xd9", b"cc", b"dd\xff\xd9")
    assert contents(encapsulated(ends, frames=2)) == [b"aabb\xff\xd9", b"ccdd\xff\xd9"]
    starts = fragments(b"\xff\x4f\xff\x51aa", b"bb", b"\xff\x4f\xff\x51cc")
    assert contents(encapsulated(starts, frames=2)) == [b"\xff\x4f\xff\x51aabb", b"\xff\x4f\xff\x51cc"]
    with pytest.raises(PixelMismatch, match="can't be divided"):
        frame_ranges(encapsulated(fragments(b"aa", b"bb", b"cc"), frames=2))


def test_fewer_fragments_than_frames_are_refused() -> None:
    with pytest.raises(PixelMismatch, match="2 fragments for 3 frames"):
        frame_ranges(encapsulated(fragments(*FRAMES[:2]), syntax=RLE, frames=3))
    with pytest.raises(PixelMismatch, match="no fragments"):
        frame_ranges(encapsulated(fragments()))


def test_a_video_is_one_stream_whatever_its_number_of_frames() -> None:
    assert contents(encapsulated(fragments(b"abcd", b"ef"), syntax=MPEG4, frames=100)) == [b"abcdef"]


@given(st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_files_give_ranges_within_the_file_or_typed_errors(native: bool, data: st.DataObject) -> None:
    if native:
        file = bytearray(file_bytes(image(bytes(48), frames=3)))
    else:
        file = bytearray(encapsulated(fragments(*FRAMES, table=pack("<3I", 0, 28, 66)), frames=3).buf)
    at = file.index(b"\x28\x00\x02\x00")  # Samples per Pixel: what describes the pixels begins here
    for _ in range(data.draw(st.integers(1, 5))):
        file[data.draw(st.integers(at, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        frames = frame_ranges(parse(bytes(file)))
    except Unreadable as error:
        assert error.reason  # noqa: PT017 - any typed error will do, and so will none
        return
    assert all(start > 0 and start + length <= len(file) for frame in frames for start, length in frame)


@pytest.mark.parametrize("source", corpus.sources())
def test_frames_of_real_files_equal_pydicoms(source: str) -> None:
    for name, data in corpus.files(source):
        try:
            parsed = parse(data)
            ours = contents(parsed)
        except Unreadable:
            continue
        if not ours or not parsed.is_original_bytes:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = read_dataset(BytesIO(data[parsed.start :]), not parsed.explicit, True)
            found = pixel_element(parsed)
            assert found is not None
            if found.fragments is None:
                assert ds[found.tag].value.startswith(b"".join(ours)), name
                assert {len(frame) for frame in ours} == {len(ours[0])}, name
                continue
            video = parsed.meta.transfer_syntax in VIDEO
            frames = ints(parsed.buf, find(parsed.elements, 0x00280008))
            count = frames[0] if frames and not video else 1
            table = ds.get("ExtendedOffsetTable"), ds.get("ExtendedOffsetTableLengths")
            extended = (table[0], table[1]) if table[0] and table[1] else None
            theirs = list(generate_frames(ds.PixelData, number_of_frames=count, extended_offsets=extended))
        assert ours == theirs, name
