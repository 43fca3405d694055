"""Bytes in headers: a colour profile keeps its numbers and no text, and nobody's own keys stay."""

from __future__ import annotations

from itertools import pairwise
from struct import pack, unpack_from

import imagecodecs
import numpy as np
import pytest

from pacs.deid.header import deidentify
from pacs.deid.streams import icc
from pacs.deid.streams.icc import LONGEST
from pacs.dicom.part10 import parse
from tests.pacs.deid.planted import EXPLICIT, IMPLICIT, El, part10, skeleton
from tests.pacs.deid.test_codestream import MARK, matrix_profile
from tests.pacs.deid.test_matrix import values
from tests.pacs.deid.test_rows import whole

SECRET = bytes(range(32))
PROFILE, OPTICAL_PATHS, LUT = 0x00282000, 0x00480105, 0x00281201
#: Record Key and that of the one before, identifiers of objects in bytes, Signature, HPGL Document, and what is said
#: nowhere.
OWN = (0x0008041B, 0x0008041C, 0x0040A074, 0x0040A089, 0x04000120, 0x00686300, 0x00080202, 0x00189445, 0x00280020)


def cleaned(elements: list[El], syntax: str) -> list[tuple[int, bytes]]:
    own = {element.tag for element in elements}
    source = part10([*(one for one in skeleton() if one.tag not in own), *elements], syntax)
    result = parse(whole(deidentify(parse(source), secret=SECRET), source))
    return list(values(result.buf, result.elements))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_profile_keeps_its_numbers_and_no_text(syntax: str) -> None:
    profile = matrix_profile(MARK, b"priv" + MARK)
    profile += bytes(len(profile) % 2)
    # Of the image, and of a slide's optical path.
    left = cleaned([El(PROFILE, "OB", profile), El(OPTICAL_PATHS, "SQ", [[El(PROFILE, "OB", profile)]])], syntax)
    found = [value for tag, value in left if tag == PROFILE]
    assert len(found) == 2
    pixels = np.random.default_rng(7).integers(0, 256, (32, 32, 3), np.uint8)
    wanted = imagecodecs.cms_profile("srgb")
    for clean in found:
        assert len(clean) == len(profile)
        assert not any(word in clean for word in (MARK, b"ANNA", b"GARD", b"ZQAN", pack(">6H", 2019, 3, 4, 1, 2, 3)))
        first, second = (
            imagecodecs.cms_transform(pixels, one, wanted, colorspace="RGB", outcolorspace="RGB")
            for one in (profile, clean)
        )
        assert (first == second).all()
        assert not (first == pixels).all()
        # What is clean stays to the bit.
        assert dict(cleaned([El(PROFILE, "OB", clean)], syntax))[PROFILE] == clean


def with_tags(*tags: tuple[bytes, bytes], head: dict[int, bytes] | None = None, shared: bool = False) -> bytes:
    """A profile with tags of one's own behind those of a sound one; `shared`: all of them name the first one's data."""
    sound = matrix_profile()
    count = unpack_from(">I", sound, 128)[0]
    table = [unpack_from(">4sII", sound, 132 + 12 * n) for n in range(count)]
    rows = [(name, sound[start : start + length]) for name, start, length in table] + list(tags)
    at, start, names, data = 132 + 12 * len(rows), 0, b"", b""
    for n, (name, body) in enumerate(rows):
        place = at + len(data) if not shared or n <= count else start
        names += name + pack(">II", place, len(body))
        if not shared or n <= count:
            start = at + len(data)
            data += body + bytes(-len(body) % 4)
    out = bytearray(pack(">I", at + len(data)) + sound[4:128] + pack(">I", len(rows)) + names + data)
    for place, value in (head or {}).items():
        out[place : place + len(value)] = value
    return bytes(out) + bytes(len(out) % 2)


SOFIE = b"KUHN^SOFIE 19700101 WARD"
_LUT = b"mft1" + bytes(4) + b"\3\3\2\0" + pack(">9i", *[65536, 0, 0, 0, 65536, 0, 0, 0, 65536])
_RAMPS = bytes(range(256)) * 3


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(with_tags(head={56: SOFIE}), id="attributes, intent and illuminant"),
        pytest.param(with_tags(head={44: SOFIE[:4]}), id="flags"),
        pytest.param(with_tags((b"bkpt", b"XYZ " + bytes(4) + SOFIE[:12])), id="a colour"),
        pytest.param(with_tags((b"lumi", b"XYZ " + bytes(4) + SOFIE[:12])), id="luminance"),
        pytest.param(with_tags((b"chad", b"sf32" + bytes(4) + SOFIE + bytes(12))), id="a matrix"),
        pytest.param(with_tags((b"kTRC", b"para" + bytes(4) + b"\0\4\0\0" + SOFIE + bytes(4))), id="a function"),
        pytest.param(with_tags((b"kTRC", b"para" + bytes(4) + b"\0\0KU" + bytes(4))), id="what a function reserves"),
        pytest.param(with_tags(*[(b"bkpt", b"XYZ " + bytes(12))] * 2), id="a name twice"),
        pytest.param(with_tags((b"A2B0", b"mft1" + bytes(4) + b"\0\0\0\0" + SOFIE * 20)), id="a table of nothing"),
        pytest.param(with_tags((b"A2B0", _LUT + _RAMPS + (SOFIE + b"\0" * 40)[:24] + _RAMPS)), id="a table of words"),
        pytest.param(with_tags((b"B2A0", _LUT[:8] + b"\3\4\2\0" + _LUT[12:] + bytes(2000))), id="a table for others"),
        *(
            pytest.param(with_tags((b"A2B0", kind + bytes(length - 4))), id=f"{kind.decode()} of {length}")
            for kind in (b"mft1", b"mft2", b"curv", b"para", b"sf32", b"XYZ ", b"mAB ")
            for length in (8, 9, 10, 11, 12, 50)
        ),
    ],
)
def test_no_words_come_in_place_of_numbers(profile: bytes) -> None:
    left = dict(cleaned([El(PROFILE, "OB", profile)], EXPLICIT)).get(PROFILE, b"")
    assert not any(SOFIE[at : at + 4] in left for at in range(0, len(SOFIE), 4))


@pytest.mark.parametrize("steps", [bytes(range(256)), bytes(range(255, -1, -1))])
def test_tables_for_three_colours_stay(steps: bytes) -> None:
    """Ramps have all letters in their order, and say nothing."""
    small = _LUT + steps * 3 + bytes(range(128, 152)) + steps * 3
    wide = b"".join(bytes((n, n)) for n in steps)
    large = b"mft2" + _LUT[4:] + pack(">HH", 256, 256) + wide * 3 + bytes(range(128, 176)) + wide * 3
    for table in (small, large):
        assert table in dict(cleaned([El(PROFILE, "OB", with_tags((b"A2B0", table)))], EXPLICIT))[PROFILE]


def test_no_profile_costs_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tags that name the same long curve: a name that stands twice is no profile's, and no curve is so long."""
    judged: list[int] = []
    is_sound = icc._is_sound

    def counted(name: bytes, body: bytes, device: int, connection: int) -> bool:
        judged.append(len(body))
        return is_sound(name, body, device, connection)

    monkeypatch.setattr(icc, "_is_sound", counted)
    curve = b"curv" + bytes(4) + pack(">I", 1 << 20) + bytes(2 << 20)
    assert icc.cleaned(with_tags(*[(b"kTRC", curve)] * 60, shared=True)) is None
    assert judged == []
    monkeypatch.setattr(
        icc, "pairwise", lambda steps: pytest.fail("walked") if len(steps) > 1 << 16 else pairwise(steps)
    )
    assert icc.cleaned(with_tags((b"kTRC", curve))) is None
    assert len(curve) in judged


def test_what_was_seen_is_remembered_by_its_digest_alone() -> None:
    profile = matrix_profile(MARK)
    assert icc.cleaned(profile) == icc.cleaned(profile)
    assert not any(MARK in key or MARK in (value or b"") for key, value in icc._known.items())
    for number in range(50):
        icc.cleaned(bytes((number,)) * 200)
    assert len(icc._known) <= 16


@pytest.mark.parametrize("profile", [MARK + b" ", b"\0" * 128 + MARK, matrix_profile() + bytes(LONGEST)])
def test_what_is_no_profile_goes(profile: bytes) -> None:
    assert PROFILE not in dict(cleaned([El(PROFILE, "OB", profile + bytes(len(profile) % 2))], EXPLICIT))


def test_keys_of_anybody_s_own_go_and_tables_stay() -> None:
    table = bytes(range(256)) * 2
    left = dict(cleaned([*(El(tag, "OB", MARK + b" ") for tag in OWN), El(LUT, "OW", table)], EXPLICIT))
    assert not left.keys() & set(OWN)
    assert left[LUT] == table
