"""What stands inside of encapsulated pixel data and is no pixel is gone, or somebody has to look; no pixel changes."""

from __future__ import annotations

import random
from itertools import pairwise
from struct import pack, unpack_from

import imagecodecs
import numpy as np
import pytest
from hypothesis import given as with_any
from hypothesis import strategies as st

from pacs.deid.header import deidentify
from pacs.deid.result import Deidentified
from pacs.deid.streams import jpegxl, rle
from pacs.dicom.elements import find
from pacs.dicom.part10 import parse
from pacs.pixels.codecs import runs_make
from tests.pacs.deid.compressed import (
    DEFLATED,
    FRAMES,
    HTJ2K,
    IMAGE,
    J2K,
    JPEG,
    JPEG_LS,
    JPEG_XL,
    LOSSLESS,
    PROGRESSIVE,
    RLE,
    UNCOMPRESSED,
    decoded,
    deflated,
    file,
    frames_of,
    given,
    item,
)
from tests.pacs.deid.planted import El
from tests.pacs.deid.test_rows import SECRET

MARK = b"ZQANNA GARDNER 19700101 "
JPEGS = (JPEG, PROGRESSIVE, LOSSLESS, JPEG_LS)
REMOVED, HELD = "removed", "held"


def segment(marker: int, payload: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def places(frame: bytes, syntax: str) -> list[int]:
    """Where marker segments of a JPEG or JPEG 2000 frame begin: what stands in front of one is in no segment."""
    found, pos = [], 2
    if syntax in (J2K, HTJ2K):
        while frame[pos + 1] != 0xD9:
            found.append(pos)
            start, marker = pos, frame[pos + 1]
            pos += 2 + unpack_from(">H", frame, pos + 2)[0]
            if marker == 0x90:
                while frame[pos + 1] != 0x93:
                    found.append(pos)
                    pos += 2 + unpack_from(">H", frame, pos + 2)[0]
                pos = start + unpack_from(">I", frame, start + 6)[0]
        return [*found, pos, len(frame)]
    while frame[pos + 1] != 0xD9:
        found.append(pos)
        scan = frame[pos + 1] == 0xDA
        pos += 2 + unpack_from(">H", frame, pos + 2)[0]
        while scan and not (frame[pos] == 0xFF and frame[pos + 1] >= 0x80):
            pos += 1
    return [*found, pos, len(frame)]


def between_scans(syntax: str, planted: bytes) -> bytes:
    frame = FRAMES[syntax]
    at = places(frame, syntax)[-3]  # in front of the last scan
    return frame[:at] + planted + frame[at:]


def behind_soi(syntax: str, planted: bytes) -> bytes:
    return FRAMES[syntax][:2] + planted + FRAMES[syntax][2:]


def behind_pixels(syntax: str, planted: bytes) -> bytes:
    """At the end of the entropy-coded data, of which a tile-part says how long it is."""
    frame = FRAMES[syntax]
    at = frame.rindex(b"\xff\xd9")
    if syntax in (J2K, HTJ2K):
        size = frame.index(b"\xff\x90") + 6
        longer = unpack_from(">I", frame, size)[0] + len(planted)
        frame = frame[:size] + pack(">I", longer) + frame[size + 4 :]
    return frame[:at] + planted + frame[at:]


def run_lengths(gap: bytes = b"", tail: bytes = b"", spare: bytes = b"") -> bytes:
    data = FRAMES[RLE][64:]
    return pack("<II", 1, 64 + len(gap)) + (spare + bytes(56))[:56] + gap + data + tail


def boxes(*extra: bytes) -> bytes:
    """A JPEG XL container."""
    head = b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl "
    frame = FRAMES[JPEG_XL]
    return head + b"".join(extra) + pack(">I", 8 + len(frame)) + b"jxlc" + frame


#: Syntax, fragments, Basic Offset Table, and whether the bytes go or wait for a person.
PLANTED: dict[str, tuple[str, list[bytes], bytes, str]] = {
    **{
        f"{name} in {syntax[-4:]}": (syntax, [behind_soi(syntax, segment(marker, MARK))], b"", REMOVED)
        for syntax in JPEGS
        for name, marker in [("COM", 0xFE), *((f"APP{number}", 0xE0 + number) for number in range(16))]
    },
    **{
        f"{name} between scans": (PROGRESSIVE, [between_scans(PROGRESSIVE, segment(marker, MARK))], b"", REMOVED)
        for name, marker in [("COM", 0xFE), *((f"APP{number}", 0xE0 + number) for number in range(16))]
    },
    **{f"behind the end of {syntax[-4:]}": (syntax, [frame + MARK], b"", REMOVED) for syntax, frame in FRAMES.items()},
    **{
        f"a second fragment of {syntax[-4:]}": (syntax, [frame + bytes(len(frame) % 2), MARK], b"", REMOVED)
        for syntax, frame in FRAMES.items()
    },
    **{f"a Basic Offset Table of {syntax[-4:]}": (syntax, [frame], MARK, REMOVED) for syntax, frame in FRAMES.items()},
    **{
        f"JPEG's {name} with more": (JPEG, [behind_soi(JPEG, segment(marker, head + MARK))], b"", REMOVED)
        for name, marker, head in [
            ("JFIF", 0xE0, b"JFIF\0\1\2\0\0\1\0\1\x08\x01"),
            ("Adobe", 0xEE, b"Adobe\0\x64\0\0\0\0\0"),
            ("mrfx", 0xE8, b"mrfx\1"),
            ("ICC profile", 0xE2, b"ICC_PROFILE\0\1\1"),
        ]
    },
    **{
        f"JPEG's {name} with more": (JPEG, [behind_soi(JPEG, segment(marker, head + MARK))], b"", HELD)
        for name, marker, head in [
            ("DQT", 0xDB, b"\3" + bytes(range(1, 65))),
            ("DHT", 0xC4, b"\3" + b"\1" + bytes(15) + b"\5"),
            ("DRI", 0xDD, b"\0\0"),
            ("DNL", 0xDC, b"\0\x30"),
            ("JPG0", 0xF0, b""),
            ("LSE", 0xF8, b"\2\1\1"),
        ]
    },
    **{
        f"behind the last pixel of {syntax[-4:]}": (syntax, [behind_pixels(syntax, MARK)], b"", HELD)
        for syntax in (*JPEGS, J2K, HTJ2K)
    },
    "JPEG behind the end, with another": (JPEG, [FRAMES[JPEG] + MARK + b"\xff\xd9"], b"", REMOVED),
    "JPEG in front of a segment": (JPEG, [behind_soi(JPEG, MARK)], b"", HELD),
    "JPEG without an end": (JPEG, [FRAMES[JPEG][:-2] + MARK], b"", HELD),
    "J2K COM": (J2K, [FRAMES[J2K].replace(b"\xff\x52", segment(0x64, b"\0\1" + MARK) + b"\xff\x52", 1)], b"", REMOVED),
    "J2K COM like an encoder's": (
        J2K,
        [FRAMES[J2K].replace(b"\xff\x52", segment(0x64, b"\0\1Kakadu-v" + MARK) + b"\xff\x52", 1)],
        b"",
        REMOVED,
    ),
    "J2K segment that nobody knows": (
        J2K,
        [FRAMES[J2K].replace(b"\xff\x52", segment(0x7F, MARK) + b"\xff\x52", 1)],
        b"",
        HELD,
    ),
    "J2K frame is text": (J2K, [FRAMES[J2K], MARK], b"2", HELD),
    "RLE unused offsets": (RLE, [run_lengths(spare=MARK)], b"", REMOVED),
    "RLE gap in front of a segment": (RLE, [run_lengths(gap=MARK)], b"", REMOVED),
    "RLE behind the last segment": (RLE, [run_lengths(tail=MARK)], b"", REMOVED),
    "RLE segment that is none": (RLE, [pack("<3I", 2, 64, 64 + len(FRAMES[RLE])) + bytes(52) + MARK], b"", HELD),
    "deflated more than a frame": (DEFLATED, [deflated(IMAGE.tobytes() + MARK)], b"", HELD),
    "deflated and cut off": (DEFLATED, [FRAMES[DEFLATED][:-9]], b"", HELD),
    "JPEG XL in a container with words": (
        JPEG_XL,
        [boxes(*(pack(">I", 8 + len(MARK)) + kind + MARK for kind in (b"Exif", b"xml ", b"jumb", b"uuid")))],
        b"",
        REMOVED,
    ),
    "JPEG XL in a container with what is not known": (
        JPEG_XL,
        [boxes(pack(">I", 8 + len(MARK)) + b"brob" + MARK)],
        b"",
        HELD,
    ),
}


def planted(name: str) -> tuple[str, bytes]:
    syntax, fragments, table, _ = PLANTED[name]
    if table == b"2":
        return syntax, file(syntax, *fragments, count=2)
    return syntax, file(syntax, *fragments, table=table)


def look(source: bytes) -> tuple[Deidentified, bytes]:
    result = deidentify(parse(source), secret=SECRET)
    return result, given(result, source)


@pytest.mark.parametrize("name", PLANTED)
def test_planted_text_is_gone_or_waits_for_a_person(name: str) -> None:
    syntax, source = planted(name)
    result, whole = look(source)
    if PLANTED[name][3] == HELD:
        assert result.review_reasons
        return
    assert MARK not in whole
    assert result.review_reasons == []
    [frame] = frames_of(whole)
    assert (decoded(frame, syntax) == decoded(FRAMES[syntax], syntax)).all()
    # Nothing is found in what was made.
    again = deidentify(parse(whole), secret=SECRET)
    assert (again.review_reasons, again.patches, again.table) == ([], (), b"")


@pytest.mark.parametrize("syntax", FRAMES)
def test_a_clean_frame_is_taken_over_as_it_is(syntax: str) -> None:
    source = file(syntax, FRAMES[syntax])
    result, whole = look(source)
    assert (result.review_reasons, result.patches, result.table) == ([], (), b"")
    assert frames_of(whole) == frames_of(source)


@pytest.mark.parametrize("syntax", FRAMES)
def test_frames_in_several_fragments_are_walked_as_one(syntax: str) -> None:
    frame = FRAMES[syntax] + b"\0" * (len(FRAMES[syntax]) % 2)
    cuts = [0, 6, len(frame) // 4 * 2, len(frame) - 2, len(frame)]
    pieces = [frame[first:last] for first, last in pairwise(cuts)]
    result, whole = look(file(syntax, *pieces))
    assert (result.review_reasons, result.patches) == ([], ())
    result, whole = look(file(syntax, *pieces, MARK))
    assert result.review_reasons == []
    assert MARK not in whole
    assert (decoded(frames_of(whole)[0], syntax) == decoded(frame, syntax)).all()


@with_any(st.sampled_from([*JPEGS, J2K, HTJ2K]), st.integers(0, 99), st.integers(0, 17), st.binary(min_size=4))
def test_nothing_between_structural_parts_survives(syntax: str, where: int, how: int, words: bytes) -> None:
    """Bare, or in a comment or an application segment, in front of any segment and behind the last."""
    frame = FRAMES[syntax]
    at = places(frame, syntax)[where % len(places(frame, syntax))]
    words = MARK + words
    if syntax in (J2K, HTJ2K):
        piece = segment(0x64, b"\0\1" + words) if how % 2 else words
    elif how == 17:
        piece = words + MARK
    else:
        piece = segment(0xFE if how == 16 else 0xE0 + how, words)
    planted = frame[:at] + piece + frame[at:]
    result, whole = look(file(syntax, planted))
    if result.review_reasons:
        return
    assert MARK not in whole
    try:
        expected = decoded(planted, syntax)
    except (imagecodecs.JpeglsError, imagecodecs.Jpeg2kError):
        return  # a segment where this decoder takes none, blank or not
    assert (decoded(frames_of(whole)[0], syntax) == expected).all()


@with_any(
    st.sampled_from(list(FRAMES)), st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=3), st.binary()
)
def test_nothing_behind_a_frame_survives(syntax: str, fragments: list[bytes], tail: bytes) -> None:
    planted = [MARK + fragment for fragment in fragments]
    result, whole = look(file(syntax, FRAMES[syntax] + MARK + tail, *planted))
    assert result.review_reasons or MARK not in whole
    if not result.review_reasons:
        assert (decoded(frames_of(whole)[0], syntax) == decoded(FRAMES[syntax], syntax)).all()


@pytest.mark.parametrize("syntax", FRAMES)
def test_damaged_frames_are_answered(syntax: str) -> None:
    """Whatever the bytes are, there is an answer, and patches lie within the frames."""
    chance = random.Random(syntax)
    for _ in range(150):
        frame = bytearray(FRAMES[syntax])
        for _ in range(chance.randrange(1, 9)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        source = file(syntax, bytes(frame[: chance.randrange(1, len(frame) + 1)]))
        parsed = parse(source)
        pixel = find(parsed.elements, 0x7FE00010)
        assert pixel is not None
        result = deidentify(parsed, secret=SECRET)
        for offset, value in result.patches:
            assert pixel.start <= offset
            assert offset + len(value) <= pixel.end


def offsets(*fragments: bytes) -> list[int]:
    found = [0]
    for fragment in fragments[:-1]:
        found.append(found[-1] + len(item(fragment)))
    return found


def test_a_true_offset_table_stays() -> None:
    frames = [FRAMES[J2K]] * 3
    table = pack("<3I", *offsets(*frames))
    source = file(J2K, *frames, table=table, count=3)
    result, whole = look(source)
    assert (result.table, result.patches, result.review_reasons) == (b"", (), [])
    assert item(table) in whole


@pytest.mark.parametrize("table", [MARK, pack("<3I", 0, 8, 16), pack("<I", 4), MARK[:4]])
def test_any_other_offset_table_is_left_out(table: bytes) -> None:
    frames = [FRAMES[J2K]] * 3
    source = file(J2K, *frames, table=table, count=3)
    result, whole = look(source)
    assert result.table == item(b"")
    assert result.patches == ()
    assert item(table) not in whole
    assert [frame.rstrip(b"\0") for frame in frames_of(whole)] == [frame.rstrip(b"\0") for frame in frames]


def extended(starts: list[int], lengths: list[int]) -> tuple[El, ...]:
    return (
        El(0x7FE00001, "OV", pack(f"<{len(starts)}Q", *starts)),
        El(0x7FE00002, "OV", pack(f"<{len(lengths)}Q", *lengths)),
        El(0x7FE00003, "UV", MARK[:8]),
    )


def test_an_extended_offset_table_stays_only_where_it_is_true() -> None:
    frames = [FRAMES[JPEG]] * 2
    starts, lengths = offsets(*frames), [len(frame) for frame in frames]
    result, whole = look(file(JPEG, *frames, count=2, extra=extended(starts, lengths)))
    found = parse(whole).elements
    assert (find(found, 0x7FE00001) is None, find(found, 0x7FE00003) is None) == (False, True)
    assert 0x7FE00001 not in result.actions
    assert result.actions[0x7FE00003] == "X"
    assert len(frames_of(whole)) == 2
    for lie in (
        extended(starts, [lengths[0], 30]),
        extended([0, 4], lengths),
        extended([int.from_bytes(MARK[:8])], [1]),
    ):
        result, whole = look(file(JPEG, *frames, count=2, extra=lie))
        assert find(parse(whole).elements, 0x7FE00001) is None
        assert result.actions[0x7FE00001] == "X"
        assert MARK[:8] not in whole
        assert len(frames_of(whole)) == 2
    nested = El(0x00082218, "SQ", [list(extended([int.from_bytes(MARK[:8], "little")], [1]))])
    assert MARK[:8] not in look(file(JPEG, *frames, count=2, extra=(nested,)))[1]


def test_a_fragment_of_no_frame_waits_for_a_person() -> None:
    """An Extended Offset Table that leaves one out."""
    frames = [FRAMES[JPEG]] * 2
    source = file(JPEG, *frames, MARK, count=2, extra=extended(offsets(*frames), [len(frame) for frame in frames]))
    assert look(source)[0].review_reasons


def test_frames_that_nobody_counted_wait_for_a_person() -> None:
    assert look(file(UNCOMPRESSED, IMAGE.tobytes() * 40))[0].review_reasons


def matrix_profile(description: bytes = b"", private: bytes = b"", curve: bytes = b"") -> bytes:
    """An ICC profile of version 2 with three primaries and one curve."""
    curve = curve or b"curv" + bytes(4) + pack(">I", 256) + b"".join(pack(">H", n * 257) for n in range(256))
    text = b"desc" + bytes(4) + pack(">I", len(description) + 1) + description + bytes(1 + 78)
    bodies = [
        (name, b"XYZ " + bytes(4) + pack(">3i", n, n + 1, 9)) for n, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    ]
    bodies += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve), (b"desc", text), (b"cprt", b"text\0\0\0\0" + MARK)]
    bodies += [(b"priv", private)] if private else []
    at = 132 + 12 * len(bodies)
    table = data = b""
    for name, body in bodies:
        table += name + pack(">II", at + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = pack(">I4s", at + len(data), b"ANNA") + b"\2\x40\0\0mntrRGB XYZ " + pack(">6H", 2019, 3, 4, 1, 2, 3)
    head += b"acspZQ  " + bytes(4) + b"ANNAGARD" + bytes(8) + bytes(4) + pack(">3i", 63190, 65536, 54061) + b"ZQAN"
    return head + bytes(128 - len(head)) + pack(">I", len(bodies)) + table + data


def with_profile(profile: bytes, parts: int = 1) -> bytes:
    size = -(-len(profile) // parts)
    pieces = [profile[at : at + size] for at in range(0, len(profile), size)]
    pieces = [b"ICC_PROFILE\0" + bytes((number, parts)) + piece for number, piece in enumerate(pieces, 1)]
    return behind_soi(JPEG, b"".join(segment(0xE2, piece) for piece in reversed(pieces)))


@pytest.mark.parametrize("parts", [1, 3])
def test_a_colour_profile_keeps_its_numbers_and_no_text(parts: int) -> None:
    profile = matrix_profile(MARK, b"priv" + MARK)
    result, whole = look(file(JPEG, with_profile(profile, parts)))
    assert result.review_reasons == []
    assert not any(word in whole for word in (b"ANNA", b"GARD", b"ZQAN", b"priv", pack(">6H", 2019, 3, 4, 1, 2, 3)))
    kept = frames_of(whole)[0]
    chunks = [kept[at + 12 :] for at in range(len(kept)) if kept.startswith(b"ICC_PROFILE\0", at)]
    size = -(-len(profile) // parts)
    ordered = sorted(chunks, key=lambda chunk: chunk[0])
    clean = b"".join(chunk[2 : 2 + min(size, len(profile) - n * size)] for n, chunk in enumerate(ordered))
    pixels = np.random.default_rng(7).integers(0, 256, (32, 32, 3), np.uint8)
    wanted = imagecodecs.cms_profile("srgb")
    assert len(clean) == len(profile)
    both = (
        imagecodecs.cms_transform(pixels, one, wanted, colorspace="RGB", outcolorspace="RGB")
        for one in (profile, clean)
    )
    first, second = both
    assert (first == second).all()
    assert not (first == pixels).all()


@pytest.mark.parametrize(
    "profile",
    [
        b"\0" * 128 + MARK,
        matrix_profile(curve=b"curv" + bytes(4) + pack(">I", 12) + MARK),
        matrix_profile()[:-8],
        matrix_profile().replace(b"rTRC\0", b"rTRC\xff"),
    ],
)
def test_what_is_no_plain_colour_profile_goes_as_a_whole(profile: bytes) -> None:
    result, whole = look(file(JPEG, with_profile(profile)))
    assert result.review_reasons == []
    assert MARK not in whole
    assert b"ICC_PROFILE" not in whole


def test_colours_are_still_told() -> None:
    """What tells a decoder of colours stays when the rest of its segment goes."""
    head, adobe = b"JFIF\0\1\2\0\0\1\0\1\x08\x01", b"Adobe\0\x64\0\0\0\0\1"
    _, whole = look(file(JPEG, behind_soi(JPEG, segment(0xE0, head + MARK) + segment(0xEE, adobe + MARK))))
    assert head[:12] + bytes(2 + len(MARK)) in whole
    assert adobe + bytes(len(MARK)) in whole


SHAPES: list[tuple[int, ...]] = [(64, 64), (100, 37), (300, 500), (64, 64, 3), (333, 777, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("distance", [0.0, 1.0, 4.0])
def test_jpeg_xl_is_followed_to_its_end(shape: tuple[int, ...], kind: str, distance: float) -> None:
    image = np.random.default_rng(3).integers(0, 60, shape).astype(kind) + np.indices(shape)[0].astype(kind)
    for effort in (1, 4):
        frame = bytes(imagecodecs.jpegxl_encode(image, effort=effort, usecontainer=False, distance=distance))
        assert list(jpegxl.scan(frame, 0, len(frame))) == []
        found = list(jpegxl.scan(frame + MARK, 0, len(frame) + len(MARK)))
        bare = frame[:2] == b"\xff\x0a"
        assert found == [(len(frame), bytes(len(MARK)))] if bare else isinstance(found[0], str)


def test_a_permuted_table_of_jpeg_xl_is_believed_where_nothing_is_over() -> None:
    image = np.indices((2100, 2200)).sum(0).astype("u1")
    frame = bytes(imagecodecs.jpegxl_encode(image, effort=1, distance=1.0, usecontainer=False))
    assert list(jpegxl.scan(frame, 0, len(frame))) == []
    assert all(isinstance(one, str) for one in jpegxl.scan(frame + MARK, 0, len(frame) + len(MARK)))


@with_any(st.binary(max_size=200), st.integers(0, 400))
def test_run_lengths_are_counted_alike(segment: bytes, size: int) -> None:
    """The codec's quick count and the slow walk agree on where a segment ends."""
    end = rle._end(segment, size)
    if runs_make(segment, size):
        assert end is not None
        assert segment[end:].strip(b"\0\x80") == b""
