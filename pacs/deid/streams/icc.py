"""ICC profiles (ICC.1:2022), written anew: the numbers that make colours, and no text.

A profile names its maker, its device, the moment it was made at, and has free text in descriptions, copyrights and
tags of anybody's own. Photographs, slides and dermoscopy lose their colours without the rest: where a profile is of
matrices, curves and tables alone, these stay to the bit. One that can't be written like that goes as a whole. They
stand in ICC Profile (0028,2000) of the header (PS3.3 C.11.15), and in JPEG frames (APP2).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from struct import Struct, error

from pacs.deid.streams import Data, Patch

#: How the segments of a profile begin (ICC.1:2022 Annex B); the number of the segment and of all follow.
MARK = b"ICC_PROFILE\0"
#: Bytes that a profile may have.
LONGEST = 4 << 20
_MOST_TAGS = 100

_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_SPACES = (b"RGB ", b"GRAY", b"CMYK", b"Lab ", b"XYZ ", b"YCbr")
#: Of the header (7.2) only what a transform needs: size, version, class, spaces, signature, flags, attributes,
#: intent and illuminant.
_HEADER = ((0, 4), (8, 10), (12, 24), (36, 40), (44, 48), (56, 80))
#: Tags that hold numbers (9.2), and those that a profile has to have and say nothing here.
_NUMBERS = frozenset(
    b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt lumi chad gamt".split()
)
_TABLES = frozenset(b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2".split())
_TEXTS = (b"desc", b"cprt")
#: An empty text of each type (10.15, 10.24, and of version 2 textDescriptionType).
_EMPTY = {
    b"text": b"text" + bytes(5),
    b"mluc": b"mluc" + bytes(8) + b"\0\0\0\x0c",
    b"desc": b"desc" + bytes(7) + b"\1" + bytes(79),
}

_number = Struct(">I").unpack_from
_tag = Struct(">4sII").unpack_from


def patched(data: Data, segments: list[tuple[int, int]]) -> Iterator[Patch]:
    """Patches over the (start, end) ranges of a frame's APP2 segments, so that they hold the profile written anew."""
    if not segments:
        return
    head = len(MARK) + 2
    parts = sorted((data[body + head - 2 : body + head], body + head, after) for body, after in segments)
    total = len(parts)
    ordered = [told for told, _, _ in parts] == [bytes((number, total)) for number in range(1, total + 1)]
    whole = b"".join(data[body:after] for _, body, after in parts) if ordered else b""
    clean = cleaned(whole) if 0 < len(whole) <= LONGEST else None
    if clean is None:
        yield from ((body, bytes(after - body)) for body, after in segments)
        return
    at = 0
    for _, body, after in parts:
        piece = clean[at : at + after - body]
        at += after - body
        if piece != data[body:after]:
            yield body, piece


@lru_cache(maxsize=16)
def cleaned(profile: bytes) -> bytes | None:
    """Write a profile anew in as many bytes; None where it is none, or has tables of a kind that is not known here."""
    try:
        return _written(profile)
    except (error, IndexError):
        return None


def _written(profile: bytes) -> bytes | None:
    size, count = _number(profile, 0)[0], _number(profile, 128)[0]
    known = profile[12:16] in _CLASSES and profile[16:20] in _SPACES and profile[20:24] in _SPACES
    if not known or profile[36:40] != b"acsp" or not 132 <= size <= len(profile) or count > _MOST_TAGS:
        return None
    out = bytearray(len(profile))
    for start, end in _HEADER:
        out[start:end] = profile[start:end]
    kept: list[bytes] = []
    for at in range(132, 132 + 12 * count, 12):
        name, start, length = _tag(profile, at)
        if start < 132 + 12 * count or start + length > size:
            return None
        body = profile[start : start + length]
        if name in _NUMBERS and _is_sound(body):
            out[start : start + length] = body
            kept.append(profile[at : at + 12])
        elif name in _TABLES or name[1:] in (b"XYZ", b"TRC"):
            return None
        elif name in _TEXTS and len(_EMPTY.get(body[:4], profile)) <= length:
            empty = _EMPTY[body[:4]]
            out[start : start + len(empty)] = empty
            kept.append(profile[at : at + 12])
    out[128:132] = len(kept).to_bytes(4, "big")
    table = b"".join(kept)
    out[132 : 132 + len(table)] = table
    return bytes(out)


def _is_sound(body: bytes) -> bool:
    """Tell whether a tag's data is numbers, as many as it says; a curve goes one way, which no text does."""
    kind, reserved = body[:4], body[4:8]
    if reserved != bytes(4):
        return False
    if kind == b"XYZ ":
        return len(body) == 20
    if kind == b"sf32":
        return len(body) == 44
    if kind == b"para":
        functions = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
        return len(body) == 12 + 4 * functions.get(int.from_bytes(body[8:10], "big"), -99)
    if kind == b"curv":
        count = _number(body, 8)[0]
        steps = Struct(f">{min(count, len(body))}H").unpack_from(body, 12)
        upwards = all(low <= high for low, high in pairwise(steps))
        return len(body) - 12 - 2 * count in (0, 2) and body[12 + 2 * count :].strip(b"\0") == b"" and upwards
    if kind not in (b"mft1", b"mft2"):
        return False
    inputs, outputs, grid = body[8:11]
    if kind == b"mft1":
        return len(body) == 48 + 256 * (inputs + outputs) + int(grid**inputs) * outputs
    first, last = (int.from_bytes(body[at : at + 2], "big") for at in (48, 50))
    return len(body) == 52 + 2 * (first * inputs + last * outputs + int(grid**inputs) * outputs)
