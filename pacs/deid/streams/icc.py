"""ICC profiles (ICC.1:2022), written anew: the numbers that make colours, and no text.

A profile names its maker, its device, the moment it was made at, and has free text in descriptions, copyrights and
tags of anybody's own. Photographs, slides and dermoscopy lose their colours without the rest: where a profile is of
matrices, curves and tables alone, these stay to the bit. One that can't be written like that goes as a whole. They
stand in ICC Profile (0028,2000) of the header (PS3.3 C.11.15), and in JPEG frames (APP2).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from struct import Struct, error

from pacs.deid.streams import Data, Patch, legible

#: How the segments of a profile begin (ICC.1:2022 Annex B); the number of the segment and of all follow.
MARK = b"ICC_PROFILE\0"
#: Bytes that a profile may have.
LONGEST = 4 << 20
_MOST_TAGS = 100
_LONGEST_CURVE = 1 << 16

_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
#: The spaces of colours, and how many numbers a colour has in each.
_CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"Lab ": 3, b"XYZ ": 3, b"YCbr": 3, b"CMYK": 4}
#: Of the header (7.2) only what a transform needs: size, version, class, spaces and signature.
_HEADER = ((0, 4), (8, 10), (12, 24), (36, 40))
#: And of flags, attributes and intent the bits that it defines; the illuminant is always D50.
_BITS = ((47, 3), (63, 15), (67, 3))
_D50 = bytes.fromhex("0000f6d6 00010000 0000d32d")
#: Tags that hold numbers (9.2), and those that a profile has to have and say nothing here.
_NUMBERS = frozenset(b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad gamt".split())
_TABLES = frozenset(b"A2B0 A2B1 A2B2 B2A0 B2A1 B2A2".split())
_TEXTS = (b"desc", b"cprt")
#: An empty text of each type (10.15, 10.24, and of version 2 textDescriptionType).
_EMPTY = {
    b"text": b"text" + bytes(5),
    b"mluc": b"mluc" + bytes(8) + b"\0\0\0\x0c",
    b"desc": b"desc" + bytes(7) + b"\1" + bytes(79),
}

#: What became of the profiles that were seen last, by their digests; a thousand frames of a slide have one.
_known: dict[bytes, bytes | None] = {}
_MOST_KNOWN = 16

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


def cleaned(profile: bytes) -> bytes | None:
    """Write a profile anew in as many bytes; None where it is none, or has tables of a kind that is not known here."""
    digest = sha256(profile).digest()
    # Another thread may empty it at any moment; no profile is written as nothing.
    clean = _known.get(digest, b"")
    if clean == b"":
        try:
            clean = _written(profile)
        except (error, IndexError, ValueError):
            clean = None
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[digest] = clean
    return clean


def _written(profile: bytes) -> bytes | None:
    size, count = _number(profile, 0)[0], _number(profile, 128)[0]
    known = profile[12:16] in _CLASSES and profile[16:20] in _CHANNELS and profile[20:24] in _CHANNELS
    sound = profile[36:40] == b"acsp" and profile[8] in (2, 4) and 132 <= size <= len(profile) and count <= _MOST_TAGS
    if not known or not sound:
        return None
    tags = [_tag(profile, at) for at in range(132, 132 + 12 * count, 12)]
    ranges = sorted({(start, start + length) for _, start, length in tags})
    apart = all(first[1] <= second[0] for first, second in pairwise(ranges))
    if not apart or len({name for name, _, _ in tags}) < count:
        return None
    if ranges and not (132 + 12 * count <= ranges[0][0] and ranges[-1][1] <= size):
        return None
    out = bytearray(len(profile))
    for start, end in _HEADER:
        out[start:end] = profile[start:end]
    for at, bits in _BITS:
        out[at] = profile[at] & bits
    out[68:80] = _D50
    device, connection = (_CHANNELS[profile[at : at + 4]] for at in (16, 20))
    kept: list[bytes] = []
    for number, (name, start, length) in enumerate(tags):
        body = profile[start : start + length]
        if name in _NUMBERS and _is_sound(name, body, device, connection):
            out[start : start + length] = body
        elif name in _TABLES or name[1:] in (b"XYZ", b"TRC"):
            return None
        elif name in _TEXTS and len(_EMPTY.get(body[:4], profile)) <= length:
            empty = _EMPTY[body[:4]]
            out[start : start + len(empty)] = empty
        else:
            continue
        kept.append(profile[132 + 12 * number : 144 + 12 * number])
    out[128:132] = len(kept).to_bytes(4, "big")
    table = b"".join(kept)
    out[132 : 132 + len(table)] = table
    return bytes(out)


def _is_sound(name: bytes, body: bytes, device: int, connection: int) -> bool:
    """Tell whether a tag's data is numbers, as many as it says, of a size that colours have; a curve goes one way."""
    kind = body[:4]
    if len(body) < 12 or body[4:8] != bytes(4):
        return False
    if kind == b"XYZ ":
        return len(body) == 20 and _small(body[8:])
    if kind == b"sf32":
        return len(body) == 44 and _small(body[8:])
    if kind == b"para":
        functions = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
        count = functions.get(int.from_bytes(body[8:10], "big"), -99)
        return body[10:12] == b"\0\0" and len(body) == 12 + 4 * count and _small(body[12:])
    if kind == b"curv":
        count = _number(body, 8)[0]
        if count > _LONGEST_CURVE:
            return False
        steps = Struct(f">{count}H").unpack_from(body, 12)
        upwards = all(low <= high for low, high in pairwise(steps))
        return len(body) - 12 - 2 * count in (0, 2) and body[12 + 2 * count :].strip(b"\0") == b"" and upwards
    if kind not in (b"mft1", b"mft2") or name not in _TABLES | {b"gamt"} or len(body) < 52:
        return False
    inputs, outputs, grid = body[8:11]
    there, back = (device, connection), (connection, 1 if name == b"gamt" else device)
    if (inputs, outputs) != (there if name.startswith(b"A2B") else back) or body[11] or not _small(body[12:48]):
        return False
    if kind == b"mft1":
        long = 48 + 256 * (inputs + outputs) + int(grid**inputs) * outputs
    else:
        first, last = (int.from_bytes(body[at : at + 2], "big") for at in (48, 50))
        long = 52 + 2 * (first * inputs + last * outputs + int(grid**inputs) * outputs)
    return len(body) == long and not _says(body, 48)


def _says(numbers: bytes, at: int) -> bool:
    """Tell whether words seem to stand among numbers: letters in a row that neither rise nor fall, as ramps do."""
    while found := legible(numbers, at):
        run = sorted(found.group())
        if list(found.group()) not in (run, run[::-1]):
            return True
        at = found.start() + 1
    return False


def _small(numbers: bytes) -> bool:
    """Tell whether all fixed-point numbers (s15Fixed16, 4.3) are less than 16 away from nothing."""
    return all(-16 <= int.from_bytes(numbers[at : at + 2], "big", signed=True) < 16 for at in range(0, len(numbers), 4))
