"""Bytes in headers: a colour profile keeps its numbers and no text, and nobody's own keys stay."""

from __future__ import annotations

from struct import pack

import imagecodecs
import numpy as np
import pytest

from pacs.deid.header import deidentify
from pacs.deid.streams.icc import LONGEST
from pacs.part10 import parse
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


@pytest.mark.parametrize("profile", [MARK + b" ", b"\0" * 128 + MARK, matrix_profile() + bytes(LONGEST)])
def test_what_is_no_profile_goes(profile: bytes) -> None:
    assert PROFILE not in dict(cleaned([El(PROFILE, "OB", profile + bytes(len(profile) % 2))], EXPLICIT))


def test_keys_of_anybody_s_own_go_and_tables_stay() -> None:
    table = bytes(range(256)) * 2
    left = dict(cleaned([*(El(tag, "OB", MARK + b" ") for tag in OWN), El(LUT, "OW", table)], EXPLICIT))
    assert not left.keys() & set(OWN)
    assert left[LUT] == table
